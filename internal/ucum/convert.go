package ucum

import (
	"fmt"
	"math"
	"math/big"
)

// Conversion turns a number in one unit into the number of another. It is an
// immutable value; the zero Conversion is of no use, [Between] makes them.
type Conversion struct {
	in, mid, out line
	decode       curve // between in and mid
	encode       curve // between mid and out
}

// Between returns the conversion from one unit to another. The error is
// [ErrIncommensurable] when they measure different things, [ErrRange] when their
// ratio is beyond float64.
func Between(from, to Unit) (Conversion, error) {
	if !from.Commensurable(to) {
		return Conversion{}, fmt.Errorf("converting %s to %s: %w", from, to, ErrIncommensurable)
	}
	c := Conversion{in: unchanged, mid: unchanged, out: unchanged}
	ok := true
	switch {
	case from.scale() == nil && to.scale() == nil:
		if from.sameSize(to) {
			break
		}
		c.mid, ok = betweenAffine(from, to)
	case from.scale() != nil && to.scale() != nil && from.special.code == to.special.code:
		c.mid, ok = ratio(from.size, to.size)
	default:
		proper := from
		if from.scale() != nil {
			proper = Unit{quantity: quantity{size: from.special.ref, dims: from.dims}}
			c.decode = from.special.fn.curve
			c.in, ok = ratio(from.size, magnitude{})
		}
		target := to
		if to.scale() != nil {
			target = Unit{quantity: quantity{size: to.special.ref, dims: to.dims}}
			c.encode = to.special.fn.curve
			var fits bool
			c.out, fits = ratio(magnitude{}, to.size)
			ok = ok && fits
		}
		mid, fits := betweenAffine(proper, target)
		c.mid, ok = mid, ok && fits
	}
	if !ok {
		return Conversion{}, fmt.Errorf("converting %s to %s: %w", from, to, ErrRange)
	}
	return c, nil
}

// Apply converts x. It allocates nothing. Where the target scale has no such
// number (the pH of nothing), the result is NaN or infinite.
func (c Conversion) Apply(x float64) float64 {
	if c.decode == straight && c.encode == straight {
		return c.mid.at(x)
	}
	return c.out.at(c.encode.encode(c.mid.at(c.decode.decode(c.in.at(x)))))
}

// Identity reports whether Apply returns every number unchanged.
func (c Conversion) Identity() bool {
	return c == Conversion{in: unchanged, mid: unchanged, out: unchanged}
}

// line is the function (x*mul + add) / div.
type line struct{ mul, add, div float64 }

var unchanged = line{mul: 1, div: 1}

func (l line) at(x float64) float64 {
	// The explicit conversion keeps the product rounded on machines that would
	// fuse it with the sum, so that every machine gives the same number.
	return (float64(x*l.mul) + l.add) / l.div
}

// scale returns the unit's curve, or nil when it is an ordinary or affine unit.
func (u Unit) scale() *special {
	if u.special == nil || u.special.fn.curve == straight {
		return nil
	}
	return u.special
}

// sameSize reports, without arithmetic, that two units are plainly the same: a
// fast path for the commonest conversion, which is none.
func (u Unit) sameSize(v Unit) bool {
	return u.special == v.special && u.size.coef == nil && v.size.coef == nil && u.size == v.size
}

// betweenAffine relates two units of which each is reference × (factor·x +
// offset); an ordinary unit has the reference as its size and no offset.
func betweenAffine(from, to Unit) (line, bool) {
	if from.special == nil && to.special == nil {
		return ratio(from.size, to.size)
	}
	fromFactor, fromOffset, fromRef := from.affine()
	toFactor, toOffset, toRef := to.affine()
	r := fromRef.mul(toRef.inverse()).rat()
	// y = ((fromFactor·x + fromOffset)·r − toOffset) / toFactor
	slope := new(big.Rat).Mul(fromFactor, r)
	slope.Quo(slope, toFactor)
	shift := new(big.Rat).Mul(fromOffset, r)
	shift.Sub(shift, toOffset)
	shift.Quo(shift, toFactor)
	return newLine(slope, shift)
}

func (u Unit) affine() (factor, offset *big.Rat, ref magnitude) {
	if u.special == nil {
		return big.NewRat(1, 1), new(big.Rat), u.size
	}
	return u.size.rat(), u.special.fn.offset, u.special.ref
}

func ratio(from, to magnitude) (line, bool) {
	m := from.mul(to.inverse())
	if m.coef == nil && m.pi == 0 && -exactTens <= m.ten && m.ten <= exactTens {
		if m.ten >= 0 {
			return line{mul: math.Pow10(m.ten), div: 1}, true
		}
		return line{mul: 1, div: math.Pow10(-m.ten)}, true
	}
	return newLine(m.rat(), new(big.Rat))
}

// exactTens is the largest power of ten that float64 holds exactly.
const exactTens = 22

// newLine returns slope·x + shift, over whole numbers when float64 has them
// exactly and over the nearest floats when not. It returns false when the slope
// is beyond float64.
func newLine(slope, shift *big.Rat) (line, bool) {
	gcd := new(big.Int).GCD(nil, nil, slope.Denom(), shift.Denom())
	common := new(big.Int).Mul(slope.Denom(), new(big.Int).Quo(shift.Denom(), gcd))
	whole := new(big.Rat).SetInt(common)
	mul, mulExact := new(big.Rat).Mul(slope, whole).Float64()
	add, addExact := new(big.Rat).Mul(shift, whole).Float64()
	div, divExact := whole.Float64()
	if mulExact && addExact && divExact {
		return line{mul: mul, add: add, div: div}, true
	}
	mul, _ = slope.Float64()
	add, _ = shift.Float64()
	usable := mul != 0 && !math.IsInf(mul, 0) && !math.IsInf(add, 0)
	return line{mul: mul, add: add, div: 1}, usable
}
