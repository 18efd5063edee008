package explain

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/vigil-cds/vigil/rules"
)

// tick is the step between two numbers as they are stated.
func (l *line) tick() float64 { return math.Pow10(-l.digits) }

// mostCritical is how many of the numbers are taken that the rule and the facts speak of.
const mostCritical = 24

// critical is the numbers at which the rule may turn: those that it and the filters of its inputs name where
// they speak of this input, and those that its facts state.
func (l *line) critical() []float64 {
	var xs []float64
	note := func(x float64) {
		if len(xs) < mostCritical && !slices.Contains(xs, x) {
			xs = append(xs, x)
		}
	}
	literals := func(e rules.Expr) {
		walk(e, func(e rules.Expr) {
			switch e := e.(type) {
			case *rules.Literal:
				if exact(e.Value) {
					note(e.Value.Num)
				}
			case *rules.Constant:
				if exact(e.Value) {
					note(e.Value.Num)
				}
			case *rules.Points:
				for _, b := range e.Bands {
					for _, end := range []float64{b.Low, b.High} {
						if e.Of != nil && !math.IsInf(end, 0) {
							note(end)
						}
					}
				}
			}
		})
	}
	if l.known {
		note(l.start)
	}
	l.prepare(l.pattern.Stream)
	for _, spot := range l.spots {
		for _, condition := range spot.input.Where {
			literals(condition)
		}
	}
	for _, condition := range l.conditions() {
		walk(condition, func(e rules.Expr) {
			b, ok := e.(*rules.Binary)
			if !ok || !slices.Contains(comparisons, b.Op) {
				return
			}
			if slices.ContainsFunc(termsOf(b), func(t *rules.Term) bool {
				return slices.ContainsFunc(l.spots, func(x spot) bool { return x.input.ID == t.Input })
			}) {
				literals(b)
			}
		})
	}
	for _, spot := range l.spots {
		for i := len(spot.without) - 1; i >= 0 && len(xs) < mostCritical; i-- {
			if v := spot.without[i].value; v.Kind == rules.Number {
				note(v.Num)
			}
		}
	}
	return xs
}

// spread is the points that are tried, in order: the critical ones, a step to either side of each, midway
// between two, and in doubling and halving steps away from the present number.
func (l *line) spread(critical []float64) []float64 {
	var xs []float64
	sorted := slices.Sorted(slices.Values(critical))
	for i, x := range sorted {
		xs = append(xs, x, x-l.tick(), x+l.tick())
		if i > 0 {
			xs = append(xs, (sorted[i-1]+x)/2)
		}
	}
	start := l.start
	if !l.known && len(sorted) > 0 {
		start = sorted[len(sorted)/2]
	}
	step := max(math.Abs(start)/8, l.tick())
	part := start
	for range 12 {
		part /= 2
		xs = append(xs, start-step, start+step, part)
		step *= 2
	}
	xs = slices.DeleteFunc(xs, func(x float64) bool { return !l.possible(x) })
	slices.Sort(xs)
	return slices.Compact(xs)
}

// lowest is how small a number may be: 0 where nothing speaks of zero or less, and else some way below what
// does.
func (l *line) lowest() float64 {
	least := math.Inf(1)
	for _, spot := range l.spots {
		for _, m := range spot.without {
			if m.value.Kind == rules.Number {
				least = min(least, m.value.Num)
			}
		}
	}
	own := func(e rules.Expr) bool {
		ref, ok := e.(*rules.TermRef)
		if !ok || !slices.ContainsFunc(l.spots, func(x spot) bool { return x.input.ID == ref.Term.Input }) {
			return false
		}
		switch ref.Term.Op {
		case rules.Last, rules.First, rules.Min, rules.Max, rules.Mean, rules.Median, rules.EWMA, rules.Nth:
			return true
		}
		return false
	}
	for _, condition := range l.conditions() {
		walk(condition, func(e rules.Expr) {
			if b, ok := e.(*rules.Binary); ok && slices.Contains(comparisons, b.Op) {
				for _, pair := range [][2]rules.Expr{{b.X, b.Y}, {b.Y, b.X}} {
					if c, ok := pair[1].(*rules.Literal); ok && own(pair[0]) && c.Value.Kind == rules.Number {
						least = min(least, c.Value.Num)
					}
				}
			}
		})
	}
	if least > 0 {
		return 0
	}
	return 2*least - 1
}

// possible says whether the input's numbers may be as small as x. Zero and less are taken for impossible
// unless a fact states such a number, or the rule compares the input's own with one.
func (l *line) possible(x float64) bool { return x > 0 || x >= l.least && l.least < 0 }

// digits is how many digits after the point a number has; of one that was worked out, as many as four
// significant digits need.
func digits(x float64) int {
	const most = 6
	text := strconv.FormatFloat(x, 'g', 4, 64)
	rounded, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return 0
	}
	text = strconv.FormatFloat(rounded, 'f', -1, 64)
	_, fraction, _ := strings.Cut(text, ".")
	return min(most, len(fraction))
}
