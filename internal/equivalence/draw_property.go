package equivalence

import (
	"fmt"
	"slices"
	"strings"

	"github.com/vigil-cds/vigil/internal/clinical"
)

// valueSets is what every drawn pack calls sets of codes: one with tokens' systems, one without.
const valueSets = `valuesets:
  marked: ["snomed|1", "http://terminology.hl7.org/CodeSystem/colours|red"]
  usual:  ["http://hl7.org/fhir/observation-status|final", "snomed|2"]
`

// kinds are what inputs drawn over properties start from, with the kind of their facts.
var kinds = []struct {
	name, from string
	kind       clinical.Kind
	coded      bool
}{
	{"said", "from: crea", clinical.KindObservation, false},
	{"named", "from: group", clinical.KindObservation, true},
	{"given", `medication: ["rxnorm|1", "rxnorm|2"]`, clinical.KindMedication, false},
	{"problem", "condition: any", clinical.KindCondition, false},
	{"visit", "encounter: any", clinical.KindEncounter, false},
}

// stated draws inputs whose facts are chosen by what each says for itself.
func (d drawer) stated() string {
	draw := func(i int) string {
		k := kinds[i]
		return fmt.Sprintf("  %s: {%s, where: %q}\n", k.name, k.from, d.properties(k.kind, k.coded, 2))
	}
	return strings.Join(admitted(len(kinds), head(inputs), draw, func(lines []string) *Case {
		return &Case{Inputs: inputs + strings.Join(lines, ""), Rules: []string{"stay.active()"}}
	}), "")
}

// properties draws a condition over what a fact of the kind says.
func (d drawer) properties(kind clinical.Kind, coded bool, depth int) string {
	if depth > 0 && d.IntN(2) == 0 {
		x, y := d.properties(kind, coded, depth-1), d.properties(kind, coded, depth-1)
		return pick(d, "("+x+") and ("+y+")", "("+x+") or ("+y+")", "not ("+x+")", "("+x+") ?? true", "("+x+") ? ("+y+") : false")
	}
	a := d.attribute(kind)
	compare := pick(d, "<", "<=", ">", ">=", "==", "!=")
	if d.IntN(8) == 0 {
		return pick(d, "has(", "not has(") + a.Name + ")"
	}
	of := a.Type
	if of == clinical.AttributeValue {
		if of = clinical.AttributeNumber; coded {
			of = clinical.AttributeCodes
		}
	}
	switch of {
	case clinical.AttributeCodes:
		one, other := pick(d, tokens...), pick(d, tokens...)
		return pick(d, fmt.Sprintf("%s == '%s'", a.Name, one), fmt.Sprintf("'%s' != %s", one, a.Name),
			fmt.Sprintf("%s in ['%s', '%s']", a.Name, one, other), fmt.Sprintf("%s in valueset('%s')", a.Name, pick(d, "marked", "usual")))
	case clinical.AttributeQuantity:
		x := fmt.Sprintf("%s('%s')", a.Name, pick(d, "mg", "g", "{tablet}", "mg/h"))
		if d.IntN(3) == 0 {
			x = fmt.Sprintf("(%s ?? %v)", x, d.number())
		}
		return fmt.Sprintf("%s %s %v", x, compare, pick(d, d.number(), 2000, 0.0012))
	case clinical.AttributeText:
		return fmt.Sprintf("%s %s '%s'", a.Name, pick(d, "==", "!="), pick(d, "mg/dL", "g/L"))
	case clinical.AttributeTime:
		other := pick(d, "start", "end")
		if kind != clinical.KindEncounter {
			other = pick(d, other, "authored")
		}
		return fmt.Sprintf("%s %s %s", a.Name, compare, other)
	case clinical.AttributeLength:
		return fmt.Sprintf("%s %s '%s'", a.Name, compare, pick(d, "0h", "1h", "24h", "1ms", "23h59m", "3d"))
	}
	other := fmt.Sprint(d.number())
	if d.IntN(3) == 0 && kind == clinical.KindObservation && !coded {
		other = pick(d, "value", "reference_low", "value_high")
	}
	return fmt.Sprintf("%s %s %s", a.Name, compare, other)
}

// attribute picks one that facts of the kind may have.
func (d drawer) attribute(kind clinical.Kind) clinical.AttributeInfo {
	all := slices.DeleteFunc(clinical.Attributes(), func(a clinical.AttributeInfo) bool { return !a.Of(kind) })
	return pick(d, all...)
}

// tokens are codes as packs write them, whole and in part.
var tokens = []string{"final", "true", "snomed|1", "1", "2", "a", "colours|red", "http://terminology.hl7.org/CodeSystem/colours|red", "red", "mg"}

// codings are codes as facts carry them.
var codings = []clinical.Code{"final", "amended", "true", "snomed|1", "snomed|2", "local|1", "local|red",
	"http://terminology.hl7.org/CodeSystem/colours|red", "http://colours.example|red", "red"}

// says gives a fact some of what its kind may say, besides what it says already.
func (d drawer) says(f *clinical.Fact) {
	if d.IntN(2) == 0 {
		f.Authored = f.Time + pick(d, 0, 1, -1, hour, day, day-1, day+1, -day, 3*day)
	}
	detail := *f.Detail
	detail.Attributes = slices.Clone(detail.Attributes)
	for range d.IntN(4) {
		a := d.attribute(f.Stream.Kind)
		if detail.Attribute(a.Name) != nil || a.Name == clinical.AttrNegated && d.IntN(4) > 0 {
			continue
		}
		said := clinical.Attribute{Name: a.Name}
		switch a.Type {
		case clinical.AttributeCodes:
			if strings.HasSuffix(a.Name, "_unit") || a.Name == clinical.AttrCode {
				continue // a quantity's unit comes with it, and the code is the stream's
			}
			said.Codes = []clinical.Code{pick(d, codings...)}
			if d.IntN(3) == 0 {
				said.Codes = append(said.Codes, pick(d, codings...))
			}
		case clinical.AttributeQuantity:
			if d.IntN(4) > 0 {
				unit := pick[clinical.Code](d, "mg", "mg", "g", "ug", "mg/h", "g/d", "{tablet}", "tablet", "mL")
				detail.Attributes = append(detail.Attributes, clinical.Attribute{Name: a.Name + "_unit", Codes: []clinical.Code{unit}})
			}
			fallthrough
		case clinical.AttributeNumber:
			said.Numeric, said.Number = true, d.number()
		default:
			continue
		}
		detail.Attributes = append(detail.Attributes, said)
	}
	slices.SortFunc(detail.Attributes, func(x, y clinical.Attribute) int { return strings.Compare(x.Name, y.Name) })
	f.Detail = &detail
}
