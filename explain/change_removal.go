package explain

import (
	"cmp"
	"slices"

	"github.com/vigil-cds/vigil/explain/record"
	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/rules"
)

// mostRemovals is how many facts are tried without, at most.
const mostRemovals = 40

// removals is the latest fact of the blockers' terms without which the rule is true, or else the latest of
// those that decide which facts belong to a derived input.
func (s *search) removals(blockers []blocker) []remedy {
	type removal struct {
		member
		input int
	}
	var tries, behind []removal
	add := func(to *[]removal, m member, input int) {
		same := func(x removal) bool { return x.Order == m.Order }
		if !slices.ContainsFunc(tries, same) && !slices.ContainsFunc(behind, same) {
			*to = append(*to, removal{m, input})
		}
	}
	for _, b := range blockers {
		for _, t := range termsOf(b.Expr) {
			if t.Op.OfPatient() || t.Op.OfPeriod() {
				continue
			}
			for _, m := range s.removable(t) {
				add(&tries, m, t.Input)
			}
		}
	}
	for _, b := range blockers {
		for _, t := range termsOf(b.Expr) {
			s.deciding(t.Input, func(m member, input int) { add(&behind, m, input) })
		}
	}
	latestFirst := func(x, y removal) int { return inOrderOfTime(y.member, x.member) }
	slices.SortFunc(tries, latestFirst)
	slices.SortFunc(behind, latestFirst)
	tries = append(tries, behind...)
	for _, x := range tries[:min(len(tries), mostRemovals)] {
		if s.holdsWithout(x.Statement) {
			in := s.program.Inputs[x.input]
			return []remedy{{Kind: record.Remove, Input: in, Fact: &x.Statement, Text: "without the " + s.described(in, x.member)}}
		}
	}
	return nil
}

// removable is the facts of a term without which its answer may well be another: those on which it rests,
// the ends and the extremes.
func (s *search) removable(t *rules.Term) []member {
	w := witness{reading: s.whole, now: s.now}
	seen := w.seen(t)
	const few = 8
	if len(seen) <= few {
		return seen
	}
	chosen := []member{seen[0], seen[len(seen)-1]}
	if t.Op != rules.Count {
		if rests := w.supporting(t); len(rests) <= few {
			chosen = append(chosen, rests...)
		}
		byNumber := func(x, y member) int { return cmp.Compare(x.value.Num, y.value.Num) }
		chosen = append(chosen, slices.MinFunc(seen, byNumber), slices.MaxFunc(seen, byNumber))
		bounded := slices.DeleteFunc(slices.Clone(seen), func(m member) bool { return m.value.Bound == clinical.Exactly })
		chosen = append(chosen, bounded[:min(len(bounded), few)]...)
	}
	return chosen
}

// holdsWithout says whether the rule is true without a fact. It is false, too, when there has been work
// enough.
func (s *search) holdsWithout(gone Statement) bool {
	if s.entire {
		return s.holdsOf(slices.DeleteFunc(slices.Clone(s.whole.history), func(x Statement) bool { return x.Order == gone.Order }))
	}
	if s.gaps == nil {
		s.gaps = map[int]*gap{}
		for _, in := range s.inputs() {
			s.gaps[in.ID] = newGap(s.whole.input(in.ID))
		}
	}
	trial := &reading{Reference: s.Reference, whole: true, period: s.period, members: map[int][]member{}, persons: s.persons}
	for id, g := range s.gaps {
		s.work -= 2 * len(g.all)
		trial.members[id] = g.without(gone)
	}
	return s.work >= 0 && trial.expr(s.rule.When, s.now).Truth() == rules.True
}

// gap is the facts of one input with one of them left out, each time another.
type gap struct {
	all, rest []member
	at        int // rest is all without this one
}

func newGap(all []member) *gap { return &gap{all: all, rest: slices.Clone(all), at: len(all)} }

// without is only to be read, and only up to the next call.
func (g *gap) without(gone Statement) []member {
	i, found := slices.BinarySearchFunc(g.all, member{Statement: gone}, inOrderOfTime)
	if !found {
		return g.all
	}
	if g.at < i {
		copy(g.rest[g.at:i], g.all[g.at:i])
	} else {
		copy(g.rest[i:], g.all[i+1:min(g.at+1, len(g.all))])
	}
	g.at = i
	return g.rest[:len(g.all)-1]
}

// described is a fact of an input in words: "creatinine of 0.9 mg/dL of 3 March", "dialysis of 12:40".
func (s *search) described(in *rules.Input, m member) string {
	text := called(in)
	if m.value.Kind == rules.Number {
		text += " of " + amount(m.value, in.Unit)
	}
	if when := s.dated(m.Fact, s.now); when != "" {
		text += " of " + when
	}
	return text
}
