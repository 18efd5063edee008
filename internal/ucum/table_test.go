package ucum

import (
	"math/big"
	"strconv"
	"testing"
)

func TestEveryUnitOfTheTableIsItsDefinition(t *testing.T) {
	apart := map[string]bool{"mol": true, "eq": true, "osm": true} // numbers to the standard
	for _, e := range unitTable {
		u, err := Parse(e.code)
		if err != nil {
			t.Errorf("%s of the table does not read: %v", e.code, err)
			continue
		}
		definition, err := Parse(e.unit)
		if err != nil {
			t.Errorf("definition %q of %s does not read: %v", e.unit, e.code, err)
			continue
		}
		value, err := strconv.ParseFloat(e.value, 64)
		if err != nil {
			t.Errorf("value of %s: %v", e.code, err)
			continue
		}
		switch c, err := Between(u, definition); {
		case apart[e.code] || e.arbitrary && e.unit == "1":
			if err == nil {
				t.Errorf("%s converts to %s, from which it is kept apart", e.code, e.unit)
			}
		case err != nil:
			t.Errorf("%s is not commensurable with its definition: %v", e.code, err)
		case e.function == "":
			if got := c.Apply(1); !near(got, value, 1e-15) {
				t.Errorf("1 %s = %v %s, the table says %s", e.code, got, e.unit, e.value)
			}
		default:
			// A special unit comes back from its reference.
			back, err := Between(definition, u)
			if got := back.Apply(c.Apply(0.25)); err != nil || !near(got, 0.25, 1e-12) {
				t.Errorf("0.25 %s comes back as %v, %v", e.code, got, err)
			}
		}
	}
}

// The standard wants every symbol to read one way only: a prefix and a metric
// unit never spell another prefix and unit. Where they spell a whole unit (cd,
// Pa, min), that unit wins.
func TestNoSymbolReadsTwoWays(t *testing.T) {
	seen := map[string]string{}
	metric := append([]string(nil), baseTable[:]...)
	for _, e := range unitTable {
		if e.metric {
			metric = append(metric, e.code)
		}
	}
	table := standard()
	for _, p := range prefixTable {
		for _, code := range metric {
			symbol := p.code + code
			if _, whole := table.atoms[symbol]; whole {
				continue
			}
			if other, ok := seen[symbol]; ok {
				t.Errorf("%s is both %s and %s-%s", symbol, other, p.code, code)
			}
			seen[symbol] = p.code + "-" + code
			if _, err := Parse(symbol); err != nil {
				t.Errorf("prefixed %s does not read: %v", symbol, err)
			}
		}
	}
}

func TestDimensionsOfTheTableAreSmall(t *testing.T) {
	// maxExponent times the most atoms in a code times this must fit an int16.
	for code, a := range standard().atoms {
		for _, n := range a.dims {
			if n > 5 || n < -5 {
				t.Errorf("%s has a dimension to the power %d", code, n)
			}
		}
	}
}

func TestMagnitudesOfTheTableAreReadExactly(t *testing.T) {
	for _, e := range unitTable {
		m, ok := parseMagnitude(e.value)
		want, wantOK := new(big.Rat).SetString(e.value)
		if !ok || !wantOK || m.rat().Cmp(want) != 0 {
			t.Errorf("%s: %q reads as %v", e.code, e.value, m.rat())
		}
	}
	for _, bad := range []string{"", "0", "-1", "1e", "x", "1.2.3"} {
		if m, ok := parseMagnitude(bad); ok {
			t.Errorf("%q reads as %v", bad, m.rat())
		}
	}
}

func TestTheExponentOfTime(t *testing.T) {
	for code, want := range map[string]int{"1": 0, "mg": 0, "h": 1, "mL/h": -1, "/min": -1, "ug/kg/min": -1, "mg/(kg.h)": -1, "MBq": -1, "MBq/h": -2,
		"kcal": -2, "kcal/d": -3, "[iU]/h": -1, "h/h": 0} {
		u, err := Parse(code)
		if err != nil {
			t.Fatal(err)
		}
		if got := u.TimeExponent(); got != want {
			t.Errorf("%s: %d, not %d", code, got, want)
		}
	}
	if baseTable[timeDimension] != "s" {
		t.Error("the base units are in another order")
	}
}
