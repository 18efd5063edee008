package store

import (
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/redact"
)

var (
	// ErrCorrupt is wrapped by every error about stored bytes that cannot be read back. The text names the
	// family of keys and the partition. What the partition holds can be dropped (Partition.Drop) and built
	// again from the log.
	ErrCorrupt = errors.New("store: corrupt data")
	// ErrClosed is returned by what is called after Close.
	ErrClosed = errors.New("store: closed")
	// ErrNotReached is returned by Wait, with the context's error, when the position was not reached.
	ErrNotReached = errors.New("store: position not reached")
	// ErrNoRuleSet is returned by RuleSet for a hash that was never put.
	ErrNoRuleSet = errors.New("store: no such rule set")
	// ErrFormat is returned by Open for a database that a later version of this package wrote.
	ErrFormat = errors.New("store: unknown format of the database")
	// ErrPatientID is returned for a patient's id that is empty or holds the character 0, which no key can.
	ErrPatientID = errors.New("store: a patient's id is empty or holds a zero byte")
	// ErrRow is returned by Commit when the row that goka's table was given is not the row that was put.
	ErrRow = errors.New("store: the table was given another row than was put")
	// ErrCollision is returned by Assert when two streams have the same 64-bit id. Facts of two streams are
	// never mixed: the record cannot be applied by this version.
	ErrCollision = errors.New("store: two streams have the same id")
	// ErrIncomplete is returned by Assert for a patient that was loaded with a part of its history.
	ErrIncomplete = errors.New("store: the patient's history is not complete")
	// ErrTimerStuck is returned by Due when its callback left the timer that it was called for as it was.
	ErrTimerStuck = errors.New("store: a timer that fired was not moved")
)

// familyNames are what errors call the families: key letters mean nothing to who reads a log.
var familyNames = map[byte]string{
	familyState: "state", familyDictionary: "dictionary", familyGoka: "table offset", familyOwner: "owners",
	familyOutbox: "outbox", familyTimer: "timers", familyWorklist: "worklist",
	familyLog: "log", familyRuleSet: "rule sets", familyVersion: "format version",
	partMeta: "meta", partRow: "rows", partFacts: "facts", partResource: "resources", familyPatient: "patients",
}

// corrupt reports unreadable bytes. It names no patient, and cause must not either.
func corrupt(partition int32, family byte, cause error) error {
	if cause == nil {
		return fmt.Errorf("%w: %s of partition %d", ErrCorrupt, familyNames[family], partition)
	}
	return fmt.Errorf("%w: %s of partition %d: %w", ErrCorrupt, familyNames[family], partition, cause)
}

// fault reports that Pebble failed while doing something to a family of a partition.
func fault(doing string, partition int32, family byte, err error) error {
	if pebble.IsCorruptionError(err) {
		return corrupt(partition, family, pebbleError{err})
	}
	return fmt.Errorf("store: %s %s of partition %d: %w", doing, familyNames[family], partition, pebbleError{err})
}

// pebbleError is an error of Pebble without the keys that its text may hold, since a key holds a patient's id.
type pebbleError struct{ err error }

func (e pebbleError) Error() string { return string(redact.Sprint(e.err).Redact().StripMarkers()) }
func (e pebbleError) Unwrap() error { return e.err }
