package source

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"

	"github.com/cockroachdb/pebble/v2"

	"github.com/vigil-cds/vigil/internal/cdc"
	"github.com/vigil-cds/vigil/internal/disk"
)

// ErrState is returned for a database that this program cannot read.
var ErrState = errors.New("the state of the source cannot be read")

// The families of keys:
//
//	v                            format
//	p <topic> 0 <partition>      progress
//	r <table> 0 <key>            row
const (
	familyFormat   = 'v'
	familyProgress = 'p'
	familyRow      = 'r'

	format = 1
)

// cacheBytes is Pebble's: rows that lookups ask for again are few.
const cacheBytes = 16 << 20

// state keeps rows and progress. It is for one goroutine.
type state struct {
	db *pebble.DB
}

func openState(dir string, log *slog.Logger, fatal func(error)) (*state, error) {
	watch := disk.NewWatch("source", log, fatal)
	o := &pebble.Options{FS: watch.FS(nil), FormatMajorVersion: pebble.FormatNewest, CacheSize: cacheBytes, MemTableSize: 4 << 20, Logger: silent{watch}, EventListener: new(pebble.EventListener)}
	watch.Listen(o.EventListener)
	db, err := pebble.Open(dir, o)
	if err != nil {
		return nil, watch.Opening(dir, err)
	}
	s := &state{db}
	if err := s.checkFormat(); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return s, nil
}

// silent keeps Pebble's own words, which can hold keys, from the log. What stops it comes through the watch.
type silent struct{ watch *disk.Watch }

func (silent) Infof(string, ...any)                {}
func (silent) Errorf(string, ...any)               {}
func (s silent) Fatalf(format string, args ...any) { s.watch.Fatalf(format, args...) }

func (s *state) checkFormat() error {
	b, err := get(s.db, []byte{familyFormat})
	switch {
	case err != nil:
		return err
	case b == nil:
		return s.db.Set([]byte{familyFormat}, []byte{format}, pebble.Sync)
	case len(b) != 1 || b[0] != format:
		return fmt.Errorf("%w: another program wrote it: use that, or remove the directory, and the topics are read from their beginning", ErrState)
	}
	return nil
}

func (s *state) close() error { return errors.Join(s.db.Flush(), s.db.Close()) }

func get(r pebble.Reader, key []byte) ([]byte, error) {
	b, closer, err := r.Get(key)
	switch {
	case errors.Is(err, pebble.ErrNotFound):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("reading the state of the source: %w", err)
	}
	return bytes.Clone(b), closer.Close()
}

func progressKey(l cdc.Lane) []byte {
	return binary.BigEndian.AppendUint32(append(append([]byte{familyProgress}, l.Topic...), 0), uint32(l.Partition))
}

func rowKey(n cdc.RowName) []byte {
	return append(append(append([]byte{familyRow}, n.Table...), 0), n.Key...)
}

// progress is how far a partition was taken; nil when it never was.
func (s *state) progress(l cdc.Lane) (*progress, error) {
	b, err := get(s.db, progressKey(l))
	if err != nil || b == nil {
		return nil, err
	}
	p, ok := unmarshalProgress(b)
	if !ok {
		return nil, fmt.Errorf("%w: how far partition %d of %s was read", ErrState, l.Partition, l.Topic)
	}
	return p, nil
}

// taken is how many records of all partitions were taken.
func (s *state) taken() (n uint64, err error) {
	it, err := s.db.NewIter(&pebble.IterOptions{LowerBound: []byte{familyProgress}, UpperBound: []byte{familyProgress + 1}})
	if err != nil {
		return 0, fmt.Errorf("reading the state of the source: %w", err)
	}
	for it.First(); it.Valid(); it.Next() {
		if p, ok := unmarshalProgress(it.Value()); ok {
			n += uint64(p.next)
		}
	}
	return n, it.Close()
}

// step is a batch: what several transactions bring about, each of which finds the rows of those before it.
type step struct{ batch *pebble.Batch }

func (s *state) begin() step { return step{s.db.NewIndexedBatch()} }

// row implements cdc.Rows.
func (s step) row(name cdc.RowName) (*cdc.Row, error) {
	b, err := get(s.batch, rowKey(name))
	if err != nil || b == nil {
		return nil, err
	}
	row := new(cdc.Row)
	if json.Unmarshal(b, row) != nil {
		return nil, fmt.Errorf("%w: a row of %s", ErrState, name.Table)
	}
	return row, nil
}

func (s step) setRow(name cdc.RowName, row *cdc.Row) error {
	if row == nil {
		return s.batch.Delete(rowKey(name), nil)
	}
	b, err := json.Marshal(row)
	if err != nil {
		return fmt.Errorf("keeping a row of %s: %w", name.Table, err)
	}
	return s.batch.Set(rowKey(name), b, nil)
}

func (s step) setProgress(l cdc.Lane, p *progress) error {
	return s.batch.Set(progressKey(l), p.marshal(), nil)
}

// commit makes everything count, on disk: what comes after it is told that it was taken.
func (s step) commit() error { return s.batch.Commit(pebble.Sync) }

func (s step) discard() { _ = s.batch.Close() }
