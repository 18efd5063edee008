package explain

import (
	"fmt"
	"iter"
	"math"
	"sort"

	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/rules"
)

// term is the term's answer at now.
func (r *reading) term(t *rules.Term, now clinical.Instant) rules.Value {
	if t.Each != 0 {
		return r.inPeriod(t, now)
	}
	switch {
	case t.Op.OfPatient():
		return r.patient(t.Op, now)
	case t.Op == rules.Active:
		return rules.BoolOf(len(r.holding(t, now)) > 0)
	}
	return r.answer(t, r.window(t, now), now)
}

// answer is the term's answer over these facts, as of now.
func (r *reading) answer(t *rules.Term, facts []member, now clinical.Instant) rules.Value {
	switch t.Op {
	case rules.Exists:
		return rules.BoolOf(len(facts) > 0)
	case rules.Count:
		return rules.NumberOf(float64(len(facts)))
	case rules.LastTime, rules.FirstTime, rules.HoursSince, rules.DaysSince:
		return times(t.Op, facts, now)
	case rules.Last, rules.First:
		return ends(t.Op, facts)
	case rules.Min:
		return least(facts)
	case rules.Max:
		return greatest(facts)
	case rules.Sum, rules.Mean, rules.Delta:
		return total(t.Op, facts)
	}
	if t.Op >= rules.Median && t.Op <= rules.MaxGap {
		return r.statistic(t, facts)
	}
	panic(fmt.Sprintf("explain: unknown term %q", t.Source))
}

// window is the facts that the term sees at now, in order of time. With no window they are those with
// time <= now, with one those between its two ends; both ends are inside. A fact after now is not seen.
func (r *reading) window(t *rules.Term, now clinical.Instant) []member {
	earliest, latest := r.bounds(t, now)
	return between(r.input(t.Input), earliest, latest)
}

// bounds are the two ends of a term's window at now, both inside. One that is about a period may lie wholly after
// now, and then nothing is seen.
func (r *reading) bounds(t *rules.Term, now clinical.Instant) (earliest, latest clinical.Instant) {
	switch w := t.Window; {
	case t.Each != 0:
		earliest, latest = r.limits(t, now)
		return earliest, min(latest, now)
	case w.All:
		return clinical.Never, now
	case w.Day != rules.NoDay:
		return r.dayBounds(t, now)
	default:
		return ago(w.From, now, r.program.Zone), ago(w.To, now, r.program.Zone)
	}
}

// between is the facts with earliest <= time <= latest. They lie together, since all are in order of time.
func between(facts []member, earliest, latest clinical.Instant) []member {
	if latest < earliest {
		return nil
	}
	facts = facts[since(facts, earliest):]
	return facts[:sort.Search(len(facts), func(i int) bool { return facts[i].Fact.Time > latest })]
}

// since is how many of the facts are before the instant t.
func since(facts []member, t clinical.Instant) int {
	return sort.Search(len(facts), func(i int) bool { return facts[i].Fact.Time >= t })
}

// holding is the facts that hold now, or that held at some instant of the term's window.
func (r *reading) holding(t *rules.Term, now clinical.Instant) []member {
	if t.Each != 0 {
		return r.heldIn(t, now)
	}
	earliest, latest := r.bounds(t, now)
	if t.Window.All {
		earliest = now
	}
	return meeting(r.input(t.Input), earliest, latest)
}

// meeting is the facts whose period shares an instant with that from earliest to latest.
func meeting(facts []member, earliest, latest clinical.Instant) []member {
	var met []member
	for _, m := range facts {
		if m.Fact.Time <= latest && m.Fact.End >= earliest {
			met = append(met, m)
		}
	}
	return met
}

// times answers about when the facts were, whether or not they carry a value.
func times(op rules.Op, facts []member, now clinical.Instant) rules.Value {
	if len(facts) == 0 {
		return rules.Value{}
	}
	first, last := facts[0].Fact.Time, facts[len(facts)-1].Fact.Time
	switch op {
	case rules.FirstTime:
		return rules.TimeOf(first)
	case rules.LastTime:
		return rules.TimeOf(last)
	case rules.HoursSince:
		return rules.NumberOf(float64(now-last) / 3_600_000)
	}
	return rules.NumberOf(float64(now-last) / 86_400_000)
}

// valued goes through those facts that carry a value, in order of time.
func valued(facts []member) iter.Seq[rules.Value] {
	return func(yield func(rules.Value) bool) {
		for i := range facts {
			if facts[i].value.Kind != rules.Missing && !yield(facts[i].value) {
				return
			}
		}
	}
}

// ends is the first or the last value, with its comparator.
func ends(op rules.Op, facts []member) rules.Value {
	if op == rules.First {
		for v := range valued(facts) {
			return v
		}
	}
	for i := len(facts) - 1; i >= 0; i-- {
		if facts[i].value.Kind != rules.Missing {
			return facts[i].value
		}
	}
	return rules.Value{}
}

// comparators says how many of the facts carry a value, and which comparators those do.
func comparators(facts []member) (n int, below, above bool) {
	for v := range valued(facts) {
		n++
		below = below || v.Bound == clinical.Below
		above = above || v.Bound == clinical.Above
	}
	return n, below, above
}

// greatest is the greatest number stated: Above when any value is Above, else Below if a value with
// that number is; missing with both.
func greatest(facts []member) rules.Value {
	n, below, above := comparators(facts)
	if n == 0 || below && above {
		return rules.Value{}
	}
	most := rules.NumberOf(math.Inf(-1))
	for v := range valued(facts) {
		most.Num = max(most.Num, v.Num)
	}
	for v := range valued(facts) {
		if v.Bound == clinical.Above || v.Bound == clinical.Below && v.Num == most.Num {
			most.Bound = v.Bound
		}
	}
	return most
}

// least is the least number stated: Below when any value is Below, else Above if a value with that
// number is; missing with both.
func least(facts []member) rules.Value {
	n, below, above := comparators(facts)
	if n == 0 || below && above {
		return rules.Value{}
	}
	fewest := rules.NumberOf(math.Inf(1))
	for v := range valued(facts) {
		fewest.Num = min(fewest.Num, v.Num)
	}
	for v := range valued(facts) {
		if v.Bound == clinical.Below || v.Bound == clinical.Above && v.Num == fewest.Num {
			fewest.Bound = v.Bound
		}
	}
	return fewest
}

// total is sum, mean or delta: missing as soon as one value carries a comparator.
func total(op rules.Op, facts []member) rules.Value {
	n, below, above := comparators(facts)
	if below || above {
		return rules.Value{}
	}
	if op == rules.Delta {
		if n < 2 {
			return rules.Value{}
		}
		return finite(ends(rules.Last, facts).Num - ends(rules.First, facts).Num)
	}
	sum := 0.0
	for v := range valued(facts) {
		sum += v.Num
	}
	switch {
	case op == rules.Sum:
		return finite(sum)
	case n > 0:
		return finite(sum / float64(n))
	}
	return rules.Value{}
}
