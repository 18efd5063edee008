package explain

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/vigil-cds/vigil/explain/record"
	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/rules"
)

// line is the numbers that a fact of one input could state now, on which the search goes up and down.
type line struct {
	*search
	input   *rules.Input
	pattern clinical.Fact
	present float64 // the number stated last
	known   bool    // whether there is one
	digits  int     // after the point, as fine as numbers are stated
	points  []float64
}

// number is the number nearest to the present one that, stated now, makes the rule true.
func (s *search) number(in *rules.Input) (remedy, bool) {
	l := s.line(in)
	x, ok := l.nearest()
	if !ok {
		return remedy{}, false
	}
	return remedy{Kind: record.Add, Input: in, Value: rules.NumberOf(x), Text: l.worded(x), added: l.fact(x), move: l.distance(x)}, true
}

func (s *search) line(in *rules.Input) *line {
	l := &line{search: s, input: in, pattern: s.pattern(in)}
	if v, ok := s.valueIn(in, l.pattern, l.pattern.Detail); ok && v.Kind == rules.Number && s.last(in) != nil {
		l.present, l.known = v.Num, true
	}
	critical := l.critical()
	for _, x := range critical {
		l.digits = max(l.digits, digits(x))
	}
	l.points = l.spread(critical)
	return l
}

// fact is the pattern with a number.
func (l *line) fact(x float64) clinical.Fact { return l.stating(l.input, l.pattern, x) }

// try says whether the number, stated now, belongs to the input and makes the rule true.
func (l *line) try(x float64) bool {
	f := l.fact(x)
	_, belongs := l.belongs(l.input, f)
	return belongs && l.holds(f)
}

// distance is how far a number lies from the present one, as a part of that.
func (l *line) distance(x float64) float64 {
	if !l.known {
		return math.Inf(1)
	}
	return math.Abs(x-l.present) / max(math.Abs(l.present), l.tick())
}

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
			if c, ok := e.(*rules.Literal); ok && exact(c.Value) {
				note(c.Value.Num)
			}
		})
	}
	if l.known {
		note(l.present)
	}
	l.prepare(l.pattern.Stream)
	for _, spot := range l.spots {
		for _, condition := range spot.input.Where {
			literals(condition)
		}
	}
	walk(l.rule.When, func(e rules.Expr) {
		b, ok := e.(*rules.Binary)
		if !ok || !slices.Contains([]string{"==", "!=", "<", "<=", ">", ">="}, b.Op) {
			return
		}
		if slices.ContainsFunc(termsOf(b), func(t *rules.Term) bool {
			return slices.ContainsFunc(l.spots, func(x spot) bool { return x.input.ID == t.Input })
		}) {
			literals(b)
		}
	})
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
// between two, and in doubling steps away from the present number. They are negative only where numbers of
// the input are known to be.
func (l *line) spread(critical []float64) []float64 {
	var xs []float64
	sorted := slices.Sorted(slices.Values(critical))
	for i, x := range sorted {
		xs = append(xs, x, x-l.tick(), x+l.tick())
		if i > 0 {
			xs = append(xs, (sorted[i-1]+x)/2)
		}
	}
	start := l.present
	if !l.known && len(sorted) > 0 {
		start = sorted[len(sorted)/2]
	}
	step := max(math.Abs(start)/8, l.tick())
	for range 12 {
		xs = append(xs, start-step, start+step)
		step *= 2
	}
	least := 0.0
	if len(sorted) > 0 {
		least = min(least, sorted[0]*2)
	}
	xs = slices.DeleteFunc(xs, func(x float64) bool { return x < least })
	slices.Sort(xs)
	return slices.Compact(xs)
}

// nearest tries the points outwards from the present number, or where there is none from the critical
// ones, and narrows down on the first that makes the rule true.
func (l *line) nearest() (float64, bool) {
	start := l.present
	if !l.known {
		return l.anyOf()
	}
	if l.try(start) {
		return start, true
	}
	up, _ := slices.BinarySearch(l.points, math.Nextafter(start, math.Inf(1)))
	down := up - 1
	for down >= 0 && l.points[down] >= start {
		down--
	}
	below, above := start, start // tried last to either side, in vain
	for down >= 0 || up < len(l.points) {
		goUp := down < 0 || up < len(l.points) && l.points[up]-start <= start-l.points[down]
		var x, last float64
		if goUp {
			x, last, above, up = l.points[up], above, l.points[up], up+1
		} else {
			x, last, below, down = l.points[down], below, l.points[down], down-1
		}
		if !l.try(x) {
			continue
		}
		found := l.narrow(last, x)
		// On the other side the rule may turn a little nearer, between the last point and the next.
		other, last := start, start
		if goUp && down >= 0 {
			other, last = l.points[down], below
		} else if !goUp && up < len(l.points) {
			other, last = l.points[up], above
		}
		if other != start && l.try(other) {
			if y := l.narrow(last, other); l.distance(y) < l.distance(found) {
				found = y
			}
		}
		return found, true
	}
	return 0, false
}

// anyOf is a number that makes the rule true, where none is known to go out from: the least of those that
// do where smaller ones do not, or else the greatest up to where greater ones do not.
func (l *line) anyOf() (float64, bool) {
	first := slices.IndexFunc(l.points, l.try)
	if first < 0 {
		return 0, false
	}
	if first > 0 {
		return l.narrow(l.points[first-1], l.points[first]), true
	}
	if end := slices.IndexFunc(l.points, func(x float64) bool { return !l.try(x) }); end > 0 {
		return l.narrow(l.points[end], l.points[end-1]), true
	}
	return l.points[len(l.points)/2], true
}

// narrow is the number nearest to the first of two that still does what the second does and the first does
// not, in as few digits as numbers are stated in, or as many more as it takes.
func (l *line) narrow(vain, does float64) float64 {
	const most = 9
	for digits := l.digits; digits <= most; digits++ {
		scale := math.Pow10(digits)
		at := func(tick float64) float64 { return decimal(tick/scale, digits) }
		// Ticks are counted outwards, so that the search is the same in both directions.
		sign := 1.0
		if does < vain {
			sign = -1
		}
		near, far := math.Floor(sign*vain*scale+1e-6), math.Floor(sign*does*scale+1e-6)
		if far <= near || !l.try(at(sign*far)) {
			if far++; !l.try(at(sign * far)) {
				continue
			}
		}
		for far-near > 1 {
			if middle := math.Floor((near + far) / 2); l.try(at(sign * middle)) {
				far = middle
			} else {
				near = middle
			}
		}
		return at(sign * far)
	}
	return does
}

// decimal is the number that is written with so many digits after the point.
func decimal(x float64, digits int) float64 {
	y, err := strconv.ParseFloat(strconv.FormatFloat(x, 'f', digits, 64), 64)
	if err != nil {
		return x
	}
	if y == 0 {
		return 0 // never a negative one
	}
	return y
}

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

// worded says which numbers do: "a creatinine of 1.8 mg/dL or more now" where all points above the number do
// as well, "a creatinine now" where any number does.
func (l *line) worded(x float64) string {
	all := func(beyond func(p float64) bool) bool {
		return !slices.ContainsFunc(l.points, func(p float64) bool { return beyond(p) && !l.try(p) })
	}
	more := (!l.known || x >= l.present) && all(func(p float64) bool { return p > x })
	less := (!l.known || x <= l.present) && all(func(p float64) bool { return p < x })
	number := " of " + amount(rules.NumberOf(x), l.input.Unit)
	switch {
	case more && less:
		number = ""
	case more:
		number += " or more"
	case less:
		number += " or less"
	}
	return one(l.input) + number + " now"
}
