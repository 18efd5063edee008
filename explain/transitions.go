package explain

import (
	"slices"

	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/rules"
)

// Change is a rule's truth for a patient from the instant At on.
type Change struct {
	At    clinical.Instant
	Truth rules.Truth
}

// Transitions finds every instant in (from, to] at which the rule's truth changes while nothing new is
// stated, in order of time, by trying every candidate. Both ends must be instants of a patient's life,
// not Never or Forever.
func (r *Reference) Transitions(rule *rules.Rule, h History, from, to clinical.Instant) []Change {
	patient := r.read(h)
	before := patient.expr(rule.When, from).Truth()
	var changes []Change
	for _, at := range r.Candidates(rule, h, from, to) {
		now := patient.expr(rule.When, at).Truth()
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
	patient := r.read(h)
	edges := within(from, to, patient.edges(rule.When, to))
	return within(from, to, slices.Concat(edges, patient.tips(rule.When, from, to, edges)))
}

// within keeps the instants in (from, to], in order and without repeats.
func within(from, to clinical.Instant, instants []clinical.Instant) []clinical.Instant {
	kept := slices.DeleteFunc(slices.Clone(instants), func(t clinical.Instant) bool { return t <= from || t > to })
	slices.Sort(kept)
	return slices.Compact(kept)
}

// edges is where a term of the expression other than an elapsed time may change, each with the
// millisecond before and after it.
func (r *reading) edges(e rules.Expr, to clinical.Instant) []clinical.Instant {
	var edges []clinical.Instant
	add := func(t clinical.Instant) { edges = append(edges, t-1, t, t+1) }
	walk(e, func(e rules.Expr) {
		ref, ok := e.(*rules.TermRef)
		if !ok {
			return
		}
		switch t := ref.Term; t.Op {
		case rules.Age, rules.AgeMonths, rules.Sex, rules.Deceased:
			r.lifeEdges(to, add)
		default:
			r.windowEdges(t, add)
		}
	})
	return edges
}

// windowEdges is where a fact of the term's input enters and leaves its window, and where the fact's
// period begins and ends.
func (r *reading) windowEdges(t *rules.Term, add func(clinical.Instant)) {
	for _, m := range r.input(t.Input) {
		begins, ends := m.Fact.Time, m.Fact.End
		if begins != clinical.Never {
			add(begins)
			if !t.Window.All {
				add(reaches(t.Window.To, begins, r.program.Zone))
				add(reaches(t.Window.From, begins+1, r.program.Zone))
			}
		}
		if ends != clinical.Never && ends != clinical.Forever {
			add(ends + 1)
		}
	}
}

// lifeEdges is the birth, every month of age completed up to the given instant, and the death.
func (r *reading) lifeEdges(to clinical.Instant, add func(clinical.Instant)) {
	person, known := r.person()
	if !known {
		return
	}
	if birth := person.Time; birth != clinical.Never {
		add(birth)
		for months := 1; birthday(birth, months-1, r.program.Zone) <= to; months++ {
			add(birthday(birth, months, r.program.Zone))
		}
	}
	if person.End != clinical.Never && person.End != clinical.Forever {
		add(person.End)
	}
}

// tips is where a comparison with an elapsed time changes between two neighbouring edges. There every
// other term stands still and the elapsed time only grows, so that "less" and "less or equal" each
// change once at most, which bisection finds; every other comparison changes at the same instants.
func (r *reading) tips(e rules.Expr, from, to clinical.Instant, edges []clinical.Instant) []clinical.Instant {
	var tips []clinical.Instant
	bounds := slices.Concat([]clinical.Instant{from}, edges, []clinical.Instant{to + 1})
	for _, c := range elapsedComparisons(e) {
		for _, op := range []string{"<", "<="} {
			side := &rules.Binary{Op: op, X: c.X, Y: c.Y}
			for i := range len(bounds) - 1 {
				start, last := bounds[i], bounds[i+1]-1
				if start >= last {
					continue
				}
				begin := r.expr(side, start)
				changed := func(now clinical.Instant) bool { return r.expr(side, now) != begin }
				if changed(last) {
					tips = append(tips, firstTrue(start, last, changed))
				}
			}
		}
	}
	return tips
}

// elapsedComparisons are the comparisons with hours_since or days_since in them.
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
			elapsed = elapsed || ok && (ref.Term.Op == rules.HoursSince || ref.Term.Op == rules.DaysSince)
		})
		if elapsed {
			found = append(found, b)
		}
	})
	return found
}
