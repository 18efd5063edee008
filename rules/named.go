package rules

import "slices"

// Named is what a rule calls by a name of its pack, for tools that ask about it: each *Score that its
// condition, its message or another of these scores asks (its own is called "score"), each *Constant that
// stands in them, and each parameter of the pack that the rule depends on, as a *Constant. What another
// rule asks that it refers to is not the rule's.
func (r *Rule) Named() map[string]Expr {
	named := map[string]Expr{}
	for _, q := range r.Parameters {
		if q.Pack == r.Pack {
			named[q.Name] = &Constant{Name: q.Name, Value: q.Value, Parameter: q}
		}
	}
	nameIn(r.When, named)
	if r.Message != nil {
		for _, p := range r.Message.parts {
			nameIn(p.expr, named)
		}
	}
	return named
}

// nameIn collects the scores and constants of an expression.
func nameIn(e Expr, into map[string]Expr) {
	switch e := e.(type) {
	case *Constant:
		into[e.Name] = e
	case *Score:
		into[e.Name] = e
	case *RuleRef:
		return
	}
	EachPart(e, func(part Expr) { nameIn(part, into) })
}

// Terms are the ids of all that the score asks, ascending, each once.
func (e *Score) Terms() []int {
	var ids []int
	walk(e, func(t *Term) { ids = append(ids, t.ID) })
	slices.Sort(ids)
	return slices.Compact(ids)
}

// Bounds are the least and the greatest that the score can be where its terms, by id, have these values.
func (e *Score) Bounds(values []Value) (least, greatest float64) {
	var l lowering
	return l.score(e).bounds(values, nil)
}

// Input finds an input by the name that a pack gives it, whichever pack of the set declares the same one
// first.
func (p *Program) Input(pack, name string) (*Input, bool) {
	in, ok := p.named[pack][name]
	return in, ok
}

// InputNames are the names of the inputs that a pack declares, in no order.
func (p *Program) InputNames(pack string) []string {
	var names []string
	for name := range p.named[pack] {
		names = append(names, name)
	}
	return names
}

// inputsByName gives the inputs of each pack by name.
func inputsByName(packs []*pack) map[string]map[string]*Input {
	all := map[string]map[string]*Input{}
	for _, p := range packs {
		all[p.name] = map[string]*Input{}
		for _, in := range p.order {
			all[p.name][in.name] = in.input
		}
	}
	return all
}
