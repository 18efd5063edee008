package lint

import (
	"slices"

	"github.com/vigil-cds/vigil/rules"
)

// constraint is what a condition says of one thing where it is true: that its number lies in an interval, or
// that its text is one of some, or none of some.
type constraint struct {
	key    string
	span   interval
	only   []string // the texts it can be; nil: any
	except []string // the texts it cannot be
	text   bool
	from   rules.Expr
	negate bool
}

// meet is what holds where both do; empty reports that nothing can.
func (c constraint) meet(d constraint) constraint {
	out := c
	out.span = c.span.meet(d.span)
	switch {
	case c.only == nil:
		out.only = d.only
	case d.only != nil:
		out.only = []string{}
		for _, s := range c.only {
			if slices.Contains(d.only, s) {
				out.only = append(out.only, s)
			}
		}
	}
	out.except = append(slices.Clone(c.except), d.except...)
	return out
}

func (c constraint) empty() bool {
	if !c.text {
		return c.span.empty()
	}
	return c.only != nil && !slices.ContainsFunc(c.only, func(s string) bool { return !slices.Contains(c.except, s) })
}

// constraintOf reads a condition that speaks of one thing and constants. With negate, the condition is false.
func constraintOf(e rules.Expr, negate bool) (constraint, bool) {
	c := constraint{span: anything, from: e, negate: negate}
	switch e := e.(type) {
	case *rules.Unary:
		if e.Op == "not" {
			return constraintOf(e.X, !negate)
		}
	case *rules.TermRef, *rules.Has:
		// A truth: two texts, of which it has one.
		c.key, c.text, c.only = e.String(), true, []string{truth(!negate)}
		return c, true
	case *rules.In:
		if coded(e.X) || e.Set != nil {
			return c, false
		}
		c.key, c.text = e.X.String(), true
		list := []string{}
		for _, v := range e.List {
			if v.Kind != rules.Text {
				return c, false
			}
			list = append(list, v.Str)
		}
		c.texts(list, negate)
		return c, true
	case *rules.Binary:
		op, x, y := e.Op, e.X, e.Y
		if opposites[op] == "" || coded(x) || coded(y) {
			return c, false
		}
		if _, ok := constant(x); ok {
			op, x, y = mirrors[op], y, x
		}
		v, ok := constant(y)
		if !ok {
			return c, false
		}
		if negate {
			op = opposites[op]
		}
		c.key = x.String()
		return c.compared(op, v)
	}
	return c, false
}

func truth(b bool) string {
	if b {
		return "true"
	}
	return "false"
}

// coded reports a property that may have several codes at once, so that it can equal two texts.
func coded(e rules.Expr) bool {
	a, ok := e.(*rules.AttributeRef)
	return ok && a.Coded
}

func (c *constraint) texts(list []string, negate bool) {
	if negate {
		c.except = list
	} else {
		c.only = list
	}
}

func (c constraint) compared(op string, v rules.Value) (constraint, bool) {
	if v.Kind == rules.Text && (op == "==" || op == "!=") {
		c.text = true
		c.texts([]string{v.Str}, op == "!=")
		return c, true
	}
	if v.Kind != rules.Number {
		return c, false
	}
	switch op {
	case "<", "<=":
		c.span.hi, c.span.hiOpen = v.Num, op == "<"
	case ">", ">=":
		c.span.lo, c.span.loOpen = v.Num, op == ">"
	case "==":
		c.span = exactly(v.Num)
	default:
		return c, false
	}
	return c, true
}

// side is one of the conditions that a connective joins; with negate, it is the opposite that counts.
type side struct {
	e      rules.Expr
	negate bool
}

// joined are the conditions that must all hold for e to hold (with negate: for e not to hold), or of which
// one must where any is true.
func joined(e rules.Expr, negate bool) (sides []side, any bool) {
	op, kids := connective(e)
	switch op {
	case "not":
		return joined(kids[0], !negate)
	case "none":
		op, negate = "or", !negate
	case "":
		return []side{{e, negate}}, false
	}
	any = (op == "or") != negate
	for _, kid := range kids {
		inner, innerAny := joined(kid, negate)
		if len(inner) == 1 || innerAny == any {
			sides = append(sides, inner...)
		} else {
			sides = append(sides, side{kid, negate})
		}
	}
	return sides, any
}

// connective is "and", "or", "not" or "none" with what it joins; "" for anything else.
func connective(e rules.Expr) (op string, kids []rules.Expr) {
	switch e := e.(type) {
	case *rules.Unary:
		if e.Op == "not" {
			return "not", []rules.Expr{e.X}
		}
	case *rules.Binary:
		if e.Op == "and" || e.Op == "or" {
			return e.Op, []rules.Expr{e.X, e.Y}
		}
	case *rules.Combination:
		switch e.Op {
		case "all":
			return "and", e.Kids
		case "any":
			return "or", e.Kids
		case "none":
			return "none", e.Kids
		}
	}
	return "", nil
}

// together reports conditions that exclude each other, or that leave nothing out.
func (l *linter) together(e rules.Expr, negate bool, assumed []constraint, within rules.Place) {
	sides, any := joined(e, negate)
	if len(sides) == 1 {
		l.inside(sides[0].e, assumed, within)
		return
	}
	held := slices.Clone(assumed)
	var missed []constraint // what is left over when the sides before are false
	for _, s := range sides {
		c, ok := constraintOf(s.e, s.negate)
		if !ok {
			continue
		}
		if other, ok := clash(held, c); ok {
			if any {
				l.add(l.at(s.e, within), Contradiction, "drop it, or correct one of the two", "`%s` can never be true beside `%s`", shown(s.e, s.negate), shown(other.from, other.negate))
			} else {
				l.add(l.at(s.e, within), Contradiction, "join them by `or` if either will do, or correct one of the two",
					"`%s` and `%s` are never true together", shown(other.from, other.negate), shown(s.e, s.negate))
			}
			continue
		}
		if !any {
			held = append(held, c)
			continue
		}
		rest, ok := constraintOf(s.e, !s.negate)
		if !ok {
			continue
		}
		if other, ok := clash(missed, rest); ok {
			l.add(l.at(s.e, within), NeverFalse, "join them by `and` if both must hold, or correct one of the two",
				"`%s` or `%s` is never false: one of them always holds", shown(other.from, !other.negate), shown(s.e, s.negate))
			continue
		}
		missed = append(missed, rest)
	}
	for _, s := range sides {
		if _, ok := constraintOf(s.e, s.negate); ok {
			l.inside(s.e, nil, within)
			continue
		}
		if inner, _ := joined(s.e, s.negate); len(inner) > 1 {
			l.together(s.e, s.negate, held, within)
		} else {
			l.inside(s.e, nil, within)
		}
	}
}

// inside looks at conditions inside one that is neither and, or nor not.
func (l *linter) inside(e rules.Expr, assumed []constraint, within rules.Place) {
	rules.EachPart(e, func(part rules.Expr) {
		if op, _ := connective(part); op != "" {
			l.together(part, false, nil, within)
		} else {
			l.inside(part, nil, within)
		}
	})
}

// clash finds what c cannot hold beside: one of those before, or the sum of them, named by the last.
func clash(held []constraint, c constraint) (constraint, bool) {
	sum := c
	for _, h := range held {
		if h.key != c.key || h.text != c.text {
			continue
		}
		if h.meet(c).empty() {
			return h, true
		}
		if sum = sum.meet(h); sum.empty() {
			return h, true
		}
	}
	return constraint{}, false
}

// shown is a condition as its author would read it.
func shown(e rules.Expr, negate bool) string {
	if !negate {
		return e.String()
	}
	return (&rules.Unary{Op: "not", X: e}).String()
}
