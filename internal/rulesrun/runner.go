package rulesrun

import (
	"time"

	"github.com/vigil-cds/vigil/explain"
	"github.com/vigil-cds/vigil/internal/rulestest"
	"github.com/vigil-cds/vigil/pointer"
	"github.com/vigil-cds/vigil/rules"
)

// Runner runs cases against one program. Any number of goroutines may use one at the same time.
type Runner struct {
	program   *rules.Program
	plan      *pointer.Plan
	reference *explain.Reference
}

// New makes a Runner of a program that has the rules of the cases. It runs them at the program's limits,
// whatever parameters they set: see Runners.
func New(p *rules.Program) *Runner {
	return &Runner{program: p, plan: pointer.NewPlan(p), reference: explain.NewReference(p)}
}

// Runners are those of a suite's cases, which run at the limits that each sets. They are for one goroutine.
type Runners map[*rules.Program]*Runner

// Of is the Runner of a case.
func (r Runners) Of(c *rulestest.Case) *Runner {
	if r[c.Program] == nil {
		r[c.Program] = New(c.Program)
	}
	return r[c.Program]
}

// Result is what became of one case.
type Result struct {
	Name     string        `json:"name"`
	Rule     string        `json:"rule"`
	Pack     string        `json:"pack"`
	File     string        `json:"file"`
	Line     int           `json:"line"`
	Passed   bool          `json:"passed"`
	Checks   int           `json:"checks"` // how many things it expected
	Problems []Problem     `json:"problems,omitempty"`
	Took     time.Duration `json:"-"` // as the caller measured it
}

// Problem is one thing that is not as expected.
type Problem struct {
	Line int `json:"line"` // of the expectation
	// Engine says that the engine and the reference evaluator differ, which no pack can be blamed for:
	// Expected is then what the reference says, Actual what the engine does.
	Engine   bool   `json:"engine,omitempty"`
	Rule     string `json:"rule"`
	At       string `json:"at,omitempty"` // as written, and the instant: "+8h (2026-03-01T20:00:00Z)"
	What     string `json:"what"`         // truth, message, fired, cleared, or a term
	Expected string `json:"expected"`
	Actual   string `json:"actual"`
	Why      string `json:"why,omitempty"` // one sentence about the rule at the instant
}

// Run runs a case. The coverage, unless it is nil, takes note of what the case saw.
func (r *Runner) Run(c *rulestest.Case, seen *Coverage) Result {
	result := Result{Name: c.Name, Rule: c.Rule, Pack: c.Pack, File: c.File, Line: c.Line}
	q := r.questions(c)
	expected := r.play(q, c, &reference{evaluator: r.reference, program: r.program}, seen)
	actual := r.play(q, c, newEngine(r.plan), nil)
	j := judge{runner: r, c: c, result: &result}
	j.compare(q, expected, actual)
	j.expectations(expected)
	result.Passed = len(result.Problems) == 0
	return result
}

// Notices says whether a case fails. Of the values that a case expects, those of terms that the program
// does not ask are passed over.
func (r *Runner) Notices(c *rulestest.Case) bool {
	q := r.questions(c)
	result := Result{}
	j := judge{runner: r, c: c, result: &result, first: true}
	j.expectations(r.play(q, c, newEngine(r.plan), nil))
	return len(result.Problems) > 0
}
