package store

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/internal/disk"
	"github.com/vigil-cds/vigil/pointer"
	"github.com/vigil-cds/vigil/rules"
)

func TestOptionsReportEveryFault(t *testing.T) {
	require.NoError(t, Options{}.Validate())
	err := Options{Memory: 1, CachePatients: -1}.Validate()
	require.ErrorContains(t, err, "Memory")
	require.ErrorContains(t, err, "CachePatients")
	require.Error(t, Options{Memory: 8 << 20, CachePatients: 8 << 20}.Validate())
	for _, memory := range []int64{MinMemory, DefaultMemory, 64 << 30} {
		o := Options{Memory: memory, FS: vfs.NewMem()}.pebble(&metrics{}, disk.NewWatch("", nil, nil))
		o.EnsureDefaults()
		require.NoError(t, o.Validate(), "what Pebble says of %d bytes", memory)
	}
}

func TestADatabaseOfAnotherFormatIsRefused(t *testing.T) {
	fs := vfs.NewMem()
	s := open(t, Options{FS: fs})
	require.NoError(t, s.db.Set(appendFamily(nil, global, familyVersion), []byte{Version + 1}, pebble.Sync))
	require.NoError(t, s.Close())
	_, err := Open("db", Options{FS: fs})
	require.ErrorIs(t, err, ErrFormat)
}

func TestPartitionNumbersAreChecked(t *testing.T) {
	s := open(t, Options{})
	for _, n := range []int32{-1, global, 1 << 20} {
		_, err := s.Partition(n)
		require.Error(t, err, "%d", n)
	}
	require.Same(t, openPartition(t, s, 5), openPartition(t, s, 5))
}

func TestStateSurvivesAnOrderlyClose(t *testing.T) {
	fs := vfs.NewMem()
	s := open(t, Options{FS: fs})
	p := openPartition(t, s, 3)
	require.Equal(t, State{Facts: -1, Events: -1, Clock: clinical.Never, Activated: clinical.Never, ActivationOffset: -1}, p.State())
	want := State{Facts: 4, Events: 3, Clock: 99, RuleSet: "r", Activated: 50, ActivationOffset: 2, Sweeping: true, Sweep: "m"}
	b := p.Begin()
	b.SetState(want)
	b.Outbox("p", "id", nil)
	require.NoError(t, b.Commit())
	want.Outbox = 1
	require.Equal(t, want, p.State())
	require.NoError(t, s.Close())
	require.Equal(t, want, openPartition(t, open(t, Options{FS: fs}), 3).State())
}

func TestWaitReturnsWhenThePositionIsReached(t *testing.T) {
	p := openPartition(t, open(t, Options{}), 0)
	require.NoError(t, p.Wait(soon(t), -1, -1))

	expired, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	err := p.Wait(expired, 0, -1)
	require.ErrorIs(t, err, ErrNotReached)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.Empty(t, p.waits.list)

	done := make(chan error)
	go func() { done <- p.Wait(soon(t), 2, -1) }()
	go func() { done <- p.Wait(soon(t), -1, 1) }()
	for range 3 {
		apply(t, p, "p", states("Observation/1", version(0), at(creatinine, 1, 1)))
	}
	require.NoError(t, <-done)
	require.NoError(t, <-done)
}

func TestPatientsAreListedInOrderFromAnyPlace(t *testing.T) {
	p := openPartition(t, open(t, Options{}), 0)
	for _, id := range []string{"b", "a", "aa", "a!", "c"} {
		apply(t, p, id, states("Observation/1", version(1), at(creatinine, 1, 1)))
	}
	all := []string{"a", "a!", "aa", "b", "c"}
	for i := range all {
		got, err := p.Patients(all[i], 10)
		require.NoError(t, err)
		require.Equal(t, all[i+1:], append([]string{}, got...))
	}
	got, err := p.Patients("", 2)
	require.NoError(t, err)
	require.Equal(t, all[:2], got)
}

func TestADiscardedBatchLeavesNothingBehind(t *testing.T) {
	s := open(t, Options{})
	p := openPartition(t, s, 0)
	apply(t, p, "p", states("Observation/1", version(1), at(creatinine, 1, 1)))
	before, err := p.LoadAll("p")
	require.NoError(t, err)

	b := p.Begin()
	pt, err := b.Patient("p")
	require.NoError(t, err)
	assertion := states("Observation/2", version(1), at(heartRate, 1, 60))
	pt, _, err = b.Assert(pt, &assertion, 1<<20)
	require.NoError(t, err)
	b.Put(pt)
	b.Outbox("p", "x", nil)
	b.Discard()
	b.Discard()
	require.Error(t, b.Commit(), "a discarded batch cannot be committed")

	after, err := p.LoadAll("p")
	require.NoError(t, err)
	require.Same(t, before, after)
	_, known := p.stream(heartRate.ID())
	require.False(t, known)
	pending, err := p.Pending(10)
	require.NoError(t, err)
	require.Empty(t, pending)
}

func TestAnEndedBatchCannotBeUsed(t *testing.T) {
	p := openPartition(t, open(t, Options{}), 0)
	b := p.Begin()
	require.NoError(t, b.Commit())
	_, err := b.Patient("p")
	require.Error(t, err)
	b.SetState(State{Facts: 9})
	b.Outbox("p", "x", nil)
	b.Put(&Patient{ID: "p"})
	require.Error(t, b.Commit())
	require.EqualValues(t, -1, p.State().Facts)
}

func TestPatientIdsThatNoKeyCanHoldAreRefused(t *testing.T) {
	p := openPartition(t, open(t, Options{}), 0)
	for _, id := range []string{"", "a\x00b"} {
		b := p.Begin()
		_, err := b.Patient(id)
		require.ErrorIs(t, err, ErrPatientID)
		b.Discard()
		pt, err := p.Load(id)
		require.NoError(t, err)
		require.False(t, pt.Known)
	}
}

func TestDropForgetsOnePartitionOnly(t *testing.T) {
	s := open(t, Options{})
	p, other := openPartition(t, s, 1), openPartition(t, s, 2)
	for _, each := range []*Partition{p, other} {
		apply(t, each, "p", states("Observation/1", version(1), at(creatinine, 1, 1)))
		arm(t, each, "p", 5)
	}
	require.NoError(t, p.Drop())
	require.EqualValues(t, -1, p.State().Facts)
	require.Equal(t, clinical.Forever, nextDue(p))
	pt, err := p.LoadAll("p")
	require.NoError(t, err)
	require.False(t, pt.Known)
	pt, err = other.LoadAll("p")
	require.NoError(t, err)
	require.Equal(t, []float64{1}, numbers(pt.History, creatinine))
	apply(t, p, "p", states("Observation/1", version(1), at(creatinine, 1, 7)))
	p.store.cache.drop(1)
	pt, err = p.LoadAll("p")
	require.NoError(t, err)
	require.Equal(t, []float64{7}, numbers(pt.History, creatinine), "its streams are in the dictionary again")
}

func TestAColdLoadReadsOnlyTheSeriesThatTheRowNeeds(t *testing.T) {
	p := openPartition(t, open(t, Options{}), 0)
	streams := make([]clinical.Stream, 12)
	var facts []clinical.Fact
	for i := range streams {
		streams[i] = clinical.NewStream(clinical.KindObservation, clinical.Code(fmt.Sprint("local|", i)))
		facts = append(facts, at(streams[i], 1, float64(i)))
	}
	apply(t, p, "p", states("Observation/1", version(1), facts...))
	whole, err := p.LoadAll("p")
	require.NoError(t, err)
	ids := func(h *pointer.History) (all []clinical.StreamID) {
		for _, s := range h.Series() {
			all = append(all, s.ID)
		}
		return all
	}
	all := ids(whole.History)
	for name, need := range map[string][]clinical.StreamID{
		"none": nil, "the first": all[:1], "the last": all[11:], "adjacent ones": all[3:6],
		"some": {all[0], all[4], all[5], all[9]}, "one that has no facts": {all[1], all[1] + 1, all[2]}, "all": all,
	} {
		t.Run(name, func(t *testing.T) {
			put(t, p, "p", func(pt *Patient) {
				pt.Row = &pointer.Row{RuleSet: "set", Scope: pointer.Scope{Pointers: []pointer.Pointer{{Streams: need}}}}
			})
			p.store.cache.drop(0)
			pt, state, err := p.store.Load(0, "p")
			require.NoError(t, err)
			require.EqualValues(t, 0, state.Facts)
			require.False(t, pt.Complete())
			var want []clinical.StreamID
			for _, id := range need {
				if whole.History.Get(id) != nil {
					want = append(want, id)
				}
			}
			require.Equal(t, want, ids(pt.History))
			again, err := p.Load("p")
			require.NoError(t, err)
			require.Same(t, pt, again)

			b := p.Begin()
			defer b.Discard()
			complete, err := b.Patient("p")
			require.NoError(t, err)
			require.Equal(t, all, ids(complete.History), "the writer gets the whole history")
			b.Put(pt)
			require.ErrorIs(t, b.Commit(), ErrIncomplete)
		})
	}
}

func TestCorruptBytesAreReportedWithoutThePatient(t *testing.T) {
	const id = "secret-patient"
	for name, c := range map[string]struct {
		key  func() []byte
		says string
	}{
		"meta":  {func() []byte { return appendPatientKey(nil, 4, id, partMeta) }, "meta of partition 4"},
		"row":   {func() []byte { return appendPatientKey(nil, 4, id, partRow) }, "rows of partition 4"},
		"chunk": {func() []byte { return appendChunkKey(nil, 4, id, creatinine.ID(), pointer.Fence{Time: clinical.Never}) }, "facts of partition 4"},
	} {
		t.Run(name, func(t *testing.T) {
			p := openPartition(t, open(t, Options{}), 4)
			apply(t, p, id, states("Observation/1", version(1), at(creatinine, 1, 1)))
			key := c.key()
			_, closer, err := p.store.db.Get(key)
			require.NoError(t, err)
			require.NoError(t, closer.Close())
			require.NoError(t, p.store.db.Set(key, []byte{0xff}, nil))
			p.store.cache.drop(4)
			_, err = p.Load(id)
			require.ErrorIs(t, err, ErrCorrupt)
			require.ErrorContains(t, err, c.says)
			require.NotContains(t, err.Error(), id)
		})
	}
}

func TestOutboxKeepsOrderUntilSent(t *testing.T) {
	fs := vfs.NewMem()
	s := open(t, Options{FS: fs})
	p := openPartition(t, s, 0)
	for i := range 3 {
		b := p.Begin()
		for j := range 2 {
			b.Outbox("p", fmt.Sprint(i, j), []byte{byte(i), byte(j)})
		}
		require.NoError(t, b.Commit())
	}
	<-p.OutboxC()
	pending, err := p.Pending(4)
	require.NoError(t, err)
	require.Len(t, pending, 4)
	require.Equal(t, OutboxRecord{Number: 3, Patient: "p", ID: "1 1", Body: []byte{1, 1}}, pending[3])
	require.NoError(t, p.Sent(3))
	require.NoError(t, p.Sent(1), "what was sent before")
	require.NoError(t, s.Close())

	s = open(t, Options{FS: fs})
	p = openPartition(t, s, 0)
	<-p.OutboxC()
	pending, err = p.Pending(10)
	require.NoError(t, err)
	require.Len(t, pending, 2)
	require.EqualValues(t, 4, pending[0].Number)
	require.NoError(t, p.Sent(1<<40), "no more than there are")
	b := p.Begin()
	b.Outbox("p", "next", nil)
	require.NoError(t, b.Commit())
	pending, err = p.Pending(10)
	require.NoError(t, err)
	require.Len(t, pending, 1)
	require.EqualValues(t, 6, pending[0].Number)
}

func TestManySentAlertsAreRemovedAtOnce(t *testing.T) {
	p := openPartition(t, open(t, Options{}), 0)
	b := p.Begin()
	for i := range deletesOneByOne + 10 {
		b.Outbox("p", fmt.Sprint(i), nil)
	}
	require.NoError(t, b.Commit())
	require.NoError(t, p.Sent(deletesOneByOne+5))
	pending, err := p.Pending(100)
	require.NoError(t, err)
	require.Len(t, pending, 4)
}

func TestWorklistFollowsStandingRules(t *testing.T) {
	s := open(t, Options{})
	p := openPartition(t, s, 6)
	stand := func(id string, standing ...Standing) {
		put(t, p, id, func(pt *Patient) { pt.Meta.Standing = standing })
	}
	stand("anna", Standing{"aki", clinical.Never, 1, rules.Warning}, Standing{"sepsis", clinical.Never, 2, rules.Critical})
	stand("bert", Standing{"aki", clinical.Never, 3, rules.Warning})
	stand("carl", Standing{"sepsis", clinical.Never, 4, rules.Critical}, Standing{"vte", clinical.Never, 5, rules.Info})
	list := func(f Filter) (all []string) {
		var after Cursor
		for {
			entries, err := s.Worklist(6, f, after, 2)
			require.NoError(t, err)
			if len(entries) == 0 {
				return all
			}
			for _, e := range entries {
				all = append(all, fmt.Sprint(e.Severity, " ", e.Rule, " ", e.Patient, " ", int64(e.Since)))
			}
			after = entries[len(entries)-1].Cursor()
		}
	}
	require.Equal(t, []string{"critical sepsis anna 2", "critical sepsis carl 4", "warning aki anna 1", "warning aki bert 3", "info vte carl 5"}, list(Filter{}))
	require.Equal(t, []string{"warning aki anna 1", "warning aki bert 3"}, list(Filter{Rule: "aki"}))
	require.Equal(t, []string{"critical sepsis anna 2", "critical sepsis carl 4"}, list(Filter{Severity: new(rules.Critical)}))
	require.Equal(t, []string{"info vte carl 5"}, list(Filter{Severity: new(rules.Info)}))
	require.Empty(t, list(Filter{Rule: "aki", Severity: new(rules.Info)}))
	require.Empty(t, list(Filter{Rule: "ak"}), "a rule is named whole")

	stand("anna", Standing{"aki", clinical.Never, 1, rules.Critical}, Standing{"vte", clinical.Never, 9, rules.Info}) // aki changed severity, sepsis cleared
	stand("bert")
	stand("carl", Standing{"sepsis", clinical.Never, 8, rules.Critical}) // a new episode
	require.Equal(t, []string{"critical aki anna 1", "critical sepsis carl 8", "info vte anna 9"}, list(Filter{}))
}

func TestRuleSetsAreKept(t *testing.T) {
	s := open(t, Options{})
	_, err := s.RuleSet("h")
	require.ErrorIs(t, err, ErrNoRuleSet)
	require.NoError(t, s.PutRuleSet("h", []byte("one")))
	b := openPartition(t, s, 0).Begin()
	b.RuleSet("i", []byte("two"))
	require.NoError(t, b.Commit())
	for hash, want := range map[string]string{"h": "one", "i": "two"} {
		data, err := s.RuleSet(hash)
		require.NoError(t, err)
		require.Equal(t, want, string(data))
	}
}

func TestAClosedStoreRefusesInsteadOfPanicking(t *testing.T) {
	s := open(t, Options{Registerer: prometheus.NewRegistry()})
	p := openPartition(t, s, 0)
	apply(t, p, "p", states("Observation/1", version(1), at(creatinine, 1, 1)))
	b := p.Begin()
	closed := make(chan error)
	go func() { closed <- s.Close() }()
	for s.gate.enter() == nil { // until Close has begun, which waits for the batch
		s.gate.leave()
	}
	_, err := p.Patients("", 1)
	require.ErrorIs(t, err, ErrClosed, "inside the batch, while Close waits")
	b.Discard()
	require.NoError(t, <-closed)

	_, err = p.LoadAll("another")
	calls := map[string]error{"load": err, "close": s.Close(), "drop": p.Drop(), "sent": p.Sent(0), "put": s.PutRuleSet("h", nil), "commit": p.Begin().Commit()}
	_, calls["worklist"] = s.Worklist(0, Filter{}, Cursor{}, 1)
	_, calls["pending"] = p.Pending(1)
	_, calls["rule set"] = s.RuleSet("h")
	_, calls["partition"] = s.Partition(9)
	_, _, calls["owner"] = s.Owner(0, "Observation/1")
	for name, err := range calls {
		require.ErrorIs(t, err, ErrClosed, name)
	}
}

func TestMetricsAreReadAtScrape(t *testing.T) {
	reg := prometheus.NewRegistry()
	s := open(t, Options{Registerer: reg})
	p := openPartition(t, s, 0)
	apply(t, p, "p", states("Observation/1", version(1), at(creatinine, 1, 1)))
	_, err := p.Load("p")
	require.NoError(t, err)
	families, err := reg.Gather()
	require.NoError(t, err)
	got := map[string]float64{}
	for _, f := range families {
		m := f.GetMetric()[0]
		got[f.GetName()] = m.GetCounter().GetValue() + m.GetGauge().GetValue()
	}
	require.EqualValues(t, 1, got["vigil_store_batches_total"])
	require.EqualValues(t, 1, got["vigil_store_cache_hits_total"])
	require.EqualValues(t, 1, got["vigil_store_cache_patients"])
	require.Greater(t, got["vigil_store_cache_bytes"], 100.0)
	require.Greater(t, got["vigil_store_disk_bytes"], 100.0)
	require.Contains(t, got, "vigil_store_read_amplification")

	_, err = Open("other", Options{FS: vfs.NewMem(), Registerer: reg})
	var twice prometheus.AlreadyRegisteredError
	require.True(t, errors.As(err, &twice))
	require.NoError(t, s.Close())
	families, err = reg.Gather()
	require.NoError(t, err)
	require.Empty(t, families)
}
