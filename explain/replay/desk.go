package replay

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/vigil-cds/vigil/explain"
	"github.com/vigil-cds/vigil/explain/archive"
	"github.com/vigil-cds/vigil/explain/record"
	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/rules"
)

// DeskOptions say what a desk answers from.
type DeskOptions struct {
	Archive   *archive.Archive
	Sets      *Sets
	Topic     string
	Partition func(patient string) int32
	// Now is this instant; nil in simulated time, where it is the partition clock.
	Now        func() clinical.Instant
	Registerer prometheus.Registerer // nil: nothing is measured
}

// Desk answers questions from the archive. It is safe for concurrent use.
type Desk struct {
	o       DeskOptions
	answers *prometheus.HistogramVec
}

// Ahead is how far into the future an answer looks for what time alone will change: longer than any life.
const Ahead = clinical.Instant(200 * 366 * 24 * 3600 * 1000)

// NewDesk opens the desk. The error is of registering its metrics.
func NewDesk(o DeskOptions) (*Desk, error) {
	d := &Desk{o: o, answers: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "vigil_explain_answer_seconds",
		Help: "Time taken to answer why, by what the rule was.", Buckets: prometheus.ExponentialBuckets(1e-4, 3, 10)}, []string{"truth"})}
	if o.Registerer != nil {
		if err := o.Registerer.Register(d.answers); err != nil {
			return nil, fmt.Errorf("registering the metrics of explanations: %w", err)
		}
	}
	return d, nil
}

// Explain answers why the rule is as it is. The errors are those of question.go, and those of the archive.
func (d *Desk) Explain(ctx context.Context, q Question) (*record.Explanation, error) {
	began := time.Now()
	s, err := d.sight(ctx, q)
	if err != nil {
		return nil, err
	}
	e := s.answer()
	d.answers.WithLabelValues(string(e.Truth)).Observe(time.Since(began).Seconds())
	return e, nil
}

// Compare says what changed between two questions about one patient and rule, and one period of it: where the
// earlier names none, that of the later.
func (d *Desk) Compare(ctx context.Context, earlier, later Question) (*record.Difference, error) {
	other, err := d.sight(ctx, later)
	if err != nil {
		return nil, err
	}
	if earlier.Period == nil {
		earlier.Period = other.period
	}
	one, err := d.sight(ctx, earlier)
	if err != nil {
		return nil, fmt.Errorf("the earlier of the two: %w", err)
	}
	return explain.Compare(one.answer(), other.answer(), one.history, other.history), nil
}

// sight is what a question looks at.
type sight struct {
	set       *Set
	reference *explain.Reference // about the period, where the rule holds for each
	period    *clinical.Instant  // when that begins
	rule      *rules.Rule
	history   explain.History
	at        clinical.Instant
	frame     explain.Frame
}

func (s *sight) answer() *record.Explanation {
	return s.reference.Answer(s.rule, s.history, s.at, s.at+Ahead, s.frame)
}

func (d *Desk) sight(ctx context.Context, q Question) (*sight, error) {
	partition := d.o.Partition(q.Patient)
	part, err := d.o.Archive.Partition(partition)
	if err != nil {
		return nil, err
	}
	if q.MinPosition > 0 {
		if err := part.Wait(ctx, q.MinPosition-1); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrNotReached, err)
		}
	}
	state := part.State()
	last, clock, err := d.reach(part, state, q)
	if err != nil {
		return nil, err
	}
	s := &sight{at: q.At}
	patient, _, err := part.Patient(q.Patient)
	if err != nil {
		return nil, fmt.Errorf("reading a patient: %w", err)
	}
	if patient == nil {
		return nil, ErrUnknownPatient
	}
	var ledger explain.Ledger
	ledger.Grow(int(patient.Records))
	known := 0
	err = part.History(q.Patient, last, func(offset int64, at clinical.Instant, value []byte) error {
		if at > clock {
			return errPast
		}
		rec, err := clinical.UnmarshalRecord(value)
		if err != nil {
			return archive.ErrCorrupt
		}
		if q.Known.Events != nil && rec.EventOffset > *q.Known.Events {
			return errPast
		}
		known++
		ledger.Apply(rec, offset)
		return nil
	})
	if err != nil && !errors.Is(err, errPast) {
		return nil, fmt.Errorf("reading a history: %w", err)
	}
	if known == 0 {
		return nil, ErrUnknownPatient
	}
	s.history = ledger.History()
	if s.set, err = d.set(state, q, last, clock); err != nil {
		return nil, err
	}
	if s.rule, err = d.rule(s.set, q.Rule); err != nil {
		return nil, err
	}
	if !q.HasAt {
		s.at = min(clock, state.Clock)
		if d.o.Now != nil && q.Known == (Known{}) {
			s.at = d.o.Now()
		}
	}
	if explain.Unborn(s.history, s.at) {
		return nil, ErrBeforeBirth
	}
	if err := s.about(q.Period); err != nil {
		return nil, err
	}
	facts := q.Facts
	if facts == 0 {
		facts = DefaultFacts
	}
	s.frame = explain.Frame{Patient: q.Patient, Topic: d.o.Topic, Partition: partition, Facts: facts,
		RuleSet: ruleSet(partition, s.set, state.Activations, math.MaxInt64),
		Known:   record.Known{Position: position(partition, min(last, state.Facts)), Clock: record.Instant(min(clock, state.Clock))}}
	return s, nil
}

// about finds the period that the question is about.
func (s *sight) about(period *clinical.Instant) error {
	s.reference = s.set.Reference
	if s.rule.Each == 0 {
		if period != nil {
			return &UnknownPeriod{}
		}
		return nil
	}
	for _, p := range slices.Backward(s.reference.Periods(s.rule, s.history, clinical.Forever)) {
		if period == nil && p.Start <= s.at || period != nil && p.Start == *period {
			s.reference, s.period = s.reference.About(p.Start), &p.Start
			return nil
		}
	}
	if period == nil {
		return nil
	}
	return &UnknownPeriod{Input: s.set.Program.Inputs[s.rule.Each].Name}
}

// errPast ends the reading of a history.
var errPast = errors.New("past what is to be known")

// reach is the last offset and the last instant of the partition clock that the question lets be known.
func (d *Desk) reach(part *archive.Partition, state archive.State, q Question) (last int64, clock clinical.Instant, err error) {
	last, clock = state.Facts, clinical.Forever
	switch {
	case q.Known.Facts != nil:
		if *q.Known.Facts > state.Facts {
			return 0, 0, ErrNotYetKnown
		}
		last = *q.Known.Facts
	case q.Known.Events != nil:
		if *q.Known.Events > state.Events {
			return 0, 0, ErrNotYetKnown
		}
	case q.Known.Time != nil:
		clock = *q.Known.Time
		now := state.Clock
		if d.o.Now != nil {
			now = max(now, d.o.Now())
		}
		if clock > now {
			return 0, 0, ErrNotYetKnown
		}
	}
	return last, clock, nil
}

// set is the rule set that the question names, or else the one that was active at what is known.
func (d *Desk) set(state archive.State, q Question, last int64, clock clinical.Instant) (*Set, error) {
	if q.Set != "" {
		return d.o.Sets.Find(q.Set)
	}
	for i := len(state.Activations) - 1; i >= 0; i-- {
		if a := state.Activations[i]; a.Offset <= last && a.At <= clock {
			return d.o.Sets.Get(a.Hash)
		}
	}
	return nil, ErrNoRuleSet
}

func (d *Desk) rule(set *Set, id string) (*rules.Rule, error) {
	if rule, ok := set.Program.Rule(id); ok {
		return rule, nil
	}
	unknown := &UnknownRule{Rule: id, Nearest: rules.NearestRule(set.Program, id)}
	hashes, err := d.o.Archive.RuleSets()
	if err != nil {
		return nil, err
	}
	for _, hash := range hashes {
		if other, err := d.o.Sets.Get(hash); err == nil && hash != set.Hash {
			if _, has := other.Program.Rule(id); has {
				unknown.Sets = append(unknown.Sets, hash)
			}
		}
	}
	slices.Sort(unknown.Sets)
	return nil, unknown
}

// Records calls f with a patient's explained transitions in order: those with from <= At <= to and a
// Sequence above after.
func (d *Desk) Records(ctx context.Context, patient string, from, to clinical.Instant, after int64, f func(*record.Explanation) error) error {
	part, err := d.o.Archive.Partition(d.o.Partition(patient))
	if err != nil {
		return err
	}
	if _, known, err := part.Patient(patient); err != nil || !known {
		return errors.Join(err, ErrUnknownPatient)
	}
	return part.Explanations(patient, from, to, after, math.MaxInt, func(e archive.Entry) error {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		out, err := record.Unmarshal(e.Data)
		if err != nil {
			return fmt.Errorf("explanation %d: %w", e.Sequence, err)
		}
		return f(out)
	})
}

// Verify walks the chains of one patient, or of all when none is named, and says where they break.
func (d *Desk) Verify(ctx context.Context, patient string, partitions int) (record.Verification, error) {
	var v record.Verification
	if patient != "" {
		part, err := d.o.Archive.Partition(d.o.Partition(patient))
		if err != nil {
			return v, err
		}
		p, known, err := part.Patient(patient)
		if err != nil || !known {
			return v, errors.Join(err, ErrUnknownPatient)
		}
		return v, verify(ctx, part, p, &v)
	}
	for n := range int32(partitions) {
		part, err := d.o.Archive.Partition(n)
		if err != nil {
			return v, err
		}
		for after := ""; ; {
			ids, err := part.Patients(after, 1000)
			if err != nil {
				return v, err
			}
			for _, id := range ids {
				p, known, err := part.Patient(id)
				if err != nil {
					return v, err
				}
				if known {
					if err := verify(ctx, part, p, &v); err != nil {
						return v, err
					}
				}
				after = id
			}
			if len(ids) < 1000 {
				break
			}
		}
	}
	return v, nil
}

func verify(ctx context.Context, part *archive.Partition, p *archive.Patient, v *record.Verification) error {
	walk := &record.Verifier{Patient: p.ID, Whole: true} // it notes every break by itself
	err := part.Explanations(p.ID, clinical.Never, clinical.Forever, 0, math.MaxInt, func(e archive.Entry) error {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if x, err := record.Unmarshal(e.Data); err != nil {
			_ = walk.Unreadable(e.Sequence)
		} else {
			_ = walk.Next(x)
		}
		return nil
	})
	if err != nil {
		return err
	}
	head := ""
	if p.Sequence > 0 {
		head = hex.EncodeToString(p.Head[:])
	}
	_ = walk.End(p.Sequence, head)
	v.Add(walk)
	return nil
}
