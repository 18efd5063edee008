package replay

import (
	"cmp"
	"encoding/hex"
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/vigil-cds/vigil/explain"
	"github.com/vigil-cds/vigil/explain/archive"
	"github.com/vigil-cds/vigil/explain/record"
	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/rules"
)

// chart is one patient in the hands of a machine.
type chart struct {
	machine *Machine
	batch   *archive.Batch
	patient archive.Patient
	set     *Set            // of patient.RuleSet; nil before the first activation
	course  *explain.Course // nil with set
	ledger  *explain.Ledger
	facts   int // about how many it holds, for the cache
}

// open reads a patient from the archive, or makes one of whom nothing is known.
func (m *Machine) open(id string) (*chart, error) {
	if c := m.options.Charts.take(m, id); c != nil {
		return c, nil
	}
	c := &chart{machine: m, ledger: new(explain.Ledger)}
	kept, known, err := m.part.Patient(id)
	if err != nil {
		return nil, fmt.Errorf("opening a patient: %w", err)
	}
	if !known {
		c.patient = archive.Patient{ID: id, Facts: -1, Clock: clinical.Never, Due: clinical.Forever}
		return c, nil
	}
	c.patient = *kept
	c.ledger.Grow(int(kept.Records))
	err = m.part.History(id, math.MaxInt64, func(offset int64, _ clinical.Instant, value []byte) error {
		rec, err := clinical.UnmarshalRecord(value)
		if err != nil {
			return fmt.Errorf("record %d: %w", offset, archive.ErrCorrupt)
		}
		for i := range rec.Assertions {
			c.facts += len(rec.Assertions[i].Facts)
		}
		c.ledger.Apply(rec, offset)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading a history: %w", err)
	}
	if kept.RuleSet != "" {
		if c.set, err = m.sets.Get(kept.RuleSet); err != nil {
			return nil, err
		}
		c.course = c.set.Reference.Course(c.ledger, true, kept.Clock)
		if !slices.EqualFunc(c.course.Holds(), kept.Standing, func(h explain.Holding, s archive.Standing) bool { return h.Rule.ID == s.Rule && h.Period == s.Period }) {
			return nil, ErrOtherEvaluator
		}
	}
	return c, nil
}

// forward brings the patient to the partition clock after the record at an offset: past the activations up
// to there, and through what time alone changes.
func (c *chart) forward(offset int64, clock clinical.Instant) error {
	for _, a := range c.machine.state.Activations {
		if a.Offset <= c.patient.Facts || a.Offset > offset {
			continue
		}
		c.pass(a.At)
		if err := c.activate(a); err != nil {
			return err
		}
	}
	c.pass(clock)
	return nil
}

// pass lets time go on with nothing new.
func (c *chart) pass(to clinical.Instant) {
	if c.course != nil {
		c.course.Pass(to, func(t explain.Turn) {
			mark := "t" + strconv.FormatInt(int64(t.At), 10)
			c.turn(c.course.Explain(t, record.Cause{Kind: record.CauseTime}, nil, nil, c.frame(c.patient.Facts, t.At)), t, mark)
		})
	}
	c.patient.Clock = max(c.patient.Clock, to)
}

// state takes what a record says at the partition clock there.
func (c *chart) state(e *entry) {
	c.batch.History(c.patient.ID, e.Offset, e.clock, e.Value)
	c.patient.Records++
	for i := range e.record.Assertions {
		c.facts += len(e.record.Assertions[i].Facts)
	}
	position := position(c.machine.partition, e.Offset)
	if c.course == nil {
		c.ledger.Apply(e.record, e.Offset)
	} else {
		mark := "f" + strconv.FormatInt(e.Offset, 10)
		c.course.State(e.record, e.Offset, e.clock, func(t explain.Turn, gone, added []explain.Statement) {
			cause := record.Cause{Kind: record.CauseFact, Position: position}
			c.turn(c.course.Explain(t, cause, gone, added, c.frame(e.Offset, t.At)), t, mark)
		})
	}
	c.patient.Facts, c.patient.Clock = e.Offset, e.clock
}

// begin puts a patient of whom nothing was known under the rules that are active at an offset.
func (c *chart) begin(offset int64) error {
	for _, a := range c.machine.state.Activations {
		if a.Offset > offset {
			break
		}
		c.patient.RuleSet = a.Hash
	}
	if c.patient.RuleSet == "" {
		return nil
	}
	var err error
	if c.set, err = c.machine.sets.Get(c.patient.RuleSet); err == nil {
		c.course = c.set.Reference.Course(c.ledger, false, clinical.Never)
	}
	return err
}

// activate brings the patient under another rule set.
func (c *chart) activate(a archive.Activation) error {
	set, err := c.machine.sets.Get(a.Hash)
	if err != nil {
		return err
	}
	old, before := c.course, c.set
	c.set, c.patient.RuleSet, c.patient.Facts = set, a.Hash, a.Offset
	c.course = set.Reference.Course(c.ledger, true, a.At)
	holds := c.course.Holds()
	mark := "a" + strconv.FormatInt(a.Offset, 10)
	cause := record.Cause{Kind: record.CauseActivation, Position: position(c.machine.partition, a.Offset)}
	explain1 := func(course *explain.Course, t explain.Turn) {
		e := course.Explain(t, cause, nil, nil, c.frame(a.Offset, a.At))
		if course == old {
			e.Truth, e.Message = record.Unknown, "The rule set that became active has no such rule."
		}
		c.turn(e, t, mark)
	}
	stood := slices.Clone(c.patient.Standing)
	for _, s := range stood {
		if _, there := set.Program.Rule(s.Rule); !there {
			gone, _ := before.Program.Rule(s.Rule)
			explain1(old, explain.Turn{Rule: gone, Period: s.Period, At: a.At, Before: rules.True, Truth: rules.Unknown})
		}
	}
	var turns []explain.Turn
	for _, s := range stood {
		rule, there := set.Program.Rule(s.Rule)
		if there && !slices.Contains(holds, explain.Holding{Rule: rule, Period: s.Period}) {
			turns = append(turns, explain.Turn{Rule: rule, Period: s.Period, At: a.At, Before: rules.True, Truth: c.course.Truth(rule, s.Period)})
		}
	}
	for _, h := range holds {
		if _, stands := c.patient.Stands(h.Rule.ID, h.Period); stands {
			continue
		}
		was := rules.Unknown
		if old != nil {
			if r, there := before.Program.Rule(h.Rule.ID); there {
				was = old.Truth(r, h.Period)
			}
		}
		turns = append(turns, explain.Turn{Rule: h.Rule, Period: h.Period, At: a.At, Before: was, Truth: rules.True})
	}
	slices.SortFunc(turns, func(x, y explain.Turn) int {
		return cmp.Or(cmp.Compare(x.Rule.Index, y.Rule.Index), cmp.Compare(x.Period, y.Period))
	})
	for _, t := range turns {
		explain1(c.course, t)
	}
	return nil
}

// turn writes down a transition: numbered, chained, and with the episode that it begins or ends.
func (c *chart) turn(e *record.Explanation, t explain.Turn, mark string) {
	p := &c.patient
	i, stands := p.Stands(t.Rule.ID, t.Period)
	since := record.Instant(t.At)
	fired := t.Truth == rules.True
	switch {
	case fired && !stands:
		p.Standing = slices.Insert(slices.Clone(p.Standing), i, archive.Standing{Rule: t.Rule.ID, Period: t.Period, Since: t.At,
			Severity: uint8(t.Rule.Severity), Sequence: p.Sequence + 1})
	case !fired && stands:
		since = record.Instant(p.Standing[i].Since)
		p.Standing = slices.Delete(slices.Clone(p.Standing), i, i+1)
	}
	e.ID = fmt.Sprintf("%s/%s/%.12s/%d/%s", p.ID, t.Rule.ID, p.RuleSet, c.machine.partition, mark)
	if t.Period != clinical.Never {
		e.ID += "/p" + strconv.FormatInt(int64(t.Period), 10)
	}
	e.Since = &since
	previous := record.Genesis
	if p.Sequence > 0 {
		previous = hex.EncodeToString(p.Head[:])
	}
	p.Sequence++
	c.machine.stored = e.AppendSealed(c.machine.stored[:0], p.Sequence, previous)
	hex.Decode(p.Head[:], []byte(e.Hash))
	c.batch.Explain(p.ID, archive.Entry{Sequence: p.Sequence, At: t.At, ID: e.ID, Data: c.machine.stored})
	c.machine.state.Explained++
	if c.machine.options.Explained != nil {
		c.machine.options.Explained(e.Rule.ID, string(e.Kind))
	}
}

// close writes the patient down and keeps it at hand.
func (c *chart) close() {
	c.patient.Due = clinical.Forever
	if c.course != nil {
		c.patient.Due = c.course.Due()
	}
	c.batch.Put(&c.patient)
	c.batch = nil
	c.machine.options.Charts.put(c)
}

// frame is what an explanation says of the log: what was known of the patient at an offset.
func (c *chart) frame(offset int64, at clinical.Instant) explain.Frame {
	m := c.machine
	f := explain.Frame{Patient: c.patient.ID, Topic: m.options.Topic, Partition: m.partition, Facts: m.options.Facts,
		Known: record.Known{Position: position(m.partition, offset), Clock: record.Instant(at)}}
	f.RuleSet = ruleSet(m.partition, c.set, m.state.Activations, offset)
	return f
}

// ruleSet describes the set as it was activated last up to an offset.
func ruleSet(partition int32, set *Set, activations []archive.Activation, offset int64) record.RuleSet {
	out := record.RuleSet{Hash: set.Hash, Zone: set.Program.Zone.String()}
	for i := len(activations) - 1; i >= 0; i-- {
		if a := activations[i]; a.Hash == set.Hash && a.Offset <= offset {
			out.Position = position(partition, a.Offset)
			if at := record.Instant(a.At); a.At != clinical.Never {
				out.Activated = &at
			}
			break
		}
	}
	return out
}

// position names a record of the facts log.
func position(partition int32, offset int64) string {
	return "f" + strconv.Itoa(int(partition)) + "." + strconv.FormatInt(offset, 10)
}
