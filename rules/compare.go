package rules

import (
	"cmp"
	"math"

	"github.com/vigil-cds/vigil/internal/clinical"
)

// comparison is one of == != < <= > >=.
type comparison uint8

const (
	notComparison comparison = iota
	equal
	unequal
	less
	lessEqual
	greater
	greaterEqual
)

var comparisonNames = [...]string{"", "==", "!=", "<", "<=", ">", ">="}

func comparisonOf(op string) comparison {
	for i, name := range comparisonNames {
		if i > 0 && name == op {
			return comparison(i)
		}
	}
	return notComparison
}

// mirrored is the comparison that holds of y and x where c holds of x and y.
func (c comparison) mirrored() comparison {
	return [...]comparison{notComparison, equal, unequal, greater, greaterEqual, less, lessEqual}[c]
}

// holds says whether c is true of two things that stand in the given order (-1, 0, 1).
func (c comparison) holds(order int) bool {
	switch c {
	case equal:
		return order == 0
	case unequal:
		return order != 0
	case less:
		return order < 0
	case lessEqual:
		return order <= 0
	case greater:
		return order > 0
	}
	return order >= 0
}

// CompareValues is the one comparison of the language, for the engine and the reference evaluator
// alike: op is one of == != < <= > >=. It yields a Boolean, or missing where a side is missing, the
// kinds differ, a text or boolean is asked for its order, or a bounded number does not tell.
func CompareValues(op string, x, y Value) Value { return compareValues(comparisonOf(op), x, y) }

func compareValues(op comparison, x, y Value) Value {
	if x.Kind != y.Kind || op == notComparison {
		return Value{}
	}
	switch x.Kind {
	case Number:
		if x.Bound != clinical.Exactly || y.Bound != clinical.Exactly {
			return compareBounded(op, x, y)
		}
		return BoolOf(op.holds(Compare(x.Num, y.Num)))
	case Time, Length:
		return BoolOf(op.holds(cmp.Compare(x.Num, y.Num)))
	case Text:
		if op <= unequal {
			return BoolOf((x.Str == y.Str) == (op == equal))
		}
	case Boolean:
		if op <= unequal {
			return BoolOf((x.Num == y.Num) == (op == equal))
		}
	}
	return Value{}
}

// compareBounded compares two numbers of which at least one is a bound.
//
//	"<b" against c | == != <  <= >  >=
//	---------------+------------------
//	 b <= c        | F  T  T  T  F  F
//	 b >  c        | U  U  U  U  U  U
//
// and for ">b" the same seen in a mirror.
func compareBounded(op comparison, x, y Value) Value {
	if x.Bound != clinical.Exactly && y.Bound != clinical.Exactly {
		return Value{}
	}
	if x.Bound == clinical.Exactly {
		x, y, op = y, x, op.mirrored()
	}
	if x.Bound == clinical.Above {
		x.Num, y.Num, op = -x.Num, -y.Num, op.mirrored()
	}
	if Compare(x.Num, y.Num) > 0 {
		return Value{}
	}
	return BoolOf(op.holds(-1))
}

// arithmetic is x op y for + - * /: missing unless both are exact numbers and the result is finite.
func arithmetic(op byte, x, y Value) Value {
	if x.Kind != Number || y.Kind != Number || x.Bound != clinical.Exactly || y.Bound != clinical.Exactly {
		return Value{}
	}
	var z float64
	switch op {
	case '+':
		z = x.Num + y.Num
	case '-':
		z = x.Num - y.Num
	case '*':
		z = x.Num * y.Num
	default:
		if y.Num == 0 {
			return Value{}
		}
		z = x.Num / y.Num
	}
	if math.IsInf(z, 0) || math.IsNaN(z) {
		return Value{}
	}
	return NumberOf(z)
}

// valueOf is a truth as a Value: unknown is missing.
func valueOf(t Truth) Value {
	if t == Unknown {
		return Value{}
	}
	return BoolOf(t == True)
}
