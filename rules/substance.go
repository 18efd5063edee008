package rules

import (
	"fmt"
	"strconv"

	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/internal/ucum"
)

// unit reads in what the input's numbers are measured, and of what substance; false after a fault.
func (c *compiler) unit(in *inputSource, out *Input) bool {
	r := reader{&c.report}
	substance, fine := c.substance(in)
	if in.unit == nil {
		for key, n := range map[string]*node{"molar_mass": in.molar, "valence": in.equiv} {
			if n != nil {
				c.add(n.at(), fmt.Sprintf("%s without a unit converts nothing", key), "give the input a `unit`, as in mg/dL or mmol/L")
				fine = false
			}
		}
		return fine
	}
	out.Unit, out.Substance = r.word(in.unit, "unit"), substance
	switch unit, err := newUnitOf(out.Unit, substance, c.opts.Units); {
	case out.Unit == "":
		fine = false
	case out.Type != clinical.Number:
		c.add(in.unit.at(), fmt.Sprintf("the values of %q are %s: they have no unit", in.name, valueWords[out.Type]), "drop `unit`")
		fine = false
	case err != nil:
		c.add(in.unit.at(), fmt.Sprintf("unknown unit %q", out.Unit), "units are written in UCUM, as in mg/dL, mmol/L, Cel: "+err.Error())
		fine = false
	case substance.Known() && !substance.Measures(unit.unit):
		fine = false
		c.add(in.unit.at(), fmt.Sprintf("%s says nothing about numbers in %s", declared(in), out.Unit), substanceHints[in.molar != nil])
	default:
		out.accept.unit = unit
	}
	return fine
}

// substanceHints say which units a substance converts, with its molar mass and without.
var substanceHints = map[bool]string{
	true:  "a molar mass converts mass to amount of substance, alone, per volume or per time, as in mg/dL, mmol/L, mmol/d; equivalents take a valence, too",
	false: "a valence converts amount of substance to equivalents, as in mmol/L, meq/L; mass takes a molar mass, too",
}

// declared names the keys with which an input speaks of its substance.
func declared(in *inputSource) string {
	switch {
	case in.equiv == nil:
		return "molar_mass"
	case in.molar == nil:
		return "valence"
	}
	return "molar_mass with valence"
}

// substance reads molar_mass and valence; false after a fault.
func (c *compiler) substance(in *inputSource) (ucum.Substance, bool) {
	r := reader{&c.report}
	faults := len(c.faults)
	valence := 0
	if in.equiv != nil {
		if valence = r.wholeNumber(in.equiv, "valence"); valence > ucum.MaxValence {
			c.add(in.equiv.at(), fmt.Sprintf("a valence of %d is more than %d", valence, ucum.MaxValence), "write how many equivalents one mole has, as in `valence: 2` for calcium")
		}
	}
	mass := ""
	if in.molar != nil {
		mass = r.word(in.molar, "molar_mass")
	}
	if len(c.faults) > faults {
		return ucum.Substance{}, false
	}
	substance, err := ucum.NewSubstance(mass, valence)
	if err != nil {
		hint := "write the number and its unit, as in `molar_mass: 113.12 g/mol` for creatinine"
		if _, plain := strconv.ParseFloat(mass, 64); plain == nil {
			hint = fmt.Sprintf("write `molar_mass: %s g/mol`", mass)
		}
		c.add(in.molar.at(), err.Error(), hint)
		return ucum.Substance{}, false
	}
	return substance, true
}
