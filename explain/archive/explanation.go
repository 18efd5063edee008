package archive

import (
	"encoding/binary"
	"errors"
	"math"

	"github.com/vigil-cds/vigil/internal/clinical"
)

// Entry is an explanation as stored.
type Entry struct {
	Sequence int64            // its number among the patient's, from 1
	At       clinical.Instant // of the transition
	ID       string           // of the transition
	Data     []byte           // the stored form of the record.Explanation
}

func (e *Entry) appendTo(b []byte) []byte {
	b = append(b, codecVersion)
	b = binary.AppendVarint(b, int64(e.At))
	b = appendString(b, e.ID)
	return append(b, e.Data...)
}

// Explanations calls f with a patient's explanations in order: those with a Sequence above after and
// from <= At <= to, at most limit of them. An entry's Data is valid during the call only.
func (p *Partition) Explanations(patient string, from, to clinical.Instant, after int64, limit int, f func(Entry) error) error {
	if limit <= 0 || after == math.MaxInt64 || !legalPatient(patient) {
		return p.archive.gate.open()
	}
	lower, upper := p.partRange(patient, partExplanation, max(after, 0)+1, math.MaxInt64)
	prefix := len(lower) - 8
	return p.scan(partExplanation, lower, upper, func(key, value []byte) (bool, error) {
		sequence, ok := numberOf(key[prefix:])
		d := decode(value)
		at, id := d.instant(), d.bytes()
		if !ok || d.bad {
			return false, corrupt(p.number, partExplanation)
		}
		if at < from || at > to {
			return true, nil
		}
		limit--
		return limit > 0, f(Entry{Sequence: int64(sequence), At: at, ID: string(id), Data: d.rest()})
	})
}

// Explanation finds the explanation of a patient's transition by the transition's id. The caller owns it.
func (p *Partition) Explanation(patient, id string) (e Entry, ok bool, err error) {
	if !legalPatient(patient) {
		return Entry{}, false, p.archive.gate.open()
	}
	var room [128]byte
	var sequence uint64
	found, err := p.view(partID, appendIDKey(room[:0], p.number, patient, id), func(value []byte) bool {
		d := decode(value)
		sequence = d.uvarint()
		return d.done()
	})
	if err != nil || !found {
		return Entry{}, false, err
	}
	e.Sequence = int64(sequence)
	found, err = p.view(partExplanation, appendExplanationKey(room[:0], p.number, patient, e.Sequence), func(value []byte) bool {
		d := decode(value)
		e.At, e.ID = d.instant(), d.string()
		e.Data = append([]byte{}, d.rest()...)
		return !d.bad
	})
	switch {
	case err != nil:
		return Entry{}, false, err
	case !found:
		return Entry{}, false, corrupt(p.number, partID)
	case e.ID != id: // two ids of one hash
		return Entry{}, false, nil
	}
	return e, true, nil
}

var errSequence = errors.New("archive: explanations are numbered from 1")

// Explain stages an explanation: the entry, its place in the order of its patient's and by its id, its
// place in the outbox, where explanations get the next numbers in the order of the calls, and the mark by
// which the audit expects an alert. The machine's. Everything is copied. A transition's id is explained
// once; of two entries with one id, Explanation finds the later.
func (b *Batch) Explain(patient string, e Entry) {
	if b.err != nil {
		return
	}
	switch {
	case !legalPatient(patient):
		b.fail(ErrPatientID)
		return
	case e.Sequence < 1:
		b.fail(errSequence)
		return
	}
	r := b.room
	n := b.p.number
	r.key = appendExplanationKey(r.key[:0], n, patient, e.Sequence)
	r.value = e.appendTo(r.value[:0])
	b.set(r.key, r.value)
	r.key = appendIDKey(r.key[:0], n, patient, e.ID)
	r.value = binary.AppendUvarint(append(r.value[:0], codecVersion), uint64(e.Sequence))
	b.set(r.key, r.value)
	r.key = appendNumberKey(r.key[:0], n, familyOutbox, b.outbox)
	r.value = binary.AppendUvarint(append(r.value[:0], codecVersion), uint64(e.Sequence))
	r.value = appendString(r.value, patient)
	b.set(r.key, r.value)
	b.outbox++
	r.expected = append(r.expected, expected{patient, e.ID, e.At})
}
