package rules

import (
	"fmt"

	"github.com/expr-lang/expr/ast"

	"github.com/vigil-cds/vigil/internal/clinical"
)

func (k *checker) comparison(n *ast.BinaryNode, at place) (Expr, typ) {
	within := inside
	if at == condition {
		within = compared
	}
	x, tx := k.check(n.Left, within)
	y, ty := k.check(n.Right, within)
	x, tx, y, ty = k.lengths(n, x, tx, y, ty)
	if tx == broken || ty == broken {
		return nil, broken
	}
	op := n.Operator
	if tx == codings || ty == codings {
		x, y = literal(x), literal(y)
	}
	if tx == codings || ty == codings {
		return k.codedComparison(n, x, y, tx, ty)
	}
	switch {
	case tx != ty:
		hint := ""
		if tx == text && ty == number || tx == number && ty == text {
			hint = "write numbers without quotes"
		}
		if tx == length || ty == length {
			hint = "write a length of time in quotes, as in '24h'"
		}
		k.fault(n, fmt.Sprintf("%s cannot be compared with %s", tx, ty), hint)
		return nil, broken
	case comparisonOf(op) > unequal && (tx == text || tx == boolean):
		k.faultAt(n, fmt.Sprintf("`%s` has no meaning for %s", op, plural(tx)), "only == and != do")
		return nil, broken
	case elapsed(x) && elapsed(y):
		k.fault(n, "both sides change with every millisecond", "compare their times: `a.last_time() < b.last_time()`")
		return nil, broken
	case (elapsed(x) || elapsed(y)) && comparesScore(&Binary{op, x, y}):
		k.fault(n, "a score and an elapsed time cannot be compared", "compare each with a number")
		return nil, broken
	case (elapsed(x) || elapsed(y)) && comparisonOf(op) <= unequal:
		k.faultAt(n, "an elapsed time equals a number for no longer than a moment", "compare it with >= or <")
		return nil, broken
	}
	if k.mixed(n, x, y) {
		return nil, broken
	}
	if problem := k.otherUnit(x, y); problem != "" {
		k.fault(n, problem, "write the parameter in the unit of what it is compared with")
		return nil, broken
	}
	return &Binary{op, x, y}, boolean
}

// otherUnit says that a term is compared with a parameter in another unit.
func (k *checker) otherUnit(x, y Expr) string {
	c, ok := y.(*Constant)
	if !ok {
		x, y = y, x
		c, ok = y.(*Constant)
	}
	t, isTerm := x.(*TermRef)
	if !ok || !isTerm || c.Parameter == nil || c.Parameter.Unit == "" {
		return ""
	}
	in := k.c.inputs[t.Term.Input]
	if !t.Term.Op.inUnit() || in.Unit == "" || in.Unit == c.Parameter.Unit {
		return ""
	}
	return fmt.Sprintf("the parameter %q is in %s, and %q in %s", c.Name, c.Parameter.Unit, in.Name, in.Unit)
}

// literal is a constant without its name.
func literal(e Expr) Expr {
	if c, ok := e.(*Constant); ok {
		return &Literal{c.Value}
	}
	return e
}

func plural(t typ) string {
	if t == text {
		return "texts"
	}
	return "conditions"
}

// elapsed reports whether e is a term of elapsed time, alone or with a default.
func elapsed(e Expr) bool {
	if b, ok := e.(*Binary); ok && b.Op == "??" {
		e = b.X
	}
	t, ok := e.(*TermRef)
	return ok && t.Term.Op.Elapsed()
}

func (k *checker) codedComparison(n *ast.BinaryNode, x, y Expr, tx, ty typ) (Expr, typ) {
	other := y
	if tx != codings {
		other = x
	}
	l, ok := other.(*Literal)
	switch {
	case tx == codings && ty == codings || !ok || l.Value.Kind != Text:
		k.fault(n, "a coded property is compared with a text", "write the code in quotes, as in `status == 'final'`")
		return nil, broken
	case comparisonOf(n.Operator) > unequal:
		k.faultAt(n, fmt.Sprintf("`%s` has no meaning for codes", n.Operator), "use ==, != or `in ['a', 'b']`")
		return nil, broken
	}
	l.Value = codeText(l.Value)
	return &Binary{n.Operator, x, y}, boolean
}

// codeText gives a whole coding its system's short name, as facts carry it.
func codeText(v Value) Value {
	if system, code, ok := cutCode(v.Str); ok {
		return TextOf(string(clinical.NewCode(system, code)))
	}
	return v
}
