package store

import (
	"encoding/binary"
	"math"
	"strings"

	"github.com/cespare/xxhash/v2"

	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/pointer"
	"github.com/vigil-cds/vigil/rules"
)

// The families of keys within a partition.
const (
	familyState      = 's'
	familyDictionary = 'd'
	familyGoka       = 'g'
	familyOwner      = 'i'
	familyOutbox     = 'o'
	familyPatient    = 'p'
	familyTimer      = 't'
	familyWorklist   = 'w'
)

// What follows a patient's prefix.
const (
	partMeta     = 'a'
	partRow      = 'b'
	partFacts    = 'f'
	partResource = 'x'
)

// global is the partition number under which the keys of the store itself lie.
const global = math.MaxUint16

const (
	familyLog     = 'l'
	familyRuleSet = 'r'
	familyVersion = 'v'
)

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

func ruleSetKey(hash string) []byte {
	return append(appendFamily(nil, global, familyRuleSet), hash...)
}

func appendDictionaryKey(b []byte, partition int32, id clinical.StreamID) []byte {
	return binary.BigEndian.AppendUint64(appendFamily(b, partition, familyDictionary), uint64(id))
}

func appendOutboxKey(b []byte, partition int32, number uint64) []byte {
	return binary.BigEndian.AppendUint64(appendFamily(b, partition, familyOutbox), number)
}

// appendOwnerKey takes a resource's whole name, "Observation/123". Over all of a partition's resources a
// hash of 64 bits could meet itself, so it is one of 128.
func appendOwnerKey(b []byte, partition int32, resource string) []byte {
	b = appendFamily(b, partition, familyOwner)
	b = binary.BigEndian.AppendUint64(b, xxhash.Sum64String(resource))
	d := xxhash.NewWithSeed(1)
	_, _ = d.WriteString(resource) // never fails
	return binary.BigEndian.AppendUint64(b, d.Sum64())
}

// appendPatientPrefix is what all keys of one patient start with.
func appendPatientPrefix(b []byte, partition int32, patient string) []byte {
	b = append(appendFamily(b, partition, familyPatient), patient...)
	return append(b, 0)
}

func appendPatientKey(b []byte, partition int32, patient string, part byte) []byte {
	return append(appendPatientPrefix(b, partition, patient), part)
}

// legalPatient reports whether an id can stand in a key.
func legalPatient(id string) bool { return id != "" && strings.IndexByte(id, 0) < 0 }

// splitPatientKey finds the patient and what follows its 0x00 in a key of the patient family.
func splitPatientKey(key []byte) (patient, rest []byte, ok bool) {
	const head = 3
	for i := head; i < len(key); i++ {
		if key[i] == 0 {
			return key[head:i], key[i+1:], true
		}
	}
	return nil, nil, false
}

func appendChunkKey(b []byte, partition int32, patient string, id clinical.StreamID, f pointer.Fence) []byte {
	b = appendPatientKey(b, partition, patient, partFacts)
	b = binary.BigEndian.AppendUint64(b, uint64(id))
	b = appendInstant(b, f.Time)
	return binary.BigEndian.AppendUint64(b, f.Seq)
}

// chunkOf reads what follows partFacts in a chunk's key.
func chunkOf(b []byte) (id clinical.StreamID, f pointer.Fence, ok bool) {
	if len(b) != 24 {
		return 0, pointer.Fence{}, false
	}
	id = clinical.StreamID(binary.BigEndian.Uint64(b))
	return id, pointer.Fence{Time: instantOf(b[8:]), Seq: binary.BigEndian.Uint64(b[16:])}, true
}

func resourceHash(resource string) uint64 { return xxhash.Sum64String(resource) }

func appendResourceKey(b []byte, partition int32, patient string, hash uint64) []byte {
	return binary.BigEndian.AppendUint64(appendPatientKey(b, partition, patient, partResource), hash)
}

func appendTimerKey(b []byte, partition int32, due clinical.Instant, patient string) []byte {
	return append(appendInstant(appendFamily(b, partition, familyTimer), due), patient...)
}

// timerOf reads what follows the timer family.
func timerOf(b []byte) (due clinical.Instant, patient []byte, ok bool) {
	if len(b) < 8 {
		return 0, nil, false
	}
	return instantOf(b), b[8:], true
}

// severityByte sorts the most severe first.
func severityByte(s rules.Severity) byte { return ^byte(s) }

func appendWorklistKey(b []byte, partition int32, c Cursor) []byte {
	b = append(appendFamily(b, partition, familyWorklist), severityByte(c.Severity))
	b = append(append(b, c.Rule...), 0)
	b = append(append(b, c.Patient...), 0)
	return appendInstant(b, c.Period)
}

// worklistOf reads what follows the worklist family.
func worklistOf(b []byte) (c Cursor, ok bool) {
	if len(b) < 1+2+8 {
		return Cursor{}, false
	}
	rule, rest, named := strings.Cut(string(b[1:]), "\x00")
	at := len(rest) - 9
	if !named || at < 0 || rest[at] != 0 {
		return Cursor{}, false
	}
	return Cursor{rules.Severity(^b[0]), rule, rest[:at], instantOf([]byte(rest[at+1:]))}, true
}

// successor is the least key greater than every key that starts with b; nil when there is none.
func successor(b []byte) []byte {
	next := append([]byte(nil), b...)
	for i := len(next) - 1; i >= 0; i-- {
		if next[i]++; next[i] != 0 {
			return next[:i+1]
		}
	}
	return nil
}
