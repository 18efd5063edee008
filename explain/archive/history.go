package archive

import (
	"encoding/binary"

	"github.com/vigil-cds/vigil/internal/clinical"
)

// History calls f with the facts records of a patient in order of offset, up to and including through
// (math.MaxInt64: all), and with the partition clock at each. value is the record as the log had it, valid
// during the call only. Of a patient of whom nothing is kept there is none.
func (p *Partition) History(id string, through int64, f func(offset int64, clock clinical.Instant, value []byte) error) error {
	return p.HistoryFrom(id, 0, through, f)
}

// HistoryFrom is History of the offsets from from to through, both included.
func (p *Partition) HistoryFrom(id string, from, through int64, f func(offset int64, clock clinical.Instant, value []byte) error) error {
	if from = max(from, 0); from > through || !legalPatient(id) {
		return p.archive.gate.open()
	}
	lower, upper := p.partRange(id, partRecord, from, through)
	prefix := len(lower) - 8
	return p.scan(partRecord, lower, upper, func(key, value []byte) (bool, error) {
		offset, ok := numberOf(key[prefix:])
		d := decode(value)
		clock := d.instant()
		if !ok || d.bad {
			return false, corrupt(p.number, partRecord)
		}
		return true, f(int64(offset), clock, d.rest())
	})
}

// partRange is the bounds of what lies under the numbers from first to last, both included, in a part of
// a patient's history.
func (p *Partition) partRange(id string, part byte, first, last int64) (lower, upper []byte) {
	room := make([]byte, 0, 2*(head+len(id)+2+8))
	room = appendPart(room, p.number, id, part)
	room = binary.BigEndian.AppendUint64(room, uint64(first))
	n := len(room)
	room = appendPart(room, p.number, id, part)
	// Numbers are signed, so that one more than the last of them has a key too.
	room = binary.BigEndian.AppendUint64(room, uint64(last)+1)
	return room[:n:n], room[n:]
}

// History stages a facts record about a patient, with the partition clock at it. The machine's. The value
// is copied; staging an offset again replaces what it had.
func (b *Batch) History(patient string, offset int64, clock clinical.Instant, value []byte) {
	if b.err != nil {
		return
	}
	if !legalPatient(patient) {
		b.fail(ErrPatientID)
		return
	}
	var room [1 + binary.MaxVarintLen64]byte
	before := binary.AppendVarint(append(room[:0], codecVersion), int64(clock))
	r := b.room
	r.key = appendRecordKey(r.key[:0], b.p.number, patient, offset)
	// Records are most of what is written: they go straight to where the batch has them.
	op := b.pebble.SetDeferred(len(r.key), len(before)+len(value))
	copy(op.Key, r.key)
	copy(op.Value[copy(op.Value, before):], value)
	b.finish(op)
}
