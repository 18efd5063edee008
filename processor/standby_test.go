package processor

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"github.com/vigil-cds/vigil/internal/fhir"
	"github.com/vigil-cds/vigil/rules"
	"github.com/vigil-cds/vigil/store"
)

// instance is one of several processes that share the partitions.
type instance struct {
	*Processor
	store *store.Store
}

func startInstance(t *testing.T, c Config, name string, set *rules.Set) *instance {
	t.Helper()
	return startInstanceOver(t, c, name, set, newStore(t))
}

func startInstanceOver(t *testing.T, c Config, name string, set *rules.Set, s *store.Store) *instance {
	t.Helper()
	c.URL = "http://" + name
	p, err := Start(t.Context(), c, Deps{Store: s, Decoder: fhir.New(fhir.Options{}), Sets: NewRuleSets(rules.CompileOptions{}, s.RuleSet), RuleSet: set})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, p.Close()) })
	return &instance{p, s}
}

func (i *instance) owns(n int) (owned []int32) {
	for p := range int32(n) {
		if i.Ready(p) {
			owned = append(owned, p)
		}
	}
	return owned
}

// eventually is for what takes a rebalance or two.
func eventually(t *testing.T, what string, f func() bool) {
	t.Helper()
	require.Eventually(t, f, 30*time.Second, 10*time.Millisecond, what)
}

// clustered is a configuration under which several processes share eight partitions and keep a copy each.
func clustered(t *testing.T) Config {
	t.Helper()
	c := testConfig(newBroker(t, t.TempDir()))
	c.Partitions, c.Standby, c.Clock, c.URL = 8, 1, ClockLog, "http://nobody"
	return c
}

// beats writes n beats of as many patients, and returns the last position of each partition.
func beats(t *testing.T, w *Writer, n int, value float64, at time.Time) map[int32]int64 {
	t.Helper()
	last := map[int32]int64{}
	for i := range n {
		p := beat(t, w, fmt.Sprintf("p%d", i), value, at)
		last[p.Partition] = p.Offset
	}
	return last
}

func (i *instance) reached(t *testing.T, partition int32, events int64) bool {
	t.Helper()
	p, err := i.store.Partition(partition)
	require.NoError(t, err)
	return p.State().Events >= events
}

func TestACopyIsKeptWarmAndTakesOver(t *testing.T) {
	t.Parallel()
	c := clustered(t)
	start := time.UnixMilli(1_700_000_000_000)
	a := startInstance(t, c, "a", pulse(100))
	w := newTestWriter(t, c)
	eventually(t, "a owns all", func() bool { return len(a.owns(8)) == 8 })
	beats(t, w, 40, 120, start)
	b := startInstance(t, c, "b", nil)
	eventually(t, "they share", func() bool { return len(a.owns(8)) == 4 && len(b.owns(8)) == 4 })

	last := beats(t, w, 40, 130, start.Add(time.Hour))
	for p, events := range last {
		eventually(t, fmt.Sprintf("both have partition %d", p), func() bool {
			x, ok := a.Copy(p)
			y, also := b.Copy(p)
			return ok && also && x.Owned != y.Owned && a.reached(t, p, events) && b.reached(t, p, events)
		})
	}
	ids := map[string]int{}
	for _, s := range transitions(t, c, 120) { // fired, cleared by time and fired again, 40 times
		ids[s.ID]++
	}
	require.Len(t, ids, 120, "a copy sends nothing")

	require.NoError(t, a.Close())
	eventually(t, "b owns all", func() bool { return len(b.owns(8)) == 8 })
	require.EqualValues(t, 0, testutil.ToFloat64(b.rules.metrics.replayed), "it had nothing to replay")
	last = beats(t, w, 40, 90, start.Add(2*time.Hour))
	for p, events := range last {
		eventually(t, "it goes on", func() bool { return b.reached(t, p, events) })
	}
	for _, s := range transitions(t, c, 160) {
		ids[s.ID] = 1
	}
	require.Len(t, ids, 160)
}

func TestANewInstanceIsWarmBeforeItTakesOver(t *testing.T) {
	t.Parallel()
	c := clustered(t)
	c.Standby = 0
	a := startInstance(t, c, "a", pulse(100))
	w := newTestWriter(t, c)
	eventually(t, "a owns all", func() bool { return len(a.owns(8)) == 8 })
	beats(t, w, 200, 120, time.UnixMilli(1_700_000_000_000))
	b := startInstance(t, c, "b", nil)
	for len(b.owns(8)) == 0 {
		// As long as b is not warm nobody shares anew: a owns all, or what it gives up is b's at once.
		if r := a.rules.directory.Roster(); len(r.Owned("http://a")) < 8 {
			for _, p := range r.Owned("http://b") {
				require.False(t, a.Ready(p))
			}
		}
		time.Sleep(time.Millisecond)
	}
	eventually(t, "they share", func() bool { return len(a.owns(8)) == 4 && len(b.owns(8)) == 4 })
	require.EqualValues(t, 0, testutil.ToFloat64(b.rules.metrics.replayed), "all of it came before it joined")
}

func TestEachGetsBackWhatItHasOnDisk(t *testing.T) {
	t.Parallel()
	c := clustered(t)
	c.Standby = 0
	stores := []*store.Store{newStore(t), newStore(t)}
	a, b := startInstanceOver(t, c, "a", pulse(100), stores[0]), startInstanceOver(t, c, "b", nil, stores[1])
	eventually(t, "they share", func() bool { return len(a.owns(8)) == 4 && len(b.owns(8)) == 4 })
	mine, others := a.owns(8), b.owns(8)
	w := newTestWriter(t, c)
	for p, events := range beats(t, w, 100, 120, time.UnixMilli(1_700_000_000_000)) {
		eventually(t, "it is applied", func() bool { return a.reached(t, p, events) || b.reached(t, p, events) })
	}
	require.NoError(t, a.Close())
	require.NoError(t, b.Close())

	b, a = startInstanceOver(t, c, "b", nil, stores[1]), startInstanceOver(t, c, "a", nil, stores[0])
	eventually(t, "they share again", func() bool { return len(a.owns(8)) == 4 && len(b.owns(8)) == 4 })
	require.Equal(t, mine, a.owns(8))
	require.Equal(t, others, b.owns(8))
}

func TestWhileThePartitionsAreSharedAnewACopyAnswers(t *testing.T) {
	t.Parallel()
	c := clustered(t)
	a := startInstance(t, c, "a", pulse(100))
	eventually(t, "a owns all", func() bool { return len(a.owns(8)) == 8 })
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	none := make(chan int32, 1)
	go func() {
		defer close(none)
		for ctx.Err() == nil {
			for p := range int32(8) {
				if _, ok := a.Copy(p); !ok {
					none <- p
					return
				}
			}
		}
	}()
	b := startInstance(t, c, "b", nil)
	eventually(t, "they share", func() bool { return len(a.owns(8)) == 4 && len(b.owns(8)) == 4 })
	require.NoError(t, b.Close())
	eventually(t, "a owns all", func() bool { return len(a.owns(8)) == 8 })
	cancel()
	for p := range none {
		t.Errorf("a had nothing to answer from about partition %d", p)
	}
}
