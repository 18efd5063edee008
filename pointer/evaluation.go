package pointer

import (
	"slices"

	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/rules"
)

// evaluation is the working memory of one look at one patient at one instant: each term and atom is
// answered at most once. It is reused; its size is the program's, its cost only what it touches.
type evaluation struct {
	plan *Plan
	now  clinical.Instant

	period *period // that is spoken of; nil: none

	values []rules.Value // by term
	terms  []answered
	atoms  []answered

	series    [][]*Series // by input
	inputs    []int32     // those with series, to be cleared
	termsSeen []int32
	atomsSeen []int32

	periodTerms, periodAtoms []int32 // those answered about the period
}

// answered is a term's or atom's state in an evaluation.
type answered struct {
	done  bool
	truth rules.Truth // atoms only
	until clinical.Instant
}

func newEvaluation(p *Plan) *evaluation {
	return &evaluation{
		plan:   p,
		values: make([]rules.Value, len(p.Program.Terms)),
		terms:  make([]answered, len(p.Program.Terms)),
		atoms:  make([]answered, len(p.Program.Atoms)),
		series: make([][]*Series, len(p.Program.Inputs)),
	}
}

func (e *evaluation) start(now clinical.Instant) { e.now = now }

func (e *evaluation) release() {
	e.leave()
	for _, t := range e.termsSeen {
		e.terms[t].done = false
		e.values[t] = rules.Value{}
	}
	for _, a := range e.atomsSeen {
		e.atoms[a].done = false
	}
	for _, in := range e.inputs {
		clear(e.series[in])
		e.series[in] = e.series[in][:0]
	}
	e.termsSeen, e.atomsSeen, e.inputs = e.termsSeen[:0], e.atomsSeen[:0], e.inputs[:0]
}

// locate finds which series feed which inputs.
func (e *evaluation) locate(h *History) {
	for _, s := range h.Series() {
		for _, in := range e.plan.inputsOf(s.ID, s.Stream) {
			e.feed(in, s)
		}
	}
}

func (e *evaluation) feed(in int32, s *Series) {
	if len(e.series[in]) == 0 {
		e.inputs = append(e.inputs, in)
	}
	e.series[in] = append(e.series[in], s)
}

func (e *evaluation) question(t *rules.Term) question {
	p := e.plan.Program
	return ask(t, p.Inputs[t.Input], p.Zone, e.series[t.Input], e.now)
}

func (e *evaluation) term(i int) (rules.Value, clinical.Instant) {
	a := &e.terms[i]
	if !a.done {
		t := e.plan.Program.Terms[i]
		q := e.question(t)
		var v rules.Value
		var until clinical.Instant
		if t.Each == 0 {
			v, until = q.resolve()
		} else {
			v, until = q.resolveIn(e.period)
		}
		e.setTerm(i, v, until)
	}
	return e.values[i], a.until
}

func (e *evaluation) setTerm(i int, v rules.Value, until clinical.Instant) {
	e.values[i], e.terms[i] = v, answered{done: true, until: until}
	if e.plan.Program.Terms[i].Each != 0 {
		e.periodTerms = append(e.periodTerms, int32(i))
		return
	}
	e.termsSeen = append(e.termsSeen, int32(i))
}

func (e *evaluation) atom(i int) (rules.Truth, clinical.Instant) {
	a := &e.atoms[i]
	if !a.done {
		truth, until := e.resolveAtom(e.plan.Program.Atoms[i])
		e.setAtom(i, truth, until)
	}
	return a.truth, a.until
}

func (e *evaluation) setAtom(i int, truth rules.Truth, until clinical.Instant) {
	e.atoms[i] = answered{done: true, truth: truth, until: until}
	if e.plan.Program.Atoms[i].Each != 0 {
		e.periodAtoms = append(e.periodAtoms, int32(i))
		return
	}
	e.atomsSeen = append(e.atomsSeen, int32(i))
}

func (e *evaluation) resolveAtom(a *rules.Atom) (rules.Truth, clinical.Instant) {
	until := clinical.Forever
	for _, t := range a.Terms {
		_, u := e.term(t)
		until = min(until, u)
	}
	truth := a.Eval(e.values).Truth()
	switch {
	case until == e.now: // cannot be: a horizon lies after the instant asked
		panic("pointer: a term's horizon is not after now")
	case a.Elapsed >= 0:
		until = e.crossing(a, truth, until)
	case a.Threshold != nil && until != clinical.Forever && e.plan.Program.Terms[a.Threshold.Term].Window.Day != rules.LastDay:
		t := e.plan.Program.Terms[a.Threshold.Term]
		q := e.question(t)
		if t.Each != 0 {
			if _, ok := q.about(e.period); !ok {
				return truth, until
			}
		}
		constant := rules.NumberOf(a.Threshold.Constant)
		until = q.countUntil(int(e.values[a.Threshold.Term].Num), func(n int) bool {
			return rules.CompareValues(a.Threshold.Op, rules.NumberOf(float64(n)), constant).Truth() == rules.True
		})
	}
	return truth, until
}

// farthest is how far ahead a crossing of elapsed time is looked for: a thousand years.
const farthest = clinical.Instant(1000 * 365.25 * 24 * 60 * 60 * 1000)

// crossing finds, for an atom that compares elapsed time, the first instant before until at which time
// alone turns it over. Between two events the comparison is monotone in time, so bisection finds the
// very millisecond, with the same comparison that a reader will make.
func (e *evaluation) crossing(a *rules.Atom, truth rules.Truth, until clinical.Instant) clinical.Instant {
	held := e.values[a.Elapsed]
	if held.Kind == rules.Missing {
		return until
	}
	defer func() { e.values[a.Elapsed] = held }()
	perMilli := 1.0 / 3_600_000
	if e.plan.Program.Terms[a.Elapsed].Op == rules.DaysSince {
		perMilli = 1.0 / 86_400_000
	}
	since := e.now - clinical.Instant(held.Num/perMilli+0.5)
	at := func(t clinical.Instant) rules.Truth {
		e.values[a.Elapsed] = rules.NumberOf(float64(t-since) * perMilli)
		return a.Eval(e.values).Truth()
	}
	lo, hi := e.now, min(until, later(e.now, farthest))
	if at(hi-1) == truth {
		return until
	}
	for lo+1 < hi {
		if mid := lo + (hi-lo)/2; at(mid) == truth {
			lo = mid
		} else {
			hi = mid
		}
	}
	return hi
}

// rule evaluates the tree of a rule, of one that is `for_each` for the period that is spoken of.
func (e *evaluation) rule(r *rules.Rule) (rules.Truth, clinical.Instant) { return e.node(r.Tree) }

// node combines by Kleene's tables, and the horizons with them: what decides the result must hold as
// long as the result does.
func (e *evaluation) node(n *rules.Node) (rules.Truth, clinical.Instant) {
	switch n.Kind {
	case rules.NodeConst:
		return n.Const, clinical.Forever
	case rules.NodeAtom:
		return e.atom(n.Atom)
	case rules.NodeNot:
		truth, until := e.node(n.Kids[0])
		return rules.Not(truth), until
	case rules.NodeAnd:
		return e.atLeast(n, len(n.Kids))
	case rules.NodeOr:
		return e.atLeast(n, 1)
	}
	return e.atLeast(n, n.N)
}

// atLeast is n of the children, of which and (all) and or (one) are the ends. True holds while n of the
// true ones do: until the nth longest. False holds while so many of the false ones do that n cannot be
// reached. Unknown holds at least until the first of any changes.
func (e *evaluation) atLeast(n *rules.Node, need int) (rules.Truth, clinical.Instant) {
	var roomT, roomF [8]clinical.Instant
	trues, falses := roomT[:0], roomF[:0]
	least, unknowns := clinical.Forever, 0
	for _, kid := range n.Kids {
		truth, until := e.node(kid)
		least = min(least, until)
		switch truth {
		case rules.True:
			trues = append(trues, until)
		case rules.False:
			falses = append(falses, until)
		default:
			unknowns++
		}
	}
	switch truth := rules.AtLeast(need, len(trues), unknowns); truth {
	case rules.True:
		return truth, nthLongest(trues, need)
	case rules.False:
		return truth, nthLongest(falses, len(n.Kids)-need+1)
	default:
		return truth, least
	}
}

func nthLongest(until []clinical.Instant, n int) clinical.Instant {
	if n < 1 || n > len(until) { // held by the count of children alone
		return clinical.Forever
	}
	slices.Sort(until)
	return until[len(until)-n]
}
