package rules

import (
	"fmt"

	"github.com/expr-lang/expr/ast"

	"github.com/vigil-cds/vigil/internal/clinical"
)

// A rule with `for_each` holds for each period of an input by itself: once per stay, per course of a drug. A
// period is known by the instant at which it begins. It is one of the patient's, as the facts of the input say:
// those that begin at one instant are one period, which lasts to the latest of their ends.
type Period struct {
	Start, End clinical.Instant // both inside it; the end is clinical.Forever while it goes on
}

// Ended reports whether the period is over at now.
func (p Period) Ended(now clinical.Instant) bool { return p.End < now }

// Meet makes one period of two facts that begin at the same instant. An end before the start is none: the
// period is that instant.
func (p Period) Meet(end clinical.Instant) Period {
	p.End = max(p.End, p.Start, end)
	return p
}

// ForEach is the name of the input for each of whose periods one of the program's rules holds; "" of a rule that holds
// for the patient.
func (p *Program) ForEach(r *Rule) string {
	if r.Each == 0 {
		return ""
	}
	return p.Inputs[r.Each].Name
}

// each finds the input that a rule's `for_each` names; 0 after a fault.
func (c *compiler) each(p *pack, r *ruleSource) int {
	name := reader{&c.report}.word(r.forEach, "for_each")
	if name == "" {
		return 0
	}
	k := &checker{c: c, pack: p, source: r.forEach}
	in := k.asked(name, func(problem, hint string) { c.add(r.forEach.at(), problem, hint) })
	if in == nil {
		return 0
	}
	c.now.each = in
	return in.ID
}

// periodOp is the question about the period that a name asks.
func periodOp(name string) (Op, bool) {
	for op := PeriodStart; op.OfPeriod(); op++ {
		if op.String() == name {
			return op, true
		}
	}
	return 0, false
}

// periodTerm is `start` and its like, in a rule with `for_each`.
func (k *checker) periodTerm(n *ast.IdentifierNode, op Op, at place) (Expr, typ) {
	each := k.c.now.each
	if each == nil {
		k.fault(n, fmt.Sprintf("`%s` is of a period, and this holds for the patient", op), "write `for_each: input` beside the rule's `when`")
		return nil, broken
	}
	if op.Elapsed() && !k.mayElapse(n, op.String(), op.String(), at) {
		return nil, broken
	}
	return &TermRef{k.term(each, op, Window{All: true}, Argument{})}, op.yields(clinical.NoValue)
}
