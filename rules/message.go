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
		if t := k.messageTerm(inner); t != nil {
			m.parts = append(m.parts, messagePart{term: t.ID, whole: t.Op.Elapsed()})
			m.Terms = append(m.Terms, t.ID)
		}
		rest = after
	}
	slices.Sort(m.Terms)
	m.Terms = slices.Compact(m.Terms)
	return m
}

// runesBefore is how many characters of s stand before its tail.
func runesBefore(s, tail string) int { return utf8.RuneCountInString(s[:len(s)-len(tail)]) }

// messageTerm reads what stands in {{ }}: one term and nothing else.
func (k *checker) messageTerm(text string) *Term {
	if strings.TrimSpace(text) == "" {
		k.c.add(k.source.within(k.base), "`{{ }}` is empty", "write a term, as in {{ potassium.last('24h') }}")
		return nil
	}
	tree := k.parse(text)
	switch tree.(type) {
	case nil:
		return nil
	case *ast.CallNode, *ast.MemberNode:
	default:
		k.fault(tree, fmt.Sprintf("`{{ }}` holds one term, not %s", strings.TrimSpace(text)), "write each term in {{ }} of its own")
		return nil
	}
	e, _ := k.check(tree, inside)
	if ref, ok := e.(*TermRef); ok {
		return ref.Term
	}
	return nil
}
