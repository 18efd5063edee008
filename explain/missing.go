package explain

import (
	"slices"

	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/rules"
)

// missingTerm is a term that keeps a rule from being decided.
type missingTerm struct {
	Term   *rules.Term
	Reason string  // in plain words; it names no patient
	Latest *member // the last fact of the input before the term's window, when the window has none
}

// missing is the terms that make a rule unknown at now, in the order in which the condition names them.
func (r *reading) missing(rule *rules.Rule, now clinical.Instant) []missingTerm {
	b := blame{reading: r, now: now}
	b.unknown(rule.When)
	return b.found
}

// blame goes down a condition to what leaves it without an answer.
type blame struct {
	*reading
	now   clinical.Instant
	found []missingTerm
}

func (b *blame) add(t *rules.Term, reason string, latest *member) {
	if !slices.ContainsFunc(b.found, func(m missingTerm) bool { return m.Term == t }) {
		b.found = append(b.found, missingTerm{Term: t, Reason: reason, Latest: latest})
	}
}

// missing says whether the expression has no value.
func (b *blame) missing(e rules.Expr) bool { return b.expr(e, b.now).Kind == rules.Missing }

// unknown goes down into those parts of an expression without a value that leave it without one.
func (b *blame) unknown(e rules.Expr) {
	switch e := e.(type) {
	case *rules.TermRef:
		reason, latest := b.why(e.Term)
		b.add(e.Term, reason, latest)
	case *rules.Binary:
		b.binary(e)
	case *rules.Conditional:
		switch b.expr(e.If, b.now).Truth() {
		case rules.True:
			b.unknown(e.Then)
		case rules.False:
			b.unknown(e.Else)
		default:
			b.unknown(e.If)
		}
	case *rules.Dates:
		if !b.parts(e.X, e.Y) {
			b.every(e, "which lies before the birth, or has not come")
		}
	case *rules.In:
		if !b.parts(e.X) {
			b.bounded(e.X, "which does not tell whether it is one of those asked for")
		}
	case *rules.Unary:
		if e.Op == "-" && !b.parts(e.X) {
			b.bounded(e.X, "with which nothing can be calculated")
		} else if e.Op == "not" {
			b.unknown(e.X)
		}
	case *rules.Combination:
		b.parts(e.Kids...)
	case *rules.RuleRef:
		b.unknown(e.When)
	case *rules.Score:
		b.parts(parts(e)...)
	case *rules.Points:
		if !b.parts(parts(e)...) {
			b.bounded(e.Of, "which does not tell how many points it gives")
		}
	case *rules.Lookup:
		if !b.parts(e.Keys...) {
			b.keys(e)
		}
	}
}

// keys blames the terms with which no row of a table can be found.
func (b *blame) keys(e *rules.Lookup) {
	for _, key := range e.Keys {
		if v := b.expr(key, b.now); v.Kind == rules.Number && v.Bound != clinical.Exactly {
			b.bounded(key, "with which nothing can be looked up")
			return
		}
	}
	b.every(e, "the table "+e.Table.Name+" has no row for it")
}

// parts goes down into those of the expressions that have no value, and says whether there are any.
func (b *blame) parts(parts ...rules.Expr) bool {
	any := false
	for _, part := range parts {
		if b.missing(part) {
			b.unknown(part)
			any = true
		}
	}
	return any
}

// binary blames the sides that are missing, and where none is, what there is to say against them.
func (b *blame) binary(e *rules.Binary) {
	if b.parts(e.X, e.Y) {
		return
	}
	x, y := b.expr(e.X, b.now), b.expr(e.Y, b.now)
	switch e.Op {
	case "+", "-", "*", "/":
		switch {
		case !exact(x) || !exact(y):
			b.bounded(e.X, "with which nothing can be calculated")
			b.bounded(e.Y, "with which nothing can be calculated")
		case e.Op == "/" && y.Num == 0:
			b.every(e.Y, "it makes the divisor zero")
		default:
			b.every(e, "the numbers are too large to calculate with")
		}
	default:
		b.bounded(e.X, "which does not tell how it compares with "+y.String())
		b.bounded(e.Y, "which does not tell how it compares with "+x.String())
	}
}

// bounded blames the term from which an expression has its comparator, if it has one.
func (b *blame) bounded(e rules.Expr, why string) {
	v := b.expr(e, b.now)
	if v.Kind != rules.Number || v.Bound == clinical.Exactly {
		return
	}
	switch e := e.(type) {
	case *rules.TermRef:
		b.add(e.Term, called(b.program.Inputs[e.Term.Input])+" is "+v.String()+", "+why, nil)
	case *rules.Binary: // a default: nothing else passes a comparator on
		if b.missing(e.X) {
			b.bounded(e.Y, why)
		} else {
			b.bounded(e.X, why)
		}
	case *rules.Conditional:
		if b.expr(e.If, b.now).Truth() == rules.True {
			b.bounded(e.Then, why)
		} else {
			b.bounded(e.Else, why)
		}
	}
}

// every blames all terms of an expression.
func (b *blame) every(e rules.Expr, why string) {
	for _, t := range termsOf(e) {
		b.add(t, why, nil)
	}
}
