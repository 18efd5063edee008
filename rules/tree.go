package rules

import (
	"maps"
	"slices"
)

// split turns a condition into a tree whose leaves are shared atoms; it adds their ids to atoms.
func (c *compiler) split(e Expr, at position, atoms map[int]struct{}) *Node {
	switch e := e.(type) {
	case *Literal:
		return &Node{Kind: NodeConst, Const: e.Value.Truth()}
	case *Constant:
		return &Node{Kind: NodeConst, Const: e.Value.Truth()}
	case *Unary:
		if e.Op == "not" {
			return &Node{Kind: NodeNot, Kids: []*Node{c.split(e.X, at, atoms)}}
		}
	case *Binary:
		switch e.Op {
		case "and":
			return join(NodeAnd, c.split(e.X, at, atoms), c.split(e.Y, at, atoms))
		case "or":
			return join(NodeOr, c.split(e.X, at, atoms), c.split(e.Y, at, atoms))
		}
	case *Combination:
		kids := make([]*Node, len(e.Kids))
		for i, kid := range e.Kids {
			kids[i] = c.split(kid, at, atoms)
		}
		switch e.Op {
		case "all":
			return join(NodeAnd, kids...)
		case "any":
			return join(NodeOr, kids...)
		case "none":
			return &Node{Kind: NodeNot, Kids: []*Node{join(NodeOr, kids...)}}
		}
		return &Node{Kind: NodeAtLeast, N: e.N, Kids: kids}
	}
	if ref, ok := e.(*RuleRef); ok {
		other := c.entries[ref.ID].made
		for _, id := range other.Atoms {
			atoms[id] = struct{}{}
		}
		return other.Tree
	}
	a := c.atom(e, at)
	atoms[a.ID] = struct{}{}
	return &Node{Kind: NodeAtom, Atom: a.ID}
}

// join combines nodes, taking in the children of those that combine in the same way.
func join(kind NodeKind, nodes ...*Node) *Node {
	out := &Node{Kind: kind}
	for _, n := range nodes {
		if n.Kind == kind {
			out.Kids = append(out.Kids, n.Kids...)
		} else {
			out.Kids = append(out.Kids, n)
		}
	}
	if len(out.Kids) == 1 {
		return out.Kids[0]
	}
	return out
}

// atom is the one Atom that asks this.
func (c *compiler) atom(e Expr, at position) *Atom {
	key := sharingKey(e)
	if a := c.atomKeys[key]; a != nil {
		return a
	}
	a := &Atom{ID: len(c.atoms), Expr: e, Elapsed: -1, Threshold: threshold(e)}
	terms := map[int]struct{}{}
	walk(e, func(t *Term) {
		terms[t.ID] = struct{}{}
		a.Each = max(a.Each, t.Each)
		if t.Op.Elapsed() {
			a.Elapsed = t.ID
		}
	})
	a.Terms = slices.Sorted(maps.Keys(terms))
	var ok bool
	if a.code, ok = lower(e); !ok {
		c.add(at, "a part of the condition is nested too deeply", "split it, or use all, any and at_least")
	}
	c.atoms = append(c.atoms, a)
	c.atomKeys[key] = a
	return a
}

// threshold recognises a Count term compared with a constant.
func threshold(e Expr) *Threshold {
	b, ok := e.(*Binary)
	if !ok || comparisonOf(b.Op) == notComparison {
		return nil
	}
	op, x, y := comparisonOf(b.Op), b.X, b.Y
	if _, ok := constantOf(x); ok {
		op, x, y = op.mirrored(), y, x
	}
	t, isTerm := x.(*TermRef)
	k, isConstant := constantOf(y)
	if !isTerm || !isConstant || t.Term.Op != Count {
		return nil
	}
	return &Threshold{Term: t.Term.ID, Op: comparisonNames[op], Constant: k.Num}
}

// Eval combines the truths of the atoms, asked for by id as needed, by Kleene's tables. It allocates
// nothing.
func (n *Node) Eval(atom func(int) Truth) Truth {
	switch n.Kind {
	case NodeAtom:
		return atom(n.Atom)
	case NodeConst:
		return n.Const
	case NodeNot:
		return Not(n.Kids[0].Eval(atom))
	case NodeAnd:
		all := True
		for _, kid := range n.Kids {
			if all = And(all, kid.Eval(atom)); all == False {
				break
			}
		}
		return all
	case NodeOr:
		some := False
		for _, kid := range n.Kids {
			if some = Or(some, kid.Eval(atom)); some == True {
				break
			}
		}
		return some
	}
	trues, unknowns := 0, 0
	for _, kid := range n.Kids {
		switch kid.Eval(atom) {
		case True:
			trues++
		case Unknown:
			unknowns++
		}
	}
	return AtLeast(n.N, trues, unknowns)
}
