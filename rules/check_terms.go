package rules

import (
	"fmt"
	"slices"

	"github.com/expr-lang/expr/ast"

	"github.com/vigil-cds/vigil/internal/clinical"
)

// identifier is a property of the fact in a `where`; elsewhere a bare name means nothing.
func (k *checker) identifier(n *ast.IdentifierNode) (Expr, typ) {
	if k.where == nil {
		name := n.Value
		switch {
		case name == "patient":
			k.fault(n, "`patient` alone says nothing", "ask patient.age, patient.age_months, patient.sex or patient.deceased")
		case k.pack.inputs[name] != nil:
			k.fault(n, fmt.Sprintf("%q is an input, not a value", name), fmt.Sprintf("ask it something, as in `%s.last('48h')`", name))
		default:
			k.fault(n, fmt.Sprintf("unknown name %q", name), k.pack.inputHint(name))
		}
		return nil, broken
	}
	if n.Value == valueName {
		switch k.where.Type {
		case clinical.Coded:
			return &AttributeRef{valueName, true}, codings
		case clinical.Boolean:
			return &AttributeRef{Name: valueName}, boolean
		case clinical.Text:
			return &AttributeRef{Name: valueName}, text
		}
		return &AttributeRef{Name: valueName}, number
	}
	t, ok := attributeTypes[n.Value]
	if !ok {
		names := []string{valueName}
		for name := range attributeTypes {
			names = append(names, name)
		}
		slices.Sort(names)
		k.fault(n, fmt.Sprintf("a fact has no property %q", n.Value), didYouMeanOr(n.Value, names, fmt.Sprintf("a text goes in quotes, '%s'; the properties are", n.Value)))
		return nil, broken
	}
	return &AttributeRef{n.Value, t == codings}, t
}

// member is patient.age and its like; an input's terms are calls.
func (k *checker) member(n *ast.MemberNode) (Expr, typ) {
	name, op, ok := dotted(n)
	if !ok {
		k.fault(n, "this is not a term", "write `input.question('window')`, as in `potassium.last('24h')`")
		return nil, broken
	}
	if name != "patient" {
		hint := fmt.Sprintf("write `%s.%s()`", name, op)
		if k.pack.inputs[name] == nil {
			hint = k.pack.inputHint(name)
			k.fault(n, fmt.Sprintf("unknown input %q", name), hint)
			return nil, broken
		}
		k.faultAt(n, "a question to an input has brackets", hint)
		return nil, broken
	}
	return k.patientTerm(n, op)
}

func (k *checker) patientTerm(n ast.Node, name string) (Expr, typ) {
	if k.refuseInWhere(n) {
		return nil, broken
	}
	op, ok := opOf(name, true)
	if !ok {
		k.faultAt(n, fmt.Sprintf("there is no patient.%s", name), didYouMeanOr(name, opNamesOf(true), "there are"))
		return nil, broken
	}
	return &TermRef{k.c.term(0, op, Window{All: true})}, op.yields(clinical.NoValue)
}

func (k *checker) refuseInWhere(n ast.Node) bool {
	if k.where == nil {
		return false
	}
	k.fault(n, "`where` looks at one fact alone: it cannot ask about inputs or the patient", "move this to the rule's `when`")
	return true
}

// dotted reads `name.word`.
func dotted(n *ast.MemberNode) (name, word string, ok bool) {
	of, ok := n.Node.(*ast.IdentifierNode)
	if !ok || n.Optional {
		return "", "", false
	}
	property, ok := n.Property.(*ast.StringNode)
	if !ok {
		return "", "", false
	}
	return of.Value, property.Value, true
}

func (k *checker) call(n *ast.CallNode, at place) (Expr, typ) {
	callee, ok := n.Callee.(*ast.MemberNode)
	if !ok {
		hint := "the language has no functions; ask an input, as in `potassium.last('24h')`"
		k.fault(n, fmt.Sprintf("unknown function %q", n.Callee), hint)
		return nil, broken
	}
	name, word, ok := dotted(callee)
	if !ok {
		return k.member(callee)
	}
	if k.refuseInWhere(n) {
		return nil, broken
	}
	if name == "patient" {
		if _, known := opOf(word, true); known {
			k.faultAt(callee, fmt.Sprintf("patient.%s has no brackets", word), fmt.Sprintf("write `patient.%s`", word))
			return nil, broken
		}
		return k.patientTerm(callee, word)
	}
	return k.inputTerm(n, callee, name, word, at)
}

func (k *checker) inputTerm(n *ast.CallNode, callee *ast.MemberNode, name, word string, at place) (Expr, typ) {
	input, known := k.c.lookup(k.pack, name)
	if !known {
		k.fault(n, fmt.Sprintf("unknown input %q", name), k.pack.inputHint(name))
	}
	op, ok := opOf(word, false)
	if !ok {
		k.faultAt(callee, fmt.Sprintf("unknown question %q", word), didYouMeanOr(word, opNamesOf(false), "there are"))
		return nil, broken
	}
	window, ok := k.window(n, callee, op)
	if !ok || input == nil {
		return nil, broken
	}
	if op.numeric() && input.Type != clinical.Number {
		k.faultAt(callee, fmt.Sprintf("`%s` is for numbers, and the values of %q are %s", word, name, valueWords[input.Type]),
			"ask exists, count, last, first, or about the time")
		return nil, broken
	}
	if op.Elapsed() && at != compared && !k.shown {
		k.faultAt(callee, fmt.Sprintf("`%s` may only be one side of a comparison that is a condition of its own", word),
			fmt.Sprintf("write it as `%s.%s() >= 6`, or `(%s.%s() ?? 1000) >= 6`, joined to the rest by and, or, not", name, word, name, word))
		return nil, broken
	}
	return &TermRef{k.c.term(input.ID, op, window)}, op.yields(input.Type)
}

var valueWords = [...]string{clinical.Number: "numbers", clinical.Coded: "codes", clinical.Boolean: "booleans", clinical.Text: "texts"}

// window reads the argument of a term.
func (k *checker) window(n *ast.CallNode, callee *ast.MemberNode, op Op) (Window, bool) {
	if len(n.Arguments) == 0 {
		return Window{All: true}, true
	}
	if !op.windowed() {
		k.fault(n.Arguments[0], fmt.Sprintf("`%s` takes no window: it asks about now", op), fmt.Sprintf("write `%s()`", op))
		return Window{}, false
	}
	s, ok := n.Arguments[0].(*ast.StringNode)
	switch {
	case !ok:
		k.fault(n.Arguments[0], "a window is a text", "write it in quotes, as in '48h' or '365d..8d'")
		return Window{}, false
	case len(n.Arguments) > 1:
		k.fault(n.Arguments[1], fmt.Sprintf("`%s` takes one window", op), "both ends go in one text, as in '365d..8d'")
		return Window{}, false
	}
	w, c := parseWindow(s.Value)
	if c != nil {
		k.faultAt(s, c.problem, c.hint)
		return Window{}, false
	}
	return w, true
}
