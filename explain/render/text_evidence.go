package render

import (
	"strconv"
	"strings"

	"github.com/vigil-cds/vigil/explain/record"
)

// Of a window that holds more facts than this, text shows some only.
const textFacts = 12

// drawEvidence writes what one window held: the terms' answers, the window, the facts.
func (v *view) drawEvidence(p *page, x evidence) {
	names := 0
	for _, t := range x.asked {
		names = max(names, width(plain(t.Source)))
	}
	names = min(names, p.room(24))
	for _, t := range x.asked {
		p.line(stretch{strong, padded(cut(plain(t.Source), names), names+2)}, stretch{ordinary, v.stated(t.Value, unitOf(t))})
	}
	p.paragraph(faint, 2, true, v.about(x))
	v.drawFacts(p, x)
}

// about says what a window is and holds.
func (v *view) about(x evidence) string {
	var words []string
	if w := v.reach(x.Window); w != "" {
		words = append(words, w)
	}
	if x.Where != "" {
		words = append(words, "where "+plain(x.Where))
	}
	if x.Pack != "" && x.Pack != v.Rule.Pack {
		words = append(words, "of pack "+plain(x.Pack))
	}
	held := counted(x.Saw, "fact")
	if x.Saw == 0 {
		held = "no facts"
	}
	if codes := v.codes(x.Uses); len(codes) > 0 {
		const few = 4
		if over := len(codes) - few; over > 0 {
			codes = append(codes[:few], strconv.Itoa(over)+" more")
		}
		held += ": " + strings.Join(codes, ", ")
	}
	return strings.Join(append(words, held), "; ")
}

// columnNames are over the facts: what they say, and where it is from.
var columnNames = [...]string{"", "time", "value", "as sent", "recorded", "source", "position"}

// Where a line has no room for all, these many columns stay in it.
const saying = 3

type cells [len(columnNames)]string

func (v *view) cellsOf(u record.Use, t *record.Term) cells {
	f := &v.Facts[u.Fact]
	star := " "
	if v.enough[u.Fact] {
		star = "★"
	}
	value := ""
	if !u.Value.IsZero() {
		value = v.stated(u.Value, t.Unit)
	}
	return cells{star, v.when(f), value, v.asSent(f, t, u.Value), v.exactly(f.Recorded), source(f), position(f)}
}

// lastBefore stands over the last fact of an input before a window that is empty.
const lastBefore = "the last before that:"

// drawFacts writes the facts in columns. Where these are too wide, where a fact is from goes on a line of
// its own.
func (v *view) drawFacts(p *page, x evidence) {
	rows := v.rows(x.Term, textFacts)
	var table []cells
	for _, r := range rows {
		table = append(table, v.cellsOf(r.Use, x.Term))
	}
	if x.Latest != nil {
		table = append(table, v.cellsOf(*x.Latest, x.Term))
	}
	if len(table) == 0 {
		return
	}
	widths, whole := fit(table)
	narrow := p.width > 0 && whole > p.width
	p.line(stretch{faint, inRow(columnNames, widths, narrow)})
	for i, c := range table {
		if i == len(rows) {
			p.line(stretch{faint, "  " + lastBefore})
		} else if n := rows[i].skipped; n > 0 {
			p.line(stretch{faint, "    … " + strconv.Itoa(n) + " more"})
		}
		look := ordinary
		if c[0] == "★" {
			look = strong
		}
		p.line(stretch{look, inRow(c, widths, narrow)})
		if narrow {
			p.paragraph(faint, 7, false, v.origin(c))
		}
	}
	if left := x.Saw - len(x.Uses); left > 0 {
		p.line(stretch{faint, "    … " + strconv.Itoa(left) + " more, which the explanation leaves out"})
	}
}

// origin is the rest of a row on a line of its own.
func (v *view) origin(c cells) string {
	var words []string
	for i := saying; i < len(c); i++ {
		switch {
		case c[i] == "":
		case i < saying+2:
			words = append(words, columnNames[i]+" "+c[i])
		default:
			words = append(words, c[i])
		}
	}
	return strings.Join(words, ", ")
}

// fit is how wide each column is, and all together; a column that says nothing has no width.
func fit(table []cells) (widths [len(columnNames)]int, whole int) {
	for i := range columnNames {
		for _, c := range table {
			widths[i] = max(widths[i], width(c[i]))
		}
		if widths[i] > 0 {
			widths[i] = max(widths[i], width(columnNames[i]))
			whole += widths[i] + 2
		}
	}
	return widths, whole
}

func inRow(c cells, widths [len(columnNames)]int, narrow bool) string {
	line := ""
	for i, text := range c {
		if widths[i] > 0 && (!narrow || i < saying) {
			line += "  " + padded(text, widths[i])
		}
	}
	return line
}
