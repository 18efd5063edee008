package archive

import (
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/redact"
)

var (
	// ErrCorrupt is wrapped by every error about stored bytes that cannot be read back. The text names the
	// family of keys and the partition. A partition can be dropped (Archive.Forget) and followed again from
	// the start of the log.
	ErrCorrupt = errors.New("archive: corrupt data")
	// ErrClosed is returned by what is called after Close, and by Wait when Close comes first.
	ErrClosed = errors.New("archive: closed")
	// ErrNotReached is returned by Wait, with the cause of the context's end, when the position was not
	// reached.
	ErrNotReached = errors.New("archive: position not reached")
	// ErrNotFound is returned by RuleSet for a hash that was never put.
	ErrNotFound = errors.New("archive: no such rule set")
	// ErrFormat is returned by Open for a database that another version of this package wrote.
	ErrFormat = errors.New("archive: unknown format of the database")
	// ErrPatientID is returned for a patient's id that is empty or holds the character 0, which no key can.
	ErrPatientID = errors.New("archive: a patient's id is empty or holds a zero byte")

	errEnded = errors.New("archive: the batch has been committed or discarded")
)

// familyNames are what errors call the families: key letters mean nothing to who reads a log.
var familyNames = map[byte]string{
	familyDue: "due patients", familyExpected: "expected alerts",
	familyOutbox: "outbox", familyPatient: "patients", familyState: "state", familyDivergence: "divergences",
	familyHistory: "histories", partRecord: "histories", partID: "ids of explanations", partExplanation: "explanations",
}

// corrupt reports unreadable bytes of a family, or of a part of the histories. It names no patient.
func corrupt(partition int32, family byte) error {
	return fmt.Errorf("%w: %s of partition %d", ErrCorrupt, familyNames[family], partition)
}

// fault reports that Pebble failed while doing something to a family of a partition.
func fault(doing string, partition int32, family byte, err error) error {
	if pebble.IsCorruptionError(err) {
		return fmt.Errorf("%w: %w", corrupt(partition, family), pebbleError{err})
	}
	return fmt.Errorf("archive: %s %s of partition %d: %w", doing, familyNames[family], partition, pebbleError{err})
}

// pebbleError is an error of Pebble without the keys that its text may hold, since a key holds a patient's id.
type pebbleError struct{ err error }

func (e pebbleError) Error() string { return string(redact.Sprint(e.err).Redact().StripMarkers()) }
func (e pebbleError) Unwrap() error { return e.err }
