package archive

import (
	"encoding/binary"

	"github.com/vigil-cds/vigil/internal/clinical"
)

// Mark is a transition that was explained and whose alert has not been seen.
type Mark struct {
	ID      string // of the transition
	Patient string
	Facts   int64            // offset of the facts record at which it was found
	At      clinical.Instant // of the transition
}

func (m *Mark) appendTo(b []byte) []byte {
	b = append(b, codecVersion)
	b = binary.AppendVarint(b, m.Facts)
	b = binary.AppendVarint(b, int64(m.At))
	return appendString(b, m.Patient)
}

// expected is a mark that gets its Facts when the batch is committed.
type expected struct {
	patient, id string
	at          clinical.Instant
}

// Expected calls f with the marks of the transitions that were explained and are not settled, by id. Facts
// is State.Facts as the explaining batch left it.
func (p *Partition) Expected(f func(Mark) error) error {
	lower, upper := familyRange(p.number, familyExpected)
	return p.scan(familyExpected, lower, upper, func(key, value []byte) (bool, error) {
		d := decode(value)
		m := Mark{ID: string(key[head:]), Facts: d.varint(), At: d.instant(), Patient: d.string()}
		if !d.done() {
			return false, corrupt(p.number, familyExpected)
		}
		return true, f(m)
	})
}

// Awaited says whether the alert of an explained transition has not been seen.
func (p *Partition) Awaited(id string) (bool, error) {
	var room [128]byte
	return p.view(familyExpected, appendMarkKey(room[:0], p.number, id), func([]byte) bool { return true })
}

// await stages the mark of a transition that waits for its alert.
func (b *Batch) await(m *Mark) {
	if b.err != nil {
		return
	}
	r := b.room
	r.key = appendMarkKey(r.key[:0], b.p.number, m.ID)
	r.value = m.appendTo(r.value[:0])
	b.set(r.key, r.value)
}

// Settle stages the removal of a transition's mark, if there is one. The auditor's.
func (b *Batch) Settle(id string) {
	if b.err != nil {
		return
	}
	r := b.room
	r.key = appendMarkKey(r.key[:0], b.p.number, id)
	b.delete(r.key)
}

// SetAlerts stages how far the auditor has read the alerts, State.Alerts, and adds to State.Matched. The
// auditor's.
func (b *Batch) SetAlerts(next, matched int64) {
	if b.err == nil {
		b.audited, b.alerts, b.matched = true, next, b.matched+matched
	}
}
