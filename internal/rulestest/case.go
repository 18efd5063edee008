package rulestest

import (
	"fmt"
	"slices"
	"time"

	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/rules"
)

// Case is one test case, ready to run. It is not to be changed.
type Case struct {
	Name string
	Rule string
	Pack string // of the rule
	File string
	Line int
	Now  clinical.Instant

	// Program is what the case runs against: that of the suite, or the same set at the site's limits that the
	// case asks for. Cases with equal Parameters of one file share it.
	Program    *rules.Program
	Parameters map[string]map[string]string // by pack and name; nil where the case sets none

	// Records is the history, in the order in which the log learned of it; what was learned at one
	// instant is one record. A record at clinical.Never is known from the beginning on.
	Records []clinical.Record
	Facts   []clinical.Fact // that the records ever state, in the order written

	Expect []Expectation // in the order written
	Turns  []Turns
	Until  clinical.Instant // how far Turns look at least; clinical.Never where the case does not say
}

// Rules is every rule that something is expected of, the case's own first.
func (c *Case) Rules() []string {
	ids := []string{c.Rule}
	add := func(id string) {
		if !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	for _, e := range c.Expect {
		add(e.Rule)
		for _, t := range e.Truths {
			add(t.Rule)
		}
	}
	for _, t := range c.Turns {
		add(t.Rule)
	}
	return ids
}

// defaultNow is the instant of cases that do not say when they are: a Sunday of a common year.
var defaultNow = clinical.At(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))

// reader turns nodes into cases and collects what is wrong.
type reader struct {
	suite  *Suite
	file   string
	open   func(name string) ([]byte, error) // a file beside this one
	sites  map[string]*rules.Program         // by parameters as set
	faults rules.Faults
}

func (r *reader) fault(n node, hint, problem string, args ...any) {
	r.faults = append(r.faults, rules.Fault{File: r.file, Line: n.line, Col: n.col, Problem: fmt.Sprintf(problem, args...), Hint: hint})
}

func (r *reader) document(data []byte) []Case {
	root, ok := r.parse(data)
	if !ok {
		return nil
	}
	keys := r.keys(root, "a file of test cases", FileKeys...)
	list, ok := keys["cases"]
	if !ok || list.shape != sequence || len(list.items) == 0 {
		r.fault(root, "begin it with `cases:` and a list", "the file has no test cases")
		return nil
	}
	now, written := defaultNow, false
	if n, ok := keys["now"]; ok {
		now, written = r.now(n), true
	}
	site := r.suitesOwn()
	if n, ok := keys["parameters"]; ok {
		site = r.site(n, site)
	}
	var cases []Case
	for _, item := range list.items {
		cases = append(cases, r.testCase(item, now, written, site))
	}
	return cases
}

func (r *reader) now(n node) clinical.Instant {
	text := r.text(n, "now")
	now, ok := parseInstant(text, r.suite.program.Zone)
	if !ok && text != "" {
		r.fault(n, "write it as 2026-03-01T12:00:00Z", "%q is not an instant", text)
	}
	return now.at
}

func (r *reader) testCase(n node, now clinical.Instant, written bool, at site) Case {
	keys := r.keys(n, "a test case", CaseKeys...)
	if limits, ok := keys["parameters"]; ok {
		at = r.site(limits, at)
	}
	c := Case{File: r.file, Line: n.line, Now: now, Until: clinical.Never, Program: at.program, Parameters: at.parameters}
	c.Name = r.required(n, keys, "name", "say in a few words what the case shows")
	c.Rule = r.required(n, keys, "rule", "name the rule that the case tests")
	if c.Rule != "" {
		if rule := r.rule(keys["rule"], c.Rule); rule != nil {
			c.Pack = rule.Pack
		}
	}
	if moment, ok := keys["now"]; ok {
		c.Now, written = r.now(moment), true
	}
	when := clock{c.Now, r.suite.program.Zone}
	h := history{reader: r, pack: c.Pack, when: when}
	if person, ok := keys["patient"]; ok {
		h.person(person)
	}
	for _, key := range []string{"history", "facts"} {
		if facts, ok := keys[key]; ok {
			h.facts(facts)
		}
	}
	if files, ok := keys["fhir"]; ok {
		if !written {
			r.fault(files, "write the instant the case asks at, as in `now: 2026-03-01T12:00:00Z`", "a history in FHIR has dates, and the case does not say when now is")
		}
		h.fhir(files)
	}
	c.Facts, c.Records = h.stated(), h.records()
	if until, ok := keys["until"]; ok {
		c.Until = r.time(until, r.text(until, "until"), when)
	}
	r.expectations(&c, n, keys, when)
	return c
}

// rule finds a rule of the set by what a case calls it.
func (r *reader) rule(n node, id string) *rules.Rule {
	rule, ok := r.suite.program.Rule(id)
	if !ok {
		hint := ""
		if near := rules.NearestRule(r.suite.program, id); near != "" {
			hint = fmt.Sprintf("did you mean %q?", near)
		}
		r.fault(n, hint, "there is no rule %q", id)
		return nil
	}
	return rule
}
