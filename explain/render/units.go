package render

import "strings"

// wholeUnits are units that are not written like their UCUM codes.
var wholeUnits = map[string]string{
	"1": "", "Cel": "°C", "[degF]": "°F", "[pH]": "", "mm[Hg]": "mmHg", "cm[H2O]": "cmH₂O", "[in_i]": "in", "[lb_av]": "lb", "[oz_av]": "oz",
	"[ft_i]": "ft", "10*3/uL": "×10³/µL", "10*6/uL": "×10⁶/µL", "10*9/L": "×10⁹/L", "10*12/L": "×10¹²/L", "Ohm": "Ω", "a": "years", "mo": "months",
}

// unitParts are how a part of a UCUM code between its operators is written.
var unitParts = map[string]string{
	"ug": "µg", "uL": "µL", "ul": "µL", "umol": "µmol", "um": "µm", "ukat": "µkat", "us": "µs", "uV": "µV", "u[IU]": "µIU",
	"m2": "m²", "m3": "m³", "cm2": "cm²", "cm3": "cm³", "Cel": "°C", "10*3": "10³", "10*6": "10⁶", "10*9": "10⁹", "10*12": "10¹²",
	"deg": "°", "mm[Hg]": "mmHg", "cm[H2O]": "cmH₂O",
}

// unit is a UCUM code as people write the unit: "mmHg", "mL/min/1.73 m²"; "" for a mere count, and for a
// note in braces such as {score} where no unit stands. What is not UCUM comes out as it is.
func unit(code string) string {
	if written, ok := wholeUnits[code]; ok {
		return written
	}
	var b strings.Builder
	rest, operator := code, ""
	if strings.HasPrefix(rest, "/") {
		operator, rest = rest[:1], rest[1:]
	}
	for rest != "" {
		end := partEnd(rest)
		part := rest[:end]
		if note, ok := strings.CutPrefix(part, "{"); ok {
			note = strings.ReplaceAll(strings.TrimSuffix(note, "}"), "_", " ")
			if operator == "/" || note != "" && note[0] >= '0' && note[0] <= '9' {
				part = strings.Replace(note, "m2", "m²", 1)
			} else {
				part = ""
			}
		} else if written, ok := unitParts[part]; ok {
			part = written
		} else {
			part = strings.NewReplacer("[", "", "]", "").Replace(part)
		}
		b.WriteString(operator + part)
		operator = ""
		if rest = rest[end:]; rest != "" && rest[0] != '{' {
			operator, rest = rest[:1], rest[1:]
		}
		if operator == "." {
			operator = "·"
		}
	}
	return plain(b.String() + operator)
}

// partEnd is where the first part of a UCUM code ends: before an operator, or a note in braces.
func partEnd(code string) int {
	if code[0] == '{' {
		if i := strings.IndexByte(code, '}'); i >= 0 {
			return i + 1
		}
		return len(code)
	}
	if i := strings.IndexAny(code[1:], "/.{"); i >= 0 {
		return i + 1
	}
	return len(code)
}

// with puts a unit behind a number: "1.9 mg/dL", "22/min", "91%".
func with(number, code string) string {
	switch u := unit(code); {
	case u == "":
		return number
	case u == "%" || u == "°" || u[0] == '/':
		return number + u
	default:
		return number + " " + u
	}
}
