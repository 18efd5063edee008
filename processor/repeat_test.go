package processor

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/rules"
)

// A producer that got no answer writes a batch again, which the broker had taken. What the batch corrected
// must not come to hold once more, not even for a moment.
func TestAFactsRecordThatIsThereAgainStatesNothing(t *testing.T) {
	t.Parallel()
	s := newStore(t)
	p, err := s.Partition(0)
	require.NoError(t, err)
	var got []string
	m, err := NewMachine(0, p, NewRuleSets(rules.CompileOptions{}, nil), Observer{
		Transition: func(t *Transition) { got = append(got, t.Kind+" "+t.At.UTC().Format("15:04")) }})
	require.NoError(t, err)
	files := []clinical.File{{Name: "p.yaml", Data: []byte(`pack: p
inputs: {potassium: {observation: ["loinc|2823-3"], unit: mmol/L}}
rules: [{id: high, title: High, severity: critical, source: test, when: "potassium.last() > 6"}]
`)}}
	at := func(minute int64) clinical.Instant { return clinical.Instant(minute * 60_000) }
	says := func(event int64, value float64) *clinical.Record {
		stream := clinical.NewStream(clinical.KindObservation, "loinc|2823-3")
		return &clinical.Record{Patient: "p1", Recorded: at(event), EventOffset: event, Assertions: []clinical.Assertion{{Resource: "Observation/1",
			Facts: []clinical.Fact{{Stream: stream, Time: at(0), End: at(0), Number: value, Detail: &clinical.Detail{Type: clinical.Number, Unit: "mmol/L"}}}}}}
	}
	log := []*clinical.Record{
		{EventOffset: -1, Activation: &clinical.Activation{Hash: rules.NewSet(files...).Hash(), Files: files}},
		says(0, 7), says(1, 5), says(2, 5), // corrected
		says(0, 7), says(1, 5), says(2, 5), // the same batch again
		says(4, 7), says(3, 5), // the record of event 3 failed, and was written after the next
		says(3, 5), says(4, 7),
	}
	for offset, rec := range log {
		require.NoError(t, m.Apply(rec, int64(offset), func([]byte) error { return nil }))
	}
	require.Equal(t, []string{"fired 00:00", "cleared 00:01", "fired 00:04", "cleared 00:04"}, got)
	state := p.State()
	require.EqualValues(t, len(log)-1, state.Facts)
	require.EqualValues(t, 4, state.Events)
	require.Empty(t, state.Missing)
}
