package archive

import (
	"cmp"
	"sync"

	"github.com/vigil-cds/vigil/internal/clinical"
)

// due is a patient for whom time alone might change something at an instant. They are in order of
// (at, patient), like their keys.
type due struct {
	at      clinical.Instant
	patient string
}

// beforeAll and nobody are before and after every due patient.
var (
	beforeAll = due{at: clinical.Never}
	nobody    = due{at: clinical.Forever}
)

func (d due) before(o due) bool {
	if d.at != o.at {
		return d.at < o.at
	}
	return cmp.Less(d.patient, o.patient)
}

// dues keeps where the due patients of a partition begin, so that nothing walks over the tombstones of
// those that were followed.
type dues struct {
	mu      sync.Mutex
	first   due    // none is before it
	changed uint64 // how many commits have changed who is due
}

func (d *dues) reset() {
	d.mu.Lock()
	d.first = beforeAll
	d.changed++
	d.mu.Unlock()
}

func (d *dues) bound() (first due, changed uint64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.first, d.changed
}

// add is told of a commit, and of the earliest due patient in it.
func (d *dues) add(earliest due) {
	d.mu.Lock()
	if earliest.before(d.first) {
		d.first = earliest
	}
	d.changed++
	d.mu.Unlock()
}

// found is told that the first is now this one, by who has looked since the bound was as it says. A
// commit in between may have brought an earlier one.
func (d *dues) found(first due, changed uint64) {
	d.mu.Lock()
	if d.changed == changed {
		d.first = first
	}
	d.mu.Unlock()
}

// eachDue calls f with the due patients in order until it returns false.
func (p *Partition) eachDue(f func(due) bool) error {
	first, changed := p.dues.bound()
	lower := appendDueKey(nil, p.number, first)
	_, upper := familyRange(p.number, familyDue)
	now := nobody // the first there is
	err := p.scan(familyDue, lower, upper, func(key, _ []byte) (bool, error) {
		d, ok := dueOf(key[head:])
		if !ok {
			return false, corrupt(p.number, familyDue)
		}
		if now == nobody {
			now = d
		}
		return f(d), nil
	})
	if err == nil {
		p.dues.found(now, changed)
	}
	return err
}

// Due lists the patients whose Due is at or before until, the earliest first and by id where equal, at
// most limit of them. A goroutine other than the machine's may miss a patient that the machine is moving
// at this moment.
func (p *Partition) Due(until clinical.Instant, limit int) (ids []string, err error) {
	if limit <= 0 {
		return nil, nil
	}
	if first, _ := p.dues.bound(); first.at > until {
		return nil, p.archive.gate.open()
	}
	err = p.eachDue(func(d due) bool {
		if d.at > until {
			return false
		}
		ids = append(ids, d.patient)
		return len(ids) < limit
	})
	return ids, err
}

// NextDue is when the first patient is due; false when none is. A goroutine other than the machine's may
// miss a patient that the machine is moving at this moment.
func (p *Partition) NextDue() (at clinical.Instant, ok bool, err error) {
	err = p.eachDue(func(d due) bool {
		at, ok = d.at, true
		return false
	})
	return at, ok, err
}

// moveDue stages the moving of a patient from where the index has it.
func (b *Batch) moveDue(patient string, key []byte, to clinical.Instant) error {
	from, known := b.room.dues[patient]
	if !known {
		from = clinical.Forever
		_, err := b.p.peek(familyPatient, key, func(value []byte) bool {
			d := decode(value)
			from = d.instant()
			return !d.bad
		})
		if err != nil {
			return err
		}
	}
	b.room.dues[patient] = to
	if from == to {
		return nil
	}
	r := b.room
	if from != clinical.Forever {
		r.key = appendDueKey(r.key[:0], b.p.number, due{from, patient})
		b.delete(r.key)
	}
	if to != clinical.Forever {
		r.key = appendDueKey(r.key[:0], b.p.number, due{to, patient})
		b.set(r.key, nil)
		if d := (due{to, patient}); d.before(b.earliest) {
			b.earliest = d
		}
	}
	return nil
}
