package pointer

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/rules"
)

// inStays adds periods, by hours from noon, to a history. An end of 1e9 has not come yet.
func inStays(h *History, periods ...[2]float64) *History {
	stream := clinical.NewStream(clinical.KindEncounter, "class|IMP")
	s := &Series{ID: stream.ID(), Stream: stream}
	for i, p := range periods {
		end := hours(p[1])
		if p[1] == open {
			end = clinical.Forever
		}
		s, _ = s.Insert(Entry{Time: hours(p[0]), End: end, Seq: 1000 + uint64(i), Detail: &clinical.Detail{}})
	}
	return h.With(s)
}

const open = 1e9

// perStay is a plan of rules that hold for each stay.
func perStay(t testing.TB, conditions ...string) *Plan {
	t.Helper()
	pack := "pack: p\ninputs:\n  x: {observation: [\"loinc|1\"], unit: mg/dL}\n  stay: {encounter: any}\n  acute: {encounter: [\"class|ACUTE\"]}\nrules:\n"
	for i, c := range conditions {
		pack += "  - {id: r" + string(rune('a'+i)) + ", title: t, severity: info, source: s, for_each: stay, when: \"" + c + "\"}\n"
	}
	p, err := rules.Compile([]clinical.File{{Name: "p.yaml", Data: []byte(pack)}}, rules.CompileOptions{})
	require.NoError(t, err)
	return NewPlan(p)
}

func TestARuleForEachStayHoldsUntilTimeTurnsItForThatStay(t *testing.T) {
	for _, c := range []struct {
		when  string
		facts map[float64]float64
		stay  [2]float64
		truth rules.Truth
		until clinical.Instant
	}{
		{"not ended", nil, [2]float64{-10, 5}, rules.True, hours(5) + 1},
		{"not ended", nil, [2]float64{-10, 0}, rules.True, hours(0) + 1},
		{"not ended", nil, [2]float64{-10, open}, rules.True, clinical.Forever},
		{"ended", nil, [2]float64{-10, -1}, rules.True, clinical.Forever},
		{"ended", nil, [2]float64{2, 5}, rules.False, hours(2)},
		{"hours_since_start >= 24", nil, [2]float64{-10, open}, rules.False, hours(14)},
		{"hours_since_end < 6", nil, [2]float64{-10, -5}, rules.True, hours(1)},
		{"hours_since_end < 6", nil, [2]float64{-10, 2}, rules.Unknown, hours(2) + 1},
		{"x.during().count() >= 1", map[float64]float64{-11: 1}, [2]float64{-10, open}, rules.False, clinical.Forever},
		{"x.during().count() >= 1", map[float64]float64{-10: 1}, [2]float64{-10, open}, rules.True, clinical.Forever},
		{"x.during().count() >= 1", map[float64]float64{3: 1}, [2]float64{-10, 3}, rules.False, hours(3)},
		{"x.during().count() >= 1", map[float64]float64{4: 1}, [2]float64{-10, 3}, rules.False, clinical.Forever},
		{"x.during().max() > 2", map[float64]float64{-12: 9, -2: 3}, [2]float64{-10, open}, rules.True, clinical.Forever},
		{"x.during().max() > 2", map[float64]float64{-12: 9}, [2]float64{-10, open}, rules.Unknown, clinical.Forever},
		{"x.at_start().exists('48h')", map[float64]float64{-58: 1}, [2]float64{-10, open}, rules.True, clinical.Forever},
		{"x.at_start().exists('48h')", map[float64]float64{-59: 1}, [2]float64{-10, open}, rules.False, clinical.Forever},
		{"x.at_start().exists('after 24h')", map[float64]float64{14: 1}, [2]float64{-10, open}, rules.False, hours(14)},
		{"x.at_start().exists('after 24h')", map[float64]float64{15: 1}, [2]float64{-10, open}, rules.False, clinical.Forever},
		{"x.at_start().exists('after 12h..24h')", map[float64]float64{-1: 1, 3: 1}, [2]float64{-10, open}, rules.False, hours(3)},
		{"x.at_end().last('24h') > 2", map[float64]float64{-4: 3}, [2]float64{-10, -3}, rules.True, clinical.Forever},
		{"x.at_end().exists()", map[float64]float64{-4: 3}, [2]float64{-10, 3}, rules.Unknown, hours(3) + 1},
		{"start < x.last_time()", map[float64]float64{-4: 3}, [2]float64{-10, open}, rules.True, clinical.Forever},
		{"end > x.last_time()", map[float64]float64{-4: 3}, [2]float64{-10, open}, rules.True, clinical.Forever},
	} {
		p := perStay(t, c.when)
		h := inStays(history(c.facts), c.stay)
		want := Result{Period: hours(c.stay[0]), Truth: c.truth, Until: c.until}
		require.Equal(t, []Result{want}, p.EvaluateFacts(nil, h, noon), "%s of %v in %v", c.when, c.facts, c.stay)
		row, results := p.Fold(nil, h, noon, nil, true)
		require.Equal(t, []Result{want}, results)
		if got := p.Evaluate(nil, row, h, noon); len(got) > 0 {
			require.Equal(t, []Result{want}, got)
		} else {
			require.Equal(t, rules.False, c.truth, "what a row does not list is false")
		}
	}
}

func TestFactsThatBeginTogetherAreOneStayToTheLaterEnd(t *testing.T) {
	p := perStay(t, "not ended")
	h := inStays(history(nil), [2]float64{-10, -5}, [2]float64{-10, 4}, [2]float64{-9, -8})
	require.Equal(t, []Result{
		{Period: hours(-10), Truth: rules.True, Until: hours(4) + 1},
		{Period: hours(-9), Truth: rules.False, Until: clinical.Forever},
	}, p.EvaluateFacts(nil, h, noon))
	require.Equal(t, []rules.Period{{Start: hours(-10), End: hours(4)}, {Start: hours(-9), End: hours(-8)}}, p.Periods(p.Program.Rules[0], h))
}

func TestAStayOverlapsAnotherButNotItself(t *testing.T) {
	p := perStay(t, "stay.overlaps()")
	for want, periods := range map[rules.Truth][][2]float64{
		rules.False: {{-10, -5}, {-10, -6}, {-4, open}},
		rules.True:  {{-10, -5}, {-5, -4}},
	} {
		require.Equal(t, want, p.EvaluateFacts(nil, inStays(history(nil), periods...), noon)[0].Truth, "%v", periods)
	}
}

func TestAStayThatIsTakenBackIsFalseAndLeavesTheRow(t *testing.T) {
	p := perStay(t, "not ended", "x.last('48h') > 2")
	before := inStays(history(map[float64]float64{-1: 3}), [2]float64{-10, open}, [2]float64{-30, -20})
	row, results := p.Fold(nil, before, noon, nil, true)
	require.Len(t, results, 4)
	require.Len(t, row.Periods, 2, "one of them by the second rule alone")

	after := inStays(history(map[float64]float64{-1: 3}), [2]float64{-30, -20})
	stream := clinical.NewStream(clinical.KindEncounter, "class|IMP")
	next, results := p.Fold(row, after, noon, []clinical.Stream{stream}, false)
	require.Equal(t, []Result{
		{Rule: 0, Period: hours(-30), Truth: rules.False, Until: clinical.Forever},
		{Rule: 0, Period: hours(-10), Truth: rules.False, Until: clinical.Forever},
		{Rule: 1, Period: hours(-30), Truth: rules.True, Until: hours(47) + 1},
		{Rule: 1, Period: hours(-10), Truth: rules.False, Until: clinical.Forever},
	}, results)
	require.Len(t, next.Periods, 1)
	require.Equal(t, hours(-30), next.Periods[0].Start)
}

func TestAFactOfOneInputLeavesTheRulesOfOthersAsTheRowHasThem(t *testing.T) {
	p := perStay(t, "not ended and acute.exists()", "x.during().last() > 2")
	h := inStays(history(map[float64]float64{-1: 3}), [2]float64{-10, open})
	row, _ := p.Fold(nil, h, noon, nil, true)
	stream := clinical.NewStream(clinical.KindObservation, "loinc|1")
	h = inStays(history(map[float64]float64{-1: 1}), [2]float64{-10, open})
	next, results := p.Fold(row, h, noon, []clinical.Stream{stream}, false)
	require.Equal(t, []Result{{Rule: 1, Period: hours(-10), Truth: rules.False, Until: clinical.Forever}}, results)
	require.Empty(t, next.Periods, "neither is other than false, or will be")
}
