package explain

import (
	"slices"

	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/rules"
)

// A fact that a rule does not ask for can make it true all the same: one that decides, through the `where` of
// a derived input, which of the facts that the rule does ask for belong.

// behind finds the inputs that decide which facts belong to those that the rule asks, directly or through
// others, but for those and the patient's own person; and every term by which they do.
func (s *search) behind() (inputs []*rules.Input, terms []*rules.Term) {
	asked := s.inputs()
	queue := slices.Clone(asked)
	for i := 0; i < len(queue); i++ {
		for _, t := range queue[i].Terms {
			if !slices.Contains(terms, t) {
				terms = append(terms, t)
			}
			if in := s.program.Inputs[t.Input]; in.Kind != clinical.KindPatient && !slices.Contains(queue, in) {
				queue = append(queue, in)
			}
		}
	}
	return queue[len(asked):], terms
}

// every is the inputs that the rule asks, and then those behind them.
func (s *search) every() []*rules.Input { return slices.Concat(s.inputs(), s.inner) }

// conditions are that of the rule and those of the derived inputs that it rests on.
func (s *search) conditions() []rules.Expr {
	all := []rules.Expr{s.rule.When}
	for _, in := range s.every() {
		if len(in.Terms) > 0 {
			all = append(all, in.Where...)
		}
	}
	return all
}

// mostCandidates is how many of the facts that might belong to a derived input are looked behind.
const mostCandidates = 8

// deciding notes the facts that the terms of a derived input, and of those behind it, look at as of the
// latest facts that belong to it as far as each alone can tell: without one of them another may belong.
func (s *search) deciding(input int, note func(m member, input int)) {
	for _, id := range s.rests[input] {
		in := s.program.Inputs[id]
		if len(in.Terms) == 0 {
			continue
		}
		for _, candidate := range s.candidates(in) {
			for _, t := range in.Terms {
				if t.Op.OfPatient() || t.Op.OfPeriod() {
					continue
				}
				facts := s.whole.around(t, candidate)
				for _, m := range facts[max(0, len(facts)-mostCandidates):] {
					note(m, t.Input)
				}
			}
		}
	}
}

// candidates is the latest facts that belong to the input as far as each alone can tell.
func (s *search) candidates(in *rules.Input) []Statement {
	var all []member
	for _, x := range s.whole.history {
		if !takes(in, x.Fact.Stream) {
			continue
		}
		if _, ok := s.alone(in, x.Fact); ok {
			all = append(all, member{Statement: x})
		}
	}
	s.work -= len(s.whole.history)
	slices.SortFunc(all, inOrderOfTime)
	var latest []Statement
	for _, m := range all[max(0, len(all)-mostCandidates):] {
		latest = append(latest, m.Statement)
	}
	return latest
}
