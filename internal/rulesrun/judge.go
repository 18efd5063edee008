package rulesrun

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/vigil-cds/vigil/explain"
	"github.com/vigil-cds/vigil/explain/record"
	"github.com/vigil-cds/vigil/explain/render"
	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/internal/rulestest"
	"github.com/vigil-cds/vigil/rules"
)

// judge holds what was said against what was expected.
type judge struct {
	runner *Runner
	c      *rulestest.Case
	result *Result
	first  bool // the first problem is enough, and nobody asks why
}

func (j *judge) enough() bool { return j.first && len(j.result.Problems) > 0 }

func (j *judge) add(p Problem) { j.result.Problems = append(j.result.Problems, p) }

// instant is a time as written, with the instant that it is.
func instant(written string, at clinical.Instant) string {
	if written == at.String() {
		return written
	}
	return fmt.Sprintf("%s (%s)", written, at)
}

// compare reports where the two sides differ.
func (j *judge) compare(q questions, reference, engine answers) {
	differ := func(e *rulestest.Expectation, rule, what, expected, actual string) {
		if expected != actual {
			j.add(Problem{Line: e.Line, Engine: true, Rule: rule, At: instant(e.Offset, e.At), What: what, Expected: expected, Actual: actual})
		}
	}
	for i := range j.c.Expect {
		e, x, y := &j.c.Expect[i], &reference.moments[i], &engine.moments[i]
		for k, t := range e.Truths {
			differ(e, t.Rule, "truth", x.truths[k].String(), y.truths[k].String())
		}
		for k, v := range e.Values {
			if x.values[k] != y.values[k] && !same(x.values[k], y.values[k]) {
				differ(e, e.Rule, v.Term, shown(x.values[k]), shown(y.values[k]))
			}
		}
		differ(e, e.Rule, "message", x.message, y.message)
	}
	for _, rule := range q.turns {
		expected, actual := turnsOf(reference.turns, rule), turnsOf(engine.turns, rule)
		if expected != actual {
			j.add(Problem{Line: j.c.Line, Engine: true, Rule: rule.ID, What: "fired and cleared", Expected: expected, Actual: actual})
		}
	}
}

func turnsOf(turns []turn, rule *rules.Rule) string {
	var list []string
	for _, t := range turns {
		if t.rule == rule {
			list = append(list, map[bool]string{true: "fired ", false: "cleared "}[t.fired]+t.at.String())
		}
	}
	return strings.Join(list, ", ")
}

// expectations reports what is not as expected.
func (j *judge) expectations(a answers) {
	for i := range j.c.Expect {
		if j.enough() {
			return
		}
		j.moment(&j.c.Expect[i], &a.moments[i])
	}
	for i := range j.c.Turns {
		if j.enough() {
			return
		}
		j.turns(&j.c.Turns[i], a.turns)
	}
}

func (j *judge) moment(e *rulestest.Expectation, m *moment) {
	wrong := func(rule string, line int, what, expected, actual string) {
		p := Problem{Line: line, Rule: rule, At: instant(e.Offset, e.At), What: what, Expected: expected, Actual: actual}
		if !j.first {
			p.Why = j.why(rule, m.history, e.At)
		}
		j.add(p)
	}
	for k, t := range e.Truths {
		j.result.Checks++
		if m.truths[k] != t.Truth {
			wrong(t.Rule, t.Line, "truth", t.Truth.String(), m.truths[k].String())
		}
	}
	for k, v := range e.Values {
		j.result.Checks++
		if k < len(m.known) && m.known[k] && !same(m.values[k], v.Value) {
			wrong(e.Rule, v.Line, v.Term, shown(v.Value), shown(m.values[k]))
		}
	}
	if e.Message == nil {
		return
	}
	j.result.Checks++
	if e.Message.Equal != "" && m.message != e.Message.Equal {
		wrong(e.Rule, e.Message.Line, "message", strconv.Quote(e.Message.Equal), strconv.Quote(m.message))
	}
	for _, piece := range e.Message.Contains {
		if !strings.Contains(m.message, piece) {
			wrong(e.Rule, e.Message.Line, "message", "contains "+strconv.Quote(piece), strconv.Quote(m.message))
		}
	}
}

func (j *judge) turns(t *rulestest.Turns, turns []turn) {
	j.result.Checks++
	var at []clinical.Instant
	for _, turn := range turns {
		if turn.rule.ID == t.Rule && turn.fired == t.Fired {
			at = append(at, turn.at)
		}
	}
	if slices.Equal(at, t.At) {
		return
	}
	p := Problem{Line: t.Line, Rule: t.Rule, What: "cleared", Expected: "never", Actual: "never"}
	if t.Fired {
		p.What = "fired"
	}
	if len(t.At) > 0 {
		var list []string
		for i, x := range t.At {
			list = append(list, instant(t.Written[i], x))
		}
		p.Expected = strings.Join(list, ", ")
	}
	if len(at) > 0 {
		var list []string
		for _, x := range at {
			list = append(list, instant(offset(x-j.c.Now), x))
		}
		p.Actual = strings.Join(list, ", ")
	}
	j.add(p)
}

// offset writes the length between an instant and now as cases do.
func offset(d clinical.Instant) string {
	sign := "+"
	if d < 0 {
		sign, d = "-", -d
	}
	return sign + rules.Duration{Millis: int64(d)}.String()
}

// why is one sentence about a rule at an instant.
func (j *judge) why(id string, h explain.History, at clinical.Instant) string {
	rule, ok := j.runner.program.Rule(id)
	if !ok {
		return ""
	}
	reference := j.runner.reference
	if all := reference.Each(rule, h, at); len(all) > 0 {
		reference = all[len(all)-1]
	}
	e := reference.Answer(rule, h, at, at, explain.Frame{Patient: "case", Topic: "case", Facts: 20,
		RuleSet: record.RuleSet{Hash: j.runner.program.Hash, Zone: j.runner.program.Zone.String()}, Known: record.Known{Clock: record.Instant(at)}})
	return render.Sentence(e, nil)
}

// same holds values against each other as the language does, and bounds exactly.
func same(x, y rules.Value) bool {
	if x.Kind == rules.Missing || y.Kind == rules.Missing {
		return x.Kind == y.Kind
	}
	if x.Bound != y.Bound {
		return false
	}
	x.Bound, y.Bound = clinical.Exactly, clinical.Exactly
	return rules.CompareValues("==", x, y).Truth() == rules.True
}

func shown(v rules.Value) string {
	if v.Kind == rules.Missing {
		return "missing"
	}
	return v.String()
}
