package store

import (
	"fmt"

	"github.com/cockroachdb/pebble/v2"
)

// Log is the identity of the log from which the database was made, as SetLog was given it; "" before that.
func (s *Store) Log() (string, error) {
	if err := s.gate.enter(); err != nil {
		return "", err
	}
	defer s.gate.leave()
	value, err := s.get(appendFamily(nil, global, familyLog), nil)
	if err != nil {
		return "", fmt.Errorf("store: read the identity of the log: %w", pebbleError{err})
	}
	return string(value), nil
}

// SetLog keeps the identity of the log from which the database is made, on the disk when it returns.
func (s *Store) SetLog(id string) error {
	if err := s.gate.enter(); err != nil {
		return err
	}
	defer s.gate.leave()
	if err := s.db.Set(appendFamily(nil, global, familyLog), []byte(id), pebble.Sync); err != nil {
		return fmt.Errorf("store: write the identity of the log: %w", pebbleError{err})
	}
	return nil
}
