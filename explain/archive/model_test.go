package archive

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"github.com/vigil-cds/vigil/internal/clinical"
)

// model is the plainest reading of what batches mean.
type model struct {
	state        State
	patients     map[string]Patient
	histories    map[string]map[int64]string // "clock value" by offset
	explanations map[string][]Entry
	outbox       map[uint64]string // "patient data" by number
	expected     map[string]Mark
	divergences  []Divergence
	ruleSets     map[string]string
}

func newModel() *model {
	return &model{state: *initialState(), patients: map[string]Patient{}, histories: map[string]map[int64]string{},
		explanations: map[string][]Entry{}, outbox: map[uint64]string{}, expected: map[string]Mark{},
		ruleSets: map[string]string{}}
}

// change is one thing that a batch does: to the archive, and to the model.
type change struct {
	stage func(*Batch)
	apply func(*model)
}

// modelAfter is the model after some batches, each with its changes in order.
func modelAfter(log [][]change) *model {
	m := newModel()
	for _, batch := range log {
		for _, c := range batch {
			c.apply(m)
		}
	}
	return m
}

// filler is long enough that Pebble writes some of what nobody waits for before a crash.
func filler(r *rand.Rand) []byte {
	b := make([]byte, 1000+r.IntN(3000))
	for i := range b {
		b[i] = byte('a' + r.IntN(26))
	}
	return b
}

// machineBatch draws what a machine might write, as the batch of this number, whose number the state keeps
// in Events. The model is the one so far.
func machineBatch(r *rand.Rand, number int64, now *model) (batch []change) {
	facts := now.state.Facts
	explained := now.state.Explained
	sequences := map[string]int64{}
	marked := map[string]Mark{}
	for range r.IntN(5) {
		id := fmt.Sprint("patient-", r.IntN(8))
		if _, ok := sequences[id]; !ok {
			sequences[id] = int64(len(now.explanations[id]))
		}
		facts++
		offset, clock, value := facts, clinical.Instant(r.Int64()), fmt.Sprint("record ", r.Uint64())
		batch = append(batch, change{
			func(b *Batch) { b.History(id, offset, clock, []byte(value)) },
			func(m *model) {
				if m.histories[id] == nil {
					m.histories[id] = map[int64]string{}
				}
				m.histories[id][offset] = fmt.Sprint(clock, " ", value)
			}})
		for range r.IntN(3) {
			sequences[id]++
			explained++
			e := Entry{Sequence: sequences[id], At: clinical.Instant(r.IntN(100)), ID: fmt.Sprint(id, "/", r.Uint64()), Data: filler(r)}
			marked[e.ID] = Mark{ID: e.ID, Patient: id, At: e.At}
			batch = append(batch, change{
				func(b *Batch) { b.Explain(id, e) },
				func(m *model) {
					m.explanations[id] = append(m.explanations[id], e)
					m.outbox[m.state.Outbox] = id + " " + string(e.Data)
					m.state.Outbox++
				}})
		}
		pt := Patient{ID: id, Facts: offset, Clock: clock, Due: clinical.Instant(r.IntN(50)), Sequence: sequences[id]}
		if r.IntN(3) == 0 {
			pt.Due = clinical.Forever
		}
		for i := range r.IntN(3) {
			pt.Standing = append(pt.Standing, Standing{Rule: fmt.Sprint("rule-", i), Since: pt.Clock, Sequence: offset})
		}
		batch = append(batch, change{func(b *Batch) { b.Put(&pt) }, func(m *model) { m.patients[id] = pt }})
	}
	next := State{Facts: facts, Events: number, Clock: clinical.Instant(r.IntN(100)), Sweeping: r.IntN(2) == 0, Explained: explained}
	next.Activations = now.state.Activations
	if r.IntN(10) == 0 {
		hash := fmt.Sprint("set-", r.IntN(5))
		next.Activations = append(slices.Clone(next.Activations), Activation{Offset: facts, At: 3, Hash: hash})
		batch = append(batch, change{
			func(b *Batch) { b.RuleSet(hash, []byte(hash)) },
			func(m *model) { m.ruleSets[hash] = hash }})
	}
	return append(batch, change{
		func(b *Batch) { b.SetState(next) },
		func(m *model) {
			held := m.state
			m.state = next
			m.state.Outbox, m.state.Alerts, m.state.Matched = held.Outbox, held.Alerts, held.Matched
			for id, mark := range marked {
				mark.Facts = facts
				m.expected[id] = mark
			}
		}})
}

// auditorBatch draws what an auditor and a publisher might write, as the batch of this number, whose number
// the state keeps in Alerts.
func auditorBatch(r *rand.Rand, number int64, now *model) (batch []change) {
	known := slices.Sorted(maps.Keys(now.expected))
	matched := int64(r.IntN(3))
	for _, id := range known {
		if r.IntN(3) == 0 {
			batch = append(batch, change{
				func(b *Batch) { b.Settle(id) },
				func(m *model) { delete(m.expected, id) }})
		}
	}
	if r.IntN(4) == 0 {
		rule, data := fmt.Sprint("rule-", r.IntN(3)), fmt.Append(nil, "difference ", r.Uint64())
		batch = append(batch, change{
			func(b *Batch) { b.Diverge(rule, data) },
			func(m *model) {
				m.divergences = append(m.divergences, Divergence{Number: uint64(len(m.divergences)), Rule: rule, Data: data})
			}})
	}
	if through := r.Uint64N(now.state.Outbox + 1); r.IntN(2) == 0 {
		batch = append(batch, change{
			func(b *Batch) { b.Sent(through) },
			func(m *model) {
				maps.DeleteFunc(m.outbox, func(number uint64, _ string) bool { return number <= through })
			}})
	}
	return append(batch, change{
		func(b *Batch) { b.SetAlerts(number, matched) },
		func(m *model) { m.state.Alerts, m.state.Matched = number, m.state.Matched+matched }})
}

// agree compares all that the archive holds with the model, read in every way.
func agree(t *testing.T, p *Partition, m *model) {
	t.Helper()
	state := p.State()
	if len(state.Activations) == 0 {
		state.Activations = m.state.Activations[:0]
	}
	require.Equal(t, m.state, state)
	var dues []due
	for id, want := range m.patients {
		got, ok, err := p.Patient(id)
		require.NoError(t, err)
		require.True(t, ok)
		require.Equal(t, want, *got)
		if want.Due != clinical.Forever {
			dues = append(dues, due{want.Due, id})
		}
		records := map[int64]string{}
		require.NoError(t, p.History(id, math.MaxInt64, func(offset int64, clock clinical.Instant, value []byte) error {
			records[offset] = fmt.Sprint(clock, " ", string(value))
			return nil
		}))
		require.Equal(t, m.histories[id], records)
		require.Equal(t, m.explanations[id], entries(t, p, id))
		for _, want := range m.explanations[id] {
			got, ok, err := p.Explanation(id, want.ID)
			require.NoError(t, err)
			require.True(t, ok)
			require.Equal(t, want, got)
		}
	}
	ids, err := p.Patients("", math.MaxInt)
	require.NoError(t, err)
	require.Equal(t, slices.Sorted(maps.Keys(m.patients)), ids)
	slices.SortFunc(dues, func(x, y due) int {
		if x.before(y) {
			return -1
		}
		return 1
	})
	ids, err = p.Due(clinical.Forever, math.MaxInt)
	require.NoError(t, err)
	require.Len(t, ids, len(dues))
	for i, d := range dues {
		require.Equal(t, d.patient, ids[i])
	}
	next, ok, err := p.NextDue()
	require.NoError(t, err)
	require.Equal(t, len(dues) > 0, ok)
	if ok {
		require.Equal(t, dues[0].at, next)
	}
	var lines []string
	for _, number := range slices.Sorted(maps.Keys(m.outbox)) {
		lines = append(lines, fmt.Sprint(number, " ", m.outbox[number]))
	}
	require.Equal(t, lines, outgoing(t, p, math.MaxInt))
	sorted := func(of map[string]Mark) (all []Mark) {
		for _, id := range slices.Sorted(maps.Keys(of)) {
			all = append(all, of[id])
		}
		return all
	}
	require.Equal(t, sorted(m.expected), marks(t, p.Expected))
	require.Equal(t, m.divergences, divergences(t, p))
	require.EqualValues(t, len(m.divergences), p.DivergenceCount())
	hashes, err := p.archive.RuleSets()
	require.NoError(t, err)
	require.Equal(t, slices.Sorted(maps.Keys(m.ruleSets)), hashes)
	for hash, want := range m.ruleSets {
		got, err := p.archive.RuleSet(hash)
		require.NoError(t, err)
		require.Equal(t, want, string(got))
	}
}

// After a crash the archive is exactly what it was after some earlier batch, of which its state tells: all
// of every batch up to that one, and nothing of any later.
func TestAfterACrashTheArchiveIsAPrefixOfItsBatches(t *testing.T) {
	short, long := 0, 0
	for seed := range uint64(10) {
		r := rand.New(rand.NewPCG(seed, 9))
		fs := vfs.NewCrashableMem()
		a := open(t, Options{FS: fs})
		p := openPartition(t, a, 2)
		var log [][]change
		durable := 0 // how many batches are safe from a crash
		write := func() {
			draw := machineBatch
			if r.IntN(3) == 0 {
				draw = auditorBatch
			}
			batch := draw(r, int64(len(log)), modelAfter(log))
			b := p.Begin()
			defer b.Discard()
			for _, c := range batch {
				c.stage(b)
			}
			if r.IntN(6) == 0 {
				return
			}
			require.NoError(t, b.Commit())
			log = append(log, batch)
			switch r.IntN(50) {
			case 0: // something makes the log durable up to here: another writer that waits for the disk
				require.NoError(t, a.db.LogData(nil, pebble.Sync))
				durable = len(log)
			case 1:
				require.NoError(t, a.db.Flush())
				durable = len(log)
			case 2:
				agree(t, p, modelAfter(log))
			}
		}
		for range 80 {
			write()
		}
		agree(t, p, modelAfter(log))
		crashed := fs.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100 - int(seed)*10, RNG: r})
		require.NoError(t, a.Close())

		a = open(t, Options{FS: crashed})
		p = openPartition(t, a, 2)
		survived := 0
		if s := p.State(); s.Events >= 0 || s.Alerts > 0 {
			survived = int(max(s.Events, s.Alerts)) + 1
		}
		t.Logf("of %d batches %d survived, %d had to", len(log), survived, durable)
		require.GreaterOrEqual(t, survived, durable)
		if survived < len(log) {
			short++
		}
		if survived > durable {
			long++
		}
		log = log[:survived]
		agree(t, p, modelAfter(log))
		for range 20 { // on from where it stands
			write()
		}
		agree(t, p, modelAfter(log))
		require.NoError(t, a.Close())
		a = open(t, Options{FS: crashed})
		agree(t, openPartition(t, a, 2), modelAfter(log))
	}
	require.NotZero(t, short, "no crash has lost a batch: the test tries nothing")
	require.NotZero(t, long, "no crash has come while a batch was on its way to the disk")
}
