package ucum

import (
	"errors"
	"maps"
	"strings"
	"testing"
)

func TestEveryAliasReads(t *testing.T) {
	all := Aliases()
	if len(all) < 80 {
		t.Fatalf("only %d aliases", len(all))
	}
	for spelling, code := range all {
		if _, err := Parse(code); err != nil {
			t.Errorf("alias %q: %v", spelling, err)
		}
		if again := Canonical(code); again != code {
			t.Errorf("alias %q is %q, which is an alias of %q", spelling, code, again)
		}
		u, err := ParseLoose(spelling, nil)
		if err != nil || u.String() != code {
			t.Errorf("ParseLoose(%q) = %v, %v, want %s", spelling, u, err, code)
		}
	}
}

// An alias that is itself a UCUM code must not change what the code means, but
// for these, which are none that a patient has.
func TestAliasesKeepTheMeaningOfUCUMCodes(t *testing.T) {
	want := map[string]string{
		"K/uL":  "kelvin per microlitre",
		"K/ul":  "kelvin per microlitre",
		"K/mm3": "kelvin per cubic millimetre",
		"pH":    "picohenry",
		"PH":    "petahenry",
		"u/L":   "atomic mass unit per litre",
		"u/l":   "atomic mass unit per litre",
		"ML":    "megalitre",
		"PG/ML": "petagauss per megalitre",
	}
	got := map[string]string{}
	for spelling, code := range Aliases() {
		u, err := Parse(spelling)
		if err != nil {
			continue
		}
		if c, err := Between(u, mustParse(t, code)); err != nil || !c.Identity() {
			got[spelling] = want[spelling]
			if want[spelling] == "" {
				t.Errorf("alias %q is a UCUM code and does not mean %s", spelling, code)
			}
		}
	}
	if !maps.Equal(got, want) {
		t.Errorf("aliases that change a meaning: %v, want %v", got, want)
	}
}

func TestBareLettersAreNotGuessed(t *testing.T) {
	for code, like := range map[string]string{"C": "A.s", "F": "C/V", "Mg/dL": "t/dL", "G/L": "Wb/m2/L", "T/L": "Wb/m2/L"} {
		u, err := ParseLoose(code, nil)
		if err != nil {
			t.Errorf("ParseLoose(%q): %v", code, err)
			continue
		}
		if !u.Commensurable(mustParse(t, like)) {
			t.Errorf("%q is not read as the standard reads it", code)
		}
	}
	for _, code := range []string{"units", "units/mL", "Torr"} {
		if u, err := ParseLoose(code, nil); !errors.Is(err, ErrUnknownUnit) {
			t.Errorf("ParseLoose(%q) = %v, %v, want ErrUnknownUnit", code, u, err)
		}
	}
}

func TestCanonicalFoldsMicroSignsAndWhiteSpace(t *testing.T) {
	cases := map[string]string{
		"\u00b5g/dL":   "ug/dL",
		"\u03bcg/dL":   "ug/dL",
		"\u00b5mol/l":  "umol/L",
		" mg/dL\n":     "mg/dL",
		"10^3/\u00b5L": "10*3/uL",
		"mmHg ":        "mm[Hg]",
		"nonsense":     "nonsense",
		"":             "",
	}
	for code, want := range cases {
		if got := Canonical(code); got != want {
			t.Errorf("Canonical(%q) = %q, want %q", code, got, want)
		}
	}
}

func TestASitesOwnSpellingComesFirst(t *testing.T) {
	own := map[string]string{"C": "Cel", "K/uL": "K/uL", "bad": "nonsense", "units/mL": "[IU]/mL"}
	cases := map[string]string{"C": "Cel", "K/uL": "K/uL", "units/mL": "[IU]/mL", "K/ul": "10*3/uL", "mg/dl": "mg/dL"}
	for code, want := range cases {
		u, err := ParseLoose(code, own)
		if err != nil || u.String() != want {
			t.Errorf("ParseLoose(%q) = %v, %v, want %s", code, u, err, want)
		}
	}
	if _, err := ParseLoose("bad", own); !errors.Is(err, ErrUnknownUnit) {
		t.Errorf("a site's wrong code: %v, want ErrUnknownUnit", err)
	}
}

func TestUnitsOfSyntheaRead(t *testing.T) {
	for _, code := range []string{
		"mg/dL", "mmol/L", "{score}", "cm", "kg", "kg/m2", "fL", "g/dL", "%", "U/L", "10*3/uL", "10*6/uL", "pg",
		"mL/min/{1.73_m2}", "mL/min", "g/L", "Cel", "kU/L", "mg/g", "{count}", "ng/mL", "(score)", "pg/mL",
		"{T-score}", "mm", "{nominal}", "pH", "mm[Hg]", "/min",
	} {
		if _, err := ParseLoose(code, nil); err != nil {
			t.Errorf("%q: %v", code, err)
		}
	}
}

func BenchmarkParseLoose(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseLoose("mmHg", nil); err != nil {
			b.Fatal(err)
		}
	}
}

func TestASitesAliasMayNotChangeWhatAUCUMCodeMeans(t *testing.T) {
	for _, c := range []struct {
		spelling, code string
		want           error
	}{
		{"units/mL", "[IU]/mL", nil},
		{"Millimol", "mmol/L", nil},
		{"beats per minute", "/min", nil},
		{"µ-mol", "umol", nil},
		{"IU/L", "U/L", nil},     // the list has [IU]/L
		{"K/uL", "10*3/uL", nil}, // as the list has it
		{"K/uL", "K/uL", nil},    // back to what UCUM says
		{"mL/dL", "%", nil},      // another code for the same
		{"C", "Cel", ErrMeaning}, // the coulomb
		{"G/L", "10*9/L", ErrMeaning},
		{"mg/dL", "g/L", ErrMeaning},
		{"Cel", "[degF]", ErrMeaning},
		{"m", "mmol/L", ErrMeaning},
		{"TU", "furlong", ErrUnknownUnit},
		{"TU", "mg//dL", ErrSyntax},
		{"TU", "", ErrSyntax},
		{"TU", "mmHg", ErrUnknownUnit}, // an alias of an alias
		{"", "mg/dL", ErrSpelling},
		{" TU", "mg/dL", ErrSpelling},
		{"T\xff", "mg/dL", ErrSpelling},
		{strings.Repeat("x", maxCodeLength+1), "mg/dL", ErrSpelling},
	} {
		err := CheckAlias(c.spelling, c.code)
		if !errors.Is(err, c.want) || (err == nil) != (c.want == nil) {
			t.Errorf("CheckAlias(%q, %q) = %v, want %v", c.spelling, c.code, err, c.want)
		}
	}
}

// The twenty spellings that feeds use most, and what each must be read as.
func TestTheMostUsualSpellingsAreListed(t *testing.T) {
	for spelling, want := range map[string]string{
		"mmHg": "mm[Hg]", "bpm": "/min", "K/uL": "10*3/uL", "M/uL": "10*6/uL", "UMOLL": "umol/L", "umol/l": "umol/L", "mmol/l": "mmol/L",
		"mEq/L": "meq/L", "IU/L": "[IU]/L", "mIU/L": "m[IU]/L", "mg/dl": "mg/dL", "gm/dL": "g/dL", "mcg/mL": "ug/mL", "x10E3/uL": "10*3/uL",
		"10^9/L": "10*9/L", "deg C": "Cel", "degF": "[degF]", "mL/min/1.73m2": "mL/min/{1.73_m2}", "cmH2O": "cm[H2O]", "lbs": "[lb_av]",
		"breaths/min": "/min", "mm/hr": "mm/h", "kg/m^2": "kg/m2", "mOsm/kg": "mosm/kg",
	} {
		if got := Canonical(spelling); got != want {
			t.Errorf("Canonical(%q) = %q, want %q", spelling, got, want)
		}
	}
}
