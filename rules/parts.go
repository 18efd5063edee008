package rules

import "github.com/vigil-cds/vigil/internal/clinical"

// PartKind says what a Part is.
type PartKind uint8

const (
	ExpressionPart PartKind = iota // an expression under `when` or `where`
	JunctionPart                   // the word all or any
	CountPart                      // the n of at_least
)

// Part is a piece of a pack's conditions as it is written in the file.
type Part struct {
	Kind  PartKind
	Rule  string // the id of the rule whose it is; "" where it is an input's
	Input string // the name of the input whose it is
	Text  string

	written *node
}

// At is the line and column of the part's character number offset, from 0; both count from 1, the column
// in characters. Inside a word or a number, the characters stand in the file side by side.
func (p *Part) At(offset int) (line, column int) {
	at := p.written.within(offset)
	return at.line, at.col
}

// Parts lists the conditions of a pack piece by piece in the order written, whether or not they compile:
// for tools that work on the text. Of what is not YAML there are none.
func Parts(file clinical.File) []Part {
	root := parseYAML(file.Name, file.Data, &report{})
	if root == nil {
		return nil
	}
	var w partWalk
	for _, section := range root.pairs {
		switch section.key.text {
		case "inputs":
			for _, in := range section.value.pairs {
				w.rule, w.input = "", in.key.text
				w.find(in.value)
			}
		case "rules":
			for _, rule := range section.value.items {
				w.rule, w.input = "", ""
				for _, p := range rule.pairs {
					if p.key.text == "id" {
						w.rule = p.value.text
					}
				}
				w.find(rule)
			}
		}
	}
	return w.parts
}

type partWalk struct {
	rule, input string
	parts       []Part
}

func (w *partWalk) add(kind PartKind, n *node) {
	w.parts = append(w.parts, Part{Kind: kind, Rule: w.rule, Input: w.input, Text: n.text, written: n})
}

// find looks for conditions at any depth.
func (w *partWalk) find(n *node) {
	for _, item := range n.items {
		w.find(item)
	}
	for _, p := range n.pairs {
		switch p.key.text {
		case "when", "where":
			w.condition(p.value)
		default:
			w.find(p.value)
		}
	}
}

func (w *partWalk) condition(n *node) {
	if n.shape == scalar {
		w.add(ExpressionPart, n)
	}
	for _, item := range n.items {
		w.condition(item)
	}
	for _, p := range n.pairs {
		switch p.key.text {
		case "all", "any":
			w.add(JunctionPart, p.key)
			w.condition(p.value)
		case "none", "at_least", "of":
			w.condition(p.value)
		case "n":
			w.add(CountPart, p.value)
		}
	}
}
