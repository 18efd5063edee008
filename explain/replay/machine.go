package replay

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/vigil-cds/vigil/explain/archive"
	"github.com/vigil-cds/vigil/internal/clinical"
)

// ErrOtherEvaluator is returned where the archive was made by a program that evaluated otherwise: what it
// says could be neither continued nor trusted.
var ErrOtherEvaluator = errors.New("the explain archive was made by another version of the evaluator: remove its directory, and it is replayed from the start of the log")

// Options say how a machine works.
type Options struct {
	Sets  *Sets
	Topic string // the facts topic, which explanations name
	// Partition is where a patient's records belong; a record elsewhere says nothing.
	Partition func(patient string) int32
	// Facts is the most facts shown of one term's window; 0 is DefaultFacts.
	Facts int
	// Charts keeps patients decoded between two batches; nil keeps none. Machines may share one.
	Charts *Charts
	// Yield is called between two patients, so that whoever waits for a core gets it; nil: nobody does.
	Yield func()
	// Explained is called for each transition; RefusedActivation when a set in the log does not compile.
	// Nil functions are not called.
	Explained         func(rule, kind string)
	RefusedActivation func(hash string, err error)
}

// Machine follows one partition of the facts log: it finds every transition by the reference evaluator
// alone, and puts it into the archive with its reasons.
//
// Records are taken in batches. A patient's transitions depend on nothing but the patient's own records,
// the partition clock, which is the running maximum of the recorded times, and the activations of rule
// sets. So a batch is cut by patient, and each is brought forward alone, read and written once. The
// archive is the same however the log was cut, but for when explanations of different patients come
// out. Its methods are for one goroutine at a time; after an error the machine is of no more use.
type Machine struct {
	partition int32
	part      *archive.Partition
	sets      *Sets
	options   Options
	state     archive.State
	stored    []byte // scratch: the stored form of the last explanation
}

// NewMachine goes on where the archive's partition stands.
func NewMachine(partition int32, a *archive.Archive, o Options) (*Machine, error) {
	part, err := a.Partition(partition)
	if err != nil {
		return nil, fmt.Errorf("explaining partition %d: %w", partition, err)
	}
	if o.Facts == 0 {
		o.Facts = DefaultFacts
	}
	if o.Charts == nil {
		o.Charts = NewCharts(0)
	}
	if o.Yield == nil {
		o.Yield = func() {}
	}
	return &Machine{partition: partition, part: part, sets: o.Sets, options: o, state: part.State()}, nil
}

// Entry is a record of the facts log.
type Entry struct {
	Offset int64
	Key    string
	Value  []byte // not kept
}

// entry is one that is being followed.
type entry struct {
	Entry
	record *clinical.Record
	clock  clinical.Instant // of the partition, with this record
}

// Apply follows consecutive records of the log, and returns how many facts they stated. Entries at or
// below the archive's position are passed over. Patients about whom the batch says nothing are left for
// Follow.
func (m *Machine) Apply(ctx context.Context, batch []Entry) (facts int, err error) {
	b := m.part.Begin()
	defer b.Discard()
	about := make(map[string][]*entry)
	for _, raw := range batch {
		if raw.Offset <= m.state.Facts {
			continue
		}
		e := &entry{Entry: raw, record: m.decode(raw)}
		e.clock = max(m.state.Clock, e.record.Recorded)
		m.state.Facts, m.state.Clock = e.Offset, e.clock
		answered, repeat := clinical.Answered{Last: m.state.Events, Missing: m.state.Missing}.Take(e.record.EventOffset)
		m.state.Events, m.state.Missing = answered.Last, answered.Missing
		switch {
		case repeat: // its event has had one
		case e.record.Activation != nil:
			m.activate(b, e)
		case len(e.record.Assertions) > 0:
			about[e.record.Patient] = append(about[e.record.Patient], e)
			for i := range e.record.Assertions {
				facts += len(e.record.Assertions[i].Facts)
			}
		}
	}
	ids := make([]string, 0, len(about))
	for id := range about {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for _, id := range ids {
		if ctx.Err() != nil {
			return 0, context.Cause(ctx)
		}
		m.options.Yield()
		if err := m.follow(b, id, about[id]); err != nil {
			return 0, fmt.Errorf("explaining partition %d: %w", m.partition, err)
		}
	}
	return facts, m.commit(b)
}

// follow brings one patient through records about it.
func (m *Machine) follow(b *archive.Batch, id string, entries []*entry) error {
	c, err := m.open(id)
	if err != nil {
		return err
	}
	c.batch = b
	for _, e := range entries {
		if c.patient.Records == 0 {
			err = c.begin(e.Offset)
		} else {
			err = c.forward(e.Offset, e.clock)
		}
		if err != nil {
			return err
		}
		c.state(e)
	}
	c.close()
	return nil
}

// Follow brings up to limit patients forward whose time has come, or whom an activation has not reached;
// more says whether there are others.
func (m *Machine) Follow(ctx context.Context, limit int) (more bool, err error) {
	due, err := m.part.Due(m.state.Clock, limit)
	if err != nil {
		return false, fmt.Errorf("explaining partition %d: %w", m.partition, err)
	}
	if rest := limit - len(due); m.state.Sweeping && rest > 0 {
		swept, err := m.part.Patients(m.state.Sweep, rest)
		if err != nil {
			return false, fmt.Errorf("explaining partition %d: %w", m.partition, err)
		}
		if len(swept) > 0 {
			m.state.Sweep = swept[len(swept)-1]
		}
		if len(swept) < rest {
			m.state.Sweeping, m.state.Sweep = false, ""
		}
		due = append(due, swept...)
	}
	more = len(due) == limit
	if !more && !m.state.Sweeping && m.state.Followed == m.state.Clock && len(due) == 0 {
		return false, nil
	}
	b := m.part.Begin()
	defer b.Discard()
	slices.Sort(due)
	for _, id := range slices.Compact(due) {
		if ctx.Err() != nil {
			return false, context.Cause(ctx)
		}
		m.options.Yield()
		c, err := m.open(id)
		if err == nil {
			c.batch = b
			err = c.forward(m.state.Facts, m.state.Clock)
		}
		if err != nil {
			return false, fmt.Errorf("explaining partition %d: %w", m.partition, err)
		}
		c.close()
	}
	if !more && !m.state.Sweeping {
		m.state.Followed = m.state.Clock
	}
	return more || m.state.Sweeping, m.commit(b)
}

func (m *Machine) commit(b *archive.Batch) error {
	b.SetState(m.state)
	if err := b.Commit(); err != nil {
		return fmt.Errorf("explaining partition %d: %w", m.partition, err)
	}
	m.state = m.part.State()
	return nil
}

// decode reads a record. One that is none, or that lies where it does not belong, says nothing, as in the
// engine.
func (m *Machine) decode(raw Entry) *clinical.Record {
	rec, err := clinical.UnmarshalRecord(raw.Value)
	if err != nil || len(raw.Value) == 0 {
		return &clinical.Record{Recorded: clinical.Never, EventOffset: -1}
	}
	control := rec.Tick || rec.Activation != nil || rec.Patient == ""
	if !control && (rec.Patient != raw.Key || m.options.Partition(raw.Key) != m.partition) {
		return &clinical.Record{Recorded: clinical.Never, EventOffset: -1}
	}
	rec.Patient = strings.Clone(rec.Patient)
	return rec
}

// activate makes a rule set the one that is used from here on. One that does not compile is passed over,
// as the engine does.
func (m *Machine) activate(b *archive.Batch, e *entry) {
	a := e.record.Activation
	if n := len(m.state.Activations); n > 0 && m.state.Activations[n-1].Hash == a.Hash {
		return
	}
	if _, err := m.sets.Add(a); err != nil {
		if m.options.RefusedActivation != nil {
			m.options.RefusedActivation(a.Hash, err)
		}
		return
	}
	b.RuleSet(a.Hash, e.Value)
	m.state.Activations = append(slices.Clone(m.state.Activations), archive.Activation{Offset: e.Offset, At: e.clock, Hash: a.Hash})
	m.state.Sweeping, m.state.Sweep = true, ""
}
