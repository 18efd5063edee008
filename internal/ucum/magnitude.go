package ucum

import (
	"math/big"
	"strconv"
	"strings"
)

// magnitude is the exact positive number coef × 10^ten × π^pi. Keeping powers of
// ten apart spares nearly every clinical unit the arithmetic of big numbers. A
// magnitude shares its coefficient with copies, so nothing writes to coef.
type magnitude struct {
	coef *big.Rat // nil stands for 1
	ten  int
	pi   int
}

func (m magnitude) mul(n magnitude) magnitude {
	out := magnitude{coef: m.coef, ten: m.ten + n.ten, pi: m.pi + n.pi}
	switch {
	case m.coef == nil:
		out.coef = n.coef
	case n.coef != nil:
		out.coef = new(big.Rat).Mul(m.coef, n.coef)
	}
	return out
}

func (m magnitude) inverse() magnitude {
	out := magnitude{ten: -m.ten, pi: -m.pi}
	if m.coef != nil {
		out.coef = new(big.Rat).Inv(m.coef)
	}
	return out
}

func (m magnitude) pow(n int) magnitude {
	if n < 0 {
		return m.inverse().pow(-n)
	}
	out := magnitude{ten: m.ten * n, pi: m.pi * n}
	switch {
	case m.coef == nil || n == 0:
	case n == 1:
		out.coef = m.coef
	default:
		e := big.NewInt(int64(n))
		num := new(big.Int).Exp(m.coef.Num(), e, nil)
		den := new(big.Int).Exp(m.coef.Denom(), e, nil)
		out.coef = new(big.Rat).SetFrac(num, den)
	}
	return out
}

// decades returns the power of ten nearest to m, give or take one.
func (m magnitude) decades() int {
	const log10Of2, log10OfPi = 0.30102999566398120, 0.49714987269413385
	log := float64(m.ten) + float64(m.pi)*log10OfPi
	if m.coef != nil {
		log += float64(m.coef.Num().BitLen()-m.coef.Denom().BitLen()) * log10Of2
	}
	return int(log)
}

// rat returns m as a rational number: exactly when no π is in it, else to
// piPrecision bits.
func (m magnitude) rat() *big.Rat {
	out := new(big.Rat).SetInt64(1)
	if m.coef != nil {
		out.Set(m.coef)
	}
	if m.ten != 0 {
		out.Mul(out, tenTo(m.ten))
	}
	if m.pi != 0 {
		out.Mul(out, piTo(m.pi))
	}
	return out
}

func tenTo(n int) *big.Rat {
	abs := n
	if n < 0 {
		abs = -n
	}
	power := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(abs)), nil)
	if n < 0 {
		return new(big.Rat).SetFrac(big.NewInt(1), power)
	}
	return new(big.Rat).SetInt(power)
}

// piPrecision in bits is what the standard's 64 decimals of π are good for.
const piPrecision = 208

func piTo(n int) *big.Rat {
	pi, _, err := big.ParseFloat(piDecimals, 10, piPrecision, big.ToNearestEven)
	if err != nil {
		panic("ucum: π of the table is no number: " + err.Error())
	}
	power := new(big.Float).SetPrec(piPrecision).SetInt64(1)
	for range max(n, -n) {
		power.Mul(power, pi)
	}
	out, _ := power.Rat(nil)
	if n < 0 {
		out.Inv(out)
	}
	return out
}

// parseMagnitude reads a decimal of the standard's table, such as
// "1.66053906660e-24", exactly. It returns false for anything but a positive
// decimal.
func parseMagnitude(s string) (magnitude, bool) {
	digits, ten := s, 0
	if i := strings.IndexAny(digits, "eE"); i >= 0 {
		n, err := strconv.Atoi(digits[i+1:])
		if err != nil {
			return magnitude{}, false
		}
		digits, ten = digits[:i], n
	}
	if whole, fraction, ok := strings.Cut(digits, "."); ok {
		digits, ten = whole+fraction, ten-len(fraction)
	}
	trimmed := strings.TrimRight(digits, "0")
	ten += len(digits) - len(trimmed)
	n, ok := new(big.Int).SetString(trimmed, 10)
	if !ok || n.Sign() <= 0 {
		return magnitude{}, false
	}
	m := magnitude{ten: ten}
	if n.Cmp(big.NewInt(1)) != 0 {
		m.coef = new(big.Rat).SetInt(n)
	}
	return m, true
}

// integerMagnitude returns the magnitude of a positive integer factor.
func integerMagnitude(n int64) magnitude {
	var m magnitude
	for n%10 == 0 {
		n /= 10
		m.ten++
	}
	if n != 1 {
		m.coef = new(big.Rat).SetInt64(n)
	}
	return m
}
