package archive

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"

	"github.com/vigil-cds/vigil/internal/disk"
)

// Version is the version of the key grammar and of the stored values that this package writes.
const Version = 2

// Archive is one database. Its methods may be called from any goroutine, Close once.
type Archive struct {
	db         *pebble.DB
	metrics    metrics
	unregister func()

	gate    gate          // around every use of db
	closing chan struct{} // closed by Close
	rooms   sync.Pool     // of *room

	mu         sync.Mutex                   // guards changes of partitions
	partitions atomic.Pointer[[]*Partition] // by number; nil where not opened
}

// Open opens the database in dir, or makes one. The errors: what Options.Validate reports, ErrFormat, and
// what Pebble says (another process has it open, the disk is full).
func Open(dir string, o Options) (*Archive, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	a := &Archive{closing: make(chan struct{})}
	a.gate.empty.L = &a.gate.mu
	a.rooms.New = func() any { return newRoom() }
	a.partitions.Store(new([]*Partition))
	watch := disk.NewWatch("explain archive", o.Logger, o.Fatal)
	db, err := pebble.Open(dir, o.pebble(&a.metrics, watch))
	if err != nil {
		return nil, watch.Opening(dir, err)
	}
	a.db = db
	if err := a.checkVersion(); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	if err := a.register(o.Registerer); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return a, nil
}

func (a *Archive) checkVersion() error {
	key := appendFamily(nil, global, familyVersion)
	var version uint64
	found, err := a.view(key, func(value []byte) bool {
		v, n := binary.Uvarint(value)
		version = v
		return n == len(value)
	})
	switch {
	case errors.Is(err, errUnreadable) || err == nil && found && version != Version:
		return fmt.Errorf("%w: version %d, this program reads %d: use the program that wrote it, or start with an empty directory and replay the log", ErrFormat, version, Version)
	case err != nil:
		return fmt.Errorf("archive: read the format version: %w", pebbleError{err})
	case found:
		return nil
	}
	if err := a.db.Set(key, binary.AppendUvarint(nil, Version), pebble.Sync); err != nil {
		return fmt.Errorf("archive: write the format version: %w", pebbleError{err})
	}
	return nil
}

// Close writes what is in memory and closes the database. It waits for reads and for open batches: every
// batch must be committed or discarded. Who waits for a position gets ErrClosed. A second call returns
// ErrClosed.
func (a *Archive) Close() error {
	if err := a.gate.shut(); err != nil {
		return err
	}
	close(a.closing)
	if a.unregister != nil {
		a.unregister()
	}
	// Commits do not wait for the disk; a flush is what makes all of them durable.
	if err := errors.Join(a.db.Flush(), a.db.Close()); err != nil {
		return fmt.Errorf("archive: close: %w", pebbleError{err})
	}
	return nil
}

// errUnreadable is what view returns when its callback could not read the value.
var errUnreadable = errors.New("archive: a value that cannot be read")

// view calls read with the value of a key, which is valid during the call only. found is whether there is
// one; read returns false for one that it cannot read.
func (a *Archive) view(key []byte, read func(value []byte) bool) (found bool, err error) {
	value, closer, err := a.db.Get(key)
	switch {
	case errors.Is(err, pebble.ErrNotFound):
		return false, nil
	case err != nil:
		return false, err
	}
	ok := read(value)
	if err := closer.Close(); err != nil {
		return false, err
	}
	if !ok {
		return false, errUnreadable
	}
	return true, nil
}

// Partition opens partition n: 0 to 65534. It is the same *Partition each time. The state is the one of
// the last commit that survived.
func (a *Archive) Partition(n int32) (*Partition, error) {
	if p := a.partition(n); p != nil {
		return p, nil
	}
	if n < 0 || n >= global {
		return nil, fmt.Errorf("archive: partition %d: the numbers are 0 to %d", n, global-1)
	}
	if err := a.gate.enter(); err != nil {
		return nil, err
	}
	defer a.gate.leave()
	a.mu.Lock()
	defer a.mu.Unlock()
	if p := a.partition(n); p != nil {
		return p, nil
	}
	p := newPartition(a, n)
	if err := p.open(); err != nil {
		return nil, err
	}
	next := slices.Clone(*a.partitions.Load())
	if missing := int(n) + 1 - len(next); missing > 0 {
		next = append(next, make([]*Partition, missing)...)
	}
	next[n] = p
	a.partitions.Store(&next)
	return p, nil
}

// partition is the partition if it is open.
func (a *Archive) partition(n int32) *Partition {
	if all := *a.partitions.Load(); n >= 0 && int(n) < len(all) {
		return all[n]
	}
	return nil
}

// Forget drops everything of a partition, and waits until that is on disk. The partition, also a
// *Partition that was opened before, is then as if it had never been written to. It must have no open
// batch. Rule sets stay.
func (a *Archive) Forget(n int32) error {
	p, err := a.Partition(n)
	if err != nil && !errors.Is(err, ErrCorrupt) { // one that cannot be read can still be dropped
		return err
	}
	if err := a.gate.enter(); err != nil {
		return err
	}
	defer a.gate.leave()
	lower, upper := appendFamily(nil, n, 0), appendFamily(nil, n, 0xff)
	if err := a.db.DeleteRange(lower, upper, pebble.Sync); err != nil {
		return fmt.Errorf("archive: drop partition %d: %w", n, pebbleError{err})
	}
	if p != nil {
		p.reset()
	}
	return nil
}

// RuleSet gives back what Batch.RuleSet put under the hash, to be kept by the caller; ErrNotFound when
// nothing was.
func (a *Archive) RuleSet(hash string) ([]byte, error) {
	if err := a.gate.enter(); err != nil {
		return nil, err
	}
	defer a.gate.leave()
	var data []byte
	found, err := a.view(ruleSetKey(hash), func(value []byte) bool {
		data = append([]byte{}, value...)
		return true
	})
	if err != nil {
		return nil, fmt.Errorf("archive: read rule set %.12s: %w", hash, pebbleError{err})
	}
	if !found {
		return nil, fmt.Errorf("%w: %.12s", ErrNotFound, hash)
	}
	return data, nil
}

// RuleSets lists the hashes of all rule sets that were put, in order.
func (a *Archive) RuleSets() (hashes []string, err error) {
	if err := a.gate.enter(); err != nil {
		return nil, err
	}
	defer a.gate.leave()
	lower, upper := familyRange(global, familyRuleSet)
	it, err := a.db.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upper})
	if err != nil {
		return nil, fmt.Errorf("archive: list the rule sets: %w", pebbleError{err})
	}
	for ok := it.First(); ok; ok = it.Next() {
		hashes = append(hashes, string(it.Key()[head:]))
	}
	if err := it.Close(); err != nil {
		return nil, fmt.Errorf("archive: list the rule sets: %w", pebbleError{err})
	}
	return hashes, nil
}
