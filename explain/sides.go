package explain

import (
	"math"
	"slices"

	"github.com/vigil-cds/vigil/rules"
)

var comparisons = []string{"==", "!=", "<", "<=", ">", ">="}

// sides is a comparison's two sides as they come out at now; nil for any other expression.
func (m *misser) sides(e rules.Expr) *sides {
	b, ok := e.(*rules.Binary)
	if !ok || !slices.Contains(comparisons, b.Op) {
		return nil
	}
	s := &sides{Left: m.expr(b.X, m.now), Op: b.Op, Right: m.expr(b.Y, m.now)}
	if exact(s.Left) && exact(s.Right) {
		distance := math.Abs(s.Left.Num - s.Right.Num)
		s.Distance = &distance
		if s.Right.Num != 0 {
			relative := distance / math.Abs(s.Right.Num)
			s.Relative = &relative
		}
	}
	s.Unit = m.measure(b.X).with(m.measure(b.Y)).unit
	return s
}

// measure is what unit a number is in. A bare number takes the unit of what it stands beside.
type measure struct {
	unit string
	bare bool
}

// with is the unit of two numbers that are compared or added up: none when they differ.
func (x measure) with(y measure) measure {
	switch {
	case x.bare:
		return y
	case y.bare || x == y:
		return x
	}
	return measure{}
}

func (r *reading) measure(e rules.Expr) measure {
	switch e := e.(type) {
	case *rules.Literal:
		return measure{bare: true}
	case *rules.Constant:
		if e.Parameter != nil && e.Parameter.Unit != "" {
			return measure{unit: e.Parameter.Unit}
		}
		return measure{bare: true}
	case *rules.TermRef:
		return r.measureOfTerm(e.Term)
	case *rules.Unary:
		return r.measure(e.X)
	case *rules.Dates:
		switch e.Func {
		case rules.AgeAt:
			return measure{unit: "a"}
		case rules.AgeMonthsAt:
			return measure{unit: "mo"}
		}
	case *rules.Conditional:
		return r.measure(e.Then).with(r.measure(e.Else))
	case *rules.Binary:
		x, y := r.measure(e.X), r.measure(e.Y)
		switch e.Op {
		case "+", "-", "??":
			return x.with(y)
		case "*":
			if x.bare || y.bare {
				return x.with(y)
			}
		case "/":
			if y.bare {
				return x
			}
		}
	}
	return measure{}
}

func (r *reading) measureOfTerm(t *rules.Term) measure {
	switch t.Op {
	case rules.Last, rules.First, rules.Min, rules.Max, rules.Sum, rules.Mean, rules.Delta,
		rules.Median, rules.StdDev, rules.Rise, rules.Fall, rules.EWMA, rules.Nth:
		return measure{unit: r.program.Inputs[t.Input].Unit}
	case rules.HoursSince, rules.HoursSinceStart, rules.HoursSinceEnd, rules.DurationAbove, rules.DurationBelow, rules.MaxGap:
		return measure{unit: "h"}
	case rules.DaysSince:
		return measure{unit: "d"}
	case rules.Age:
		return measure{unit: "a"}
	case rules.AgeMonths:
		return measure{unit: "mo"}
	}
	return measure{}
}
