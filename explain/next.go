package explain

import (
	"slices"

	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/rules"
)

// lookAhead is about how many facts Next looks at before it gives up.
const lookAhead = 4_000_000

// Next is the first instant after at, and not after until, at which time alone makes the rule's truth
// another than it is at at. It is false when there is none, and when finding out would take looking at many
// millions of facts, as where thousands rise one after the other and a least one is asked for.
func (r *Reference) Next(rule *rules.Rule, h History, at, until clinical.Instant) (Change, bool) {
	return r.read(h).nextOf(rule, at, until)
}

func (r *reading) nextOf(rule *rules.Rule, at, until clinical.Instant) (Change, bool) {
	if begins := r.begins(rule); begins > at {
		if begins > until {
			return Change{}, false
		}
		at = begins
		if truth := r.expr(rule.When, at).Truth(); truth != rules.False {
			return Change{At: at, Truth: truth}, true
		}
	}
	return r.next(rule.When, at, until)
}

func (r *reading) next(e rules.Expr, at, until clinical.Instant) (Change, bool) {
	l := r.outlook(e, at)
	begin := r.expr(e, at).Truth()
	for until = min(until, horizon); l.advance() && l.now <= until && l.work > 0; {
		if l.truth() == begin {
			continue
		}
		if truth := r.expr(e, l.now).Truth(); truth != begin {
			return Change{At: l.now, Truth: truth}, true
		}
	}
	return Change{}, false
}

// outlook follows a condition forward in time, with nothing new stated, from one instant at which a term
// has another answer, or an elapsed time tips a comparison, to the next.
type outlook struct {
	*reading
	condition rules.Expr
	now       clinical.Instant
	terms     []outlast
	tips      []tipping
	tallies   map[int]*tally // by input
	work      int            // how many facts may still be looked at
}

// outlast is a term's answer, which stands up to an instant before which nothing changes it. Of a term
// that grows with every millisecond it is what the growth is counted from that stands.
type outlast struct {
	term  *rules.Term
	value rules.Value
	until clinical.Instant
}

// tipping is a comparison with an elapsed time, and when it tips, if its terms' answers stand up to then.
type tipping struct {
	comparison *rules.Binary
	terms      []*rules.Term
	at         clinical.Instant
	from       clinical.Instant // the end of the stretch in which at was looked for
}

func (r *reading) outlook(e rules.Expr, now clinical.Instant) *outlook {
	l := &outlook{reading: r, condition: e, now: now, work: lookAhead, tallies: map[int]*tally{}}
	for _, t := range r.termsOf(e) {
		l.terms = append(l.terms, outlast{term: t, until: now})
	}
	for _, c := range elapsedComparisons(e) {
		l.tips = append(l.tips, tipping{comparison: c, terms: termsOf(c), from: now})
	}
	l.renew()
	return l
}

// advance goes to the next instant at which anything may be other than now; false when there is none.
func (l *outlook) advance() bool {
	next := clinical.Forever
	for _, t := range l.terms {
		next = min(next, t.until)
	}
	for _, t := range l.tips {
		next = min(next, t.at)
	}
	if next == clinical.Forever {
		return false
	}
	l.now = next
	l.renew()
	return true
}

// renew asks again what stands up to now only.
func (l *outlook) renew() {
	for i := range l.terms {
		if t := &l.terms[i]; t.until <= l.now {
			t.value, t.until = l.reply(t.term), l.outlasts(t.term, l.now)
			l.work -= l.cost(t.term)
		}
	}
	for i := range l.tips {
		t := &l.tips[i]
		if t.from > l.now && t.at > l.now {
			continue
		}
		t.from = clinical.Forever
		for _, o := range l.terms {
			if slices.Contains(t.terms, o.term) {
				t.from = min(t.from, o.until)
			}
		}
		t.at = l.tip(t.comparison, l.now, t.from)
		for _, q := range t.terms {
			l.work -= l.cost(q)
		}
	}
	l.work -= len(l.terms)
}

// cost is about how many facts an answer to the term looks at.
func (l *outlook) cost(t *rules.Term) int {
	switch t.Op {
	case rules.Min, rules.Max:
		return 1 + 3*len(l.window(t, l.now))
	case rules.Median, rules.StdDev, rules.Rise, rules.Fall, rules.Slope, rules.EWMA, rules.DurationAbove, rules.DurationBelow,
		rules.Nth, rules.Distinct, rules.MaxGap:
		return 1 + len(l.window(t, l.now))
	case rules.Active, rules.Overlaps:
		return 1 + 2*len(l.input(t.Input))
	}
	return 1
}

// truth is the condition's, from the answers that stand.
func (l *outlook) truth() rules.Truth {
	return truth(l.condition, scope{term: func(t *rules.Term) rules.Value {
		if t.Op.Elapsed() {
			return l.reading.term(t, l.now)
		}
		i := slices.IndexFunc(l.terms, func(o outlast) bool { return o.term == t })
		return l.terms[i].value
	}})
}

// outlasts is an instant after now before which the term's answer stays what it is, but for the time that
// elapses. Unlike edge it passes over facts that leave a window without being missed there.
func (r *reading) outlasts(t *rules.Term, now clinical.Instant) clinical.Instant {
	switch {
	case t.Each != 0:
		return r.inPeriodUntil(t, now)
	case t.Op.OfPatient():
		return r.personOutlasts(t.Op, now)
	}
	if t.Op == rules.Active {
		return r.activeOutlasts(t, now)
	}
	first := clinical.Forever
	facts := r.input(t.Input)
	earliest, latest := r.bounds(t, now)
	if i := since(facts, latest+1); i < len(facts) {
		first = r.enters(t.Window, facts[i].Fact.Time, now-latest)
	}
	if t.Window.All {
		return first
	}
	seen := between(facts, earliest, latest)
	if i := missed(t.Op, seen); i >= 0 {
		first = min(first, r.leaves(t.Window, seen[i].Fact.Time, now-earliest))
	}
	return first
}

// enters and leaves are what comesIn and goesOut are, for a window whose end is so long ago now.
func (r *reading) enters(w rules.Window, t, long clinical.Instant) clinical.Instant {
	if w.Day != rules.NoDay {
		return r.comesIn(w, t)
	}
	return r.comes(w.To, t, long)
}

func (r *reading) leaves(w rules.Window, t, long clinical.Instant) clinical.Instant {
	if w.Day != rules.NoDay {
		return r.goesOut(w, t)
	}
	return r.comes(w.From, t+1, long)
}

// comes is what reaches is. It is mostly as much after the instant t as d is long now, which is tried first.
func (r *reading) comes(d rules.Duration, t, long clinical.Instant) clinical.Instant {
	guess := t + long
	if ago(d, guess, r.program.Zone) >= t && ago(d, guess-1, r.program.Zone) < t {
		return guess
	}
	return reaches(d, t, r.program.Zone)
}

// missed is the place of the fact up to whose leaving the window the answer stays, if none comes in; -1
// when the answer rests on none. Facts leave in the order in which they stand.
func missed(op rules.Op, seen []member) int {
	first := slices.IndexFunc(seen, hasValue)
	switch op {
	case rules.Exists, rules.LastTime, rules.HoursSince, rules.DaysSince:
		return len(seen) - 1
	case rules.Count, rules.FirstTime, rules.Distinct, rules.MaxGap:
		return min(0, len(seen)-1)
	case rules.Last:
		return lastIndex(seen, hasValue)
	case rules.Min, rules.Max:
		if _, below, above := comparators(seen); below || above || first < 0 {
			return first
		}
		extreme := least(seen)
		if op == rules.Max {
			extreme = greatest(seen)
		}
		return lastIndex(seen, func(m member) bool { return m.value == extreme })
	}
	return first
}

func lastIndex(facts []member, is func(member) bool) int {
	i := len(facts) - 1
	for i >= 0 && !is(facts[i]) {
		i--
	}
	return i
}

// activeOutlasts is when the last of the periods that hold, or held in the window, has ended or left it, or
// else the next begins or comes into it.
func (r *reading) activeOutlasts(t *rules.Term, now clinical.Instant) clinical.Instant {
	facts := r.input(t.Input)
	earliest, latest := r.bounds(t, now)
	if held := r.holding(t, now); len(held) > 0 {
		end := now
		for i, m := range held {
			if i == 0 || m.Fact.End > end {
				end = m.Fact.End
			}
		}
		switch {
		case end >= horizon:
			return clinical.Forever
		case t.Window.All:
			return end + 1
		}
		return r.leaves(t.Window, end, now-earliest)
	}
	i := since(facts, latest+1)
	switch {
	case i == len(facts):
		return clinical.Forever
	case t.Window.All:
		return facts[i].Fact.Time
	}
	return r.enters(t.Window, facts[i].Fact.Time, now-latest)
}

// personOutlasts is the birth, the next completed year or month of age, or the death.
func (r *reading) personOutlasts(op rules.Op, now clinical.Instant) clinical.Instant {
	person, known := r.person()
	if !known {
		return clinical.Forever
	}
	step := 1
	switch op {
	case rules.Sex, rules.BirthDate:
		return clinical.Forever
	case rules.Deceased:
		if now < person.End {
			return person.End
		}
		return clinical.Forever
	case rules.Age:
		step = 12
	}
	switch birth := person.Time; {
	case birth == clinical.Never:
		return clinical.Forever
	case now < birth:
		return birth
	default:
		return birthday(birth, (completed(step, birth, now, r.program.Zone)+1)*step, r.program.Zone)
	}
}
