package service

import (
	"encoding/json"
	"flag"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/vigil-cds/vigil/explain/archive"
	"github.com/vigil-cds/vigil/explain/record"
	"github.com/vigil-cds/vigil/explain/record/recordtest"
	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/processor"
	"github.com/vigil-cds/vigil/rules"
)

// What is let pass is explained at the processor package's TestMain. Most tests here wait for a broker far
// more than they work, so that more of them run together than there are cores.
func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", "8"); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m,
		goleak.IgnoreTopFunction("github.com/rcrowley/go-metrics.(*meterArbiter).tick"),
		goleak.IgnoreTopFunction("github.com/IBM/sarama.(*Broker).responseReceiver"))
}

// bench is a service without a log: an archive with one partition, into which a test explains.
type bench struct {
	*testing.T
	service *Service
	part    *partition
}

func newBench(t *testing.T) *bench {
	t.Helper()
	kept := openArchive(t)
	s := &Service{config: Config{Grace: time.Nanosecond}.withDefaults(), deps: Deps{Archive: kept, Divergences: t.TempDir()}, log: slog.New(slog.DiscardHandler)}
	s.pace = newPace(s.config, nil)
	var err error
	s.metrics, err = newMetrics(nil, s)
	require.NoError(t, err)
	p, err := kept.Partition(0)
	require.NoError(t, err)
	return &bench{T: t, service: s, part: &partition{number: 0, archive: p}}
}

// at is an hour of the day on which everything here happens.
func at(hour int) clinical.Instant { return clinical.At(noon.Add(time.Duration(hour) * time.Hour)) }

// explained puts the n-th explanation of a patient into the archive, found at that offset of the log: a
// transition caused by the record there.
func (b *bench) explained(patient string, n int64, offset int64) *record.Explanation {
	b.Helper()
	e := recordtest.Example()
	e.Patient, e.ID = patient, fmt.Sprintf("%s/aki-kdigo-1/%.12s/0/f%d", patient, e.RuleSet.Hash, offset)
	e.At = record.Instant(at(int(offset)))
	since := e.At
	e.Since = &since
	e.Known.Position = fmt.Sprintf("f0.%d", offset)
	e.Seal(n, record.Genesis)
	batch := b.part.archive.Begin()
	defer batch.Discard()
	batch.Explain(patient, archive.Entry{Sequence: n, At: clinical.Instant(e.At), ID: e.ID, Data: e.Marshal()})
	state := b.part.archive.State()
	state.Facts = max(state.Facts, offset)
	state.Explained++
	batch.SetState(state)
	require.NoError(b, batch.Commit())
	return e
}

// reached moves the machine's state.
func (b *bench) reached(change func(*archive.State)) {
	b.Helper()
	batch := b.part.archive.Begin()
	defer batch.Discard()
	state := b.part.archive.State()
	change(&state)
	batch.SetState(state)
	require.NoError(b, batch.Commit())
}

// said is the engine's alert that an explanation expects.
func said(e *record.Explanation, offset int64) processor.Transition {
	t := processor.Transition{ID: e.ID, Kind: string(e.Kind), Patient: e.Patient, Rule: e.Rule.ID, Version: e.Rule.Version,
		RuleSet: e.RuleSet.Hash, Severity: e.Rule.Severity, At: clinical.Instant(e.At).Time(), Since: clinical.Instant(*e.Since).Time(),
		Cause: processor.Cause{Kind: processor.CauseFact, Offset: offset}, Message: e.Message, Values: map[string]rules.Value{}}
	for _, term := range e.Terms {
		t.Values[term.Source] = rules.Value(term.Value)
	}
	return t
}

// divergences are those that the archive keeps.
func (b *bench) divergences() (all []divergence) {
	b.Helper()
	require.NoError(b, b.part.archive.Divergences(func(d archive.Divergence) error {
		var v divergence
		require.NoError(b, json.Unmarshal(d.Data, &v))
		require.Equal(b, d.Rule, v.Rule)
		all = append(all, v)
		return nil
	}))
	return all
}
