package cdc

import (
	"errors"
	"fmt"
	"strings"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/parser"
	"github.com/expr-lang/expr/types"
	"github.com/expr-lang/expr/vm"
)

// template is JSON with expressions at its leaves. What they leave nil is left out.
type template interface {
	render(env map[string]any) (any, error)
}

type object []struct {
	key   string
	value template
}

type sequence []template

type constant struct{ value any }

// leaf is an expression with the place at which it is written.
type leaf struct {
	place   string // file:line
	program *vm.Program
}

// leafFault is the failure of an expression for a row. The cause may show values of the row.
type leafFault struct {
	place string
	cause error
}

func (f *leafFault) Error() string { return f.place + ": " + f.cause.Error() }
func (f *leafFault) Unwrap() error { return f.cause }

// template reads what a resource is made of: a text that begins with = is an expression.
func (m *Mapping) template(r *reader, n *node, env types.Map) template {
	switch {
	case n.isMap:
		var o object
		for _, p := range n.pairs {
			o = append(o, struct {
				key   string
				value template
			}{p.key, m.template(r, p.value, env)})
		}
		return o
	case n.isList:
		var s sequence
		for _, item := range n.items {
			s = append(s, m.template(r, item, env))
		}
		return s
	}
	if text, ok := n.value.(string); ok && strings.HasPrefix(text, "=") {
		return m.compile(r, n, text[1:], env)
	}
	return constant{n.value}
}

// compile reads an expression and holds the columns, the tables and the codes that it names to those there are.
func (m *Mapping) compile(r *reader, n *node, text string, env types.Map, options ...expr.Option) *leaf {
	text = strings.TrimSpace(text)
	if tree, err := parser.Parse(text); err == nil {
		names := &names{mapping: m}
		ast.Walk(&tree.Node, names)
		for _, p := range names.problems {
			r.fault(n, p.problem, p.mend)
		}
	}
	program, err := expr.Compile(text, append(append(functions(), expr.Env(env)), options...)...)
	if err != nil {
		problem := err.Error()
		var syntax *file.Error
		if errors.As(err, &syntax) {
			problem = syntax.Message
		}
		r.fault(n, "the expression cannot be read: "+problem, "")
		return nil
	}
	return &leaf{fmt.Sprintf("%s:%d", r.file, n.line), program}
}

func (o object) render(env map[string]any) (any, error) {
	out := make(map[string]any, len(o))
	for _, f := range o {
		v, err := f.value.render(env)
		if err != nil {
			return nil, err
		}
		if v != nil {
			out[f.key] = v
		}
	}
	if len(out) == 0 {
		return nil, nil
	}
	return out, nil
}

func (s sequence) render(env map[string]any) (any, error) {
	var out []any
	for _, item := range s {
		v, err := item.render(env)
		if err != nil {
			return nil, err
		}
		if v != nil {
			out = append(out, v)
		}
	}
	if len(out) == 0 {
		return nil, nil
	}
	return out, nil
}

func (c constant) render(map[string]any) (any, error) { return c.value, nil }

func (l *leaf) render(env map[string]any) (any, error) {
	v, err := expr.Run(l.program, env)
	if err != nil {
		return nil, &leafFault{l.place, err}
	}
	return v, nil
}
