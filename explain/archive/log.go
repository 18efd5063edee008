package archive

import (
	"fmt"

	"github.com/cockroachdb/pebble/v2"
)

// Log is the identity of the log from which the database was made, as SetLog was given it; "" before that.
func (a *Archive) Log() (id string, err error) {
	if err := a.gate.enter(); err != nil {
		return "", err
	}
	defer a.gate.leave()
	_, err = a.view(appendFamily(nil, global, familyLog), func(value []byte) bool {
		id = string(value)
		return true
	})
	if err != nil {
		return "", fmt.Errorf("archive: read the identity of the log: %w", pebbleError{err})
	}
	return id, nil
}

// SetLog keeps the identity of the log from which the database is made, on the disk when it returns.
func (a *Archive) SetLog(id string) error {
	if err := a.gate.enter(); err != nil {
		return err
	}
	defer a.gate.leave()
	if err := a.db.Set(appendFamily(nil, global, familyLog), []byte(id), pebble.Sync); err != nil {
		return fmt.Errorf("archive: write the identity of the log: %w", pebbleError{err})
	}
	return nil
}
