package rules

import (
	"errors"
	"fmt"
	"strings"
	"unicode"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// style is how a scalar is written, which decides how its characters map to places in the file.
type style uint8

const (
	plain style = iota
	single
	double
	block
)

type shape uint8

const (
	empty shape = iota
	scalar
	list
	mapping
)

var shapeNames = [...]string{"nothing", "text", "a list", "keys with values"}

// node is a YAML value with the place where it is written.
type node struct {
	src   *source
	shape shape
	line  int
	col   int

	text  string // scalar
	style style
	items []*node // list
	pairs []pair  // mapping, in the order written
}

type pair struct{ key, value *node }

// source is one file, kept by lines so that a place inside a scalar can be found again.
type source struct {
	name  string
	lines [][]rune
}

func (n *node) at() position { return n.src.place(n.line, n.col) }

// place is a place in the file, at most just behind the end of a line: the parser counts characters of
// strange files in ways of its own.
func (s *source) place(line, col int) position {
	line = min(max(line, 1), len(s.lines))
	return position{s.name, line, min(max(col, 1), len(s.lines[line-1])+1)}
}

// within is the place of the scalar's character number offset. The characters of a scalar that are not
// blank stand in the file in the same order, whatever its style does to indentation and line ends, so
// the k-th of the one is the k-th of the other.
func (n *node) within(offset int) position {
	c := cursor{lines: n.src.lines, line: n.line - 1, col: n.col - 1, style: n.style}
	switch n.style {
	case single, double:
		c.col++
	case block:
		c.line, c.col = c.line+1, 0
	}
	end := n.src.place(c.line+1, c.col+1)
	for i, r := range []rune(n.text) {
		if unicode.IsSpace(r) {
			if i >= offset {
				break
			}
			continue
		}
		line, col, ok := c.next()
		if !ok {
			break
		}
		if i >= offset {
			return n.src.place(line+1, col+1)
		}
		end = n.src.place(c.line+1, c.col+1)
	}
	return end
}

// cursor walks the raw characters of a scalar that are not blank.
type cursor struct {
	lines     [][]rune
	line, col int
	style     style
}

func (c *cursor) next() (line, col int, ok bool) {
	for c.line < len(c.lines) {
		text := c.lines[c.line]
		if c.col >= len(text) {
			c.line, c.col = c.line+1, 0
			continue
		}
		line, col = c.line, c.col
		switch r := text[c.col]; {
		case unicode.IsSpace(r):
			c.col++
			continue
		case c.style == single && r == '\'':
			c.col += 2
		case c.style == double && r == '\\':
			if blank := c.escape(text); blank {
				continue
			}
		default:
			c.col++
		}
		return line, col, true
	}
	return 0, 0, false
}

// escape steps over a backslash and what it stands for, and says whether that is a blank.
func (c *cursor) escape(text []rune) (blank bool) {
	c.col++
	if c.col >= len(text) {
		return true
	}
	r := text[c.col]
	c.col++
	switch r {
	case 'x':
		c.col += 2
	case 'u':
		c.col += 4
	case 'U':
		c.col += 8
	}
	return strings.ContainsRune("tnrvf NLP_", r)
}

// parseYAML reads one document within the limits of a file. What cannot be read at all is one fault; repeated keys, anchors,
// aliases and tags are faults beside which the rest is still read.
func parseYAML(name string, data []byte, r *report) *node {
	text := strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(strings.TrimPrefix(string(data), "\ufeff"))
	if !limited(name, text, r) {
		return nil
	}
	src := &source{name: name}
	for line := range strings.SplitSeq(text, "\n") {
		src.lines = append(src.lines, []rune(line))
	}
	tks, fine := tokens(src, text, r)
	if !fine {
		return nil
	}
	file, err := parser.Parse(tks, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		at, problem, hint := position{name, 1, 1}, "not YAML", ""
		var syntax yaml.Error
		if errors.As(err, &syntax) { // whose Error would draw the whole file
			problem = "not YAML: " + syntax.GetMessage()
			if tk := syntax.GetToken(); tk != nil {
				at = src.place(tk.Position.Line, tk.Position.Column)
				if n := at.line - 1; n < len(src.lines) && strings.Count(string(src.lines[n]), ": ") > 1 {
					hint = "a text with a colon and a blank in it, as in `a ? b : c`, goes in quotes, or after `>-` on lines of its own"
				}
			}
		}
		r.add(at, problem, hint)
		return nil
	}
	c := converter{src, r}
	var root *node
	for _, doc := range file.Docs {
		if doc.Body == nil {
			continue
		}
		n := c.node(doc.Body)
		if root != nil {
			r.add(n.at(), "a second document in one file", "put each pack in a file of its own")
			continue
		}
		root = n
	}
	if root == nil {
		r.add(position{name, 1, 1}, "the file is empty", "a pack begins with `pack: its-name`")
	}
	return root
}

// converter turns the parser's tree into nodes.
type converter struct {
	src *source
	r   *report
}

func (c converter) node(n ast.Node) *node {
	out := &node{src: c.src, line: 1, col: 1}
	if n == nil {
		return out
	}
	if tk := n.GetToken(); tk != nil {
		out.line, out.col = tk.Position.Line, max(tk.Position.Column, 1)
	}
	switch n := n.(type) {
	case *ast.NullNode:
	case *ast.LiteralNode:
		out.shape, out.style, out.text = scalar, block, n.Value.Value
		out.line, out.col = n.Start.Position.Line, n.Start.Position.Column
	case *ast.MappingNode:
		out.shape = mapping
		seen := make(map[string]bool, len(n.Values))
		for _, v := range n.Values {
			c.pair(out, v, seen)
		}
		c.start(out, n.IsFlowStyle)
	case *ast.MappingValueNode:
		out.shape = mapping
		c.pair(out, n, map[string]bool{})
		c.start(out, false)
	case *ast.SequenceNode:
		out.shape = list
		for _, v := range n.Values {
			out.items = append(out.items, c.node(v))
		}
	case *ast.AnchorNode:
		c.r.add(out.at(), "anchors (&) are not part of the pack format", "write the text out where it is used")
		return c.node(n.Value)
	case *ast.AliasNode:
		c.r.add(out.at(), "aliases (*) are not part of the pack format", "write the text out where it is used")
	case *ast.TagNode:
		c.r.add(out.at(), "tags (!) are not part of the pack format", "put a text that begins with ! in quotes")
		return c.node(n.Value)
	default:
		out.shape, out.text = scalar, n.GetToken().Value
		if s, ok := n.(*ast.StringNode); ok {
			out.text = s.Value
		}
		switch origin := strings.TrimSpace(n.GetToken().Origin); {
		case strings.HasPrefix(origin, `"`):
			out.style = double
		case strings.HasPrefix(origin, "'"):
			out.style = single
		}
	}
	return out
}

// start puts a block mapping where its first key is; the parser says where its first colon is.
func (c converter) start(n *node, flow bool) {
	if !flow && len(n.pairs) > 0 {
		n.line, n.col = n.pairs[0].key.line, n.pairs[0].key.col
	}
}

func (c converter) pair(to *node, v *ast.MappingValueNode, seen map[string]bool) {
	key := c.node(v.Key)
	if _, merge := v.Key.(*ast.MergeKeyNode); merge || key.shape != scalar {
		c.r.add(key.at(), "not a key that a pack can have", "write a plain word before the colon")
		return
	}
	if seen[key.text] {
		c.r.add(key.at(), fmt.Sprintf("the key %q is here twice", key.text), "drop one of the two")
		return
	}
	seen[key.text] = true
	to.pairs = append(to.pairs, pair{key, c.node(v.Value)})
}
