package cdc

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// ErrMapping is what every Faults wraps.
var ErrMapping = errors.New("the mapping cannot be used")

// Fault is one thing to put right in a mapping.
type Fault struct {
	File      string
	Line, Col int
	Problem   string
	Mend      string
}

// Error is the place, what is wrong, and what to write instead.
func (f Fault) Error() string {
	s := fmt.Sprintf("%s:%d:%d: %s", f.File, f.Line, f.Col, f.Problem)
	if f.Mend != "" {
		s += "; " + f.Mend
	}
	return s
}

// Faults are all faults of a mapping, in the order of the file.
type Faults []Fault

// Error has a line for each.
func (f Faults) Error() string {
	lines := make([]string, len(f))
	for i := range f {
		lines[i] = f[i].Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap makes errors.Is find ErrMapping.
func (f Faults) Unwrap() error { return ErrMapping }

// node is a YAML value where it stands. Exactly one of pairs, items and value says what it is.
type node struct {
	line, col int
	pairs     []pair
	items     []*node
	value     any // string, bool, int64, uint64, float64 or nil
	isMap     bool
	isList    bool
}

type pair struct {
	key   string
	at    *node
	value *node
}

// reader turns a file into nodes and gathers what is wrong.
type reader struct {
	file   string
	faults Faults
}

func (r *reader) fault(at *node, problem, mend string) {
	r.faults = append(r.faults, Fault{r.file, max(at.line, 1), max(at.col, 1), problem, mend})
}

func (r *reader) parse(text []byte) *node {
	file, err := parser.ParseBytes(text, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		at, problem := new(node), "not YAML"
		var syntax yaml.Error
		if errors.As(err, &syntax) {
			problem += ": " + syntax.GetMessage()
			if t := syntax.GetToken(); t != nil {
				at.line, at.col = t.Position.Line, t.Position.Column
			}
		}
		r.fault(at, problem, "")
		return nil
	}
	var root *node
	for _, doc := range file.Docs {
		switch {
		case doc.Body == nil:
		case root != nil:
			r.fault(r.node(doc.Body), "a second document in one file", "put each mapping in a file of its own")
		default:
			root = r.node(doc.Body)
		}
	}
	if root == nil {
		r.fault(new(node), "the file is empty", "a mapping begins with `mapping: 1`")
	}
	return root
}

func (r *reader) node(n ast.Node) *node {
	out := new(node)
	if t := n.GetToken(); t != nil {
		out.line, out.col = t.Position.Line, t.Position.Column
	}
	switch n := n.(type) {
	case *ast.MappingNode:
		out.isMap = true
		for _, v := range n.Values {
			r.pair(out, v)
		}
	case *ast.MappingValueNode:
		out.isMap = true
		r.pair(out, n)
	case *ast.SequenceNode:
		out.isList = true
		for _, v := range n.Values {
			out.items = append(out.items, r.node(v))
		}
	case *ast.LiteralNode:
		out.value = n.Value.Value
	case *ast.NullNode:
	case ast.ScalarNode:
		out.value = n.GetValue()
	default:
		r.fault(out, "anchors, aliases and tags are not part of a mapping", "write the text out where it is used")
	}
	return out
}

func (r *reader) pair(to *node, v *ast.MappingValueNode) {
	key := r.node(v.Key)
	name := fmt.Sprint(key.value)
	if _, merge := v.Key.(*ast.MergeKeyNode); merge || key.isMap || key.isList {
		r.fault(key, "not a key that a mapping can have", "write a plain word before the colon")
		return
	}
	if slices.ContainsFunc(to.pairs, func(p pair) bool { return p.key == name }) {
		r.fault(key, fmt.Sprintf("the key %q is here twice", name), "drop one of the two")
		return
	}
	if !to.isMap || len(to.pairs) == 0 {
		to.line, to.col = key.line, key.col
	}
	to.pairs = append(to.pairs, pair{name, key, r.node(v.Value)})
}

// fields hands each key of a mapping to the reader that its name has, and faults the others.
func (r *reader) fields(n *node, what string, readers map[string]func(*node)) {
	if !n.isMap {
		r.fault(n, what+" is keys with values", "")
		return
	}
	var known []string
	for k := range readers {
		known = append(known, k)
	}
	slices.Sort(known)
	for _, p := range n.pairs {
		if read := readers[p.key]; read != nil {
			read(p.value)
			continue
		}
		r.fault(p.at, fmt.Sprintf("%s has no key %q", what, p.key), "it has "+strings.Join(known, ", "))
	}
}

// words reads a list of words, or one alone.
func (r *reader) words(n *node) []string {
	items := n.items
	if !n.isList {
		items = []*node{n}
	}
	var words []string
	for _, item := range items {
		w, ok := item.value.(string)
		switch {
		case !ok || w == "":
			r.fault(item, "a word is expected here", "")
		case slices.Contains(words, w):
			r.fault(item, fmt.Sprintf("%q is here twice", w), "drop one of the two")
		default:
			words = append(words, w)
		}
	}
	return words
}
