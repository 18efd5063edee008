package diagnostic

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/rivo/uniseg"

	"github.com/vigil-cds/vigil/internal/clinical"
)

// TextOptions are how diagnostics are shown to a person. The zero value is plain text.
type TextOptions struct {
	Color bool                     // with the colour codes of a terminal
	Path  func(name string) string // what a reader calls a file of the set; nil: its name
}

// longestLine is how much of a line is shown, in characters; around the place where it is longer.
const longestLine = 160

// tabStop is how many columns a tab leads to a multiple of.
const tabStop = 8

// Text writes each diagnostic with the line it is about and a caret under the place. The files are those of
// the set, by name; a place in a file that is not there is written without its line.
func Text(w io.Writer, list []Diagnostic, files []clinical.File, opts TextOptions) error {
	lines := map[string][]string{}
	for _, f := range files {
		text := strings.ReplaceAll(strings.TrimPrefix(string(f.Data), "\ufeff"), "\r\n", "\n")
		lines[f.Name] = strings.Split(text, "\n")
	}
	p := painter{opts.Color}
	var b strings.Builder
	for _, d := range list {
		path := d.File
		if opts.Path != nil {
			path = opts.Path(d.File)
		}
		fmt.Fprintf(&b, "%s %s %s %s\n", p.bold(fmt.Sprintf("%s:%d:%d:", path, d.Line, d.Col)), p.level(d.Level), p.bold(d.Message), p.faint("["+d.ID+"]"))
		number := strconv.Itoa(d.Line)
		margin := strings.Repeat(" ", len(number))
		if of := lines[d.File]; d.Line >= 1 && d.Line <= len(of) {
			text, caret := excerpt(of[d.Line-1], d.Col)
			fmt.Fprintf(&b, "  %s %s\n", p.faint(number+" |"), text)
			fmt.Fprintf(&b, "  %s %s%s\n", p.faint(margin+" |"), strings.Repeat(" ", caret), p.mark(d.Level, "^"))
		}
		if d.Hint != "" {
			fmt.Fprintf(&b, "  %s %s\n", p.faint(margin+" ="), d.Hint)
		}
		b.WriteByte('\n')
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// excerpt is the line as shown, and how many columns stand before the character number col (from 1).
// Tabs become blanks, since where they lead depends on who shows them.
func excerpt(line string, col int) (text string, caret int) {
	runes := []rune(line)
	at := min(max(col-1, 0), len(runes))
	from, to := 0, len(runes)
	before, after := "", ""
	if len(runes) > longestLine {
		from = max(0, min(at-longestLine/2, len(runes)-longestLine))
		to = from + longestLine
		if from > 0 {
			before = "…"
		}
		if to < len(runes) {
			after = "…"
		}
	}
	lead := before + spread(string(runes[from:at]))
	whole := before + spread(string(runes[from:to])) + after
	return whole, uniseg.StringWidth(lead)
}

// spread replaces tabs by as many blanks as lead to the next tab stop, and what cannot be shown by a mark.
func spread(s string) string {
	var b strings.Builder
	column := 0
	state := -1
	for s != "" {
		cluster, rest, width, next := uniseg.FirstGraphemeClusterInString(s, state)
		s, state = rest, next
		switch r, _ := utf8.DecodeRuneInString(cluster); {
		case r == '\t':
			width = tabStop - column%tabStop
			b.WriteString(strings.Repeat(" ", width))
		case r < ' ' || r == 0x7f:
			width = 1
			b.WriteRune('\ufffd')
		default:
			b.WriteString(cluster)
		}
		column += width
	}
	return b.String()
}

// painter colours text, or leaves it as it is.
type painter struct{ color bool }

func (p painter) in(code, s string) string {
	if !p.color {
		return s
	}
	return "\x1b[" + code + "m" + s + "\x1b[0m"
}

func (p painter) bold(s string) string  { return p.in("1", s) }
func (p painter) faint(s string) string { return p.in("2", s) }

func (p painter) mark(l Level, s string) string {
	if l == Error {
		return p.in("1;31", s)
	}
	return p.in("1;33", s)
}

func (p painter) level(l Level) string { return p.mark(l, l.String()+":") }
