package rulestest

import (
	"fmt"

	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/rules"
)

// Case is one test case, ready to run.
type Case struct {
	Name   string
	Rule   string
	File   string
	Line   int
	Now    clinical.Instant
	Facts  []clinical.Fact // in the order written, which is the order of the log
	Expect []Expectation
}

// Expectation is what the rule must say at one instant.
type Expectation struct {
	At     clinical.Instant
	Truth  rules.Truth
	Line   int
	Offset string // At as written: "+46h"
}

// reader turns nodes into cases and collects what is wrong.
type reader struct {
	suite  *Suite
	file   string
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
	keys := r.keys(root, "a file of test cases", "cases")
	list, ok := keys["cases"]
	if !ok || list.shape != sequence || len(list.items) == 0 {
		r.fault(root, "begin it with `cases:` and a list", "the file has no test cases")
		return nil
	}
	var cases []Case
	for _, item := range list.items {
		cases = append(cases, r.testCase(item))
	}
	return cases
}

func (r *reader) testCase(n node) Case {
	keys := r.keys(n, "a test case", "name", "rule", "now", "patient", "facts", "expect")
	c := Case{File: r.file, Line: n.line}
	c.Name = r.required(n, keys, "name", "say in a few words what the case shows")
	c.Rule = r.required(n, keys, "rule", "name the rule that the case tests")
	moment := r.required(n, keys, "now", "give the instant that offsets count from, as in 2026-03-01T12:00:00Z")
	if moment != "" {
		now, ok := parseInstant(moment)
		if !ok {
			r.fault(keys["now"], "write it as 2026-03-01T12:00:00Z", "%q is not an instant", moment)
		}
		c.Now = now
	}
	pack := ""
	if rule := r.suite.rule(c.Rule); rule != nil {
		pack = rule.Pack
	} else if c.Rule != "" {
		r.fault(keys["rule"], "", "there is no rule %q", c.Rule)
	}
	when := clock{c.Now, r.suite.program.Zone}
	if person, ok := keys["patient"]; ok {
		c.Facts = append(c.Facts, r.person(person, when))
	}
	if facts, ok := keys["facts"]; ok {
		if facts.shape != sequence {
			r.fault(facts, "write each fact after a dash", "facts are a list")
		}
		for _, item := range facts.items {
			if f, ok := r.fact(item, pack, when); ok {
				c.Facts = append(c.Facts, f)
			}
		}
	}
	expect := keys["expect"]
	if expect.shape != sequence || len(expect.items) == 0 {
		r.fault(n, "add `expect:` with at least one `- {at: +0h, truth: true}`", "the case expects nothing")
	}
	for _, item := range expect.items {
		c.Expect = append(c.Expect, r.expectation(item, when))
	}
	return c
}

func (r *reader) expectation(n node, when clock) Expectation {
	keys := r.keys(n, "an expectation", "at", "truth")
	e := Expectation{Line: n.line, Offset: r.required(n, keys, "at", "say at which instant, as in `at: +0h`")}
	if e.Offset != "" {
		e.At = r.time(keys["at"], e.Offset, when)
	}
	word := r.required(n, keys, "truth", "write true, false or unknown")
	if word == "" {
		return e
	}
	for _, t := range []rules.Truth{rules.False, rules.True, rules.Unknown} {
		if word == t.String() {
			e.Truth = t
			return e
		}
	}
	r.fault(keys["truth"], "write true, false or unknown", "%q is not a truth value", word)
	return e
}
