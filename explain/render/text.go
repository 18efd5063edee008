package render

import (
	"io"
	"strings"

	"github.com/vigil-cds/vigil/explain/record"
)

// Text writes an explanation for a terminal: what happened or was asked, the sentence, the condition as a
// tree in which the path that decided is marked ▸, each term with its window and its facts, of which those
// that suffice are marked ★, what would change it, and where all of it is from. Of long windows it shows
// the first facts, the latest, and those that suffice.
//
// Texts from the record are shown without control characters, so that no data can move the cursor or
// change a colour. The errors are w's.
func Text(w io.Writer, e *record.Explanation, o TextOptions) error {
	v, p := viewOf(e, o.Zone), newPage(o)
	p.paragraph(strong, 0, false, plain(e.Rule.Title))
	p.paragraph(faint, 0, false, v.identity())
	p.paragraph(look(e.Truth), 0, false, joined(v.headline(), v.cause()))
	p.line()
	p.paragraph(ordinary, 0, false, Sentence(e, o.Zone))
	p.line()
	for _, x := range v.circumstances() {
		p.pair(x.Name, x.Text)
	}
	if e.Tree != nil {
		p.heading("Condition")
		v.drawTree(p)
	}
	if len(e.Terms) > 0 {
		p.heading("Evidence")
		for i, x := range v.evidences() {
			if i > 0 {
				p.line()
			}
			v.drawEvidence(p, x)
		}
	}
	v.drawOutlook(p)
	v.drawProvenance(p)
	return p.writeTo(w)
}

// branch is one line of the tree.
type branch struct {
	*record.Node
	rails string // the lines that lead to it
}

// branches lays the tree out, a node a line.
func branches(n *record.Node, rails, below string, into []branch) []branch {
	into = append(into, branch{n, rails})
	kids := operands(n)
	for i, kid := range kids {
		if i == len(kids)-1 {
			into = branches(kid, below+"└─ ", below+"   ", into)
		} else {
			into = branches(kid, below+"├─ ", below+"│  ", into)
		}
	}
	return into
}

// drawTree writes the condition with what each part came to in one column.
func (v *view) drawTree(p *page) {
	const marks, gap, widest = 4, 2, 32
	lines := branches(v.Tree, "", "", nil)
	names, values := 0, 0
	for _, l := range lines {
		names = max(names, width(l.rails)+width(label(l.Node)))
		values = max(values, width(v.outcome(l.Node)))
	}
	values = min(values, widest)
	names = min(names, p.room(marks+gap+values))
	for _, l := range lines {
		v.drawBranch(p, l, names+gap, values)
	}
}

func (v *view) drawBranch(p *page, l branch, names, values int) {
	path, name := "  ", faint
	if l.Decides {
		path, name = "▸ ", ordinary
		if l.Boolean {
			name = strong
		}
	}
	mark, seen := "  ", ordinary
	if l.Boolean {
		mark, seen = truthMark(l.Truth)+" ", look(l.Truth)
	}
	const least = 8
	for i, part := range wrapped(label(l.Node), max(names-width(l.rails)-2, least)) {
		if i == 0 {
			p.line(stretch{strong, path}, stretch{seen, mark}, stretch{faint, l.rails}, stretch{name, padded(part, names-width(l.rails))},
				stretch{seen, cut(v.outcome(l.Node), values)})
			continue
		}
		p.line(stretch{faint, "    " + l.continued()}, stretch{name, part})
	}
}

// continued is the lines before the second line of a label: those that go on to what comes below.
func (b branch) continued() string {
	on := strings.NewReplacer("├─ ", "│  ", "└─ ", "   ").Replace(b.rails)
	if len(operands(b.Node)) > 0 {
		return on + "│ "
	}
	return on + "  "
}

// drawOutlook writes what is missing, what was near, and what is to come.
func (v *view) drawOutlook(p *page) {
	if len(v.Missing) > 0 {
		p.heading("Missing")
		for _, m := range v.Missing {
			p.paragraph(ordinary, 2, true, "- "+v.missing(m))
		}
	}
	if v.Miss != nil {
		p.heading("Nearest miss")
		for _, b := range v.Miss.Blockers {
			p.paragraph(ordinary, 2, true, "- "+v.blocker(b))
		}
		if text := v.change(); text != "" {
			p.paragraph(ordinary, 2, true, text)
		}
	}
	if v.Kind == record.Answer {
		p.heading("Next")
		p.paragraph(ordinary, 2, true, v.next())
	}
}

// drawProvenance writes what was known, by which rules, and the record's place in its chain.
func (v *view) drawProvenance(p *page) {
	p.heading("Provenance")
	for _, x := range v.provenance() {
		p.pair(x.Name, x.Text)
	}
}
