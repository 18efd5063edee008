package explain

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/rules"
)

func TestExpressions(t *testing.T) {
	of := func(x any, op string, y any) rules.Expr { return apply(constant(x), op, constant(y)) }
	choice := func(c, a, b any) rules.Expr {
		return &rules.Conditional{If: constant(c), Then: constant(a), Else: constant(b)}
	}
	among := func(x any, list ...any) rules.Expr {
		in := &rules.In{X: constant(x)}
		for _, item := range list {
			in.List = append(in.List, value(item))
		}
		return in
	}
	combine := func(op string, n int, kids ...any) rules.Expr {
		c := &rules.Combination{Op: op, N: n}
		for _, kid := range kids {
			c.Kids = append(c.Kids, constant(kid))
		}
		return c
	}

	cases := []struct {
		name string
		expr rules.Expr
		want any
	}{
		{"a constant", constant(5), 5},
		{"addition", of(2, "+", 3), 5},
		{"subtraction", of(2, "-", 3), -1},
		{"multiplication", of(2, "*", 3), 6},
		{"division", of(3, "/", 2), 1.5},
		{"negation", &rules.Unary{Op: "-", X: constant(3)}, -3},
		{"arithmetic with a missing left side", of(nil, "+", 3), nil},
		{"arithmetic with a missing right side", of(3, "*", nil), nil},
		{"negation of missing", &rules.Unary{Op: "-", X: constant(nil)}, nil},
		{"arithmetic with a bounded number", of("<5", "+", 1), nil},
		{"negation of a bounded number", &rules.Unary{Op: "-", X: constant(">5")}, nil},
		{"division by zero", of(1, "/", 0), nil},
		{"a result that is not finite", of(1e308, "*", 10), nil},

		{"comparison with a missing side", of(nil, "<", 3), nil},
		{"equality with a missing side", of(3, "!=", nil), nil},
		{"numbers compare as decimals", apply(of(1.2, "-", 0.9), ">=", constant(0.3)), true},
		{"times compare exactly", of(noon, "<", noon+1), true},
		{"texts compare", of("a", "==", "a"), true},
		{"booleans compare", of(true, "!=", false), true},

		{"<5 is less than 5", of("<5", "<", 5), true},
		{"<5 is at most 5", of("<5", "<=", 5), true},
		{"<5 is less than a greater number", of("<5", "<", 6), true},
		{"<5 is not at least 5", of("<5", ">=", 5), false},
		{"<5 is not more than a greater number", of("<5", ">", 6), false},
		{"<5 does not equal 5", of("<5", "==", 5), false},
		{"<5 differs from a greater number", of("<5", "!=", 6), true},
		{"<5 may be less than 4", of("<5", "<", 4), nil},
		{"<5 may equal 4", of("<5", "==", 4), nil},
		{">5 is more than 5", of(">5", ">", 5), true},
		{">5 is not at most 5", of(">5", "<=", 5), false},
		{">5 may be more than 6", of(">5", ">", 6), nil},
		{"5 is more than <5", of(5, ">", "<5"), true},
		{"two bounded numbers", of("<5", "<", ">5"), nil},

		{"?? of a value", of(1, "??", 2), 1},
		{"?? of missing", of(nil, "??", 2), 2},
		{"?? of false", of(false, "??", true), false},
		{"?? of an unknown comparison", apply(of(nil, ">", 1), "??", constant(true)), true},
		{"?? of twice missing", of(nil, "??", nil), nil},
		{"a conditional that holds", choice(true, 1, 2), 1},
		{"a conditional that does not", choice(false, 1, 2), 2},
		{"a conditional of missing", choice(nil, 1, 1), nil},

		{"in", among(2, 1, 2), true},
		{"not in", among(3, 1, 2), false},
		{"in of missing", among(nil, 1, 2), nil},
		{"in of texts", among("a", "b", "a"), true},
		{"in, when a bounded number may be one of the list", among("<5", 4, 7), nil},
		{"in, when a bounded number can be none of the list", among("<5", 6, 7), false},

		{"not true", not(constant(true)), false},
		{"not unknown", not(constant(nil)), nil},
		{"false and unknown", of(false, "and", nil), false},
		{"unknown and true", of(nil, "and", true), nil},
		{"unknown or true", of(nil, "or", true), true},
		{"false or unknown", of(false, "or", nil), nil},

		{"all", combine("all", 0, true, true), true},
		{"all with an unknown", combine("all", 0, true, nil), nil},
		{"all with a false", combine("all", 0, nil, false), false},
		{"any", combine("any", 0, nil, true), true},
		{"any with an unknown", combine("any", 0, nil, false), nil},
		{"any of false ones", combine("any", 0, false, false), false},
		{"none", combine("none", 0, false, false), true},
		{"none with an unknown", combine("none", 0, nil, false), nil},
		{"none with a true", combine("none", 0, nil, true), false},
		{"at_least reached", combine("at_least", 2, true, nil, true), true},
		{"at_least still possible", combine("at_least", 2, true, nil, false), nil},
		{"at_least out of reach", combine("at_least", 2, true, false, false), false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			require.Equal(t, value(c.want), NewReference(program(time.UTC)).Expr(c.expr, nil, noon))
		})
	}
}

func TestAKidneyInjuryIsNotMissedForBinaryFractions(t *testing.T) {
	last, least := term(creatinine, rules.Last, window(48*hour, 0)), term(creatinine, rules.Min, window(48*hour, 0))
	rule := &rules.Rule{When: apply(apply(last, "-", least), ">=", constant(0.3))}
	reference := NewReference(program(time.UTC))
	facts := inOrder(result(noon-40*hour, 0.9), result(noon-hour, 1.2))

	require.Equal(t, rules.True, reference.Truth(rule, facts, noon))
	require.Equal(t, rules.False, reference.Truth(rule, facts, noon+9*hour), "the lowest has left the window")
	require.Equal(t, rules.Unknown, reference.Truth(rule, facts, noon+48*hour), "all have")
	require.Equal(t, rules.Unknown, reference.Truth(rule, inOrder(result(noon, 5, clinical.Below)), noon), "arithmetic with a bound")
}
