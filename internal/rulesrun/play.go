package rulesrun

import (
	"slices"

	"github.com/vigil-cds/vigil/explain"
	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/internal/rulestest"
	"github.com/vigil-cds/vigil/rules"
)

// questions is what a case asks, and from when to when it has to be followed.
type questions struct {
	start, end clinical.Instant
	asks       []ask // ascending
	turns      []*rules.Rule
}

// ask is one instant and what is asked then: of an expectation, or of none where only coverage looks.
type ask struct {
	at          clinical.Instant
	expectation int // index into the case's; -1
}

// questions collects what a case asks.
func (r *Runner) questions(c *rulestest.Case) questions {
	q := questions{start: c.Now, end: max(c.Now, c.Until)}
	reach := func(at clinical.Instant) {
		if at != clinical.Never {
			q.start, q.end = min(q.start, at), max(q.end, at)
		}
	}
	for _, rec := range c.Records {
		reach(rec.Recorded)
	}
	for i, e := range c.Expect {
		reach(e.At)
		q.asks = append(q.asks, ask{e.At, i})
	}
	for _, t := range c.Turns {
		if rule, ok := r.program.Rule(t.Rule); ok && !slices.Contains(q.turns, rule) {
			q.turns = append(q.turns, rule)
		}
		for _, at := range t.At {
			reach(at)
			q.asks = append(q.asks, ask{at, -1})
		}
	}
	slices.SortStableFunc(q.asks, func(x, y ask) int { return int(min(max(x.at-y.at, -1), 1)) })
	return q
}

// answers is what one side said.
type answers struct {
	moments []moment // by expectation
	turns   []turn   // of every rule that turns are asked of, in order of time
}

// moment is what was so at an expectation's instant.
type moment struct {
	history explain.History // the reference's
	truths  []rules.Truth   // by expected truth
	values  []rules.Value   // by expected value
	known   []bool          // by expected value: the rule asks that term
	message string
}

// turn is a rule firing or clearing.
type turn struct {
	rule  *rules.Rule
	fired bool
	at    clinical.Instant
}

// play tells one side the case's history, instant by instant, and asks what the case asks.
func (r *Runner) play(q questions, c *rulestest.Case, s side, seen *Coverage) answers {
	a := answers{moments: make([]moment, len(c.Expect))}
	p := player{runner: r, c: c, side: s, seen: seen, answers: &a, holds: map[held]bool{}, clock: q.start}
	var ledger explain.Ledger
	asks := q.asks
	for i := range c.Records {
		rec := c.Records[i]
		rec.Recorded = max(rec.Recorded, q.start)
		for len(asks) > 0 && asks[0].at < rec.Recorded {
			p.ask(asks[0])
			asks = asks[1:]
		}
		p.pass(q, rec.Recorded)
		gone, added := ledger.Apply(&rec, int64(i))
		s.learn(gone, added, rec.Recorded)
		p.known = true
		for _, rule := range q.turns {
			for _, period := range p.periods(rule) {
				p.turn(held{rule, period}, s.truth(rule, period, rec.Recorded), rec.Recorded)
			}
		}
	}
	for _, asked := range asks {
		p.ask(asked)
	}
	p.pass(q, q.end)
	return a
}

type player struct {
	runner  *Runner
	c       *rulestest.Case
	side    side
	seen    *Coverage
	answers *answers
	holds   map[held]bool // those that turns are asked of
	known   bool
	clock   clinical.Instant
}

// held is what a rule holds for: see side.periods.
type held struct {
	rule   *rules.Rule
	period clinical.Instant
}

// periods are those of a rule that there are, and those for which it held before.
func (p *player) periods(rule *rules.Rule) []clinical.Instant {
	all := slices.Clone(p.side.periods(rule))
	for of := range p.holds {
		if of.rule == rule {
			all = append(all, of.period)
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// truth is what a rule is: of one that holds for each period, and of which none is named, whether it is so for
// any that has begun.
func (p *player) truth(rule *rules.Rule, period *clinical.Instant, at clinical.Instant) rules.Truth {
	if rule.Each != 0 && period != nil {
		return p.side.truth(rule, *period, at)
	}
	truth := rules.False
	for _, period := range p.side.periods(rule) {
		if period <= at {
			truth = rules.Or(truth, p.side.truth(rule, period, at))
		}
	}
	return truth
}

// about is the period that values and messages are of: the one named, or else the latest that has begun.
func (p *player) about(rule *rules.Rule, period *clinical.Instant, at clinical.Instant) clinical.Instant {
	if rule.Each != 0 && period != nil {
		return *period
	}
	about := clinical.Never
	for _, period := range p.side.periods(rule) {
		if period <= at {
			about = period
		}
	}
	return about
}

// pass lets time go on with nothing learned.
func (p *player) pass(q questions, to clinical.Instant) {
	from := p.clock
	p.clock = to
	if !p.known || to <= from {
		return
	}
	first := len(p.answers.turns)
	for _, rule := range q.turns {
		for _, period := range p.side.periods(rule) {
			for _, change := range p.side.changes(rule, period, from, to) {
				p.turn(held{rule, period}, change.Truth, change.At)
			}
		}
	}
	slices.SortStableFunc(p.answers.turns[first:], func(x, y turn) int { return int(min(max(x.at-y.at, -1), 1)) })
}

func (p *player) turn(of held, truth rules.Truth, at clinical.Instant) {
	if holds := truth == rules.True; holds != p.holds[of] {
		p.holds[of] = holds
		p.answers.turns = append(p.answers.turns, turn{of.rule, holds, at})
	}
}

func (p *player) ask(asked ask) {
	if p.seen != nil {
		p.seen.look(p.runner, p.c, p.side.(*reference).history, asked)
	}
	if asked.expectation < 0 {
		return
	}
	e := &p.c.Expect[asked.expectation]
	m := &p.answers.moments[asked.expectation]
	if reference, ok := p.side.(*reference); ok {
		m.history = reference.history
	}
	for _, t := range e.Truths {
		truth := rules.Unknown
		if rule, ok := p.runner.program.Rule(t.Rule); ok {
			truth = p.truth(rule, e.Period, asked.at)
		}
		m.truths = append(m.truths, truth)
	}
	rule, ok := p.runner.program.Rule(e.Rule)
	if !ok {
		return
	}
	about := p.about(rule, e.Period, asked.at)
	for _, v := range e.Values {
		q, known := rulestest.QuestionOf(p.runner.program, rule, v.Term)
		m.known = append(m.known, known)
		value := q.Fixed
		switch {
		case q.Term != nil:
			value = p.side.values(rule, about, []int{q.Term.ID}, asked.at)[q.Term.ID]
		case q.Score != nil:
			value = rulestest.SumOf(p.side.score(rule, about, q.Score, asked.at))
		}
		m.values = append(m.values, value)
	}
	if e.Message != nil && rule.Message != nil {
		m.message = rule.Message.Render(p.side.values(rule, about, rule.Message.Terms, asked.at))
	}
}
