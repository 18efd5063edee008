package rulestest

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/rules"
)

// Expectation is what must be so at one instant.
type Expectation struct {
	At     clinical.Instant
	Offset string // At as written: "+46h"
	Line   int
	Rule   string // that Values and Message are of
	// Period is when the one begins that is meant, of a rule that holds for each period of an input. nil: a truth is
	// that of any of them, and values and message are of the latest that has begun.
	Period *clinical.Instant

	Truths  []ExpectedTruth
	Values  []ExpectedValue
	Message *ExpectedMessage
}

// ExpectedTruth is what a rule must be.
type ExpectedTruth struct {
	Rule  string
	Truth rules.Truth
	Line  int
}

// ExpectedValue is what a term of a rule or its message must answer: the zero Value is missing. Of a score
// that is not known it is a Text such as "3 to 5".
type ExpectedValue struct {
	Term  string // as QuestionOf knows it
	Value rules.Value
	Line  int
}

// ExpectedMessage is what a rule's message must be, or contain.
type ExpectedMessage struct {
	Equal    string
	Contains []string // all of them, where Equal is empty
	Line     int
}

// Turns is every instant at which a rule must fire, or clear.
type Turns struct {
	Rule    string
	Fired   bool // else cleared
	At      []clinical.Instant
	Written []string // At as written
	Line    int
}

// expectations reads all that a case expects.
func (r *reader) expectations(c *Case, n node, keys map[string]node, when clock) {
	expect, told := keys["expect"]
	switch {
	case !told:
	case expect.shape == mapping:
		c.Expect = append(c.Expect, r.expectation(expect, c, when))
	case expect.shape == sequence:
		for _, item := range expect.items {
			c.Expect = append(c.Expect, r.expectation(item, c, when))
		}
	default:
		r.fault(expect, "write `- {at: +0h, truth: true}`", "what is expected is written as keys with values, or as a list of them")
		return
	}
	for _, key := range []string{"fired", "cleared"} {
		if turns, ok := keys[key]; ok {
			r.turns(c, key, turns, when)
		}
	}
	if len(c.Expect)+len(c.Turns) == 0 {
		r.fault(n, "add `expect:` with at least one `- {at: +0h, truth: true}`", "the case expects nothing")
	}
}

func (r *reader) expectation(n node, c *Case, when clock) Expectation {
	keys := r.keys(n, "an expectation", ExpectationKeys...)
	e := Expectation{Line: n.line, Offset: "now", At: when.now, Rule: c.Rule}
	if at, ok := keys["at"]; ok {
		if e.Offset = r.text(at, "at"); e.Offset != "" {
			e.At = r.time(at, e.Offset, when)
		}
	}
	if of, ok := keys["rule"]; ok {
		if e.Rule = r.text(of, "rule"); e.Rule != "" {
			r.rule(of, e.Rule)
		}
	}
	if period, ok := keys["period"]; ok {
		r.period(period, &e, when)
	}
	if truth, ok := keys["truth"]; ok {
		r.truths(truth, &e)
	}
	if values, ok := keys["values"]; ok {
		r.values(values, c, &e, when)
	}
	if message, ok := keys["message"]; ok {
		e.Message = r.message(message)
	}
	if n.shape == mapping && keys["truth"].shape == blank && keys["values"].shape == blank && keys["message"].shape == blank {
		r.fault(n, "add `truth: true`, `values:` or `message:`", "the expectation expects nothing")
	}
	return e
}

// period reads when the period begins that an expectation is about.
func (r *reader) period(n node, e *Expectation, when clock) {
	text := r.text(n, "period")
	if text == "" {
		return
	}
	if rule, ok := r.suite.program.Rule(e.Rule); ok && rule.Each == 0 {
		r.fault(n, "drop it, or add `for_each` to the rule", "the rule %s holds for the patient, not for periods", rule.ID)
		return
	}
	at := r.time(n, text, when)
	e.Period = &at
}

func (r *reader) truths(n node, e *Expectation) {
	if n.shape != mapping {
		if truth, ok := r.truth(n); ok {
			e.Truths = append(e.Truths, ExpectedTruth{e.Rule, truth, n.line})
		}
		return
	}
	for _, p := range n.pairs {
		rule := r.rule(p.at, p.key)
		if truth, ok := r.truth(p.value); ok && rule != nil {
			e.Truths = append(e.Truths, ExpectedTruth{p.key, truth, p.at.line})
		}
	}
}

func (r *reader) truth(n node) (rules.Truth, bool) {
	word := r.text(n, "truth")
	for _, t := range []rules.Truth{rules.False, rules.True, rules.Unknown} {
		if word == t.String() {
			return t, true
		}
	}
	if word != "" {
		r.fault(n, "write true, false or unknown", "%q is not a truth value", word)
	}
	return 0, false
}

func (r *reader) values(n node, c *Case, e *Expectation, when clock) {
	if n.shape != mapping {
		r.fault(n, "as in {\"creatinine.last('48h')\": 1.4}", "values are written as keys with values")
		return
	}
	rule, ok := c.Program.Rule(e.Rule)
	if !ok {
		return
	}
	for _, p := range n.pairs {
		q, ok := QuestionOf(c.Program, rule, p.key)
		if !ok {
			asked := slices.Collect(maps.Keys(rule.Named()))
			for _, t := range termsOf(c.Program, rule) {
				asked = append(asked, within(rule, t))
			}
			r.fault(p.at, nearestOr(normal(p.key), asked, "they ask"), "neither the rule %s nor its message asks %s", rule.ID, p.key)
			continue
		}
		text := r.text(p.value, p.key)
		if text == "" {
			continue
		}
		v := rules.Value{}
		switch {
		case q.Score != nil:
			v = r.sum(p.value, text)
		case q.Term != nil:
			v = r.value(p.value, text, q.Term.Op, when)
		default:
			v = r.value(p.value, text, 0, when)
		}
		e.Values = append(e.Values, ExpectedValue{Term: normal(p.key), Value: v, Line: p.at.line})
	}
}

// sum reads what a score must come to: a number, or "3 to 5" where it is not known.
func (r *reader) sum(n node, text string) rules.Value {
	var ends []float64
	for _, end := range strings.Split(text, " to ") {
		x, err := strconv.ParseFloat(end, 64)
		if err != nil {
			break
		}
		ends = append(ends, x)
	}
	switch {
	case len(ends) == 1 && !strings.Contains(text, " "):
		return SumOf(ends[0], ends[0])
	case len(ends) == 2 && ends[0] < ends[1]:
		return SumOf(ends[0], ends[1])
	}
	r.fault(n, "write 5, or 3 to 5 where it is not known", "%q is not what a score comes to", text)
	return rules.Value{}
}

// value reads what a term must answer.
func (r *reader) value(n node, text string, op rules.Op, when clock) rules.Value {
	switch {
	case text == "missing":
		return rules.Value{}
	case op == rules.PeriodEnd && text == "ongoing":
		return rules.TimeOf(clinical.Forever)
	case op == rules.LastTime || op == rules.FirstTime || op == rules.PeriodStart || op == rules.PeriodEnd:
		return rules.TimeOf(r.time(n, text, when))
	case text == "true" || text == "false":
		return rules.BoolOf(text == "true")
	}
	digits := strings.TrimLeft(text, "<>= ")
	if _, err := strconv.ParseFloat(digits, 64); err == nil && n.style == plain || digits != text {
		d := &clinical.Detail{}
		v := rules.NumberOf(r.number(n, text, d))
		v.Bound = d.Comparator
		return v
	}
	return rules.TextOf(text)
}

func (r *reader) message(n node) *ExpectedMessage {
	m := &ExpectedMessage{Line: n.line}
	if n.shape != mapping {
		m.Equal = r.text(n, "message")
		return m
	}
	keys := r.keys(n, "a message", MessageKeys...)
	if contains, ok := keys["contains"]; ok {
		m.Contains = r.texts(contains, "what a message contains")
	}
	if len(m.Contains) == 0 {
		r.fault(n, "write the whole message, or {contains: a part of it}", "nothing is expected of the message")
	}
	return m
}

// turns reads `fired` or `cleared`: times of the case's rule, or of several.
func (r *reader) turns(c *Case, key string, n node, when clock) {
	if n.shape != mapping {
		c.Turns = append(c.Turns, r.instants(c.Rule, key, n, n.line, when))
		return
	}
	for _, p := range n.pairs {
		if r.rule(p.at, p.key) != nil {
			c.Turns = append(c.Turns, r.instants(p.key, key, p.value, p.at.line, when))
		}
	}
}

func (r *reader) instants(rule, key string, n node, line int, when clock) Turns {
	t := Turns{Rule: rule, Fired: key == "fired", Line: line}
	if n.shape == scalar && n.text == "never" {
		return t
	}
	items := []node{n}
	if n.shape == sequence {
		items = n.items
	}
	for _, item := range items {
		if text := r.text(item, key); text != "" {
			t.At = append(t.At, r.time(item, text, when))
			t.Written = append(t.Written, text)
		}
	}
	return t
}
