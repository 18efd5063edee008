package equivalence

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vigil-cds/vigil/explain"
	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/pointer"
	"github.com/vigil-cds/vigil/rules"
)

const dayPack = `pack: days
zone: %s
inputs:
  x: {observation: ["loinc|x"]}
  y: {observation: ["loinc|y"]}
  twice: {from: x, where: x.count('today') >= 2}
  again: {from: x, where: x.exists('yesterday')}
  highest: {from: x, where: "value >= x.max('last day')"}
  grown: {from: x, where: patient.age >= 18}
  grown_then: {from: x, where: patient.age_at(start) >= 18}
rules:
- {id: r, title: t, severity: info, source: s, when: %q}
`

// dated is one fact of a day test: a number of x or y, or with noValue one that has none.
type dated struct {
	code   clinical.Code
	at     string
	number float64
}

const noValue = -1000

func x(at string, number float64) dated { return dated{"loinc|x", at, number} }
func y(at string) dated                 { return dated{"loinc|y", at, 1} }

func (d dated) fact(t *testing.T) clinical.Fact {
	at := moment(t, d.at)
	f := clinical.Fact{Stream: clinical.NewStream(clinical.KindObservation, d.code), Time: at, End: at, Number: d.number,
		Detail: &clinical.Detail{Type: clinical.Number}}
	if d.number == noValue {
		f.Number, f.Detail = 0, &clinical.Detail{Type: clinical.Text, Text: "clotted"}
	}
	return f
}

func moment(t *testing.T, s string) clinical.Instant {
	t.Helper()
	at, err := time.Parse(time.RFC3339Nano, s)
	require.NoError(t, err)
	return clinical.At(at)
}

// The engine and the reference evaluator are each held to answers that are written down, where the property
// test holds them to each other.
func TestDaysAndAgesGoByTheCalendarOfTheZone(t *testing.T) {
	const berlin, newYork, saoPaulo = "Europe/Berlin", "America/New_York", "America/Sao_Paulo"
	const ever = ""
	for _, c := range []struct {
		name, zone, when string
		birth            string // "" for nothing said of the person
		facts            []dated
		now              string
		want             rules.Truth
		until            string // the first instant at which it is otherwise
	}{
		{"a day of 23 hours begins at midnight", berlin, "x.exists('today')", "", []dated{x("2026-03-29T00:00:00+01:00", 1)},
			"2026-03-29T23:59:59.999+02:00", rules.True, "2026-03-30T00:00:00+02:00"},
		{"a millisecond before is not today", berlin, "x.exists('today')", "", []dated{x("2026-03-28T23:59:59.999+01:00", 1)},
			"2026-03-29T00:00:00+01:00", rules.False, ever},
		{"and is yesterday for 23 hours", berlin, "x.exists('yesterday')", "", []dated{x("2026-03-28T23:59:59.999+01:00", 1)},
			"2026-03-29T00:00:00+01:00", rules.True, "2026-03-30T00:00:00+02:00"},
		{"a day of 25 hours lasts as long", berlin, "x.exists('today')", "", []dated{x("2026-10-25T00:00:00+02:00", 1)},
			"2026-10-25T23:59:59.999+01:00", rules.True, "2026-10-26T00:00:00+01:00"},
		{"and is all of it yesterday", berlin, "x.count('yesterday') == 3", "",
			[]dated{x("2026-10-24T23:59:59.999+02:00", 1), x("2026-10-25T00:00:00+02:00", 1), x("2026-10-25T02:30:00+02:00", 1), x("2026-10-25T23:59:59.999+01:00", 1), x("2026-10-26T00:00:00+01:00", 1)},
			"2026-10-26T00:00:00+01:00", rules.True, "2026-10-27T00:00:00+01:00"},
		{"yesterday waits for midnight", berlin, "x.exists('yesterday')", "", []dated{x("2026-10-25T00:00:00+02:00", 1)},
			"2026-10-25T23:59:59.999+01:00", rules.False, "2026-10-26T00:00:00+01:00"},
		{"forward in New York", newYork, "x.exists('today')", "", []dated{x("2026-03-08T00:00:00-05:00", 1)},
			"2026-03-08T12:00:00-04:00", rules.True, "2026-03-09T00:00:00-04:00"},
		{"back in New York", newYork, "x.exists('today')", "", []dated{x("2026-11-01T00:00:00-04:00", 1)},
			"2026-11-01T23:59:59.999-05:00", rules.True, "2026-11-02T00:00:00-05:00"},
		{"a day without a midnight begins with the change", saoPaulo, "x.exists('today')", "", []dated{x("2018-11-04T03:00:00Z", 1)},
			"2018-11-04T12:00:00-02:00", rules.True, "2018-11-05T00:00:00-02:00"},
		{"what was before the change was the day before", saoPaulo, "x.exists('today')", "", []dated{x("2018-11-04T02:59:59.999Z", 1)},
			"2018-11-04T12:00:00-02:00", rules.False, ever},
		{"and is yesterday from the change on", saoPaulo, "x.exists('yesterday')", "", []dated{x("2018-11-04T02:59:59.999Z", 1)},
			"2018-11-04T02:59:59.999Z", rules.False, "2018-11-04T03:00:00Z"},
		{"the leap day", "UTC", "x.count('yesterday') == 1", "", []dated{x("2028-02-28T23:59:59.999Z", 1), x("2028-02-29T00:00:00Z", 1)},
			"2028-03-01T00:00:00Z", rules.True, "2028-03-02T00:00:00Z"},
		{"the last of December", "UTC", "x.exists('yesterday')", "", []dated{x("2026-12-31T00:00:00Z", 1)},
			"2027-01-01T23:59:59.999Z", rules.True, "2027-01-02T00:00:00Z"},
		{"a fact later today has not come", "UTC", "x.exists('today')", "", []dated{x("2026-06-01T18:00:00Z", 1)},
			"2026-06-01T12:00:00Z", rules.False, "2026-06-01T18:00:00Z"},

		{"the last day is the whole of it, long after", berlin, "x.count('last day') == 2", "",
			[]dated{x("2026-10-24T23:59:59.999+02:00", 1), x("2026-10-25T00:00:00+02:00", 1), x("2026-10-25T23:59:59.999+01:00", 1)},
			"2029-01-01T00:00:00Z", rules.True, ever},
		{"a later day takes its place", "UTC", "x.max('last day') == 9", "", []dated{x("2026-06-01T08:00:00Z", 9), x("2026-06-05T00:00:00Z", 1)},
			"2026-06-03T00:00:00Z", rules.True, "2026-06-05T00:00:00Z"},
		{"the condition finds the day", "UTC", "x.count('last day', value > 5) == 2 and x.count('last day') == 1", "",
			[]dated{x("2026-06-01T08:00:00Z", 9), x("2026-06-01T09:00:00Z", 8), x("2026-06-01T10:00:00Z", 1), x("2026-06-02T08:00:00Z", 1)},
			"2026-06-03T00:00:00Z", rules.True, ever},
		{"a fact without a value finds it, too", "UTC", "x.max('last day') == 9", "", []dated{x("2026-06-01T08:00:00Z", 9), x("2026-06-02T08:00:00Z", noValue)},
			"2026-06-03T00:00:00Z", rules.Unknown, ever},

		{"today of a where is the day of the fact", berlin, "twice.count() == 1", "", []dated{x("2026-03-28T23:59:59.999+01:00", 1), x("2026-03-29T00:00:00+01:00", 1), x("2026-03-29T23:59:59.999+02:00", 1)},
			"2026-05-01T00:00:00Z", rules.True, ever},
		{"and yesterday the day before it", berlin, "again.count() == 1", "", []dated{x("2026-03-28T23:59:59.999+01:00", 1), x("2026-03-29T00:00:00+01:00", 1), x("2026-03-31T00:00:00+02:00", 1)},
			"2026-05-01T00:00:00Z", rules.True, ever},
		{"the last day of a where is that of the fact", "UTC", "highest.count() == 2", "", []dated{x("2026-06-01T08:00:00Z", 9), x("2026-06-02T08:00:00Z", 3), x("2026-06-02T09:00:00Z", 2)},
			"2026-06-03T00:00:00Z", rules.True, ever},

		{"the same day here", "UTC", "same_day(x.last_time(), y.last_time())", "", []dated{x("2026-06-01T21:59:59.999Z", 1), y("2026-06-01T22:00:00Z")},
			"2026-06-03T00:00:00Z", rules.True, ever},
		{"is two days there", berlin, "same_day(x.last_time(), y.last_time())", "", []dated{x("2026-06-01T21:59:59.999Z", 1), y("2026-06-01T22:00:00Z")},
			"2026-06-03T00:00:00Z", rules.False, ever},
		{"25 hours apart in one day", berlin, "same_day(x.last_time(), y.last_time())", "", []dated{x("2026-10-25T00:00:00+02:00", 1), y("2026-10-25T23:59:59.999+01:00")},
			"2026-11-03T00:00:00Z", rules.True, ever},
		{"a time that is missing", "UTC", "same_day(x.last_time(), y.last_time())", "", []dated{x("2026-06-01T21:00:00Z", 1)},
			"2026-06-03T00:00:00Z", rules.Unknown, ever},

		{"18 on 28 February for one born on the 29th", berlin, "patient.age_at(x.first_time()) == 18", "2000-02-29T00:00:00+01:00", []dated{x("2018-02-28T00:00:00+01:00", 1)},
			"2026-06-03T00:00:00Z", rules.True, ever},
		{"and 17 a millisecond before", berlin, "patient.age_at(x.first_time()) == 17", "2000-02-29T00:00:00+01:00", []dated{x("2018-02-27T23:59:59.999+01:00", 1)},
			"2026-06-03T00:00:00Z", rules.True, ever},
		{"on the 29th of a leap year", berlin, "patient.age_at(x.first_time()) == 15 and patient.age_at(x.last_time()) == 16", "2000-02-29T00:00:00+01:00",
			[]dated{x("2016-02-28T23:59:59.999+01:00", 1), x("2016-02-29T00:00:00+01:00", 1)}, "2026-06-03T00:00:00Z", rules.True, ever},
		{"a month is over on the last day of a short one", "UTC", "patient.age_months_at(x.first_time()) == 0 and patient.age_months_at(x.last_time()) == 1", "2024-01-31T00:00:00Z",
			[]dated{x("2024-02-28T23:59:59.999Z", 1), x("2024-02-29T00:00:00Z", 1)}, "2026-06-03T00:00:00Z", rules.True, ever},
		{"no age before the birth", "UTC", "patient.age_at(x.first_time()) >= 0", "2024-01-31T00:00:00Z", []dated{x("2024-01-30T23:59:59.999Z", 1)},
			"2026-06-03T00:00:00Z", rules.Unknown, ever},
		{"nor without a birth date", "UTC", "patient.age_at(x.first_time()) >= 0", "", []dated{x("2024-01-30T23:59:59.999Z", 1)},
			"2026-06-03T00:00:00Z", rules.Unknown, ever},
		{"patient.age in a where is the age at the fact", berlin, "grown.count() == 1 and grown_then.count() == 1", "2000-02-29T00:00:00+01:00",
			[]dated{x("2018-02-27T23:59:59.999+01:00", 1), x("2018-02-28T00:00:00+01:00", 1)}, "2026-06-03T00:00:00Z", rules.True, ever},
	} {
		t.Run(c.name, func(t *testing.T) {
			pack := fmt.Sprintf(dayPack, c.zone, c.when)
			p, err := rules.Compile([]clinical.File{{Name: "days.yaml", Data: []byte(pack)}}, rules.CompileOptions{})
			require.NoError(t, err)
			var facts []clinical.Fact
			for _, d := range c.facts {
				facts = append(facts, d.fact(t))
			}
			if c.birth != "" {
				facts = append(facts, clinical.Fact{Stream: clinical.NewStream(clinical.KindPatient), Time: moment(t, c.birth), End: clinical.Forever, Detail: &clinical.Detail{}})
			}
			now := moment(t, c.now)

			stated, reference := known(facts), explain.NewReference(p)
			require.Equal(t, c.want, reference.Truth(p.Rules[0], stated, now), "the reference evaluator")
			truth, until := answer(pointer.NewPlan(p), facts, now)
			require.Equal(t, c.want, truth, "the engine")

			next, changes := reference.Next(p.Rules[0], stated, now, moment(t, "2100-01-01T00:00:00Z"))
			require.Equal(t, c.until != ever, changes, "the reference evaluator")
			if c.until == ever {
				return
			}
			require.Equal(t, moment(t, c.until).String(), next.At.String(), "the reference evaluator")
			require.Equal(t, moment(t, c.until).String(), until.String(), "the engine")
			after, _ := answer(pointer.NewPlan(p), facts, until)
			require.Equal(t, next.Truth, after)
		})
	}
}

func known(facts []clinical.Fact) explain.History {
	var h explain.History
	for i, f := range facts {
		h = append(h, explain.Statement{Fact: f, Order: uint64(i + 1)})
	}
	return h
}

// answer is what the engine says of the plan's only rule, and until when.
func answer(plan *pointer.Plan, facts []clinical.Fact, now clinical.Instant) (rules.Truth, clinical.Instant) {
	h := pointer.NewHistory()
	for i, f := range facts {
		series := h.Get(f.Stream.ID())
		if series == nil {
			series = &pointer.Series{ID: f.Stream.ID(), Stream: f.Stream}
		}
		series, _ = series.Insert(pointer.Entry{Time: f.Time, End: f.End, Seq: uint64(i + 1), Number: f.Number, Detail: f.Detail})
		h = h.With(series)
	}
	h, _ = plan.SettleWhole(h)
	if r := plan.EvaluateFacts(nil, h, now); len(r) > 0 {
		return r[0].Truth, r[0].Until
	}
	return plan.Baseline(0), clinical.Forever
}
