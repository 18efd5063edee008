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
	next        int32
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
	r := &run{bench: b, sets: sets, part: part, clock: start, holds: map[string]rules.Truth{}}
	r.machine, err = processor.NewMachine(number, part, sets, processor.Observer{
		Transition: func(t *processor.Transition) {
			r.staged = append(r.staged, describe(t.Rule, t.Kind, clinical.At(t.At)))
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
	holds  map[string]rules.Truth // by the reference, at clock
	staged []string               // the machine's transitions since the last record
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
	r.holds = map[string]rules.Truth{}
	for id, was := range gone {
		if rule, ok := r.program.Rule(id); ok {
			r.holds[id] = was
			want = r.change(want, id, r.reference.Truth(rule, h, r.clock), r.clock)
		} else if was == rules.True {
			want = append(want, describe(id, processor.Cleared, r.clock))
		}
	}
	for _, rule := range r.program.Rules {
		if _, both := gone[rule.ID]; !both {
			want = r.change(want, rule.ID, r.reference.Truth(rule, h, r.clock), r.clock)
		}
	}
	return r.compare(want, "the activation")
}

func describe(rule, kind string, at clinical.Instant) string {
	return rule + " " + kind + " " + at.String()
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
		if r.known && clock > r.clock {
			for _, change := range r.reference.Transitions(rule, before, r.clock, clock) {
				want = r.change(want, rule.ID, change.Truth, change.At)
			}
		}
		if stated {
			want = r.change(want, rule.ID, r.reference.Truth(rule, after, clock), clock)
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

func (r *run) change(want []string, rule string, truth rules.Truth, at clinical.Instant) []string {
	was := r.holds[rule]
	r.holds[rule] = truth
	switch {
	case truth == rules.True && was != rules.True:
		return append(want, describe(rule, processor.Fired, at))
	case truth != rules.True && was == rules.True:
		return append(want, describe(rule, processor.Cleared, at))
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
	values, _ := r.plan.Values(everyTerm(r.program), history, now)
	for _, t := range r.program.Terms {
		if want := r.reference.Term(t, h, now); !same(values[t.ID], want) {
			return fmt.Errorf("%w: %s is %s, want %s", ErrDiffers, t.Source, show(values[t.ID]), show(want))
		}
	}
	for _, rule := range r.program.Rules {
		want := r.reference.Truth(rule, h, now)
		truth := got.Truth(int32(rule.Index))
		r.bench.Comparisons++
		if truth != want {
			return fmt.Errorf("%w: rule %s (%s) is %s, want %s", ErrDiffers, rule.ID, rule.When, truth, want)
		}
		until := clinical.Forever
		for _, res := range got.Results {
			if res.Rule == int32(rule.Index) {
				until = res.Until
			}
		}
		if until <= now {
			return fmt.Errorf("%w: rule %s (%s) holds until %s, which is past", ErrDiffers, rule.ID, rule.When, until)
		}
		last := min(until-1, now+400*day) // a year and more: beyond the longest window
		for _, at := range r.tries(rule, h, now, last) {
			r.bench.Comparisons++
			if truth := r.reference.Truth(rule, h, at); truth != want {
				return fmt.Errorf("%w: rule %s (%s) was to hold until %s, but at %s is %s, not %s",
					ErrDiffers, rule.ID, rule.When, until, at, truth, want)
			}
		}
		if until != clinical.Forever && exact(rule) {
			if truth := r.reference.Truth(rule, h, until); truth == want {
				return fmt.Errorf("%w: rule %s (%s) has an exact horizon, but at %s it is still %s", ErrDiffers, rule.ID, rule.When, until, truth)
			}
		}
	}
	return nil
}

// tries are the instants within a horizon at which a difference would show: its last, and some of those
// at which the reference evaluator thinks anything may happen.
func (r *run) tries(rule *rules.Rule, h explain.History, now, last clinical.Instant) []clinical.Instant {
	out := []clinical.Instant{last}
	candidates := r.reference.Candidates(rule, h, now, last)
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

func everyTerm(p *rules.Program) []int {
	all := make([]int, len(p.Terms))
	for i := range all {
		all[i] = i
	}
	return all
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
