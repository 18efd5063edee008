package archive

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/vigil-cds/vigil/internal/clinical"
)

// Partition is one partition of the facts log, archived.
type Partition struct {
	archive *Archive
	number  int32
	state   atomic.Pointer[State]

	mu          sync.Mutex    // guards what follows, and the order of commits
	changed     chan struct{} // closed, and made anew, at each commit of the machine
	divergences atomic.Int64
}

// open reads the state of the last commit that survived.
func (p *Partition) open() error {
	s := &State{Facts: -1, Events: -1, Clock: clinical.Never, Followed: clinical.Never}
	for family, read := range map[byte]func([]byte) bool{familyState: s.decodeMachine, familyAuditor: s.decodeAuditor} {
		value, err := p.archive.get(appendFamily(nil, p.number, family))
		if err != nil {
			return fault("read", p.number, family, err)
		}
		if value != nil && !read(value) {
			return corrupt(p.number, family)
		}
	}
	p.state.Store(s)
	n := int64(0)
	err := p.archive.scan(p.number, familyDivergences, nil, nil, func(_, _ []byte) error { n++; return nil })
	p.divergences.Store(n)
	return err
}

// State is where the partition stands after the last commit.
func (p *Partition) State() State { return *p.state.Load() }

// Wait returns when State().Facts is at least facts, or ErrNotReached when ctx ends first.
func (p *Partition) Wait(ctx context.Context, facts int64) error {
	for {
		p.mu.Lock()
		changed := p.changed
		p.mu.Unlock()
		if p.State().Facts >= facts {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return fmt.Errorf("%w: partition %d is at %d: %w", ErrNotReached, p.number, p.State().Facts, context.Cause(ctx))
		}
	}
}

// Patient reads what is kept of a patient; false when the log has said nothing about one of this id.
func (p *Partition) Patient(id string) (*Patient, bool, error) {
	if err := p.archive.enter(); err != nil {
		return nil, false, err
	}
	defer p.archive.leave()
	value, err := p.archive.get(append(appendFamily(nil, p.number, familyPatients), id...))
	if err != nil {
		return nil, false, fault("read", p.number, familyPatients, err)
	}
	if value == nil {
		return nil, false, nil
	}
	patient, ok := decodePatient(id, value)
	if !ok {
		return nil, false, corrupt(p.number, familyPatients)
	}
	return patient, true, nil
}

// Patients lists the ids after the given one, ascending, at most limit of them.
func (p *Partition) Patients(after string, limit int) (ids []string, err error) {
	var from []byte
	if after != "" {
		from = append([]byte(after), 0)
	}
	err = p.archive.scan(p.number, familyPatients, from, nil, func(key, _ []byte) error {
		if len(ids) == limit {
			return errEnough
		}
		ids = append(ids, string(key))
		return nil
	})
	return ids, err
}

// Due lists up to limit patients for whom time alone may change something up to an instant, the earliest
// first.
func (p *Partition) Due(until clinical.Instant, limit int) (ids []string, err error) {
	to := appendInstant(nil, until)
	err = p.archive.scan(p.number, familyDue, nil, nil, func(key, _ []byte) error {
		if len(key) < 8 {
			return corrupt(p.number, familyDue)
		}
		if len(ids) == limit || bytes.Compare(key[:8], to) > 0 {
			return errEnough
		}
		ids = append(ids, string(key[8:]))
		return nil
	})
	return ids, err
}

// NextDue is the earliest instant at which time alone may change something for any patient.
func (p *Partition) NextDue() (due clinical.Instant, ok bool, err error) {
	err = p.archive.scan(p.number, familyDue, nil, nil, func(key, _ []byte) error {
		if len(key) < 8 {
			return corrupt(p.number, familyDue)
		}
		due, ok = instantOf(key), true
		return errEnough
	})
	return due, ok, err
}

// History calls f with the records about a patient, in the order of the log, up to and including an
// offset, each with the partition clock at it. The value is valid during the call.
func (p *Partition) History(id string, through int64, f func(offset int64, clock clinical.Instant, value []byte) error) error {
	if !legalPatient(id) {
		return ErrPatientID
	}
	head := append([]byte(id), 0)
	to := binary.BigEndian.AppendUint64(slices.Clone(head), uint64(through)+1)
	return p.archive.scan(p.number, familyHistory, head, to, func(key, value []byte) error {
		offset, ok := numberOf(key)
		clock, n := binary.Varint(value)
		if !ok || n <= 0 {
			return corrupt(p.number, familyHistory)
		}
		return f(int64(offset), clinical.Instant(clock), value[n:])
	})
}

// Explanations calls f with up to limit explained transitions of a patient in their order: those with
// from <= At <= to and a Sequence above after.
func (p *Partition) Explanations(patient string, from, to clinical.Instant, after int64, limit int, f func(Entry) error) error {
	if !legalPatient(patient) {
		return ErrPatientID
	}
	head := append([]byte(patient), 0)
	lower := binary.BigEndian.AppendUint64(slices.Clone(head), uint64(after)+1)
	return p.archive.scan(p.number, familyExplanations, lower, append([]byte(patient), 1), func(key, value []byte) error {
		number, ok := numberOf(key)
		if !ok {
			return corrupt(p.number, familyExplanations)
		}
		e, ok := decodeEntry(int64(number), value)
		switch {
		case !ok:
			return corrupt(p.number, familyExplanations)
		case e.At < from || e.At > to:
			return nil
		case limit == 0:
			return errEnough
		}
		limit--
		return f(e)
	})
}

// Explanation finds an explained transition by its id.
func (p *Partition) Explanation(patient, id string) (Entry, bool, error) {
	if err := p.archive.enter(); err != nil {
		return Entry{}, false, err
	}
	defer p.archive.leave()
	number, err := p.archive.get(appendID(nil, p.number, id))
	if err != nil {
		return Entry{}, false, fault("read", p.number, familyIDs, err)
	}
	if number == nil {
		return Entry{}, false, nil
	}
	if len(number) != 8 {
		return Entry{}, false, corrupt(p.number, familyIDs)
	}
	value, err := p.archive.get(append(appendPatient(nil, p.number, familyExplanations, patient), number...))
	if err != nil {
		return Entry{}, false, fault("read", p.number, familyExplanations, err)
	}
	e, ok := decodeEntry(int64(binary.BigEndian.Uint64(number)), value)
	if !ok {
		return Entry{}, false, corrupt(p.number, familyExplanations)
	}
	return e, true, nil
}

// Outgoing calls f with up to limit explanations that are to be published, in their order.
func (p *Partition) Outgoing(limit int, f func(number uint64, patient string, data []byte) error) error {
	return p.archive.scan(p.number, familyOutbox, nil, nil, func(key, value []byte) error {
		if limit == 0 {
			return errEnough
		}
		limit--
		number, ok := numberOf(key)
		d := decode(value)
		patient, data := d.string(), d.bytes()
		if !ok || !d.done() {
			return corrupt(p.number, familyOutbox)
		}
		return f(number, patient, data)
	})
}

// Expected calls f with the explained transitions whose alert has not been seen, by id.
func (p *Partition) Expected(f func(Mark) error) error { return p.marks(familyExpected, f) }

// Alerted calls f with the alerts whose explanation has not been seen, by id.
func (p *Partition) Alerted(f func(Mark) error) error { return p.marks(familyAlerts, f) }

func (p *Partition) marks(family byte, f func(Mark) error) error {
	return p.archive.scan(p.number, family, nil, nil, func(key, value []byte) error {
		m, ok := decodeMark(string(key), value)
		if !ok {
			return corrupt(p.number, family)
		}
		return f(m)
	})
}

// Divergences calls f with those that were found, in order.
func (p *Partition) Divergences(f func(Divergence) error) error {
	return p.archive.scan(p.number, familyDivergences, nil, nil, func(key, value []byte) error {
		number, ok := numberOf(key)
		d := decode(value)
		v := Divergence{Number: number, Rule: d.string(), Data: d.bytes()}
		if !ok || !d.done() {
			return corrupt(p.number, familyDivergences)
		}
		return f(v)
	})
}

// DivergenceCount is how many divergences were found.
func (p *Partition) DivergenceCount() int64 { return p.divergences.Load() }
