package explain

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vigil-cds/vigil/internal/clinical"
)

func TestALedgerKeepsWhatHolds(t *testing.T) {
	numbered := func(n int64) clinical.Version { return clinical.Version{Number: n} }
	updated := func(at clinical.Instant) clinical.Version { return clinical.Version{Updated: at} }
	states := func(v clinical.Version, numbers ...float64) clinical.Assertion {
		a := clinical.Assertion{Resource: "Observation/1", Version: v}
		for _, n := range numbers {
			a.Facts = append(a.Facts, result(noon, n))
		}
		return a
	}
	other := clinical.Assertion{Resource: "Observation/2", Facts: []clinical.Fact{result(noon, 9)}}

	type held struct {
		number float64
		order  uint64
	}
	cases := []struct {
		name string
		log  []clinical.Assertion // one a record, from offset 1
		want []held
	}{
		{"a resource states its facts", []clinical.Assertion{states(numbered(1), 1, 2)},
			[]held{{1, 1 << 20}, {2, 1<<20 + 1}}},
		{"a newer version replaces all of them", []clinical.Assertion{states(numbered(1), 1, 2), states(numbered(2), 2, 3)},
			[]held{{2, 2 << 20}, {3, 2<<20 + 1}}},
		{"other resources stay", []clinical.Assertion{states(numbered(1), 1), other, states(numbered(2), 2)},
			[]held{{9, 2 << 20}, {2, 3 << 20}}},
		{"an older version arriving late changes nothing", []clinical.Assertion{states(numbered(2), 2), states(numbered(1), 1)},
			[]held{{2, 1 << 20}}},
		{"an older update arriving late changes nothing", []clinical.Assertion{states(updated(noon), 2), states(updated(noon-1), 1)},
			[]held{{2, 1 << 20}}},
		{"the same version changes nothing", []clinical.Assertion{states(numbered(2), 2), states(numbered(2), 1)},
			[]held{{2, 1 << 20}}},
		{"without versions the later in the log is the newer", []clinical.Assertion{states(numbered(0), 2), states(numbered(0), 1)},
			[]held{{1, 2 << 20}}},
		{"equal updates are decided by the contents", []clinical.Assertion{states(updated(noon), 2), states(updated(noon), 1)},
			[]held{{1, 2 << 20}}},
		{"the same content again keeps its place in the order", []clinical.Assertion{states(numbered(1), 1), states(numbered(2), 1)},
			[]held{{1, 1 << 20}}},
		{"the same content again moves the version held", []clinical.Assertion{states(numbered(1), 1), states(numbered(3), 1), states(numbered(2), 2)},
			[]held{{1, 1 << 20}}},
		{"one fact more is other content", []clinical.Assertion{states(numbered(1), 1), states(numbered(2), 1, 2)},
			[]held{{1, 2 << 20}, {2, 2<<20 + 1}}},
		{"no facts retract", []clinical.Assertion{states(numbered(1), 1), states(numbered(2))}, nil},
		{"an older version does not revive what was retracted", []clinical.Assertion{states(numbered(1), 1), states(numbered(3)), states(numbered(2), 2)}, nil},
		{"nor does one that was retracted before it was known", []clinical.Assertion{states(numbered(3)), states(numbered(2), 2)}, nil},
		{"a newer version does", []clinical.Assertion{states(numbered(1), 1), states(numbered(2)), states(numbered(3), 1)},
			[]held{{1, 3 << 20}}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			var l Ledger
			for i, a := range c.log {
				l.assert(&a, 0, int64(i+1), 0)
			}
			var got []held
			for _, s := range l.History() {
				got = append(got, held{s.Fact.Number, s.Order})
			}
			require.Equal(t, c.want, got)
		})
	}
}

func TestOtherContentIsSeenInEveryField(t *testing.T) {
	base := func() clinical.Fact {
		return observation(noon, 1, &clinical.Detail{
			Type: clinical.Number, Unit: "mg/dL", Codes: []clinical.Code{"a"}, Attributes: []clinical.Attribute{token("status", "final"), figure("dose", 1)},
		})
	}
	changes := map[string]func(*clinical.Fact){
		"kind":             func(f *clinical.Fact) { f.Stream.Kind = clinical.KindReport },
		"stream codes":     func(f *clinical.Fact) { f.Stream.Codes = f.Stream.Codes[:1] },
		"time":             func(f *clinical.Fact) { f.Time++ },
		"end":              func(f *clinical.Fact) { f.End++ },
		"number":           func(f *clinical.Fact) { f.Number++ },
		"no detail":        func(f *clinical.Fact) { f.Detail = nil },
		"type":             func(f *clinical.Fact) { f.Detail.Type = clinical.Text },
		"comparator":       func(f *clinical.Fact) { f.Detail.Comparator = clinical.Below },
		"precision":        func(f *clinical.Fact) { f.Detail.Precision = clinical.ToDay },
		"unit":             func(f *clinical.Fact) { f.Detail.Unit = "g/L" },
		"text":             func(f *clinical.Fact) { f.Detail.Text = "x" },
		"codes":            func(f *clinical.Fact) { f.Detail.Codes[0] = "b" },
		"attribute name":   func(f *clinical.Fact) { f.Detail.Attributes[0].Name = "x" },
		"attribute code":   func(f *clinical.Fact) { f.Detail.Attributes[0].Codes[0] = "x" },
		"attribute number": func(f *clinical.Fact) { f.Detail.Attributes[1].Number = 2 },
		"attribute gone":   func(f *clinical.Fact) { f.Detail.Attributes = f.Detail.Attributes[:1] },
	}
	require.True(t, sameFact(base(), base()), "details are compared by value")
	for name, change := range changes {
		t.Run(name, func(t *testing.T) {
			other := base()
			change(&other)
			require.False(t, sameFact(base(), other))
		})
	}
}

func TestARecordNumbersItsFactsThroughout(t *testing.T) {
	var l Ledger
	l.Apply(&clinical.Record{Assertions: []clinical.Assertion{
		{Resource: "Observation/1", Facts: []clinical.Fact{result(noon, 1), result(noon, 2)}},
		{Resource: "Observation/2", Facts: []clinical.Fact{result(noon, 3)}},
	}}, 7)
	l.Apply(&clinical.Record{Tick: true}, 8)
	h := l.History()

	require.Len(t, h, 3)
	for i, s := range h {
		require.Equal(t, uint64(7<<20+i), s.Order)
		require.Equal(t, float64(i+1), s.Fact.Number)
	}
}
