package lint

import (
	"github.com/vigil-cds/vigil/rules"
)

// outcomes are the truth values that a condition can have, as a set.
type outcomes uint8

const (
	isFalse outcomes = 1 << iota
	isUnknown
	isTrue

	isAny = isFalse | isUnknown | isTrue
)

// truths lists the set's members.
func (o outcomes) truths() []rules.Truth {
	var out []rules.Truth
	for _, t := range []rules.Truth{rules.False, rules.Unknown, rules.True} {
		if o&outcomeOf(t) != 0 {
			out = append(out, t)
		}
	}
	return out
}

func outcomeOf(t rules.Truth) outcomes {
	switch t {
	case rules.True:
		return isTrue
	case rules.False:
		return isFalse
	}
	return isUnknown
}

func combine(x, y outcomes, by func(a, b rules.Truth) rules.Truth) outcomes {
	var out outcomes
	for _, a := range x.truths() {
		for _, b := range y.truths() {
			out |= outcomeOf(by(a, b))
		}
	}
	return out
}

func negation(x outcomes) outcomes {
	return combine(x, isTrue, func(a, _ rules.Truth) rules.Truth { return rules.Not(a) })
}

// without is what a condition can come to for a patient in whom the input never had a fact, whatever else is
// known of the patient. It errs on the side of more outcomes.
func without(e rules.Expr, input int) outcomes {
	op, kids := connective(e)
	switch op {
	case "not":
		return negation(without(kids[0], input))
	case "and":
		out := isTrue
		for _, kid := range kids {
			out = combine(out, without(kid, input), rules.And)
		}
		return out
	case "or", "none":
		out := isFalse
		for _, kid := range kids {
			out = combine(out, without(kid, input), rules.Or)
		}
		if op == "none" {
			return negation(out)
		}
		return out
	}
	if c, ok := e.(*rules.Combination); ok && c.Op == "at_least" {
		trues, unknowns := 0, 0
		for _, kid := range c.Kids {
			switch o := without(kid, input); {
			case o&isTrue != 0:
				trues++
			case o&isUnknown != 0:
				unknowns++
			}
		}
		if trues < c.N {
			return isFalse | isUnknown
		}
		return isAny
	}
	if t, ok := e.(*rules.TermRef); ok && t.Term.Input == input && (t.Term.Op == rules.Exists || t.Term.Op == rules.Active) {
		return isFalse
	}
	if missing(e, input) {
		return isUnknown
	}
	return isAny
}

// missing reports that e has no answer when the input never had a fact: missing travels, but not past `??`
// and not out of a branch that may not be taken.
func missing(e rules.Expr, input int) bool {
	switch e := e.(type) {
	case *rules.TermRef:
		return e.Term.Input == input && canBeMissing(e.Term)
	case *rules.Unary:
		return missing(e.X, input)
	case *rules.In:
		return missing(e.X, input)
	case *rules.Dates:
		return missing(e.X, input) || missing(e.Y, input)
	case *rules.Conditional:
		return missing(e.If, input) || missing(e.Then, input) && missing(e.Else, input)
	case *rules.Binary:
		switch e.Op {
		case "??":
			return missing(e.X, input) && missing(e.Y, input)
		case "and", "or":
			return missing(e.X, input) && missing(e.Y, input)
		}
		return missing(e.X, input) || missing(e.Y, input)
	}
	return false
}

// canBeMissing reports a term that has no answer without facts; the others count none as 0 or as false.
func canBeMissing(t *rules.Term) bool {
	switch t.Op {
	case rules.PeriodStart, rules.PeriodEnd, rules.Ended, rules.HoursSinceStart, rules.HoursSinceEnd:
		return false // without a period there is nothing that the rule could hold for
	case rules.Exists, rules.Count, rules.Sum, rules.Active, rules.Overlaps:
		return false
	}
	return !t.Op.OfPatient()
}

// mention says how a rule speaks of an input.
type mention struct {
	asked    bool       // it asks for something of it, or that there is something
	excluded rules.Expr // the first condition that asks for something not to be so
}

// silenced reports an input that a rule speaks of only to leave patients out, and that yet must have data
// for the rule to be true: whoever was never measured is left out as well.
func (l *linter) silenced(r *rules.Rule) {
	mentions := map[int]*mention{}
	l.mentions(r.When, false, nil, mentions)
	asked := false
	for _, m := range mentions {
		asked = asked || m.asked
	}
	if !asked {
		return
	}
	for input, m := range mentions {
		if m.asked || m.excluded == nil || l.program.Inputs[input].ID == 0 || without(r.When, input)&isTrue != 0 {
			continue
		}
		name := l.program.Inputs[input].Name
		l.add(l.at(m.excluded, l.w.Rule(r)), SilencedByMissing,
			"if no result should not hold the rule back, say what silence counts as: `not ((…) ?? false)`; if a result is needed, ask for it: `"+name+".exists()`",
			"the rule never fires for a patient without any %s: `not` of what is unknown is unknown", name)
	}
}

// mentions gathers how e speaks of inputs. Excluding is the condition under whose `not` e stands, if any.
func (l *linter) mentions(e rules.Expr, negate bool, excluding rules.Expr, into map[int]*mention) {
	op, kids := connective(e)
	if op == "not" || op == "none" {
		negate = !negate
		if excluding == nil {
			excluding = e
		}
	}
	if op != "" {
		for _, kid := range kids {
			l.mentions(kid, negate, excluding, into)
		}
		return
	}
	if b, ok := e.(*rules.Binary); ok && b.Op == "!=" {
		negate = !negate
		excluding = e
	}
	every(e, func(part rules.Expr) {
		t, ok := part.(*rules.TermRef)
		if !ok {
			return
		}
		m := into[t.Term.Input]
		if m == nil {
			m = &mention{}
			into[t.Term.Input] = m
		}
		switch {
		case !negate:
			m.asked = true
		case m.excluded == nil && canBeMissing(t.Term):
			m.excluded = excluding
		}
	})
}
