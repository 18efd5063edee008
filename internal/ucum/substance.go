package ucum

import (
	"fmt"
	"math/big"
	"strconv"
	"strings"
)

// Substance is what converting between the mass, the amount and the equivalents
// of one chemical substance takes. The zero Substance knows nothing, and converts
// as [Between] does. It is immutable: copy and share it freely.
type Substance struct {
	molarMass magnitude // grams in a mole
	weighed   bool      // molarMass is known
	valence   int       // equivalents in a mole; 0: not known
	text      string    // as String gives it
}

// The bounds of a molar mass in g/mol: from about the hydrogen ion's to that of
// the largest molecules that laboratories report. What lies beyond is a slip in
// its unit.
const (
	minMolarMass = 1
	maxMolarMass = 1e8
)

// MaxValence is the most equivalents that a mole may be said to have.
const MaxValence = 9

// NewSubstance reads a molar mass, a decimal with its unit as in "113.12 g/mol",
// and takes a valence: how many equivalents a mole has, as calcium has 2. Either
// may be left out, as "" and 0. The errors say what to write instead.
func NewSubstance(molarMass string, valence int) (Substance, error) {
	s := Substance{valence: valence}
	if valence < 0 || valence > MaxValence {
		return Substance{}, fmt.Errorf("%w: the valence %d is not from 1 to %d", ErrRange, valence, MaxValence)
	}
	if molarMass == "" {
		return s.named(), nil
	}
	number, code, _ := strings.Cut(strings.TrimSpace(molarMass), " ")
	value, ok := parseMagnitude(number)
	if !ok {
		return Substance{}, fmt.Errorf("%w: the molar mass %q is not a positive number and its unit", ErrSyntax, molarMass)
	}
	if code = strings.TrimSpace(code); code == "" {
		return Substance{}, fmt.Errorf("%w: the molar mass %q has no unit", ErrSyntax, molarMass)
	}
	unit, err := Parse(code)
	if err != nil {
		return Substance{}, fmt.Errorf("the unit of the molar mass %q: %w", molarMass, err)
	}
	if unit.dims != gramsPerMole || unit.special != nil {
		return Substance{}, fmt.Errorf("%w: the molar mass %q is not a mass per amount", ErrIncommensurable, molarMass)
	}
	s.molarMass, s.weighed = value.mul(unit.size), true
	outside := s.molarMass.decades() > 12 || s.molarMass.decades() < -4
	if !outside {
		grams, _ := s.molarMass.rat().Float64()
		outside = grams < minMolarMass || grams > maxMolarMass
	}
	if outside {
		return Substance{}, fmt.Errorf("%w: a molar mass of %s is not from %d to %.0e g/mol", ErrRange, molarMass, minMolarMass, maxMolarMass)
	}
	return s.named(), nil
}

// Known reports whether the substance has a molar mass or a valence.
func (s Substance) Known() bool { return s.weighed || s.valence > 0 }

// String names the substance by what is known of it: equal texts convert alike.
func (s Substance) String() string { return s.text }

func (s Substance) named() Substance {
	var parts []string
	if s.weighed {
		grams, _ := s.molarMass.rat().Float64()
		parts = append(parts, strconv.FormatFloat(grams, 'g', -1, 64)+" g/mol")
	}
	if s.valence > 0 {
		parts = append(parts, fmt.Sprintf("valence %d", s.valence))
	}
	s.text = strings.Join(parts, ", ")
	return s
}

// Measures reports whether the unit measures so much of a substance that its
// molar mass, or its valence, leads to other units: mass (g), amount (mol) or
// equivalents (eq), alone, per volume or per time.
func (s Substance) Measures(u Unit) bool {
	m, _, ok := u.measured()
	return ok && (m == inGrams && s.weighed || m == inEquivalents && s.valence > 0 || m == inMoles && s.Known())
}

// Between is the conversion from one unit to the other for this substance. Units
// that are commensurable convert as they do for any; of the others a mass, an
// amount and equivalents do, each by what is known of the substance:
//
//	amount = mass / molar mass        equivalents = amount × valence
//
// The factors are exact, see [Conversion]. Errors are those of the function
// [Between].
func (s Substance) Between(from, to Unit) (Conversion, error) {
	x, per, convertible := from.measured()
	y, perTo, ok := to.measured()
	switch {
	case from.Commensurable(to) || !convertible || !ok || per != perTo:
		return Between(from, to)
	case !s.weighed && (x == inGrams || y == inGrams):
		return Conversion{}, fmt.Errorf("converting %s to %s: %w without the substance's molar mass", from, to, ErrIncommensurable)
	case s.valence == 0 && (x == inEquivalents || y == inEquivalents):
		return Conversion{}, fmt.Errorf("converting %s to %s: %w without the substance's valence", from, to, ErrIncommensurable)
	}
	size := from.size.mul(s.inMoles(x)).mul(s.inMoles(y).inverse())
	return Between(Unit{code: from.code, quantity: quantity{size: size, dims: to.dims}}, to)
}

// measure is what a unit counts a substance in.
type measure uint8

const (
	inMoles measure = iota
	inGrams
	inEquivalents
)

// inMoles is how many moles one gram, or one equivalent, is.
func (s Substance) inMoles(m measure) magnitude {
	switch m {
	case inGrams:
		return s.molarMass.inverse()
	case inEquivalents:
		return magnitude{coef: big.NewRat(1, int64(s.valence))}
	}
	return magnitude{}
}

// Dimensions that this file speaks of, by their place in baseTable and amounts.
const (
	lengthDimension = 0
	timeDimension   = 1
	massDimension   = 2
	amountDimension = amountsStart
	eqDimension     = amountsStart + 1
)

var gramsPerMole = func() dimensions {
	var d dimensions
	d[massDimension], d[amountDimension] = 1, -1
	return d
}()

// measured says what a unit counts a substance in and per what; false when it
// does not: a pressure, which has a mass in it, too, or a special unit.
func (u Unit) measured() (m measure, per dimensions, ok bool) {
	if u.special != nil {
		return 0, dimensions{}, false
	}
	per = u.dims
	switch {
	case per[massDimension] == 1:
		m, per[massDimension] = inGrams, 0
	case per[amountDimension] == 1:
		m, per[amountDimension] = inMoles, 0
	case per[eqDimension] == 1:
		m, per[eqDimension] = inEquivalents, 0
	default:
		return 0, dimensions{}, false
	}
	var volume, time dimensions
	volume[lengthDimension], time[timeDimension] = -3, -1
	return m, per, per == dimensions{} || per == volume || per == time
}
