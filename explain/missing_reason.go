package explain

import (
	"cmp"
	"fmt"

	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/rules"
)

// why says for what reason a term has no answer, with the last fact before its window when that is empty.
func (b *blame) why(t *rules.Term) (string, *member) {
	if t.Op.OfPatient() {
		return b.whyOfPerson(t.Op), nil
	}
	if t.Each != 0 {
		switch s := b.speaksOf(t.Each); {
		case !s.there():
			return "no such period is on record", nil
		case (t.Op == rules.HoursSinceEnd || t.Window.At == rules.AtEnd) && !s.Ended(b.now):
			return "the period has not ended", nil
		}
	}
	in := b.program.Inputs[t.Input]
	seen := b.window(t, b.now)
	if len(seen) == 0 {
		return b.none(t, in)
	}
	what := sought(t, in)
	n, below, above := comparators(seen)
	switch {
	case t.Op == rules.MaxGap:
		return "only one " + what + ", where a gap lies between two" + b.leftOut(t, in, seen[0].Fact.Time), nil
	case n == 0:
		return "no " + what + " has " + carried[in.Type] + b.leftOut(t, in, seen[0].Fact.Time), nil
	case (t.Op == rules.Min || t.Op == rules.Max) && below && above:
		return fmt.Sprintf("of %s some are below and some above what was measured, such as %s and %s, so that the %s is not known", what,
			bound(seen, clinical.Below), bound(seen, clinical.Above), map[rules.Op]string{rules.Min: "least", rules.Max: "greatest"}[t.Op]), nil
	case t.Op == rules.Nth:
		return fmt.Sprintf("only %d %s, where nth(%v) asks for another", n, what, t.Arg.Number), nil
	case below:
		return uncountable(t.Op, what, bound(seen, clinical.Below)), nil
	case above:
		return uncountable(t.Op, what, bound(seen, clinical.Above)), nil
	case t.Op == rules.Delta && n == 1:
		return "only one " + what + ", where a change takes two" + b.leftOut(t, in, seen[0].Fact.Time), nil
	}
	switch t.Op {
	case rules.StdDev, rules.Rise, rules.Fall:
		if n == 1 {
			return "only one " + what + ", where a " + statistics[t.Op] + " takes two" + b.leftOut(t, in, seen[0].Fact.Time), nil
		}
	case rules.Slope:
		return "all of " + what + " are of one instant, or their numbers too large, and a slope takes two instants" + b.leftOut(t, in, seen[0].Fact.Time), nil
	}
	return "the numbers of " + what + " are too large to calculate with", nil
}

// sought is what a term looks at: "creatinine in 48 hours with value >= 1.5".
func sought(t *rules.Term, in *rules.Input) string {
	return called(in) + inWindow(t.Window) + filtered(in)
}

// filtered says by which condition a term picks from an input's facts; "" of one that takes them all.
func filtered(in *rules.Input) string {
	if in.Filter == "" {
		return ""
	}
	return " with " + in.Filter
}

// carried is what a fact of an input of each type is asked for.
var carried = map[clinical.ValueType]string{clinical.Number: "a number", clinical.Coded: "a code as its value", clinical.Boolean: "yes or no as its value", clinical.Text: "a text as its value"}

// statistics is what people call those that take two values.
var statistics = map[rules.Op]string{rules.StdDev: "standard deviation", rules.Rise: "rise", rules.Fall: "fall"}

// uncountable says of a sum, a mean, a change or the like that a bounded number keeps it from being worked out.
func uncountable(op rules.Op, what string, v rules.Value) string {
	cannot := "added up"
	switch op {
	case rules.Delta, rules.Rise, rules.Fall:
		cannot = "subtracted"
	case rules.Median:
		cannot = "put in order"
	case rules.DurationAbove, rules.DurationBelow:
		cannot = "held against the level"
	}
	return fmt.Sprintf("%s: a result %s cannot be %s", what, v, cannot)
}

// bound is the latest value with a comparator.
func bound(facts []member, c clinical.Comparator) rules.Value {
	return facts[lastIndex(facts, func(m member) bool { return hasValue(m) && m.value.Bound == c })].value
}

func (b *blame) whyOfPerson(op rules.Op) string {
	person, known := b.person()
	switch {
	case !known:
		return "nothing is on record about the patient's own person"
	case op == rules.Sex:
		return "no sex is known"
	case person.Time == clinical.Never:
		return "no birth date is known"
	}
	return "it is before the birth"
}

// none says that the term's window is empty, and what there was before.
func (b *blame) none(t *rules.Term, in *rules.Input) (string, *member) {
	facts := b.input(t.Input)
	earliest, latest := b.bounds(t, b.now)
	before, known := since(facts, earliest), since(facts, b.now+1)
	switch {
	case before > 0:
		last := &facts[before-1]
		text := "no " + sought(t, in) + "; the last was "
		if v := last.value; v.Kind == rules.Number {
			text += amount(v, in.Unit) + ", "
		}
		text += apart(last.Fact.Time, b.now) + " before"
		if last.Fact.Time == clinical.Never {
			text = "no " + sought(t, in) + "; the last has no date"
		}
		return text + b.leftOut(t, in, last.Fact.Time), last
	case known > 0:
		return "no " + sought(t, in) + ", only after" + b.leftOut(t, in, clinical.Never), nil
	case len(facts) > 0 && latest == b.now:
		return "no " + called(in) + filtered(in) + " yet; the first is dated later" + b.leftOut(t, in, clinical.Never), nil
	}
	return "no " + called(in) + filtered(in) + " ever" + b.leftOut(t, in, clinical.Never), nil
}

// leftOut names the latest fact with one of the input's codes, from an instant to the end of the term's
// window, that does not belong to the input, with what is against it; "" when there is none.
func (b *blame) leftOut(t *rules.Term, in *rules.Input, from clinical.Instant) string {
	_, latest := b.bounds(t, b.now)
	var last *Statement
	for i := range b.history {
		s := &b.history[i]
		if s.Fact.Time < from || s.Fact.Time > latest || !takes(in, s.Fact.Stream) {
			continue
		}
		if last != nil && cmp.Or(cmp.Compare(s.Fact.Time, last.Fact.Time), cmp.Compare(s.Order, last.Order)) < 0 {
			continue
		}
		if _, belongs := b.belongs(in, *s); !belongs {
			last = s
		}
	}
	if last == nil {
		return ""
	}
	when := "one without a date"
	if last.Fact.Time != clinical.Never {
		when = "one " + apart(last.Fact.Time, b.now) + " before"
	}
	return "; " + when + " is left out: " + b.against(in, *last)
}

// against says for what reason a fact with one of the input's codes does not belong to the input.
func (r *reading) against(in *rules.Input, s Statement) string {
	d := detailOf(s.Fact)
	switch {
	case negated(d) && !r.asks[in.ID].negated:
		return "it says that this was not so, or not done"
	case d.Type == clinical.AbsentValue && !r.asks[in.ID].absent:
		return "it says that its value is absent"
	}
	value, ok := r.valueIn(in, s.Fact, d)
	switch {
	case !ok && d.Unit == "":
		return "its number has no unit"
	case !ok:
		return fmt.Sprintf("its unit %q cannot be converted to %s", d.Unit, in.Unit)
	}
	return r.unmet(in, s, value)
}
