package pointer

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/rules"
)

// noon is the instant that the cases ask at; ago and ahead count from it.
var noon = clinical.At(time.Date(2026, 3, 31, 12, 0, 0, 0, time.UTC))

func hours(h float64) clinical.Instant { return noon + clinical.Instant(h*3_600_000) }

// history places numbers of one code by hours from noon.
func history(at map[float64]float64) *History {
	stream := clinical.NewStream(clinical.KindObservation, "loinc|1")
	s := &Series{ID: stream.ID(), Stream: stream}
	seq := uint64(0)
	for h, x := range at {
		s, _ = s.Insert(Entry{Time: hours(h), End: hours(h), Seq: seq, Number: x, Detail: plain})
		seq++
	}
	return NewHistory().With(s)
}

func planOf(t testing.TB, conditions ...string) *Plan {
	t.Helper()
	var pack strings.Builder
	pack.WriteString("pack: p\ninputs:\n  x: {observation: [\"loinc|1\"], unit: mg/dL}\nrules:\n")
	for i, c := range conditions {
		fmt.Fprintf(&pack, "  - {id: r%d, title: t, severity: info, source: s, when: %q}\n", i, c)
	}
	p, err := rules.Compile([]clinical.File{{Name: "p.yaml", Data: []byte(pack.String())}}, rules.CompileOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return NewPlan(p)
}

func TestARuleHoldsUntilTheFirstInstantAtWhichTimeTurnsIt(t *testing.T) {
	for _, c := range []struct {
		when  string
		facts map[float64]float64
		truth rules.Truth
		until clinical.Instant
	}{
		{"x.exists('48h')", map[float64]float64{-47: 1}, rules.True, hours(1) + 1},
		{"x.exists('48h')", map[float64]float64{-47: 1, -10: 1}, rules.True, hours(38) + 1},
		{"x.exists('48h')", map[float64]float64{-47: 1, 0.5: 1}, rules.True, hours(48.5) + 1},
		{"x.exists('48h')", map[float64]float64{5: 1}, rules.False, hours(5)},
		{"x.exists('48h')", map[float64]float64{-50: 1}, rules.False, clinical.Forever},
		{"x.exists('72h..24h')", map[float64]float64{-10: 1}, rules.False, hours(14)},
		{"x.exists()", map[float64]float64{-5000: 1}, rules.True, clinical.Forever},
		{"x.exists('1mo')", map[float64]float64{-24: 1}, rules.True, clinical.At(time.Date(2026, 4, 30, 12, 0, 0, 1e6, time.UTC))},
		{"x.last('48h') > 2", map[float64]float64{-1: 3}, rules.True, hours(47) + 1},
		{"x.last('48h') > 2", map[float64]float64{-1: 3, 2: 3}, rules.True, hours(50) + 1},
		{"x.last('48h') > 2", map[float64]float64{-1: 3, 2: 1}, rules.True, hours(2)},
		{"x.last() > 2", map[float64]float64{-1: 3}, rules.True, clinical.Forever},
		{"x.count('48h') >= 2", map[float64]float64{-47: 1, -46: 1, -45: 1, -1: 1}, rules.True, hours(3) + 1},
		{"x.count('48h') >= 2", map[float64]float64{-47: 1, 0.5: 1}, rules.False, hours(0.5)},
		{"x.count('48h') >= 2", map[float64]float64{-47: 1, 2: 1}, rules.False, clinical.Forever},
		{"x.min('48h') < 2", map[float64]float64{-40: 1, -10: 1, -5: 3}, rules.True, hours(38) + 1},
		{"x.max('48h') > 2", map[float64]float64{-40: 3, -10: 1, 1: 4}, rules.True, hours(1)},
		{"x.slope() > 1.49", map[float64]float64{-48: 1, -24: 2, -1: 4}, rules.True, clinical.Forever},
		{"x.slope() < 1.6", map[float64]float64{-48: 1, -24: 2, -1: 4}, rules.True, clinical.Forever},
		{"x.exists('today')", map[float64]float64{-12: 1}, rules.True, hours(12)},
		{"x.exists('today')", map[float64]float64{-12.5: 1}, rules.False, clinical.Forever},
		{"x.exists('today')", map[float64]float64{-12.5: 1, 13: 1}, rules.False, hours(13)},
		{"x.count('today') >= 2", map[float64]float64{-2: 1, -1: 1, 13: 1}, rules.True, hours(12)},
		{"x.max('yesterday') > 2", map[float64]float64{-12.5: 3, -1: 1}, rules.True, hours(12)},
		{"x.max('yesterday') > 2", map[float64]float64{-1: 3}, rules.Unknown, hours(12)},
		{"x.max('last day') > 2", map[float64]float64{-100: 3, -97: 1, -130: 9}, rules.True, clinical.Forever},
		{"x.max('last day') > 2", map[float64]float64{-100: 3, -1: 1}, rules.False, clinical.Forever},
		{"x.max('last day') > 2", map[float64]float64{-100: 3, 30: 1}, rules.True, hours(30)},
		{"x.count('last day') >= 2", map[float64]float64{-100: 3, -101: 3, 30: 1}, rules.True, hours(30)},
		{"x.last('last day', value > 2) > 2", map[float64]float64{-100: 3, -1: 1}, rules.True, clinical.Forever},
		{"x.hours_since() >= 6", map[float64]float64{-4: 1}, rules.False, hours(2)},
		{"x.hours_since() < 6", map[float64]float64{-4: 1, 1: 1}, rules.True, hours(1)},
		{"x.hours_since('5h') >= 6", map[float64]float64{-4: 1}, rules.False, hours(1) + 1},
		{"x.last('48h') > 2 or x.last() > 2", map[float64]float64{-1: 3}, rules.True, clinical.Forever},
		{"x.last('48h') > 2 and x.last() > 5", map[float64]float64{-1: 3}, rules.False, clinical.Forever},
		{"x.last('24h') > 2 and x.last('48h') > 2", map[float64]float64{-1: 3}, rules.True, hours(23) + 1},
	} {
		got := planOf(t, c.when).EvaluateFacts(nil, history(c.facts), noon)
		if len(got) != 1 || got[0].Truth != c.truth || got[0].Until != c.until {
			t.Errorf("%s of %v: %v, want %s until %s", c.when, c.facts, got, c.truth, c.until)
		}
	}
}

func TestFoldKeepsNothingOfARuleThatDataHasSettled(t *testing.T) {
	plan := planOf(t, "x.last() > 2", "x.last() > 5", "x.last('48h') > 2")
	row, _ := plan.Fold(nil, history(map[float64]float64{-1: 3}), noon, nil, true)
	if len(row.Rules) != 3 || len(row.Atoms) != 1 || len(row.Pointers) != 1 {
		t.Errorf("the row is %+v: want two constants (true; false, which the baseline, unknown, is not) and one pointer", row)
	}
	row, _ = plan.Fold(nil, history(map[float64]float64{-49: 3}), noon, nil, true)
	if len(row.Atoms) != 0 || len(row.Pointers) != 0 {
		t.Errorf("the row is %+v: once the window is empty for good, nothing is left to time", row)
	}
}

func TestFoldGivesTheSameRowBackWhenNothingInItChanges(t *testing.T) {
	plan := planOf(t, "x.last('48h') > 2")
	h := history(map[float64]float64{-1: 3})
	row, _ := plan.Fold(nil, h, noon, nil, true)
	s := h.Series()[0]
	s, _ = s.Insert(Entry{Time: noon, End: noon, Seq: 9, Number: 4, Detail: plain})
	next, results := plan.Fold(row, h.With(s), noon, []clinical.Stream{s.Stream}, false)
	if next != row || len(results) != 1 || results[0].Until != hours(48)+1 {
		t.Errorf("a later value gave row %+v and results %+v", next, results)
	}
}

// One more fact in a stream changes no row, so that reading costs what live rules cost, and no more.
func BenchmarkEvaluate(b *testing.B) {
	for _, facts := range []int{10, 1000, 100_000} {
		b.Run(fmt.Sprintf("last of %d", facts), func(b *testing.B) { benchmarkEvaluate(b, "x.last('48h') > 1e9", facts) })
		b.Run(fmt.Sprintf("mean of %d", facts), func(b *testing.B) { benchmarkEvaluate(b, "x.mean('48h') > 1e9", facts) })
	}
}

func benchmarkEvaluate(b *testing.B, when string, facts int) {
	plan := planOf(b, when)
	at := make(map[float64]float64, facts)
	for i := range facts {
		at[-47*float64(i)/float64(facts)] = float64(i % 100)
	}
	h := history(at)
	row, _ := plan.Fold(nil, h, noon, nil, true)
	var room [4]Result
	b.ReportAllocs()
	for b.Loop() {
		plan.Evaluate(room[:0], row, h, noon)
	}
}
