package ucum

import (
	"errors"
	"strings"
	"testing"
)

func mustParse(t testing.TB, code string) Unit {
	t.Helper()
	u, err := Parse(code)
	if err != nil {
		t.Fatalf("Parse(%q): %v", code, err)
	}
	return u
}

func TestParseReadsTheGrammar(t *testing.T) {
	// Each code means the same as the plainer one beside it.
	cases := []struct{ code, same string }{
		{"m", "m"},
		{"1", "10*0"},
		{"100", "10*2"},
		{"/min", "min-1"},
		{"/m2", "m-2"},
		{"1/min", "/min"},
		{"m+2", "m2"},
		{"m0", "1"},
		{"m2.5", "5.m2"},
		{"s-1", "Hz"},
		{"10*3", "1000"},
		{"10^3", "10*3"},
		{"10*-3", "[ppth]"},
		{"10*", "10"},
		{"10*3/uL", "10*9/L"},
		{"kg.m/s2", "N"},
		{"kg.m.s-2", "N"},
		{"a/b.m", "a.m/b"},
		{"m/s/s", "m/s2"},
		{"m/(s.s)", "m/s2"},
		{"((m))", "m"},
		{"(m/s)/(s/m)", "m2/s2"},
		{"/(s.m)", "s-1.m-1"},
		{"mg/(24.h)", "mg/d"},
		{"{score}", "1"},
		{"{T-score}", "1"},
		{"{}", "1"},
		{"{a/b(c)[d]}", "1"},
		{"{cells}/uL", "/uL"},
		{"mL/min/{1.73_m2}", "mL/min"},
		{"10*3{RBC}/uL", "10*3/uL"},
		{"m2{BSA}", "m2"},
		{"/100{WBC}", "/100"},
		{"g{creat}/L", "g/L"},
		{"m[H2O]", "m[H2O]"},
		{"cm[H2O]", "10*-2.m[H2O]"},
		{"cal_[15]", "41858.J/10000"},
		{"B[10.nV]", "B[10.nV]"},
		{"[m/s2/Hz^(1/2)]", "[m/s2/Hz^(1/2)]"},
		{"''", "'/60"},
		{"[in_i'H2O]", "[in_i'H2O]"},
		{"cd", "cd"},
		{"dar", "10.m2"},
		{"dag", "10.g"},
		{"KiBy", "1024.By"},
		{"%", "10*-2"},
		{"mg%", "mg/dL"},
		{"Cel{oral}", "Cel"},
		{"(Cel)", "Cel"},
		{"1.Cel", "Cel"},
		{"10*-1.B", "dB"},
		{"dB.10", "B"},
		{"fL", "fl"},
		{"[IU]", "[iU]"},
		{"U", "umol/min"},
		{"nkat", "nmol/s"},
	}
	for _, c := range cases {
		conversion, err := Between(mustParse(t, c.code), mustParse(t, c.same))
		if err != nil {
			t.Errorf("%s is not %s: %v", c.code, c.same, err)
			continue
		}
		if !conversion.Identity() {
			t.Errorf("%s is not %s: one is %v", c.code, c.same, conversion.Apply(1))
		}
	}
}

func TestParseRefusesWithPlaceAndHint(t *testing.T) {
	cases := []struct {
		code string
		kind error
		pos  int
		hint string
	}{
		{"", ErrSyntax, 0, ""},
		{" ", ErrSyntax, 0, ""},
		{" mg", ErrSyntax, 0, "mg"},
		{"mg/", ErrSyntax, 3, ""},
		{"/", ErrSyntax, 1, ""},
		{"//m", ErrSyntax, 1, ""},
		{".m", ErrSyntax, 0, ""},
		{"m..s", ErrSyntax, 2, ""},
		{"m s", ErrSyntax, 1, ""},
		{"(m", ErrSyntax, 0, ""},
		{"m)", ErrSyntax, 1, ""},
		{"()", ErrSyntax, 1, ""},
		{"(/m)", ErrSyntax, 1, ""},
		{"(m)2", ErrSyntax, 3, ""},
		{"(m s)", ErrSyntax, 2, ""},
		{"{abc", ErrSyntax, 0, ""},
		{"{a{b}}", ErrSyntax, 2, ""},
		{"{a b}", ErrSyntax, 2, ""},
		{"{a}m", ErrSyntax, 3, ""},
		{"m{a}{b}", ErrSyntax, 4, ""},
		{"m{a}2", ErrSyntax, 4, ""},
		{"[lb_av", ErrSyntax, 0, ""},
		{"m]", ErrSyntax, 1, ""},
		{"m-", ErrSyntax, 2, ""},
		{"m+-2", ErrSyntax, 2, ""},
		{"m100", ErrSyntax, 1, ""},
		{"m^2", ErrSyntax, 1, "m2"},
		{"m*2", ErrSyntax, 1, ""},
		{"0", ErrSyntax, 0, ""},
		{"mg/0.L", ErrSyntax, 3, ""},
		{"24h", ErrSyntax, 2, ""},
		{"9999999999999999", ErrSyntax, 0, ""},
		{"10-3", ErrSyntax, 2, ""},
		{"Cel/h", ErrSyntax, 4, ""},
		{"Cel2", ErrSyntax, 3, ""},
		{"/Cel", ErrSyntax, 1, ""},
		{"m.Cel", ErrSyntax, 2, ""},
		{"Cel.Cel", ErrSyntax, 4, ""},
		{"[pH].%/L", ErrSyntax, 7, ""},
		{"°C", ErrSyntax, 0, "Cel"},
		{"µg", ErrSyntax, 0, "ug"},
		{"m\x00", ErrSyntax, 1, ""},
		{strings.Repeat("m.", 64) + "m", ErrSyntax, 128, ""},
		{strings.Repeat("(", 17) + "m" + strings.Repeat(")", 17), ErrSyntax, 16, ""},

		{"foo", ErrUnknownUnit, 0, ""},
		{"mg/foo", ErrUnknownUnit, 3, ""},
		{"kmin", ErrUnknownUnit, 0, ""},
		{"kkg", ErrUnknownUnit, 0, ""},
		{"mmHg", ErrUnknownUnit, 0, "mm[Hg]"},
		{"mg/Dl", ErrUnknownUnit, 3, "mg/dL"},
		{"mEq/kg", ErrUnknownUnit, 0, "meq/kg"},
		{"IU/kg", ErrUnknownUnit, 0, "[IU]/kg"},
		{"mIU/kg", ErrUnknownUnit, 0, "m[IU]/kg"},
		{"lb_av", ErrUnknownUnit, 0, "[lb_av]"},
		{"MMOL/kg", ErrUnknownUnit, 0, "mmol/kg"},
		{"[LB_AV]", ErrUnknownUnit, 0, "[lb_av]"},
		{"K/ul/Dl", ErrUnknownUnit, 5, "K/ul/dl"},

		{"Ym99", ErrRange, 0, ""},
		{"ym99", ErrRange, 0, ""},
	}
	for _, c := range cases {
		u, err := Parse(c.code)
		if err == nil {
			t.Errorf("Parse(%q) = %v, want an error", c.code, u)
			continue
		}
		var perr *ParseError
		if !errors.As(err, &perr) {
			t.Errorf("Parse(%q): %T is no *ParseError", c.code, err)
			continue
		}
		if !errors.Is(err, c.kind) {
			t.Errorf("Parse(%q): %v, want %v", c.code, err, c.kind)
		}
		if perr.Pos != c.pos {
			t.Errorf("Parse(%q): at %d, want %d: %v", c.code, perr.Pos, c.pos, err)
		}
		if perr.Hint != c.hint {
			t.Errorf("Parse(%q): hint %q, want %q", c.code, perr.Hint, c.hint)
		}
	}
}

func TestAParseErrorSaysWhatToWrite(t *testing.T) {
	_, err := Parse("mg/Dl")
	const want = `unknown unit "mg/Dl" at byte 3: no unit has the symbol "Dl" (did you mean mg/dL?)`
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

func TestTheLongestCodeAndTheDeepestNestingRead(t *testing.T) {
	mustParse(t, "m"+strings.Repeat(".1", 63))
	mustParse(t, strings.Repeat("(", 16)+"m"+strings.Repeat(")", 16))
	mustParse(t, "1000000000000000")
	mustParse(t, "10*99")
}

func TestTheZeroUnitIsOne(t *testing.T) {
	var one Unit
	if one.String() != "1" || !one.Dimensionless() || !one.Commensurable(mustParse(t, "%")) {
		t.Errorf("the zero Unit is %v", one)
	}
}

func TestParseOfAnOrdinaryCodeAllocatesNothing(t *testing.T) {
	standard()
	for _, code := range []string{"mg/dL", "mmol/L", "mm[Hg]", "10*3/uL", "Cel", "kg/m2", "{score}"} {
		n := testing.AllocsPerRun(100, func() {
			if _, err := Parse(code); err != nil {
				t.Fatal(err)
			}
		})
		if n != 0 {
			t.Errorf("Parse(%q) allocates %v times", code, n)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, e := range unitTable {
		f.Add(e.code)
		f.Add("m" + e.code + "/" + e.unit)
	}
	for spelling, code := range aliases() {
		f.Add(spelling)
		f.Add(code)
	}
	f.Add("((((/m)))){x}2")
	f.Add("[m_e]99.[m_e]99/[pi]99")
	f.Fuzz(func(t *testing.T, code string) {
		u, err := Parse(code)
		if err != nil {
			var perr *ParseError
			if !errors.As(err, &perr) || err.Error() == "" {
				t.Fatalf("%q: error %T", code, err)
			}
			if perr.Hint != "" {
				mustParse(t, perr.Hint)
			}
			return
		}
		again, err := Parse(u.String())
		if err != nil {
			t.Fatalf("%q reads, its print %q does not: %v", code, u, err)
		}
		if again.String() != u.String() {
			t.Fatalf("%q prints as %q, then as %q", code, u, again)
		}
		c, err := Between(u, again)
		if err != nil || !c.Identity() {
			t.Fatalf("%q and its print differ: %+v, %v", code, c, err)
		}
		if loose, err := ParseLoose(code, map[string]string{code: code}); err != nil || loose.dims != u.dims {
			t.Fatalf("%q: a site's own word is not taken: %v", code, err)
		}
	})
}

func BenchmarkParse(b *testing.B) {
	for _, code := range []string{"mg/dL", "mm[Hg]", "mL/min/{1.73_m2}", "[mi_us]/(24.h)"} {
		b.Run(code, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Parse(code); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
