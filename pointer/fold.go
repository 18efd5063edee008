package pointer

import (
	"cmp"
	"slices"

	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/rules"
)

// Result is one rule's truth at an instant and the first instant at which it could differ. Results are in order
// of rule and period.
type Result struct {
	Rule   int32
	Period clinical.Instant // the start of the one that it is about; clinical.Never of a rule that is about the patient
	Truth  rules.Truth
	Until  clinical.Instant
}

// Fold evaluates, at the partition clock, every rule that facts of the given streams can change (with
// whole set: every rule that any fact of the history touches), and returns the patient's next row with
// their results; those of a period that is no more are false. The rules it leaves alone stay as prev has them.
// The row returned is prev itself when nothing in it changed.
func (p *Plan) Fold(prev *Row, h *History, clock clinical.Instant, streams []clinical.Stream, whole bool) (*Row, []Result) {
	e := p.begin(clock)
	defer p.end(e)
	e.locate(h)
	if whole || prev == nil {
		prev = &Row{RuleSet: p.Program.Hash}
	}

	ofPatient, forEach := e.parted(e.touched(streams, whole))
	results := make([]Result, 0, len(ofPatient)+len(forEach))
	for _, i := range ofPatient {
		truth, until := e.rule(p.Program.Rules[i])
		results = append(results, Result{i, clinical.Never, truth, until})
	}
	next := &Row{RuleSet: prev.RuleSet}
	var periodic []Result
	next.Periods, periodic = e.foldPeriods(prev, forEach)
	next.Scope = e.scope(&prev.Scope, results, 0, liveOf(next.Periods))
	if len(periodic) > 0 {
		results = append(results, periodic...)
		slices.SortFunc(results, byRule)
	}
	if !whole && next.equal(prev) {
		return prev, results
	}
	return next, results
}

// foldPeriods is the next row's periods, of which the rules given are evaluated anew, with their results.
func (e *evaluation) foldPeriods(prev *Row, touched []int32) ([]PeriodRow, []Result) {
	if len(touched) == 0 {
		return prev.Periods, nil
	}
	held := make(map[periodKey]*PeriodRow, len(prev.Periods))
	for i := range prev.Periods {
		held[prev.Periods[i].key()] = &prev.Periods[i]
	}
	var rows []PeriodRow
	var all []Result
	e.perPeriod(touched, func(input int, p *period, results []Result) {
		all = append(all, results...)
		row := PeriodRow{Input: int32(input), Period: p.Period, Facts: p.facts}
		var before Scope
		if was := held[row.key()]; was != nil {
			before = was.Scope
			delete(held, row.key())
		}
		if row.Scope = e.scope(&before, results, input, nil); len(row.Rules) > 0 {
			rows = append(rows, row)
		}
	})
	for _, was := range held { // of a period that is no more, or of an input whose rules are left alone
		row := *was
		var gone []Result
		for _, s := range was.Rules {
			if _, anew := slices.BinarySearch(touched, s.Rule); anew {
				gone = append(gone, Result{s.Rule, was.Start, rules.False, clinical.Forever})
			}
		}
		if len(gone) > 0 {
			all = append(all, gone...)
			row.Scope = e.scope(&was.Scope, gone, int(was.Input), nil)
		}
		if len(row.Rules) > 0 {
			rows = append(rows, row)
		}
	}
	slices.SortFunc(rows, func(x, y PeriodRow) int {
		return cmp.Or(cmp.Compare(x.Input, y.Input), cmp.Compare(x.Start, y.Start))
	})
	return rows, all
}

type periodKey struct {
	input int32
	start clinical.Instant
}

func (p *PeriodRow) key() periodKey { return periodKey{p.Input, p.Start} }

// liveOf lists the rules that are live for some period.
func liveOf(periods []PeriodRow) []int32 {
	var live []int32
	for i := range periods {
		for _, s := range periods[i].Rules {
			if s.Live {
				live = append(live, s.Rule)
			}
		}
	}
	slices.Sort(live)
	return slices.Compact(live)
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

// scope merges what was evaluated now with what prev holds of the other rules. Of the periods of an input (0:
// of the patient) it has the atoms and terms that are about them, those of the rules besides, too.
func (e *evaluation) scope(prev *Scope, results []Result, each int, besides []int32) Scope {
	var next Scope
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
	note := func(rule int32) {
		for _, a := range e.plan.Program.Rules[rule].Atoms {
			if e.plan.Program.Atoms[a].Each == each {
				atoms = append(atoms, int32(a))
			}
		}
	}
	for _, s := range next.Rules {
		if s.Live {
			note(s.Rule)
		}
	}
	for _, rule := range besides {
		note(rule)
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

func (e *evaluation) atomState(prev *Scope, atom int32) AtomState {
	if a := &e.atoms[atom]; a.done {
		if a.until == clinical.Forever {
			return AtomState{Atom: atom, Truth: a.truth}
		}
		return AtomState{Atom: atom, Live: true}
	}
	i, _ := slices.BinarySearchFunc(prev.Atoms, atom, func(s AtomState, a int32) int { return int(s.Atom - a) })
	return prev.Atoms[i]
}

func (e *evaluation) pointer(prev *Scope, term int32) Pointer {
	a := &e.terms[term]
	if !a.done {
		i, _ := slices.BinarySearchFunc(prev.Pointers, term, func(p Pointer, t int32) int { return int(p.Term - t) })
		return prev.Pointers[i]
	}
	t := e.plan.Program.Terms[term]
	if a.until == clinical.Forever && !(t.Op.Elapsed() && e.values[term].Kind != rules.Missing) {
		return Pointer{Term: term, Settled: true, Value: e.values[term]}
	}
	p := Pointer{Term: term}
	for _, s := range e.series[t.Input] {
		p.Streams = append(p.Streams, s.ID)
	}
	return p
}

func (r *Row) equal(s *Row) bool {
	return r.RuleSet == s.RuleSet && r.Scope.equal(&s.Scope) &&
		slices.EqualFunc(r.Periods, s.Periods, func(a, b PeriodRow) bool {
			return a.Input == b.Input && a.Period == b.Period && slices.Equal(a.Facts, b.Facts) && a.Scope.equal(&b.Scope)
		})
}

func (r *Scope) equal(s *Scope) bool {
	return slices.Equal(r.Rules, s.Rules) && slices.Equal(r.Atoms, s.Atoms) &&
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
	e.recall(&row.Scope, h)
	from := len(dst)
	for _, s := range row.Rules {
		if !s.Live {
			dst = append(dst, Result{s.Rule, clinical.Never, s.Truth, clinical.Forever})
			continue
		}
		truth, until := e.rule(p.Program.Rules[s.Rule])
		dst = append(dst, Result{s.Rule, clinical.Never, truth, until})
	}
	if len(row.Periods) == 0 {
		return dst
	}
	for i := range row.Periods {
		of := &row.Periods[i]
		e.within(&period{of.Period, of.Facts})
		e.recall(&of.Scope, h)
		for _, s := range of.Rules {
			if !s.Live {
				dst = append(dst, Result{s.Rule, of.Start, s.Truth, clinical.Forever})
				continue
			}
			dst = append(dst, e.ofPeriod(s.Rule))
		}
		e.leave()
	}
	slices.SortFunc(dst[from:], byRule)
	return dst
}

// recall takes over what a row's scope holds: what is settled, and where the facts lie for what is not.
func (e *evaluation) recall(scope *Scope, h *History) {
	for _, s := range scope.Atoms {
		if !s.Live {
			e.setAtom(int(s.Atom), s.Truth, clinical.Forever)
		}
	}
	for i := range scope.Pointers {
		t := &scope.Pointers[i]
		if t.Settled {
			e.setTerm(int(t.Term), t.Value, clinical.Forever)
			continue
		}
		in := int32(e.plan.Program.Terms[t.Term].Input)
		if len(e.series[in]) > 0 {
			continue // another term of the same input has located it
		}
		for _, id := range t.Streams {
			if s := h.Get(id); s != nil {
				e.feed(in, s)
			}
		}
	}
}

// EvaluateFacts answers every rule that any fact of the whole history touches, at any instant, straight
// from the facts.
func (p *Plan) EvaluateFacts(dst []Result, h *History, now clinical.Instant) []Result {
	e := p.begin(now)
	defer p.end(e)
	e.locate(h)
	from := len(dst)
	ofPatient, forEach := e.parted(e.touched(nil, true))
	for _, i := range ofPatient {
		truth, until := e.rule(p.Program.Rules[i])
		dst = append(dst, Result{i, clinical.Never, truth, until})
	}
	if len(forEach) > 0 {
		e.perPeriod(forEach, func(_ int, _ *period, results []Result) { dst = append(dst, results...) })
		slices.SortFunc(dst[from:], byRule)
	}
	return dst
}

// Values answers the given terms at now from the whole history, those about a period for the one of the rule's
// that begins at start; missing if there is none. The slice is indexed by term ID, as Message.Render wants it;
// terms not asked for are missing. The instant is the first at which one of them could differ; elapsed times
// count in whole units.
func (p *Plan) Values(rule *rules.Rule, start clinical.Instant, terms []int, h *History, now clinical.Instant) ([]rules.Value, clinical.Instant) {
	e := p.begin(now)
	defer p.end(e)
	e.locate(h)
	e.find(rule, start)
	values := make([]rules.Value, len(p.Program.Terms))
	until := clinical.Forever
	for _, t := range terms {
		v, u := e.term(t)
		values[t] = v
		until = min(until, u, nextWholeUnit(p.Program.Terms[t].Op, v, now))
	}
	return values, until
}

// find begins to speak of the period of a rule's that begins at an instant, if there is one.
func (e *evaluation) find(rule *rules.Rule, start clinical.Instant) {
	if rule.Each == 0 {
		return
	}
	periods := e.periods(rule.Each)
	if i, found := slices.BinarySearchFunc(periods, start, func(p period, at clinical.Instant) int { return cmp.Compare(p.Start, at) }); found {
		e.within(&periods[i])
	}
}

// nextWholeUnit is when an elapsed time shown in whole hours or days shows the next one.
func nextWholeUnit(op rules.Op, v rules.Value, now clinical.Instant) clinical.Instant {
	unit := clinical.Instant(3_600_000)
	switch {
	case v.Kind == rules.Missing || !op.Elapsed():
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
func (p *Plan) Since(rule int32, start clinical.Instant, row *Row, h *History, from, began, now clinical.Instant) clinical.Instant {
	one, live := row.only(rule, start)
	if !live {
		return began
	}
	var room [1]Result
	since, held := began, began != clinical.Never
	for at := from; at <= now; {
		r := p.Evaluate(room[:0], one, h, at)[0]
		if r.Truth == rules.True && !held {
			since = at
		}
		held = r.Truth == rules.True
		at = r.Until
	}
	return since
}

// only is the row with one live rule alone, for one period; false if it is not live.
func (r *Row) only(rule int32, start clinical.Instant) (*Row, bool) {
	one := *r
	one.Periods = nil
	find := func(states []RuleState) ([]RuleState, bool) {
		i, found := slices.BinarySearchFunc(states, rule, func(s RuleState, r int32) int { return int(s.Rule - r) })
		if !found || !states[i].Live {
			return nil, false
		}
		return states[i : i+1], true
	}
	if states, live := find(r.Rules); live {
		one.Rules = states
		return &one, true
	}
	one.Rules = nil
	for i := range r.Periods {
		if r.Periods[i].Start != start {
			continue
		}
		if states, live := find(r.Periods[i].Rules); live {
			of := r.Periods[i]
			of.Rules = states
			one.Periods = []PeriodRow{of}
			return &one, true
		}
	}
	return nil, false
}
