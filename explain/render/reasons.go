package render

import (
	"fmt"
	"slices"
	"strings"

	"github.com/vigil-cds/vigil/explain/record"
)

// reasons are the conditions that made the whole what it is.
func (v *view) reasons() []clause {
	if v.Tree == nil {
		return nil
	}
	return v.because(v.Tree)
}

// because goes down the deciding path to the conditions that nothing takes further apart.
func (v *view) because(n *record.Node) []clause {
	var decide []*record.Node
	for i := range n.Kids {
		if kid := &n.Kids[i]; kid.Boolean && (kid.Decides || n.Op == "not") {
			decide = append(decide, kid)
		}
	}
	switch n.Op {
	case "and", "or", "not", "all", "any", "none", "?:", "rule":
		if len(decide) == 0 {
			break
		}
		if enoughByItself(n) {
			decide = []*record.Node{v.simplest(decide)}
		}
		var all []clause
		for _, kid := range decide {
			all = append(all, v.because(kid)...)
		}
		return all
	case "at_least":
		return []clause{v.quorum(n, decide)}
	case "literal":
		return nil
	}
	clauses := v.atom(n)
	for i := range clauses {
		if v.isDecisive(n, clauses[i]) {
			clauses[i].rank = decisive
		}
	}
	return clauses
}

// enoughByItself says whether one of the deciding parts would have been enough.
func enoughByItself(n *record.Node) bool {
	switch n.Op {
	case "or", "any":
		return n.Truth == record.True
	case "none":
		return n.Truth == record.False
	}
	return false
}

// simplest is that of several alternatives which has to do with what has just happened, or which rests on
// the facts that suffice, or else the first.
func (v *view) simplest(alternatives []*record.Node) *record.Node {
	cost := func(n *record.Node) int {
		facts := v.supporting(n)
		cost := 0
		if !slices.ContainsFunc(facts, v.isNews) {
			cost += 2
		}
		if slices.ContainsFunc(facts, func(i int) bool { return !v.enough[i] }) {
			cost++
		}
		return cost
	}
	return slices.MinFunc(alternatives, func(x, y *record.Node) int { return cost(x) - cost(y) })
}

// supporting are the places of the facts that the terms in n rest on, as far as single facts stand for them.
func (v *view) supporting(n *record.Node) []int {
	var facts []int
	for t := range v.termsIn(n) {
		if u := v.witness(t); u != nil {
			facts = append(facts, u.Fact)
		}
	}
	return facts
}

// isNews says whether a fact is what made the transition happen.
func (v *view) isNews(fact int) bool {
	c := v.Explanation.Cause
	if c == nil {
		return false
	}
	f := &v.Facts[fact]
	return slices.ContainsFunc(c.Facts, func(x record.Fact) bool {
		return x.Partition == f.Partition && x.Offset == f.Offset && x.Index == f.Index
	})
}

// isDecisive says whether a condition is what the sentence is about.
func (v *view) isDecisive(n *record.Node, c clause) bool {
	if v.Truth == record.Unknown {
		return n.Truth == record.Unknown
	}
	if v.Miss != nil && slices.ContainsFunc(v.Miss.Blockers, func(b record.Blocker) bool { return b.Source == n.Source }) {
		return true
	}
	if c := v.Explanation.Cause; c != nil && c.Kind == record.CauseTime {
		return slices.ContainsFunc(slices.Collect(v.termsIn(n)), func(t *record.Term) bool { return strings.HasPrefix(t.Op, "hours_since") || t.Op == "days_since" }) ||
			n.Op == "term" && n.Truth == record.False
	}
	return slices.ContainsFunc(v.supporting(n), v.isNews)
}

// quorum is a condition that at least so many of others hold, with those that decided.
func (v *view) quorum(n *record.Node, decide []*record.Node) clause {
	var yes, unknown int
	for i := range n.Kids {
		switch n.Kids[i].Truth {
		case record.True:
			yes++
		case record.Unknown:
			unknown++
		}
	}
	var members []clause
	for _, kid := range decide {
		if kid.Truth == n.Truth {
			members = append(members, v.because(kid)...)
		}
	}
	hold := fmt.Sprintf("%d of %d hold", yes, len(n.Kids))
	switch {
	case yes == 0:
		hold = fmt.Sprintf("none of %d holds", len(n.Kids))
	case yes == 1:
		hold += "s"
	}
	switch n.Truth {
	case record.False:
		hold += fmt.Sprintf(" where %d must", n.N)
	case record.Unknown:
		hold += fmt.Sprintf(" where %d must, and %d cannot be told", n.N, unknown)
	}
	if len(members) > 0 {
		hold += ": " + listed(v.telling(members), false)
	}
	return clause{text: hold, rank: grouped}
}

// termsIn goes through the terms that a node and its parts ask, in order. Of a default (`a ?? b`) it is the
// side that was taken.
func (v *view) termsIn(n *record.Node) func(yield func(*record.Term) bool) {
	return func(yield func(*record.Term) bool) {
		var visit func(n *record.Node) bool
		visit = func(n *record.Node) bool {
			if t := v.term(n); t != nil {
				return yield(t)
			}
			if taken, _ := v.taken(n); taken != n {
				return visit(taken)
			}
			for i := range n.Kids {
				if !visit(&n.Kids[i]) {
					return false
				}
			}
			return true
		}
		visit(n)
	}
}

// taken is the side of a default that was taken, and of a fallback the side that was missing; n itself
// where it is no default.
func (v *view) taken(n *record.Node) (taken, missing *record.Node) {
	for n.Op == "??" && len(n.Kids) == 2 {
		if n.Kids[0].Value.IsZero() {
			n, missing = &n.Kids[1], &n.Kids[0]
		} else {
			n = &n.Kids[0]
		}
	}
	return n, missing
}
