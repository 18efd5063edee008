package explain

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/rules"
)

func TestTerms(t *testing.T) {
	const below, above = clinical.Below, clinical.Above
	three := inOrder(result(noon-3*hour, 1.5), result(noon-2*hour, 1.1), result(noon-hour, 1.25))
	valueless := func(at clinical.Instant) clinical.Fact { return observation(at, 0, &clinical.Detail{}) }
	none := History{}
	day48 := window(48*hour, 0)
	bounded := func(numbers ...clinical.Fact) History { return inOrder(numbers...) }

	cases := []struct {
		name  string
		facts History
		input int
		op    rules.Op
		win   rules.Window
		want  any
	}{
		// Windows and time.
		{"no window sees every fact up to now", inOrder(result(noon-100000*hour, 2), result(noon, 1)), creatinine, rules.Count, always, 2},
		{"no window does not see the future", inOrder(result(noon, 1), result(noon+1, 2)), creatinine, rules.Count, always, 1},
		{"a fact at now is in the window", inOrder(result(noon, 1)), creatinine, rules.Exists, day48, true},
		{"a fact after now is not", inOrder(result(noon+1, 1)), creatinine, rules.Exists, day48, false},
		{"the far end is closed", inOrder(result(noon-48*hour, 1)), creatinine, rules.Exists, day48, true},
		{"a millisecond before the far end", inOrder(result(noon-48*hour-1, 1)), creatinine, rules.Exists, day48, false},
		{"an offset window is closed at its near end", inOrder(result(noon-8*hour, 1)), creatinine, rules.Exists, window(48*hour, 8*hour), true},
		{"a millisecond after the near end", inOrder(result(noon-8*hour+1, 1)), creatinine, rules.Exists, window(48*hour, 8*hour), false},
		{"an offset window is closed at its far end", inOrder(result(noon-48*hour, 1)), creatinine, rules.Exists, window(48*hour, 8*hour), true},
		{"a month is a calendar month", inOrder(result(instant("2024-02-15T12:00:00Z"), 1)), creatinine, rules.Exists, months(1), true},
		{"a month and a millisecond", inOrder(result(instant("2024-02-15T12:00:00Z")-1, 1)), creatinine, rules.Exists, months(1), false},
		{"a sum of durations", inOrder(result(instant("2022-09-15T10:00:00Z"), 1)), creatinine, rules.Exists,
			rules.Window{From: rules.Duration{Months: 18, Millis: int64(2 * hour)}}, true},
		{"the later stated of two at one instant is the later", inOrder(result(noon, 1), result(noon, 2)), creatinine, rules.Last, always, 2},
		{"the earlier stated of two at one instant is the earlier", inOrder(result(noon, 1), result(noon, 2)), creatinine, rules.First, always, 1},
		{"order is of time before the log's", inOrder(result(noon, 1), result(noon-hour, 2)), creatinine, rules.Last, always, 1},

		// exists, count, last, first.
		{"exists of none", none, creatinine, rules.Exists, always, false},
		{"count", three, creatinine, rules.Count, always, 3},
		{"count of none", none, creatinine, rules.Count, day48, 0},
		{"exists sees a fact without a value", inOrder(valueless(noon)), creatinine, rules.Exists, always, true},
		{"count sees a fact without a value", inOrder(valueless(noon), result(noon, 1)), creatinine, rules.Count, always, 2},
		{"last", three, creatinine, rules.Last, always, 1.25},
		{"first", three, creatinine, rules.First, always, 1.5},
		{"first of the window", three, creatinine, rules.First, window(2*hour, 0), 1.1},
		{"last is of the latest fact that has a value", inOrder(result(noon-1, 1), valueless(noon)), creatinine, rules.Last, always, 1},
		{"first is of the earliest fact that has a value", inOrder(valueless(noon-1), result(noon, 1)), creatinine, rules.First, always, 1},
		{"last of none", none, creatinine, rules.Last, always, nil},
		{"first of none", none, creatinine, rules.First, always, nil},
		{"last of no value", inOrder(valueless(noon)), creatinine, rules.Last, always, nil},

		// min, max, sum, mean, delta.
		{"min", three, creatinine, rules.Min, always, 1.1},
		{"max", three, creatinine, rules.Max, always, 1.5},
		{"sum", three, creatinine, rules.Sum, always, 1.5 + 1.1 + 1.25},
		{"mean", three, creatinine, rules.Mean, always, (1.5 + 1.1 + 1.25) / 3},
		{"delta", three, creatinine, rules.Delta, always, -0.25},
		{"min of none", none, creatinine, rules.Min, always, nil},
		{"max of none", none, creatinine, rules.Max, always, nil},
		{"sum of none", none, creatinine, rules.Sum, always, 0},
		{"sum of no value", inOrder(valueless(noon)), creatinine, rules.Sum, always, 0},
		{"mean of none", none, creatinine, rules.Mean, always, nil},
		{"mean counts values, not facts", inOrder(result(noon-1, 3), valueless(noon)), creatinine, rules.Mean, always, 3},
		{"delta of one", inOrder(result(noon, 1)), creatinine, rules.Delta, always, nil},
		{"delta needs two values, not two facts", inOrder(result(noon-1, 1), valueless(noon)), creatinine, rules.Delta, always, nil},
		{"values are in the input's unit", inOrder(result(noon-1, 1), observation(noon, 30, &clinical.Detail{Type: clinical.Number, Unit: "mg/L"})), creatinine, rules.Sum, always, 4},
		{"a sum beyond all numbers", inOrder(result(noon-1, 1e308), result(noon, 1e308)), creatinine, rules.Sum, always, nil},

		// Comparators.
		{"last passes a bound on", bounded(result(noon-1, 1), result(noon, 5, below)), creatinine, rules.Last, always, "<5"},
		{"first passes a bound on", bounded(result(noon-1, 5, above), result(noon, 1)), creatinine, rules.First, always, ">5"},
		{"sum with a bounded value", bounded(result(noon-1, 1), result(noon, 5, below)), creatinine, rules.Sum, always, nil},
		{"mean with a bounded value", bounded(result(noon-1, 1), result(noon, 5, above)), creatinine, rules.Mean, always, nil},
		{"delta with a bounded value between", bounded(result(noon-2, 1), result(noon-1, 5, below), result(noon, 3)), creatinine, rules.Delta, always, nil},
		{"a bounded value outside the window is no matter", bounded(result(noon-49*hour, 5, below), result(noon, 3)), creatinine, rules.Sum, day48, 3},
		{"max is Above when any value is", bounded(result(noon-1, 5), result(noon, 3, above)), creatinine, rules.Max, always, ">5"},
		{"max is Below when the greatest is", bounded(result(noon-1, 5, below), result(noon, 3)), creatinine, rules.Max, always, "<5"},
		{"max is Below when one of the greatest is", bounded(result(noon-1, 5, below), result(noon, 5)), creatinine, rules.Max, always, "<5"},
		{"max is exact over a lesser Below", bounded(result(noon-1, 7), result(noon, 5, below)), creatinine, rules.Max, always, 7},
		{"max of both", bounded(result(noon-1, 9, above), result(noon, 5, below)), creatinine, rules.Max, always, nil},
		{"min is Below when any value is", bounded(result(noon-1, 5), result(noon, 7, below)), creatinine, rules.Min, always, "<5"},
		{"min is Above when the least is", bounded(result(noon-1, 5, above), result(noon, 7)), creatinine, rules.Min, always, ">5"},
		{"min is Above when one of the least is", bounded(result(noon-1, 5), result(noon, 5, above)), creatinine, rules.Min, always, ">5"},
		{"min is exact under a greater Above", bounded(result(noon-1, 3), result(noon, 5, above)), creatinine, rules.Min, always, 3},
		{"min of both", bounded(result(noon-1, 9, above), result(noon, 5, below)), creatinine, rules.Min, always, nil},

		// Times.
		{"last_time", three, creatinine, rules.LastTime, always, noon - hour},
		{"first_time", three, creatinine, rules.FirstTime, always, noon - 3*hour},
		{"last_time sees a fact without a value", inOrder(result(noon-1, 1), valueless(noon)), creatinine, rules.LastTime, always, noon},
		{"last_time of none", none, creatinine, rules.LastTime, always, nil},
		{"first_time of none", none, creatinine, rules.FirstTime, always, nil},
		{"hours_since the latest fact", three, creatinine, rules.HoursSince, always, 1},
		{"hours_since the latest of an offset window", three, creatinine, rules.HoursSince, window(48*hour, 90*minute), 2},
		{"hours_since is not rounded", inOrder(result(noon-90*minute-1, 1)), creatinine, rules.HoursSince, always, 5400001.0 / 3600000},
		{"days_since is in days of 24 hours", inOrder(result(noon-36*hour, 1)), creatinine, rules.DaysSince, always, 1.5},
		{"hours_since of none", none, creatinine, rules.HoursSince, always, nil},
		{"days_since of none", none, creatinine, rules.DaysSince, always, nil},

		// active.
		{"active while it goes on", inOrder(period(noon-hour, clinical.Forever)), hypertension, rules.Active, always, true},
		{"active at its start", inOrder(period(noon, noon+hour)), hypertension, rules.Active, always, true},
		{"active at its last instant", inOrder(period(noon-hour, noon)), hypertension, rules.Active, always, true},
		{"not active after its end", inOrder(period(noon-hour, noon-1)), hypertension, rules.Active, always, false},
		{"not active before its start", inOrder(period(noon+1, clinical.Forever)), hypertension, rules.Active, always, false},
		{"active by a fact other than the latest", inOrder(period(noon-2*hour, clinical.Forever), period(noon-hour, noon-hour)), hypertension, rules.Active, always, true},
		{"active in a window: begun before it and still going on", inOrder(period(noon-48*hour, clinical.Forever)), hypertension, rules.Active, window(24*hour, 0), true},
		{"active in a window: ended at its first instant", inOrder(period(noon-48*hour, noon-24*hour)), hypertension, rules.Active, window(24*hour, 0), true},
		{"not active in a window: ended before it", inOrder(period(noon-48*hour, noon-24*hour-1)), hypertension, rules.Active, window(24*hour, 0), false},
		{"active in a window: begun at its last instant", inOrder(period(noon-hour, clinical.Forever)), hypertension, rules.Active, window(24*hour, hour), true},
		{"not active in a window: begun after it", inOrder(period(noon-hour+1, clinical.Forever)), hypertension, rules.Active, window(24*hour, hour), false},
		{"not active in a window: ends tomorrow, begins tomorrow", inOrder(period(noon+hour, noon+48*hour)), hypertension, rules.Active, window(24*hour, 0), false},
		{"active of none", none, hypertension, rules.Active, always, false},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			ask := &rules.Term{Input: c.input, Op: c.op, Window: c.win}
			require.Equal(t, value(c.want), NewReference(program(time.UTC)).Term(ask, c.facts, noon))
		})
	}
}

func TestTermsAboutThePatient(t *testing.T) {
	sex, dead := token("sex", "female"), token("deceased", "true")
	birth := instant("1980-03-15T00:00:00Z")
	alive := person(birth, clinical.Forever, sex)

	cases := []struct {
		name  string
		facts History
		op    rules.Op
		now   clinical.Instant
		want  any
	}{
		{"a year is completed at the start of the birthday", inOrder(alive), rules.Age, instant("2024-03-15T00:00:00Z"), 44},
		{"the last millisecond of a year", inOrder(alive), rules.Age, instant("2024-03-15T00:00:00Z") - 1, 43},
		{"a month is completed at the start of its day", inOrder(alive), rules.AgeMonths, instant("1981-05-15T00:00:00Z"), 14},
		{"the last millisecond of a month", inOrder(alive), rules.AgeMonths, instant("1981-05-15T00:00:00Z") - 1, 13},
		{"on the day of birth", inOrder(alive), rules.Age, birth, 0},
		{"before the birth", inOrder(alive), rules.Age, birth - 1, nil},
		{"born on 29 February, on 28 February", inOrder(person(instant("2020-02-29T00:00:00Z"), clinical.Forever)), rules.Age, instant("2023-02-28T00:00:00Z"), 3},
		{"born on 29 February, on 27 February", inOrder(person(instant("2020-02-29T00:00:00Z"), clinical.Forever)), rules.Age, instant("2023-02-28T00:00:00Z") - 1, 2},
		{"born on 29 February, in a leap year", inOrder(person(instant("2020-02-29T00:00:00Z"), clinical.Forever)), rules.Age, instant("2024-02-29T00:00:00Z") - 1, 3},
		{"an unknown birth date", inOrder(person(clinical.Never, clinical.Forever, sex)), rules.Age, noon, nil},
		{"age is still known after death", inOrder(person(birth, birth+hour, dead)), rules.Age, noon, 44},
		{"sex", inOrder(alive), rules.Sex, noon, "female"},
		{"an unknown sex", inOrder(person(birth, clinical.Forever)), rules.Sex, noon, nil},
		{"not known dead", inOrder(alive), rules.Deceased, noon, false},
		{"from the instant of death on", inOrder(person(birth, noon, dead)), rules.Deceased, noon, true},
		{"before the death", inOrder(person(birth, noon, dead)), rules.Deceased, noon - 1, false},
		{"dead since nobody knows when", inOrder(person(birth, clinical.Forever, dead)), rules.Deceased, birth, true},
		{"dead since ever", inOrder(person(birth, clinical.Never, dead)), rules.Deceased, birth, true},
		{"what the log said last", inOrder(person(birth, clinical.Forever, token("sex", "male")), alive), rules.Sex, noon, "female"},
		{"sex, and the log never said anything", nil, rules.Sex, noon, nil},
		{"age, and the log never said anything", nil, rules.AgeMonths, noon, nil},
		{"deceased, and the log never said anything", inOrder(result(noon, 1)), rules.Deceased, noon, nil},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			ask := &rules.Term{Input: patientInput, Op: c.op}
			require.Equal(t, value(c.want), NewReference(program(time.UTC)).Term(ask, c.facts, c.now))
		})
	}
}

func TestAgeIsCountedInTheZoneOfThePack(t *testing.T) {
	birth := instant("2000-06-14T23:00:00Z") // 15 June in London
	facts := inOrder(person(birth, clinical.Forever))
	age := &rules.Term{Op: rules.Age}
	london := NewReference(program(zone(t, "Europe/London")))

	require.Equal(t, value(23), london.Term(age, facts, instant("2024-06-14T23:00:00Z")-1))
	require.Equal(t, value(24), london.Term(age, facts, instant("2024-06-14T23:00:00Z")))
	require.Equal(t, value(24), NewReference(program(time.UTC)).Term(age, facts, instant("2024-06-14T00:00:00Z")))
}

func TestTheOrderInWhichAHistoryIsGivenIsNoMatter(t *testing.T) {
	facts := inOrder(result(noon, 1), result(noon-1, 2), result(noon, 3), result(noon-1, 4),
		person(noon, clinical.Forever, token("sex", "male")), person(noon, clinical.Forever, token("sex", "female")))
	backwards := slices.Clone(facts)
	slices.Reverse(backwards)
	reference := NewReference(program(time.UTC))
	for _, h := range []History{facts, backwards} {
		require.Equal(t, value(3), reference.Term(&rules.Term{Input: creatinine, Op: rules.Last, Window: always}, h, noon))
		require.Equal(t, value(2), reference.Term(&rules.Term{Input: creatinine, Op: rules.First, Window: always}, h, noon))
		require.Equal(t, value("female"), reference.Term(&rules.Term{Op: rules.Sex}, h, noon))
	}
}
