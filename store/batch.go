package store

import (
	"bytes"
	"container/heap"
	"fmt"

	"github.com/cockroachdb/pebble/v2"

	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/pointer"
)

// Batch collects everything that one record of the log changes, and commits it as one. Reads through it
// see its own writes; nobody else does until Commit. It belongs to the partition's owner. An error of a
// method without one is kept and returned by Commit.
type Batch struct {
	p      *Partition
	work   *work // nil once the batch is committed or discarded
	pebble *pebble.Batch
	state  State
	moved  bool   // state was set
	outbox uint64 // number of the next alert record
	err    error
}

// work is what a batch holds, kept by the partition from one batch to the next.
type work struct {
	patients  map[string]*staged
	resources map[resourceRef]*held
	chunks    map[chunkRef]*pointer.Chunk // nil: deleted
	owners    map[string]string           // resource → patient; "" deleted
	streams   map[clinical.StreamID]clinical.Stream
	timers    timerHeap

	key, value []byte
	ids        []clinical.StreamID
}

// staged is a patient of the batch: as committed and as it will be.
type staged struct {
	base, cur *Patient
	loaded    bool // from Pebble, not from the cache
}

type resourceRef struct {
	patient string
	hash    uint64
}

type chunkRef struct {
	patient *staged
	stream  clinical.StreamID
	fence   pointer.Fence
}

// A batch that was larger than these leaves maps behind that are cheaper to make anew than to clear.
const (
	keepPatients = 256
	keepChunks   = 1024
	keepBytes    = 1 << 20
)

func newWork() *work {
	return &work{patients: map[string]*staged{}, resources: map[resourceRef]*held{}, chunks: map[chunkRef]*pointer.Chunk{},
		owners: map[string]string{}, streams: map[clinical.StreamID]clinical.Stream{}}
}

func (w *work) reset() *work {
	if len(w.patients) > keepPatients || len(w.chunks) > keepChunks || cap(w.timers) > keepPatients || cap(w.key)+cap(w.value) > keepBytes {
		return newWork()
	}
	clear(w.patients)
	clear(w.resources)
	clear(w.chunks)
	clear(w.owners)
	clear(w.streams)
	clear(w.timers)
	w.timers = w.timers[:0]
	return w
}

// Begin opens a batch. It must be committed or discarded before the next one is opened, and before the
// store can be closed.
func (p *Partition) Begin() *Batch {
	b := &Batch{p: p, state: p.State()}
	b.outbox = b.state.Outbox
	if b.err = p.store.gate.enter(); b.err != nil {
		return b
	}
	if b.work = p.work; b.work == nil {
		b.work = newWork()
	}
	p.work = nil
	b.pebble = p.store.db.NewBatch()
	p.table.join()
	return b
}

// Discard forgets the batch. After Commit it does nothing.
func (b *Batch) Discard() {
	if b.work == nil {
		return
	}
	if len(b.work.streams) > 0 {
		b.p.forgetStreams(b.work.streams)
	}
	b.end()
}

// end gives back what the batch holds.
func (b *Batch) end() {
	b.p.table.part()
	_ = b.pebble.Close() // releases memory; it has nothing to fail at
	b.p.work, b.work, b.pebble = b.work.reset(), nil, nil
	if b.err == nil {
		b.err = errEnded
	}
	b.p.store.gate.leave()
}

func (b *Batch) fail(err error) {
	if b.err == nil {
		b.err = err
	}
}

func (b *Batch) set(key, value []byte) {
	if err := b.pebble.Set(key, value, nil); err != nil {
		b.fail(fmt.Errorf("store: stage a write in partition %d: %w", b.p.number, pebbleError{err}))
	}
}

func (b *Batch) delete(key []byte) {
	if err := b.pebble.Delete(key, nil); err != nil {
		b.fail(fmt.Errorf("store: stage a delete in partition %d: %w", b.p.number, pebbleError{err}))
	}
}

// Patient reads a patient with its whole history, as the batch will leave it.
func (b *Batch) Patient(id string) (*Patient, error) {
	s, err := b.staged(id)
	if err != nil {
		return nil, err
	}
	return s.cur, nil
}

func (b *Batch) staged(id string) (*staged, error) {
	if b.err != nil {
		return nil, b.err
	}
	if s := b.work.patients[id]; s != nil {
		return s, nil
	}
	if !legalPatient(id) {
		return nil, ErrPatientID
	}
	s := &staged{}
	if pt, _ := b.p.store.cache.get(cacheKey{b.p.number, id}); pt != nil && pt.Complete() {
		b.p.store.metrics.hits.Add(1)
		s.base = pt
	} else {
		b.p.store.metrics.misses.Add(1)
		pt, err := b.p.scan(id, true)
		if err != nil {
			return nil, err
		}
		s.base, s.loaded = pt, true
	}
	s.cur = s.base
	b.work.patients[id] = s
	return s, nil
}

// Put stages the patient's row, meta, timer and standing rules as they are in pt, which comes from Patient
// or Assert and was changed by the caller in a copy. Facts are staged by Assert. The store keeps a copy of
// pt, but shares what it points to. From then on the patient is Known.
func (b *Batch) Put(pt *Patient) {
	s, err := b.staged(pt.ID)
	if err != nil {
		b.fail(err)
		return
	}
	if !pt.Complete() {
		b.fail(ErrIncomplete)
		return
	}
	s.cur = pt.next()
	s.cur.Known = true
	if due := pt.Meta.Due; due != s.base.Meta.Due && due != clinical.Forever {
		heap.Push(&b.work.timers, timer{due, s.cur.ID})
	}
}

// SetState stages the state, all but its Outbox, which the batch keeps itself.
func (b *Batch) SetState(s State) {
	if b.err == nil {
		b.state, b.moved = s, true
	}
}

// RuleSet stages a rule set (see Store.PutRuleSet).
func (b *Batch) RuleSet(hash string, data []byte) {
	if b.err == nil {
		b.set(ruleSetKey(hash), data)
	}
}

// Commit writes the batch and makes it visible: first to reads of Pebble, then in the cache, then in State,
// so that whoever sees the new state sees the new patients. Then it wakes the waiters and the outbox. On an
// error nothing was written, except when Pebble failed to find the next timer afterwards: then NextDue may
// be too early. The batch is at an end either way.
func (b *Batch) Commit() error {
	if b.work == nil {
		return b.err
	}
	if b.err == nil {
		b.stage()
	}
	if b.err != nil {
		err := b.err
		b.Discard()
		return err
	}
	p := b.p
	if size := b.pebble.Len(); !b.pebble.Empty() {
		if err := b.pebble.Commit(pebble.NoSync); err != nil {
			b.Discard()
			return fmt.Errorf("store: commit a batch of partition %d: %w", p.number, pebbleError{err})
		}
		p.store.metrics.batches.Add(1)
		p.store.metrics.batchBytes.Add(int64(size))
	}
	next, err := b.nextTimer()
	for id, s := range b.work.patients {
		if s.cur != s.base || s.loaded && s.cur.Known {
			p.store.cache.publish(cacheKey{p.number, id}, s.cur)
		}
	}
	for _, id := range p.table.left() {
		p.store.cache.publish(cacheKey{p.number, id}, nil)
	}
	p.setNext(next)
	alerted := b.outbox > p.state.Load().Outbox
	if b.moved || alerted {
		p.publish(&b.state)
	}
	if alerted {
		p.outbox.signal()
	}
	b.end()
	return err
}

// stage writes everything that was collected into the Pebble batch.
func (b *Batch) stage() {
	w := b.work
	n := b.p.number
	for id, s := range w.patients {
		if s.cur != s.base {
			b.stagePatient(id, s)
		}
	}
	b.stageTable()
	for ref, c := range w.chunks {
		w.key = appendChunkKey(w.key[:0], n, ref.patient.cur.ID, ref.stream, ref.fence)
		if c == nil {
			b.delete(w.key)
			continue
		}
		w.value = c.AppendTo(w.value[:0])
		b.set(w.key, w.value)
	}
	for ref, h := range w.resources {
		w.key = appendResourceKey(w.key[:0], n, ref.patient, ref.hash)
		w.value = h.appendTo(w.value[:0])
		b.set(w.key, w.value)
	}
	for resource, patient := range w.owners {
		w.key = appendOwnerKey(w.key[:0], n, resource)
		if patient == "" {
			b.delete(w.key)
		} else {
			b.set(w.key, append(w.value[:0], patient...))
		}
	}
	for id, s := range w.streams {
		w.key = appendDictionaryKey(w.key[:0], n, id)
		w.value = appendStream(w.value[:0], s)
		b.set(w.key, w.value)
	}
	if b.moved || b.outbox != b.state.Outbox {
		b.state.Outbox = b.outbox
		w.key = appendFamily(w.key[:0], n, familyState)
		w.value = b.state.appendTo(w.value[:0])
		b.set(w.key, w.value)
	}
}

func (b *Batch) stagePatient(id string, s *staged) {
	w := b.work
	n := b.p.number
	if s.cur.Row != s.base.Row {
		w.key = appendPatientKey(w.key[:0], n, id, partRow)
		if s.cur.Row == nil {
			b.delete(w.key)
		} else {
			w.value = s.cur.Row.AppendTo(w.value[:0])
			if given, ok := b.p.table.take(id); ok && !bytes.Equal(given, w.value) {
				b.fail(fmt.Errorf("%w: partition %d", ErrRow, n))
			}
			b.set(w.key, w.value)
		}
	}
	if from, to := &s.base.Meta, &s.cur.Meta; !s.base.Known || !from.equal(to) {
		w.key = appendPatientKey(w.key[:0], n, id, partMeta)
		w.value = to.appendTo(w.value[:0])
		b.set(w.key, w.value)
		if from.Due != to.Due {
			if from.Due != clinical.Forever {
				w.key = appendTimerKey(w.key[:0], n, from.Due, id)
				b.delete(w.key)
			}
			if to.Due != clinical.Forever {
				w.key = appendTimerKey(w.key[:0], n, to.Due, id)
				b.set(w.key, nil)
			}
		}
		b.moveStanding(id, from.Standing, to.Standing)
	}
}
