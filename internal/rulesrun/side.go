package rulesrun

import (
	"slices"

	"github.com/vigil-cds/vigil/explain"
	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/pointer"
	"github.com/vigil-cds/vigil/rules"
)

// side is one of the two evaluators, following one patient.
type side interface {
	// learn takes what changed of what is known at an instant, which never goes back.
	learn(gone, added []explain.Statement, at clinical.Instant)
	// periods are those for which a rule that holds for each of an input's may hold, in order of their start; of any
	// other rule the one that is none, clinical.Never, which is the patient's.
	periods(rule *rules.Rule) []clinical.Instant
	// truth is a rule's for the patient, or for a period.
	truth(rule *rules.Rule, period, at clinical.Instant) rules.Truth
	// values answers terms of the rule, indexed by term ID.
	values(rule *rules.Rule, period clinical.Instant, terms []int, at clinical.Instant) []rules.Value
	// score is the least and the greatest that a score can be.
	score(rule *rules.Rule, period clinical.Instant, s *rules.Score, at clinical.Instant) (least, greatest float64)
	// changes is what time alone changes of a rule in (from, to].
	changes(rule *rules.Rule, period, from, to clinical.Instant) []explain.Change
}

// engine follows a patient with package pointer, as the service does: facts go into series, what a change
// touches is folded into the row, and questions are answered from the row.
type engine struct {
	plan    *pointer.Plan
	history *pointer.History
	row     *pointer.Row
}

func newEngine(plan *pointer.Plan) *engine {
	return &engine{plan: plan, history: pointer.NewHistory()}
}

func (e *engine) learn(gone, added []explain.Statement, at clinical.Instant) {
	settled := e.history
	var touched []clinical.Stream
	var ids []clinical.StreamID
	series := func(s explain.Statement) *pointer.Series {
		id := s.Fact.Stream.ID()
		touched, ids = append(touched, s.Fact.Stream), append(ids, id)
		if held := e.history.Get(id); held != nil {
			return held
		}
		return &pointer.Series{ID: id, Stream: s.Fact.Stream}
	}
	for _, s := range gone {
		next, _, _ := series(s).Remove(pointer.Fence{Time: s.Fact.Time, Seq: s.Order})
		e.history = e.history.With(next)
	}
	for _, s := range added {
		next, _ := series(s).Insert(pointer.Entry{Time: s.Fact.Time, End: s.Fact.End, Authored: s.Fact.Authored, Seq: s.Order, Number: s.Fact.Number, Detail: s.Fact.Detail})
		e.history = e.history.With(next)
	}
	slices.Sort(ids)
	history, settlings := e.plan.Settle(settled, e.history, slices.Compact(ids))
	for _, s := range settlings {
		touched = append(touched, s.Stream)
	}
	e.history = history
	e.row, _ = e.plan.Fold(e.row, e.history, at, touched, e.row == nil)
}

// at is a rule's truth at an instant and how long it holds if nothing new is learned.
func (e *engine) at(rule *rules.Rule, period, at clinical.Instant) (rules.Truth, clinical.Instant) {
	if e.row != nil {
		for _, r := range e.plan.Evaluate(nil, e.row, e.history, at) {
			if int(r.Rule) == rule.Index && r.Period == period {
				return r.Truth, r.Until
			}
		}
	}
	return e.plan.Baseline(int32(rule.Index)), clinical.Forever
}

func (e *engine) periods(rule *rules.Rule) []clinical.Instant {
	if rule.Each == 0 {
		return ofPatient
	}
	var all []clinical.Instant
	for _, p := range e.plan.Periods(rule, e.history) {
		all = append(all, p.Start)
	}
	return all
}

// ofPatient is the one period of a rule that holds for no period.
var ofPatient = []clinical.Instant{clinical.Never}

func (e *engine) truth(rule *rules.Rule, period, at clinical.Instant) rules.Truth {
	truth, _ := e.at(rule, period, at)
	return truth
}

func (e *engine) values(rule *rules.Rule, period clinical.Instant, terms []int, at clinical.Instant) []rules.Value {
	values, _ := e.plan.Values(rule, period, terms, e.history, at)
	return values
}

func (e *engine) score(rule *rules.Rule, period clinical.Instant, s *rules.Score, at clinical.Instant) (least, greatest float64) {
	return s.Bounds(e.values(rule, period, s.Terms(), at))
}

func (e *engine) changes(rule *rules.Rule, period, from, to clinical.Instant) []explain.Change {
	var changes []explain.Change
	was, until := e.at(rule, period, from)
	for until <= to {
		at := until
		truth, next := e.at(rule, period, at)
		if truth != was {
			changes = append(changes, explain.Change{At: at, Truth: truth})
		}
		was, until = truth, next
	}
	return changes
}

// reference follows a patient with package explain, from all facts at every instant.
type reference struct {
	evaluator *explain.Reference
	program   *rules.Program
	history   explain.History
}

func (r *reference) learn(gone, added []explain.Statement, _ clinical.Instant) {
	r.history = slices.DeleteFunc(slices.Clone(r.history), func(s explain.Statement) bool {
		return slices.ContainsFunc(gone, func(g explain.Statement) bool { return g.Order == s.Order })
	})
	r.history = append(r.history, added...)
}

func (r *reference) periods(rule *rules.Rule) []clinical.Instant {
	if rule.Each == 0 {
		return ofPatient
	}
	var all []clinical.Instant
	for _, p := range r.evaluator.Periods(rule, r.history, clinical.Forever) {
		all = append(all, p.Start)
	}
	return all
}

func (r *reference) truth(rule *rules.Rule, period, at clinical.Instant) rules.Truth {
	return r.evaluator.About(period).Truth(rule, r.history, at)
}

func (r *reference) values(_ *rules.Rule, period clinical.Instant, terms []int, at clinical.Instant) []rules.Value {
	values := make([]rules.Value, len(r.program.Terms))
	evaluator := r.evaluator.About(period)
	for _, id := range terms {
		values[id] = evaluator.Term(r.program.Terms[id], r.history, at)
	}
	return values
}

func (r *reference) score(_ *rules.Rule, period clinical.Instant, s *rules.Score, at clinical.Instant) (least, greatest float64) {
	return r.evaluator.About(period).Score(s, r.history, at)
}

func (r *reference) changes(rule *rules.Rule, period, from, to clinical.Instant) []explain.Change {
	return r.evaluator.About(period).Transitions(rule, r.history, from, to)
}
