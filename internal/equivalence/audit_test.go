package equivalence

import (
	"context"
	"errors"
	"flag"
	"math/rand/v2"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"github.com/vigil-cds/vigil/explain/archive"
	"github.com/vigil-cds/vigil/explain/record"
	"github.com/vigil-cds/vigil/explain/replay"
	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/rules"
)

var logs = flag.Uint64("logs", 60, "how many drawn logs of several patients to follow by both")

// Every transition of the engine is explained, and no other: with the same instant, episode, cause and
// values, however the log is cut into batches; and what the engine answered once is what is known of it
// later.
func TestTheEnginesTransitionsAreTheExplainedOnes(t *testing.T) {
	matched, answers := 0, 0
	for s := *seed; s < *seed+*logs; s++ {
		l := DrawLog(s)
		random := rand.New(rand.NewPCG(s, 3))
		engine := open(t, s)
		transitions, asked, err := l.Engine(engine, 0, random)
		require.NoError(t, err)
		require.NoError(t, engine.Close())

		a, err := archive.Open("archive", archive.Options{FS: vfs.NewMem(), Memory: 16 << 20})
		require.NoError(t, err)
		sets := replay.NewSets(a, rules.CompileOptions{})
		require.NoError(t, l.Explain(a, sets, 0, random), "log %d", s)
		require.NoError(t, l.Explain(a, sets, 1, random), "log %d", s)
		explained, err := l.Explained(a, 0)
		require.NoError(t, err)
		for id, want := range transitions {
			e := explained[id]
			require.NotNil(t, e, "log %d: the engine has %s (%s), which is not explained", s, id, want.Kind)
			require.Empty(t, Differs(want, e), "log %d: %s", s, id)
			matched++
		}
		for id := range explained {
			require.Contains(t, transitions, id, "log %d: explained, and the engine has it not", s)
		}
		require.Equal(t, chain(t, a, l, 0), chain(t, a, l, 1), "log %d: another cut makes another chain", s)

		desk, err := replay.NewDesk(replay.DeskOptions{Archive: a, Sets: sets, Topic: "facts", Partition: func(string) int32 { return 0 }})
		require.NoError(t, err)
		for _, was := range asked {
			for of, truth := range was.Truths {
				q := replay.Question{Patient: was.Patient, Rule: of.rule, At: was.Now, HasAt: true, Known: replay.Known{Facts: &was.Offset}}
				if of.period != clinical.Never {
					q.Period = &of.period
				}
				e, err := desk.Explain(context.Background(), q)
				if errors.Is(err, replay.ErrUnknownPatient) || errors.Is(err, replay.ErrBeforeBirth) {
					continue
				}
				require.NoError(t, err)
				require.Equal(t, record.TruthOf(truth), e.Truth, "log %d: %v of %s at %s as known at %d", s, of, was.Patient, was.Now, was.Offset)
				answers++
			}
		}
		require.NoError(t, a.Close())
	}
	t.Logf("%d transitions matched, %d old answers found again", matched, answers)
	require.Positive(t, matched)
	require.Positive(t, answers)
}

// chain is the hashes at the heads of the patients' chains. Explanations name their partition, so the two
// cuts are made comparable by what they rest on.
func chain(t *testing.T, a *archive.Archive, l *Log, partition int32) map[string][]string {
	t.Helper()
	out := map[string][]string{}
	explained, err := l.Explained(a, partition)
	require.NoError(t, err)
	for _, e := range explained {
		key := e.Patient
		for len(out[key]) < int(e.Sequence) {
			out[key] = append(out[key], "")
		}
		e.ID, e.Known.Position, e.RuleSet.Position, e.Hash, e.Previous = "", "", "", "", ""
		if e.Cause != nil {
			e.Cause.Position = ""
			for i := range e.Cause.Facts {
				e.Cause.Facts[i].Partition = 0
			}
			for i := range e.Cause.Gone {
				e.Cause.Gone[i].Partition = 0
			}
		}
		for i := range e.Facts {
			e.Facts[i].Partition = 0
		}
		out[key][e.Sequence-1] = string(e.Marshal())
	}
	return out
}
