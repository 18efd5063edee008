package rules

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vigil-cds/vigil/internal/clinical"
)

// meaning reads an expression as it stands, by the contract and nothing else.
func meaning(e Expr, values []Value) Value {
	switch e := e.(type) {
	case *Literal:
		return e.Value
	case *TermRef:
		return values[e.Term.ID]
	case *Unary:
		x := meaning(e.X, values)
		if e.Op == "not" {
			return valueOf(Not(x.Truth()))
		}
		if x.Kind != Number || x.Bound != clinical.Exactly {
			return Value{}
		}
		return NumberOf(-x.Num)
	case *Binary:
		x, y := meaning(e.X, values), meaning(e.Y, values)
		switch e.Op {
		case "and":
			return valueOf(And(x.Truth(), y.Truth()))
		case "or":
			return valueOf(Or(x.Truth(), y.Truth()))
		case "??":
			if x.Kind != Missing {
				return x
			}
			return y
		case "+", "-", "*", "/":
			return arithmetic(e.Op[0], x, y)
		}
		return CompareValues(e.Op, x, y)
	case *Conditional:
		switch meaning(e.If, values).Truth() {
		case True:
			return meaning(e.Then, values)
		case False:
			return meaning(e.Else, values)
		}
		return Value{}
	case *In:
		found := False
		for _, v := range e.List {
			found = Or(found, CompareValues("==", meaning(e.X, values), v).Truth())
		}
		return valueOf(found)
	case *Combination:
		trues, unknowns := 0, 0
		for _, kid := range e.Kids {
			switch meaning(kid, values).Truth() {
			case True:
				trues++
			case Unknown:
				unknowns++
			}
		}
		switch e.Op {
		case "all":
			return valueOf(AtLeast(len(e.Kids), trues, unknowns))
		case "any":
			return valueOf(AtLeast(1, trues, unknowns))
		case "none":
			return valueOf(Not(AtLeast(1, trues, unknowns)))
		}
		return valueOf(AtLeast(e.N, trues, unknowns))
	}
	panic(fmt.Sprintf("%T", e))
}

// author writes random expressions.
type author struct{ *rand.Rand }

func (a author) pick(s ...string) string { return s[a.IntN(len(s))] }

func (a author) number(depth int) string {
	if depth == 0 {
		return a.pick("a.last()", "b.last()", "a.min()", "b.max('7d')", "a.count()", "patient.age", "3", "0.5", "-2")
	}
	switch a.IntN(5) {
	case 0:
		return "-" + a.number(0)
	case 1:
		return fmt.Sprintf("(%s ?? %s)", a.number(depth-1), a.number(depth-1))
	case 2:
		return fmt.Sprintf("(%s ? %s : %s)", a.condition(depth-1), a.number(depth-1), a.number(depth-1))
	}
	return fmt.Sprintf("(%s %s %s)", a.number(depth-1), a.pick("+", "-", "*", "/"), a.number(depth-1))
}

func (a author) condition(depth int) string {
	if depth == 0 {
		return a.pick("yes.last()", "no.last()", "true", "a.exists('48h')", "txt.last() == 'x'", "patient.sex in ['male', 'female']",
			"a.last_time() < b.last_time()", "a.last() in [1, 2, -3]")
	}
	switch a.IntN(8) {
	case 0:
		return fmt.Sprintf("not (%s)", a.condition(depth-1))
	case 1:
		return fmt.Sprintf("(%s and %s)", a.condition(depth-1), a.condition(depth-1))
	case 2:
		return fmt.Sprintf("(%s or %s)", a.condition(depth-1), a.condition(depth-1))
	case 3:
		return fmt.Sprintf("((%s) %s (%s))", a.condition(depth-1), a.pick("==", "!=", "??"), a.condition(depth-1))
	case 4:
		return fmt.Sprintf("(%s ? %s : %s)", a.condition(depth-1), a.condition(depth-1), a.condition(depth-1))
	}
	return fmt.Sprintf("%s %s %s", a.number(depth-1), a.pick("<", "<=", ">", ">=", "==", "!="), a.number(depth-1))
}

func (a author) value() Value {
	switch a.IntN(4) {
	case 0:
		return Value{}
	case 1:
		return bound(clinical.Comparator(a.IntN(3)-1), float64(a.IntN(5)))
	}
	return NumberOf(float64(a.IntN(9)-4) / 2)
}

// values fills every slot with something of the term's type, or with nothing.
func (a author) values(p *Program) []Value {
	values := make([]Value, len(p.Terms))
	for i, term := range p.Terms {
		if a.IntN(4) == 0 {
			continue
		}
		switch term.Op.yields(p.Inputs[term.Input].Type) {
		case number:
			values[i] = a.value()
		case boolean:
			values[i] = BoolOf(a.IntN(2) == 0)
		case text:
			values[i] = TextOf(a.pick("x", "female", "y"))
		case instant:
			values[i] = TimeOf(clinical.Instant(a.IntN(3)))
		}
	}
	return values
}

func TestLoweredCodeAndItsTextMeanWhatTheTreeMeans(t *testing.T) {
	a := author{rand.New(rand.NewPCG(1, 2))}
	conditions := make([]string, 300)
	for i := range conditions {
		conditions[i] = a.condition(a.IntN(5))
	}
	p := ward(t, conditions...)
	rewritten := make([]string, len(conditions))
	for i := range conditions {
		r, _ := p.Rule(fmt.Sprintf("r%d", i))
		rewritten[i] = r.When.String()
		for range 40 {
			values := a.values(p)
			want := meaning(r.When, values).Truth()
			require.Equal(t, want, truthOf(p, r, values), "%s over %v", r.When, values)
		}
	}
	q := ward(t, rewritten...)
	for i := range conditions {
		r, _ := p.Rule(fmt.Sprintf("r%d", i))
		s, _ := q.Rule(r.ID)
		require.Equal(t, r.When.String(), s.When.String(), conditions[i])
		named := map[string]Value{}
		for range 10 {
			values := a.values(p)
			for k, term := range p.Terms {
				named[term.Source] = values[k]
			}
			require.Equal(t, truthOf(p, r, values), truthOf(q, s, slots(q, named)), conditions[i])
		}
	}
}
