package packfmt

import (
	"regexp"
	"strings"

	"github.com/rivo/uniseg"
)

// step is how far a level is set in.
const step = 2

// level is a mapping or a list that is open: the column of its keys or dashes as written, and as laid out.
type level struct {
	was, is int
	list    bool
}

// row is a line laid out.
type row struct {
	indent  int
	text    string // without the indent
	key     string // of a `key: {` or `key: [` line: up to and with the colon; "" of others
	comment string // at the end of the line
	raw     bool   // of a block scalar, or empty
}

// layout takes lines one by one.
type layout struct {
	rows   []row
	levels []level

	blanks   int // empty lines seen since the last row
	comments []pendingComment

	// A scalar or a flow collection that goes on in the next line.
	block blockScalar
	plain bool // a plain scalar may go on
	quote byte // the quote that is open, or 0
	depth int  // of open brackets
	owner level
}

// pendingComment is a comment line until the line it stands before is known.
type pendingComment struct {
	text   string
	was    int
	inner  int // where it goes as the last thing of what is open
	blanks int
}

// blockScalar is a literal or folded scalar that is open.
type blockScalar struct {
	open     bool
	keep     bool // its empty lines at the end count
	explicit int  // how far its text is set in, if its header says so
	content  int  // column of its text as written; -1 until known
	empty    []string
}

var blockHeader = regexp.MustCompile(`^[|>](?:([+-]?)([1-9]?)|([1-9])([+-]))$`)

func (l *layout) line(line string) {
	text := strings.TrimLeft(line, " ")
	was := len(line) - len(text)
	text = strings.TrimRight(text, " \t")
	switch {
	case l.block.open && l.blockLine(line, was, text):
	case l.quote != 0:
		l.continued(line)
	case text == "":
		l.blanks++
	case strings.HasPrefix(text, "#"):
		l.comment(text, was)
	case l.depth > 0:
		l.continued(line)
	case l.plain && was > l.owner.was:
		l.flushComments(was, l.owner.is+step)
		l.emit(row{indent: l.owner.is + step}, text)
	default:
		l.structural(text, was)
	}
}

// comment keeps a comment line back until it is known what it stands before.
func (l *layout) comment(text string, was int) {
	l.plain = false
	c := pendingComment{text: text, was: was, blanks: l.blanks}
	for _, open := range l.levels {
		if open.was <= was {
			c.inner = open.is
		}
		if open.was == was {
			break // of a list at its key's column, the key
		}
	}
	if l.depth > 0 {
		c.inner = l.owner.is + step*l.depth
		c.was = -1
	}
	l.blanks = 0
	l.comments = append(l.comments, c)
}

// flushComments lays out the comments kept back, before a line written at column was and laid out at is. With
// -1 there is no such line.
func (l *layout) flushComments(was, is int) {
	for _, c := range l.comments {
		indent := is
		if was < 0 || c.was > was || c.was < 0 {
			indent = c.inner
		}
		l.push(row{indent: indent, text: c.text}, c.blanks)
	}
	l.comments = nil
}

func (l *layout) push(r row, blanks int) {
	if blanks > 0 && len(l.rows) > 0 {
		l.rows = append(l.rows, row{raw: true})
	}
	l.rows = append(l.rows, r)
}

// structural lays out a line that begins with a dash or a key, or is a text of its own.
func (l *layout) structural(text string, was int) {
	l.plain = false
	var dashes strings.Builder
	start, indent := was, -1
	for {
		dash := text == "-" || strings.HasPrefix(text, "- ")
		is := l.open(was, dash, dash || keyEnd(text) > 0)
		if indent < 0 {
			indent = is
		}
		if !dash {
			break
		}
		l.owner = l.levels[len(l.levels)-1]
		rest := strings.TrimLeft(text[1:], " ")
		dashes.WriteByte('-')
		if rest == "" || strings.HasPrefix(rest, "#") {
			text = rest
			break
		}
		dashes.WriteByte(' ')
		was += len(text) - len(rest)
		text = rest
		if text != "-" && !strings.HasPrefix(text, "- ") && keyEnd(text) == 0 {
			break
		}
	}
	l.flushComments(start, indent)
	l.emit(row{indent: indent, text: dashes.String()}, text)
}

// open closes the levels that a line at column was does not belong to, opens its own, and is where it goes.
func (l *layout) open(was int, dash, opens bool) int {
	for len(l.levels) > 0 {
		top := l.levels[len(l.levels)-1]
		if top.was < was || top.was == was && opens && (top.list == dash || dash && !top.list) {
			break
		}
		l.levels = l.levels[:len(l.levels)-1]
	}
	is := 0
	if len(l.levels) > 0 {
		top := l.levels[len(l.levels)-1]
		if is = top.is; top.was < was || top.list != dash {
			is += step
		}
		if opens && top.was == was && top.list == dash {
			return is
		}
	}
	if opens {
		l.levels = append(l.levels, level{was, is, dash})
	}
	return is
}

// keyEnd is where the colon after a key at the beginning of text stands, plus one; 0 of what has no key.
func keyEnd(text string) int {
	s := scan{}
	for i := 0; i < len(text); i++ {
		before := s
		s.next(text, i)
		switch {
		case s.comment:
			return 0
		case i == 0 && (text[0] == '{' || text[0] == '['):
			return 0
		case before.quote == 0 && s.quote == 0 && text[i] == ':' && (i+1 == len(text) || text[i+1] == ' '):
			return i + 1
		}
	}
	return 0
}

// emit adds a line whose text begins as r says and goes on with rest, and notes what is left open by it.
func (l *layout) emit(r row, rest string) {
	blanks := l.blanks
	l.blanks = 0
	value := rest
	if end := keyEnd(rest); end > 0 && l.depth == 0 && l.quote == 0 && !l.plain {
		l.owner = l.levels[len(l.levels)-1]
		key := r.text + strings.TrimRight(rest[:end-1], " ") + ":"
		value = strings.TrimLeft(rest[end:], " \t")
		r.text = key
		if value != "" && value[0] != '#' {
			if (value[0] == '{' || value[0] == '[') && !strings.HasPrefix(r.text, "-") {
				r.key = key
			}
			r.text += " "
		}
	}
	fresh := !l.plain && l.depth == 0 && l.quote == 0
	body, comment := l.body(value)
	r.text += body
	r.comment = comment
	l.push(r, blanks)
	if m := blockHeader.FindStringSubmatch(body); m != nil && fresh {
		l.block = blockScalar{open: true, keep: m[1] == "+" || m[4] == "+", content: -1}
		if digit := m[2] + m[3]; digit != "" {
			l.block.explicit = int(digit[0] - '0')
			l.block.content = l.owner.was + l.block.explicit
		}
		return
	}
	quoted := body != "" && strings.ContainsRune("\"'{[", rune(body[0])) && fresh
	l.plain = l.depth == 0 && l.quote == 0 && body != "" && comment == "" && !quoted
}

// continued lays out a line of a quoted scalar or a flow collection that began before.
func (l *layout) continued(line string) {
	text := strings.TrimLeft(line, " \t")
	if l.quote != 0 && strings.TrimSpace(text) == "" {
		l.rows = append(l.rows, row{raw: true})
		return
	}
	indent := l.owner.is + step
	if l.quote == 0 {
		text = strings.TrimRight(text, " \t")
		closed := len(text) - len(strings.TrimLeft(text, "]} "))
		closed -= strings.Count(text[:closed], " ")
		indent = l.owner.is + step*max(l.depth-closed, 0)
		l.flushComments(0, indent)
	} else if l.depth > 0 {
		indent += step * l.depth
	}
	blanks := l.blanks
	l.blanks = 0
	body, comment := l.body(text)
	l.push(row{indent: indent, text: body, comment: comment}, blanks)
}

// blockLine takes a line of the open block scalar; false when the scalar has ended before it.
func (l *layout) blockLine(line string, was int, text string) bool {
	b := &l.block
	if text == "" && strings.TrimSpace(line) == "" {
		b.empty = append(b.empty, line)
		return true
	}
	if was <= l.owner.was {
		l.endBlock()
		return false
	}
	if b.content < 0 {
		b.content = was
	}
	for _, empty := range b.empty {
		l.rows = append(l.rows, row{raw: true, text: l.inBlock(empty)})
	}
	b.empty = nil
	l.rows = append(l.rows, row{raw: true, text: l.inBlock(line)})
	return true
}

// inBlock is a line of the open block scalar, moved with it.
func (l *layout) inBlock(line string) string {
	b := &l.block
	if len(line) <= b.content {
		return strings.TrimLeft(line, " ")
	}
	in := step
	if b.explicit > 0 {
		in = b.explicit
	}
	return strings.Repeat(" ", l.owner.is+in) + line[b.content:]
}

func (l *layout) endBlock() {
	b := &l.block
	if b.keep {
		for range b.empty {
			l.rows = append(l.rows, row{raw: true})
		}
	} else {
		l.blanks += len(b.empty)
	}
	*b = blockScalar{}
}

// body is a value with the blanks that flow collections have, apart from the comment after it. It notes which
// quotes and brackets are left open.
func (l *layout) body(text string) (body, comment string) {
	var b strings.Builder
	s := scan{quote: l.quote, depth: l.depth, inside: l.quote != 0}
	for i := 0; i < len(text); i++ {
		c := text[i]
		open, flow := s.quote, s.depth > 0
		s.next(text, i)
		if s.comment {
			comment = text[i:]
			break
		}
		if open != 0 || s.quote != 0 && open == 0 && c != s.quote || !flow && s.depth == 0 {
			b.WriteByte(c)
			continue
		}
		switch {
		case c == ' ' || c == '\t':
			// One blank, unless a bracket or a comma says otherwise.
			if at := b.Len(); at > 0 && !strings.ContainsRune(" {[", rune(b.String()[at-1])) {
				b.WriteByte(' ')
			}
		case c == ',' || c == '}' || c == ']':
			kept := strings.TrimRight(b.String(), " ")
			b.Reset()
			b.WriteString(kept)
			b.WriteByte(c)
			if c == ',' && i+1 < len(text) {
				b.WriteByte(' ')
			}
		default:
			b.WriteByte(c)
		}
	}
	l.quote, l.depth = s.quote, s.depth
	body = b.String()
	if l.quote == 0 {
		body = strings.TrimRight(body, " \t")
	}
	return body, comment
}

// scan follows quotes and brackets through a line.
type scan struct {
	quote   byte
	depth   int
	comment bool
	escaped bool
	inside  bool // a token has begun, so that a quote is a letter of it
}

func (s *scan) next(text string, i int) {
	c := text[i]
	switch {
	case s.quote == '"' && s.escaped:
		s.escaped = false
	case s.quote == '"' && c == '\\':
		s.escaped = true
	case s.quote == '\'' && s.escaped:
		s.escaped = false // the second of two
	case s.quote == '\'' && c == '\'' && i+1 < len(text) && text[i+1] == '\'':
		s.escaped = true
	case s.quote != 0:
		if c == s.quote {
			s.quote, s.inside = 0, true
		}
	case c == '#' && (i == 0 || text[i-1] == ' ' || text[i-1] == '\t'):
		s.comment = true
	case (c == '"' || c == '\'') && !s.inside:
		s.quote = c
	case (c == '{' || c == '[') && (s.depth > 0 || !s.inside):
		s.depth++
		s.inside = false
	case (c == '}' || c == ']') && s.depth > 0:
		s.depth--
		s.inside = true
	case c == ',' && s.depth > 0, c == ':' && (i+1 == len(text) || text[i+1] == ' '):
		s.inside = false
	case c == '-' && i+1 < len(text) && text[i+1] == ' ' && !s.inside:
	case c != ' ' && c != '\t':
		s.inside = true
	}
}

// render writes the rows, with neighbouring flow values and comments in columns.
func (l *layout) render() string {
	if l.block.open {
		l.endBlock()
	}
	l.alignValues()
	l.alignComments()
	var b strings.Builder
	for _, r := range l.rows {
		if r.text != "" && !r.raw {
			b.WriteString(strings.Repeat(" ", r.indent))
		}
		b.WriteString(r.text)
		b.WriteByte('\n')
	}
	return b.String()
}

// alignValues sets the flow values of neighbouring keys of one mapping in a column. A comment between two of
// them does not part them.
func (l *layout) alignValues() {
	for i := 0; i < len(l.rows); {
		j, widest := i, 0
		for ; j < len(l.rows); j++ {
			r := l.rows[j]
			if r.raw || r.indent != l.rows[i].indent || r.key == "" && (j == i || !strings.HasPrefix(r.text, "#")) {
				break
			}
			widest = max(widest, uniseg.StringWidth(r.key))
		}
		for k := i; k < j; k++ {
			if r := &l.rows[k]; r.key != "" {
				value := strings.TrimLeft(r.text[len(r.key):], " ")
				r.text = r.key + strings.Repeat(" ", widest-uniseg.StringWidth(r.key)+1) + value
			}
		}
		i = max(j, i+1)
	}
}

// alignComments sets the comments at the ends of neighbouring lines in a column.
func (l *layout) alignComments() {
	end := func(r row) int { return r.indent + uniseg.StringWidth(r.text) }
	for i := 0; i < len(l.rows); {
		j, widest := i, 0
		for ; j < len(l.rows) && l.rows[j].comment != ""; j++ {
			widest = max(widest, end(l.rows[j]))
		}
		for k := i; k < j; k++ {
			if r := &l.rows[k]; r.text == "" {
				r.text = r.comment
			} else {
				r.text += strings.Repeat(" ", widest-end(*r)+2) + r.comment
			}
		}
		i = max(j, i+1)
	}
}
