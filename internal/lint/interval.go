package lint

import (
	"math"
	"strconv"

	"github.com/vigil-cds/vigil/rules"
)

// interval is a stretch of numbers; an end that is open is not part of it.
type interval struct {
	lo, hi         float64
	loOpen, hiOpen bool
}

var anything = interval{lo: math.Inf(-1), hi: math.Inf(1)}

func exactly(x float64) interval { return interval{lo: x, hi: x} }

func (a interval) empty() bool { return a.lo > a.hi || a.lo == a.hi && (a.loOpen || a.hiOpen) }

func (a interval) bounded() bool { return !math.IsInf(a.lo, -1) || !math.IsInf(a.hi, 1) }

func (a interval) meet(b interval) interval {
	out := a
	if b.lo > a.lo || b.lo == a.lo && b.loOpen {
		out.lo, out.loOpen = b.lo, b.loOpen
	}
	if b.hi < a.hi || b.hi == a.hi && b.hiOpen {
		out.hi, out.hiOpen = b.hi, b.hiOpen
	}
	return out
}

// hull is the least interval with both in it, its ends taken as closed.
func (a interval) hull(b interval) interval {
	return interval{lo: math.Min(a.lo, b.lo), hi: math.Max(a.hi, b.hi)}
}

// of makes an interval of the least and the greatest of some numbers.
func of(xs ...float64) interval {
	out := interval{lo: math.Inf(1), hi: math.Inf(-1)}
	for _, x := range xs {
		if math.IsNaN(x) {
			return anything
		}
		out = out.hull(exactly(x))
	}
	return out
}

// String says where a number of the interval lies: "0 or more", "from 0 to 130".
func (a interval) String() string {
	lo, hi := strconv.FormatFloat(a.lo, 'g', 6, 64), strconv.FormatFloat(a.hi, 'g', 6, 64)
	switch {
	case a.lo == a.hi:
		return lo
	case math.IsInf(a.hi, 1):
		return lo + " or more"
	case math.IsInf(a.lo, -1):
		return hi + " or less"
	}
	return "from " + lo + " to " + hi
}

// oldest is the age, in completed years, that nobody is beyond.
const oldest = 130

// numbers is where the value of a numeric expression can lie. It is false for what is not a number.
func numbers(e rules.Expr) (interval, bool) {
	switch e := e.(type) {
	case *rules.Literal:
		return exactly(e.Value.Num), e.Value.Kind == rules.Number
	case *rules.Constant:
		return exactly(e.Value.Num), e.Value.Kind == rules.Number
	case *rules.Score:
		sum := exactly(0)
		for _, item := range e.Items {
			points, _ := numbers(item)
			sum = arithmetic("+", sum, points)
		}
		return sum, true
	case *rules.Points:
		out := of(0, e.Number)
		for i, b := range e.Bands {
			if i == 0 {
				out = exactly(b.Points)
			}
			out = out.hull(exactly(b.Points))
		}
		if e.When != nil {
			out = out.hull(exactly(0))
		}
		if e.Unknown.Kind == rules.Number {
			out = out.hull(exactly(e.Unknown.Num))
		}
		return out, true
	case *rules.TermRef:
		return domain(e.Term), true
	case *rules.Dates:
		switch e.Func {
		case rules.AgeAt:
			return interval{lo: 0, hi: oldest}, true
		case rules.AgeMonthsAt:
			return interval{lo: 0, hi: oldest*12 + 11}, true
		}
	case *rules.Unary:
		x, ok := numbers(e.X)
		return interval{lo: -x.hi, hi: -x.lo}, ok && e.Op == "-"
	case *rules.Conditional:
		x, okX := numbers(e.Then)
		y, okY := numbers(e.Else)
		return x.hull(y), okX && okY
	case *rules.Binary:
		x, okX := numbers(e.X)
		y, okY := numbers(e.Y)
		return arithmetic(e.Op, x, y), okX && okY
	}
	return anything, true
}

func arithmetic(op string, x, y interval) interval {
	switch op {
	case "+":
		return of(x.lo+y.lo, x.hi+y.hi)
	case "-":
		return of(x.lo-y.hi, x.hi-y.lo)
	case "*":
		return of(x.lo*y.lo, x.lo*y.hi, x.hi*y.lo, x.hi*y.hi)
	case "/":
		if y.lo > 0 || y.hi < 0 {
			return of(x.lo/y.lo, x.lo/y.hi, x.hi/y.lo, x.hi/y.hi)
		}
	case "??":
		return x.hull(y)
	}
	return anything
}

// domain is where a term's number can lie.
func domain(t *rules.Term) interval {
	switch t.Op {
	case rules.Count:
		return interval{lo: 0, hi: math.Inf(1)}
	case rules.Age:
		return interval{lo: 0, hi: oldest}
	case rules.AgeMonths:
		return interval{lo: 0, hi: oldest*12 + 11}
	case rules.HoursSinceStart, rules.HoursSinceEnd:
		return interval{lo: 0, hi: math.Inf(1)}
	case rules.HoursSince:
		return elapsed(t.Window, 3_600_000)
	case rules.DaysSince:
		return elapsed(t.Window, 86_400_000)
	}
	return anything
}

// elapsed is how long ago a fact of the window can be, in units of so many milliseconds.
func elapsed(w rules.Window, unit float64) interval {
	if w.During || w.Ahead() {
		return anything // asked at a fact's time, of what may come after it
	}
	const day = 86_400_000
	switch longest := 25 * 3_600_000 / unit; w.Day { // where clocks are put back
	case rules.Today:
		return interval{lo: 0, hi: longest}
	case rules.Yesterday:
		return interval{lo: 0, hi: 2 * longest}
	case rules.LastDay:
		return interval{lo: 0, hi: math.Inf(1)}
	}
	out := interval{lo: (float64(w.To.Months)*28*day + float64(w.To.Millis)) / unit, hi: math.Inf(1)}
	if !w.All {
		out.hi = (float64(w.From.Months)*31*day + float64(w.From.Millis)) / unit
	}
	return out
}
