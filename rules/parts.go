package rules

import "github.com/vigil-cds/vigil/internal/clinical"

// PartKind says what a Part is.
type PartKind uint8

const (
	ExpressionPart PartKind = iota // an expression under `when`, `where` or `term`
	JunctionPart                   // the word all or any
	CountPart                      // the n of at_least
	PointsPart                     // what an item or a band of a score adds
)

// Part is a piece of a pack's conditions or scores as it is written in the file.
type Part struct {
	Kind  PartKind
	Rule  string // the id of the rule whose it is; "" where it is no rule's
	Owner string // else the name of the input or the pack's score whose it is
	Text  string

	written *node
}

// At is the line and column of the part's character number offset, from 0; both count from 1, the column
// in characters. Inside a word or a number, the characters stand in the file side by side.
func (p *Part) At(offset int) (line, column int) {
	at := p.written.within(offset)
	return at.line, at.col
}

// Parts lists the conditions and scores of a pack piece by piece in the order written, whether or not they compile:
// for tools that work on the text. Of what is not YAML there are none.
func Parts(file clinical.File) []Part {
	root := parseYAML(file.Name, file.Data, &report{})
	if root == nil {
		return nil
	}
	var w partWalk
	for _, section := range root.pairs {
		switch section.key.text {
		case "inputs", "scores":
			for _, owner := range section.value.pairs {
				w.rule, w.owner = "", owner.key.text
				w.find(owner.value)
			}
		case "rules":
			for _, rule := range section.value.items {
				w.rule, w.owner = "", ""
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
	rule, owner string
	parts       []Part
}

func (w *partWalk) add(kind PartKind, n *node) {
	w.parts = append(w.parts, Part{Kind: kind, Rule: w.rule, Owner: w.owner, Text: n.text, written: n})
}

// find looks for conditions at any depth.
func (w *partWalk) find(n *node) {
	for _, item := range n.items {
		w.find(item)
	}
	for _, p := range n.pairs {
		switch p.key.text {
		case "when", "where", "term":
			w.condition(p.value)
		case "points":
			w.points(p.value)
		case "bands":
			for _, band := range p.value.items {
				if len(band.items) == 2 {
					w.points(band.items[1])
				}
			}
		default:
			w.find(p.value)
		}
	}
}

func (w *partWalk) points(n *node) {
	if n.shape == scalar {
		w.add(PointsPart, n)
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
