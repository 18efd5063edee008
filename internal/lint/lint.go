// Package lint finds what is allowed in a rule pack and yet is most likely a mistake. Every lint has an id,
// a place, what is odd, and what to write instead:
//
//	never-true             a comparison that no data can make true: count() < 0, patient.age > 150
//	never-false            one that no data can make false: count() >= 0, or two that cover everything between them
//	contradiction          two conditions that must both hold and cannot: x > 5 and x < 3
//	unit-mismatch          a unit that the LOINC code's results are not measured in
//	implausible-threshold  a threshold that no result of the LOINC code reaches
//	unreachable-window     a window that lies beyond any patient's life
//	unused-input           an input that nothing asks about
//	unused-value-set       a value set of the pack that no input takes its codes from
//	silenced-by-missing    a rule that never fires for a patient in whom something it only excludes was never measured
//	same-rule              two rules with the same condition
//
// Lints read a rule set that compiled. They never change what it means, and a pack with lints can be used.
// The package is pure, and everything in it may be called from any number of goroutines.
package lint

import (
	"fmt"

	"github.com/vigil-cds/vigil/internal/diagnostic"
	"github.com/vigil-cds/vigil/rules"
)

// The ids of the lints.
const (
	NeverTrue            = "never-true"
	NeverFalse           = "never-false"
	Contradiction        = "contradiction"
	UnitMismatch         = "unit-mismatch"
	ImplausibleThreshold = "implausible-threshold"
	UnreachableWindow    = "unreachable-window"
	UnusedInput          = "unused-input"
	UnusedValueSet       = "unused-value-set"
	SilencedByMissing    = "silenced-by-missing"
	SameRule             = "same-rule"
)

// Run finds everything, sorted by place.
func Run(w *rules.Written) []diagnostic.Diagnostic {
	l := &linter{w: w, program: w.Program}
	for _, r := range l.program.Rules {
		l.condition(r.When, nil, l.w.Rule(r))
		l.silenced(r)
	}
	seen := map[*rules.Input]bool{}
	for _, in := range w.Inputs {
		l.unit(in)
		if !seen[in.Input] {
			seen[in.Input] = true
			l.where(in)
		}
	}
	l.windows()
	l.unused()
	l.same()
	return diagnostic.Sort(l.found)
}

type linter struct {
	w       *rules.Written
	program *rules.Program
	found   []diagnostic.Diagnostic
}

func (l *linter) add(at rules.Place, id, hint, message string, args ...any) {
	l.found = append(l.found, diagnostic.Diagnostic{Place: at, Level: diagnostic.Warning, ID: id, Message: fmt.Sprintf(message, args...), Hint: hint})
}

// at is where e is written, or the place of what it is part of.
func (l *linter) at(e rules.Expr, within rules.Place) rules.Place {
	if at, ok := l.w.Expr(e); ok {
		return at
	}
	return within
}

// condition finds what is odd in a condition and in every condition inside it. The conditions assumed hold
// wherever this one matters.
func (l *linter) condition(e rules.Expr, assumed []constraint, within rules.Place) {
	l.together(e, false, assumed, within)
	every(e, func(e rules.Expr) {
		l.constant(e, within)
		l.threshold(e, nil, within)
	})
}

// where finds what is odd in an input's own conditions, which must all hold.
func (l *linter) where(in rules.WrittenInput) {
	for _, e := range in.Input.Where {
		l.together(e, false, nil, in.Place)
		every(e, func(e rules.Expr) {
			l.constant(e, in.Place)
			l.threshold(e, in.Input, in.Place)
		})
	}
	all := &rules.Combination{Op: "all", Kids: in.Input.Where}
	l.together(all, false, nil, in.Place)
}

// every visits e and all below it.
func every(e rules.Expr, visit func(rules.Expr)) {
	visit(e)
	rules.EachPart(e, func(part rules.Expr) { every(part, visit) })
}

// constant is the value of a Literal or of a name that stands for one; a parameter has the value in force.
func constant(e rules.Expr) (rules.Value, bool) {
	switch e := e.(type) {
	case *rules.Literal:
		return e.Value, true
	case *rules.Constant:
		return e.Value, true
	}
	return rules.Value{}, false
}
