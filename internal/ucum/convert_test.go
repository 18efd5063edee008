package ucum

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"
)

func mustBetween(t testing.TB, from, to string) Conversion {
	t.Helper()
	c, err := Between(mustParse(t, from), mustParse(t, to))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func near(got, want, tolerance float64) bool {
	return got == want || math.Abs(got-want) <= tolerance*math.Max(math.Abs(got), math.Abs(want))
}

func TestConversionsHaveTheKnownAnswers(t *testing.T) {
	cases := []struct {
		x    float64
		from string
		want float64
		to   string
	}{
		// Laboratory.
		{1.2, "mg/dL", 0.012, "g/L"},
		{1.2, "mg/dL", 12, "mg/L"},
		{1.2, "mg/dL", 12, "ug/mL"},
		{0.9, "mg/dL", 900, "ug/dL"},
		{13.5, "g/dL", 135, "g/L"},
		{5.5, "mmol/L", 5500, "umol/L"},
		{88.4, "umol/L", 0.0884, "mmol/L"},
		{7.2, "10*3/uL", 7.2, "10*9/L"},
		{7.2, "10*9/L", 7200, "/uL"},
		{4.5, "10*6/uL", 4.5, "10*12/L"},
		{42, "%", 0.42, "1"},
		{0.21, "1", 21, "%"},
		{90, "fL", 90, "um3"},
		{30, "pg", 0.03, "ng"},
		{120, "U/L", 2, "umol/s/L"},
		{60, "U/L", 1, "ukat/L"},
		{1, "kU/L", 1, "U/mL"},
		{2.5, "m[IU]/L", 2.5, "u[IU]/mL"},
		{30, "mg/g", 0.03, "1"},
		{300, "ng/mL", 300, "ug/L"},
		{140, "meq/L", 0.14, "eq/L"},
		{290, "mosm/kg", 0.29, "osm/kg"},
		{1, "g%", 10, "g/L"},
		{1, "[CFU]/mL", 1000, "[CFU]/L"},
		// Vital signs and bodies.
		{120, "mm[Hg]", 15.998640, "kPa"},
		{1, "mm[Hg]", 133.322, "Pa"},
		{10, "cm[H2O]", 0.980665, "kPa"},
		{1, "atm", 101.325, "kPa"},
		{60, "/min", 1, "Hz"},
		{72, "/min", 4320, "/h"},
		{150, "[lb_av]", 68.0388555, "kg"},
		{1, "[oz_av]", 28.349523125, "g"},
		{1, "[stone_av]", 6.35029318, "kg"},
		{70, "[in_i]", 177.8, "cm"},
		{6, "[ft_i]", 182.88, "cm"},
		{1, "[mi_i]", 1.609344, "km"},
		{1, "[nmi_i]", 1852, "m"},
		{30, "kg/m2", 0.003, "kg/cm2"},
		{90, "mL/min/{1.73_m2}", 1.5, "mL/s"},
		{100, "mL/min", 144, "L/d"},
		{1.5, "mg/(24.h)", 1.5, "mg/d"},
		{20, "mm/h", 0.02, "m/h"},
		{5, "ug/kg/min", 0.3, "mg/kg/h"},
		// Time.
		{1, "h", 3600, "s"},
		{2, "wk", 14, "d"},
		{1, "a", 365.25, "d"},
		{1, "mo", 30.4375, "d"},
		{1, "a_g", 365.2425, "d"},
		// Volumes and others of the table.
		{1, "[gal_us]", 3.785411784, "L"},
		{1, "[foz_us]", 29.5735295625, "mL"},
		{1, "[tsp_us]", 4.92892159375, "mL"},
		{1, "[cup_m]", 240, "mL"},
		{1, "[drp]", 0.05, "mL"},
		{1, "[gr]", 64.79891, "mg"},
		{1, "[Cal]", 4184, "J"},
		{1, "cal_IT", 4.1868, "J"},
		{1, "[lbf_av]", 4.4482216152605, "N"},
		{1, "[HP]", 745.69987158227022, "W"},
		{1, "[psi]", 6894.757293168361, "Pa"},
		{1, "eV", 1.602176634e-19, "J"},
		{1, "[ft_us]", 1200.0 / 3937, "m"},
		{1, "REM", 0.01, "Sv"},
		{1, "Ci", 3.7e10, "Bq"},
		{1, "KiBy", 8192, "bit"},
		{180, "deg", math.Pi, "rad"},
		{1, "circ", 360, "deg"},
		{1, "sph", 4 * math.Pi, "sr"},
		{1, "[pi].rad", 180, "deg"},
		{1, "Oe", 250 / math.Pi, "A/m"},
		{1, "Lmb", 1e4 / math.Pi, "cd/m2"},
		{1, "[degR]", 5.0 / 9, "K"},
		// Temperatures, both ways.
		{37, "Cel", 98.6, "[degF]"},
		{98.6, "[degF]", 37, "Cel"},
		{100, "Cel", 212, "[degF]"},
		{-40, "Cel", -40, "[degF]"},
		{38.3, "Cel", 100.94, "[degF]"},
		{0, "Cel", 273.15, "K"},
		{310.15, "K", 37, "Cel"},
		{0, "[degF]", 45967.0 / 180, "K"},
		{80, "[degRe]", 100, "Cel"},
		{100, "Cel", 80, "[degRe]"},
		{32, "[degF]", 0, "[degRe]"},
		{37000, "mCel", 37, "Cel"},
		{491.67, "[degR]", 32, "[degF]"},
		// Scales that are not lines.
		{7, "[pH]", 1e-7, "mol/L"},
		{7.4, "[pH]", 39.810717055349725, "nmol/L"},
		{40, "nmol/L", 7.397940008672037, "[pH]"},
		{3, "B", 1000, "1"},
		{20, "dB", 100, "1"},
		{100, "1", 20, "dB"},
		{20, "dB", 2, "B"},
		{1, "Np", math.E, "1"},
		{1, "Np", 1 / math.Ln10, "B"},
		{94, "dB[SPL]", 2e-5 * 50118.723362727229, "Pa"},
		{2, "Pa", 100, "dB[SPL]"},
		{60, "dB[V]", 1000, "V"},
		{6, "B[uV]", 1, "mV"},
		{2, "B[10.nV]", 100, "nV"},
		{30, "dB[W]", 1, "kW"},
		{3, "B[W]", 0, "B[kW]"},
		{8, "bit_s", 256, "1"},
		{256, "1", 8, "bit_s"},
		{100, "[p'diop]", 45, "deg"},
		{45, "deg", 100, "[p'diop]"},
		{100, "%[slope]", 45, "deg"},
		{45, "deg", 100, "%[slope]"},
		{100, "%[slope]", 100, "[p'diop]"},
		{6, "[hp'_X]", 1e-6, "1"},
		{6, "[hp'_X]", 3, "[hp'_C]"},
		{2, "[hp'_M]", 1e-6, "1"},
		{2, "[hp'_Q]", 4e-10, "1"},
		{4e-10, "1", 2, "[hp'_Q]"},
		{3, "[m/s2/Hz^(1/2)]", 9, "m2/s3"},
		{9, "m2/s3", 3, "[m/s2/Hz^(1/2)]"},
	}
	if len(cases) < 60 {
		t.Fatalf("only %d cases", len(cases))
	}
	for _, c := range cases {
		got := mustBetween(t, c.from, c.to).Apply(c.x)
		tolerance := 1e-12 * math.Abs(c.want)
		if c.want == 0 {
			tolerance = 1e-13
		}
		if math.Abs(got-c.want) > tolerance {
			t.Errorf("%v %s = %v %s, want %v", c.x, c.from, got, c.to, c.want)
		}
	}
}

// Conversions whose integers float64 holds lose no digit to a rounded factor.
func TestDecimalsConvertToTheLastBit(t *testing.T) {
	cases := []struct {
		x    float64
		from string
		want float64
		to   string
	}{
		{1.2, "mg/dL", 0.012, "g/L"},
		{0.3, "mg/dL", 0.003, "g/L"},
		{37, "Cel", 98.6, "[degF]"},
		{98.6, "[degF]", 37, "Cel"},
		{36.6, "Cel", 309.75, "K"},
		{7.2, "10*3/uL", 7.2, "10*9/L"},
		{120, "mm[Hg]", 15.99864, "kPa"},
		{150, "[lb_av]", 68.0388555, "kg"},
		{70, "[in_i]", 177.8, "cm"},
		{0.21, "1", 21, "%"},
	}
	for _, c := range cases {
		if got := mustBetween(t, c.from, c.to).Apply(c.x); got != c.want {
			t.Errorf("%v %s = %v %s, want %v", c.x, c.from, got, c.to, c.want)
		}
	}
}

func TestUnlikeUnitsAreRefused(t *testing.T) {
	cases := []struct{ from, to, why string }{
		{"mg/dL", "mmol/L", "mass and amount need a molar mass"},
		{"mmol/L", "10*3/uL", "an amount is no count, though the standard's mol is a number"},
		{"mol", "1", "the same"},
		{"mol", "10*23", "the same"},
		{"meq/L", "mmol/L", "equivalents need the charge"},
		{"mosm/kg", "mmol/kg", "osmoles need the dissociation"},
		{"meq/L", "mosm/L", "the same"},
		{"[IU]/L", "U/L", "international units are no katals"},
		{"[IU]", "[arb'U]", "arbitrary units are each a kind"},
		{"[IU]", "1", "arbitrary units are no numbers"},
		{"[IU]2", "[IU]", "powers differ"},
		{"[CFU]/mL", "/mL", "the same"},
		{"[hp_X]", "[hp'_X]", "the arbitrary potency is not the special one"},
		{"kg", "m", "dimensions differ"},
		{"Cel", "m", "dimensions differ"},
		{"dB[V]", "dB[W]", "references differ"},
		{"rad", "1", "an angle is a dimension to the standard"},
		{"mm[Hg]", "mm", "pressure is no length"},
	}
	for _, c := range cases {
		from, to := mustParse(t, c.from), mustParse(t, c.to)
		if from.Commensurable(to) || to.Commensurable(from) {
			t.Errorf("%s and %s are commensurable, but %s", from, to, c.why)
		}
		if _, err := Between(from, to); !errors.Is(err, ErrIncommensurable) {
			t.Errorf("Between(%s, %s): %v, want ErrIncommensurable", from, to, err)
		}
	}
}

func TestRatiosBeyondFloat64AreRefused(t *testing.T) {
	if _, err := Between(mustParse(t, "10*99.10*99"), mustParse(t, "10*-99.10*-99")); !errors.Is(err, ErrRange) {
		t.Errorf("got %v, want ErrRange", err)
	}
}

func TestOnlyTheSameScaleIsIdentity(t *testing.T) {
	cases := []struct {
		from, to string
		want     bool
	}{
		{"mg/dL", "mg/dL", true},
		{"mg/dL", "mg/dl", true},
		{"mg/dL", "ug/mL", false},
		{"10*3/uL", "10*9/L", true},
		{"[lb_av]", "[lb_av]", true},
		{"mm[Hg]", "mm[Hg]", true},
		{"Cel", "Cel", true},
		{"Cel", "mCel", false},
		{"Cel", "K", false},
		{"[pH]", "[pH]", true},
		{"dB", "dB", true},
		{"dB", "B", false},
		{"B", "1", false},
		{"deg", "deg", true},
		{"{score}", "1", true},
		{"L", "dm3", true},
	}
	for _, c := range cases {
		if got := mustBetween(t, c.from, c.to).Identity(); got != c.want {
			t.Errorf("%s to %s: Identity %v, want %v", c.from, c.to, got, c.want)
		}
	}
}

func TestThereAndBackGivesTheSameNumber(t *testing.T) {
	groups := [][]string{
		{"mg/dL", "g/L", "ug/mL", "[oz_av]/[foz_us]", "kg/m3", "[gr]/[pt_br]"},
		{"Cel", "[degF]", "[degRe]", "K", "[degR]", "[pi].K"},
		{"mm[Hg]", "kPa", "[psi]", "cm[H2O]", "atm", "bar", "[in_i'Hg]"},
		{"s", "h", "a", "mo_s", "wk"},
		{"[in_i]", "cm", "[ft_us]", "[ly]", "[didot]"},
		{"deg", "rad", "gon", "circ", "'"},
		{"dB", "Np", "bit_s", "[hp'_C]", "%", "[ppm]"},
		{"[pH]", "mol/L", "nmol/mL"},
		{"dB[V]", "B[uV]", "B[10.nV]", "V", "mV"},
		{"[p'diop]", "%[slope]", "deg", "rad"},
	}
	random := rand.New(rand.NewPCG(1, 2))
	for _, group := range groups {
		for range 200 {
			from, to := group[random.IntN(len(group))], group[random.IntN(len(group))]
			x := 0.1 + 3*random.Float64()
			if group[0] == "deg" || group[0] == "[p'diop]" {
				x /= 10
			}
			got := mustBetween(t, to, from).Apply(mustBetween(t, from, to).Apply(x))
			// Moving the zero of a temperature loses digits near it.
			if math.Abs(got-x) > 1e-11*math.Max(1, math.Abs(x)) {
				t.Errorf("%v %s by way of %s comes back as %v", x, from, to, got)
			}
		}
	}
}

func TestApplyAllocatesNothing(t *testing.T) {
	for _, pair := range [][2]string{{"mg/dL", "g/L"}, {"Cel", "[degF]"}, {"[pH]", "nmol/L"}} {
		c := mustBetween(t, pair[0], pair[1])
		var sum float64
		if n := testing.AllocsPerRun(100, func() { sum += c.Apply(7) }); n != 0 {
			t.Errorf("%s to %s: %v allocations", pair[0], pair[1], n)
		}
	}
}

func BenchmarkBetween(b *testing.B) {
	for _, pair := range [][2]string{{"mg/dL", "mg/dL"}, {"mg/dL", "g/L"}, {"[lb_av]", "kg"}, {"Cel", "[degF]"}} {
		b.Run(pair[0]+"→"+pair[1], func(b *testing.B) {
			from, to := mustParse(b, pair[0]), mustParse(b, pair[1])
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Between(from, to); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkApply(b *testing.B) {
	for _, pair := range [][2]string{{"mg/dL", "g/L"}, {"Cel", "[degF]"}, {"[pH]", "nmol/L"}} {
		b.Run(pair[0]+"→"+pair[1], func(b *testing.B) {
			c := mustBetween(b, pair[0], pair[1])
			b.ReportAllocs()
			var sum float64
			for b.Loop() {
				sum += c.Apply(7.4)
			}
			_ = sum
		})
	}
}
