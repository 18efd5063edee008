package explain

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vigil-cds/vigil/rules"
)

func TestTheFewestBlockers(t *testing.T) {
	type want struct {
		source        string
		truth, wanted rules.Truth
	}
	const yes, no, unknown = rules.True, rules.False, rules.Unknown
	cases := []struct {
		name, when string
		facts      History
		want       []want
	}{
		{"all parts of an and that are false", "creatinine.last() > 2 and dialysis.exists() and creatinine.count() > 0", inOrder(result(noon, 1)),
			[]want{{"creatinine.last() > 2", no, yes}, {"dialysis.exists()", no, yes}}},
		{"one part of an or, the nearest", "creatinine.last() > 2 or creatinine.last() > 1.2 or dialysis.exists()", inOrder(result(noon, 1)),
			[]want{{"creatinine.last() > 1.2", no, yes}}},
		{"the fewer, though farther", "(creatinine.last() > 1.1 and creatinine.min() > 1.1) or creatinine.last() > 9", inOrder(result(noon, 1)),
			[]want{{"creatinine.last() > 9", no, yes}}},
		{"a false one rather than an unknown one", "temperature.last() > 38 or dialysis.exists()", nil,
			[]want{{"dialysis.exists()", no, yes}}},
		{"an unknown one beside a false one", "temperature.last() > 38 and dialysis.exists()", nil,
			[]want{{"temperature.last() > 38", unknown, yes}, {"dialysis.exists()", no, yes}}},
		{"what is true and should not be", "not dialysis.exists() and creatinine.last() > 0.5", inOrder(dialysis(noon), result(noon, 1)),
			[]want{{"dialysis.exists()", yes, no}}},
		{"within a not", "not (creatinine.last() > 0.5 or dialysis.exists())", inOrder(dialysis(noon), result(noon, 1)),
			[]want{{"creatinine.last() > 0.5", yes, no}, {"dialysis.exists()", yes, no}}},
		{"an atom that stands twice is one", "(dialysis.exists() and creatinine.last() > 0) and (dialysis.exists() or creatinine.last() > 1.1)", inOrder(result(noon, 1)),
			[]want{{"dialysis.exists()", no, yes}}},
		{"an atom is not both", "(dialysis.exists() and creatinine.last() > 2) or (dialysis.exists() and not dialysis.exists())", inOrder(result(noon, 1)),
			[]want{{"dialysis.exists()", no, yes}, {"creatinine.last() > 2", no, yes}}},
		{"nothing can make it true", "dialysis.exists() and not dialysis.exists()", nil, nil},
		{"what asks nothing stays as it is", "dialysis.exists() or 1 > 2", nil, []want{{"dialysis.exists()", no, yes}}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			p, rule := ruled(t, c.when)
			var got []want
			for _, b := range NewReference(p).read(c.facts).miss(rule, noon) {
				got = append(got, want{b.Expr.String(), b.Truth, b.Wanted})
			}
			require.Equal(t, c.want, got)
		})
	}
}

func TestTheFewestBlockersOfCombinations(t *testing.T) {
	p, _ := ruled(t, "dialysis.exists()")
	above := func(x float64) rules.Expr {
		_, rule := ruled(t, "creatinine.last() > "+rules.NumberOf(x).String())
		return rule.When
	}
	combine := func(op string, n int, limits ...float64) rules.Expr {
		c := &rules.Combination{Op: op, N: n}
		for _, x := range limits {
			c.Kids = append(c.Kids, above(x))
		}
		return c
	}
	cases := []struct {
		name string
		when rules.Expr
		want []string
	}{
		{"all", combine("all", 0, 1, 3, 4), []string{"creatinine.last() > 3", "creatinine.last() > 4"}},
		{"any", combine("any", 0, 5, 3, 4), []string{"creatinine.last() > 3"}},
		{"none", combine("none", 0, 1, 3, 1.5), []string{"creatinine.last() > 1", "creatinine.last() > 1.5"}},
		{"none, not", not(combine("none", 0, 5, 3)), []string{"creatinine.last() > 3"}},
		{"at least, the nearest of those that lack", combine("at_least", 3, 9, 1, 4, 3, 8), []string{"creatinine.last() > 4", "creatinine.last() > 3"}},
		{"at least, not", not(combine("at_least", 2, 0, 1, 1.5)), []string{"creatinine.last() > 1", "creatinine.last() > 1.5"}},
		{"at least more than there are", combine("at_least", 3, 3, 4), nil},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			for _, b := range NewReference(p).read(inOrder(result(noon, 2))).miss(&rules.Rule{When: c.when}, noon) {
				got = append(got, b.Expr.String())
			}
			require.Equal(t, c.want, got)
		})
	}
}

func TestTheSidesOfAComparison(t *testing.T) {
	facts := inOrder(result(noon-hour, 1.25), result(noon, 1.5))
	number := func(x float64) *float64 { return &x }
	cases := []struct {
		name, when string
		facts      History
		want       *sides
	}{
		{"two expressions", "creatinine.last() >= 1.5 * creatinine.min('7d')", facts,
			&sides{Left: value(1.5), Op: ">=", Right: value(1.875), Distance: number(0.375), Relative: number(0.2), Unit: "mg/dL"}},
		{"a difference", "creatinine.last() - creatinine.min('7d') >= 1", facts,
			&sides{Left: value(0.25), Op: ">=", Right: value(1), Distance: number(0.75), Relative: number(0.75), Unit: "mg/dL"}},
		{"a ratio has no unit", "creatinine.last() / creatinine.min('7d') >= 2", facts,
			&sides{Left: value(1.2), Op: ">=", Right: value(2), Distance: number(0.8), Relative: number(0.4)}},
		{"a count has no unit", "creatinine.count() >= 4", facts,
			&sides{Left: value(2), Op: ">=", Right: value(4), Distance: number(2), Relative: number(0.5)}},
		{"against zero nothing is relative", "creatinine.delta('1d') < 0", facts,
			&sides{Left: value(0.25), Op: "<", Right: value(0), Distance: number(0.25), Unit: "mg/dL"}},
		{"hours", "creatinine.hours_since() > 1", facts,
			&sides{Left: value(0), Op: ">", Right: value(1), Distance: number(1), Relative: number(1), Unit: "h"}},
		{"a bound is at no distance", "creatinine.last() > 9", inOrder(result(noon, 5, -1)),
			&sides{Left: value("<5"), Op: ">", Right: value(9), Unit: "mg/dL"}},
		{"one side missing", "temperature.last() > 38", facts, &sides{Op: ">", Right: value(38), Unit: "Cel"}},
		{"two units", "temperature.last() > creatinine.last()", facts, &sides{Op: ">", Right: value(1.5)}},
		{"texts", "blood_group.last() == 'A'", nil, &sides{Op: "==", Right: value("A")}},
		{"no comparison", "dialysis.exists()", facts, nil},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			p, rule := ruled(t, c.when)
			blockers := NewReference(p).read(c.facts).miss(rule, noon)
			require.Len(t, blockers, 1)
			require.Equal(t, c.want, blockers[0].Sides)
		})
	}
}
