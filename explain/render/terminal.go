package render

import (
	"io"
	"strings"
	"time"

	"github.com/vigil-cds/vigil/explain/record"
)

// TextOptions says how text is laid out. The zero value is plain text of any width.
type TextOptions struct {
	Color bool           // with the colours of a terminal; without them nothing is lost
	Width int            // columns that no line is longer than, at least 40; 0: as long as it takes
	Zone  *time.Location // that times are shown in; nil: the rule set's
}

const narrowest = 40

// style is how a stretch of text looks where there are colours.
type style string

const (
	ordinary style = ""
	strong   style = "1"
	faint    style = "2"
	good     style = "32"
	bad      style = "31"
	doubtful style = "33"
)

// stretch is a text in one style.
type stretch struct {
	style style
	text  string
}

// page is text that is being laid out.
type page struct {
	b     strings.Builder
	color bool
	width int // 0: without end
}

func newPage(o TextOptions) *page {
	if o.Width > 0 {
		o.Width = max(o.Width, narrowest)
	}
	return &page{color: o.Color, width: o.Width}
}

// writeTo writes everything at once.
func (p *page) writeTo(w io.Writer) error {
	_, err := io.WriteString(w, p.b.String())
	return err
}

// room is how many columns are left beside so many.
func (p *page) room(taken int) int {
	if p.width == 0 {
		return 1 << 20
	}
	return max(p.width-taken, 1)
}

// line writes one line, cut where it is too long, without blanks at its end. Nothing but what can be seen
// gets past it.
func (p *page) line(stretches ...stretch) {
	room := p.room(0)
	for i, s := range stretches {
		if i == len(stretches)-1 {
			s.text = strings.TrimRight(s.text, " ")
		}
		s.text = cut(plain(s.text), room)
		room -= width(s.text)
		p.write(s)
		if room <= 0 {
			break
		}
	}
	p.b.WriteByte('\n')
}

func (p *page) write(s stretch) {
	if p.color && s.style != ordinary && s.text != "" {
		p.b.WriteString("\x1b[" + string(s.style) + "m" + s.text + "\x1b[0m")
		return
	}
	p.b.WriteString(s.text)
}

// paragraph writes a text over as many lines as it takes, set in by so much, and those after the first by
// two columns more where hanging is set.
func (p *page) paragraph(look style, indent int, hanging bool, text string) {
	inset := strings.Repeat(" ", indent)
	further := ""
	if hanging {
		further = "  "
	}
	for i, l := range wrapped(text, p.room(indent+len(further))) {
		if i > 0 {
			l = further + l
		}
		p.line(stretch{look, inset + l})
	}
}

// pair writes a name and what it stands for.
func (p *page) pair(name, text string) {
	const column = 14
	for i, l := range wrapped(text, p.room(column)) {
		if i > 0 {
			name = ""
		}
		p.line(stretch{faint, padded(name, column)}, stretch{ordinary, l})
	}
}

// heading writes the name of a part, after an empty line.
func (p *page) heading(text string) {
	p.line()
	p.line(stretch{strong, text})
}

func look(t record.Truth) style {
	switch t {
	case record.True:
		return good
	case record.False:
		return bad
	}
	return doubtful
}
