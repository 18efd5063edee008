package rules

import (
	"maps"
	"math"
	"sync/atomic"

	"github.com/vigil-cds/vigil/internal/ucum"
)

// maxConversions bounds what one input remembers: units that senders use for one kind of result are
// few, and what is not remembered is worked out again.
const maxConversions = 64

// conversion leads from a sender's unit to the input's.
type conversion struct {
	ok     bool
	same   bool
	factor ucum.Conversion
}

// apply converts x; false when there is no finite answer.
func (c conversion) apply(x float64) (float64, bool) {
	if !c.ok {
		return 0, false
	}
	if c.same {
		return x, true
	}
	x = c.factor.Apply(x)
	return x, !math.IsInf(x, 0) && !math.IsNaN(x)
}

// unitOf is the unit that an input declares, with the conversions met so far. Readers never wait: the
// map is replaced, not changed.
type unitOf struct {
	code    string
	unit    ucum.Unit
	of      ucum.Substance
	aliases map[string]string
	known   atomic.Pointer[map[string]conversion]
}

func newUnit(code string, aliases map[string]string) (*unitOf, error) {
	return newUnitOf(code, ucum.Substance{}, aliases)
}

// newUnitOf is a unit in which so much of a substance is measured.
func newUnitOf(code string, of ucum.Substance, aliases map[string]string) (*unitOf, error) {
	unit, err := ucum.ParseLoose(code, aliases)
	if err != nil {
		return nil, err
	}
	return &unitOf{code: code, unit: unit, of: of, aliases: aliases}, nil
}

// from finds the conversion from a sender's unit. A number without a unit has none.
func (u *unitOf) from(code string) conversion {
	if code == u.code {
		return conversion{ok: true, same: true}
	}
	if code == "" {
		return conversion{}
	}
	known := u.known.Load()
	if known != nil {
		if c, ok := (*known)[code]; ok {
			return c
		}
	}
	c := u.resolve(code)
	next := map[string]conversion{code: c}
	if known != nil {
		if len(*known) >= maxConversions {
			return c
		}
		maps.Copy(next, *known)
	}
	u.known.CompareAndSwap(known, &next)
	return c
}

func (u *unitOf) resolve(code string) conversion {
	unit, err := ucum.ParseLoose(code, u.aliases)
	if err != nil {
		return conversion{}
	}
	c, err := u.of.Between(unit, u.unit)
	if err != nil {
		return conversion{}
	}
	return conversion{ok: true, same: c.Identity(), factor: c}
}

// Convert is a number in a unit, as a sender writes it, in the input's own unit. It is false for an input
// without a unit, and where the two measure different things.
func (in *Input) Convert(x float64, unit string) (float64, bool) {
	if in.accept.unit == nil {
		return 0, false
	}
	return in.accept.unit.from(unit).apply(x)
}
