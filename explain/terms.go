package explain

import (
	"fmt"

	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/rules"
)

// term is the term's answer at now.
func (r *reading) term(t *rules.Term, now clinical.Instant) rules.Value {
	switch t.Op {
	case rules.Age, rules.AgeMonths, rules.Sex, rules.Deceased:
		return r.patient(t.Op, now)
	case rules.Active:
		return rules.BoolOf(active(r.input(t.Input), now))
	}
	facts := r.window(t, now)
	switch t.Op {
	case rules.Exists:
		return rules.BoolOf(len(facts) > 0)
	case rules.Count:
		return rules.NumberOf(float64(len(facts)))
	case rules.LastTime, rules.FirstTime, rules.HoursSince, rules.DaysSince:
		return times(t.Op, facts, now)
	}
	values := valuesOf(facts)
	switch t.Op {
	case rules.Last, rules.First:
		return ends(t.Op, values)
	case rules.Min:
		return least(values)
	case rules.Max:
		return greatest(values)
	case rules.Sum, rules.Mean, rules.Delta:
		return total(t.Op, values)
	}
	panic(fmt.Sprintf("explain: unknown term %q", t.Source))
}

// window is the facts that the term sees at now, in order of time. With no window they are those with
// time <= now, with one those between its two ends; both ends are inside. A fact after now is not seen.
func (r *reading) window(t *rules.Term, now clinical.Instant) []member {
	earliest, latest := clinical.Never, now
	if !t.Window.All {
		earliest = ago(t.Window.From, now, r.program.Zone)
		latest = ago(t.Window.To, now, r.program.Zone)
	}
	var seen []member
	for _, m := range r.input(t.Input) {
		if earliest <= m.Fact.Time && m.Fact.Time <= latest {
			seen = append(seen, m)
		}
	}
	return seen
}

// active says whether some fact has begun and not ended.
func active(facts []member, now clinical.Instant) bool {
	for _, m := range facts {
		if m.Fact.Time <= now && now <= m.Fact.End {
			return true
		}
	}
	return false
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

// valuesOf is the values of those facts that carry one, in order of time.
func valuesOf(facts []member) []rules.Value {
	var values []rules.Value
	for _, m := range facts {
		if m.value.Kind != rules.Missing {
			values = append(values, m.value)
		}
	}
	return values
}

// ends is the first or the last value, with its comparator.
func ends(op rules.Op, values []rules.Value) rules.Value {
	switch {
	case len(values) == 0:
		return rules.Value{}
	case op == rules.First:
		return values[0]
	}
	return values[len(values)-1]
}

// bounds says which comparators the values carry.
func bounds(values []rules.Value) (below, above bool) {
	for _, v := range values {
		below = below || v.Bound == clinical.Below
		above = above || v.Bound == clinical.Above
	}
	return below, above
}

// greatest is the greatest number stated: Above when any value is Above, else Below if a value with
// that number is; missing with both.
func greatest(values []rules.Value) rules.Value {
	below, above := bounds(values)
	if len(values) == 0 || below && above {
		return rules.Value{}
	}
	most := rules.NumberOf(values[0].Num)
	for _, v := range values {
		most.Num = max(most.Num, v.Num)
	}
	for _, v := range values {
		if v.Bound == clinical.Above || v.Bound == clinical.Below && v.Num == most.Num {
			most.Bound = v.Bound
		}
	}
	return most
}

// least is the least number stated: Below when any value is Below, else Above if a value with that
// number is; missing with both.
func least(values []rules.Value) rules.Value {
	below, above := bounds(values)
	if len(values) == 0 || below && above {
		return rules.Value{}
	}
	fewest := rules.NumberOf(values[0].Num)
	for _, v := range values {
		fewest.Num = min(fewest.Num, v.Num)
	}
	for _, v := range values {
		if v.Bound == clinical.Below || v.Bound == clinical.Above && v.Num == fewest.Num {
			fewest.Bound = v.Bound
		}
	}
	return fewest
}

// total is sum, mean or delta: missing as soon as one value carries a comparator.
func total(op rules.Op, values []rules.Value) rules.Value {
	if below, above := bounds(values); below || above {
		return rules.Value{}
	}
	sum := 0.0
	for _, v := range values {
		sum += v.Num
	}
	switch {
	case op == rules.Sum:
		return finite(sum)
	case op == rules.Mean && len(values) > 0:
		return finite(sum / float64(len(values)))
	case op == rules.Delta && len(values) > 1:
		return finite(values[len(values)-1].Num - values[0].Num)
	}
	return rules.Value{}
}
