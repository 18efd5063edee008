package archive

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/redact"
	"github.com/prometheus/client_golang/prometheus"
)

var (
	// ErrCorrupt is wrapped by every error about stored bytes that cannot be read back. The archive can be
	// removed and made again from the log.
	ErrCorrupt = errors.New("explain archive: corrupt data")
	// ErrClosed is returned by what is called after Close.
	ErrClosed = errors.New("explain archive: closed")
	// ErrNotFound is returned for a rule set that was never put.
	ErrNotFound = errors.New("explain archive: not found")
	// ErrNotReached is returned by Wait, with the context's error, when the position was not reached.
	ErrNotReached = errors.New("explain archive: position not reached")
	// ErrFormat is returned by Open for an archive that another version of this package wrote.
	ErrFormat = errors.New("explain archive: unknown format")
	// ErrPatientID is returned for a patient's id that no key can hold.
	ErrPatientID = errors.New("explain archive: a patient's id is empty or holds a zero byte")
)

// Options configures an Archive. The zero value works.
type Options struct {
	// Memory is about how many bytes Pebble may hold. Zero is DefaultMemory, the least is MinMemory.
	Memory int64
	// FS is where the database lies; nil is the disk.
	FS vfs.FS
	// Logger takes what Pebble has to say, without keys and values. Nil logs nothing.
	Logger *slog.Logger
	// Registerer takes the archive's metrics, which Close unregisters. Nil measures nothing.
	Registerer prometheus.Registerer
}

const (
	// DefaultMemory is what Options.Memory means when it is zero.
	DefaultMemory = 128 << 20
	// MinMemory is the least that an archive can work with.
	MinMemory = 4 << 20
)

// Version is the version of the key grammar and of the stored values that this package writes.
const Version = 1

// Archive is one database. Its methods may be called from any goroutine, Close once.
type Archive struct {
	db         *pebble.DB
	unregister func()

	use    sync.RWMutex // held for reading while the database is used: Pebble panics after its Close
	closed bool

	mu         sync.Mutex
	partitions map[int32]*Partition
}

// Open opens the archive in dir, or makes one.
func Open(dir string, o Options) (*Archive, error) {
	if o.Memory == 0 {
		o.Memory = DefaultMemory
	}
	if o.Memory < MinMemory {
		return nil, fmt.Errorf("explain archive: Memory is %d bytes; the least is %d", o.Memory, int64(MinMemory))
	}
	db, err := pebble.Open(dir, o.pebble())
	if err != nil {
		return nil, fmt.Errorf("explain archive: open %s: %w", dir, err)
	}
	a := &Archive{db: db, partitions: make(map[int32]*Partition)}
	if err := a.checkVersion(); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	if err := a.register(o.Registerer); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return a, nil
}

func (o Options) pebble() *pebble.Options {
	memTable := uint64(min(max(o.Memory/8, 256<<10), 32<<20))
	p := &pebble.Options{
		FS: o.FS, FormatMajorVersion: pebble.FormatNewest, CacheSize: o.Memory, MemTableSize: memTable, MemTableStopWritesThreshold: 4,
		L0CompactionThreshold: 2, L0StopWritesThreshold: 24, LBaseMaxBytes: 64 << 20, WALBytesPerSync: 1 << 20, MaxOpenFiles: 2048,
		// What is explained is never waited for: one compaction at a time leaves the cores to the engine.
		CompactionConcurrencyRange: func() (int, int) { return 1, 1 },
		Logger:                     logger{o.Logger},
	}
	for i := range p.Levels {
		p.Levels[i].FilterPolicy = bloom.FilterPolicy(10)
		p.Levels[i].BlockSize = 16 << 10
	}
	p.ApplyCompressionSettings(func() pebble.DBCompressionSettings { return pebble.DBCompressionBalanced })
	return p
}

func (a *Archive) checkVersion() error {
	key := appendFamily(nil, global, 'v')
	value, err := a.get(key)
	if err != nil {
		return fmt.Errorf("explain archive: read the format version: %w", pebbleError{err})
	}
	if value == nil {
		return a.db.Set(key, binary.AppendUvarint(nil, Version), pebble.Sync)
	}
	if v, n := binary.Uvarint(value); n <= 0 || v != Version {
		return fmt.Errorf("%w: version %d, this program reads %d: remove its directory, and it is made again from the log", ErrFormat, v, Version)
	}
	return nil
}

func (a *Archive) register(r prometheus.Registerer) error {
	if r == nil {
		return nil
	}
	size := prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "vigil_explain_archive_bytes",
		Help: "Disk space that the explain archive takes."}, func() float64 {
		if a.enter() != nil {
			return 0
		}
		defer a.leave()
		return float64(a.db.Metrics().DiskSpaceUsage())
	})
	if err := r.Register(size); err != nil {
		return fmt.Errorf("registering the explain archive's metrics: %w", err)
	}
	a.unregister = func() { r.Unregister(size) }
	return nil
}

// Close writes what is in memory and closes the database. It waits for reads that are under way; every
// batch must be committed or discarded.
func (a *Archive) Close() error {
	a.use.Lock()
	defer a.use.Unlock()
	if a.closed {
		return ErrClosed
	}
	a.closed = true
	if a.unregister != nil {
		a.unregister()
	}
	// Commits do not wait for the disk; a flush is what makes all of them durable.
	if err := errors.Join(a.db.Flush(), a.db.Close()); err != nil {
		return fmt.Errorf("explain archive: close: %w", err)
	}
	return nil
}

func (a *Archive) enter() error {
	a.use.RLock()
	if a.closed {
		a.use.RUnlock()
		return ErrClosed
	}
	return nil
}

func (a *Archive) leave() { a.use.RUnlock() }

// get copies a value; nil when there is none.
func (a *Archive) get(key []byte) ([]byte, error) {
	value, closer, err := a.db.Get(key)
	switch {
	case errors.Is(err, pebble.ErrNotFound):
		return nil, nil
	case err != nil:
		return nil, err
	}
	out := append([]byte{}, value...)
	return out, closer.Close()
}

// Partition opens partition n: 0 to 65534. It is the same *Partition each time.
func (a *Archive) Partition(n int32) (*Partition, error) {
	if n < 0 || n >= global {
		return nil, fmt.Errorf("explain archive: partition %d: the numbers are 0 to %d", n, global-1)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if p := a.partitions[n]; p != nil {
		return p, nil
	}
	if err := a.enter(); err != nil {
		return nil, err
	}
	defer a.leave()
	p := &Partition{archive: a, number: n, changed: make(chan struct{})}
	if err := p.open(); err != nil {
		return nil, err
	}
	a.partitions[n] = p
	return p, nil
}

// Forget drops everything of a partition, of which no batch may be open.
func (a *Archive) Forget(n int32) error {
	p, err := a.Partition(n)
	if err != nil {
		return err
	}
	if err := a.enter(); err != nil {
		return err
	}
	defer a.leave()
	if err := a.db.DeleteRange(appendFamily(nil, n, 0), appendFamily(nil, n, 0xff), pebble.NoSync); err != nil {
		return fault("drop", n, familyState, err)
	}
	return p.open()
}

// RuleSet is the stored form of a set that was activated; ErrNotFound.
func (a *Archive) RuleSet(hash string) ([]byte, error) {
	if err := a.enter(); err != nil {
		return nil, err
	}
	defer a.leave()
	value, err := a.get(append(appendFamily(nil, global, familyRuleSets), hash...))
	if err != nil {
		return nil, fault("read", global, familyRuleSets, err)
	}
	if value == nil {
		return nil, ErrNotFound
	}
	return value, nil
}

// RuleSets is the hashes of all sets that were activated, ascending.
func (a *Archive) RuleSets() (hashes []string, err error) {
	err = a.scan(global, familyRuleSets, nil, nil, func(key, _ []byte) error {
		hashes = append(hashes, string(key))
		return nil
	})
	return hashes, err
}

// errEnough ends a scan early.
var errEnough = errors.New("enough")

// scan calls f with what follows the family in each key, and its value, from one such key to another; nil
// is the family's end. Both are valid during the call.
func (a *Archive) scan(partition int32, family byte, from, to []byte, f func(key, value []byte) error) (err error) {
	if err := a.enter(); err != nil {
		return err
	}
	defer a.leave()
	head := appendFamily(nil, partition, family)
	o := &pebble.IterOptions{LowerBound: slices.Concat(head, from), UpperBound: slices.Concat(head, to)}
	if to == nil {
		o.UpperBound = appendFamily(nil, partition, family+1)
	}
	it, err := a.db.NewIter(o)
	if err != nil {
		return fault("read", partition, family, err)
	}
	defer func() {
		if e := it.Close(); e != nil && err == nil {
			err = fault("read", partition, family, e)
		}
	}()
	for ok := it.First(); ok; ok = it.Next() {
		value, err := it.ValueAndErr()
		if err != nil {
			return fault("read", partition, family, err)
		}
		if err := f(it.Key()[len(head):], value); errors.Is(err, errEnough) {
			return nil
		} else if err != nil {
			return err
		}
	}
	return nil
}

func corrupt(partition int32, family byte) error {
	return fmt.Errorf("%w: %s of partition %d", ErrCorrupt, familyNames[family], partition)
}

// fault reports that Pebble failed while doing something to a family of a partition.
func fault(doing string, partition int32, family byte, err error) error {
	if pebble.IsCorruptionError(err) {
		return fmt.Errorf("%w: %w", corrupt(partition, family), pebbleError{err})
	}
	return fmt.Errorf("explain archive: %s %s of partition %d: %w", doing, familyNames[family], partition, pebbleError{err})
}

// pebbleError is an error of Pebble without the keys that its text may hold, since a key holds a patient's id.
type pebbleError struct{ err error }

func (e pebbleError) Error() string { return string(redact.Sprint(e.err).Redact().StripMarkers()) }
func (e pebbleError) Unwrap() error { return e.err }

// logger gives Pebble's messages to slog, without what Pebble does not mark as safe to show.
type logger struct{ to *slog.Logger }

func (l logger) text(format string, args []any) string {
	return string(redact.Sprintf(format, args...).Redact().StripMarkers())
}

func (l logger) Infof(format string, args ...any) {
	if l.to != nil && l.to.Enabled(context.Background(), slog.LevelDebug) {
		l.to.Debug("pebble", "of", "explain", "event", l.text(format, args))
	}
}

func (l logger) Errorf(format string, args ...any) {
	if l.to != nil {
		l.to.Error("pebble", "of", "explain", "event", l.text(format, args))
	}
}

// Fatalf is what Pebble calls when it cannot write its log any more.
func (l logger) Fatalf(format string, args ...any) {
	l.Errorf(format, args...)
	panic("explain archive: pebble cannot go on: " + l.text(format, args))
}
