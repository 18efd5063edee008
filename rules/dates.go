package rules

import (
	"fmt"
	"strings"
	"time"

	"github.com/expr-lang/expr/ast"

	"github.com/vigil-cds/vigil/internal/clinical"
)

// Dates asks the calendar of the pack's zone about two times. It is missing where either is.
type Dates struct {
	Func string // same_day, age_at, age_months_at
	X, Y Expr   // of an age X is the birth date
	Zone *time.Location
}

// The functions of two times.
const (
	SameDay     = "same_day"      // whether both lie in one day
	AgeAt       = "age_at"        // completed years at Y; missing before the birth
	AgeMonthsAt = "age_months_at" // completed months
)

func (e *Dates) String() string { return written(e, (*Term).String) }

// write is `same_day(start, x.last_time())`, or `patient.age_at(x.last_time())`.
func (w *exprWriter) dates(e *Dates) {
	if e.Func == SameDay {
		w.b.WriteString(SameDay + "(")
		w.write(e.X, bindChoice)
		w.b.WriteString(", ")
	} else {
		w.b.WriteString("patient." + e.Func + "(")
	}
	w.write(e.Y, bindChoice)
	w.b.WriteByte(')')
}

// of is what the function answers of two values.
func (e *Dates) of(x, y Value) Value {
	if x.Kind != Time || y.Kind != Time {
		return Value{}
	}
	if e.Func == SameDay {
		return BoolOf(!x.ongoing() && !y.ongoing() && StartOfDay(clinical.Instant(x.Num), e.Zone) == StartOfDay(clinical.Instant(y.Num), e.Zone))
	}
	if y.ongoing() {
		return Value{}
	}
	months, ok := CompletedMonths(clinical.Instant(x.Num), clinical.Instant(y.Num), e.Zone)
	switch {
	case !ok:
		return Value{}
	case e.Func == AgeAt:
		return NumberOf(float64(months / 12))
	}
	return NumberOf(float64(months))
}

// sameDay reads `same_day(a, b)`.
func (k *checker) sameDay(n *ast.CallNode) (Expr, typ) {
	if len(n.Arguments) != 2 {
		k.fault(n, "`same_day` compares two times", "as in `same_day(glucose.last_time(), insulin.last_time())`")
		return nil, broken
	}
	x, okX := k.time(n.Arguments[0], SameDay)
	y, okY := k.time(n.Arguments[1], SameDay)
	if !okX || !okY {
		return nil, broken
	}
	return &Dates{SameDay, x, y, k.c.zoned}, boolean
}

// ageAt reads `patient.age_at(time)` and `patient.age_months_at(time)`.
func (k *checker) ageAt(n *ast.CallNode, function string) (Expr, typ) {
	if len(n.Arguments) != 1 {
		k.fault(n, fmt.Sprintf("`patient.%s` takes one time", function), fmt.Sprintf("as in `patient.%s(infarction.first_time())`; the age now is `patient.%s`", function, strings.TrimSuffix(function, "_at")))
		return nil, broken
	}
	at, ok := k.time(n.Arguments[0], function)
	if !ok {
		return nil, broken
	}
	birth := &TermRef{k.term(k.c.inputs[0], BirthDate, Window{All: true}, Argument{})}
	return &Dates{function, birth, at, k.c.zoned}, number
}

// time is an argument that must be one.
func (k *checker) time(n ast.Node, function string) (Expr, bool) {
	e, t := k.check(n, inside)
	switch t {
	case instant:
		return e, true
	case broken:
	default:
		k.fault(n, fmt.Sprintf("`%s` takes times, and this is %s", function, t), "a time is `x.last_time()`, `x.first_time()`, `patient.birth_date`, or the `start` or `end` of a period")
	}
	return nil, false
}
