package pointer

import (
	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/rules"
)

// Outline says how a rule is folded and read: what data settles, and what stays a pointer.
type Outline struct {
	Rule     *rules.Rule
	Baseline rules.Truth // of a patient without any fact
	Cost     rules.Cost  // of the terms of its message, too
	Terms    []TermOutline
}

// TermOutline is one term of the rule's condition.
type TermOutline struct {
	Term  *rules.Term
	Input *rules.Input
	Life  Life
	Reach rules.Reach
	Cost  rules.Cost
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
	o := Outline{Rule: rule, Baseline: p.baseline[rule.Index], Cost: p.Program.Cost(rule)}
	for _, id := range rule.Terms {
		t := p.Program.Terms[id]
		in := p.Program.Inputs[t.Input]
		o.Terms = append(o.Terms, TermOutline{Term: t, Input: in, Life: lifeOf(t), Reach: p.Program.Reach(t), Cost: p.Program.TermCost(t), Rules: asking[id]})
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

// Look is how a rule stands for one patient at an instant.
type Look struct {
	Result
	Tree  Standing   // of Rule.Tree
	Atoms []Standing // in the order of Rule.Atoms
	Terms []TermLook // in the order of Rule.Terms
}

// Standing is the truth of an atom or of a part of a tree, and until when it holds if nothing new is stated:
// clinical.Forever when it is settled.
type Standing struct {
	Truth rules.Truth
	Until clinical.Instant
	Kids  []Standing // in the order of Node.Kids
}

// TermLook is the same of a term. Of elapsed time Until is until when it speaks of the same fact.
type TermLook struct {
	Value rules.Value
	Until clinical.Instant
}

// Look evaluates one rule over a whole history, settled for this plan: one that is `for_each` for the period
// that begins at start; false where none does. The parts are those of the whole rule, also where one of them
// decides it alone.
func (p *Plan) Look(rule *rules.Rule, start clinical.Instant, h *History, now clinical.Instant) Look {
	e := p.begin(now)
	defer p.end(e)
	e.locate(h)
	e.find(rule, start)
	l := Look{Result: Result{Rule: int32(rule.Index), Period: clinical.Never}, Tree: e.standing(rule.Tree)}
	switch {
	case rule.Each == 0:
		l.Truth, l.Until = l.Tree.Truth, l.Tree.Until
	case e.period != nil:
		l.Result = e.ofPeriod(int32(rule.Index))
	default:
		l.Period, l.Until = start, clinical.Forever
	}
	for _, a := range rule.Atoms {
		truth, until := e.atom(a)
		l.Atoms = append(l.Atoms, Standing{Truth: truth, Until: until})
	}
	for _, t := range rule.Terms {
		v, until := e.term(t)
		l.Terms = append(l.Terms, TermLook{v, until})
	}
	return l
}

func (e *evaluation) standing(n *rules.Node) Standing {
	truth, until := e.node(n)
	s := Standing{Truth: truth, Until: until}
	for _, kid := range n.Kids {
		s.Kids = append(s.Kids, e.standing(kid))
	}
	return s
}
