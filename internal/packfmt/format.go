// Package packfmt writes rule packs and files of test cases in one layout: two blanks for each level, list
// entries set in below their key, one blank after a colon and a comma, flow mappings on neighbouring lines and
// comments at the ends of neighbouring lines in columns, at most one empty line, none at the ends of the file.
// Comments, quotes, the order of keys and the lines of block scalars stay as their author wrote them.
//
// It works line by line, since a parser's tree forgets empty lines and where comments stood; what comes out is
// read again and must be what went in. It is pure, and may be called from any number of goroutines.
package packfmt

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"

	"github.com/vigil-cds/vigil/rules"
)

// ErrLayout is returned for YAML that packs do not use and that could not be laid out with its meaning kept.
var ErrLayout = errors.New("packfmt: the file uses YAML that packs do not have")

// Format is the file in the one layout. Its error is rules.Faults where the file is not YAML, or wraps
// ErrLayout. The data is not changed; the caller owns the result.
func Format(name string, data []byte) ([]byte, error) {
	text := strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(strings.TrimPrefix(string(data), "\ufeff"))
	before, err := shapeOf(text)
	if err != nil {
		return nil, syntaxFault(name, err)
	}
	// A comment that moves can be seen to belong elsewhere by the next pass, which then settles it.
	for range mostPasses {
		out := layOut(text)
		after, err := shapeOf(out)
		if err != nil || !slices.Equal(before, after) {
			break
		}
		if out == text {
			return []byte(out), nil
		}
		text = out
	}
	return nil, fmt.Errorf("%s: %w", name, ErrLayout)
}

// mostPasses is more than any file needs to come to rest: one that lays it out, one that sees it did.
const mostPasses = 5

func layOut(text string) string {
	l := &layout{}
	for line := range strings.SplitSeq(strings.TrimRight(text, "\n"), "\n") {
		l.line(line)
	}
	l.flushComments(-1, 0)
	return l.render()
}

// shapeOf is all that matters of a YAML text: its tokens with their values, comments included, and how they
// are nested.
func shapeOf(text string) ([]string, error) {
	file, err := parser.ParseBytes([]byte(text), parser.ParseComments, parser.AllowDuplicateMapKey())
	if err != nil {
		return nil, err
	}
	var out []string
	for _, tk := range lexer.Tokenize(text) {
		out = append(out, tk.Type.String()+" "+strings.TrimRight(tk.Value, " \t"))
	}
	for _, doc := range file.Docs {
		out = append(out, "document "+nesting(doc.Body))
	}
	return out, nil
}

// nesting writes a tree down to its leaves, which are told apart by the tokens.
func nesting(n ast.Node) string {
	var parts []string
	switch n := n.(type) {
	case *ast.MappingNode:
		for _, v := range n.Values {
			parts = append(parts, nesting(v.Key)+":"+nesting(v.Value))
		}
		return "{" + strings.Join(parts, ",") + "}"
	case *ast.MappingValueNode:
		return "{" + nesting(n.Key) + ":" + nesting(n.Value) + "}"
	case *ast.SequenceNode:
		for _, v := range n.Values {
			parts = append(parts, nesting(v))
		}
		return "[" + strings.Join(parts, ",") + "]"
	case nil:
		return ""
	case *ast.LiteralNode:
		return fmt.Sprintf("%q", n.Value.Value)
	}
	return fmt.Sprintf("%q", n.GetToken().Value)
}

func syntaxFault(name string, err error) error {
	f := rules.Fault{File: name, Line: 1, Col: 1, Problem: "not YAML: " + err.Error()}
	var syntax yaml.Error
	if errors.As(err, &syntax) {
		f.Problem = "not YAML: " + syntax.GetMessage()
		if tk := syntax.GetToken(); tk != nil {
			f.Line, f.Col = tk.Position.Line, tk.Position.Column
		}
	}
	return rules.Faults{f}
}
