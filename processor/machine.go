package processor

import (
	"errors"
	"fmt"
	"slices"

	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/internal/crashpoint"
	"github.com/vigil-cds/vigil/pointer"
	"github.com/vigil-cds/vigil/rules"
	"github.com/vigil-cds/vigil/store"
)

// Machine is one partition's deterministic state machine: the same facts log gives the same state and
// the same transitions at the same instants, live, after a crash and in a replay. It reads no clock: the
// log is the clock. Apply is for one goroutine at a time, the partition's owner.
type Machine struct {
	partition int32
	store     *store.Partition
	sets      *RuleSets
	observe   Observer

	plan *pointer.Plan // of the active rule set; nil before the first activation
	set  string        // its hash
}

// Observer is told what a machine does. Nil functions are not called. None of them may keep what it is given.
type Observer struct {
	// Transition is called for each rule that fires or clears.
	Transition func(*Transition)
	// Timers is called with the number of timers that a record made fire.
	Timers func(n int)
	// Unconvertible is called when a fact would belong to an input but for its unit.
	Unconvertible func(in *rules.Input, resource string, rec *clinical.Record, offset int64)
	// RefusedActivation is called when a rule set in the log does not compile; the old one stays.
	RefusedActivation func(hash string, err error)
}

// seqBits leaves room for a million facts in one record; the offset takes the rest of a sequence number.
const seqBits = 20

// Batches stay small whatever falls due at once: a long silence can leave every patient's timer behind.
const (
	timersPerBatch  = 1024
	sweepsPerRecord = 256
)

// NewMachine opens the state machine over a partition of the store.
func NewMachine(partition int32, p *store.Partition, sets *RuleSets, o Observer) (*Machine, error) {
	m := &Machine{partition: partition, store: p, sets: sets, observe: o}
	return m, m.use(p.State().RuleSet)
}

func (m *Machine) use(hash string) error {
	if hash == m.set {
		return nil
	}
	plan, err := m.sets.Plan(hash)
	if err != nil {
		return fmt.Errorf("partition %d: the active rule set: %w", m.partition, err)
	}
	m.plan, m.set = plan, hash
	return nil
}

// Apply applies the record at this offset of the facts log: timers that are due, then the record, in one
// batch. A record of an event that has had one states nothing. When the row of the record's own patient
// changes, set is called with its stored form inside the batch. A record at or below the position changes
// nothing, but set is called once more with the row as it stands, so that a table write lost in a crash
// heals. An error leaves the state as it was.
func (m *Machine) Apply(rec *clinical.Record, offset int64, set func(row []byte) error) error {
	state := m.store.State()
	if offset <= state.Facts {
		return m.again(rec, set)
	}
	clock := max(state.Clock, rec.Recorded)
	if err := m.sweep(rec.Activation != nil); err != nil {
		return err
	}
	b, err := m.fireDue(clock)
	if err != nil {
		return err
	}
	defer func() { b.Discard() }()
	state = m.store.State() // timers and the sweep have been committed on the way
	state.Facts, state.Clock = offset, clock
	answered, repeat := clinical.Answered{Last: state.Events, Missing: state.Missing}.Take(rec.EventOffset)
	state.Events, state.Missing = answered.Last, answered.Missing
	activated := ""
	switch {
	case repeat: // its event has had one
	case rec.Activation != nil:
		if activated, err = m.activate(b, rec.Activation, &state); err != nil {
			return err
		}
	case rec.Tick || len(rec.Assertions) == 0:
	default:
		if err := m.state(b, rec, offset, clock, set); err != nil {
			return err
		}
	}
	b.SetState(state)
	crashpoint.Pass(crashpoint.BeforeBatch)
	if err := b.Commit(); err != nil {
		return fmt.Errorf("partition %d: record %d: %w", m.partition, offset, err)
	}
	crashpoint.Pass(crashpoint.AfterBatch)
	if activated != "" {
		return m.use(activated)
	}
	return nil
}

func (m *Machine) again(rec *clinical.Record, set func([]byte) error) error {
	if set == nil || rec.Tick || rec.Activation != nil || rec.Patient == "" {
		return nil
	}
	b := m.store.Begin()
	defer b.Discard()
	p, err := b.Patient(rec.Patient)
	if err != nil || p.Row == nil {
		return err
	}
	return set(p.Row.AppendTo(nil))
}

// fireDue fires every timer due at or before clock, earliest first, each at its own instant, and
// returns the batch that holds the last of them.
func (m *Machine) fireDue(clock clinical.Instant) (*store.Batch, error) {
	b := m.store.Begin()
	if due, ok := m.store.NextDue(); !ok || due > clock {
		return b, nil
	}
	fired := 0
	full := errors.New("batch full")
	for {
		inBatch := 0
		var last clinical.Instant
		err := b.Due(clock, func(due clinical.Instant, patient string) error {
			if inBatch == timersPerBatch {
				return full
			}
			inBatch++
			last = due
			return m.fire(b, due, patient)
		})
		fired += inBatch
		if err == nil {
			break
		}
		if !errors.Is(err, full) {
			b.Discard()
			return nil, fmt.Errorf("partition %d: timers: %w", m.partition, err)
		}
		state := m.store.State()
		state.Clock = max(state.Clock, last)
		b.SetState(state)
		if err := b.Commit(); err != nil {
			return nil, fmt.Errorf("partition %d: timers: %w", m.partition, err)
		}
		b = m.store.Begin()
	}
	if m.observe.Timers != nil {
		m.observe.Timers(fired)
	}
	return b, nil
}

// fire evaluates a patient's live rules at the instant its timer was set for.
func (m *Machine) fire(b *store.Batch, due clinical.Instant, patient string) error {
	p, err := b.Patient(patient)
	if err != nil {
		return err
	}
	next := *p
	if err := m.migrate(b, &next); err != nil {
		return err
	}
	if err := m.pass(b, &next, due); err != nil {
		return err
	}
	b.Put(&next)
	return nil
}

// pass lets time go on for a patient, up to and including an instant, from one to the next at which a
// rule could change.
func (m *Machine) pass(b *store.Batch, p *store.Patient, to clinical.Instant) error {
	for p.Meta.Due <= to {
		if m.plan == nil {
			p.Meta.Due = clinical.Forever
			return nil
		}
		at := p.Meta.Due
		results := m.plan.Evaluate(nil, p.Row, p.History, at)
		if err := m.transitions(b, p, results, at, Cause{Kind: CauseTime}); err != nil {
			return err
		}
		p.Meta.Due = soonest(results)
	}
	return nil
}

// state applies the assertions of a record to its patient.
func (m *Machine) state(b *store.Batch, rec *clinical.Record, offset int64, clock clinical.Instant, set func([]byte) error) error {
	before, err := b.Patient(rec.Patient)
	if err != nil {
		return err
	}
	next := *before
	if before.Known {
		if err := m.migrate(b, &next); err != nil {
			return err
		}
		// The timer of a patient who was moved just now was not yet set when those that are due fired.
		if err := m.pass(b, &next, clock); err != nil {
			return err
		}
	}
	p := &next
	settled := p.History
	var touched []clinical.Stream
	var touchedIDs []clinical.StreamID
	order := uint64(offset) << seqBits
	for i := range rec.Assertions {
		a := &rec.Assertions[i]
		held := p.History
		after, ids, err := b.Assert(p, a, order)
		if err != nil {
			return err
		}
		p = after
		order += uint64(len(a.Facts))
		for _, id := range ids {
			s := p.History.Get(id)
			if s == nil {
				s = held.Get(id)
			}
			touched, touchedIDs = append(touched, s.Stream), append(touchedIDs, id)
		}
		if m.plan != nil && m.observe.Unconvertible != nil && len(ids) > 0 {
			m.report(a, rec, offset)
		}
	}
	if len(touched) == 0 && before.Known && p.Row == before.Row {
		b.Put(p)
		return nil
	}
	if m.plan != nil {
		history, settlings := m.plan.Settle(settled, p.History, touchedIDs)
		if p, err = b.Settle(p, history, settlings); err != nil {
			return err
		}
		for _, s := range settlings {
			touched = append(touched, s.Stream)
		}
	}
	changed := *p
	p = &changed
	p.Meta.Changed, p.Meta.Facts = clock, offset
	if m.plan != nil {
		whole := p.Row == nil
		row, results := m.plan.Fold(p.Row, p.History, clock, touched, whole)
		if whole {
			results = m.withBaseline(results, clock)
			p.Meta.Due = clinical.Forever
		}
		p.Row = row
		if err := m.transitions(b, p, results, clock, Cause{Kind: CauseFact, Offset: offset}); err != nil {
			return err
		}
		p.Meta.Due = min(p.Meta.Due, soonest(results))
		if p.Row != before.Row && set != nil {
			if err := set(p.Row.AppendTo(nil)); err != nil {
				return err
			}
		}
	}
	b.Put(p)
	return nil
}

func (m *Machine) report(a *clinical.Assertion, rec *clinical.Record, offset int64) {
	for i := range a.Facts {
		for _, in := range m.plan.Program.Unconvertible(&a.Facts[i]) {
			m.observe.Unconvertible(m.plan.Program.Inputs[in], a.Resource, rec, offset)
		}
	}
}

// withBaseline adds the rules that are true of every patient and that no fact of this one touches.
func (m *Machine) withBaseline(results []pointer.Result, _ clinical.Instant) []pointer.Result {
	touched := len(results)
	for _, i := range m.plan.BaselineTrue() {
		_, found := slices.BinarySearchFunc(results[:touched], i, func(r pointer.Result, i int32) int { return int(r.Rule - i) })
		if !found {
			results = append(results, pointer.Result{Rule: i, Period: clinical.Never, Truth: rules.True, Until: clinical.Forever})
		}
	}
	return results
}

func (m *Machine) activate(b *store.Batch, a *clinical.Activation, state *store.State) (string, error) {
	if a.Hash == state.RuleSet {
		return "", nil
	}
	if _, err := m.sets.Add(a); err != nil {
		if m.observe.RefusedActivation != nil {
			m.observe.RefusedActivation(a.Hash, err)
		}
		return "", nil
	}
	b.RuleSet(a.Hash, encodeRuleSet(a))
	state.RuleSet, state.Activated, state.ActivationOffset = a.Hash, state.Clock, state.Facts
	state.Sweeping, state.Sweep = true, ""
	return a.Hash, nil
}

// sweep migrates the next few patients to the active rule set, or all that are left: before another set
// becomes active every patient has been under this one.
func (m *Machine) sweep(all bool) error {
	for state := m.store.State(); state.Sweeping; state = m.store.State() {
		b := m.store.Begin()
		err := m.sweepSome(b, &state)
		if err == nil {
			b.SetState(state)
			err = b.Commit()
		}
		b.Discard()
		if err != nil {
			return fmt.Errorf("partition %d: moving patients to the active rule set: %w", m.partition, err)
		}
		if !all {
			break
		}
	}
	return nil
}

func (m *Machine) sweepSome(b *store.Batch, state *store.State) error {
	ids, err := m.store.Patients(state.Sweep, sweepsPerRecord)
	if err != nil {
		return err
	}
	for _, id := range ids {
		p, err := b.Patient(id)
		if err != nil {
			return err
		}
		if p.Row == nil || p.Row.RuleSet != m.set {
			next := *p
			if err := m.migrate(b, &next); err != nil {
				return err
			}
			b.Put(&next)
		}
		state.Sweep = id
	}
	if len(ids) < sweepsPerRecord {
		state.Sweeping, state.Sweep = false, ""
	}
	return nil
}

// migrate brings a patient to the active rule set, as of the instant of its activation: until then
// nothing about the patient has changed since. The patient's transitions name the activation.
func (m *Machine) migrate(b *store.Batch, p *store.Patient) error {
	if m.plan == nil || p.Row != nil && p.Row.RuleSet == m.set {
		return nil
	}
	state := m.store.State()
	at := state.Activated
	history, settlings := m.plan.SettleWhole(p.History)
	settled, err := b.Settle(p, history, settlings)
	if err != nil {
		return err
	}
	*p = *settled
	row, results := m.plan.Fold(nil, p.History, at, nil, true)
	results = m.withBaseline(results, at)
	type held struct {
		rule   string
		period clinical.Instant
	}
	evaluated := make(map[held]bool, len(results))
	for _, r := range results {
		evaluated[held{m.plan.Program.Rules[r.Rule].ID, r.Period}] = true
	}
	p.Row = row
	p.Meta.Changed = max(p.Meta.Changed, at)
	p.Meta.Due = soonest(results)
	cause := Cause{Kind: CauseActivation, Offset: state.ActivationOffset}
	for _, s := range slices.Clone(p.Meta.Standing) {
		if !evaluated[held{s.Rule, s.Period}] { // gone from the set, or at a baseline that is not true
			if err := m.clear(b, p, s, at, cause); err != nil {
				return err
			}
		}
	}
	return m.transitions(b, p, results, at, cause)
}

// transitions compares the results with the rules that stand, and stages what changed.
func (m *Machine) transitions(b *store.Batch, p *store.Patient, results []pointer.Result, at clinical.Instant, c Cause) error {
	for _, r := range results {
		rule := m.plan.Program.Rules[r.Rule]
		i, stands := p.Meta.Stands(rule.ID, r.Period)
		switch holds := r.Truth == rules.True; {
		case holds == stands:
		case holds:
			p.Meta.Standing = slices.Insert(slices.Clone(p.Meta.Standing), i,
				store.Standing{Rule: rule.ID, Period: r.Period, Since: at, Severity: rule.Severity})
			t := m.transition(p, rule.ID, r.Period, Fired, at, at, c)
			m.describe(t, rule, r.Period, p, at)
			if err := m.stage(b, t); err != nil {
				return err
			}
		default:
			if err := m.clear(b, p, p.Meta.Standing[i], at, c); err != nil {
				return err
			}
		}
	}
	return nil
}

func (m *Machine) clear(b *store.Batch, p *store.Patient, s store.Standing, at clinical.Instant, c Cause) error {
	i, _ := p.Meta.Stands(s.Rule, s.Period)
	p.Meta.Standing = slices.Delete(slices.Clone(p.Meta.Standing), i, i+1)
	t := m.transition(p, s.Rule, s.Period, Cleared, at, s.Since, c)
	t.Severity = s.Severity.String()
	if rule, ok := m.plan.Program.Rule(s.Rule); ok {
		m.describe(t, rule, s.Period, p, at)
	}
	return m.stage(b, t)
}

// soonest is when a patient's timer must fire: the first instant at which any rule could change.
func soonest(results []pointer.Result) clinical.Instant {
	due := clinical.Forever
	for _, r := range results {
		due = min(due, r.Until)
	}
	return due
}
