package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
	"github.com/lovoo/goka/storage"
)

// table is what a partition keeps for goka's group table, whose keys are the patients' rows.
type table struct {
	offset atomic.Int64 // in the changelog; noOffset

	mu      sync.Mutex
	saved   int64
	joined  bool              // a batch is open
	pending map[string][]byte // rows given while a batch is open; nil: deleted
}

const noOffset = math.MinInt64

func (t *table) reset() {
	t.mu.Lock()
	t.offset.Store(noOffset)
	t.saved = noOffset
	t.pending = map[string][]byte{}
	t.mu.Unlock()
}

func (t *table) open(p *Partition) error {
	value, err := p.store.get(appendFamily(nil, p.number, familyGoka), nil)
	if err != nil {
		return fault("read", p.number, familyGoka, err)
	}
	if value == nil {
		return nil
	}
	offset, n := binary.Varint(value)
	if n <= 0 {
		return corrupt(p.number, familyGoka, nil)
	}
	t.offset.Store(offset)
	t.saved = offset
	return nil
}

// save writes goka's offset if it has moved.
func (t *table) save(p *Partition) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	offset := t.offset.Load()
	if offset == t.saved {
		return nil
	}
	if err := p.store.db.Set(appendFamily(nil, p.number, familyGoka), binary.AppendVarint(nil, offset), pebble.NoSync); err != nil {
		return fault("write", p.number, familyGoka, err)
	}
	t.saved = offset
	return nil
}

// join lets rows be given to the batch that is now open.
func (t *table) join() {
	t.mu.Lock()
	t.joined = true
	t.mu.Unlock()
}

func (t *table) part() {
	t.mu.Lock()
	t.joined = false
	clear(t.pending)
	t.mu.Unlock()
}

// give hands a row (nil: a deletion) to the open batch; false when none is open.
func (t *table) give(patient string, row []byte) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.joined {
		t.pending[patient] = row
	}
	return t.joined
}

// given is the row that the open batch was given.
func (t *table) given(patient string) ([]byte, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	row, ok := t.pending[patient]
	return row, ok
}

// take is given, and the batch has then written it.
func (t *table) take(patient string) ([]byte, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	row, ok := t.pending[patient]
	delete(t.pending, patient)
	return row, ok
}

// left lists the rows that were given and that no Put accounts for.
func (t *table) left() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.pending) == 0 {
		return nil
	}
	return slices.Collect(maps.Keys(t.pending))
}

// stageTable stages the rows that goka gave and that were not put, and goka's offset, which rides along.
func (b *Batch) stageTable() {
	w := b.work
	t := &b.p.table
	t.mu.Lock()
	defer t.mu.Unlock()
	for id, row := range t.pending {
		s, err := b.staged(id)
		if err != nil {
			b.fail(err)
			return
		}
		if s.cur.Row != nil {
			if w.value = s.cur.Row.AppendTo(w.value[:0]); bytes.Equal(row, w.value) {
				delete(t.pending, id)
				continue
			}
		}
		if s.cur.Known {
			b.fail(fmt.Errorf("%w: partition %d", ErrRow, b.p.number))
			return
		}
		w.key = appendPatientKey(w.key[:0], b.p.number, id, partRow)
		if row == nil {
			b.delete(w.key)
		} else {
			b.set(w.key, row)
		}
	}
	if offset := t.offset.Load(); offset != t.saved {
		w.key = appendFamily(w.key[:0], b.p.number, familyGoka)
		w.value = binary.AppendVarint(w.value[:0], offset)
		b.set(w.key, w.value)
		t.saved = offset // were the batch lost, goka would only read its changelog from further back
	}
}

// GokaStorage builds goka's view of the group table: the rows in this store, one Storage a partition. A
// store holds one group table, so the topic's name is not looked at. prepare is called by Storage.Open,
// before goka reads its changelog; nil does nothing.
//
// A row that is set while the partition's batch is open becomes a part of that batch; it must be the row
// that the batch puts, or leaves as it is (ErrRow). A row set at any other time comes from the changelog: it is written for a patient of whom this store holds no facts, and
// is not for one of whom it does, since that row was computed from the log here and the changelog can only
// have the same one or, after a crash, an older one.
func (s *Store) GokaStorage(prepare func(*Partition) error) storage.Builder {
	return func(_ string, partition int32) (storage.Storage, error) {
		p, err := s.Partition(partition)
		if err != nil {
			return nil, err
		}
		return &gokaStorage{p: p, prepare: prepare}, nil
	}
}

// gokaStorage implements goka's storage.Storage over one partition.
type gokaStorage struct {
	p         *Partition
	prepare   func(*Partition) error
	recovered atomic.Bool
}

var errNilRow = errors.New("store: a row cannot be nil")

// Open calls the function that GokaStorage was given.
func (g *gokaStorage) Open() error {
	if g.prepare == nil {
		return nil
	}
	return g.prepare(g.p)
}

// Close keeps the offset. The partition stays open for readers.
func (g *gokaStorage) Close() error {
	if err := g.saveOffset(); err != nil && !errors.Is(err, ErrClosed) {
		return err
	}
	return nil // Store.Close has kept it
}

func (g *gokaStorage) saveOffset() error {
	if err := g.p.store.gate.enter(); err != nil {
		return err
	}
	defer g.p.store.gate.leave()
	return g.p.table.save(g.p)
}

// Has implements storage.Storage.
func (g *gokaStorage) Has(key string) (bool, error) {
	row, err := g.Get(key)
	return row != nil, err
}

// Get implements storage.Storage. It sees what was set in the open batch.
func (g *gokaStorage) Get(key string) ([]byte, error) {
	if row, ok := g.p.table.given(key); ok {
		return slices.Clone(row), nil
	}
	if !legalPatient(key) {
		return nil, nil
	}
	if err := g.p.store.gate.enter(); err != nil {
		return nil, err
	}
	defer g.p.store.gate.leave()
	row, err := g.p.store.get(appendPatientKey(nil, g.p.number, key, partRow), nil)
	if err != nil {
		return nil, fault("read", g.p.number, partRow, err)
	}
	return row, nil
}

// Set implements storage.Storage. The value is copied.
func (g *gokaStorage) Set(key string, value []byte) error {
	if value == nil {
		return errNilRow
	}
	return g.write(key, append([]byte{}, value...))
}

// Delete implements storage.Storage.
func (g *gokaStorage) Delete(key string) error { return g.write(key, nil) }

func (g *gokaStorage) write(key string, row []byte) error {
	if !legalPatient(key) {
		return ErrPatientID
	}
	p := g.p
	if p.table.give(key, row) {
		return nil
	}
	if err := p.store.gate.enter(); err != nil {
		return err
	}
	defer p.store.gate.leave()
	meta, err := p.store.get(appendPatientKey(nil, p.number, key, partMeta), nil)
	if err != nil {
		return fault("read", p.number, partMeta, err)
	}
	if meta != nil {
		return nil
	}
	at := appendPatientKey(nil, p.number, key, partRow)
	if row == nil {
		err = p.store.db.Delete(at, pebble.NoSync)
	} else {
		err = p.store.db.Set(at, row, pebble.NoSync)
	}
	if err != nil {
		return fault("write", p.number, partRow, err)
	}
	p.store.cache.publish(cacheKey{p.number, key}, nil)
	return nil
}

// GetOffset implements storage.Storage.
func (g *gokaStorage) GetOffset(def int64) (int64, error) {
	if offset := g.p.table.offset.Load(); offset != noOffset {
		return offset, nil
	}
	return def, nil
}

// SetOffset remembers the offset and returns at once: goka calls it on the one goroutine that acknowledges
// the changelog writes of all partitions. The next commit writes it, or Close.
func (g *gokaStorage) SetOffset(offset int64) error {
	g.p.table.offset.Store(offset)
	return nil
}

// MarkRecovered keeps the offset that recovery has reached.
func (g *gokaStorage) MarkRecovered() error {
	g.recovered.Store(true)
	return g.saveOffset()
}

// Recovered reports whether MarkRecovered was called.
func (g *gokaStorage) Recovered() bool { return g.recovered.Load() }

// Iterator implements storage.Storage: all rows as of now, by key.
func (g *gokaStorage) Iterator() (storage.Iterator, error) { return g.iterator(nil, nil) }

// IteratorWithRange iterates from start up to but not including limit. Without a limit it iterates over the
// keys that start with start, as goka's own storages do.
func (g *gokaStorage) IteratorWithRange(start, limit []byte) (storage.Iterator, error) {
	if len(limit) == 0 {
		limit = successor(start)
	}
	return g.iterator(start, limit)
}

func (g *gokaStorage) iterator(start, limit []byte) (storage.Iterator, error) {
	p := g.p
	if err := p.store.gate.enter(); err != nil {
		return nil, err
	}
	lower, upper := familyRange(p.number, familyPatient)
	head := len(lower)
	lower = append(lower, start...)
	if len(limit) > 0 {
		upper = append(appendFamily(nil, p.number, familyPatient), limit...)
	}
	if bytes.Compare(lower, upper) > 0 {
		upper = lower // a range the wrong way round is empty
	}
	it, err := p.store.db.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upper})
	if err != nil {
		p.store.gate.leave()
		return nil, fault("iterate over", p.number, partRow, err)
	}
	return &rowIterator{p: p, it: it, head: head, seek: append([]byte(nil), lower[:head]...)}, nil
}

// rowIterator implements goka's storage.Iterator over the rows of a partition.
type rowIterator struct {
	p       *Partition
	it      *pebble.Iterator // nil once released
	head    int              // the length of what is before the patient in a key
	seek    []byte           // starts with that
	key     []byte           // the patient that the iterator is at; nil: none
	started bool
	err     error
}

// Next implements storage.Iterator.
func (i *rowIterator) Next() bool {
	if i.it == nil || i.err != nil {
		return false
	}
	if !i.started {
		i.started = true
		return i.settle(i.it.First())
	}
	if i.key == nil {
		return false
	}
	return i.settle(i.skip())
}

// Seek moves to the first row whose key is at or after key; Key and Value are then that row's.
func (i *rowIterator) Seek(key []byte) bool {
	if i.it == nil || i.err != nil {
		return false
	}
	i.started = true
	i.seek = append(i.seek[:i.head], key...)
	return i.settle(i.it.SeekGE(i.seek))
}

// settle moves on to the next row from where the iterator is.
func (i *rowIterator) settle(valid bool) bool {
	i.key = nil
	for valid {
		patient, rest, ok := splitPatientKey(i.it.Key())
		if !ok || len(rest) == 0 {
			i.err = corrupt(i.p.number, familyPatient, nil)
			return false
		}
		switch {
		case rest[0] == partRow:
			i.key = patient
			return true
		case rest[0] < partRow:
			valid = i.it.Next()
		default:
			i.key = patient
			valid = i.skip()
			i.key = nil
		}
	}
	if err := i.it.Error(); err != nil {
		i.err = fault("iterate over", i.p.number, partRow, err)
	}
	return false
}

// skip goes to what follows the present patient.
func (i *rowIterator) skip() bool {
	i.seek = append(append(i.seek[:i.head], i.key...), 1)
	return i.it.SeekGE(i.seek)
}

// Key implements storage.Iterator.
func (i *rowIterator) Key() []byte { return i.key }

// Value implements storage.Iterator.
func (i *rowIterator) Value() ([]byte, error) {
	if i.key == nil {
		return nil, nil
	}
	value, err := i.it.ValueAndErr()
	if err != nil {
		return nil, fault("iterate over", i.p.number, partRow, err)
	}
	return value, nil
}

// Err implements storage.Iterator.
func (i *rowIterator) Err() error { return i.err }

// Release ends the iterator. It must be called, or the store cannot be closed.
func (i *rowIterator) Release() {
	if i.it == nil {
		return
	}
	if err := i.it.Close(); err != nil && i.err == nil {
		i.err = fault("iterate over", i.p.number, partRow, err)
	}
	i.it, i.key = nil, nil
	i.p.store.gate.leave()
}
