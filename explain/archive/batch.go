package archive

import (
	"fmt"
	"slices"

	"github.com/cockroachdb/pebble/v2"

	"github.com/vigil-cds/vigil/internal/clinical"
)

// Batch collects changes of one partition and commits them as one. Nobody sees them before Commit. It is
// for one goroutine at a time; which methods are the machine's and which the auditor's is said on the
// package's page. An error of a method is kept and returned by Commit.
type Batch struct {
	p      *Partition
	pebble *pebble.Batch
	room   *room // nil once the batch is committed or discarded
	err    error

	// The machine's.
	state    State
	moved    bool   // state was set
	outbox   uint64 // number of the next outgoing explanation
	earliest due    // of the patients whose due instant changes

	// The auditor's.
	audited         bool // alerts was set
	alerts, matched int64
	diverged        uint64 // how many divergences

	unsent uint64 // the first number that stays in the outbox; 0 when Sent staged nothing
}

// room is what a batch works in, kept from one batch to the next.
type room struct {
	key, value []byte
	dues       map[string]clinical.Instant // of the patients put, as the batch leaves them
	expected   []expected
	size       int // of the last batch in bytes, which the next is likely to need as well
}

func newRoom() *room { return &room{dues: make(map[string]clinical.Instant)} }

// A batch that was larger than these leaves behind what is cheaper to make anew than to keep.
const (
	keepPatients = 4096
	keepBytes    = 1 << 20
)

func (a *Archive) giveBack(r *room) {
	if len(r.dues) > keepPatients || cap(r.expected) > keepPatients || cap(r.key)+cap(r.value) > keepBytes {
		return
	}
	clear(r.dues)
	clear(r.expected)
	r.expected = r.expected[:0]
	a.rooms.Put(r)
}

// Begin opens a batch. It must be committed or discarded before the archive can be closed.
func (p *Partition) Begin() *Batch {
	b := &Batch{p: p, earliest: nobody, outbox: p.state.Load().Outbox}
	if b.err = p.archive.gate.enter(); b.err != nil {
		return b
	}
	b.room = p.archive.rooms.Get().(*room)
	b.pebble = p.archive.db.NewBatchWithSize(b.room.size)
	return b
}

// Discard forgets the batch. After Commit it does nothing.
func (b *Batch) Discard() {
	if b.room == nil {
		return
	}
	_ = b.pebble.Close() // releases memory; it has nothing to fail at
	b.p.archive.giveBack(b.room)
	b.room, b.pebble = nil, nil
	if b.err == nil {
		b.err = errEnded
	}
	b.p.archive.gate.leave()
}

func (b *Batch) fail(err error) {
	if b.err == nil {
		b.err = err
	}
}

func (b *Batch) set(key, value []byte) {
	op := b.pebble.SetDeferred(len(key), len(value))
	copy(op.Key, key)
	copy(op.Value, value)
	b.finish(op)
}

func (b *Batch) delete(key []byte) {
	op := b.pebble.DeleteDeferred(len(key))
	copy(op.Key, key)
	b.finish(op)
}

func (b *Batch) finish(op *pebble.DeferredBatchOp) {
	if err := op.Finish(); err != nil {
		b.fail(fmt.Errorf("archive: stage a change of partition %d: %w", b.p.number, pebbleError{err}))
	}
}

// SetState stages the machine's half of the state: all but Outbox, which Explain moves, and Alerts and
// Matched, which are the auditor's. The machine's. The batch keeps a copy.
func (b *Batch) SetState(s State) {
	if b.err == nil {
		s.Activations = slices.Clone(s.Activations)
		b.state, b.moved = s, true
	}
}

// RuleSet stages a rule set's stored form under its hash, for every partition. The machine's. The data is
// copied.
func (b *Batch) RuleSet(hash string, data []byte) {
	if b.err == nil {
		b.set(ruleSetKey(hash), data)
	}
}

// Commit writes the batch without waiting for the disk, makes it visible, first to reads and then in
// State, and wakes who waits for its position. On an error nothing was written. The batch is at an end
// either way.
func (b *Batch) Commit() error {
	if b.room == nil {
		return b.err
	}
	defer b.Discard()
	// One commit after the other, so that states are published in the order in which they are on disk: an
	// auditor that has seen a mark must not publish that it was matched before the machine has published
	// that it was explained.
	b.p.commits.Lock()
	defer b.p.commits.Unlock()
	if b.err == nil {
		b.stage()
	}
	if b.err != nil || b.pebble.Empty() {
		return b.err
	}
	p := b.p
	size := b.pebble.Len()
	b.room.size = min(size+size/8, keepBytes)
	if err := b.pebble.Commit(pebble.NoSync); err != nil {
		return fmt.Errorf("archive: commit a batch of partition %d: %w", p.number, pebbleError{err})
	}
	p.archive.metrics.batches.Add(1)
	p.archive.metrics.batchBytes.Add(int64(size))
	if len(b.room.dues) > 0 {
		p.dues.add(b.earliest)
	}
	if b.unsent > 0 {
		p.unsent.Store(b.unsent)
	}
	p.divergences.Add(b.diverged)
	if b.machine() || b.audited {
		p.publish(b.change)
	}
	return nil
}

// machine reports whether the machine's half of the state changes.
func (b *Batch) machine() bool { return b.moved || len(b.room.expected) > 0 }

// change makes a state what it is once the batch has been committed.
func (b *Batch) change(s *State) {
	if b.moved {
		next := b.state
		next.Alerts, next.Matched = s.Alerts, s.Matched
		*s = next
	}
	if b.machine() {
		s.Outbox = b.outbox
	}
	if b.audited {
		s.Alerts, s.Matched = b.alerts, s.Matched+b.matched
	}
}

// stage writes what had to wait for the end: the state, and the marks that name its position.
func (b *Batch) stage() {
	if !b.machine() && !b.audited {
		return
	}
	r := b.room
	next := b.p.State()
	b.change(&next)
	for _, e := range r.expected {
		b.await(&Mark{ID: e.id, Patient: e.patient, Facts: next.Facts, At: e.at})
	}
	if b.machine() {
		r.key = appendStateKey(r.key[:0], b.p.number, halfMachine)
		r.value = next.appendMachine(r.value[:0])
		b.set(r.key, r.value)
	}
	if b.audited {
		r.key = appendStateKey(r.key[:0], b.p.number, halfAuditor)
		r.value = next.appendAuditor(r.value[:0])
		b.set(r.key, r.value)
	}
}
