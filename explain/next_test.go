package explain

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/rules"
)

func TestNext(t *testing.T) {
	const yes, no, unknown = rules.True, rules.False, rules.Unknown
	ageOf := func(years int) rules.Expr {
		return apply(term(patientInput, rules.Age, rules.Window{}), ">=", constant(years))
	}
	later := noon + 100*366*day
	cases := []struct {
		name  string
		when  rules.Expr
		facts History
		until clinical.Instant
		want  *Change
	}{
		{"nothing but new data", term(creatinine, rules.Exists, always), inOrder(result(noon-hour, 1)), later, nil},
		{"the last of three leaves a window", term(creatinine, rules.Exists, window(day, 0)),
			inOrder(result(noon-3*hour, 1), result(noon-2*hour, 1), result(noon-hour, 1)), later, &Change{noon + 23*hour + 1, no}},
		{"the one that makes it three leaves", apply(term(creatinine, rules.Count, window(day, 0)), ">=", constant(3)),
			inOrder(result(noon-3*hour, 1), result(noon-2*hour, 1), result(noon-hour, 1)), later, &Change{noon + 21*hour + 1, no}},
		{"the least leaves, and then the next", apply(term(creatinine, rules.Min, window(day, 0)), "<", constant(2)),
			inOrder(result(noon-5*hour, 0.5), result(noon-3*hour, 1), result(noon-2*hour, 2), result(noon-hour, 3)), later, &Change{noon + 21*hour + 1, no}},
		{"the last value leaves, though a fact without one stays", apply(term(creatinine, rules.Last, window(day, 0)), "<", constant(2)),
			inOrder(result(noon-2*hour, 1), observation(noon-hour, 0, &clinical.Detail{})), later, &Change{noon + 22*hour + 1, unknown}},
		{"a fact of tomorrow", term(creatinine, rules.Exists, always), inOrder(result(noon+day, 1)), later, &Change{noon + day, yes}},
		{"not beyond the end", term(creatinine, rules.Exists, always), inOrder(result(noon+day, 1)), noon + day - 1, nil},
		{"at the end", term(creatinine, rules.Exists, always), inOrder(result(noon+day, 1)), noon + day, &Change{noon + day, yes}},
		{"a birthday in 60 years", ageOf(65), inOrder(person(instant("2019-03-15T00:00:00Z"), clinical.Forever)), later,
			&Change{instant("2084-03-15T00:00:00Z"), yes}},
		{"no birthday any more", ageOf(65), inOrder(person(instant("1950-03-15T00:00:00Z"), clinical.Forever)), later, nil},
		{"the end of the last of two periods", term(hypertension, rules.Active, always),
			inOrder(period(noon-day, noon+hour), period(noon-hour, noon+2*hour)), later, &Change{noon + 2*hour + 1, no}},
		{"a period that goes on after another", term(hypertension, rules.Active, always),
			inOrder(period(noon-day, noon+hour), period(noon+hour, clinical.Forever)), later, nil},
		{"a period that ended leaves the window", term(hypertension, rules.Active, window(day, 0)),
			inOrder(period(noon-3*day, noon-hour), period(noon-2*hour, noon-2*hour)), later, &Change{noon + 23*hour + 1, no}},
		{"a period that begins comes into an offset window", term(hypertension, rules.Active, window(day, hour)),
			inOrder(period(noon, noon+hour)), later, &Change{noon + hour, yes}},
		{"an elapsed time", apply(term(creatinine, rules.HoursSince, always), ">", constant(30)), inOrder(result(noon-day, 1)), later,
			&Change{noon + 6*hour + 1, yes}},
		{"an elapsed time that starts anew before", apply(term(creatinine, rules.HoursSince, always), ">", constant(30)),
			inOrder(result(noon-day, 1), result(noon+5*hour, 1)), later, &Change{noon + 35*hour + 1, yes}},
		{"a month's window", term(creatinine, rules.Exists, months(1)), inOrder(result(instant("2024-02-29T06:00:00Z"), 1)), later,
			&Change{instant("2024-03-29T06:00:00Z") + 1, no}},
		{"a death", term(patientInput, rules.Deceased, rules.Window{}), inOrder(person(clinical.Never, noon+day, token("deceased", "true"))), later,
			&Change{noon + day, yes}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, ok := NewReference(program(time.UTC)).Next(&rules.Rule{When: c.when}, c.facts, noon, c.until)
			require.Equal(t, c.want != nil, ok)
			if ok {
				require.Equal(t, *c.want, got)
			}
		})
	}
}

// Trying every millisecond is the definition.
func TestNextIsTheFirstMillisecondThatDiffers(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	reference := NewReference(program(time.UTC))
	for range 1000 {
		var facts []clinical.Fact
		for range random.IntN(7) {
			at := noon + clinical.Instant(random.IntN(60))
			switch random.IntN(5) {
			case 0:
				facts = append(facts, period(at, at+clinical.Instant(random.IntN(20))))
			case 1:
				facts = append(facts, result(at, float64(random.IntN(4)), clinical.Comparator(random.IntN(3)-1)))
			case 2:
				facts = append(facts, observation(at, 0, &clinical.Detail{}))
			default:
				facts = append(facts, result(at, float64(random.IntN(4))))
			}
		}
		rule := &rules.Rule{When: randomCondition(random, 2)}
		h, from, to := inOrder(facts...), noon+clinical.Instant(random.IntN(60)), noon+150

		begin := reference.Truth(rule, h, from)
		want, ok := Change{}, false
		for at := from + 1; at <= to && !ok; at++ {
			if now := reference.Truth(rule, h, at); now != begin {
				want, ok = Change{At: at, Truth: now}, true
			}
		}
		got, found := reference.Next(rule, h, from, to)
		require.Equal(t, ok, found, "%s", rule.When)
		require.Equal(t, want, got, "%s", rule.When)
	}
}
