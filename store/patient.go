package store

import (
	"cmp"
	"slices"
	"sync/atomic"
	"unsafe"

	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/pointer"
	"github.com/vigil-cds/vigil/rules"
)

// Patient is an immutable snapshot of what the store holds of one patient at one position of the log. The
// owner of a partition makes the next one by changing a copy and putting that (Batch.Put).
type Patient struct {
	ID      string
	Known   bool             // the log has said something about this patient
	Row     *pointer.Row     // nil: none yet
	History *pointer.History // never nil; all of it, or what the row needs: see Complete
	Meta    Meta

	partial bool
	memory  *atomic.Pointer[memo] // shared by copies, renewed by Put and Assert
}

// Complete reports whether History is all of the patient's facts and not only what the row needs.
func (p *Patient) Complete() bool { return !p.partial }

// Meta is what the store keeps of a patient besides row and facts.
type Meta struct {
	Changed  clinical.Instant // partition clock at the last change of row or facts; a read of an earlier instant goes to the facts
	Facts    int64            // offset of the last record that changed this patient; -1 none
	Due      clinical.Instant // when the patient's timer fires; Forever: it has none
	Standing []Standing       // the rules true at the last evaluation, in order (Standing.Compare)
}

// Standing is a rule that is true of a patient, or of one of the patient's periods.
type Standing struct {
	Rule     string
	Period   clinical.Instant // the start of the one; clinical.Never of a rule about the patient
	Since    clinical.Instant
	Severity rules.Severity
}

// Compare orders by rule and then by period.
func (s Standing) Compare(rule string, period clinical.Instant) int {
	return cmp.Or(cmp.Compare(s.Rule, rule), cmp.Compare(s.Period, period))
}

// Stands finds a rule among those that stand, and where it is or would be.
func (m *Meta) Stands(rule string, period clinical.Instant) (int, bool) {
	return slices.BinarySearchFunc(m.Standing, rule, func(s Standing, rule string) int { return s.Compare(rule, period) })
}

func (m *Meta) equal(o *Meta) bool {
	return m.Changed == o.Changed && m.Facts == o.Facts && m.Due == o.Due && slices.Equal(m.Standing, o.Standing)
}

// unknown is a patient of whom the log has said nothing.
func unknown(id string) *Patient {
	return &Patient{ID: id, History: noHistory, Meta: Meta{Changed: clinical.Never, Facts: -1, Due: clinical.Forever}, memory: new(atomic.Pointer[memo])}
}

var noHistory = pointer.NewHistory()

// memo is the last evaluation of a snapshot: its results hold for every instant from from up to until.
type memo struct {
	plan        *pointer.Plan
	from, until clinical.Instant
	results     []pointer.Result
}

// remembered is the last evaluation, or nil.
func (p *Patient) remembered() *memo { return p.memory.Load() }

// remember keeps an evaluation for the next reader of this snapshot.
func (p *Patient) remember(m *memo) { p.memory.Store(m) }

// next is a copy for the writer to keep: it has an evaluation of its own.
func (p *Patient) next() *Patient {
	n := *p
	n.memory = new(atomic.Pointer[memo])
	return &n
}

// size estimates the bytes that a snapshot keeps in memory. Details are shared and not counted.
func (p *Patient) size() int64 {
	const (
		fixed  = 768 // the snapshot, its place in the cache, an evaluation
		series = int64(unsafe.Sizeof(pointer.Series{})) + 16
		chunk  = int64(unsafe.Sizeof(pointer.Chunk{})) + 48
		entry  = int64(unsafe.Sizeof(pointer.Entry{}))
	)
	n := int64(fixed + 2*len(p.ID))
	for _, s := range p.History.Series() {
		n += series
		for _, c := range s.Chunks {
			n += chunk + entry*int64(cap(c.Entries))
		}
	}
	n += int64(len(p.Meta.Standing)) * int64(unsafe.Sizeof(Standing{}))
	if r := p.Row; r != nil {
		n += int64(unsafe.Sizeof(*r)) + scopeSize(&r.Scope)
		for i := range r.Periods {
			p := &r.Periods[i]
			n += int64(unsafe.Sizeof(*p)) + 8*int64(len(p.Facts)) + scopeSize(&p.Scope)
		}
	}
	return n
}

func scopeSize(s *pointer.Scope) int64 {
	n := int64(len(s.Rules))*int64(unsafe.Sizeof(pointer.RuleState{})) + int64(len(s.Atoms))*int64(unsafe.Sizeof(pointer.AtomState{}))
	for i := range s.Pointers {
		p := &s.Pointers[i]
		n += int64(unsafe.Sizeof(*p)) + 8*int64(len(p.Streams)) + int64(len(p.Value.Str))
	}
	return n
}
