package explain

import (
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/rules"
)

// statistic is the answer to a term that looks at each value of its window.
func (r *reading) statistic(t *rules.Term, facts []member) rules.Value {
	switch t.Op {
	case rules.Distinct:
		return rules.NumberOf(float64(different(r.program.Inputs[t.Input], facts)))
	case rules.MaxGap:
		return longestGap(dated(facts))
	}
	stated := slices.DeleteFunc(slices.Clone(facts), func(m member) bool { return !hasValue(m) })
	switch t.Op {
	case rules.Nth:
		return place(stated, int(t.Arg.Number))
	case rules.DurationAbove:
		return standing(dated(stated), t.Arg, ">")
	case rules.DurationBelow:
		return standing(dated(stated), t.Arg, "<")
	case rules.Slope, rules.EWMA:
		stated = dated(stated)
	}
	if _, below, above := comparators(stated); below || above {
		return rules.Value{}
	}
	xs := make([]float64, len(stated))
	for i, m := range stated {
		xs[i] = m.value.Num
	}
	switch t.Op {
	case rules.Median:
		return median(xs)
	case rules.StdDev:
		return deviation(xs)
	case rules.Rise:
		return climb(xs, func(from, to float64) float64 { return to - from })
	case rules.Fall:
		return climb(xs, func(from, to float64) float64 { return from - to })
	case rules.Slope:
		return slope(stated, xs)
	}
	return weighted(stated, xs, t.Arg.Millis)
}

// dated leaves out what has no known time.
func dated(facts []member) []member { return facts[since(facts, clinical.Never+1):] }

// different counts the values of facts that have them, with numbers to twelve significant digits, and
// otherwise the sets of codes.
func different(in *rules.Input, facts []member) int {
	kinds := map[string]bool{}
	for _, m := range facts {
		switch {
		case in.Kind != clinical.KindObservation && in.Kind != clinical.KindReport:
			kinds[m.Fact.Stream.Key()] = true
		case m.value.Kind == rules.Number:
			kinds[fmt.Sprint(m.value.Bound, strconv.FormatFloat(m.value.Num+0, 'e', 11, 64))] = true
		case hasValue(m):
			kinds[m.value.String()] = true
		}
	}
	return len(kinds)
}

// place is the nth value, counted from 1, or backwards from -1.
func place(facts []member, n int) rules.Value {
	switch {
	case n > 0 && n <= len(facts):
		return facts[n-1].value
	case n < 0 && -n <= len(facts):
		return facts[len(facts)+n].value
	}
	return rules.Value{}
}

func longestGap(facts []member) rules.Value {
	if len(facts) < 2 {
		return rules.Value{}
	}
	var gaps []clinical.Instant
	for i := range facts[1:] {
		gaps = append(gaps, facts[i+1].Fact.Time-facts[i].Fact.Time)
	}
	return rules.NumberOf(float64(slices.Max(gaps)) / 3_600_000)
}

// standing is for how many hours values stood beyond a level: each until the next, but no longer than it is
// carried. What stood for no time does not count, nor does the last.
func standing(facts []member, arg rules.Argument, beyond string) rules.Value {
	if len(facts) == 0 {
		return rules.Value{}
	}
	var long clinical.Instant
	for i := range facts[1:] {
		stood := facts[i+1].Fact.Time - facts[i].Fact.Time
		if arg.Millis != 0 && stood > clinical.Instant(arg.Millis) {
			stood = clinical.Instant(arg.Millis)
		}
		truth := rules.CompareValues(beyond, facts[i].value, rules.NumberOf(arg.Number)).Truth()
		if truth == rules.Unknown && stood > 0 {
			return rules.Value{}
		}
		if truth == rules.True {
			long += stood
		}
	}
	return rules.NumberOf(float64(long) / 3_600_000)
}

func median(xs []float64) rules.Value {
	if len(xs) == 0 {
		return rules.Value{}
	}
	slices.Sort(xs)
	if len(xs)%2 == 1 {
		return finite(xs[len(xs)/2])
	}
	return finite((xs[(len(xs)-1)/2] + xs[len(xs)/2]) / 2)
}

func average(xs []float64) float64 {
	sum := 0.0
	for _, x := range xs {
		sum += x
	}
	return sum / float64(len(xs))
}

// deviation is that of a sample: the squares are divided by one fewer than there are.
func deviation(xs []float64) rules.Value {
	if len(xs) < 2 {
		return rules.Value{}
	}
	m, squares := average(xs), 0.0
	for _, x := range xs {
		squares += float64((x - m) * (x - m))
	}
	return finite(math.Sqrt(squares / float64(len(xs)-1)))
}

// climb is the greatest step from any value to any later one, and 0 where every step goes the other way.
func climb(xs []float64, step func(from, to float64) float64) rules.Value {
	if len(xs) < 2 {
		return rules.Value{}
	}
	// From the end backwards the best later value to climb to is known at each step.
	best, top := 0.0, xs[len(xs)-1]
	for i := len(xs) - 2; i >= 0; i-- {
		best = max(best, step(xs[i], top))
		if step(top, xs[i]) > 0 {
			top = xs[i]
		}
	}
	return finite(best)
}

// slope is the least-squares line's, in units a day.
func slope(facts []member, xs []float64) rules.Value {
	if len(facts) == 0 || facts[0].Fact.Time == facts[len(facts)-1].Fact.Time {
		return rules.Value{}
	}
	days := make([]float64, len(facts))
	for i, m := range facts {
		days[i] = float64(m.Fact.Time-facts[0].Fact.Time) / 86_400_000
	}
	centre, mean := average(days), average(xs)
	var products, squares float64
	for i := range days {
		products += float64((days[i] - centre) * (xs[i] - mean))
		squares += float64((days[i] - centre) * (days[i] - centre))
	}
	return finite(products / squares)
}

// weighted is the mean with weights that halve with every half-life before the latest value.
func weighted(facts []member, xs []float64, halfLife int64) rules.Value {
	if len(xs) == 0 {
		return rules.Value{}
	}
	var sum, weights float64
	for i, m := range facts {
		age := float64(facts[len(facts)-1].Fact.Time - m.Fact.Time)
		w := math.Exp2(-age / float64(halfLife))
		sum, weights = sum+float64(w*xs[i]), weights+w
	}
	return finite(sum / weights)
}
