package pointer

import (
	"time"

	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/rules"
)

// question is one term asked at one instant of the facts of its input.
type question struct {
	term         *rules.Term
	zone         *time.Location
	now          clinical.Instant
	lower, upper clinical.Instant
	still        bool // the window does not move with now: see about
	facts        facts
}

func ask(t *rules.Term, in *rules.Input, zone *time.Location, series []*Series, now clinical.Instant) question {
	return question{term: t, zone: zone, now: now, facts: factsOf(in, series),
		lower: later(t.Window.Lower(now, zone), edge), upper: t.Window.Upper(now, zone)}
}

// resolve answers the term and says until when the answer holds if nothing new arrives. For the terms
// about elapsed time it says until when they speak of the same fact.
func (q *question) resolve() (rules.Value, clinical.Instant) {
	if len(q.facts.series) == 0 {
		return empty(q.term.Op), clinical.Forever
	}
	if q.term.Window.Day == rules.LastDay && !q.still {
		return q.lastDay()
	}
	switch q.term.Op {
	case rules.Exists:
		return q.exists()
	case rules.Last:
		return q.last()
	case rules.First:
		return q.first()
	case rules.LastTime, rules.HoursSince, rules.DaysSince:
		return q.lastTime()
	case rules.FirstTime:
		return q.firstTime()
	case rules.Min, rules.Max:
		return q.extreme()
	case rules.Count, rules.Sum, rules.Mean, rules.Delta:
		return q.aggregate()
	case rules.Median, rules.StdDev, rules.Rise, rules.Fall, rules.Slope, rules.EWMA, rules.DurationAbove, rules.DurationBelow,
		rules.Nth, rules.Distinct, rules.MaxGap:
		return q.statistic()
	case rules.Active:
		return q.active()
	}
	return q.person()
}

// empty is the answer to a term whose input has no fact at all.
func empty(op rules.Op) rules.Value {
	switch op {
	case rules.Exists, rules.Active:
		return rules.BoolOf(false)
	case rules.Count, rules.Sum, rules.Distinct:
		return rules.NumberOf(0)
	}
	return rules.Value{}
}

// enters is the first instant at which the window sees a fact of time t.
func (q *question) enters(t clinical.Instant) clinical.Instant {
	if q.still {
		return t
	}
	return firstSeen(q.term.Window, t, q.zone)
}

// leaves is the first instant at which the window no longer sees a fact of time t.
func (q *question) leaves(t clinical.Instant) clinical.Instant {
	if q.still || q.term.Window.All {
		return clinical.Forever
	}
	return unseen(q.term.Window, t, q.zone)
}

// firstInstant is the least instant n with d.Before(n) >= t. Months are found by bisection, which is
// sound because Before never decreases.
func firstInstant(d rules.Duration, t clinical.Instant, zone *time.Location) clinical.Instant {
	if d.Months == 0 {
		return later(t, clinical.Instant(d.Millis))
	}
	const day = 24 * 60 * 60 * 1000
	months := clinical.Instant(d.Months)
	near, far := months*28*day, months*31*day
	lo := t + clinical.Instant(d.Millis) + min(near, far) - 4*day // too early
	hi := t + clinical.Instant(d.Millis) + max(near, far) + 4*day // late enough
	for lo+1 < hi {
		mid := lo + (hi-lo)/2
		if d.Before(mid, zone) >= t {
			hi = mid
		} else {
			lo = mid
		}
	}
	return hi
}

// later adds without running past Forever or, where by is negative, past Never.
func later(t, by clinical.Instant) clinical.Instant {
	switch {
	case by > 0 && t > clinical.Forever-by:
		return clinical.Forever
	case by < 0 && t < clinical.Never-by:
		return clinical.Never
	}
	return t + by
}

func (q *question) exists() (rules.Value, clinical.Instant) {
	var w walk
	w.from(&q.facts, q.upper, true)
	latest, ok := q.facts.latest(q.lower, q.upper, false)
	if !ok {
		next, ok := w.next()
		if !ok {
			return rules.BoolOf(false), clinical.Forever
		}
		return rules.BoolOf(false), q.enters(next.entry.Time)
	}
	until := q.leaves(latest.entry.Time)
	for until != clinical.Forever { // a fact that enters before the last one has left keeps it true
		next, ok := w.next()
		if !ok || q.enters(next.entry.Time) > until {
			break
		}
		until = q.leaves(next.entry.Time)
	}
	return rules.BoolOf(true), until
}

func (q *question) last() (rules.Value, clinical.Instant) {
	var w walk
	w.from(&q.facts, q.upper, true)
	next, more := w.nextValued()
	latest, ok := q.facts.latest(q.lower, q.upper, true)
	if !ok {
		if !more {
			return rules.Value{}, clinical.Forever
		}
		return rules.Value{}, q.enters(next.entry.Time)
	}
	until := q.leaves(latest.entry.Time)
	for more && q.enters(next.entry.Time) <= until {
		// Of the facts of one instant the last stated is the one that counts.
		at, value := next.entry.Time, next.value
		for more && next.entry.Time == at {
			value = next.value
			next, more = w.nextValued()
		}
		if value != latest.value {
			return latest.value, q.enters(at)
		}
		until = q.leaves(at)
	}
	return latest.value, until
}

func (q *question) first() (rules.Value, clinical.Instant) {
	var w walk
	w.from(&q.facts, q.lower, false)
	got, ok := w.nextValued()
	if !ok {
		return rules.Value{}, clinical.Forever
	}
	if got.entry.Time > q.upper {
		return rules.Value{}, q.enters(got.entry.Time)
	}
	until := q.leaves(got.entry.Time)
	for at := got.entry.Time; until != clinical.Forever; {
		next, ok := w.nextValued()
		if !ok {
			break
		}
		if next.entry.Time == at {
			continue
		}
		if at = next.entry.Time; q.enters(at) > until || next.value != got.value {
			break
		}
		until = q.leaves(at)
	}
	return got.value, until
}

func (q *question) lastTime() (rules.Value, clinical.Instant) {
	var w walk
	w.from(&q.facts, q.upper, true)
	until := clinical.Forever
	if next, ok := w.next(); ok {
		until = q.enters(next.entry.Time)
	}
	latest, ok := q.facts.latest(q.lower, q.upper, false)
	if !ok {
		return rules.Value{}, until
	}
	until = min(until, q.leaves(latest.entry.Time))
	switch at := latest.entry.Time; q.term.Op {
	case rules.HoursSince:
		return rules.NumberOf(float64(q.now-at) / 3_600_000), until
	case rules.DaysSince:
		return rules.NumberOf(float64(q.now-at) / 86_400_000), until
	default:
		return rules.TimeOf(at), until
	}
}

func (q *question) firstTime() (rules.Value, clinical.Instant) {
	var w walk
	w.from(&q.facts, q.lower, false)
	got, ok := w.next()
	switch {
	case !ok:
		return rules.Value{}, clinical.Forever
	case got.entry.Time > q.upper:
		return rules.Value{}, q.enters(got.entry.Time)
	}
	return rules.TimeOf(got.entry.Time), q.leaves(got.entry.Time)
}

func (q *question) active() (rules.Value, clinical.Instant) {
	var w walk
	w.from(&q.facts, clinical.Never, false)
	lower := q.lower
	if q.term.Window.All {
		lower = q.upper // without a window: what holds now
	}
	until, active := clinical.Never, false // until: when the last of those seen has gone
	for {
		f, ok := w.next()
		if !ok {
			break
		}
		e := f.entry
		switch {
		case e.Time <= q.upper:
			if e.End >= lower {
				active, until = true, max(until, q.ceases(e.End))
			}
		case q.ceases(e.End) <= q.enters(e.Time): // it is gone before it can be seen
		case !active:
			return rules.BoolOf(false), q.enters(e.Time)
		case q.enters(e.Time) > until:
			return rules.BoolOf(true), until
		default:
			until = max(until, q.ceases(e.End))
		}
	}
	if !active {
		return rules.BoolOf(false), clinical.Forever
	}
	return rules.BoolOf(true), until
}

// ceases is the first instant at which a period that ends at t no longer counts as active.
func (q *question) ceases(t clinical.Instant) clinical.Instant {
	switch {
	case t == clinical.Forever:
		return clinical.Forever
	case q.term.Window.All:
		return later(t, 1)
	}
	return q.leaves(t)
}

// person answers the terms about the patient, from the latest stated person.
func (q *question) person() (rules.Value, clinical.Instant) {
	var p *Entry
	for _, s := range q.facts.series {
		for _, c := range s.Chunks {
			for i := range c.Entries {
				if e := &c.Entries[i]; p == nil || e.Seq > p.Seq {
					p = e
				}
			}
		}
	}
	switch q.term.Op {
	case rules.Sex:
		if a := p.Detail.Attribute(clinical.AttrSex); a != nil && len(a.Codes) > 0 {
			return rules.TextOf(a.Codes[0].Value()), clinical.Forever
		}
		return rules.Value{}, clinical.Forever
	case rules.Deceased:
		a := p.Detail.Attribute(clinical.AttrDeceased)
		switch {
		case a == nil || len(a.Codes) == 0 || a.Codes[0].Value() != "true":
			return rules.BoolOf(false), clinical.Forever
		case p.End == clinical.Forever || p.End <= q.now: // an unknown instant of death lies before every other
			return rules.BoolOf(true), clinical.Forever
		}
		return rules.BoolOf(false), p.End
	}
	if p.Time == clinical.Never {
		return rules.Value{}, clinical.Forever
	}
	if q.term.Op == rules.BirthDate {
		return rules.TimeOf(p.Time), clinical.Forever
	}
	months, ok := rules.CompletedMonths(p.Time, q.now, q.zone)
	if !ok {
		return rules.Value{}, p.Time
	}
	if q.term.Op == rules.AgeMonths {
		return rules.NumberOf(float64(months)), rules.Birthday(p.Time, months+1, q.zone)
	}
	years := months / 12
	return rules.NumberOf(float64(years)), rules.Birthday(p.Time, (years+1)*12, q.zone)
}

// countUntil is, for a count compared with a constant, the first instant at which the comparison turns
// over: facts leave and enter one instant after another until it does.
func (q *question) countUntil(n int, holds func(n int) bool) clinical.Instant {
	var leaving, entering walk
	leaving.from(&q.facts, q.lower, false)
	entering.from(&q.facts, q.upper, true)
	was := holds(n)
	in, moreIn := entering.next()
	var out fact
	var moreOut bool
	if !q.still && !q.term.Window.All {
		out, moreOut = leaving.next()
	}
	for moreIn {
		at := q.enters(in.entry.Time)
		if moreOut {
			at = min(at, q.leaves(out.entry.Time))
		}
		for moreIn && q.enters(in.entry.Time) == at {
			n++
			in, moreIn = entering.next()
		}
		for moreOut && q.leaves(out.entry.Time) == at {
			n--
			out, moreOut = leaving.next()
		}
		if holds(n) != was {
			return at
		}
	}
	// When a fact leaves takes long to say of a window in months. With nothing left to enter, it is asked only of
	// the fact that would turn the comparison over.
	for moreOut {
		at := out.entry.Time
		n--
		out, moreOut = leaving.next()
		if holds(n) == was {
			continue
		}
		left := q.leaves(at)
		for moreOut && q.leaves(out.entry.Time) == left {
			n--
			out, moreOut = leaving.next()
		}
		if holds(n) != was {
			return left
		}
	}
	return clinical.Forever
}
