package rules

import (
	"math"

	"github.com/vigil-cds/vigil/internal/clinical"
)

// ValueKind says what a Value is.
type ValueKind uint8

const (
	Missing ValueKind = iota // no data, or unknown: the zero Value
	Number
	Boolean
	Text
	Time   // an instant; compared exactly, to the millisecond
	Length // a length of time, in `where` only; compared exactly, to the millisecond
)

// Value is what a term or an expression yields. The zero Value is missing. It is small and copied freely.
type Value struct {
	Kind  ValueKind
	Bound clinical.Comparator // Number only: the true value lies Below or Above Num, as in a result "<5"
	Num   float64             // Number; Boolean as 0 or 1; Time as milliseconds since 1970; Length in milliseconds
	Str   string              // Text
}

// NumberOf, BoolOf, TextOf and TimeOf build values.
func NumberOf(x float64) Value { return Value{Kind: Number, Num: x} }

// BoolOf builds a Boolean.
func BoolOf(b bool) Value {
	if b {
		return Value{Kind: Boolean, Num: 1}
	}
	return Value{Kind: Boolean}
}

// TextOf builds a Text.
func TextOf(s string) Value { return Value{Kind: Text, Str: s} }

// LengthOf builds a Length of so many milliseconds.
func LengthOf(millis int64) Value { return Value{Kind: Length, Num: float64(millis)} }

// TimeOf builds a Time.
func TimeOf(t clinical.Instant) Value { return Value{Kind: Time, Num: float64(t)} }

// Truth reads a Boolean; anything else is Unknown.
func (v Value) Truth() Truth {
	switch {
	case v.Kind != Boolean:
		return Unknown
	case v.Num != 0:
		return True
	}
	return False
}

// tolerance is how near two numbers must be, relative to the larger, to count as equal: clinical
// numbers are decimals, and 1.2 - 0.9 >= 0.3 must hold though binary floating point says otherwise.
const tolerance = 1e-9

// Compare orders two numbers as clinical decimals: -1, 0 or +1, where numbers within one part in 10⁹
// of each other are equal. It is the one comparison of numbers in the engine and in the reference
// evaluator alike.
func Compare(x, y float64) int {
	if d := math.Abs(x - y); d <= tolerance*max(math.Abs(x), math.Abs(y)) {
		return 0
	}
	if x < y {
		return -1
	}
	return 1
}
