package rulesrun

import (
	"cmp"
	"slices"

	"github.com/vigil-cds/vigil/explain"
	"github.com/vigil-cds/vigil/internal/rulestest"
	"github.com/vigil-cds/vigil/rules"
)

// Coverage is which atoms of each rule its cases saw true, false and unknown, at the instants at which
// they expect something of the rule. An atom is the smallest part of a condition that is true or false by
// itself: and, or, not, all, any, none and at_least are made of atoms. It is for one goroutine.
type Coverage struct {
	program *rules.Program
	seen    map[string]map[int]*[3]bool // rule → atom → by truth
	cases   map[string]map[*rulestest.Case]bool
}

// NewCoverage begins with nothing seen of any rule.
func NewCoverage(p *rules.Program) *Coverage {
	return &Coverage{program: p, seen: map[string]map[int]*[3]bool{}, cases: map[string]map[*rulestest.Case]bool{}}
}

// look takes note of the rules that a case asks about at an instant.
func (v *Coverage) look(r *Runner, c *rulestest.Case, h explain.History, asked ask) {
	ids := map[string]bool{}
	if asked.expectation >= 0 {
		for _, t := range c.Expect[asked.expectation].Truths {
			ids[t.Rule] = true
		}
		ids[c.Expect[asked.expectation].Rule] = true
	} else {
		for _, t := range c.Turns {
			if slices.Contains(t.At, asked.at) {
				ids[t.Rule] = true
			}
		}
	}
	for id := range ids {
		rule, ok := r.program.Rule(id)
		own, known := v.program.Rule(id)
		if !ok || !known {
			continue
		}
		if v.seen[id] == nil {
			v.seen[id], v.cases[id] = map[int]*[3]bool{}, map[*rulestest.Case]bool{}
		}
		v.cases[id][c] = true
		atoms, counterparts := leaves(rule.Tree), leaves(own.Tree)
		if len(atoms) != len(counterparts) {
			continue // other limits made another condition of it
		}
		references := r.reference.Each(rule, h, asked.at)
		for i, n := range atoms {
			atom := counterparts[i].Atom
			if n.Kind != rules.NodeAtom || counterparts[i].Kind != rules.NodeAtom {
				continue
			}
			if v.seen[id][atom] == nil {
				v.seen[id][atom] = new([3]bool)
			}
			for _, reference := range references {
				v.seen[id][atom][reference.Expr(r.program.Atoms[n.Atom].Expr, h, asked.at).Truth()] = true
			}
		}
	}
}

// leaves are the atoms and constants of a tree as they stand in it: the same at a site's limits as without,
// though which of them are equal may differ.
func leaves(n *rules.Node) []*rules.Node {
	if len(n.Kids) == 0 {
		return []*rules.Node{n}
	}
	var all []*rules.Node
	for _, kid := range n.Kids {
		all = append(all, leaves(kid)...)
	}
	return all
}

// RuleCoverage is what the cases of a rule saw of it.
type RuleCoverage struct {
	Rule  string         `json:"rule"`
	File  string         `json:"file"`
	Line  int            `json:"line"`
	Cases int            `json:"cases"`
	Atoms []AtomCoverage `json:"atoms"`
}

// AtomCoverage is what was seen of one atom.
type AtomCoverage struct {
	Atom    string `json:"atom"`
	True    bool   `json:"true"`
	False   bool   `json:"false"`
	Unknown bool   `json:"unknown"`
}

// Rules is the coverage of every rule, in the order of the files. Many an atom can never be unknown.
func (v *Coverage) Rules() []RuleCoverage {
	all := make([]RuleCoverage, 0, len(v.program.Rules))
	for _, rule := range v.program.Rules {
		c := RuleCoverage{Rule: rule.ID, File: rule.File, Line: rule.Line, Cases: len(v.cases[rule.ID]), Atoms: []AtomCoverage{}}
		for _, atom := range rule.Atoms {
			a := AtomCoverage{Atom: v.program.Atoms[atom].Source}
			if seen := v.seen[rule.ID][atom]; seen != nil {
				a.True, a.False, a.Unknown = seen[rules.True], seen[rules.False], seen[rules.Unknown]
			}
			c.Atoms = append(c.Atoms, a)
		}
		all = append(all, c)
	}
	slices.SortStableFunc(all, func(x, y RuleCoverage) int { return cmp.Or(cmp.Compare(x.File, y.File), cmp.Compare(x.Line, y.Line)) })
	return all
}

// Share is how many of a hundred that there are to see of the rules were seen: each atom true, and each
// false. A set without an atom has nothing that is not seen.
func Share(all []RuleCoverage) float64 {
	seen, there := 0, 0
	for _, rule := range all {
		for _, a := range rule.Atoms {
			there += 2
			for _, b := range []bool{a.True, a.False} {
				if b {
					seen++
				}
			}
		}
	}
	if there == 0 {
		return 100
	}
	return 100 * float64(seen) / float64(there)
}
