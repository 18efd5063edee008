package rules

import (
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/expr-lang/expr/ast"
)

// message reads a rule's text, which is empty for a rule that has only a title.
func (c *compiler) message(p *pack, r *ruleSource, zone *time.Location) *Message {
	if r.message == nil || (reader{&c.report}).word(r.message, "message") == "" {
		return &Message{}
	}
	whole := r.message.text
	if len(whole) > MaxMessage {
		c.add(r.message.at(), fmt.Sprintf("the message is longer than %d bytes", MaxMessage), "say what whoever reads the alert needs, and put the rest where `source` points")
		return &Message{}
	}
	m := &Message{Source: strings.TrimRight(whole, "\n"), zone: zone}
	rest := m.Source
	for rest != "" {
		open := strings.Index(rest, "{{")
		if open < 0 {
			open = len(rest)
		}
		if i := strings.Index(rest[:open], "}}"); i >= 0 {
			c.add(r.message.within(runesBefore(m.Source, rest[i:])), "`}}` without `{{` before it", "a term in a message stands in {{ }}")
		}
		if open > 0 {
			m.parts = append(m.parts, messagePart{text: rest[:open], term: -1})
		}
		if open == len(rest) {
			break
		}
		inner, after, closed := strings.Cut(rest[open+2:], "}}")
		if !closed {
			c.add(r.message.within(runesBefore(m.Source, rest[open:])), "`{{` is not closed", "end it with }}")
			break
		}
		k := &checker{c: c, pack: p, source: r.message, base: runesBefore(m.Source, rest[open+2:]), shown: true}
		if e := k.messageExpr(inner); e != nil {
			m.parts = append(m.parts, partOf(e))
			walk(e, func(t *Term) { m.Terms = append(m.Terms, t.ID) })
		}
		rest = after
	}
	slices.Sort(m.Terms)
	if m.Terms = slices.Compact(m.Terms); len(m.Terms) > MaxTerms {
		c.add(r.message.at(), fmt.Sprintf("the message asks %d different questions, more than %d", len(m.Terms), MaxTerms), "show fewer values")
	}
	return m
}

// runesBefore is how many characters of s stand before its tail.
func runesBefore(s, tail string) int { return utf8.RuneCountInString(s[:len(s)-len(tail)]) }

// messageExpr reads what stands in {{ }}: one term, score, constant or table and nothing else.
func (k *checker) messageExpr(text string) Expr {
	if strings.TrimSpace(text) == "" {
		k.c.add(k.source.within(k.base), "`{{ }}` is empty", "write a term, as in {{ potassium.last('24h') }}")
		return nil
	}
	tree := k.parse(text)
	switch tree.(type) {
	case nil:
		return nil
	case *ast.CallNode, *ast.MemberNode, *ast.IdentifierNode:
	default:
		k.fault(tree, fmt.Sprintf("`{{ }}` holds one term, not %s", strings.TrimSpace(text)), "write each term in {{ }} of its own")
		return nil
	}
	e, t := k.check(tree, inside)
	switch e.(type) {
	case *TermRef, *Score, *Constant, *Lookup, *Dates:
	default:
		if t != broken {
			k.fault(tree, fmt.Sprintf("`{{ }}` does not show %s", e), "write a term, a score, a parameter or a table")
		}
		return nil
	}
	if _, term := e.(*TermRef); !term && asksElapsed(e) {
		k.fault(tree, "a table in a message cannot be asked with an elapsed time", "show the elapsed time itself")
		return nil
	}
	if _, ok := lower(e); !ok {
		k.fault(tree, "this is nested too deeply", "split it")
		return nil
	}
	return e
}

// partOf is what shows an expression.
func partOf(e Expr) messagePart {
	switch e := e.(type) {
	case *TermRef:
		return messagePart{term: e.Term.ID, expr: e, whole: e.Term.Op.Elapsed()}
	case *Score:
		var l lowering
		return messagePart{term: -1, expr: e, score: l.score(e)}
	}
	c, _ := lower(e)
	return messagePart{term: -1, expr: e, code: &c}
}
