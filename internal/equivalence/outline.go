package equivalence

import (
	"fmt"
	"slices"

	"github.com/vigil-cds/vigil/explain"
	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/pointer"
	"github.com/vigil-cds/vigil/rules"
)

// outlined holds what a plan says of each rule to the reference evaluator: a term that data settles is the
// same at every later instant unless a fact dated after now comes, and what is said to hold for this patient
// holds for as long as it is said to.
func (r *run) outlined(rule *rules.Rule, period clinical.Instant, history *pointer.History, h explain.History, now clinical.Instant) error {
	reference := r.reference.About(period)
	outline, look := r.plan.Outline(rule), r.plan.Look(rule, period, history, now)
	if want := reference.Truth(rule, h, now); look.Truth != want {
		return fmt.Errorf("%w: looking at rule %s (%s) it is %s, want %s", ErrDiffers, rule.ID, rule.When, look.Truth, want)
	}
	for i, t := range outline.Terms {
		got, value := look.Terms[i], reference.Term(t.Term, h, now)
		if t.Life == pointer.Settled && got.Until != clinical.Forever && !ahead(history, now) {
			return fmt.Errorf("%w: %s is settled by data, and holds until %s", ErrDiffers, t.Term.Source, got.Until)
		}
		if t.Term.Op.Elapsed() && value.Kind != rules.Missing {
			continue // another with every millisecond
		}
		for _, at := range within(now, got.Until) {
			r.bench.Outlined++
			if later := reference.Term(t.Term, h, at); !same(later, value) {
				return fmt.Errorf("%w: %s was to be %s until %s, but at %s is %s", ErrDiffers, t.Term.Source, show(value), got.Until, at, show(later))
			}
		}
	}
	for i, s := range look.Atoms {
		atom := r.program.Atoms[rule.Atoms[i]]
		if s.Until <= now {
			return fmt.Errorf("%w: %s holds until %s, which is past", ErrDiffers, atom.Source, s.Until)
		}
		for _, at := range within(now, s.Until) {
			r.bench.Outlined++
			later := r.plan.Look(rule, period, history, at)
			if later.Atoms[i].Truth != s.Truth {
				return fmt.Errorf("%w: %s was to be %s until %s, but at %s is %s", ErrDiffers, atom.Source, s.Truth, s.Until, at, later.Atoms[i].Truth)
			}
		}
	}
	return nil
}

// within are instants from now on and before until, its last among them.
func within(now, until clinical.Instant) []clinical.Instant {
	last := min(until-1, now+4000*day)
	var out []clinical.Instant
	for _, at := range []clinical.Instant{now + 1, now + day/3, now + 9*day, now + 90*day, now + 700*day, last} {
		if now < at && at <= last {
			out = append(out, at)
		}
	}
	return out
}

// ahead reports whether any fact is dated after now.
func ahead(h *pointer.History, now clinical.Instant) bool {
	return slices.ContainsFunc(h.Series(), func(s *pointer.Series) bool {
		c := s.Chunks[len(s.Chunks)-1]
		return c.Entries[len(c.Entries)-1].Time > now
	})
}
