package explain

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/rules"
)

func TestTransitions(t *testing.T) {
	hours := func(op string, limit float64) rules.Expr {
		return apply(term(creatinine, rules.HoursSince, always), op, constant(limit))
	}
	age := func(op string, years int) rules.Expr {
		return apply(term(patientInput, rules.Age, rules.Window{}), op, constant(years))
	}
	const yes, no, unknown = rules.True, rules.False, rules.Unknown
	from, to := noon-24*hour, noon+24*hour

	cases := []struct {
		name  string
		when  rules.Expr
		facts History
		want  []Change
	}{
		{"nothing stated", term(creatinine, rules.Exists, window(hour, 0)), nil, nil},
		{"a fact enters and leaves a window", term(creatinine, rules.Exists, window(hour, 0)), inOrder(result(noon, 1)),
			[]Change{{noon, yes}, {noon + hour + 1, no}}},
		{"an offset window", term(creatinine, rules.Exists, window(2*hour, hour)), inOrder(result(noon, 1)),
			[]Change{{noon + hour, yes}, {noon + 2*hour + 1, no}}},
		{"unknown before and after", apply(term(creatinine, rules.Last, window(hour, 0)), ">", constant(2)), inOrder(result(noon, 1)),
			[]Change{{noon, no}, {noon + hour + 1, unknown}}},
		{"a month's window", term(creatinine, rules.Exists, months(1)), inOrder(result(instant("2024-02-15T06:00:00Z"), 1)),
			[]Change{{instant("2024-03-15T06:00:00Z") + 1, no}}},
		{"a period begins and ends", term(hypertension, rules.Active, always), inOrder(period(noon, noon+hour)),
			[]Change{{noon, yes}, {noon + hour + 1, no}}},
		{"a period comes into a window and has left it", term(hypertension, rules.Active, window(3*hour, hour)), inOrder(period(noon, noon+2*hour)),
			[]Change{{noon + hour, yes}, {noon + 5*hour + 1, no}}},
		{"a birthday", age(">=", 44), inOrder(person(instant("1980-03-16T00:00:00Z"), clinical.Forever)),
			[]Change{{instant("2024-03-16T00:00:00Z"), yes}}},
		{"a birth", age("<", 1), inOrder(person(noon, clinical.Forever)), []Change{{noon, yes}}},
		{"a death", term(patientInput, rules.Deceased, rules.Window{}), inOrder(person(clinical.Never, noon, token("deceased", "true"))),
			[]Change{{noon, yes}}},
		{"an elapsed time is reached", hours(">=", 6), inOrder(result(noon, 1)),
			[]Change{{noon, no}, {noon + 6*hour, yes}}},
		{"an elapsed time is passed", hours(">", 6), inOrder(result(noon, 1)),
			[]Change{{noon, no}, {noon + 6*hour + 1, yes}}},
		{"an elapsed time between two milliseconds", hours(">=", 1.0/7), inOrder(result(noon, 1)),
			[]Change{{noon, no}, {noon + 514286, yes}}},
		{"an elapsed time equals for one millisecond", hours("==", 6), inOrder(result(noon, 1)),
			[]Change{{noon, no}, {noon + 6*hour, yes}, {noon + 6*hour + 1, no}}},
		{"an elapsed time starts anew with each fact", hours("<=", 2), inOrder(result(noon, 1), result(noon+5*hour, 1)),
			[]Change{{noon, yes}, {noon + 2*hour + 1, no}, {noon + 5*hour, yes}, {noon + 7*hour + 1, no}}},
		{"an elapsed time with a default", apply(apply(term(creatinine, rules.DaysSince, window(12*hour, 0)), "??", constant(1000)), ">", constant(0.25)),
			inOrder(result(noon, 1)),
			[]Change{{noon, no}, {noon + 6*hour + 1, yes}}},
		{"an elapsed time against a changing limit",
			apply(term(creatinine, rules.HoursSince, always), ">", term(creatinine, rules.Last, window(4*hour, 0))), inOrder(result(noon, 3)),
			[]Change{{noon, no}, {noon + 3*hour + 1, yes}, {noon + 4*hour + 1, unknown}}},
		{"an elapsed time against a bounded limit",
			apply(term(creatinine, rules.HoursSince, always), ">=", term(creatinine, rules.Last, always)), inOrder(result(noon, 5, clinical.Below)),
			[]Change{{noon + 5*hour, yes}}},
		{"a fact at the first instant is no change", term(creatinine, rules.Exists, always), inOrder(result(from, 1)), nil},
		{"a fact at the last instant is one", term(creatinine, rules.Exists, always), inOrder(result(to, 1)), []Change{{to, yes}}},
		{"a fact after the last instant is none", term(creatinine, rules.Exists, always), inOrder(result(to+1, 1)), nil},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got := NewReference(program(time.UTC)).Transitions(&rules.Rule{When: c.when}, c.facts, from, to)
			require.Equal(t, c.want, got)
		})
	}
}

// Trying every millisecond is the definition; Transitions must not miss one of them.
func TestTransitionsAreThoseOfEveryMillisecond(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	reference := NewReference(program(time.UTC))
	for range 300 {
		var facts []clinical.Fact
		for range random.IntN(6) {
			at := noon + clinical.Instant(random.IntN(60))
			switch random.IntN(4) {
			case 0:
				facts = append(facts, period(at, at+clinical.Instant(random.IntN(20))))
			case 1:
				facts = append(facts, result(at, float64(random.IntN(4)), clinical.Comparator(random.IntN(3)-1)))
			default:
				facts = append(facts, result(at, float64(random.IntN(4))))
			}
		}
		rule := &rules.Rule{When: randomCondition(random, 2)}
		h, from, to := inOrder(facts...), noon-5, noon+120

		var want []Change
		before := reference.Truth(rule, h, from)
		for at := from + 1; at <= to; at++ {
			if now := reference.Truth(rule, h, at); now != before {
				want = append(want, Change{At: at, Truth: now})
				before = now
			}
		}
		require.Equal(t, want, reference.Transitions(rule, h, from, to))
	}
}

// randomCondition has windows and thresholds of a few milliseconds.
func randomCondition(random *rand.Rand, depth int) rules.Expr {
	if depth > 0 && random.IntN(2) == 0 {
		x, y := randomCondition(random, depth-1), randomCondition(random, depth-1)
		return []rules.Expr{apply(x, "and", y), apply(x, "or", y), not(x),
			&rules.Combination{Op: "none", Kids: []rules.Expr{x, y}}}[random.IntN(4)]
	}
	width := func() rules.Window {
		to := clinical.Instant(random.IntN(10))
		return []rules.Window{always, window(to+clinical.Instant(random.IntN(30)), to)}[random.IntN(2)]
	}
	comparison := []string{"<", "<=", ">", ">=", "==", "!="}[random.IntN(6)]
	ops := []rules.Op{rules.Count, rules.Last, rules.First, rules.Min, rules.Max, rules.Sum, rules.Mean, rules.Delta}
	switch random.IntN(4) {
	case 0:
		return term(hypertension, rules.Active, always)
	case 1:
		elapsed := apply(term(creatinine, rules.HoursSince, width()), "??", constant(0.000004))
		return apply(elapsed, comparison, constant(float64(random.IntN(60))/2/3_600_000))
	case 2:
		limit := apply(term(creatinine, rules.Last, width()), "/", constant(180_000))
		return apply(term(creatinine, rules.HoursSince, width()), comparison, limit)
	}
	return apply(term(creatinine, ops[random.IntN(len(ops))], width()), comparison, constant(random.IntN(4)))
}
