package equivalence

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/vigil-cds/vigil/explain"
	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/pointer"
	"github.com/vigil-cds/vigil/processor"
	"github.com/vigil-cds/vigil/rules"
	"github.com/vigil-cds/vigil/store"
)

// ErrDiffers is what every difference between the engine and the reference evaluator is.
var ErrDiffers = errors.New("the engine differs from the reference evaluator")

// Bench runs cases one after another, each in a partition of its own of one store.
type Bench struct {
	Store *store.Store
	// Comparisons counts (rule, patient, instant) comparisons of truth.
	Comparisons int
	// Outlines asks for what plans say of rules to be compared, too; Outlined counts these comparisons.
	Outlines bool
	Outlined int
	next     int32
}

// Compiles reports whether a condition is one that the language admits over these inputs.
func Compiles(inputs, when string) bool { return new(Case).compiles(inputs, []string{when}) }

// Run plays a case and returns the first difference.
func (b *Bench) Run(c *Case) error {
	number := b.next
	b.next++
	part, err := b.Store.Partition(number)
	if err != nil {
		return err
	}
	sets := processor.NewRuleSets(rules.CompileOptions{}, nil)
	r := &run{bench: b, sets: sets, part: part, clock: start, holds: map[held]rules.Truth{}}
	r.machine, err = processor.NewMachine(number, part, sets, processor.Observer{
		Transition: func(t *processor.Transition) {
			of := held{t.Rule, clinical.Never}
			if t.Period != nil {
				of.period = clinical.At(*t.Period)
			}
			r.staged = append(r.staged, describe(of, t.Kind, clinical.At(t.At)))
		},
	})
	if err != nil {
		return err
	}
	r.reader = store.NewReader(b.Store, store.ReaderOptions{Plan: sets.Plan, Partition: func(string) int32 { return number }})
	if err := r.activate(c.files(c.Inputs, c.Rules, c.Site)); err != nil {
		return err
	}
	asks := c.Asks
	for i := range c.Records {
		if err := r.record(&c.Records[i]); err != nil {
			return err
		}
		if i+1 == c.Change {
			if err := r.activate(c.files(c.LaterInputs, c.Later, c.LaterSite)); err != nil {
				return err
			}
		}
		for len(asks) > 0 && asks[0].After <= i+1 {
			if asks[0].After == i+1 && r.known {
				if err := r.ask(asks[0].Now); err != nil {
					return fmt.Errorf("after record %d (clock %s), asked at %s: %w", i+1, r.clock, asks[0].Now, err)
				}
			}
			asks = asks[1:]
		}
	}
	return nil
}

type run struct {
	bench     *Bench
	sets      *processor.RuleSets
	plan      *pointer.Plan
	program   *rules.Program
	reference *explain.Reference
	part      *store.Partition
	machine   *processor.Machine
	reader    *store.Reader
	offset    int64

	ledger explain.Ledger
	clock  clinical.Instant
	known  bool
	holds  map[held]rules.Truth // by the reference, at clock
	staged []string             // the machine's transitions since the last record
}

// held is what a rule holds for: the patient, or the period that begins at an instant.
type held struct {
	rule   string
	period clinical.Instant
}

// periods are those for which the rule may hold or have held, with any of these facts; of one that holds for
// the patient clinical.Never alone.
func (r *run) periods(rule *rules.Rule, known ...explain.History) []clinical.Instant {
	if rule.Each == 0 {
		return []clinical.Instant{clinical.Never}
	}
	var all []clinical.Instant
	for _, h := range known {
		for _, p := range r.reference.Periods(rule, h, clinical.Forever) {
			all = append(all, p.Start)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func (r *run) apply(rec *clinical.Record) error {
	err := r.machine.Apply(rec, r.offset, func([]byte) error { return nil })
	r.offset++
	return err
}

// activate makes a set of files the active rule set on both sides and compares what that fires and clears. The
// patient is asked before it is moved to the new set and after.
func (r *run) activate(files []clinical.File) error {
	r.staged = r.staged[:0]
	a := &clinical.Activation{Hash: rules.NewSet(files...).Hash(), Files: files}
	var err error
	if r.plan, err = r.sets.Add(a); err != nil {
		return err
	}
	r.program, r.reference = r.plan.Program, explain.NewReference(r.plan.Program)
	if err := r.apply(&clinical.Record{Recorded: r.clock, EventOffset: -1, Activation: a}); err != nil {
		return err
	}
	if !r.known {
		return nil
	}
	if err := r.ask(r.clock); err != nil {
		return fmt.Errorf("before the patient is moved to the new rule set: %w", err)
	}
	if err := r.apply(&clinical.Record{Recorded: r.clock, EventOffset: -1, Tick: true}); err != nil {
		return err
	}
	var want []string
	h := r.ledger.History()
	gone := r.holds
	r.holds = map[held]rules.Truth{}
	for _, rule := range r.program.Rules {
		for _, period := range r.periods(rule, h) {
			of := held{rule.ID, period}
			r.holds[of] = gone[of]
			delete(gone, of)
			want = r.change(want, of, r.reference.About(period).Truth(rule, h, r.clock), r.clock)
		}
	}
	for of, was := range gone {
		if was == rules.True {
			want = append(want, describe(of, processor.Cleared, r.clock))
		}
	}
	return r.compare(want, "the activation")
}

func describe(of held, kind string, at clinical.Instant) string {
	text := of.rule + " "
	if of.period != clinical.Never {
		text += "of " + of.period.String() + " "
	}
	return text + kind + " " + at.String()
}

// record applies one record to both sides and compares the transitions it brought about: first those of
// time alone up to the record, each at its own instant, then those of the record.
func (r *run) record(rec *clinical.Record) error {
	r.staged = r.staged[:0]
	offset := r.offset
	if err := r.apply(rec); err != nil {
		return err
	}
	clock := max(r.clock, rec.Recorded)
	before := r.ledger.History()
	stated := len(rec.Assertions) > 0
	r.ledger.Apply(rec, offset)
	after := r.ledger.History()
	var want []string
	for _, rule := range r.program.Rules {
		for _, period := range r.periods(rule, before, after) {
			reference, of := r.reference.About(period), held{rule.ID, period}
			if r.known && clock > r.clock {
				for _, change := range reference.Transitions(rule, before, r.clock, clock) {
					want = r.change(want, of, change.Truth, change.At)
				}
			}
			if stated {
				want = r.change(want, of, reference.Truth(rule, after, clock), clock)
			}
		}
	}
	r.clock, r.known = clock, r.known || stated
	return r.compare(want, fmt.Sprintf("record %d at %s", offset, rec.Recorded))
}

func (r *run) compare(want []string, what string) error {
	slices.Sort(want)
	slices.Sort(r.staged)
	if !slices.Equal(want, r.staged) {
		return fmt.Errorf("%w: %s staged transitions\n  %s\nwant\n  %s", ErrDiffers, what,
			strings.Join(r.staged, "\n  "), strings.Join(want, "\n  "))
	}
	return nil
}

func (r *run) change(want []string, of held, truth rules.Truth, at clinical.Instant) []string {
	was := r.holds[of]
	r.holds[of] = truth
	switch {
	case truth == rules.True && was != rules.True:
		return append(want, describe(of, processor.Fired, at))
	case truth != rules.True && was == rules.True:
		return append(want, describe(of, processor.Cleared, at))
	}
	return want
}

// ask compares one read: truths, horizons and the values of terms.
func (r *run) ask(now clinical.Instant) error {
	got, err := r.reader.Read(patient, now)
	if err != nil {
		return err
	}
	h := r.ledger.History()
	whole, err := r.part.LoadAll(patient)
	if err != nil {
		return err
	}
	history := whole.History
	if whole.Row == nil || whole.Row.RuleSet != r.program.Hash { // not moved to this rule set yet
		history, _ = r.plan.SettleWhole(history)
	}
	for _, rule := range r.program.Rules {
		for _, period := range r.periods(rule, h) {
			if err := r.askOne(&got, rule, period, history, h, now); err != nil {
				return err
			}
			if !r.bench.Outlines || period > now {
				continue
			}
			if err := r.outlined(rule, period, history, h, now); err != nil {
				return err
			}
		}
	}
	for _, res := range got.Results {
		rule := r.program.Rules[res.Rule]
		if res.Truth != rules.False && !slices.Contains(r.periods(rule, h), res.Period) {
			return fmt.Errorf("%w: rule %s is %s for a period at %s, which there is not", ErrDiffers, rule.ID, res.Truth, res.Period)
		}
	}
	return nil
}

// askOne compares one rule, for the patient or for one period.
func (r *run) askOne(got *store.Reading, rule *rules.Rule, period clinical.Instant, history *pointer.History, h explain.History, now clinical.Instant) error {
	reference := r.reference.About(period)
	differs := func(format string, args ...any) error {
		return fmt.Errorf("%w: rule %s (%s, period %s) %s", ErrDiffers, rule.ID, rule.When, period, fmt.Sprintf(format, args...))
	}
	begun := period <= now
	if begun {
		values, _ := r.plan.Values(rule, period, rule.Terms, history, now)
		for _, id := range rule.Terms {
			t := r.program.Terms[id]
			if want := reference.Term(t, h, now); !same(values[id], want) {
				return differs("asks %s, which is %s, want %s", t.Source, show(values[id]), show(want))
			}
		}
	}
	want := reference.Truth(rule, h, now)
	truth := got.Truth(int32(rule.Index), period)
	r.bench.Comparisons++
	if truth != want {
		return differs("is %s, want %s", truth, want)
	}
	until := clinical.Forever
	for _, res := range got.Results {
		if res.Rule == int32(rule.Index) && res.Period == period {
			until = res.Until
		}
	}
	if until <= now {
		return differs("holds until %s, which is past", until)
	}
	last := min(until-1, now+400*day) // a year and more: beyond the longest window
	for _, at := range r.tries(reference, rule, h, now, last) {
		r.bench.Comparisons++
		if truth := reference.Truth(rule, h, at); truth != want {
			return differs("was to hold until %s, but at %s is %s, not %s", until, at, truth, want)
		}
	}
	if until != clinical.Forever && begun && exact(rule) {
		if truth := reference.Truth(rule, h, until); truth == want {
			return differs("has an exact horizon, but at %s it is still %s", until, truth)
		}
	}
	return nil
}

// tries are the instants within a horizon at which a difference would show: its last, and some of those
// at which the reference evaluator thinks anything may happen.
func (r *run) tries(reference *explain.Reference, rule *rules.Rule, h explain.History, now, last clinical.Instant) []clinical.Instant {
	out := []clinical.Instant{last}
	candidates := reference.Candidates(rule, h, now, last)
	step := len(candidates)/8 + 1
	for i := 0; i < len(candidates); i += step {
		out = append(out, candidates[i])
	}
	return out
}

// exact reports whether a rule is one question whose horizon the engine promises to know exactly.
func exact(rule *rules.Rule) bool {
	if rule.Tree.Kind != rules.NodeAtom {
		return false
	}
	ref, ok := rule.When.(*rules.TermRef)
	return ok && (ref.Term.Op == rules.Exists || ref.Term.Op == rules.Active)
}

// same compares values; sums may have been added in another order.
func same(x, y rules.Value) bool {
	if x.Kind == rules.Number && y.Kind == rules.Number {
		return x.Bound == y.Bound && rules.Compare(x.Num, y.Num) == 0
	}
	return x == y
}

func show(v rules.Value) string {
	b, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(b)
}
