package pointer

import (
	"slices"

	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/rules"
)

// Result is one rule's truth at an instant and the first instant at which it could differ.
type Result struct {
	Rule  int32
	Truth rules.Truth
	Until clinical.Instant
}

// Fold evaluates, at the partition clock, every rule that facts of the given streams can change (with
// whole set: every rule that any fact of the history touches), and returns the patient's next row with
// their results. The rules it leaves alone stay as prev has them. The row returned is prev itself when
// nothing in it changed.
func (p *Plan) Fold(prev *Row, h *History, clock clinical.Instant, streams []clinical.Stream, whole bool) (*Row, []Result) {
	e := p.begin(clock)
	defer p.end(e)
	e.locate(h)

	touched := e.touched(streams, whole)
	results := make([]Result, 0, len(touched))
	for _, i := range touched {
		truth, until := e.rule(p.Program.Rules[i])
		results = append(results, Result{i, truth, until})
	}
	if whole || prev == nil {
		prev = &Row{RuleSet: p.Program.Hash}
	}
	next := e.row(prev, results)
	if !whole && next.equal(prev) {
		return prev, results
	}
	return next, results
}

// touched lists the rules to evaluate, ascending.
func (e *evaluation) touched(streams []clinical.Stream, whole bool) []int32 {
	var inputs []int32
	if whole {
		inputs = e.inputs
	} else {
		for _, s := range streams {
			inputs = append(inputs, e.plan.inputsOf(s.ID(), s)...)
		}
	}
	var touched []int32
	for _, in := range inputs {
		touched = append(touched, e.plan.Program.RulesOf(in)...)
	}
	slices.Sort(touched)
	return slices.Compact(touched)
}

// row merges what was evaluated now with what prev holds of the other rules.
func (e *evaluation) row(prev *Row, results []Result) *Row {
	next := &Row{RuleSet: prev.RuleSet}
	for i, j := 0, 0; i < len(prev.Rules) || j < len(results); {
		if j == len(results) || i < len(prev.Rules) && prev.Rules[i].Rule < results[j].Rule {
			next.Rules = append(next.Rules, prev.Rules[i])
			i++
			continue
		}
		if i < len(prev.Rules) && prev.Rules[i].Rule == results[j].Rule {
			i++
		}
		switch r := results[j]; {
		case r.Until != clinical.Forever:
			next.Rules = append(next.Rules, RuleState{Rule: r.Rule, Live: true})
		case r.Truth != e.plan.baseline[r.Rule]:
			next.Rules = append(next.Rules, RuleState{Rule: r.Rule, Truth: r.Truth})
		}
		j++
	}
	var atoms, terms []int32
	for _, s := range next.Rules {
		if s.Live {
			for _, a := range e.plan.Program.Rules[s.Rule].Atoms {
				atoms = append(atoms, int32(a))
			}
		}
	}
	slices.Sort(atoms)
	for _, a := range slices.Compact(atoms) {
		s := e.atomState(prev, a)
		next.Atoms = append(next.Atoms, s)
		if s.Live {
			for _, t := range e.plan.Program.Atoms[a].Terms {
				terms = append(terms, int32(t))
			}
		}
	}
	slices.Sort(terms)
	for _, t := range slices.Compact(terms) {
		next.Pointers = append(next.Pointers, e.pointer(prev, t))
	}
	return next
}

func (e *evaluation) atomState(prev *Row, atom int32) AtomState {
	if a := &e.atoms[atom]; a.done {
		if a.until == clinical.Forever {
			return AtomState{Atom: atom, Truth: a.truth}
		}
		return AtomState{Atom: atom, Live: true}
	}
	i, _ := slices.BinarySearchFunc(prev.Atoms, atom, func(s AtomState, a int32) int { return int(s.Atom - a) })
	return prev.Atoms[i]
}

func (e *evaluation) pointer(prev *Row, term int32) Pointer {
	a := &e.terms[term]
	if !a.done {
		i, _ := slices.BinarySearchFunc(prev.Pointers, term, func(p Pointer, t int32) int { return int(p.Term - t) })
		return prev.Pointers[i]
	}
	t := e.plan.Program.Terms[term]
	elapsed := t.Op == rules.HoursSince || t.Op == rules.DaysSince
	if a.until == clinical.Forever && !(elapsed && e.values[term].Kind != rules.Missing) {
		return Pointer{Term: term, Settled: true, Value: e.values[term]}
	}
	p := Pointer{Term: term}
	for _, s := range e.series[t.Input] {
		p.Streams = append(p.Streams, s.ID)
	}
	return p
}

func (r *Row) equal(s *Row) bool {
	return r.RuleSet == s.RuleSet && slices.Equal(r.Rules, s.Rules) && slices.Equal(r.Atoms, s.Atoms) &&
		slices.EqualFunc(r.Pointers, s.Pointers, func(a, b Pointer) bool {
			return a.Term == b.Term && a.Settled == b.Settled && a.Value == b.Value && slices.Equal(a.Streams, b.Streams)
		})
}

// Evaluate reads a row at now, which must not lie before the partition clock at which the row was last
// changed: every rule that the row lists, appended to dst. The history must hold the series that
// Row.Streams names. Every other rule is at its baseline for ever.
func (p *Plan) Evaluate(dst []Result, row *Row, h *History, now clinical.Instant) []Result {
	if row == nil {
		return dst
	}
	e := p.begin(now)
	defer p.end(e)
	for _, s := range row.Atoms {
		if !s.Live {
			e.setAtom(int(s.Atom), s.Truth, clinical.Forever)
		}
	}
	for i := range row.Pointers {
		t := &row.Pointers[i]
		if t.Settled {
			e.setTerm(int(t.Term), t.Value, clinical.Forever)
			continue
		}
		in := int32(p.Program.Terms[t.Term].Input)
		if len(e.series[in]) > 0 {
			continue // another term of the same input has located it
		}
		for _, id := range t.Streams {
			if s := h.Get(id); s != nil {
				e.feed(in, s)
			}
		}
	}
	for _, s := range row.Rules {
		if !s.Live {
			dst = append(dst, Result{s.Rule, s.Truth, clinical.Forever})
			continue
		}
		truth, until := e.rule(p.Program.Rules[s.Rule])
		dst = append(dst, Result{s.Rule, truth, until})
	}
	return dst
}

// EvaluateFacts answers every rule that any fact of the whole history touches, at any instant, straight
// from the facts.
func (p *Plan) EvaluateFacts(dst []Result, h *History, now clinical.Instant) []Result {
	e := p.begin(now)
	defer p.end(e)
	e.locate(h)
	for _, i := range e.touched(nil, true) {
		truth, until := e.rule(p.Program.Rules[i])
		dst = append(dst, Result{i, truth, until})
	}
	return dst
}

// Values answers the given terms at now from the whole history. The slice is indexed by term ID, as
// Message.Render wants it; terms not asked for are missing. The instant is the first at which one of
// them could differ; elapsed times count in whole units.
func (p *Plan) Values(terms []int, h *History, now clinical.Instant) ([]rules.Value, clinical.Instant) {
	e := p.begin(now)
	defer p.end(e)
	e.locate(h)
	values := make([]rules.Value, len(p.Program.Terms))
	until := clinical.Forever
	for _, t := range terms {
		v, u := e.term(t)
		values[t] = v
		until = min(until, u, nextWholeUnit(p.Program.Terms[t].Op, v, now))
	}
	return values, until
}

// nextWholeUnit is when an elapsed time shown in whole hours or days shows the next one.
func nextWholeUnit(op rules.Op, v rules.Value, now clinical.Instant) clinical.Instant {
	unit := clinical.Instant(3_600_000)
	switch {
	case v.Kind == rules.Missing || op != rules.HoursSince && op != rules.DaysSince:
		return clinical.Forever
	case op == rules.DaysSince:
		unit = 86_400_000
	}
	elapsed := clinical.Instant(v.Num*float64(unit) + 0.5)
	return now + unit - elapsed%unit
}

// Since is when the present episode of a rule that is true at now began, for a patient of whom nothing
// new arrived after from: began, if the rule has held ever since, else the last instant at which time
// alone made it true. The history must hold the series that Row.Streams names.
func (p *Plan) Since(rule int32, row *Row, h *History, from, began, now clinical.Instant) clinical.Instant {
	i, found := slices.BinarySearchFunc(row.Rules, rule, func(s RuleState, r int32) int { return int(s.Rule - r) })
	if !found || !row.Rules[i].Live {
		return began
	}
	one := *row
	one.Rules = row.Rules[i : i+1]
	var room [1]Result
	since, held := began, began != clinical.Never
	for at := from; at <= now; {
		r := p.Evaluate(room[:0], &one, h, at)[0]
		if r.Truth == rules.True && !held {
			since = at
		}
		held = r.Truth == rules.True
		at = r.Until
	}
	return since
}
