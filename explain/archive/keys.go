package archive

import (
	"encoding/binary"
	"math"
	"strings"

	"github.com/cespare/xxhash/v2"

	"github.com/vigil-cds/vigil/internal/clinical"
)

// The families of keys.
const (
	familyAuditor      = 'a'
	familyDue          = 'd'
	familyExplanations = 'e'
	familyHistory      = 'h'
	familyIDs          = 'i'
	familyOutbox       = 'o'
	familyPatients     = 'p'
	familyRuleSets     = 'r'
	familyState        = 's'
	familyDivergences  = 'v'
	familyExpected     = 'x'
	familyAlerts       = 'y'
)

// familyNames are what errors call the families.
var familyNames = map[byte]string{
	familyAuditor: "auditor's state", familyDue: "due instants", familyExplanations: "explanations", familyHistory: "histories",
	familyIDs: "transition ids", familyOutbox: "outbox", familyPatients: "patients", familyRuleSets: "rule sets",
	familyState: "state", familyDivergences: "divergences", familyExpected: "expected alerts", familyAlerts: "alerts",
}

// global is the partition number under which the keys of the archive itself lie.
const global = math.MaxUint16

func appendFamily(b []byte, partition int32, family byte) []byte {
	return append(binary.BigEndian.AppendUint16(b, uint16(partition)), family)
}

func appendInstant(b []byte, t clinical.Instant) []byte {
	return binary.BigEndian.AppendUint64(b, uint64(t)^1<<63)
}

func instantOf(b []byte) clinical.Instant {
	return clinical.Instant(binary.BigEndian.Uint64(b) ^ 1<<63)
}

// appendPatient is what all keys of one patient in a family begin with.
func appendPatient(b []byte, partition int32, family byte, patient string) []byte {
	return append(append(appendFamily(b, partition, family), patient...), 0)
}

func appendNumbered(b []byte, partition int32, family byte, number uint64) []byte {
	return binary.BigEndian.AppendUint64(appendFamily(b, partition, family), number)
}

// appendID takes a hash of 128 bits: over all transitions of a partition one of 64 could meet itself.
func appendID(b []byte, partition int32, id string) []byte {
	b = appendFamily(b, partition, familyIDs)
	b = binary.BigEndian.AppendUint64(b, xxhash.Sum64String(id))
	d := xxhash.NewWithSeed(1)
	_, _ = d.WriteString(id) // never fails
	return binary.BigEndian.AppendUint64(b, d.Sum64())
}

// numberOf reads the number that ends a key.
func numberOf(key []byte) (uint64, bool) {
	if len(key) < 8 {
		return 0, false
	}
	return binary.BigEndian.Uint64(key[len(key)-8:]), true
}

// legalPatient reports whether an id can stand in a key.
func legalPatient(id string) bool { return id != "" && strings.IndexByte(id, 0) < 0 }
