package rulestest

import (
	"fmt"

	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/rules"
)

// Evaluator says what the rule answers for a patient of whom these facts, stated in this order, are
// known. It sees facts dated after now, too, and must not. It must not change the facts.
type Evaluator func(rule string, facts []clinical.Fact, now clinical.Instant) rules.Truth

// Failure is an expectation that was not met.
type Failure struct {
	Case   *Case
	Expect Expectation
	Got    rules.Truth
	Facts  int // how many facts were dated at or before the instant
}

// String is one line for whoever wrote the case: where, what was wanted, and what came.
func (f Failure) String() string {
	return fmt.Sprintf("%s:%d: %s: %q at %s (%v): want %v, got %v (of %d facts, %d dated by then)",
		f.Case.File, f.Expect.Line, f.Case.Rule, f.Case.Name, f.Expect.Offset, f.Expect.At,
		f.Expect.Truth, f.Got, len(f.Case.Facts), f.Facts)
}

// Run asks the evaluator at each of the case's instants, in the order written, and returns what was
// not as expected.
func (c *Case) Run(eval Evaluator) []Failure {
	var failures []Failure
	for _, e := range c.Expect {
		got := eval(c.Rule, c.Facts, e.At)
		if got == e.Truth {
			continue
		}
		f := Failure{Case: c, Expect: e, Got: got}
		for _, fact := range c.Facts {
			if fact.Time <= e.At {
				f.Facts++
			}
		}
		failures = append(failures, f)
	}
	return failures
}
