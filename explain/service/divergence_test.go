package service

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vigil-cds/vigil/explain/archive"
	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/processor"
)

func TestTheRuleIsFoundInAnIDWhateverThePatientIsCalled(t *testing.T) {
	t.Parallel()
	for id, rule := range map[string]string{
		"p/sepsis/0123/3/f12":        "sepsis",
		"urn:a/b/c/sepsis/0123/3/t1": "sepsis",
		"sepsis/0123/3/f12":          "",
		"":                           "",
	} {
		require.Equal(t, rule, ruleOf(id), id)
	}
}

// stated gives the patient a history: a record an hour, at offsets from 0.
func (b *bench) stated(patient string, records int) {
	b.Helper()
	batch := b.part.archive.Begin()
	defer batch.Discard()
	for n := range records {
		rec := clinical.Record{Patient: patient, Recorded: at(n), EventOffset: int64(n)}
		batch.History(patient, int64(n), at(n), rec.Marshal())
	}
	batch.Put(&archive.Patient{ID: patient, Facts: int64(records - 1), Clock: at(records - 1), Due: clinical.Forever, Records: int64(records)})
	require.NoError(b, batch.Commit())
}

// offsets are those of the facts that were kept with a divergence.
func (b *bench) offsets(position string) (offsets []int64) {
	b.Helper()
	text, err := os.ReadFile(filepath.Join(b.service.deps.Divergences, position+"-aki-kdigo-1-1", "facts.ndjson"))
	require.NoError(b, err)
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		var line struct {
			FactsOffset int64
			Record      clinical.Record
		}
		require.NoError(b, json.Unmarshal(lines.Bytes(), &line))
		require.Equal(b, at(int(line.FactsOffset)), line.Record.Recorded)
		offsets = append(offsets, line.FactsOffset)
	}
	return offsets
}

// What the log learned later would make it another question.
func TestADivergenceIsKeptWithWhatWasKnownAtIt(t *testing.T) {
	t.Parallel()
	alert := func(cause processor.Cause) processor.Transition {
		return processor.Transition{ID: "p/aki-kdigo-1/set/0/x", Patient: "p", Rule: "aki-kdigo-1", RuleSet: "set", At: at(3).Time(), Since: at(3).Time(), Cause: cause}
	}
	for name, c := range map[string]struct {
		find     func(*bench, *auditor)
		position string
		want     []int64
	}{
		"an explanation": {func(b *bench, a *auditor) {
			b.explained("p", 1, 3)
			for range 2 {
				require.NoError(b, a.unanswered(b.part, 100))
			}
		}, "f0.3", []int64{0, 1, 2, 3}},
		"an alert of a record": {func(b *bench, a *auditor) {
			require.Equal(b, 1, b.answer(a, alert(processor.Cause{Kind: processor.CauseFact, Offset: 2})))
		}, "f0.2", []int64{0, 1, 2}},
		"an alert of time, which passes before the next record": {func(b *bench, a *auditor) {
			require.Equal(b, 1, b.answer(a, alert(processor.Cause{Kind: processor.CauseTime})))
		}, "f0.5", []int64{0, 1, 2}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBench(t)
			b.stated("p", 6)
			b.reached(func(s *archive.State) { s.Facts, s.Clock, s.Followed = 5, at(5), at(5) })
			c.find(b, newAuditor(b.service))
			require.Len(t, b.divergences(), 1)
			require.Equal(t, c.position, b.divergences()[0].Position)
			require.Equal(t, c.want, b.offsets(c.position))
		})
	}
}

func TestFilesAreKeptOfSomeDivergencesAndAllAreInTheArchive(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.service.config.MaxDivergenceFiles = 2
	for n := range int64(4) {
		b.explained(fmt.Sprint("p", n), 1, n+1)
	}
	a := newAuditor(b.service)
	for range 2 {
		require.NoError(t, a.unanswered(b.part, 100))
	}
	require.Len(t, b.divergences(), 4)
	kept, err := os.ReadDir(b.service.deps.Divergences)
	require.NoError(t, err)
	require.Len(t, kept, 2)
}
