package archive

import (
	"errors"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
)

// Partition is one partition's part of the archive. All but Begin and what is done with a Batch may be
// called from any goroutine; who may do what with a batch is said on the package's page.
type Partition struct {
	archive *Archive
	number  int32

	commits sync.Mutex // held by the batch that is being committed

	mu    sync.Mutex    // guards changes of state, and moved
	moved chan struct{} // closed at the next change of state; nil when nobody waits
	state atomic.Pointer[State]

	dues        dues
	unsent      atomic.Uint64 // no explanation below this number is in the outbox
	divergences atomic.Uint64 // how many there are, which is also the number of the next
}

func newPartition(a *Archive, number int32) *Partition {
	p := &Partition{archive: a, number: number}
	p.state.Store(initialState())
	return p
}

// reset makes the partition one that nothing has been written to.
func (p *Partition) reset() {
	p.publish(func(s *State) { *s = *initialState() })
	p.dues.reset()
	p.unsent.Store(0)
	p.divergences.Store(0)
}

// open reads what the partition keeps in memory.
func (p *Partition) open() error {
	state := initialState()
	if _, err := p.view(familyState, appendStateKey(nil, p.number, halfMachine), state.decodeMachine); err != nil {
		return err
	}
	if _, err := p.view(familyState, appendStateKey(nil, p.number, halfAuditor), state.decodeAuditor); err != nil {
		return err
	}
	p.state.Store(state)
	p.unsent.Store(state.Outbox)
	lower, upper := familyRange(p.number, familyOutbox)
	err := p.scan(familyOutbox, lower, upper, func(key, _ []byte) (bool, error) {
		number, ok := numberOf(key[head:])
		if !ok {
			return false, corrupt(p.number, familyOutbox)
		}
		p.unsent.Store(number)
		return false, nil
	})
	if err != nil {
		return err
	}
	return p.countDivergences()
}

// Number is the partition's number.
func (p *Partition) Number() int32 { return p.number }

// view is Archive.view for a key of a family of this partition.
func (p *Partition) view(family byte, key []byte, read func(value []byte) bool) (found bool, err error) {
	if err := p.archive.gate.enter(); err != nil {
		return false, err
	}
	defer p.archive.gate.leave()
	return p.peek(family, key, read)
}

// peek is view for who is inside the gate already, and is not to be refused when it is being shut.
func (p *Partition) peek(family byte, key []byte, read func(value []byte) bool) (found bool, err error) {
	found, err = p.archive.view(key, read)
	switch {
	case errors.Is(err, errUnreadable):
		return false, corrupt(p.number, family)
	case err != nil:
		return false, fault("read", p.number, family, err)
	}
	return found, nil
}

// scan calls f with each key from lower up to upper and its value, until f returns false or an error.
// Both slices are only valid during the call.
func (p *Partition) scan(family byte, lower, upper []byte, f func(key, value []byte) (more bool, err error)) (err error) {
	if err := p.archive.gate.enter(); err != nil {
		return err
	}
	defer p.archive.gate.leave()
	it, err := p.archive.db.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upper})
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
