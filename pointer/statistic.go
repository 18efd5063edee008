package pointer

import (
	"math"
	"slices"
	"strconv"

	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/rules"
)

// reading is one fact of a window: its time and value.
type reading struct {
	at    clinical.Instant
	value rules.Value
}

// statistic is the terms that look at every value of their window. Each may change whenever a fact enters
// or leaves.
func (q *question) statistic() (rules.Value, clinical.Instant) {
	op := q.term.Op
	everyFact := op == rules.MaxGap || op == rules.Distinct && !q.facts.ofValues()
	var seen []reading
	codes := map[string]struct{}{}
	each := func(e *Entry, v rules.Value) { seen = append(seen, reading{e.Time, v}) }
	whole := func(c *Chunk) {
		for i := range c.Entries {
			seen = append(seen, reading{c.Entries[i].Time, rules.NumberOf(c.Entries[i].Number)})
		}
	}
	switch {
	case op == rules.Distinct && everyFact:
		q.eachOfStreams(func(s *Series, e *Entry) {
			seen = append(seen, reading{at: e.Time})
			codes[s.Stream.Key()] = struct{}{}
		})
	case everyFact:
		q.scanAll(each, whole)
	default:
		q.scan(each, whole)
	}
	until := clinical.Forever
	if len(seen) > 0 {
		until = q.leaves(seen[0].at)
	}
	var w walk
	w.from(&q.facts, q.upper, true)
	next := w.nextValued
	if everyFact {
		next = w.next
	}
	if f, ok := next(); ok {
		until = min(until, q.enters(f.entry.Time))
	}
	switch {
	case op == rules.Nth:
		return nth(seen, int(q.term.Arg.Number)), until
	case op == rules.Distinct && everyFact:
		return rules.NumberOf(float64(len(codes))), until
	case op == rules.Distinct:
		return rules.NumberOf(float64(distinct(seen))), until
	}
	if op == rules.Slope || op == rules.EWMA || op == rules.DurationAbove || op == rules.DurationBelow || op == rules.MaxGap {
		for len(seen) > 0 && seen[0].at == clinical.Never {
			seen = seen[1:]
		}
	}
	switch op {
	case rules.MaxGap:
		return maxGap(seen), until
	case rules.DurationAbove, rules.DurationBelow:
		return duration(op, seen, q.term.Arg), until
	}
	if slices.ContainsFunc(seen, func(r reading) bool { return r.value.Bound != clinical.Exactly }) {
		return rules.Value{}, until
	}
	return calculate(op, seen, q.term.Arg), until
}

// eachOfStreams gives the accepted facts of the window with the series that they lie in; the earliest is
// given first.
func (q *question) eachOfStreams(f func(*Series, *Entry)) {
	var w walk
	w.from(&q.facts, q.lower, false)
	for {
		got, ok := w.next()
		if !ok || got.entry.Time > q.upper {
			return
		}
		f(got.series, got.entry)
	}
}

// ofValues says whether the facts are of a kind that has values.
func (f *facts) ofValues() bool {
	return f.input.Kind == clinical.KindObservation || f.input.Kind == clinical.KindReport
}

func nth(seen []reading, n int) rules.Value {
	i := n - 1
	if n < 0 {
		i = len(seen) + n
	}
	if i < 0 || i >= len(seen) {
		return rules.Value{}
	}
	return seen[i].value
}

// distinct tells numbers apart by twelve significant digits.
func distinct(seen []reading) int {
	kinds := map[rules.Value]struct{}{}
	for _, r := range seen {
		v := r.value
		if v.Kind == rules.Number {
			v.Str, v.Num = strconv.FormatFloat(v.Num+0, 'e', 11, 64), 0
		}
		kinds[v] = struct{}{}
	}
	return len(kinds)
}

func maxGap(seen []reading) rules.Value {
	if len(seen) < 2 {
		return rules.Value{}
	}
	gap := clinical.Instant(0)
	for i := 1; i < len(seen); i++ {
		gap = max(gap, seen[i].at-seen[i-1].at)
	}
	return rules.NumberOf(float64(gap) / 3_600_000)
}

// duration adds up the time for which the values of the window stand beyond a level.
func duration(op rules.Op, seen []reading, arg rules.Argument) rules.Value {
	if len(seen) == 0 {
		return rules.Value{}
	}
	beyond := "<"
	if op == rules.DurationAbove {
		beyond = ">"
	}
	level := rules.NumberOf(arg.Number)
	var total clinical.Instant
	for i := 0; i+1 < len(seen); i++ {
		holds := seen[i+1].at - seen[i].at
		if arg.Millis > 0 {
			holds = min(holds, clinical.Instant(arg.Millis))
		}
		if holds == 0 {
			continue
		}
		switch rules.CompareValues(beyond, seen[i].value, level).Truth() {
		case rules.Unknown:
			return rules.Value{}
		case rules.True:
			total += holds
		}
	}
	return rules.NumberOf(float64(total) / 3_600_000)
}

// calculate works a number out of exact values, in the order that package rules gives. The conversions keep
// products from being fused with sums, which not every processor does.
func calculate(op rules.Op, seen []reading, arg rules.Argument) rules.Value {
	n := len(seen)
	if n == 0 || n < 2 && op != rules.Median && op != rules.EWMA {
		return rules.Value{}
	}
	switch op {
	case rules.Median:
		slices.SortFunc(seen, func(x, y reading) int {
			switch {
			case x.value.Num < y.value.Num:
				return -1
			case x.value.Num > y.value.Num:
				return 1
			}
			return 0
		})
		if n%2 == 1 {
			return finite(seen[n/2].value.Num)
		}
		return finite((seen[n/2-1].value.Num + seen[n/2].value.Num) / 2)
	case rules.StdDev:
		mean, squares := meanOf(seen), 0.0
		for _, r := range seen {
			d := r.value.Num - mean
			squares += float64(d * d)
		}
		return finite(math.Sqrt(squares / float64(n-1)))
	case rules.Rise, rules.Fall:
		sign := 1.0
		if op == rules.Fall {
			sign = -1
		}
		low, climb := sign*seen[0].value.Num, 0.0
		for _, r := range seen[1:] {
			x := sign * r.value.Num
			climb = max(climb, x-low)
			low = min(low, x)
		}
		return finite(climb)
	case rules.EWMA:
		last := seen[n-1].at
		var sum, weights float64
		for _, r := range seen {
			weight := math.Exp2(-float64(last-r.at) / float64(arg.Millis))
			sum += float64(weight * r.value.Num)
			weights += weight
		}
		return finite(sum / weights)
	}
	return slope(seen)
}

func slope(seen []reading) rules.Value {
	if seen[0].at == seen[len(seen)-1].at {
		return rules.Value{}
	}
	days := func(r reading) float64 { return float64(r.at-seen[0].at) / 86_400_000 }
	var middle float64
	for _, r := range seen {
		middle += days(r)
	}
	middle /= float64(len(seen))
	mean := meanOf(seen)
	var both, squares float64
	for _, r := range seen {
		d := days(r) - middle
		both += float64(d * (r.value.Num - mean))
		squares += float64(d * d)
	}
	return finite(both / squares)
}

func meanOf(seen []reading) float64 {
	sum := 0.0
	for _, r := range seen {
		sum += r.value.Num
	}
	return sum / float64(len(seen))
}
