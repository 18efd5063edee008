package archive

import (
	"fmt"
	"math"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"github.com/vigil-cds/vigil/internal/clinical"
)

func TestWhatIsExplainedWaitsForItsAlertUntilItIsSettled(t *testing.T) {
	fs := vfs.NewMem()
	a := open(t, Options{FS: fs})
	p := openPartition(t, a, 0)
	commit(t, p, func(b *Batch) {
		b.Explain("p/b", Entry{Sequence: 1, At: 5, ID: "b", Data: []byte("explained")})
		b.Explain("a", Entry{Sequence: 1, At: 6, ID: "a", Data: []byte("explained")})
		b.SetState(State{Facts: 17}) // after what was explained: the marks name it all the same
	})
	commit(t, p, func(b *Batch) {
		b.SetAlerts(2, 0)
	})
	expected := []Mark{{ID: "a", Patient: "a", Facts: 17, At: 6}, {ID: "b", Patient: "p/b", Facts: 17, At: 5}}
	require.Equal(t, expected, marks(t, p.Expected))
	for id, want := range map[string]bool{"a": true, "b": true, "nobody's": false} {
		got, err := p.Awaited(id)
		require.NoError(t, err)
		require.Equal(t, want, got, id)
	}

	commit(t, p, func(b *Batch) {
		b.Settle("a")
		b.Settle("nobody's")
		b.SetAlerts(3, 1)
	})
	require.NoError(t, a.Close())
	p = openPartition(t, open(t, Options{FS: fs}), 0)
	require.Equal(t, expected[1:], marks(t, p.Expected))
	require.EqualValues(t, 3, p.State().Alerts)
	require.EqualValues(t, 1, p.State().Matched)
}

func TestDivergencesAreKeptAndCounted(t *testing.T) {
	fs := vfs.NewMem()
	a := open(t, Options{FS: fs})
	p := openPartition(t, a, 0)
	var want []Divergence
	for range 3 {
		commit(t, p, func(b *Batch) {
			for range 2 {
				d := Divergence{Number: uint64(len(want)), Rule: fmt.Sprint("rule-", len(want)%2), Data: fmt.Append(nil, "difference ", len(want))}
				b.Diverge(d.Rule, d.Data)
				want = append(want, d)
			}
		})
		b := p.Begin()
		b.Diverge("rule", nil)
		b.Discard()
		require.Equal(t, want, divergences(t, p))
		require.EqualValues(t, len(want), p.DivergenceCount())

		require.NoError(t, a.Close())
		a = open(t, Options{FS: fs})
		p = openPartition(t, a, 0)
		require.EqualValues(t, len(want), p.DivergenceCount())
	}
}

func TestTheTwoHalvesOfTheStateMoveApart(t *testing.T) {
	fs := vfs.NewMem()
	a := open(t, Options{FS: fs})
	p := openPartition(t, a, 0)
	machine := State{Facts: 812, Events: 800, Clock: 5, Followed: 4, Sweep: "m", Sweeping: true, Explained: 9,
		Activations: []Activation{{Offset: 0, At: clinical.Never, Hash: "abba"}, {Offset: 700, At: 3, Hash: "beef"}}}
	b := p.Begin()
	staged := machine
	staged.Alerts, staged.Matched, staged.Outbox = 99, 99, 99 // none of the machine's business
	staged.Activations = append([]Activation(nil), machine.Activations...)
	b.SetState(staged)
	staged.Activations[0].Hash = "changed afterwards"

	c := p.Begin() // the auditor's, open at the same time and committed first
	c.SetAlerts(4, 2)
	c.SetAlerts(5, 1)
	require.NoError(t, c.Commit())
	require.EqualValues(t, -1, p.State().Facts)
	require.EqualValues(t, 5, p.State().Alerts)
	require.NoError(t, b.Commit())

	want := machine
	want.Alerts, want.Matched = 5, 3
	require.Equal(t, want, p.State())
	require.NoError(t, a.Close())
	p = openPartition(t, open(t, Options{FS: fs}), 0)
	require.Equal(t, want, p.State())
}

// The machine and the auditor write at once, others read, and each sees whole batches.
func TestTwoWritersAtOnceDoNotUndoEachOther(t *testing.T) {
	const rounds = 300
	fs := vfs.NewMem()
	a := open(t, Options{FS: fs})
	p := openPartition(t, a, 0)
	var writers, readers sync.WaitGroup
	done := make(chan struct{})
	fail := make(chan error, 8)
	check := func(err error) {
		if err != nil {
			select {
			case fail <- err:
			default:
			}
		}
	}
	writers.Go(func() { // the machine
		for n := int64(0); n < rounds; n++ {
			b := p.Begin()
			b.History("a", n, clinical.Instant(n), []byte("record"))
			b.Explain("a", Entry{Sequence: n + 1, At: clinical.Instant(n), ID: fmt.Sprintf("%06d", n), Data: []byte("explained")})
			b.Put(&Patient{ID: "a", Facts: n, Sequence: n + 1, Records: n + 1, Due: clinical.Instant(n + 5)})
			b.SetState(State{Facts: n, Clock: clinical.Instant(n), Explained: n + 1})
			check(b.Commit())
			ids, err := p.Due(clinical.Instant(n+5), 2)
			check(err)
			if len(ids) != 1 {
				check(fmt.Errorf("%d patients are due, not one", len(ids)))
			}
		}
	})
	writers.Go(func() { // the auditor
		for matched := int64(0); matched < rounds; {
			var ids []string
			check(p.Expected(func(m Mark) error {
				if _, ok, err := p.Explanation(m.Patient, m.ID); err != nil || !ok {
					return fmt.Errorf("an expected explanation is not there: %w", err)
				}
				ids = append(ids, m.ID)
				return nil
			}))
			b := p.Begin()
			for _, id := range ids {
				b.Settle(id)
			}
			matched += int64(len(ids))
			b.SetAlerts(matched, int64(len(ids)))
			b.Diverge("rule", nil)
			check(b.Commit())
		}
	})
	writers.Go(func() { // the publisher
		for next := uint64(0); next < rounds; {
			check(p.Outgoing(100, func(number uint64, _ string, data []byte) error {
				if number != next || string(data) != "explained" {
					return fmt.Errorf("%d %q is outgoing, not %d", number, data, next)
				}
				next++
				return nil
			}))
			if next > 0 {
				b := p.Begin()
				b.Sent(next - 1)
				check(b.Commit())
			}
		}
	})
	readers.Go(func() {
		for {
			state := p.State()
			records := int64(0)
			check(p.History("a", state.Facts, func(int64, clinical.Instant, []byte) error { records++; return nil }))
			if records != state.Facts+1 || state.Explained != state.Facts+1 || state.Outbox != uint64(state.Facts+1) || state.Matched > state.Explained {
				check(fmt.Errorf("%d records at %+v", records, state))
			}
			if pt, ok, err := p.Patient("a"); err != nil || ok && pt.Facts < state.Facts {
				check(fmt.Errorf("a patient is behind the state: %w", err))
			}
			select {
			case <-done:
				return
			default:
			}
		}
	})
	readers.Go(func() { check(p.Wait(soon(t), rounds-1)) })
	writers.Wait()
	close(done)
	readers.Wait()
	select {
	case err := <-fail:
		t.Fatal(err)
	default:
	}
	verify := func(p *Partition) {
		state := p.State()
		require.EqualValues(t, rounds-1, state.Facts)
		require.EqualValues(t, rounds, state.Alerts)
		require.EqualValues(t, rounds, state.Matched)
		require.Empty(t, marks(t, p.Expected))
		require.Empty(t, outgoing(t, p, 10))
		require.Len(t, divergences(t, p), int(p.DivergenceCount()))
		require.Len(t, history(t, p, "a", 0, math.MaxInt64), rounds)
	}
	verify(p)
	require.NoError(t, a.Close())
	verify(openPartition(t, open(t, Options{FS: fs}), 0))
}
