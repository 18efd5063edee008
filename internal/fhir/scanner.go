package fhir

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"math"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/vigil-cds/vigil/internal/clinical"
)

// scanner reads one flat JSON object without building it.
type scanner struct {
	line []byte
	at   int
}

func (p *scanner) malformed() *Fault {
	return newFault(InvalidJSON, "", "the line is not a JSON object: malformed at byte "+strconv.Itoa(p.at),
		"send one JSON object a line")
}

func (p *scanner) object(d *Decoder, c *compactLine) *Fault {
	p.space()
	if !p.take('{') {
		return p.malformed()
	}
	p.space()
	for first := true; !p.take('}'); first = false {
		if !first {
			if !p.take(',') {
				return p.malformed()
			}
			p.space()
		}
		key, ok := p.string()
		p.space()
		if !ok || !p.take(':') {
			return p.malformed()
		}
		p.space()
		if f := p.member(d, c, key); f != nil {
			return f
		}
		p.space()
	}
	p.space()
	if p.at != len(p.line) {
		return p.malformed()
	}
	return nil
}

// member reads the value of one member into its place in c.
func (p *scanner) member(d *Decoder, c *compactLine, key []byte) *Fault {
	switch string(key) {
	case "patient":
		return p.text("patient", &c.patient)
	case "code":
		return p.text("code", &c.code)
	case "unit":
		return p.text("unit", &c.unit)
	case "id":
		if f := p.text("id", &c.id); f != nil {
			return f
		}
		if len(c.id) > 0 && (len(c.id) > 64 || !isID(string(c.id))) {
			return newFault(InvalidReference, "id", "this is not an id of FHIR", "use at most 64 letters, digits, '-', '.' and '_'")
		}
		return nil
	case "time":
		return p.time(d, c)
	case "value":
		return p.value(c)
	}
	return p.skip(d)
}

// text reads a string, or null for none.
func (p *scanner) text(name string, to *[]byte) *Fault {
	if p.word("null") {
		*to = nil
		return nil
	}
	if p.peek() != '"' {
		return p.wrongType(name, "a string")
	}
	s, ok := p.string()
	if !ok {
		return p.malformed()
	}
	*to = s
	return nil
}

func (p *scanner) time(d *Decoder, c *compactLine) *Fault {
	c.timed = false
	if p.peek() == '"' {
		s, ok := p.string()
		if !ok {
			return p.malformed()
		}
		if c.at, c.precision, ok = parseTime(string(s), d.options.Zone); !ok {
			return newFault(UnreadableDate, "time", "this is not a time", "write it as 2026-03-01T10:00:00+01:00 or in milliseconds since 1970")
		}
		c.timed = true
		return nil
	}
	if p.word("null") {
		return nil
	}
	number, f := p.number("time")
	if f != nil {
		return f
	}
	ms, err := strconv.ParseInt(string(number), 10, 64)
	if err != nil || ms < firstMillisecond || ms > lastMillisecond {
		return newFault(UnreadableDate, "time", "this is not a whole number of milliseconds within the years 1 to 9999",
			"write milliseconds since 1970")
	}
	c.at, c.precision, c.timed = clinical.Instant(ms), clinical.ToMillisecond, true
	return nil
}

// The years that FHIR can write, 1 to 9999.
const (
	firstMillisecond = -62135596800000
	lastMillisecond  = 253402300799999
)

func (p *scanner) value(c *compactLine) *Fault {
	c.kind, c.number, c.text = clinical.NoValue, 0, nil
	switch {
	case p.peek() == '"':
		s, ok := p.string()
		if !ok {
			return p.malformed()
		}
		c.kind, c.text = clinical.Text, s
	case p.word("true"):
		c.kind, c.number = clinical.Boolean, 1
	case p.word("false"):
		c.kind = clinical.Boolean
	case p.word("null"):
	default:
		number, f := p.number("value")
		if f != nil {
			return f
		}
		n, err := strconv.ParseFloat(string(number), 64)
		if err != nil || math.IsInf(n, 0) {
			return newFault(NotANumber, "value", "the number is too large to be one", "send a decimal number of a size that can occur")
		}
		c.kind, c.number = clinical.Number, n
	}
	return nil
}

// number reads a number by JSON's grammar.
func (p *scanner) number(name string) ([]byte, *Fault) {
	start := p.at
	p.take('-')
	if rest := p.line[p.at:]; bytes.HasPrefix(rest, []byte("NaN")) || bytes.HasPrefix(rest, []byte("Inf")) {
		return nil, newFault(NotANumber, name, "a number belongs here", "leave the observation out when nothing was measured")
	}
	if c := p.peek(); c < '0' || c > '9' {
		if c == '{' || c == '[' {
			return nil, p.wrongType(name, "one value")
		}
		return nil, p.malformed()
	}
	if !p.take('0') {
		p.digits()
	}
	if p.take('.') && !p.digits() {
		return nil, p.malformed()
	}
	if p.take('e') || p.take('E') {
		if !p.take('+') {
			p.take('-')
		}
		if !p.digits() {
			return nil, p.malformed()
		}
	}
	return p.line[start:p.at], nil
}

func (p *scanner) digits() bool {
	start := p.at
	for p.at < len(p.line) && p.line[p.at] >= '0' && p.line[p.at] <= '9' {
		p.at++
	}
	return p.at > start
}

// skip passes over a value of any type.
func (p *scanner) skip(d *Decoder) *Fault {
	switch c := p.peek(); {
	case c == '"':
		if _, ok := p.string(); !ok {
			return p.malformed()
		}
		return nil
	case p.word("true"), p.word("false"), p.word("null"):
		return nil
	case c != '{' && c != '[':
		_, f := p.number("")
		return f
	}
	// Something nested: seldom enough to be found the slow way.
	if f := d.check(p.line); f != nil {
		return f
	}
	in := json.NewDecoder(bytes.NewReader(p.line[p.at:]))
	var nested json.RawMessage
	if in.Decode(&nested) != nil {
		return p.malformed()
	}
	p.at += int(in.InputOffset())
	return nil
}

func (p *scanner) wrongType(name, wanted string) *Fault {
	c := p.peek()
	if c != '"' && c != '{' && c != '[' && c != '-' && (c < '0' || c > '9') && c != 't' && c != 'f' && c != 'n' {
		return p.malformed()
	}
	return newFault(InvalidJSON, name, wanted+" belongs here", "see the format of compact observations")
}

// string reads a string; what it returns lies in the line unless the string has escapes.
func (p *scanner) string() ([]byte, bool) {
	if !p.take('"') {
		return nil, false
	}
	start := p.at
	for i, c := range p.line[start:] {
		switch {
		case c > '\\' || c != '"' && c != '\\' && c >= ' ':
		case c == '"':
			p.at = start + i + 1
			return p.line[start : start+i], true
		case c == '\\':
			p.at = start + i
			return p.escaped(start)
		default:
			p.at = start + i
			return nil, false
		}
	}
	p.at = len(p.line)
	return nil, false
}

// escaped reads on from the first backslash of the string that began at start.
func (p *scanner) escaped(start int) ([]byte, bool) {
	out := append([]byte(nil), p.line[start:p.at]...)
	for p.at < len(p.line) {
		c := p.line[p.at]
		p.at++
		switch {
		case c == '"':
			return out, true
		case c < ' ':
			return nil, false
		case c != '\\':
			out = append(out, c)
			continue
		}
		if p.at >= len(p.line) {
			return nil, false
		}
		c = p.line[p.at]
		p.at++
		if c == 'u' {
			r, ok := p.hex4()
			if !ok {
				return nil, false
			}
			if utf16.IsSurrogate(r) {
				r = p.lowSurrogate(r)
			}
			out = utf8.AppendRune(out, r)
			continue
		}
		i := bytes.IndexByte([]byte(`"\/bfnrt`), c)
		if i < 0 {
			return nil, false
		}
		out = append(out, "\"\\/\b\f\n\r\t"[i])
	}
	return nil, false
}

// lowSurrogate joins the escape that follows to the surrogate half; a half alone is U+FFFD, and what
// follows it is read for itself.
func (p *scanner) lowSurrogate(high rune) rune {
	back := p.at
	if p.take('\\') && p.take('u') {
		if low, ok := p.hex4(); ok {
			if r := utf16.DecodeRune(high, low); r != utf8.RuneError {
				return r
			}
		}
	}
	p.at = back
	return utf8.RuneError
}

func (p *scanner) hex4() (rune, bool) {
	if len(p.line)-p.at < 4 {
		return 0, false
	}
	var b [2]byte
	if _, err := hex.Decode(b[:], p.line[p.at:p.at+4]); err != nil {
		return 0, false
	}
	p.at += 4
	return rune(b[0])<<8 | rune(b[1]), true
}

func (p *scanner) peek() byte {
	if p.at < len(p.line) {
		return p.line[p.at]
	}
	return 0
}

func (p *scanner) take(c byte) bool {
	if p.at < len(p.line) && p.line[p.at] == c {
		p.at++
		return true
	}
	return false
}

func (p *scanner) word(w string) bool {
	if len(p.line)-p.at >= len(w) && string(p.line[p.at:p.at+len(w)]) == w {
		p.at += len(w)
		return true
	}
	return false
}

func (p *scanner) space() {
	for p.at < len(p.line) && p.line[p.at] <= ' ' {
		switch p.line[p.at] {
		case ' ', '\t', '\r', '\n':
			p.at++
		default:
			return
		}
	}
}
