package rulestest

import (
	"errors"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// node is a YAML value with its place. Scalars are kept as written, without their quotes: what 1.30 or
// true means depends on where it stands.
type node struct {
	shape     shape
	line, col int
	text      string
	style     style
	items     []node
	pairs     []pair
}

type pair struct {
	key   string
	at    node
	value node
}

// style is how a scalar is written.
type style int

const (
	plain style = iota
	quoted
	block
)

type shape int

const (
	blank shape = iota
	scalar
	sequence
	mapping
)

// parse reads the one document of a file; false after a fault.
func (r *reader) parse(data []byte) (node, bool) {
	file, err := parser.ParseBytes(data, 0)
	if err != nil {
		at := node{line: 1, col: 1}
		var fault yaml.Error
		if errors.As(err, &fault) && fault.GetToken() != nil {
			at.line, at.col = fault.GetToken().Position.Line, fault.GetToken().Position.Column
			r.fault(at, "put quotes around a text with {…} or that begins with @ or >", "this is not YAML: %s", fault.GetMessage())
		} else {
			r.fault(at, "", "this is not YAML: %v", err)
		}
		return node{}, false
	}
	if len(file.Docs) != 1 || file.Docs[0].Body == nil {
		r.fault(node{line: 1, col: 1}, "begin it with `cases:` and a list", "the file is not one YAML document")
		return node{}, false
	}
	before := len(r.faults)
	n := r.convert(file.Docs[0].Body)
	return n, len(r.faults) == before
}

func (r *reader) convert(a ast.Node) node {
	at := a.GetToken().Position
	n := node{line: at.Line, col: at.Column}
	switch a := a.(type) {
	case *ast.MappingNode:
		n.shape = mapping
		for _, v := range a.Values {
			n.pairs = append(n.pairs, r.pair(v))
		}
		if len(n.pairs) > 0 && !a.IsFlowStyle {
			n.line, n.col = n.pairs[0].at.line, n.pairs[0].at.col // not where the first colon stands
		}
	case *ast.MappingValueNode:
		p := r.pair(a)
		n = node{shape: mapping, line: p.at.line, col: p.at.col, pairs: []pair{p}}
	case *ast.SequenceNode:
		n.shape = sequence
		for _, v := range a.Values {
			n.items = append(n.items, r.convert(v))
		}
	case *ast.NullNode:
		n.shape = blank
	case *ast.AnchorNode, *ast.AliasNode, *ast.TagNode, *ast.MergeKeyNode:
		r.fault(n, "write the value out", "anchors, aliases and tags have no place in test cases")
	case *ast.LiteralNode:
		n.shape, n.style, n.text = scalar, block, strings.TrimSpace(a.Value.Value)
	case ast.ScalarNode:
		n.shape, n.text = scalar, strings.TrimSpace(a.GetToken().Value)
		if origin := strings.TrimSpace(a.GetToken().Origin); strings.HasPrefix(origin, "'") || strings.HasPrefix(origin, "\"") {
			n.style = quoted
		}
	default:
		r.fault(n, "write text, a list or keys with values", "this kind of YAML value has no place in test cases")
	}
	return n
}

func (r *reader) pair(v *ast.MappingValueNode) pair {
	at := v.Key.GetToken()
	return pair{
		key:   at.Value,
		at:    node{line: at.Position.Line, col: at.Position.Column},
		value: r.convert(v.Value),
	}
}

// keys reads a mapping that has none but the keys allowed, those without a value left out.
func (r *reader) keys(n node, what string, allowed ...string) map[string]node {
	if n.shape != mapping {
		r.fault(n, "its keys are "+strings.Join(allowed, ", "), "%s is written as keys with values", what)
		return nil
	}
	out := map[string]node{}
	for _, p := range n.pairs {
		switch {
		case !slices.Contains(allowed, p.key):
			r.fault(p.at, nearestOr(p.key, slices.Clone(allowed), "its keys are"), "%s has no key %q", what, p.key)
		case p.value.shape == blank:
			r.fault(p.at, "give it a value or drop the key", "%q is empty", p.key)
		default:
			out[p.key] = p.value
		}
	}
	return out
}

// required is the text of a key that must be there; "" after a fault.
func (r *reader) required(n node, keys map[string]node, key, hint string) string {
	v, ok := keys[key]
	if !ok {
		r.fault(n, hint, "%s is missing", key)
		return ""
	}
	return r.text(v, key)
}

// text is a scalar's; "" after a fault.
func (r *reader) text(n node, what string) string {
	if n.shape != scalar || n.text == "" {
		r.fault(n, "", "%s is a single value", what)
		return ""
	}
	return n.text
}
