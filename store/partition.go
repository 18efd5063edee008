package store

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"

	"github.com/vigil-cds/vigil/internal/clinical"
)

// State is where a partition stands in its log.
type State struct {
	Facts, Events    int64            // offsets of the last records applied; -1 none
	Clock            clinical.Instant // running maximum of the recorded times; Never at first
	RuleSet          string           // hash of the active rule set; "" before the first activation
	Activated        clinical.Instant // the clock at its activation; Never before
	ActivationOffset int64            // offset of its activation record; -1 before
	Sweeping         bool             // patients are being moved to the active rule set
	Sweep            string           // the last patient that the sweep has reached; "" none yet
	Missing          []clinical.Gap   // events before Events whose facts record has not come (see clinical.Answered)
	Outbox           uint64           // number of the next alert record; kept by Batch, SetState does not change it
}

func initialState() *State {
	return &State{Facts: -1, Events: -1, Clock: clinical.Never, Activated: clinical.Never, ActivationOffset: -1}
}

// Partition is one partition's part of the store. Begin, Drop and everything of a Batch are for one
// goroutine at a time, the owner; all else is for any goroutine.
type Partition struct {
	store  *Store
	number int32

	state  atomic.Pointer[State]
	due    atomic.Int64 // of next
	next   timer        // the earliest timer, or one not later than it; the owner's
	work   *work        // of the last batch, for the next; the owner's
	outbox outbox
	table  table

	waits struct {
		sync.Mutex
		list []*wait
	}
	streams struct {
		sync.RWMutex
		byID map[clinical.StreamID]clinical.Stream
	}
}

type wait struct {
	facts, events int64
	done          chan struct{}
}

func newPartition(s *Store, number int32) *Partition {
	p := &Partition{store: s, number: number}
	p.outbox.wake = make(chan struct{}, 1)
	p.reset()
	return p
}

// reset makes the partition one that nothing has been written to.
func (p *Partition) reset() {
	p.state.Store(initialState())
	p.setNext(noTimer)
	p.outbox.reset()
	p.table.reset()
	p.streams.Lock()
	p.streams.byID = make(map[clinical.StreamID]clinical.Stream)
	p.streams.Unlock()
}

// open reads what the partition keeps in memory.
func (p *Partition) open() error {
	value, err := p.store.get(appendFamily(nil, p.number, familyState), nil)
	if err != nil {
		return fault("read", p.number, familyState, err)
	}
	if value != nil {
		state, ok := decodeState(value)
		if !ok {
			return corrupt(p.number, familyState, nil)
		}
		p.state.Store(&state)
	}
	lower, upper := familyRange(p.number, familyDictionary)
	err = p.each(familyDictionary, lower, upper, func(rest, value []byte) (bool, error) {
		stream, ok := decodeStream(value)
		if !ok || len(rest) != 8 || !slices.Equal(rest, appendDictionaryKey(nil, p.number, stream.ID())[3:]) {
			return false, corrupt(p.number, familyDictionary, nil)
		}
		p.streams.byID[stream.ID()] = stream
		return true, nil
	})
	if err != nil {
		return err
	}
	if err := p.outbox.open(p); err != nil {
		return err
	}
	if err := p.table.open(p); err != nil {
		return err
	}
	next, err := p.firstTimer(timer{due: clinical.Never})
	p.setNext(next)
	return err
}

// each calls f with what follows the family's letter in each key from lower up to upper, and with the
// value, until f returns false or an error. Both slices are only valid during the call.
func (p *Partition) each(family byte, lower, upper []byte, f func(rest, value []byte) (bool, error)) error {
	return p.entries(family, lower, upper, func(key, value []byte) (bool, error) { return f(key[3:], value) })
}

// entries is each with whole keys, which may be of several families; an error names the one that is given.
func (p *Partition) entries(family byte, lower, upper []byte, f func(key, value []byte) (bool, error)) (err error) {
	it, err := p.store.db.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upper})
	if err != nil {
		return fault("read", p.number, family, err)
	}
	defer func() {
		if e := it.Close(); e != nil && err == nil {
			err = fault("read", p.number, family, e)
		}
	}()
	for ok := it.First(); ok; ok = it.Next() {
		value, err := it.ValueAndErr()
		if err != nil {
			return fault("read", p.number, family, err)
		}
		if more, err := f(it.Key(), value); err != nil || !more {
			return err
		}
	}
	return nil
}

// Number is the partition's number.
func (p *Partition) Number() int32 { return p.number }

// State is the state as of the last commit.
func (p *Partition) State() State { return *p.state.Load() }

func (s *State) reached(facts, events int64) bool { return s.Facts >= facts && s.Events >= events }

// Wait returns when the state has at least these offsets; -1 asks for none. When ctx ends first it
// returns ErrNotReached with the context's error.
func (p *Partition) Wait(ctx context.Context, facts, events int64) error {
	if p.state.Load().reached(facts, events) {
		return nil
	}
	w := &wait{facts: facts, events: events, done: make(chan struct{})}
	p.waits.Lock()
	if p.state.Load().reached(facts, events) {
		p.waits.Unlock()
		return nil
	}
	p.waits.list = append(p.waits.list, w)
	p.waits.Unlock()
	select {
	case <-w.done:
		return nil
	case <-ctx.Done():
	}
	p.waits.Lock()
	p.waits.list = slices.DeleteFunc(p.waits.list, func(o *wait) bool { return o == w })
	p.waits.Unlock()
	if s := p.state.Load(); !s.reached(facts, events) {
		return fmt.Errorf("%w: partition %d is at facts %d, events %d: %w", ErrNotReached, p.number, s.Facts, s.Events, ctx.Err())
	}
	return nil
}

// publish makes a state the one that readers see, and wakes those who wait for it.
func (p *Partition) publish(s *State) {
	p.state.Store(s)
	p.waits.Lock()
	defer p.waits.Unlock()
	if len(p.waits.list) == 0 {
		return
	}
	p.waits.list = slices.DeleteFunc(p.waits.list, func(w *wait) bool {
		if !s.reached(w.facts, w.events) {
			return false
		}
		close(w.done)
		return true
	})
}

// Patients lists the ids of the patients after the given one, in order, at most limit of them.
func (p *Partition) Patients(after string, limit int) (ids []string, err error) {
	if err := p.store.gate.enter(); err != nil {
		return nil, err
	}
	defer p.store.gate.leave()
	lower, upper := familyRange(p.number, familyPatient)
	it, err := p.store.db.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upper})
	if err != nil {
		return nil, fault("list", p.number, familyPatient, err)
	}
	defer func() {
		if e := it.Close(); e != nil && err == nil {
			err = fault("list", p.number, familyPatient, e)
		}
	}()
	ok := it.First()
	if after != "" {
		ok = it.SeekGE(successor(appendPatientPrefix(nil, p.number, after)))
	}
	var seek []byte
	for ok && len(ids) < limit {
		id, rest, found := splitPatientKey(it.Key())
		if !found || len(rest) == 0 {
			return ids, corrupt(p.number, familyPatient, nil)
		}
		if rest[0] == partMeta { // a row without it came from goka's table, and says nothing of facts
			ids = append(ids, string(id))
		}
		seek = appendPatientPrefix(seek[:0], p.number, string(id))
		seek[len(seek)-1]++
		ok = it.SeekGE(seek)
	}
	return ids, nil
}

// Drop forgets everything of the partition: it is then as if it had never been opened. The owner calls
// it, without an open batch. Snapshots that readers hold stay as they are.
func (p *Partition) Drop() error {
	if err := p.store.gate.enter(); err != nil {
		return err
	}
	defer p.store.gate.leave()
	lower, upper := appendFamily(nil, p.number, 0), appendFamily(nil, p.number, 0xff)
	if err := p.store.db.DeleteRange(lower, upper, pebble.NoSync); err != nil {
		return fmt.Errorf("store: drop partition %d: %w", p.number, pebbleError{err})
	}
	p.store.cache.drop(p.number)
	p.reset()
	return nil
}

// stream finds a stream by its id.
func (p *Partition) stream(id clinical.StreamID) (clinical.Stream, bool) {
	p.streams.RLock()
	s, ok := p.streams.byID[id]
	p.streams.RUnlock()
	return s, ok
}

// addStream makes a stream known to readers, who may meet its facts as soon as the batch is committed.
func (p *Partition) addStream(id clinical.StreamID, s clinical.Stream) {
	p.streams.Lock()
	p.streams.byID[id] = s
	p.streams.Unlock()
}

func (p *Partition) forgetStreams(ids map[clinical.StreamID]clinical.Stream) {
	p.streams.Lock()
	maps.DeleteFunc(p.streams.byID, func(id clinical.StreamID, _ clinical.Stream) bool {
		_, ok := ids[id]
		return ok
	})
	p.streams.Unlock()
}
