package ucum

import (
	"errors"
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
)

func mustSubstance(t testing.TB, molarMass string, valence int) Substance {
	t.Helper()
	s, err := NewSubstance(molarMass, valence)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// The wanted numbers are quotients of the decimals given, worked out exactly.
func TestMassAmountAndEquivalentsConvertByWhatIsKnownOfTheSubstance(t *testing.T) {
	cases := []struct {
		molarMass string
		valence   int
		x         float64
		from      string
		want      *big.Rat
		to        string
	}{
		{"113.12 g/mol", 0, 1, "mg/dL", big.NewRat(1_000_000, 11312), "umol/L"}, // creatinine: 88.4
		{"113.12 g/mol", 0, 88.4, "umol/L", big.NewRat(884*11312, 10_000_000), "mg/dL"},
		{"180.156 g/mol", 0, 100, "mg/dL", big.NewRat(1_000_000, 180156), "mmol/L"}, // glucose: 5.55
		{"584.66 g/mol", 0, 1, "mg/dL", big.NewRat(1_000_000, 58466), "umol/L"},     // bilirubin: 17.1
		{"0.386654 kg/mol", 0, 200, "mg/dL", big.NewRat(2_000_000, 386654), "mmol/L"},
		{"40.078 mg/mmol", 2, 10, "mg/dL", big.NewRat(200_000, 40078), "meq/L"}, // calcium: 5 meq/L
		{"40.078 g/mol", 2, 5, "meq/L", big.NewRat(25, 10), "mmol/L"},
		{"", 2, 5, "meq/L", big.NewRat(25, 10), "mmol/L"},
		{"", 1, 140, "mmol/L", big.NewRat(140, 1), "meq/L"},
		{"113.12 g/mol", 0, 1.5, "g/(24.h)", big.NewRat(150_000, 11312), "mmol/d"},
		{"180.156 g/mol", 0, 1, "mol", big.NewRat(180156, 1000), "g"},
		{"113.12 g/mol", 0, 2, "mg/dL", big.NewRat(20, 1), "mg/L"},
		{"", 0, 2, "mg/dL", big.NewRat(20, 1), "mg/L"},
	}
	for _, c := range cases {
		got, err := mustSubstance(t, c.molarMass, c.valence).Between(mustParse(t, c.from), mustParse(t, c.to))
		if err != nil {
			t.Errorf("%s, valence %d: %s to %s: %v", c.molarMass, c.valence, c.from, c.to, err)
			continue
		}
		want, _ := c.want.Float64()
		if y := got.Apply(c.x); !near(y, want, 1e-15) {
			t.Errorf("%g %s of %s are %.17g %s, want %.17g", c.x, c.from, c.molarMass, y, c.to, want)
		}
	}
}

func TestUnitsThatSayNothingAboutASubstanceAreNotConvertedByIt(t *testing.T) {
	creatinine, calcium, sodium := mustSubstance(t, "113.12 g/mol", 0), mustSubstance(t, "40.078 g/mol", 2), mustSubstance(t, "", 1)
	for _, c := range []struct {
		s        Substance
		from, to string
	}{
		{Substance{}, "mg/dL", "umol/L"},
		{creatinine, "mg", "umol/L"},
		{creatinine, "mg/dL", "umol"},
		{creatinine, "mm[Hg]", "mol/m/s2"},
		{creatinine, "mg/dL", "meq/L"},
		{creatinine, "meq/L", "mmol/L"},
		{creatinine, "mg/dL", "mosm/L"},
		{creatinine, "mg/dL", "[pH]"},
		{creatinine, "mg/dL", "[IU]/L"},
		{creatinine, "mg/g", "mmol/g"},
		{calcium, "mg/dL", "/L"},
		{sodium, "mg/dL", "meq/L"},
		{sodium, "mg/dL", "mmol/L"},
	} {
		if _, err := c.s.Between(mustParse(t, c.from), mustParse(t, c.to)); !errors.Is(err, ErrIncommensurable) {
			t.Errorf("%v: %s to %s: %v, want ErrIncommensurable", c.s, c.from, c.to, err)
		}
	}
	for unit, want := range map[string]bool{"mg/dL": true, "umol/L": true, "g": true, "mmol/d": true, "meq/L": false,
		"mm[Hg]": false, "%": false, "Cel": false, "[pH]": false, "mg/g": false, "mg/kg/min": false, "U/L": false, "[IU]/L": false} {
		if got := creatinine.Measures(mustParse(t, unit)); got != want {
			t.Errorf("%s measures a substance: %t, want %t", unit, got, want)
		}
	}
}

func TestAMolarMassIsRefusedWithWhatToWrite(t *testing.T) {
	for text, want := range map[string]error{
		"113.12": ErrSyntax, "g/mol": ErrSyntax, "-1 g/mol": ErrSyntax, "0 g/mol": ErrSyntax, "1.2.3 g/mol": ErrSyntax,
		"113.12 mg/dL": ErrIncommensurable, "113.12 mol/g": ErrIncommensurable, "113.12 Da": ErrUnknownUnit,
		"113.12 ng/mol": ErrRange, "1e9999999 g/mol": ErrRange, "1e-9999999 g/mol": ErrRange, "0.5 g/mol": ErrRange,
	} {
		if s, err := NewSubstance(text, 0); !errors.Is(err, want) {
			t.Errorf("NewSubstance(%q) = %v, %v, want %v", text, s, err, want)
		}
	}
	for _, valence := range []int{-1, MaxValence + 1} {
		if _, err := NewSubstance("", valence); !errors.Is(err, ErrRange) {
			t.Errorf("valence %d: %v, want ErrRange", valence, err)
		}
	}
}

func TestASubstancesTextTellsWhetherTwoConvertAlike(t *testing.T) {
	a, b := mustSubstance(t, "113.12 g/mol", 2), mustSubstance(t, "0.113120 kg/mol", 2)
	if a.String() != b.String() || a.String() == mustSubstance(t, "113.12 g/mol", 1).String() || !a.Known() {
		t.Errorf("%q, %q", a, b)
	}
	if none := (Substance{}); none.Known() || none.String() != "" {
		t.Errorf("the unknown substance is %q", none)
	}
}

func TestMassToAmountAndBackGivesTheSameNumber(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	s := mustSubstance(t, "180.156 g/mol", 2)
	units := []string{"mg/dL", "g/L", "umol/L", "mmol/dL", "meq/L"}
	for range 20_000 {
		from, to := mustParse(t, units[r.IntN(len(units))]), mustParse(t, units[r.IntN(len(units))])
		there, err := s.Between(from, to)
		if err != nil {
			t.Fatal(err)
		}
		back, err := s.Between(to, from)
		if err != nil {
			t.Fatal(err)
		}
		x := math.Exp(r.Float64()*20 - 10)
		if y := back.Apply(there.Apply(x)); !near(x, y, 1e-12) {
			t.Fatalf("%g %s to %s and back is %g", x, from, to, y)
		}
	}
}
