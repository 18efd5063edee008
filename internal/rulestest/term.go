package rulestest

import (
	"regexp"
	"strings"

	"github.com/vigil-cds/vigil/rules"
)

// TermOf finds the term that a rule or its message asks by its text; nil where neither does. Blanks, the
// kind of quotes and the way in which a window is written ('2d' or '48h') do not matter, and neither does
// a pack's name before an input of the rule's own pack.
func TermOf(p *rules.Program, rule *rules.Rule, text string) *rules.Term {
	text = normal(text)
	for _, t := range termsOf(p, rule) {
		if within(rule, t) == text {
			return t
		}
	}
	return nil
}

func termsOf(p *rules.Program, rule *rules.Rule) []*rules.Term {
	var terms []*rules.Term
	for _, id := range rule.Terms {
		terms = append(terms, p.Terms[id])
	}
	if rule.Message != nil {
		for _, id := range rule.Message.Terms {
			terms = append(terms, p.Terms[id])
		}
	}
	return terms
}

// within is a term's text without the name of the rule's own pack.
func within(rule *rules.Rule, t *rules.Term) string {
	return normal(strings.TrimPrefix(t.Source, rule.Pack+"/"))
}

var quotedText = regexp.MustCompile(`'[^']*'`)

// normal is the one way in which a term is written.
func normal(text string) string {
	text = strings.Join(strings.Fields(strings.ReplaceAll(text, `"`, `'`)), "")
	return quotedText.ReplaceAllStringFunc(text, func(quoted string) string {
		ends := strings.Split(strings.Trim(quoted, "'"), "..")
		for i, end := range ends {
			d, ok := parseLength(end)
			if !ok || end == "" {
				return quoted
			}
			ends[i] = d.String()
		}
		return "'" + strings.Join(ends, "..") + "'"
	})
}
