package archive

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"math"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/internal/disk"
)

func TestPebbleAcceptsTheOptionsOfEverySize(t *testing.T) {
	require.NoError(t, Options{}.Validate())
	require.ErrorContains(t, Options{Memory: 1}.Validate(), "Memory")
	_, err := Open("db", Options{Memory: -1, FS: vfs.NewMem()})
	require.ErrorContains(t, err, "Memory")
	for _, memory := range []int64{0, MinMemory, 64 << 30} {
		o := Options{Memory: memory, FS: vfs.NewMem()}.pebble(&metrics{}, disk.NewWatch("", nil, nil))
		o.EnsureDefaults()
		require.NoError(t, o.Validate(), "what Pebble says of %d bytes", memory)
	}
}

func TestADatabaseOfAnotherFormatIsRefused(t *testing.T) {
	for name, version := range map[string][]byte{"later": {Version + 1}, "unreadable": {0x80}, "empty": {}} {
		t.Run(name, func(t *testing.T) {
			fs := vfs.NewMem()
			a := open(t, Options{FS: fs})
			require.NoError(t, a.db.Set(appendFamily(nil, global, familyVersion), version, pebble.Sync))
			require.NoError(t, a.Close())
			_, err := Open("db", Options{FS: fs})
			require.ErrorIs(t, err, ErrFormat)
		})
	}
}

func TestADirectoryIsOpenedByOneProcess(t *testing.T) {
	dir := t.TempDir()
	a, err := Open(dir, Options{Memory: MinMemory})
	require.NoError(t, err)
	defer a.Close()
	_, err = Open(dir, Options{Memory: MinMemory})
	require.Error(t, err)
}

func TestANewPartitionHasNothing(t *testing.T) {
	p := openPartition(t, open(t, Options{}), 3)
	require.EqualValues(t, 3, p.Number())
	require.Equal(t, State{Facts: -1, Events: -1, Clock: clinical.Never, Followed: clinical.Never}, p.State())
	_, known, err := p.Patient("a")
	require.NoError(t, err)
	require.False(t, known)
	_, explained, err := p.Explanation("a", "id")
	require.NoError(t, err)
	require.False(t, explained)
	_, due, err := p.NextDue()
	require.NoError(t, err)
	require.False(t, due)
	ids, err := p.Patients("", 10)
	require.NoError(t, err)
	require.Empty(t, ids)
	require.Empty(t, history(t, p, "a", 0, math.MaxInt64))
	require.Empty(t, outgoing(t, p, 10))
	require.Zero(t, p.DivergenceCount())
}

func TestPartitionsHaveNumbers(t *testing.T) {
	a := open(t, Options{})
	for _, n := range []int32{-1, global} {
		_, err := a.Partition(n)
		require.ErrorContains(t, err, "the numbers are 0 to 65534")
		require.ErrorContains(t, a.Forget(n), "the numbers are 0 to 65534")
	}
	require.Same(t, openPartition(t, a, 5), openPartition(t, a, 5))
}

func TestRuleSetsAreFoundByTheirHash(t *testing.T) {
	fs := vfs.NewMem()
	a := open(t, Options{FS: fs})
	_, err := a.RuleSet("beef")
	require.ErrorIs(t, err, ErrNotFound)
	commit(t, openPartition(t, a, 1), func(b *Batch) {
		b.RuleSet("beef", []byte("two"))
		b.RuleSet("abba", nil)
	})
	require.NoError(t, a.Close())
	a = open(t, Options{FS: fs})
	hashes, err := a.RuleSets()
	require.NoError(t, err)
	require.Equal(t, []string{"abba", "beef"}, hashes)
	data, err := a.RuleSet("beef")
	require.NoError(t, err)
	require.Equal(t, []byte("two"), data)
	data, err = a.RuleSet("abba")
	require.NoError(t, err)
	require.Empty(t, data)
}

func TestForgettingAPartitionLeavesTheOthersAndTheRuleSets(t *testing.T) {
	fs := vfs.NewCrashableMem()
	a := open(t, Options{FS: fs})
	for n := range int32(3) {
		commit(t, openPartition(t, a, n), writeOfEverything)
	}
	forgotten := openPartition(t, a, 1)
	require.NoError(t, a.Forget(1))
	check := func(a *Archive, p *Partition) {
		require.Equal(t, *initialState(), p.State())
		require.Empty(t, contents(t, a, 1))
		require.Zero(t, p.DivergenceCount())
		_, due, err := p.NextDue()
		require.NoError(t, err)
		require.False(t, due)
		for _, n := range []int32{0, 2} {
			require.NotEmpty(t, contents(t, a, n))
			require.EqualValues(t, 7, openPartition(t, a, n).State().Facts)
		}
		_, err = a.RuleSet("beef")
		require.NoError(t, err)
	}
	check(a, forgotten)
	crashed := open(t, Options{FS: fs.CrashClone(vfs.CrashCloneCfg{})})
	check(crashed, openPartition(t, crashed, 1))

	commit(t, forgotten, writeOfEverything)
	require.Equal(t, []string{"0 patient-of-everything explained"}, outgoing(t, forgotten, 10))
	require.Equal(t, contents(t, a, 0), contents(t, a, 1), "a partition begins anew as it did at first")
}

// writeOfEverything stages at least one key of every family.
func writeOfEverything(b *Batch) {
	const patient = "patient-of-everything"
	b.History(patient, 7, 70, []byte("record"))
	b.Explain(patient, Entry{Sequence: 1, At: 70, ID: "id-1", Data: []byte("explained")})
	b.Put(&Patient{ID: patient, Facts: 7, Clock: 70, Due: 100, Sequence: 1, Records: 1})
	b.RuleSet("beef", []byte("set"))
	b.SetState(State{Facts: 7, Events: 7, Clock: 70, Followed: 70, Explained: 1})
	b.Diverge("rule", []byte("difference"))
	b.SetAlerts(3, 1)
}

// contents is every key of a partition after its number, and its value.
func contents(t testing.TB, a *Archive, n int32) map[string]string {
	t.Helper()
	it, err := a.db.NewIter(&pebble.IterOptions{LowerBound: appendFamily(nil, n, 0), UpperBound: appendFamily(nil, n, 0xff)})
	require.NoError(t, err)
	defer it.Close()
	all := map[string]string{}
	for ok := it.First(); ok; ok = it.Next() {
		all[string(it.Key()[2:])] = string(it.Value())
	}
	return all
}

func TestAfterCloseEverythingSaysSo(t *testing.T) {
	a := open(t, Options{})
	p := openPartition(t, a, 0)
	open := p.Begin()
	open.Discard()
	waits := make(chan error, 1)
	go func() { waits <- p.Wait(soon(t), 5) }()
	require.NoError(t, a.Close())
	require.ErrorIs(t, <-waits, ErrClosed)

	calls := map[string]func() error{
		"Close":      a.Close,
		"Forget":     func() error { return a.Forget(0) },
		"RuleSet":    func() error { _, err := a.RuleSet("h"); return err },
		"RuleSets":   func() error { _, err := a.RuleSets(); return err },
		"Partition":  func() error { _, err := a.Partition(1); return err },
		"Wait":       func() error { return p.Wait(soon(t), 5) },
		"Patient":    func() error { _, _, err := p.Patient("a"); return err },
		"Patients":   func() error { _, err := p.Patients("", 1); return err },
		"History":    func() error { return p.History("a", math.MaxInt64, nil) },
		"no History": func() error { return p.History("a", -1, nil) },
		"Due":        func() error { _, err := p.Due(10, 1); return err },
		"NextDue":    func() error { _, _, err := p.NextDue(); return err },
		"Explanations": func() error {
			return p.Explanations("a", clinical.Never, clinical.Forever, 0, 1, nil)
		},
		"Explanation": func() error { _, _, err := p.Explanation("a", "id"); return err },
		"Outgoing":    func() error { return p.Outgoing(1, nil) },
		"Expected":    func() error { return p.Expected(nil) },
		"Divergences": func() error { return p.Divergences(nil) },
		"Commit": func() error {
			b := p.Begin()
			writeOfEverything(b)
			b.Sent(3)
			b.Settle("id")
			b.Discard()
			return b.Commit()
		},
	}
	for name, call := range calls {
		t.Run(name, func(t *testing.T) { require.ErrorIs(t, call(), ErrClosed) })
	}
}

func TestCloseWaitsForAnOpenBatch(t *testing.T) {
	fs := vfs.NewMem()
	a := open(t, Options{FS: fs})
	p := openPartition(t, a, 0)
	b := p.Begin()
	closed := make(chan error, 1)
	go func() { closed <- a.Close() }()
	for a.gate.open() == nil { // until Close has begun
		select {
		case err := <-closed:
			t.Fatalf("Close did not wait: %v", err)
		default:
		}
	}
	writeOfEverything(b)
	require.NoError(t, b.Commit())
	require.NoError(t, <-closed)
	require.EqualValues(t, 7, openPartition(t, open(t, Options{FS: fs}), 0).State().Facts)
}

func TestABatchIsUsedOnce(t *testing.T) {
	p := openPartition(t, open(t, Options{}), 0)
	b := p.Begin()
	b.SetState(State{Facts: 1})
	require.NoError(t, b.Commit())
	b.SetState(State{Facts: 2})
	require.Error(t, b.Commit())
	require.EqualValues(t, 1, p.State().Facts)

	b = p.Begin()
	writeOfEverything(b)
	b.Discard()
	b.Discard()
	require.Error(t, b.Commit())
	require.Len(t, contents(t, p.archive, 0), 1, "the state of the first batch alone")
	require.Zero(t, p.State().Outbox)
	require.Zero(t, p.DivergenceCount())
}

func TestAnIDThatNoKeyCanHoldIsRefusedAndFindsNothing(t *testing.T) {
	p := openPartition(t, open(t, Options{}), 0)
	commit(t, p, writeOfEverything)
	before := contents(t, p.archive, 0)
	for _, id := range []string{"", "\x00", "patient-of-everything\x00f"} {
		for name, stage := range map[string]func(*Batch){
			"History": func(b *Batch) { b.History(id, 1, 1, nil) },
			"Put":     func(b *Batch) { b.Put(&Patient{ID: id}) },
			"Explain": func(b *Batch) { b.Explain(id, Entry{Sequence: 1}) },
		} {
			b := p.Begin()
			stage(b)
			b.SetState(State{Facts: 99})
			require.ErrorIs(t, b.Commit(), ErrPatientID, name)
		}
		require.Empty(t, history(t, p, id, 0, math.MaxInt64))
		require.Empty(t, entries(t, p, id))
		_, known, err := p.Patient(id)
		require.NoError(t, err)
		require.False(t, known)
		_, known, err = p.Explanation(id, "id-1")
		require.NoError(t, err)
		require.False(t, known)
	}
	require.Equal(t, before, contents(t, p.archive, 0))
}

func TestWaitEndsWhenThePositionIsReachedOrTheContextEnds(t *testing.T) {
	p := openPartition(t, open(t, Options{}), 0)
	require.NoError(t, p.Wait(context.Background(), -1))
	reached := make(chan error, 2)
	for _, facts := range []int64{5, 6} {
		go func() { reached <- p.Wait(soon(t), facts) }()
	}
	for facts := range int64(7) {
		commit(t, p, func(b *Batch) { b.SetState(State{Facts: facts}) })
		commit(t, p, func(b *Batch) { b.SetAlerts(facts, 0) }) // another change of the state
	}
	require.NoError(t, <-reached)
	require.NoError(t, <-reached)

	why := errors.New("nobody asks any more")
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(why)
	require.NoError(t, p.Wait(ctx, 6))
	err := p.Wait(ctx, 7)
	require.ErrorIs(t, err, ErrNotReached)
	require.ErrorIs(t, err, why)
}

func TestMetricsTellOfBatchesAndAreTakenBack(t *testing.T) {
	r := prometheus.NewRegistry()
	a := open(t, Options{Registerer: r})
	commit(t, openPartition(t, a, 0), writeOfEverything)
	families, err := r.Gather()
	require.NoError(t, err)
	values := map[string]float64{}
	for _, f := range families {
		m := f.GetMetric()[0]
		values[f.GetName()] = m.GetCounter().GetValue() + m.GetGauge().GetValue()
	}
	require.EqualValues(t, 1, values["vigil_explain_archive_batches_total"])
	require.Greater(t, values["vigil_explain_archive_batch_bytes_total"], 100.0)
	require.Greater(t, values["vigil_explain_archive_disk_bytes"], 0.0)
	require.Zero(t, values["vigil_explain_archive_write_stalls_total"])
	events := Options{}.pebble(&a.metrics, disk.NewWatch("", nil, nil)).EventListener
	events.WriteStallBegin(pebble.WriteStallBeginInfo{})
	events.WriteStallEnd()
	require.EqualValues(t, 1, a.metrics.stalls.Load())

	_, err = Open("other", Options{FS: vfs.NewMem(), Registerer: r})
	require.ErrorContains(t, err, "WrapRegistererWith")
	require.NoError(t, a.Close())
	families, err = r.Gather()
	require.NoError(t, err)
	require.Empty(t, families)
}

func TestWhatPebbleSaysIsLoggedWithoutKeys(t *testing.T) {
	var log bytes.Buffer
	to := slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	l := logger{to, disk.NewWatch("archive", to, nil)}
	l.Infof("flushed %s", "patient-of-everything")
	l.Errorf("failed at %s", "patient-of-everything")
	require.Panics(t, func() { l.Fatalf("cannot write %s", "patient-of-everything") })
	require.Contains(t, log.String(), "flushed")
	require.Contains(t, log.String(), "failed at")
	require.Contains(t, log.String(), "cannot write")
	require.NotContains(t, log.String(), "patient-of-everything")
	logger{}.Errorf("nobody listens")
	quiet := logger{slog.New(slog.NewTextHandler(io.Discard, nil)), nil}
	require.Zero(t, testing.AllocsPerRun(10, func() { quiet.Infof("flushed") }))
}
