package render

import (
	"math"
	"strconv"

	"github.com/vigil-cds/vigil/explain/record"
	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/rules"
)

// figure is a number as rules.Value shows it.
func figure(x float64) string { return rules.NumberOf(x).String() }

// rounded is a number that was worked out, with three significant digits, or more where it takes more to
// tell it from what it is compared with.
func rounded(x float64, against ...float64) string { return toDigits(x, 3, against) }

// times is a ratio, with two significant digits or as many more as it takes.
func times(x float64, against ...float64) string { return toDigits(x, 2, against) }

func toDigits(x float64, digits int, against []float64) string {
	const all = 12
	if size := math.Abs(x); size >= 1 {
		digits = max(digits, int(math.Log10(size))+1)
	}
	for ; digits < all; digits++ {
		short, err := strconv.ParseFloat(strconv.FormatFloat(x, 'e', digits-1, 64), 64)
		if err == nil && sameSide(short, x, against) {
			return figure(short)
		}
	}
	return figure(x)
}

func sameSide(short, x float64, against []float64) bool {
	for _, a := range against {
		if rules.Compare(short, a) != rules.Compare(x, a) {
			return false
		}
	}
	return true
}

// isNumber says that a value is a number, with or without a bound.
func isNumber(v record.Value) bool { return v.Kind == rules.Number }

// isExact says that a value is a number without a bound.
func isExact(v record.Value) bool { return v.Kind == rules.Number && v.Bound == clinical.Exactly }

// stated is a value as a fact states it, with its unit.
func (c calendar) stated(v record.Value, code string) string {
	switch v.Kind {
	case rules.Number:
		return with(v.String(), code)
	case rules.Time:
		return c.exactly(instantOf(v))
	}
	return plain(v.String())
}

// instantOf is the instant of a time value, which a double holds exactly within any calendar.
func instantOf(v record.Value) record.Instant {
	if v.Num >= math.MaxInt64 {
		return record.Ongoing
	}
	return record.Instant(v.Num)
}
