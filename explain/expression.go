package explain

import (
	"fmt"
	"math"
	"slices"

	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/rules"
)

// scope is what the names in an expression mean: terms in a rule's condition, properties of one fact in
// an input's `where`.
type scope struct {
	term      func(*rules.Term) rules.Value
	attribute func(*rules.AttributeRef) property
}

// evaluate is the value of an expression. Missing travels: a missing boolean is the truth value unknown.
func evaluate(e rules.Expr, s scope) rules.Value {
	switch e := e.(type) {
	case *rules.Literal:
		return e.Value
	case *rules.Constant:
		return e.Value
	case *rules.TermRef:
		return s.term(e.Term)
	case *rules.RuleRef:
		return evaluate(e.When, s)
	case *rules.Score:
		return stretchOf(e, s).value()
	case *rules.Points:
		least, greatest := points(e, s)
		return stretch{rules.NumberOf(least), rules.NumberOf(greatest)}.value()
	case *rules.Lookup:
		return lookup(e, s)
	case *rules.AttributeRef:
		return s.attribute(e).value
	case *rules.Has:
		p := s.attribute(e.X)
		return rules.BoolOf(p.value.Kind != rules.Missing || len(p.codes) > 0)
	case *rules.Unary:
		return unary(e, s)
	case *rules.Binary:
		return binary(e, s)
	case *rules.Conditional:
		switch truth(e.If, s) {
		case rules.True:
			return evaluate(e.Then, s)
		case rules.False:
			return evaluate(e.Else, s)
		}
		return rules.Value{}
	case *rules.In:
		return in(e, s)
	case *rules.Dates:
		return dates(e, evaluate(e.X, s), evaluate(e.Y, s))
	case *rules.Combination:
		return valueOf(combination(e, s))
	}
	panic(fmt.Sprintf("explain: an expression of unknown kind %T", e))
}

func truth(e rules.Expr, s scope) rules.Truth { return evaluate(e, s).Truth() }

// valueOf is a truth as a value: unknown is a missing boolean.
func valueOf(t rules.Truth) rules.Value {
	if t == rules.Unknown {
		return rules.Value{}
	}
	return rules.BoolOf(t == rules.True)
}

func unary(e *rules.Unary, s scope) rules.Value {
	switch e.Op {
	case "not":
		return valueOf(rules.Not(truth(e.X, s)))
	case "-":
		return arithmetic("-", rules.NumberOf(0), evaluate(e.X, s))
	}
	panic(fmt.Sprintf("explain: unknown operator %q", e.Op))
}

func binary(e *rules.Binary, s scope) rules.Value {
	if scored(e) && slices.Contains(comparisons, e.Op) {
		return compareStretches(e.Op, stretchOf(e.X, s), stretchOf(e.Y, s))
	}
	switch e.Op {
	case "and":
		return valueOf(rules.And(truth(e.X, s), truth(e.Y, s)))
	case "or":
		return valueOf(rules.Or(truth(e.X, s), truth(e.Y, s)))
	case "??":
		if x := evaluate(e.X, s); x.Kind != rules.Missing {
			return x
		}
		return evaluate(e.Y, s)
	case "+", "-", "*", "/":
		return arithmetic(e.Op, evaluate(e.X, s), evaluate(e.Y, s))
	case "==", "!=":
		if a, ok := coded(e.X); ok {
			return compareCodes(e.Op, s.attribute(a).codes, evaluate(e.Y, s))
		}
		if a, ok := coded(e.Y); ok {
			return compareCodes(e.Op, s.attribute(a).codes, evaluate(e.X, s))
		}
		return rules.CompareValues(e.Op, evaluate(e.X, s), evaluate(e.Y, s))
	case "<", "<=", ">", ">=":
		return rules.CompareValues(e.Op, evaluate(e.X, s), evaluate(e.Y, s))
	}
	panic(fmt.Sprintf("explain: unknown operator %q", e.Op))
}

// arithmetic is missing with a missing or bounded side, for a division by zero, and where the result is
// not finite.
func arithmetic(op string, x, y rules.Value) rules.Value {
	if !exact(x) || !exact(y) {
		return rules.Value{}
	}
	switch op {
	case "+":
		return finite(x.Num + y.Num)
	case "-":
		return finite(x.Num - y.Num)
	case "*":
		return finite(x.Num * y.Num)
	}
	if y.Num == 0 {
		return rules.Value{}
	}
	return finite(x.Num / y.Num)
}

// exact says that the value is a number without a comparator.
func exact(v rules.Value) bool { return v.Kind == rules.Number && v.Bound == clinical.Exactly }

// finite is the number x, missing where it is not a finite one.
func finite(x float64) rules.Value {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return rules.Value{}
	}
	return rules.NumberOf(x)
}

// in is `x == a or x == b or …`; of a value set, whether any coding of the property is one of its members,
// missing without codings.
func in(e *rules.In, s scope) rules.Value {
	if e.Set != nil {
		a, _ := coded(e.X)
		codes := s.attribute(a).codes
		if len(codes) == 0 {
			return rules.Value{}
		}
		return rules.BoolOf(slices.ContainsFunc(codes, func(c clinical.Code) bool { return listed(e.Set, c) }))
	}
	found := rules.False
	for _, item := range e.List {
		found = rules.Or(found, truth(&rules.Binary{Op: "==", X: e.X, Y: &rules.Literal{Value: item}}, s))
	}
	return valueOf(found)
}

// coded says whether e is a property of the fact that is compared by its codings.
func coded(e rules.Expr) (*rules.AttributeRef, bool) {
	a, ok := e.(*rules.AttributeRef)
	return a, ok && a.Coded
}

// compareCodes says whether any of the codings is the one that the text means, or for != that none is;
// missing without codings.
func compareCodes(op string, codes []clinical.Code, text rules.Value) rules.Value {
	if len(codes) == 0 || text.Kind != rules.Text {
		return rules.Value{}
	}
	is := slices.ContainsFunc(codes, func(c clinical.Code) bool { return c.Is(text.Str) })
	return rules.BoolOf(is == (op == "=="))
}

// listed says whether a coding is a member of the value set. One without a system is a token whose system
// FHIR fixes: it is listed where its code is, in whatever system.
func listed(set *rules.ValueSet, c clinical.Code) bool {
	return slices.ContainsFunc(set.Codes, func(member clinical.Code) bool {
		return c == member || c.System() == "" && c.Value() == member.Value()
	})
}

// combination reads all as and, any as or, none as not any, and at_least by counting.
func combination(e *rules.Combination, s scope) rules.Truth {
	every, some, trues, unknowns := rules.True, rules.False, 0, 0
	for _, kid := range e.Kids {
		t := truth(kid, s)
		every, some = rules.And(every, t), rules.Or(some, t)
		switch t {
		case rules.True:
			trues++
		case rules.Unknown:
			unknowns++
		}
	}
	switch e.Op {
	case "all":
		return every
	case "any":
		return some
	case "none":
		return rules.Not(some)
	case "at_least":
		return rules.AtLeast(e.N, trues, unknowns)
	}
	panic(fmt.Sprintf("explain: unknown combination %q", e.Op))
}

// parts are the expressions that e is directly made of.
func parts(e rules.Expr) []rules.Expr {
	switch e := e.(type) {
	case *rules.Unary:
		return []rules.Expr{e.X}
	case *rules.Binary:
		return []rules.Expr{e.X, e.Y}
	case *rules.Conditional:
		return []rules.Expr{e.If, e.Then, e.Else}
	case *rules.In:
		return []rules.Expr{e.X}
	case *rules.Dates:
		return []rules.Expr{e.X, e.Y}
	case *rules.Has:
		return []rules.Expr{e.X}
	case *rules.Combination:
		return e.Kids
	case *rules.RuleRef:
		return []rules.Expr{e.When}
	case *rules.Score:
		items := make([]rules.Expr, len(e.Items))
		for i, item := range e.Items {
			items[i] = item
		}
		return items
	case *rules.Points:
		switch {
		case e.When == nil:
			return []rules.Expr{e.Of}
		case e.Of == nil:
			return []rules.Expr{e.When}
		}
		return []rules.Expr{e.When, e.Of}
	case *rules.Lookup:
		return e.Keys
	}
	return nil
}

// walk visits e and everything that it is made of.
func walk(e rules.Expr, visit func(rules.Expr)) {
	visit(e)
	for _, part := range parts(e) {
		walk(part, visit)
	}
}

// termsOf are the terms that e asks, each once, in the order in which it names them.
func termsOf(e rules.Expr) []*rules.Term {
	var terms []*rules.Term
	walk(e, func(e rules.Expr) {
		if ref, ok := e.(*rules.TermRef); ok && !slices.Contains(terms, ref.Term) {
			terms = append(terms, ref.Term)
		}
	})
	return terms
}
