package ucum

import (
	"fmt"
	"strings"
)

const (
	maxCodeLength = 128
	maxNesting    = 16
	maxExponent   = 99
	maxDecades    = 300 // of a unit's size, up or down
	maxFactor     = 1e15
)

// Parse reads a case-sensitive UCUM code. A refusal is a *[ParseError] that
// unwraps to [ErrSyntax], [ErrUnknownUnit] or [ErrRange] and carries the place
// and, where there is one, the code that was probably meant.
func Parse(code string) (Unit, error) {
	q, perr := parse(code, standard())
	if perr != nil {
		perr.Hint = hint(code, perr)
		return Unit{}, perr
	}
	return Unit{code: code, quantity: q}, nil
}

// parse reads a code with the symbols that known has. Its error has no hint yet.
func parse(code string, known symbols) (quantity, *ParseError) {
	if len(code) > maxCodeLength {
		return quantity{}, &ParseError{
			Pos: maxCodeLength, Kind: ErrSyntax,
			Reason: fmt.Sprintf("a code has at most %d bytes, this has %d", maxCodeLength, len(code)),
		}
	}
	p := parser{code: code, known: known}
	q := p.mainTerm()
	if p.err != nil {
		return quantity{}, p.err
	}
	if n := q.size.decades(); n > maxDecades || n < -maxDecades {
		p.fail(0, ErrRange, fmt.Sprintf("its size is about 10^%d", n))
		return quantity{}, p.err
	}
	return q, nil
}

// parser is a recursive descent over UCUM's grammar (UCUM §§2-12). The first
// fault stops it: every method returns at once when err is set.
type parser struct {
	code  string
	pos   int
	depth int
	known symbols
	err   *ParseError
}

func (p *parser) fail(pos int, kind error, reason string) {
	if p.err == nil {
		p.err = &ParseError{Code: p.code, Pos: pos, Kind: kind, Reason: reason}
	}
}

// peek returns the byte at pos, 0 at the end.
func (p *parser) peek() byte {
	if p.pos < len(p.code) {
		return p.code[p.pos]
	}
	return 0
}

func (p *parser) mainTerm() quantity {
	if p.code == "" {
		p.fail(0, ErrSyntax, "the code is empty; unity is written 1")
		return quantity{}
	}
	var q quantity
	if p.peek() == '/' {
		p.pos++
		start := p.pos
		first := p.component()
		q = p.combine(q, first, true, start)
		q = p.rest(q)
	} else {
		q = p.rest(p.component())
	}
	if p.err == nil && p.pos < len(p.code) {
		p.fail(p.pos, ErrSyntax, "unexpected "+describe(p.peek()))
	}
	return q
}

// rest reads the operators and components after the first, left to right: a/b.c
// is (a/b)·c.
func (p *parser) rest(q quantity) quantity {
	for p.err == nil {
		op := p.peek()
		if op != '.' && op != '/' {
			break
		}
		p.pos++
		start := p.pos
		r := p.component()
		q = p.combine(q, r, op == '/', start)
	}
	return q
}

func (p *parser) combine(q, r quantity, divide bool, start int) quantity {
	if p.err != nil {
		return q
	}
	out, ok := q.times(r, divide)
	if !ok {
		p.fail(start, ErrSyntax, "a special unit multiplies with nothing but a pure number; of temperatures, use K for differences")
	}
	return out
}

func (p *parser) component() quantity {
	switch c := p.peek(); {
	case c == 0:
		p.fail(p.pos, ErrSyntax, "the code ends where a unit should follow")
	case c == '(':
		return p.parenthesised()
	case c == '{':
		p.annotation()
		return quantity{}
	case isDigit(c) && !p.atPowerOfTen():
		return p.factor()
	default:
		return p.simpleUnit()
	}
	return quantity{}
}

func (p *parser) parenthesised() quantity {
	open := p.pos
	if p.depth == maxNesting {
		p.fail(open, ErrSyntax, fmt.Sprintf("parentheses are nested more than %d deep", maxNesting))
		return quantity{}
	}
	p.depth++
	p.pos++
	q := p.rest(p.component())
	p.depth--
	if p.err == nil && p.peek() != ')' {
		if p.pos == len(p.code) {
			p.fail(open, ErrSyntax, "the parenthesis is not closed")
		} else {
			p.fail(p.pos, ErrSyntax, "unexpected "+describe(p.peek()))
		}
	}
	p.pos++
	return q
}

// annotation reads {…}: printable ASCII without braces and spaces.
func (p *parser) annotation() {
	open := p.pos
	for p.pos++; p.pos < len(p.code); p.pos++ {
		switch c := p.code[p.pos]; {
		case c == '}':
			p.pos++
			return
		case c == '{' || c <= ' ' || c > '~':
			p.fail(p.pos, ErrSyntax, describe(c)+" inside an annotation")
			return
		}
	}
	p.fail(open, ErrSyntax, "the annotation is not closed")
}

// atPowerOfTen reports whether one of the atoms 10* and 10^ comes next.
func (p *parser) atPowerOfTen() bool {
	s := p.code[p.pos:]
	return strings.HasPrefix(s, "10*") || strings.HasPrefix(s, "10^")
}

func (p *parser) factor() quantity {
	start := p.pos
	var n int64
	for ; isDigit(p.peek()); p.pos++ {
		n = n*10 + int64(p.peek()-'0')
		if n > maxFactor {
			p.fail(start, ErrSyntax, "the factor is too large; write it as a power of ten (10*15)")
			return quantity{}
		}
	}
	if n == 0 {
		p.fail(start, ErrSyntax, "the factor is zero")
		return quantity{}
	}
	if p.peek() == '{' {
		p.annotation()
	}
	return quantity{size: integerMagnitude(n)}
}

func (p *parser) simpleUnit() quantity {
	start := p.pos
	symbol := p.symbol()
	if p.err != nil {
		return quantity{}
	}
	a, prefix := p.known.find(symbol)
	if a == nil {
		p.fail(start, ErrUnknownUnit, fmt.Sprintf("no unit has the symbol %q", symbol))
		return quantity{}
	}
	q := a.quantity
	q.size = q.size.mul(prefix)
	if c := p.peek(); c == '+' || c == '-' || isDigit(c) {
		at := p.pos
		n := p.exponent()
		if p.err != nil {
			return quantity{}
		}
		var ok bool
		if q, ok = q.pow(n); !ok {
			p.fail(at, ErrSyntax, "a special unit takes no exponent")
		}
	}
	if p.err == nil && p.peek() == '{' {
		p.annotation()
	}
	return q
}

// symbol reads a unit symbol: up to an operator, an exponent, a parenthesis or
// an annotation, with anything inside square brackets.
func (p *parser) symbol() string {
	start := p.pos
	if p.atPowerOfTen() {
		p.pos += len("10*")
		return p.code[start:p.pos]
	}
	for p.pos < len(p.code) {
		c := p.code[p.pos]
		if c == '[' {
			end := strings.IndexByte(p.code[p.pos:], ']')
			if end < 0 {
				p.fail(p.pos, ErrSyntax, "the square bracket is not closed")
				return ""
			}
			p.pos += end + 1
			continue
		}
		if !isSymbolByte(c) {
			break
		}
		p.pos++
	}
	if p.pos == start {
		p.fail(start, ErrSyntax, "unexpected "+describe(p.peek()))
	}
	return p.code[start:p.pos]
}

func (p *parser) exponent() int {
	start, sign := p.pos, 1
	switch p.peek() {
	case '-':
		sign = -1
		p.pos++
	case '+':
		p.pos++
	}
	if !isDigit(p.peek()) {
		p.fail(p.pos, ErrSyntax, "a sign without digits")
		return 0
	}
	n := 0
	for ; isDigit(p.peek()); p.pos++ {
		if n = n*10 + int(p.peek()-'0'); n > maxExponent {
			p.fail(start, ErrSyntax, fmt.Sprintf("the exponent is beyond ±%d", maxExponent))
			return 0
		}
	}
	return sign * n
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// isSymbolByte reports whether c may stand in a unit symbol outside square
// brackets.
func isSymbolByte(c byte) bool {
	switch c {
	case '%', '\'', '_':
		return true
	}
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}

func describe(c byte) string {
	switch {
	case c == 0:
		return "end of the code"
	case c == ' ':
		return "space"
	case c < ' ' || c > '~':
		return "byte that is not printable ASCII"
	}
	return fmt.Sprintf("%q", c)
}
