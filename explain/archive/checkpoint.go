package archive

import (
	"fmt"

	"github.com/cockroachdb/pebble/v2"
)

// Checkpoint writes the database as it is now to dir, which must not be there, mostly as hard links. Writes
// go on meanwhile.
func (a *Archive) Checkpoint(dir string) error {
	if err := a.gate.enter(); err != nil {
		return err
	}
	defer a.gate.leave()
	if err := a.db.Checkpoint(dir, pebble.WithFlushedWAL()); err != nil {
		return fmt.Errorf("archive: write a checkpoint: %w", err)
	}
	return nil
}
