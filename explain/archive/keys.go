package archive

import (
	"encoding/binary"
	"math"
	"strings"

	"github.com/cespare/xxhash/v2"

	"github.com/vigil-cds/vigil/internal/clinical"
)

// The families of keys within a partition.
const (
	familyDue        = 'd'
	familyExpected   = 'e'
	familyHistory    = 'h'
	familyOutbox     = 'o'
	familyPatient    = 'p'
	familyState      = 's'
	familyDivergence = 'v'
)

// What follows a patient's prefix in the histories. No letter is that of a family: see familyNames.
const (
	partRecord      = 'f'
	partID          = 'i'
	partExplanation = 'x'
)

// The halves of a partition's state, each with its own writer.
const (
	halfAuditor = 'a'
	halfMachine = 'm'
)

// global is the partition number under which the keys of the archive itself lie.
const global = math.MaxUint16

const (
	familyLog     = 'l'
	familyRuleSet = 'r'
	familyVersion = 'v'
)

// head is how long the partition and the family are, with which every key begins.
const head = 3

func appendFamily(b []byte, partition int32, family byte) []byte {
	return append(binary.BigEndian.AppendUint16(b, uint16(partition)), family)
}

// familyRange is the bounds of one family: [lower, upper).
func familyRange(partition int32, family byte) (lower, upper []byte) {
	return appendFamily(nil, partition, family), appendFamily(nil, partition, family+1)
}

func appendInstant(b []byte, t clinical.Instant) []byte {
	return binary.BigEndian.AppendUint64(b, uint64(t)^1<<63)
}

func instantOf(b []byte) clinical.Instant {
	return clinical.Instant(binary.BigEndian.Uint64(b) ^ 1<<63)
}

// legalPatient reports whether an id can stand in a key.
func legalPatient(id string) bool { return id != "" && strings.IndexByte(id, 0) < 0 }

func ruleSetKey(hash string) []byte {
	return append(appendFamily(nil, global, familyRuleSet), hash...)
}

func appendStateKey(b []byte, partition int32, half byte) []byte {
	return append(appendFamily(b, partition, familyState), half)
}

func appendPatientKey(b []byte, partition int32, patient string) []byte {
	return append(appendFamily(b, partition, familyPatient), patient...)
}

func appendDueKey(b []byte, partition int32, d due) []byte {
	return append(appendInstant(appendFamily(b, partition, familyDue), d.at), d.patient...)
}

// dueOf reads what follows the family of a due patient.
func dueOf(rest []byte) (d due, ok bool) {
	if len(rest) <= 8 {
		return due{}, false
	}
	return due{instantOf(rest), string(rest[8:])}, true
}

// appendPart begins every key of one part of a patient's history.
func appendPart(b []byte, partition int32, patient string, part byte) []byte {
	b = append(appendFamily(b, partition, familyHistory), patient...)
	return append(b, 0, part)
}

func appendRecordKey(b []byte, partition int32, patient string, offset int64) []byte {
	return binary.BigEndian.AppendUint64(appendPart(b, partition, patient, partRecord), uint64(offset))
}

func appendExplanationKey(b []byte, partition int32, patient string, sequence int64) []byte {
	return binary.BigEndian.AppendUint64(appendPart(b, partition, patient, partExplanation), uint64(sequence))
}

// appendIDKey takes a transition's id. It is hashed to 128 bits, since it repeats the patient and the rule.
func appendIDKey(b []byte, partition int32, patient, id string) []byte {
	b = appendPart(b, partition, patient, partID)
	b = binary.BigEndian.AppendUint64(b, xxhash.Sum64String(id))
	var d xxhash.Digest
	d.ResetWithSeed(1)
	_, _ = d.WriteString(id) // never fails
	return binary.BigEndian.AppendUint64(b, d.Sum64())
}

// appendNumberKey is a key of the outbox or of the divergences.
func appendNumberKey(b []byte, partition int32, family byte, number uint64) []byte {
	return binary.BigEndian.AppendUint64(appendFamily(b, partition, family), number)
}

// numberOf reads the eight bytes at the end of a key that are a number, an offset or a sequence.
func numberOf(rest []byte) (number uint64, ok bool) {
	if len(rest) != 8 {
		return 0, false
	}
	return binary.BigEndian.Uint64(rest), true
}

func appendMarkKey(b []byte, partition int32, id string) []byte {
	return append(appendFamily(b, partition, familyExpected), id...)
}
