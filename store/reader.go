package store

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/pointer"
	"github.com/vigil-cds/vigil/rules"
)

// Reader answers which rules hold for a patient at an instant, from the store of its own process and
// nothing else. It changes nothing. It is safe for any number of goroutines.
type Reader struct {
	store   *Store
	options ReaderOptions
	slow    prometheus.Counter
	took    prometheus.Histogram
}

// ReaderOptions say what a Reader needs to know besides the store.
type ReaderOptions struct {
	// Plan finds the plan of a rule set by its hash.
	Plan func(hash string) (*pointer.Plan, error)
	// Partition is the partition of a patient.
	Partition func(patient string) int32
	// Now is the instant of a read that names none, given the partition clock. Nil: the partition clock.
	Now func(clock clinical.Instant) clinical.Instant
	// Registerer takes the reader's metrics; nil: none.
	Registerer prometheus.Registerer
}

// NewReader makes a Reader over a store.
func NewReader(s *Store, o ReaderOptions) *Reader {
	r := &Reader{store: s, options: o, slow: prometheus.NewCounter(prometheus.CounterOpts{
		Name: "vigil_read_from_facts_total",
		Help: "Reads answered straight from the facts: before the instant at which the row was written, or not yet moved to the active rule set.",
	})}
	r.took = prometheus.NewHistogram(prometheus.HistogramOpts{
		Name:    "vigil_read_seconds",
		Help:    "Time to a whole answer for one patient, without waiting for a position. Reader.Read, which takes less than an observation of this costs, is not in it.",
		Buckets: prometheus.ExponentialBuckets(1e-6, 2.5, 14),
	})
	if o.Registerer != nil {
		o.Registerer.MustRegister(r.slow, r.took)
	}
	return r
}

// ReadOptions say what to read.
type ReadOptions struct {
	// Now is the instant to answer for; zero is ReaderOptions.Now.
	Now clinical.Instant
	// MinFacts and MinEvents are offsets of the patient's partition that the answer must have seen; zero
	// asks for none, n for offset n-1, so that the zero ReadOptions ask for nothing.
	MinFacts, MinEvents int64
	// All asks for every rule's truth.
	All bool
}

// Reading says of what and until when a set of results is the answer.
type Reading struct {
	Patient *Patient
	Plan    *pointer.Plan // nil before the first activation
	Now     clinical.Instant
	Until   clinical.Instant // the first instant at which any result could differ
	State   State
	// Results are the rules that the patient's facts touch; any other is at the plan's baseline for ever.
	// They are shared and must not be changed.
	Results []pointer.Result
}

// Read is the fast path: which rules hold for the patient, without words. A patient of whom the log has
// said nothing has every rule at its baseline, and Patient.Known is false.
func (r *Reader) Read(patient string, now clinical.Instant) (Reading, error) {
	partition, err := r.store.Partition(r.options.Partition(patient))
	if err != nil {
		return Reading{}, err
	}
	return r.read(partition, patient, now)
}

func (r *Reader) read(partition *Partition, patient string, now clinical.Instant) (Reading, error) {
	state := partition.State()
	p, err := partition.Load(patient)
	if err != nil {
		return Reading{}, err
	}
	if now == 0 {
		now = state.Clock
		if r.options.Now != nil {
			now = r.options.Now(state.Clock)
		}
	}
	state.Facts = max(state.Facts, p.Meta.Facts)
	got := Reading{Patient: p, Now: now, Until: clinical.Forever, State: state}
	if state.RuleSet == "" || !p.Known {
		if state.RuleSet != "" {
			got.Plan, err = r.options.Plan(state.RuleSet)
		}
		return got, err
	}
	if m := p.remembered(); m != nil && m.plan.Program.Hash == state.RuleSet && m.from <= now && now < m.until {
		got.Plan, got.Results, got.Until = m.plan, m.results, m.until
		return got, nil
	}
	if got.Plan, err = r.options.Plan(state.RuleSet); err != nil {
		return Reading{}, err
	}
	if p.Row == nil || p.Row.RuleSet != state.RuleSet || now < p.Meta.Changed {
		r.slow.Inc()
		if p, err = partition.LoadAll(patient); err != nil {
			return Reading{}, err
		}
		p = settled(p, got.Plan)
		got.Patient = p
		got.State.Facts = max(got.State.Facts, p.Meta.Facts)
		got.Results = got.Plan.EvaluateFacts(nil, p.History, now)
		for _, res := range got.Results {
			got.Until = min(got.Until, res.Until)
		}
		return got, nil
	}
	got.Results = got.Plan.Evaluate(nil, p.Row, p.History, now)
	for _, res := range got.Results {
		got.Until = min(got.Until, res.Until)
	}
	p.remember(&memo{plan: got.Plan, from: now, until: got.Until, results: got.Results})
	return got, nil
}

// settled is the patient with the derived streams of a plan, which those are of another that it was folded
// under last.
func settled(p *Patient, plan *pointer.Plan) *Patient {
	if p.Row != nil && p.Row.RuleSet == plan.Program.Hash {
		return p
	}
	next := p.next()
	next.History, _ = plan.SettleWhole(p.History)
	return next
}

// Truth is one rule's truth in the reading, of the period that begins at an instant (clinical.Never: of the
// patient).
func (g *Reading) Truth(rule int32, period clinical.Instant) rules.Truth {
	i, found := slices.BinarySearchFunc(g.Results, rule, func(r pointer.Result, i int32) int {
		return cmp.Or(cmp.Compare(r.Rule, i), cmp.Compare(r.Period, period))
	})
	if found {
		return g.Results[i].Truth
	}
	return g.Plan.Baseline(rule)
}

// Holds reports whether a rule is true of the patient, or of any of the patient's periods.
func (g *Reading) Holds(rule int32) bool {
	i, _ := slices.BinarySearchFunc(g.Results, rule, func(r pointer.Result, i int32) int { return cmp.Compare(r.Rule, i) })
	if i == len(g.Results) || g.Results[i].Rule != rule {
		return g.Plan.Baseline(rule) == rules.True
	}
	for ; i < len(g.Results) && g.Results[i].Rule == rule; i++ {
		if g.Results[i].Truth == rules.True {
			return true
		}
	}
	return false
}

// each calls f for every rule whose truth is t, in order of rule and period.
func (g *Reading) each(t rules.Truth, f func(rule int32, period clinical.Instant)) {
	base := g.Plan.BaselineTrue()
	if t == rules.Unknown {
		base = g.Plan.BaselineUnknown()
	}
	i := 0
	for _, r := range g.Results {
		for ; i < len(base) && base[i] < r.Rule; i++ {
			f(base[i], clinical.Never)
		}
		if i < len(base) && base[i] == r.Rule {
			i++
		}
		if r.Truth == t {
			f(r.Rule, r.Period)
		}
	}
	for ; i < len(base); i++ {
		f(base[i], clinical.Never)
	}
}

// Active is the whole answer, in words: what is active for the patient, what is unknown and why, and
// until when that holds. It waits until the positions asked for have been applied; ErrNotReached says
// that ctx ended first.
func (r *Reader) Active(ctx context.Context, patient string, o ReadOptions) (Answer, error) {
	number := r.options.Partition(patient)
	partition, err := r.reached(ctx, number, o)
	if err != nil {
		return Answer{}, err
	}
	began := time.Now()
	defer func() { r.took.Observe(time.Since(began).Seconds()) }()
	got, err := r.whole(partition, patient, o.Now)
	if err != nil {
		return Answer{}, err
	}
	a := Answer{Patient: patient, Known: got.Patient.Known, Now: got.Now.Time(), RuleSet: got.State.RuleSet,
		Position: fmt.Sprintf("f%d.%d", number, got.State.Facts), AsOf: timeOf(got.State.Clock), Alerts: []Alert{}, Unknown: []Unknown{}}
	if got.Plan == nil {
		return a, nil
	}
	p := got.Patient
	until := got.Until
	program := got.Plan.Program
	got.each(rules.True, func(i int32, period clinical.Instant) {
		rule := program.Rules[i]
		values, u := got.Plan.Values(rule, period, withMessage(rule), p.History, got.Now)
		until = min(until, u)
		alert := Alert{Rule: rule.ID, Version: rule.Version, Title: rule.Title, Severity: rule.Severity.String(),
			Source: rule.Source, Truth: rules.True.String(), ForEach: program.ForEach(rule), Period: timeOf(period), Since: r.since(&got, p, i, period), Values: map[string]rules.Value{}}
		if rule.Message != nil {
			alert.Message = rule.Message.Render(values)
		}
		for _, t := range rule.Terms {
			alert.Values[program.Terms[t].Source] = values[t]
		}
		a.Alerts = append(a.Alerts, alert)
	})
	slices.SortStableFunc(a.Alerts, func(x, y Alert) int {
		rx, _ := program.Rule(x.Rule)
		ry, _ := program.Rule(y.Rule)
		return cmp.Compare(ry.Severity, rx.Severity)
	})
	got.each(rules.Unknown, func(i int32, period clinical.Instant) {
		rule := program.Rules[i]
		values, changes := got.Plan.Values(rule, period, rule.Terms, p.History, got.Now)
		until = min(until, changes)
		u := Unknown{Rule: rule.ID, Title: rule.Title, Period: timeOf(period), Missing: []string{}}
		for _, t := range rule.Terms {
			if values[t].Kind == rules.Missing {
				u.Missing = append(u.Missing, program.Terms[t].Source)
			}
		}
		a.Unknown = append(a.Unknown, u)
	})
	if o.All {
		a.Rules = standpoints(&got)
	}
	a.ValidUntil = timeOf(until)
	return a, nil
}

// Whole is a reading with all of the patient's facts, settled for its plan. It waits as Active does.
func (r *Reader) Whole(ctx context.Context, patient string, o ReadOptions) (Reading, error) {
	partition, err := r.reached(ctx, r.options.Partition(patient), o)
	if err != nil {
		return Reading{}, err
	}
	return r.whole(partition, patient, o.Now)
}

// reached is the partition once it has applied the positions asked for.
func (r *Reader) reached(ctx context.Context, number int32, o ReadOptions) (*Partition, error) {
	partition, err := r.store.Partition(number)
	if err != nil {
		return nil, err
	}
	if o.MinFacts > 0 || o.MinEvents > 0 {
		if err := partition.Wait(ctx, o.MinFacts-1, o.MinEvents-1); err != nil {
			return nil, err
		}
	}
	return partition, nil
}

func (r *Reader) whole(partition *Partition, patient string, now clinical.Instant) (Reading, error) {
	for {
		got, err := r.read(partition, patient, now)
		if err != nil || got.Plan == nil || !got.Patient.Known || got.Patient.Complete() {
			return got, err
		}
		p, err := partition.LoadAll(patient)
		if err != nil {
			return Reading{}, err
		}
		if p.Meta.Facts == got.Patient.Meta.Facts { // else a record came between: start again from what is there now
			got.Patient = settled(p, got.Plan)
			return got, nil
		}
	}
}

func withMessage(r *rules.Rule) []int {
	if r.Message == nil {
		return r.Terms
	}
	return append(r.Terms[:len(r.Terms):len(r.Terms)], r.Message.Terms...)
}

func standpoints(g *Reading) []Standpoint {
	all := make([]Standpoint, 0, len(g.Plan.Program.Rules))
	i := 0
	for _, rule := range g.Plan.Program.Rules {
		s := Standpoint{Rule: rule.ID, Version: rule.Version, Truth: g.Plan.Baseline(int32(rule.Index)).String()}
		before := len(all)
		for ; i < len(g.Results) && int(g.Results[i].Rule) == rule.Index; i++ {
			if r := &g.Results[i]; r.Period <= g.Now {
				s.Period, s.Truth, s.ValidUntil = timeOf(r.Period), r.Truth.String(), timeOf(r.Until)
				all = append(all, s)
			}
		}
		if len(all) == before {
			all = append(all, s)
		}
	}
	return all
}

// since is when the episode of a rule that holds began: what the store recorded, unless timers that the
// log has not seen fire yet have ended that episode and begun another. Of an instant before the row was
// written only an episode that still stands is known.
func (r *Reader) since(g *Reading, p *Patient, rule int32, period clinical.Instant) *time.Time {
	id := g.Plan.Program.Rules[rule].ID
	began := clinical.Never
	if i, ok := p.Meta.Stands(id, period); ok {
		began = p.Meta.Standing[i].Since
	}
	switch {
	case p.Row == nil || p.Row.RuleSet != g.State.RuleSet || g.Now < p.Meta.Changed:
		if began > g.Now {
			began = clinical.Never
		}
	case p.Meta.Due <= g.Now:
		began = g.Plan.Since(rule, period, p.Row, p.History, p.Meta.Changed, began, g.Now)
	}
	return timeOf(began)
}

// timeOf is nil for instants that are not one.
func timeOf(t clinical.Instant) *time.Time {
	if t == clinical.Never || t == clinical.Forever {
		return nil
	}
	at := t.Time()
	return &at
}
