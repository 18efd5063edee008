package archive

import (
	"encoding/binary"

	"github.com/vigil-cds/vigil/internal/clinical"
)

// Mark is one side of a transition that the audit has yet to settle.
type Mark struct {
	ID      string // of the transition
	Patient string
	Facts   int64            // offset of the facts record at which it was found
	At      clinical.Instant // of the transition
	Data    []byte           // of an alert that came: as it came; of an expected one: nil
}

func (m *Mark) appendTo(b []byte) []byte {
	b = append(b, codecVersion)
	b = binary.AppendVarint(b, m.Facts)
	b = binary.AppendVarint(b, int64(m.At))
	b = appendString(b, m.Patient)
	return append(b, m.Data...)
}

// expected is a mark that gets its Facts when the batch is committed.
type expected struct {
	patient, id string
	at          clinical.Instant
}

// Expected calls f with the marks of the transitions that were explained and are not settled, by id. Facts
// is State.Facts as the explaining batch left it; Data is nil.
func (p *Partition) Expected(f func(Mark) error) error { return p.marks(familyExpected, f) }

// Alerted calls f with the marks of the alerts that came and are not settled, by id. Data is valid during
// the call only.
func (p *Partition) Alerted(f func(Mark) error) error { return p.marks(familyAlerted, f) }

// Awaited says whether the alert of an explained transition has not been seen.
func (p *Partition) Awaited(id string) (bool, error) {
	var room [128]byte
	return p.view(familyExpected, appendMarkKey(room[:0], p.number, familyExpected, id), func([]byte) bool { return true })
}

func (p *Partition) marks(family byte, f func(Mark) error) error {
	lower, upper := familyRange(p.number, family)
	return p.scan(family, lower, upper, func(key, value []byte) (bool, error) {
		d := decode(value)
		m := Mark{ID: string(key[head:]), Facts: d.varint(), At: d.instant(), Patient: d.string()}
		if d.bad {
			return false, corrupt(p.number, family)
		}
		if data := d.rest(); len(data) > 0 {
			m.Data = data
		}
		return true, f(m)
	})
}

// Alert stages the mark of an alert that came. The auditor's. Everything is copied; a second alert of one
// id replaces the first.
func (b *Batch) Alert(m Mark) { b.mark(familyAlerted, &m) }

func (b *Batch) mark(family byte, m *Mark) {
	if b.err != nil {
		return
	}
	r := b.room
	r.key = appendMarkKey(r.key[:0], b.p.number, family, m.ID)
	r.value = m.appendTo(r.value[:0])
	b.set(r.key, r.value)
}

// Settle stages the removal of both marks of a transition, whichever there are. The auditor's.
func (b *Batch) Settle(id string) {
	if b.err != nil {
		return
	}
	r := b.room
	for _, family := range [...]byte{familyExpected, familyAlerted} {
		r.key = appendMarkKey(r.key[:0], b.p.number, family, id)
		b.delete(r.key)
	}
}

// SetAlerts stages how far the auditor has read the alerts, State.Alerts, and adds to State.Matched. The
// auditor's.
func (b *Batch) SetAlerts(next, matched int64) {
	if b.err == nil {
		b.audited, b.alerts, b.matched = true, next, b.matched+matched
	}
}
