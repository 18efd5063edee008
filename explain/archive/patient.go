package archive

import (
	"cmp"
	"encoding/binary"
	"slices"

	"github.com/vigil-cds/vigil/internal/clinical"
)

// Patient is what is kept of a patient besides the history and the explanations: where the machine stands
// with it. It is small.
type Patient struct {
	ID       string
	Facts    int64            // offset of the last own record or activation that it was brought past; -1 none
	Clock    clinical.Instant // it is followed to here
	RuleSet  string           // under which the standing rules hold; "" none
	Standing []Standing       // rules that are true, by rule id and period
	Due      clinical.Instant // when time alone might change something; clinical.Forever: never
	Sequence int64            // of the last explanation; 0 none
	Head     [32]byte         // its hash
	Records  int64            // how many facts records the history has
}

// Standing is a rule that is true.
type Standing struct {
	Rule     string
	Period   clinical.Instant // the start of the one for which it holds; clinical.Never of a rule about the patient
	Since    clinical.Instant
	Severity uint8
	Sequence int64 // of the explanation that fired it
}

// Stands finds a rule among those that stand, and where it is or would be.
func (p *Patient) Stands(rule string, period clinical.Instant) (int, bool) {
	return slices.BinarySearchFunc(p.Standing, rule, func(s Standing, rule string) int {
		return cmp.Or(cmp.Compare(s.Rule, rule), cmp.Compare(s.Period, period))
	})
}

// appendTo begins with the due instant, which Batch.Put asks for alone.
func (p *Patient) appendTo(b []byte) []byte {
	b = append(b, codecVersion)
	b = binary.AppendVarint(b, int64(p.Due))
	b = binary.AppendVarint(b, p.Facts)
	b = binary.AppendVarint(b, int64(p.Clock))
	b = binary.AppendVarint(b, p.Sequence)
	b = binary.AppendVarint(b, p.Records)
	if p.Head == [32]byte{} {
		b = binary.AppendUvarint(b, 0)
	} else {
		b = binary.AppendUvarint(b, uint64(len(p.Head)))
		b = append(b, p.Head[:]...)
	}
	b = appendString(b, p.RuleSet)
	b = binary.AppendUvarint(b, uint64(len(p.Standing)))
	for i := range p.Standing {
		s := &p.Standing[i]
		b = appendString(b, s.Rule)
		b = binary.AppendVarint(b, int64(s.Period))
		b = binary.AppendVarint(b, int64(s.Since))
		b = append(b, s.Severity)
		b = binary.AppendVarint(b, s.Sequence)
	}
	return b
}

// decode sets all but the ID.
func (p *Patient) decode(b []byte) bool {
	d := decode(b)
	p.Due, p.Facts, p.Clock = d.instant(), d.varint(), d.instant()
	p.Sequence, p.Records = d.varint(), d.varint()
	switch hash := d.bytes(); len(hash) {
	case 0:
	case len(p.Head):
		copy(p.Head[:], hash)
	default:
		return false
	}
	p.RuleSet = d.string()
	if n := d.count(); n > 0 {
		p.Standing = make([]Standing, n)
		for i := range p.Standing {
			p.Standing[i] = Standing{Rule: d.string(), Period: d.instant(), Since: d.instant(), Severity: d.byte(), Sequence: d.varint()}
		}
	}
	return d.done()
}

// Patient reads where a patient stands. The caller owns it. False when nothing was ever put of it.
func (p *Partition) Patient(id string) (*Patient, bool, error) {
	var room [128]byte
	pt := &Patient{ID: id}
	found, err := p.view(familyPatient, appendPatientKey(room[:0], p.number, id), pt.decode)
	if err != nil || !found {
		return nil, false, err
	}
	return pt, true, nil
}

// Patients lists the ids of the patients after the given one, ascending, at most limit of them; "" begins
// with the first.
func (p *Partition) Patients(after string, limit int) (ids []string, err error) {
	if limit <= 0 {
		return nil, nil
	}
	lower, upper := familyRange(p.number, familyPatient)
	if after != "" {
		lower = append(append(lower, after...), 0)
	}
	err = p.scan(familyPatient, lower, upper, func(key, _ []byte) (bool, error) {
		ids = append(ids, string(key[head:]))
		return len(ids) < limit, nil
	})
	return ids, err
}

// Put stages where a patient stands, and moves it in the order of the due patients. The machine's. The
// caller may change pt afterwards.
func (b *Batch) Put(pt *Patient) {
	if b.err != nil {
		return
	}
	if !legalPatient(pt.ID) {
		b.fail(ErrPatientID)
		return
	}
	r := b.room
	r.key = appendPatientKey(r.key[:0], b.p.number, pt.ID)
	if err := b.moveDue(pt.ID, r.key, pt.Due); err != nil {
		b.fail(err)
		return
	}
	r.key = appendPatientKey(r.key[:0], b.p.number, pt.ID)
	r.value = pt.appendTo(r.value[:0])
	b.set(r.key, r.value)
}
