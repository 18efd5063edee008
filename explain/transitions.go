package explain

import (
	"iter"
	"slices"

	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/rules"
)

// Change is a rule's truth for a patient from the instant At on.
type Change struct {
	At    clinical.Instant
	Truth rules.Truth
}

// horizon is the last instant that is looked at for what time alone does: later than any life, and far
// enough from Forever for a window to be added.
const horizon = clinical.Instant(300_000_000_000_000) // the year 11476

// Transitions finds every instant in (from, to] at which the rule's truth changes while nothing new is
// stated, in order of time, by trying every candidate. Both ends must be instants of a patient's life,
// not Never or Forever.
func (r *Reference) Transitions(rule *rules.Rule, h History, from, to clinical.Instant) []Change {
	patient := r.read(h)
	before := patient.truth(rule, from)
	var changes []Change
	for at := range patient.candidates(rule, from, to) {
		now := patient.truth(rule, at)
		if now != before {
			changes = append(changes, Change{At: at, Truth: now})
		}
		before = now
	}
	return changes
}

// Candidates is every instant in (from, to] at which time alone could change the rule's truth, ascending
// and without repeats: where a fact enters or leaves a window, a period begins or ends, a month of age
// is completed, the patient dies, or a comparison of elapsed time tips. Most of them change nothing.
func (r *Reference) Candidates(rule *rules.Rule, h History, from, to clinical.Instant) []clinical.Instant {
	return slices.Collect(r.read(h).candidates(rule, from, to))
}

// candidates goes from one to the next.
func (r *reading) candidates(rule *rules.Rule, from, to clinical.Instant) iter.Seq[clinical.Instant] {
	return func(yield func(clinical.Instant) bool) {
		for at := r.upcoming(rule, from); at <= to; at = r.upcoming(rule, at) {
			if !yield(at) {
				return
			}
		}
	}
}

// upcoming is the first instant after now at which time alone could change the rule's truth; Forever when
// there is none.
func (r *reading) upcoming(rule *rules.Rule, now clinical.Instant) clinical.Instant {
	if begins := r.begins(rule); begins > now {
		return begins
	}
	e, edge := rule.When, clinical.Forever
	for _, t := range r.termsOf(e) {
		edge = min(edge, r.edge(t, now))
	}
	return min(edge, r.tip(e, now, edge))
}

// edge is the first instant after now at which the term may have another answer, but for the time that
// elapses: a fact enters or leaves its window, a period begins or has ended, a month of age is completed,
// the patient dies.
func (r *reading) edge(t *rules.Term, now clinical.Instant) clinical.Instant {
	switch {
	case t.Each != 0:
		return r.inPeriodUntil(t, now)
	case t.Op.OfPatient():
		return r.lifeEdge(now)
	}
	first := clinical.Forever
	consider := func(at clinical.Instant) {
		if at > now {
			first = min(first, at)
		}
	}
	facts := r.input(t.Input)
	if t.Op == rules.Active {
		return r.activeEdge(t, now)
	}
	earliest, latest := r.bounds(t, now)
	if i := since(facts, latest+1); i < len(facts) {
		consider(r.comesIn(t.Window, facts[i].Fact.Time))
	}
	if !t.Window.All {
		// The earliest fact that is still inside, or has yet to come in, is the first to leave.
		if i := since(facts, earliest); i < len(facts) {
			consider(r.goesOut(t.Window, facts[i].Fact.Time))
		}
	}
	return first
}

// activeEdge is the edge of active: a period begins or comes into the window, or has ended or left it.
func (r *reading) activeEdge(t *rules.Term, now clinical.Instant) clinical.Instant {
	facts := r.input(t.Input)
	earliest, latest := r.bounds(t, now)
	if t.Window.All {
		earliest = now
	}
	first, end := clinical.Forever, clinical.Forever
	if i := since(facts, latest+1); i < len(facts) {
		first = r.comesIn(t.Window, facts[i].Fact.Time)
	}
	for _, m := range facts {
		if m.Fact.End >= earliest {
			end = min(end, m.Fact.End)
		}
	}
	if end < horizon {
		first = min(first, r.goesOut(t.Window, end))
	}
	return first
}

// lifeEdge is the birth, the next month of age completed, or the death.
func (r *reading) lifeEdge(now clinical.Instant) clinical.Instant {
	first := clinical.Forever
	person, known := r.person()
	if !known {
		return first
	}
	if birth := person.Time; birth != clinical.Never {
		if now < birth {
			first = birth
		}
		months := 0
		if now > birth {
			months = completed(1, birth, now, r.program.Zone)
		}
		for ; birthday(birth, months, r.program.Zone) <= now; months++ {
		}
		first = min(first, birthday(birth, months, r.program.Zone))
	}
	if now < person.End && person.End != clinical.Forever {
		first = min(first, person.End)
	}
	return first
}

// tip is the first instant after now and before edge at which a comparison with an elapsed time changes.
// Up to the edge every other term stands still and the elapsed time only grows, so that "less" and "less
// or equal" each change once at most, which bisection finds; every other comparison changes at the same
// instants.
func (r *reading) tip(e rules.Expr, now, edge clinical.Instant) clinical.Instant {
	first := clinical.Forever
	last := min(edge-1, horizon)
	for _, c := range elapsedComparisons(e) {
		for _, op := range []string{"<", "<="} {
			side := &rules.Binary{Op: op, X: c.X, Y: c.Y}
			begin := r.expr(side, now)
			changed := func(at clinical.Instant) bool { return r.expr(side, at) != begin }
			if now < last && changed(last) {
				first = min(first, firstTrue(now, last, changed))
			}
		}
	}
	return first
}

// elapsedComparisons are the comparisons with hours_since and its like in them.
func elapsedComparisons(e rules.Expr) []*rules.Binary {
	var found []*rules.Binary
	walk(e, func(e rules.Expr) {
		b, ok := e.(*rules.Binary)
		if !ok || !slices.Contains([]string{"==", "!=", "<", "<=", ">", ">="}, b.Op) {
			return
		}
		elapsed := false
		walk(b, func(e rules.Expr) {
			ref, ok := e.(*rules.TermRef)
			elapsed = elapsed || ok && ref.Term.Op.Elapsed()
		})
		if elapsed {
			found = append(found, b)
		}
	})
	return found
}
