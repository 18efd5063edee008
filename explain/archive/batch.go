package archive

import (
	"encoding/binary"

	"github.com/cockroachdb/pebble/v2"

	"github.com/vigil-cds/vigil/internal/clinical"
)

// Batch collects changes and commits them as one. It is for one goroutine. Nobody sees anything of it
// before Commit. An error of a method without one is kept and returned by Commit.
type Batch struct {
	p      *Partition
	pebble *pebble.Batch // nil once it is committed or discarded
	err    error

	machine *State // SetState
	auditor *State // SetAlerts
	outgoing,
	diverged uint64

	key, value []byte
}

// Begin opens a batch. It must be committed or discarded, before the archive is closed.
func (p *Partition) Begin() *Batch {
	b := &Batch{p: p, outgoing: p.State().Outbox}
	if b.err = p.archive.enter(); b.err == nil {
		b.pebble = p.archive.db.NewBatch()
		p.archive.leave()
	}
	return b
}

func (b *Batch) set() {
	if b.err == nil {
		b.err = b.pebble.Set(b.key, b.value, nil)
	}
}

func (b *Batch) delete() {
	if b.err == nil {
		b.err = b.pebble.Delete(b.key, nil)
	}
}

// History keeps a record of the facts log about a patient. It is the machine's.
func (b *Batch) History(patient string, offset int64, clock clinical.Instant, value []byte) {
	b.legal(patient)
	b.key = binary.BigEndian.AppendUint64(appendPatient(b.key[:0], b.p.number, familyHistory, patient), uint64(offset))
	b.value = append(appendTime(b.value[:0], clock), value...)
	b.set()
}

func (b *Batch) legal(patient string) {
	if b.err == nil && !legalPatient(patient) {
		b.err = ErrPatientID
	}
}

// Put keeps a patient, of whom was tells what was kept before; nil for a new one. It is the machine's.
func (b *Batch) Put(p, was *Patient) {
	b.legal(p.ID)
	b.key = append(appendFamily(b.key[:0], b.p.number, familyPatients), p.ID...)
	b.value = p.appendTo(b.value[:0])
	b.set()
	old := clinical.Forever
	if was != nil {
		old = was.Due
	}
	if old == p.Due {
		return
	}
	if old != clinical.Forever {
		b.due(old, p.ID)
		b.delete()
	}
	if p.Due != clinical.Forever {
		b.due(p.Due, p.ID)
		b.value = b.value[:0]
		b.set()
	}
}

func (b *Batch) due(at clinical.Instant, patient string) {
	b.key = append(appendInstant(appendFamily(b.key[:0], b.p.number, familyDue), at), patient...)
}

// Explain keeps an explained transition, to be found by its id, to be published, and to be matched with
// its alert. It is the machine's.
func (b *Batch) Explain(patient string, e Entry, facts int64) {
	b.legal(patient)
	b.key = binary.BigEndian.AppendUint64(appendPatient(b.key[:0], b.p.number, familyExplanations, patient), uint64(e.Sequence))
	b.value = appendEntry(b.value[:0], &e)
	b.set()
	b.key = appendID(b.key[:0], b.p.number, e.ID)
	b.value = binary.BigEndian.AppendUint64(b.value[:0], uint64(e.Sequence))
	b.set()
	b.key = appendNumbered(b.key[:0], b.p.number, familyOutbox, b.outgoing)
	b.value = appendBytes(appendBytes(append(b.value[:0], codecVersion), patient), e.Data)
	b.set()
	b.outgoing++
	b.key = append(appendFamily(b.key[:0], b.p.number, familyExpected), e.ID...)
	b.value = appendMark(b.value[:0], &Mark{Facts: facts, At: e.At, Patient: patient})
	b.set()
}

// RuleSet keeps the stored form of a set. It is the machine's.
func (b *Batch) RuleSet(hash string, data []byte) {
	b.key = append(appendFamily(b.key[:0], global, familyRuleSets), hash...)
	b.value = append(b.value[:0], data...)
	b.set()
}

// SetState moves the machine's part of the state, but for Outbox, which Explain moves.
func (b *Batch) SetState(s State) { b.machine = &s }

// Sent drops what has been published, up to and including a number. It is the publisher's.
func (b *Batch) Sent(through uint64) {
	if b.err == nil {
		b.err = b.pebble.DeleteRange(appendNumbered(nil, b.p.number, familyOutbox, 0), appendNumbered(nil, b.p.number, familyOutbox, through+1), nil)
	}
}

// Alert marks an alert. It is the auditor's, as is everything below.
func (b *Batch) Alert(m Mark) {
	b.key = append(appendFamily(b.key[:0], b.p.number, familyAlerts), m.ID...)
	b.value = appendMark(b.value[:0], &m)
	b.set()
}

// Settle drops both marks of a transition.
func (b *Batch) Settle(id string) {
	for _, family := range []byte{familyExpected, familyAlerts} {
		b.key = append(appendFamily(b.key[:0], b.p.number, family), id...)
		b.delete()
	}
}

// SetAlerts moves the auditor's part of the state: where it reads on, and how many more were matched.
func (b *Batch) SetAlerts(next, matched int64) { b.auditor = &State{Alerts: next, Matched: matched} }

// Diverge keeps a divergence.
func (b *Batch) Diverge(rule string, data []byte) {
	number := uint64(b.p.divergences.Load()) + b.diverged
	b.key = appendNumbered(b.key[:0], b.p.number, familyDivergences, number)
	b.value = appendBytes(appendBytes(append(b.value[:0], codecVersion), rule), data)
	b.set()
	b.diverged++
}

// Commit makes the batch visible, without waiting for the disk, and publishes the state.
func (b *Batch) Commit() error {
	defer b.Discard()
	if b.err != nil {
		return b.err
	}
	p := b.p
	if err := p.archive.enter(); err != nil {
		return err
	}
	defer p.archive.leave()
	p.mu.Lock()
	defer p.mu.Unlock()
	next := p.State()
	if b.machine != nil {
		alerts, matched := next.Alerts, next.Matched
		next = *b.machine
		next.Alerts, next.Matched, next.Outbox = alerts, matched, b.outgoing
		b.key, b.value = appendFamily(b.key[:0], p.number, familyState), next.appendMachine(b.value[:0])
		b.set()
	}
	if b.auditor != nil {
		next.Alerts, next.Matched = b.auditor.Alerts, next.Matched+b.auditor.Matched
		b.key, b.value = appendFamily(b.key[:0], p.number, familyAuditor), next.appendAuditor(b.value[:0])
		b.set()
	}
	if b.err == nil {
		b.err = b.pebble.Commit(pebble.NoSync)
	}
	if b.err != nil {
		return fault("write", p.number, familyState, b.err)
	}
	p.state.Store(&next)
	p.divergences.Add(int64(b.diverged))
	if b.machine != nil {
		close(p.changed)
		p.changed = make(chan struct{})
	}
	return nil
}

// Discard drops a batch that was not committed.
func (b *Batch) Discard() {
	if b.pebble != nil {
		_ = b.pebble.Close() // of a batch in memory: there is nothing that could fail
		b.pebble = nil
	}
}
