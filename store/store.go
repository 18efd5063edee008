package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"

	"github.com/vigil-cds/vigil/internal/disk"
	"github.com/vigil-cds/vigil/pointer"
)

// Version is the version of the key grammar and of the stored values that this package writes.
const Version = 2

// sharedDetails is how many distinct details are kept to be shared by the facts of all patients. They are
// units, statuses, categories: some thousands in a large hospital.
const sharedDetails = 1 << 16

// Store is one database. Its methods may be called from any goroutine, Close once.
type Store struct {
	db         *pebble.DB
	cache      *cache
	details    *pointer.Details
	metrics    metrics
	unregister func()

	gate gate // around every use of db

	mu         sync.Mutex                   // guards changes of partitions
	partitions atomic.Pointer[[]*Partition] // by number; nil where not opened
}

// Open opens the database in dir, or makes one. The errors: what Options.Validate reports, ErrFormat, and
// what Pebble says (another process has it open, the disk is full).
func Open(dir string, o Options) (*Store, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	s := &Store{cache: newCache(o.cachePatients()), details: pointer.NewDetails(sharedDetails)}
	s.gate.empty.L = &s.gate.mu
	s.partitions.Store(new([]*Partition))
	watch := disk.NewWatch("store", o.Logger, o.Fatal)
	db, err := pebble.Open(dir, o.pebble(&s.metrics, watch))
	if err != nil {
		return nil, watch.Opening(dir, err)
	}
	s.db = db
	if err := s.checkVersion(); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	if err := s.register(o.Registerer); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return s, nil
}

func (s *Store) checkVersion() error {
	key := appendFamily(nil, global, familyVersion)
	value, err := s.get(key, nil)
	if err != nil {
		return fmt.Errorf("store: read the format version: %w", pebbleError{err})
	}
	if value == nil {
		return s.db.Set(key, binary.AppendUvarint(nil, Version), pebble.Sync)
	}
	if v, n := binary.Uvarint(value); n <= 0 || v != Version {
		return fmt.Errorf("%w: version %d, this program reads %d: use the program that wrote it, or start with an empty directory and replay the log", ErrFormat, v, Version)
	}
	return nil
}

// Close writes what is in memory and closes the database. It waits for reads and for open batches: every
// batch must be committed or discarded. A second call returns ErrClosed.
func (s *Store) Close() error {
	if err := s.gate.shut(); err != nil {
		return err
	}
	if s.unregister != nil {
		s.unregister()
	}
	var faults []error
	for _, p := range *s.partitions.Load() {
		if p != nil {
			faults = append(faults, p.table.save(p))
		}
	}
	// Commits do not wait for the disk; a flush is what makes all of them durable.
	faults = append(faults, s.db.Flush(), s.db.Close())
	if err := errors.Join(faults...); err != nil {
		return fmt.Errorf("store: close: %w", err)
	}
	return nil
}

// get copies the value of key to the end of dst; nil when there is none.
func (s *Store) get(key, dst []byte) ([]byte, error) {
	value, closer, err := s.db.Get(key)
	switch {
	case errors.Is(err, pebble.ErrNotFound):
		return nil, nil
	case err != nil:
		return nil, err
	}
	dst = append(dst, value...)
	if dst == nil {
		dst = []byte{}
	}
	return dst, closer.Close()
}

// find is get for keys that mostly are not there. Pebble's Get does not ask the filters of the lowest
// level, which holds nearly all of the data; an iterator can be told to.
func (s *Store) find(key, dst []byte) (value []byte, err error) {
	it, err := s.db.NewIter(&pebble.IterOptions{UseL6Filters: true})
	if err != nil {
		return nil, err
	}
	defer func() {
		if e := it.Close(); e != nil && err == nil {
			value, err = nil, e
		}
	}()
	if !it.SeekPrefixGE(key) || !bytes.Equal(it.Key(), key) {
		return nil, it.Error()
	}
	found, err := it.ValueAndErr()
	if err != nil {
		return nil, err
	}
	return append(dst, found...), nil
}

// Partition opens partition n: 0 to 65534. It is the same *Partition each time. The state is the one of
// the last commit that survived.
func (s *Store) Partition(n int32) (*Partition, error) {
	if p := s.partition(n); p != nil {
		return p, nil
	}
	if n < 0 || n >= global {
		return nil, fmt.Errorf("store: partition %d: the numbers are 0 to %d", n, global-1)
	}
	if err := s.gate.enter(); err != nil {
		return nil, err
	}
	defer s.gate.leave()
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.partition(n); p != nil {
		return p, nil
	}
	p := newPartition(s, n)
	if err := p.open(); err != nil {
		return nil, err
	}
	next := slices.Clone(*s.partitions.Load())
	if missing := int(n) + 1 - len(next); missing > 0 {
		next = append(next, make([]*Partition, missing)...)
	}
	next[n] = p
	s.partitions.Store(&next)
	return p, nil
}

// partition is the partition if it is open.
func (s *Store) partition(n int32) *Partition {
	if all := *s.partitions.Load(); n >= 0 && int(n) < len(all) {
		return all[n]
	}
	return nil
}

// Load reads a patient (see Partition.Load) and the state of its partition, whose position the answer
// stands for: the patient is exactly as it was at that position.
func (s *Store) Load(partition int32, patient string) (*Patient, State, error) {
	return s.load(partition, patient, false)
}

// LoadAll is Load with the whole history.
func (s *Store) LoadAll(partition int32, patient string) (*Patient, State, error) {
	return s.load(partition, patient, true)
}

func (s *Store) load(n int32, id string, complete bool) (*Patient, State, error) {
	p, err := s.Partition(n)
	if err != nil {
		return nil, State{}, err
	}
	// The state is read first, so that the patient is at least as new; when it is newer, then by the
	// record that changed it last, and the position is that record's.
	state := p.State()
	pt, err := p.load(id, complete)
	if err != nil {
		return nil, State{}, err
	}
	if pt.Meta.Facts > state.Facts {
		state.Facts, state.Clock = pt.Meta.Facts, max(state.Clock, pt.Meta.Changed)
	}
	return pt, state, nil
}

// Owner finds the patient for whom a resource ("Observation/123") states facts, in one partition. Resources
// without a legal FHIR id have no owner, and so have retracted ones.
func (s *Store) Owner(partition int32, resource string) (patient string, ok bool, err error) {
	if !indexed(resource) {
		return "", false, nil
	}
	if err := s.gate.enter(); err != nil {
		return "", false, err
	}
	defer s.gate.leave()
	var room [32]byte
	value, err := s.get(appendOwnerKey(room[:0], partition, resource), nil)
	if err != nil {
		return "", false, fault("read", partition, familyOwner, err)
	}
	return string(value), value != nil, nil
}

// ForgetPatients empties the cache of decoded patients, so that the next read of each comes from Pebble.
// It is for measuring.
func (s *Store) ForgetPatients() {
	for n, p := range *s.partitions.Load() {
		if p != nil {
			s.cache.drop(int32(n))
		}
	}
}
