package pointer

import (
	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/rules"
)

// Outline says how a rule is folded and read: what data settles, and what stays a pointer.
type Outline struct {
	Rule     *rules.Rule
	Baseline rules.Truth // of a patient without any fact
	Terms    []TermOutline
}

// TermOutline is one term of the rule's condition.
type TermOutline struct {
	Term  *rules.Term
	Input *rules.Input
	Life  Life
	Reach Reach
	Rules int // how many other rules of the program ask the same
}

// Life says what can change a term's answer while nothing new is stated. A fact dated after now can change
// any of them when its time comes.
type Life uint8

const (
	Settled   Life = iota // nothing: data alone decides
	Passing               // a fact leaves the window, or comes into one that ends in the past
	Elapsing              // every millisecond
	Ending                // a period ends
	Birthdays             // a month of age is completed
	Death                 // a stated death comes
)

// Reach says how many facts a read of the term looks at.
type Reach uint8

const (
	Person  Reach = iota // the statement about the patient's person
	Ends                 // those at the window's ends: the same for a few facts as for many
	Chunks               // those of the chunks at the window's ends, and a summary of each chunk between
	Window               // every fact of the window
	Periods              // every fact of the input
)

// Outline describes one of the program's rules.
func (p *Plan) Outline(rule *rules.Rule) Outline {
	asking := make(map[int]int, len(rule.Terms))
	for _, other := range p.Program.Rules {
		if other == rule {
			continue
		}
		for _, t := range other.Terms {
			asking[t]++
		}
	}
	o := Outline{Rule: rule, Baseline: p.baseline[rule.Index]}
	for _, id := range rule.Terms {
		t := p.Program.Terms[id]
		in := p.Program.Inputs[t.Input]
		o.Terms = append(o.Terms, TermOutline{Term: t, Input: in, Life: lifeOf(t), Reach: reachOf(t, in), Rules: asking[id]})
	}
	return o
}

func lifeOf(t *rules.Term) Life {
	switch {
	case t.Op == rules.Sex, t.Op == rules.BirthDate:
		return Settled
	case t.Op == rules.Deceased:
		return Death
	case t.Op.OfPatient():
		return Birthdays
	case t.Op == rules.Active && t.Window.All && t.Each == 0, t.Op == rules.Ended, t.Window.At == rules.AtEnd:
		return Ending
	case t.Op.Elapsed():
		return Elapsing
	case t.Window.All, t.Each != 0, t.Window.Day == rules.LastDay:
		return Settled
	}
	return Passing
}

func reachOf(t *rules.Term, in *rules.Input) Reach {
	switch t.Op {
	case rules.Age, rules.AgeMonths, rules.Sex, rules.Deceased, rules.BirthDate:
		return Person
	case rules.Active, rules.Overlaps, rules.PeriodStart, rules.PeriodEnd, rules.Ended, rules.HoursSinceStart, rules.HoursSinceEnd:
		return Periods
	case rules.Exists, rules.Last, rules.First, rules.LastTime, rules.FirstTime, rules.HoursSince, rules.DaysSince:
		return Ends
	case rules.Min, rules.Max, rules.Sum, rules.Mean, rules.Delta, rules.Count:
		if in.Plain() && in.Type == clinical.Number {
			return Chunks
		}
	}
	return Window
}

// Look is how a rule stands for one patient at an instant.
type Look struct {
	Result
	Atoms []AtomLook // in the order of Rule.Atoms
	Terms []TermLook // in the order of Rule.Terms
}

// AtomLook is an atom's truth, and until when it holds if nothing new is stated: clinical.Forever when it is
// settled.
type AtomLook struct {
	Truth rules.Truth
	Until clinical.Instant
}

// TermLook is the same of a term. Of elapsed time Until is until when it speaks of the same fact.
type TermLook struct {
	Value rules.Value
	Until clinical.Instant
}

// Look evaluates one rule over a whole history, settled for this plan: one that is `for_each` for the period
// that begins at start; false where none does.
func (p *Plan) Look(rule *rules.Rule, start clinical.Instant, h *History, now clinical.Instant) Look {
	e := p.begin(now)
	defer p.end(e)
	e.locate(h)
	e.find(rule, start)
	l := Look{Result: Result{Rule: int32(rule.Index), Period: clinical.Never}}
	switch {
	case rule.Each == 0:
		l.Truth, l.Until = e.rule(rule)
	case e.period != nil:
		l.Result = e.ofPeriod(int32(rule.Index))
	default:
		l.Period, l.Until = start, clinical.Forever
	}
	for _, a := range rule.Atoms {
		truth, until := e.atom(a)
		l.Atoms = append(l.Atoms, AtomLook{truth, until})
	}
	for _, t := range rule.Terms {
		v, until := e.term(t)
		l.Terms = append(l.Terms, TermLook{v, until})
	}
	return l
}
