package rules

import (
	"fmt"
	"slices"

	"github.com/expr-lang/expr/ast"
)

// filter reads the condition that may stand last among a term's arguments, as in
// `creatinine.last('48h', value >= 1.5)`, and makes the input of those facts of which it is true. It leaves
// the call with the other arguments. Where there is none the input stays as it is.
func (k *checker) filter(n *ast.CallNode, input *Input) (*Input, *ast.CallNode, bool) {
	last := len(n.Arguments) - 1
	if last < 0 || !conditional(n.Arguments[last]) {
		return input, n, true
	}
	rest := *n
	rest.Arguments = n.Arguments[:last]
	if input == nil {
		return nil, &rest, true
	}
	at := n.Arguments[last]
	made := input.made()
	made.Pack, made.Name = input.Pack, input.Name
	e, t := (&checker{c: k.c, pack: k.pack, source: k.source, base: k.base, where: made}).check(at, condition)
	switch {
	case t == broken:
		return nil, nil, false
	case t != boolean:
		k.fault(at, fmt.Sprintf("this is %s, not a condition", t), "numbers and windows are written down, as in `nth(2, '7d')`; what is worked out here is a condition that picks the facts, as in `last('48h', value >= 1.5)`")
		return nil, nil, false
	case len(made.Terms) > MaxTerms:
		k.fault(at, fmt.Sprintf("the condition asks %d different questions, more than %d", len(made.Terms), MaxTerms), "split it")
		return nil, nil, false
	}
	if _, ok := lower(e); !ok {
		k.fault(at, "the condition is nested too deeply", "make an input with it")
		return nil, nil, false
	}
	made.Filter = e.String()
	if input.Filter != "" {
		made.Filter = input.Filter + " and " + made.Filter
	}
	made.Where = append([]Expr{e}, made.Where...)
	return k.c.share(made), &rest, true
}

// conditional reports whether an argument is a condition rather than a number, a text or the name of one.
func conditional(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.BinaryNode, *ast.CallNode, *ast.ConditionalNode, *ast.BoolNode:
		return true
	case *ast.UnaryNode:
		return n.Operator == "not" || n.Operator == "!"
	case *ast.IdentifierNode:
		return n.Value == valueName
	}
	return false
}

// made is the start of an input made from this one.
func (in *Input) made() *Input {
	return &Input{Kind: in.Kind, Codes: in.Codes, Type: in.Type, Unit: in.Unit, Substance: in.Substance, ValueSets: in.ValueSets,
		Where: slices.Clone(in.Where), Terms: slices.Clone(in.Terms), accept: accept{unit: in.accept.unit}}
}
