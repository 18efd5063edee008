package store

import (
	"encoding/binary"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
)

// Checkpoint writes the database as it is now to dir, which must not be there, and returns the number and
// state of each partition that it has at the least. Tables are hard links where the file system has such, so
// that it costs next to nothing and keeps the space of what compactions replace until it is removed. Writes
// go on meanwhile.
func (s *Store) Checkpoint(dir string) (map[int32]State, error) {
	if err := s.gate.enter(); err != nil {
		return nil, err
	}
	defer s.gate.leave()
	states := make(map[int32]State)
	for n, p := range *s.partitions.Load() {
		if p != nil {
			states[int32(n)] = p.State()
		}
	}
	if err := s.db.Checkpoint(dir, pebble.WithFlushedWAL()); err != nil {
		return nil, fmt.Errorf("store: write a checkpoint: %w", pebbleError{err})
	}
	return states, nil
}

// Numbers lists the partitions of which the database holds something, in order.
func (s *Store) Numbers() (numbers []int32, err error) {
	if err := s.gate.enter(); err != nil {
		return nil, err
	}
	defer s.gate.leave()
	it, err := s.db.NewIter(&pebble.IterOptions{UpperBound: appendFamily(nil, global, 0)})
	if err != nil {
		return nil, fmt.Errorf("store: list the partitions: %w", pebbleError{err})
	}
	defer func() {
		if e := it.Close(); e != nil && err == nil {
			err = fmt.Errorf("store: list the partitions: %w", pebbleError{e})
		}
	}()
	for ok := it.First(); ok; {
		n := int32(binary.BigEndian.Uint16(it.Key()))
		numbers = append(numbers, n)
		ok = it.SeekGE(appendFamily(nil, n+1, 0))
	}
	return numbers, nil
}
