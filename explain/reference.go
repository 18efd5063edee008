package explain

import (
	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/rules"
)

// Reference evaluates the rules of one program straight over a patient's facts. It holds nothing but
// the program: any number of goroutines may use one at the same time, and no answer depends on an
// earlier question. A History given to it is only read.
type Reference struct {
	program *rules.Program
}

// NewReference evaluates p.
func NewReference(p *rules.Program) *Reference { return &Reference{program: p} }

// Truth is what the rule says of a patient with these facts at the instant now.
func (r *Reference) Truth(rule *rules.Rule, h History, now clinical.Instant) rules.Truth {
	return r.read(h).expr(rule.When, now).Truth()
}

// Term is the term's answer at the instant now; missing where there is nothing to answer with.
func (r *Reference) Term(t *rules.Term, h History, now clinical.Instant) rules.Value {
	return r.read(h).term(t, now)
}

// Expr is the value of an expression over terms, such as a rule's When or a part of it, at now.
func (r *Reference) Expr(e rules.Expr, h History, now clinical.Instant) rules.Value {
	return r.read(h).expr(e, now)
}

// reading is one patient's facts as the inputs of one program see them. Which facts belong to an input
// does not depend on the instant asked about, so one reading serves every instant of one question.
type reading struct {
	program *rules.Program
	history History
	members map[int][]member // by input, filled as terms ask
}

func (r *Reference) read(h History) *reading {
	return &reading{program: r.program, history: h, members: map[int][]member{}}
}

// expr evaluates a rule's condition, or a part of one, at now.
func (r *reading) expr(e rules.Expr, now clinical.Instant) rules.Value {
	return evaluate(e, scope{term: func(t *rules.Term) rules.Value { return r.term(t, now) }})
}
