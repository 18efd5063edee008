package rulestest

import (
	"regexp"
	"strings"

	"github.com/vigil-cds/vigil/rules"
)

// Question is what an expectation asks a value of: one of these.
type Question struct {
	Term  *rules.Term
	Score *rules.Score
	Fixed rules.Value // of a parameter or a constant
}

// QuestionOf finds what a rule, one of its scores or its message asks by its text: a term, or the name of a
// score, a parameter or a constant of its pack. It is false where they ask no such thing.
func QuestionOf(p *rules.Program, rule *rules.Rule, text string) (Question, bool) {
	if t := TermOf(p, rule, text); t != nil {
		return Question{Term: t}, true
	}
	switch e := rule.Named()[normal(text)].(type) {
	case *rules.Score:
		return Question{Score: e}, true
	case *rules.Constant:
		return Question{Fixed: e.Value}, true
	}
	return Question{}, false
}

// SumOf is what a score that lies between two numbers comes to: a number where they are the same, else as
// a message shows it.
func SumOf(least, greatest float64) rules.Value {
	if rules.Compare(least, greatest) == 0 {
		return rules.NumberOf(least)
	}
	return rules.TextOf(rules.NumberOf(least).String() + " to " + rules.NumberOf(greatest).String())
}

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
