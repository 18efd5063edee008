package pointer

import (
	"cmp"
	"slices"

	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/rules"
)

// period is one of an input's: where a rule is `for_each` of the input, it is evaluated for each period by
// itself, one after the other. The terms and atoms that are about the period are forgotten in between.
type period struct {
	rules.Period
	facts []uint64 // the Seq of those that make it
}

// periods are those of an input, in order of their start. A fact whose time is not known makes none.
func (e *evaluation) periods(input int) []period {
	if len(e.series[input]) == 0 {
		return nil
	}
	facts := factsOf(e.plan.Program.Inputs[input], e.series[input])
	var w walk
	w.from(&facts, clinical.Never, true)
	var all []period
	for {
		f, ok := w.next()
		if !ok {
			return all
		}
		if n := len(all); n == 0 || all[n-1].Start != f.entry.Time {
			all = append(all, period{Period: rules.Period{Start: f.entry.Time, End: f.entry.Time}})
		}
		last := &all[len(all)-1]
		last.Period, last.facts = last.Meet(f.entry.End), append(last.facts, f.entry.Seq)
	}
}

// Periods are those of a rule that holds for each period of an input, in order of their start, also those that have
// not begun; none of any other rule. The history is a whole one, settled for this plan.
func (p *Plan) Periods(rule *rules.Rule, h *History) []rules.Period {
	if rule.Each == 0 {
		return nil
	}
	e := p.begin(clinical.Never)
	defer p.end(e)
	e.locate(h)
	var all []rules.Period
	for _, of := range e.periods(rule.Each) {
		all = append(all, of.Period)
	}
	return all
}

// within begins to speak of a period, leave stops.
func (e *evaluation) within(p *period) { e.period = p }

func (e *evaluation) leave() {
	e.period = nil
	for _, t := range e.periodTerms {
		e.terms[t].done = false
		e.values[t] = rules.Value{}
	}
	for _, a := range e.periodAtoms {
		e.atoms[a].done = false
	}
	e.periodTerms, e.periodAtoms = e.periodTerms[:0], e.periodAtoms[:0]
}

// ofPeriod evaluates a rule for the period that the evaluation is within: before it begins the rule is false.
// Every atom is answered all the same, since what is settled must be known when it does.
func (e *evaluation) ofPeriod(rule int32) Result {
	r := Result{Rule: rule, Period: e.period.Start}
	r.Truth, r.Until = e.rule(e.plan.Program.Rules[rule])
	if e.now < e.period.Start {
		r.Truth, r.Until = rules.False, e.period.Start
	}
	return r
}

// perPeriod evaluates rules that are `for_each` for every period of theirs. each is called within each period,
// in order of input and start, with the results for it.
func (e *evaluation) perPeriod(touched []int32, each func(input int, p *period, results []Result)) {
	byInput := map[int][]int32{}
	var inputs []int
	for _, rule := range touched {
		input := e.plan.Program.Rules[rule].Each
		if byInput[input] == nil {
			inputs = append(inputs, input)
		}
		byInput[input] = append(byInput[input], rule)
	}
	slices.Sort(inputs)
	var results []Result
	for _, input := range inputs {
		periods := e.periods(input)
		for i := range periods {
			e.within(&periods[i])
			results = results[:0]
			for _, rule := range byInput[input] {
				results = append(results, e.ofPeriod(rule))
			}
			each(input, &periods[i], results)
			e.leave()
		}
	}
}

// parted is those of the rules that hold for the patient, and those that hold for each of their periods.
func (e *evaluation) parted(touched []int32) (ofPatient, forEach []int32) {
	if !e.plan.forEach {
		return touched, nil
	}
	for _, rule := range touched {
		if e.plan.Program.Rules[rule].Each == 0 {
			ofPatient = append(ofPatient, rule)
		} else {
			forEach = append(forEach, rule)
		}
	}
	return ofPatient, forEach
}

func byRule(x, y Result) int {
	return cmp.Or(cmp.Compare(x.Rule, y.Rule), cmp.Compare(x.Period, y.Period))
}

// about makes the question one about a period: its window stands still, and what comes after now is not seen
// yet. False where there is no answer, and until when there is none.
func (q *question) about(p *period) (clinical.Instant, bool) {
	if p == nil {
		return clinical.Forever, false
	}
	w := q.term.Window
	from, to := p.Start, p.End
	if w.At != rules.AtNow {
		anchor := p.Start
		if w.At == rules.AtEnd {
			if anchor = p.End; !p.Ended(q.now) {
				return later(p.End, 1), false
			}
		}
		from, to = w.Lower(anchor, q.zone), w.Upper(anchor, q.zone)
		if q.term.Op == rules.Active && w.All {
			from = anchor
		}
	}
	q.still, q.facts.limit = true, to
	q.lower, q.upper = from, max(min(to, q.now), later(from, -1))
	return 0, true
}

// resolveIn answers a term that is about a period.
func (q *question) resolveIn(p *period) (rules.Value, clinical.Instant) {
	switch {
	case p == nil:
		return rules.Value{}, clinical.Forever
	case q.term.Op.OfPeriod():
		return q.ofPeriod(p)
	case q.term.Op == rules.Overlaps:
		return q.meets(p.Start, p.End, p.facts)
	}
	until, ok := q.about(p)
	if !ok {
		return rules.Value{}, until
	}
	if q.term.Op == rules.Active {
		return q.meets(q.lower, q.facts.limit, nil)
	}
	return q.resolve()
}

func (q *question) ofPeriod(p *period) (rules.Value, clinical.Instant) {
	ends := later(p.End, 1)
	switch q.term.Op {
	case rules.PeriodStart:
		return rules.TimeOf(p.Start), clinical.Forever
	case rules.PeriodEnd:
		return rules.TimeOf(p.End), clinical.Forever
	case rules.HoursSinceStart:
		return rules.NumberOf(float64(q.now-p.Start) / 3_600_000), clinical.Forever
	}
	ended := p.Ended(q.now)
	switch {
	case q.term.Op == rules.Ended && ended:
		return rules.BoolOf(true), clinical.Forever
	case q.term.Op == rules.Ended:
		return rules.BoolOf(false), ends
	case ended:
		return rules.NumberOf(float64(q.now-p.End) / 3_600_000), clinical.Forever
	}
	return rules.Value{}, ends
}

// meets says whether a fact that has begun, and is none of those besides, shares an instant with a stretch of time.
func (q *question) meets(from, to clinical.Instant, besides []uint64) (rules.Value, clinical.Instant) {
	if len(q.facts.series) == 0 {
		return rules.BoolOf(false), clinical.Forever
	}
	var w walk
	w.from(&q.facts, clinical.Never, false)
	for {
		f, ok := w.next()
		switch {
		case !ok || f.entry.Time > to:
			return rules.BoolOf(false), clinical.Forever
		case f.entry.End < from || slices.Contains(besides, f.entry.Seq):
		case f.entry.Time > q.now:
			return rules.BoolOf(false), f.entry.Time
		default:
			return rules.BoolOf(true), clinical.Forever
		}
	}
}
