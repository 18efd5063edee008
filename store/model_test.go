package store

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/pointer"
)

// ledger is the plainest reading of what assertions mean: what each resource of each patient states now.
type ledger map[string]map[string]*statement

type statement struct {
	version clinical.Version
	facts   []clinical.Fact
	order   uint64 // of the first fact
}

func (l ledger) apply(r *record, offset int64) {
	if l[r.patient] == nil {
		l[r.patient] = map[string]*statement{}
	}
	order := uint64(offset) << 16
	for _, a := range r.assertions {
		held := l[r.patient][a.Resource]
		if held == nil {
			held = &statement{}
			l[r.patient][a.Resource] = held
		} else if a.Version.Compare(held.version) != clinical.Newer {
			order += uint64(len(a.Facts))
			continue
		}
		held.version = a.Version
		same := slices.EqualFunc(held.facts, a.Facts, func(x, y clinical.Fact) bool {
			return x.Stream.Key() == y.Stream.Key() && x.Time == y.Time && x.End == y.End && x.Number == y.Number && x.Detail.Unit == y.Detail.Unit
		})
		if !same {
			held.facts, held.order = a.Facts, order
		}
		order += uint64(len(a.Facts))
	}
}

// lines is what show should give.
func (l ledger) lines(patient string) (lines []string) {
	for _, s := range l[patient] {
		for i, f := range s.facts {
			lines = append(lines, showEntry(f.Stream, &pointer.Entry{Time: f.Time, End: f.End, Number: f.Number, Detail: f.Detail, Seq: s.order + uint64(i)}))
		}
	}
	slices.Sort(lines)
	return lines
}

type record struct {
	patient    string
	assertions []clinical.Assertion
}

// randomRecord makes late, repeated, changed and retracted versions likely, and times that collide.
func randomRecord(r *rand.Rand) *record {
	streams := []clinical.Stream{creatinine, potassium, heartRate}
	rec := &record{patient: fmt.Sprint("patient-", r.IntN(6))}
	for range r.IntN(4) {
		a := clinical.Assertion{Resource: fmt.Sprint("Observation/", r.IntN(40))}
		switch r.IntN(3) {
		case 0:
			a.Version.Number = int64(1 + r.IntN(6))
		case 1:
			a.Version.Updated = clinical.Instant(1 + r.IntN(6))
		}
		for range r.IntN(4) {
			f := at(pick(r, streams), int64(r.IntN(300)), float64(r.IntN(3)))
			if r.IntN(4) == 0 {
				f.End = clinical.Forever
			}
			if r.IntN(4) == 0 {
				f.Detail = &clinical.Detail{Type: clinical.Number, Unit: fmt.Sprint("unit-", r.IntN(3))}
			}
			a.Facts = append(a.Facts, f)
		}
		rec.assertions = append(rec.assertions, a)
	}
	if r.IntN(12) == 0 { // a long series, of several chunks
		for i := range 150 {
			a := states(fmt.Sprint("Observation/v", i), clinical.Version{}, at(heartRate, int64(r.IntN(2000)), float64(r.IntN(5))))
			rec.assertions = append(rec.assertions, a)
		}
	}
	return rec
}

// check compares all that the store holds with the ledger, read in every way.
func check(t *testing.T, p *Partition, l ledger) {
	t.Helper()
	for id := range l {
		for _, cold := range []bool{false, true} {
			if cold {
				p.store.cache.drop(p.number)
			}
			pt, err := p.LoadAll(id)
			require.NoError(t, err)
			got := show(pt.History)
			for _, s := range pt.History.Series() {
				requireOrdered(t, s)
			}
			slices.Sort(got)
			require.Equal(t, l.lines(id), got, "patient %s, cold %t", id, cold)
		}
	}
	var want []string
	for id := range l {
		want = append(want, id)
	}
	slices.Sort(want)
	ids, err := p.Patients("", 1000)
	require.NoError(t, err)
	require.Equal(t, want, ids)
}

func requireOrdered(t *testing.T, s *pointer.Series) {
	t.Helper()
	last := pointer.Fence{Time: clinical.Never}
	for i, c := range s.Chunks {
		require.NotEmpty(t, c.Entries)
		require.False(t, c.Entries[0].Fence().Less(c.Fence), "chunk %d begins before its fence", i)
		for j := range c.Entries {
			f := c.Entries[j].Fence()
			require.True(t, i == 0 && j == 0 || last.Less(f), "chunk %d entry %d", i, j)
			last = f
		}
	}
}

func TestTheStoreAgreesWithALedgerThroughEvictionsAndReopenings(t *testing.T) {
	for seed := range uint64(4) {
		r := rand.New(rand.NewPCG(seed, 5))
		fs := vfs.NewMem()
		options := Options{FS: fs, Memory: MinMemory, CachePatients: 16 << 10} // two or three patients
		s := open(t, options)
		p := openPartition(t, s, 0)
		l := ledger{}
		for offset := range int64(250) {
			rec := randomRecord(r)
			require.Equal(t, offset, p.State().Facts+1)
			apply(t, p, rec.patient, rec.assertions...)
			l.apply(rec, offset)
			switch r.IntN(60) {
			case 0:
				require.NoError(t, s.Close())
				s = open(t, options)
				p = openPartition(t, s, 0)
			case 1:
				require.NoError(t, s.db.Flush())
			case 2:
				check(t, p, l)
			}
			if _, err := p.Load(fmt.Sprint("patient-", r.IntN(6))); err != nil {
				t.Fatal(err)
			}
		}
		check(t, p, l)
	}
}

// After a crash the store is exactly what it was at some earlier position, which it names: facts, timers,
// outbox and worklist alike.
func TestAfterACrashTheStoreIsAPrefixOfTheLog(t *testing.T) {
	for seed := range uint64(6) {
		r := rand.New(rand.NewPCG(seed, 9))
		fs := vfs.NewCrashableMem()
		s := open(t, Options{FS: fs})
		p := openPartition(t, s, 0)
		var log []*record
		ledgers := func(n int64) ledger {
			l := ledger{}
			for offset, rec := range log[:n] {
				l.apply(rec, int64(offset))
			}
			return l
		}
		write := func(p *Partition) {
			rec := randomRecord(r)
			log = append(log, rec)
			apply(t, p, rec.patient, rec.assertions...)
			// What else the machine writes, in the batch of a record of its own.
			offset := int64(len(log))
			log = append(log, &record{patient: rec.patient})
			b := p.Begin()
			state := p.State()
			state.Facts++
			putIn(t, b, rec.patient, func(pt *Patient) {
				pt.Meta.Facts = offset
				pt.Meta.Due = clinical.Instant(offset)
				pt.Meta.Standing = []Standing{{Rule: "rule", Since: clinical.Instant(offset)}}
			})
			b.Outbox(rec.patient, fmt.Sprint(offset), nil)
			b.SetState(state)
			require.NoError(t, b.Commit())
		}
		checkAll := func(p *Partition) {
			n := p.State().Facts + 1
			check(t, p, ledgers(n))
			pending, err := p.Pending(1000)
			require.NoError(t, err)
			require.EqualValues(t, n/2, len(pending))
			require.EqualValues(t, n/2, p.State().Outbox)
			due := map[string]clinical.Instant{}
			for offset := int64(1); offset < n; offset += 2 {
				due[log[offset].patient] = clinical.Instant(offset)
			}
			earliest := clinical.Forever
			for _, d := range due {
				earliest = min(earliest, d)
			}
			require.Equal(t, earliest, nextDue(p))
			entries, err := p.store.Worklist(0, Filter{}, Cursor{}, 1000)
			require.NoError(t, err)
			require.Len(t, entries, len(due))
			for _, e := range entries {
				require.Equal(t, due[e.Patient], e.Since)
			}
		}
		for range 60 {
			write(p)
			if r.IntN(20) == 0 {
				// Something makes the log durable up to here: another writer that waits for the disk.
				require.NoError(t, s.db.LogData(nil, pebble.Sync))
			}
		}
		crashed := fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: int(seed) * 20, RNG: r})
		require.NoError(t, s.Close())
		s = open(t, Options{FS: crashed})
		p = openPartition(t, s, 0)
		n := p.State().Facts + 1
		t.Logf("of %d records %d survived", len(log), n)
		checkAll(p)
		log = log[:n]
		if len(log)%2 == 1 { // on from where it stands
			log = append(log, &record{patient: log[len(log)-1].patient})
			b := p.Begin()
			state := p.State()
			state.Facts++
			putIn(t, b, log[n].patient, func(pt *Patient) {
				pt.Meta.Facts, pt.Meta.Due = n, clinical.Instant(n)
				pt.Meta.Standing = []Standing{{Rule: "rule", Since: clinical.Instant(n)}}
			})
			b.Outbox(log[n].patient, fmt.Sprint(n), nil)
			b.SetState(state)
			require.NoError(t, b.Commit())
		}
		for range 10 {
			write(p)
		}
		checkAll(p)
	}
}
