package ucum

import (
	"math"
	"math/big"
)

// special is a unit that a function relates to its reference, a proper unit.
type special struct {
	code string
	ref  magnitude // size of the reference
	fn   function
}

// function tells how a number on a special scale becomes a number of reference
// units. Scales that only move the zero (temperatures) are affine and are folded
// into exact arithmetic; the others decode and encode.
type function struct {
	offset *big.Rat // affine: reference = x + offset; else nil
	curve  curve
}

// curve numbers the functions that are not affine, so that a Conversion holds no
// func values and applying it is a jump.
type curve uint8

const (
	straight   curve = iota
	minusLog10       // reference = 10^-x
	log10            // reference = 10^x
	twiceLog10       // reference = 10^(x/2): levels of amplitudes
	natural          // reference = e^x
	binary           // reference = 2^x
	centesimal       // reference = 100^-x
	millesimal       // reference = 1000^-x
	fiftyMille       // reference = 50000^-x
	tanRadians       // reference = atan(x/100) rad
	tanDegrees       // reference = atan(x/100) deg
	squareRoot       // reference = x²
)

// functions are the functions by the names that the standard's table gives them
// (UCUM §22, tables 5 to 8, and the definitions of the homeopathic potencies).
// Reference and scale meet where the standard says: 0 Cel is 273.15 K, 0 [degF]
// is 459.67 Rankine degrees, 0 [degRe] is 218.52 steps of 5/4 K.
var functions = map[string]function{
	"Cel":         {offset: big.NewRat(27315, 100)},
	"degF":        {offset: big.NewRat(45967, 100)},
	"degRe":       {offset: big.NewRat(21852, 100)},
	"pH":          {curve: minusLog10},
	"hpX":         {curve: minusLog10},
	"hpC":         {curve: centesimal},
	"hpM":         {curve: millesimal},
	"hpQ":         {curve: fiftyMille},
	"lg":          {curve: log10},
	"lgTimes2":    {curve: twiceLog10},
	"ln":          {curve: natural},
	"ld":          {curve: binary},
	"tanTimes100": {curve: tanRadians},
	"100tan":      {curve: tanDegrees},
	"sqrt":        {curve: squareRoot},
}

const degreesPerRadian = 180 / math.Pi

// decode turns a number on the scale into a number of reference units.
func (c curve) decode(x float64) float64 {
	switch c {
	case minusLog10:
		return math.Pow(10, -x)
	case log10:
		return math.Pow(10, x)
	case twiceLog10:
		return math.Pow(10, x/2)
	case natural:
		return math.Exp(x)
	case binary:
		return math.Exp2(x)
	case centesimal:
		return math.Pow(100, -x)
	case millesimal:
		return math.Pow(1000, -x)
	case fiftyMille:
		return math.Pow(50000, -x)
	case tanRadians:
		return math.Atan(x / 100)
	case tanDegrees:
		return math.Atan(x/100) * degreesPerRadian
	case squareRoot:
		return x * x
	}
	return x
}

// encode is the inverse of decode. It is NaN where the scale has no number, such
// as the pH of a negative concentration.
func (c curve) encode(y float64) float64 {
	switch c {
	case minusLog10:
		return -math.Log10(y)
	case log10:
		return math.Log10(y)
	case twiceLog10:
		return 2 * math.Log10(y)
	case natural:
		return math.Log(y)
	case binary:
		return math.Log2(y)
	case centesimal:
		return -math.Log10(y) / 2
	case millesimal:
		return -math.Log10(y) / 3
	case fiftyMille:
		return -math.Log(y) / math.Log(50000)
	case tanRadians:
		return 100 * math.Tan(y)
	case tanDegrees:
		return 100 * math.Tan(y/degreesPerRadian)
	case squareRoot:
		return math.Sqrt(y)
	}
	return y
}
