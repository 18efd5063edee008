package lint

import (
	"fmt"
	"slices"
	"strings"

	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/rules"
)

// opposites are the comparisons that hold where the other does not.
var opposites = map[string]string{"<": ">=", "<=": ">", ">": "<=", ">=": "<", "==": "!=", "!=": "=="}

// mirrors are the comparisons with their sides exchanged.
var mirrors = map[string]string{"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}

// constant reports a comparison that always comes out alike.
func (l *linter) constant(e rules.Expr, within rules.Place) {
	switch e := e.(type) {
	case *rules.In:
		l.sexes(e.X, e.List, e, within)
		l.systems(e.X, e.List, e, within)
	case *rules.Binary:
		if opposites[e.Op] == "" {
			return
		}
		if v, ok := constant(e.Y); ok {
			l.sexes(e.X, []rules.Value{v}, e, within)
			l.systems(e.X, []rules.Value{v}, e, within)
		}
		l.comparison(e, within)
	}
}

func (l *linter) comparison(e *rules.Binary, within rules.Place) {
	if e.X.String() == e.Y.String() {
		id := NeverTrue
		if e.Op == "==" || e.Op == "<=" || e.Op == ">=" {
			id = NeverFalse
		}
		l.add(l.at(e, within), id, "compare it with something else", "`%s` compares a thing with itself", e)
		return
	}
	x, okX := numbers(e.X)
	y, okY := numbers(e.Y)
	a, constantX := constant(e.X)
	b, constantY := constant(e.Y)
	if constantX && constantY && a.Kind == rules.Text {
		l.add(l.at(e, within), textOutcome(e.Op, a.Str == b.Str), "compare a term with the text", "`%s` compares two constants", e)
		return
	}
	if !okX || !okY {
		return
	}
	side, lies := e.X, x
	if !x.bounded() || x.lo == x.hi {
		side, lies = e.Y, y
	}
	switch {
	case !can(e.Op, x, y):
		l.add(l.at(e, within), NeverTrue, constantHint(side, e), "`%s` is never true: `%s` is always %s", e, side, lies)
	case !can(opposites[e.Op], x, y):
		l.add(l.at(e, within), NeverFalse, constantHint(side, e), "`%s` is never false: `%s` is always %s", e, side, lies)
	}
}

// textOutcome is how the comparison of two texts always comes out.
func textOutcome(op string, equal bool) string {
	if equal == (op == "==") {
		return NeverFalse
	}
	return NeverTrue
}

// can reports whether `x op y` holds for some numbers of the two.
func can(op string, x, y interval) bool {
	switch op {
	case "<":
		return x.lo < y.hi
	case "<=":
		return x.lo <= y.hi
	case ">":
		return x.hi > y.lo
	case ">=":
		return x.hi >= y.lo
	case "==":
		return !x.meet(y).empty()
	}
	return x.lo != x.hi || y.lo != y.hi || x.lo != y.lo
}

func constantHint(side rules.Expr, e *rules.Binary) string {
	if _, ok := side.(*rules.Score); ok {
		return "look at the points that the items can give"
	}
	t, ok := side.(*rules.TermRef)
	if !ok {
		return "look at the number and the direction of the comparison"
	}
	switch t.Term.Op {
	case rules.Count:
		return "`>= 1` asks for at least one, `== 0` for none"
	case rules.Age:
		return "ages are in completed years"
	case rules.AgeMonths:
		return "ages in months are in completed months"
	case rules.HoursSince, rules.DaysSince:
		return "the window bounds how long ago it can be: widen the window, or leave it out"
	}
	return "look at the number and the direction of the comparison"
}

// administrative are the words FHIR has for the sex of a patient.
var administrative = []string{"male", "female", "other", "unknown"}

// sexes reports a word for patient.sex that FHIR does not have.
func (l *linter) sexes(x rules.Expr, list []rules.Value, e rules.Expr, within rules.Place) {
	t, ok := x.(*rules.TermRef)
	if !ok || t.Term.Op != rules.Sex {
		return
	}
	for _, v := range list {
		if !slices.Contains(administrative, v.Str) {
			l.add(l.at(e, within), NeverTrue, "write male, female, other or unknown", "patient.sex is never '%s'", v.Str)
		}
	}
}

// systems reports a code with its system where the answer is a code without one.
func (l *linter) systems(x rules.Expr, list []rules.Value, e rules.Expr, within rules.Place) {
	t, ok := x.(*rules.TermRef)
	if !ok || l.program.Inputs[t.Term.Input].Type != clinical.Coded {
		return
	}
	switch t.Term.Op {
	case rules.Last, rules.First, rules.Nth:
	default:
		return
	}
	for _, v := range list {
		if system, code, both := strings.Cut(v.Str, "|"); v.Kind == rules.Text && both && system != "" {
			l.add(l.at(e, within), NeverTrue, fmt.Sprintf("write '%s'; or ask for facts: `%s.exists(value == '%s')`", code, l.program.Inputs[t.Term.Input].Name, v.Str),
				"`%s` answers with the code alone, without its system", t)
		}
	}
}
