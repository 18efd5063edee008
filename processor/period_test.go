package processor

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/rules"
	"github.com/vigil-cds/vigil/store"
)

const stayPack = `pack: stays
inputs:
  stay: {encounter: any}
  glucose: {observation: ["loinc|2345-7"], unit: mg/dL}
rules:
  - {id: low, title: Low glucose in this stay, severity: warning, source: a test, for_each: stay,
     when: not ended and glucose.during().min() < 54, message: "{{ glucose.during().min() }} since {{ start }}"}
`

const stayHour = clinical.Instant(3_600_000)

func stayed(id string, version int64, start, end clinical.Instant) clinical.Assertion {
	return clinical.Assertion{Resource: "Encounter/" + id, Version: clinical.Version{Number: version}, Facts: []clinical.Fact{{
		Stream: clinical.NewStream(clinical.KindEncounter, "class|IMP"), Time: start, End: end, Detail: &clinical.Detail{}}}}
}

func glucoseOf(id string, at clinical.Instant, value float64) clinical.Assertion {
	return clinical.Assertion{Resource: "Observation/" + id, Facts: []clinical.Fact{{Stream: clinical.NewStream(clinical.KindObservation, "loinc|2345-7"),
		Time: at, End: at, Number: value, Detail: &clinical.Detail{Type: clinical.Number, Unit: "mg/dL"}}}}
}

func TestARuleForEachStayHasAnAlertAndAnEpisodeForEach(t *testing.T) {
	s := newStore(t)
	part, err := s.Partition(0)
	require.NoError(t, err)
	sets := NewRuleSets(rules.CompileOptions{}, nil)
	var got []Transition
	m, err := NewMachine(0, part, sets, Observer{Transition: func(t *Transition) { got = append(got, *t) }})
	require.NoError(t, err)
	offset := int64(0)
	apply := func(rec clinical.Record) []Transition {
		t.Helper()
		got = nil
		rec.EventOffset = -1
		require.NoError(t, m.Apply(&rec, offset, func([]byte) error { return nil }))
		offset++
		return got
	}
	files := []clinical.File{{Name: "p.yaml", Data: []byte(stayPack)}}
	apply(clinical.Record{Recorded: 0, Activation: &clinical.Activation{Hash: rules.NewSet(files...).Hash(), Files: files}})
	about := func(at clinical.Instant, a ...clinical.Assertion) []Transition {
		return apply(clinical.Record{Patient: "p1", Recorded: at, Assertions: a})
	}
	reader := store.NewReader(s, store.ReaderOptions{Plan: sets.Plan, Partition: func(string) int32 { return 0 }})
	answer := func(at clinical.Instant) store.Answer {
		t.Helper()
		a, err := reader.Active(t.Context(), "p1", store.ReadOptions{Now: at})
		require.NoError(t, err)
		return a
	}

	first, second := 10*stayHour, 100*stayHour
	require.Empty(t, about(first, stayed("a", 1, first, clinical.Forever)))
	fired := about(first+stayHour, glucoseOf("g1", first+stayHour, 50))
	require.Len(t, fired, 1)
	require.Equal(t, "stay", fired[0].ForEach)
	require.Equal(t, first.Time(), *fired[0].Period)
	require.Equal(t, "50 since 1970-01-01 10:00", fired[0].Message)

	require.Empty(t, about(first+2*stayHour, stayed("a", 2, first, first+5*stayHour)), "a discharge that is planned")
	cleared := apply(clinical.Record{Recorded: first + 6*stayHour, Tick: true})
	require.Len(t, cleared, 1)
	require.Equal(t, Cleared, cleared[0].Kind)
	require.Equal(t, (first + 5*stayHour + 1).Time(), cleared[0].At, "by itself, when the stay has ended")
	require.Equal(t, fired[0].At, cleared[0].Since)

	// The next stay has an alert of its own; what was measured in the one before does not count.
	require.Empty(t, about(second, stayed("b", 1, second, clinical.Forever)))
	again := about(second+stayHour, glucoseOf("g2", second+stayHour, 40))
	require.Len(t, again, 1)
	require.Equal(t, second.Time(), *again[0].Period)
	require.NotEqual(t, fired[0].ID, again[0].ID)
	require.Equal(t, "low", answer(second + 2*stayHour).Alerts[0].Rule)
	require.Equal(t, second.Time(), *answer(second + 2*stayHour).Alerts[0].Period)

	// Two stays at once: two alerts, which the worklist tells apart.
	both := about(second+3*stayHour, stayed("c", 1, second+stayHour, clinical.Forever))
	require.Len(t, both, 1)
	require.Len(t, answer(second+4*stayHour).Alerts, 2)
	list, err := s.Worklist(0, store.Filter{}, store.Cursor{}, 10)
	require.NoError(t, err)
	require.Len(t, list, 2)
	require.Equal(t, []clinical.Instant{second, second + stayHour}, []clinical.Instant{list[0].Period, list[1].Period})
	rest, err := s.Worklist(0, store.Filter{}, list[0].Cursor(), 10)
	require.NoError(t, err)
	require.Equal(t, list[1:], rest)

	// One of them was an error: its alert clears, the other stands.
	gone := about(second+5*stayHour, clinical.Assertion{Resource: "Encounter/b", Version: clinical.Version{Number: 2}})
	require.Len(t, gone, 1)
	require.Equal(t, Cleared, gone[0].Kind)
	require.Equal(t, second.Time(), *gone[0].Period)
	require.Len(t, answer(second+6*stayHour).Alerts, 1)

	// Without for_each the same id is another question: what stood for a stay clears, what is so of the patient fires.
	files = []clinical.File{{Name: "p.yaml", Data: []byte(strings.NewReplacer(" for_each: stay,", "", "not ended and glucose.during().min() < 54", "glucose.min() < 54",
		"{{ glucose.during().min() }} since {{ start }}", "low").Replace(stayPack))}}
	apply(clinical.Record{Recorded: second + 7*stayHour, Activation: &clinical.Activation{Hash: rules.NewSet(files...).Hash(), Files: files}})
	moved := apply(clinical.Record{Recorded: second + 7*stayHour, Tick: true})
	require.Len(t, moved, 2)
	require.Equal(t, []string{Cleared, Fired}, []string{moved[0].Kind, moved[1].Kind})
	require.Nil(t, moved[1].Period)
}
