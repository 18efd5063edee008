package explain

import (
	"slices"

	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/rules"
)

// span is the period that a reading speaks of, with the facts that make it: none if there is no such period.
type span struct {
	rules.Period
	facts []member
}

func (s *span) there() bool { return len(s.facts) > 0 }

// Periods are the periods of the rule's input that have begun by now, in order of their start: those for which
// the rule can hold. None of a rule that holds for the patient.
func (r *Reference) Periods(rule *rules.Rule, h History, now clinical.Instant) []rules.Period {
	if rule.Each == 0 {
		return nil
	}
	var all []rules.Period
	p := r.read(h)
	for _, start := range p.starts(rule.Each) {
		if start <= now {
			all = append(all, p.spanOf(rule.Each, start).Period)
		}
	}
	return all
}

// Each is the reference about each of the rule's periods that have begun by now, in order of their start; of a rule
// that holds for the patient it is the reference itself.
func (r *Reference) Each(rule *rules.Rule, h History, now clinical.Instant) []*Reference {
	if rule.Each == 0 {
		return []*Reference{r}
	}
	var all []*Reference
	for _, p := range r.Periods(rule, h, now) {
		all = append(all, r.About(p.Start))
	}
	return all
}

// starts are the instants at which an input's periods begin, in order. A fact whose time is not known begins
// none.
func (r *reading) starts(input int) []clinical.Instant {
	var all []clinical.Instant
	for _, m := range r.input(input) {
		if m.Fact.Time != clinical.Never {
			all = append(all, m.Fact.Time)
		}
	}
	return slices.Compact(all)
}

// spanOf is the period of an input that begins at an instant: the facts that do make it together.
func (r *reading) spanOf(input int, start clinical.Instant) *span {
	s := &span{Period: rules.Period{Start: start, End: start}}
	if start == clinical.Never {
		return s
	}
	s.facts = slices.Clone(between(r.input(input), start, start))
	for _, m := range s.facts {
		s.Period = s.Meet(m.Fact.End)
	}
	return s
}

// within speaks of another period from here on.
func (r *reading) within(rule *rules.Rule, start clinical.Instant) {
	r.period = nil
	if rule.Each != 0 {
		r.period = r.spanOf(rule.Each, start)
	}
}

// speaksOf is the period of an input that the reading speaks of.
func (r *reading) speaksOf(input int) *span {
	if r.period == nil {
		r.period = r.spanOf(input, r.start)
	}
	return r.period
}

// truth is what a rule is at now. A rule that holds for each period of an input is false of one that has not
// begun.
func (r *reading) truth(rule *rules.Rule, now clinical.Instant) rules.Truth {
	if !r.begun(rule, now) {
		return rules.False
	}
	return r.expr(rule.When, now).Truth()
}

func (r *reading) begun(rule *rules.Rule, now clinical.Instant) bool {
	if rule.Each == 0 {
		return true
	}
	s := r.speaksOf(rule.Each)
	return s.there() && s.Start <= now
}

// begins is when a rule can first be true; clinical.Never of one that holds for the patient, clinical.Forever
// where there is no such period.
func (r *reading) begins(rule *rules.Rule) clinical.Instant {
	if rule.Each == 0 {
		return clinical.Never
	}
	if s := r.speaksOf(rule.Each); s.there() {
		return s.Start
	}
	return clinical.Forever
}

// inPeriod is the answer to a term that is about the period.
func (r *reading) inPeriod(t *rules.Term, now clinical.Instant) rules.Value {
	s := r.speaksOf(t.Each)
	if !s.there() {
		return rules.Value{}
	}
	switch t.Op {
	case rules.PeriodStart:
		return rules.TimeOf(s.Start)
	case rules.PeriodEnd:
		return rules.TimeOf(s.End)
	case rules.HoursSinceStart:
		return rules.NumberOf(float64(now-s.Start) / 3_600_000)
	case rules.Overlaps:
		return rules.BoolOf(len(r.beside(t, now)) > 0)
	}
	if t.Op == rules.Ended {
		return rules.BoolOf(s.Ended(now))
	}
	if (t.Op == rules.HoursSinceEnd || t.Window.At == rules.AtEnd) && !s.Ended(now) {
		return rules.Value{}
	}
	switch {
	case t.Op == rules.HoursSinceEnd:
		return rules.NumberOf(float64(now-s.End) / 3_600_000)
	case t.Op == rules.Active:
		return rules.BoolOf(len(r.heldIn(t, now)) > 0)
	}
	return r.answer(t, r.window(t, now), now)
}

// heldIn is the facts that have begun and held at some instant of a window about the period: of one without ends
// as of its start or end, at that instant.
func (r *reading) heldIn(t *rules.Term, now clinical.Instant) []member {
	earliest, latest := r.limits(t, now)
	if latest < earliest {
		return nil
	}
	if t.Window.All {
		earliest = latest
	}
	return meeting(r.input(t.Input), earliest, min(latest, now))
}

func (s *span) anchor(a rules.Anchor) clinical.Instant {
	if a == rules.AtEnd {
		return s.End
	}
	return s.Start
}

// beside is the facts that have begun and share an instant with the period, but for those that make it.
func (r *reading) beside(t *rules.Term, now clinical.Instant) []member {
	s := r.speaksOf(t.Each)
	var others []member
	for _, m := range r.input(t.Input) {
		if m.Fact.Time <= min(s.End, now) && m.Fact.End >= s.Start && !s.madeBy(m) {
			others = append(others, m)
		}
	}
	return others
}

func (s *span) madeBy(m member) bool {
	return slices.ContainsFunc(s.facts, func(own member) bool { return own.Order == m.Order })
}

// limits are the two ends of what a term about the period can ever see, both inside; nothing lies between them
// while there is no answer.
func (r *reading) limits(t *rules.Term, now clinical.Instant) (earliest, latest clinical.Instant) {
	s := r.speaksOf(t.Each)
	switch {
	case !s.there(), t.Window.At == rules.AtEnd && !s.Ended(now):
		return clinical.Forever, clinical.Never
	case t.Window.During:
		return s.Start, s.End
	}
	at := s.anchor(t.Window.At)
	if t.Window.All {
		return clinical.Never, at
	}
	return ago(t.Window.From, at, r.program.Zone), ago(t.Window.To, at, r.program.Zone)
}

// inPeriodUntil is the first instant after now at which a term about the period may have another answer, but for
// the time that elapses: another fact comes to be seen, or the period ends.
func (r *reading) inPeriodUntil(t *rules.Term, now clinical.Instant) clinical.Instant {
	s := r.speaksOf(t.Each)
	if !s.there() {
		return clinical.Forever
	}
	if (t.Op == rules.Ended || t.Op == rules.HoursSinceEnd || t.Window.At == rules.AtEnd) && !s.Ended(now) {
		if s.End >= horizon {
			return clinical.Forever
		}
		return s.End + 1
	}
	if t.Op.OfPeriod() {
		return clinical.Forever
	}
	earliest, latest := clinical.Never, s.End
	if t.Op != rules.Overlaps {
		earliest, latest = r.limits(t, now)
	}
	if t.Op == rules.Active { // which may have begun before
		earliest = clinical.Never
	}
	facts := r.input(t.Input)
	if i := since(facts, max(earliest, now+1)); i < len(facts) && facts[i].Fact.Time <= latest {
		return facts[i].Fact.Time
	}
	return clinical.Forever
}
