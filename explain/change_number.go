package explain

import (
	"math"
	"slices"
	"strconv"

	"github.com/vigil-cds/vigil/explain/record"
	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/rules"
)

// line is the numbers that a fact of one input could state now, on which the search goes up and down.
type line struct {
	*search
	input   *rules.Input
	pattern clinical.Fact
	start   float64 // the number stated last
	known   bool    // whether there is one
	digits  int     // after the point, as fine as numbers are stated
	least   float64 // if below zero, numbers down to it may be
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
	l.start, l.known = s.present(in)
	critical := l.critical()
	for _, x := range critical {
		l.digits = max(l.digits, digits(x))
	}
	l.least = l.lowest()
	l.points = l.spread(critical)
	return l
}

// fact is the pattern with a number.
func (l *line) fact(x float64) clinical.Fact { return l.stating(l.input, l.pattern, x) }

// try says whether the number, stated now, belongs to the input and makes the rule true.
func (l *line) try(x float64) bool {
	if !l.possible(x) {
		return false
	}
	f := l.fact(x)
	_, belongs := l.would(l.input, f)
	return belongs && l.holds(f)
}

// distance is how far a number lies from the present one, as a part of that.
func (l *line) distance(x float64) float64 {
	if !l.known {
		return math.Inf(1)
	}
	return math.Abs(x-l.start) / max(math.Abs(l.start), l.tick())
}

// nearest tries the points outwards from the present number, or where there is none from the critical
// ones, and narrows down on the first that makes the rule true.
func (l *line) nearest() (float64, bool) {
	start := l.start
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

// worded says which numbers do: "a creatinine of 1.8 mg/dL or more now" where all points above the number do
// as well, "a creatinine now" where any number does.
func (l *line) worded(x float64) string {
	all := func(beyond func(p float64) bool) bool {
		some := slices.ContainsFunc(l.points, beyond)
		return some && !slices.ContainsFunc(l.points, func(p float64) bool { return beyond(p) && !l.try(p) })
	}
	more := (!l.known || x >= l.start) && all(func(p float64) bool { return p > x })
	less := (!l.known || x <= l.start) && all(func(p float64) bool { return p < x })
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
