package explain

import (
	"cmp"
	"slices"

	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/rules"
)

// Turn is a rule becoming true of a patient at an instant, or ceasing to be.
type Turn struct {
	Rule          *rules.Rule
	At            clinical.Instant
	Before, Truth rules.Truth // one of them is rules.True
}

// Course follows one patient's rules through the log: what each record changes, and what time alone
// changes between two. It evaluates with the Reference and nothing else. It saves work in two ways only: a
// rule is evaluated again when a fact of one of its inputs has come or gone, or when an instant has come
// at which time alone could change it (reading.upcoming); and a rule of which no fact is an input's is as
// it is of a patient of whom nothing is known. A Course is for one goroutine.
type Course struct {
	reading *reading
	ledger  *Ledger
	rules   []followed // those of which some fact is an input's, by Rule.Index
	known   bool
	touched []int32 // scratch
}

type followed struct {
	rule  *rules.Rule
	truth rules.Truth
	next  clinical.Instant // when time alone could change it
}

// Course follows a patient on from the instant at which everything in the ledger is known; the rules are
// then as they are at that instant. Of a patient who is not known yet the ledger is empty, and no rule is
// true. The ledger is the course's from here on.
func (r *Reference) Course(l *Ledger, known bool, at clinical.Instant) *Course {
	c := &Course{reading: r.readWhole(l.History()), ledger: l, known: known}
	for input := range r.asking {
		if len(c.reading.members[input]) > 0 || r.program.Inputs[input].Kind == clinical.KindPatient && len(c.reading.persons) > 0 {
			for _, rule := range r.asking[input] {
				f := c.follow(rule)
				f.truth = c.reading.expr(f.rule.When, at).Truth()
				f.next = c.reading.upcoming(f.rule.When, at)
			}
		}
	}
	return c
}

// Ledger is what the course has been told, to follow it on under other rules. The course is done with it.
func (c *Course) Ledger() *Ledger { return c.ledger }

// Known says whether any record has been about the patient.
func (c *Course) Known() bool { return c.known }

// follow finds the rule among those followed, or takes it up as it is of a patient without facts.
func (c *Course) follow(index int32) *followed {
	i, found := slices.BinarySearchFunc(c.rules, index, func(f followed, index int32) int { return cmp.Compare(int32(f.rule.Index), index) })
	if !found {
		rule := c.reading.program.Rules[index]
		f := followed{rule: rule, truth: rules.Unknown, next: clinical.Forever}
		if c.known {
			f.truth = c.reading.baseline()[index]
		}
		c.rules = slices.Insert(c.rules, i, f)
	}
	return &c.rules[i]
}

// Holds is the rules that are true, by Rule.Index.
func (c *Course) Holds() []*rules.Rule {
	if !c.known {
		return nil
	}
	var holds []*rules.Rule
	for index, truth := range c.reading.baseline() {
		i, found := slices.BinarySearchFunc(c.rules, index, func(f followed, index int) int { return cmp.Compare(f.rule.Index, index) })
		if found {
			truth = c.rules[i].truth
		}
		if truth == rules.True {
			holds = append(holds, c.reading.program.Rules[index])
		}
	}
	return holds
}

// Truth is what one of the course's rules is now.
func (c *Course) Truth(rule *rules.Rule) rules.Truth {
	if !c.known {
		return rules.Unknown
	}
	return c.follow(int32(rule.Index)).truth
}

// Due is the next instant at which time alone could change a rule; clinical.Forever when there is none.
func (c *Course) Due() clinical.Instant {
	due := clinical.Forever
	for i := range c.rules {
		due = min(due, c.rules[i].next)
	}
	return due
}

// Pass lets time go on up to and including an instant, with nothing new stated, and gives each turn in
// order of time, those of one instant by Rule.Index.
func (c *Course) Pass(to clinical.Instant, turn func(Turn)) {
	for at := c.Due(); at <= to; at = c.Due() {
		for i := range c.rules {
			if c.rules[i].next <= at {
				c.evaluate(&c.rules[i], at, turn)
			}
		}
	}
}

// State takes what a record at an offset of the facts log says at the instant at, up to which time has
// passed, and gives each turn by Rule.Index, together with what holds no more and what holds newly.
func (c *Course) State(rec *clinical.Record, offset int64, at clinical.Instant, turn func(t Turn, gone, added []Statement)) {
	gone, added := c.ledger.Apply(rec, offset)
	each := func(t Turn) { turn(t, gone, added) }
	c.touched = c.touched[:0]
	c.reading.change(gone, added, func(input int) { c.touched = append(c.touched, c.reading.asking[input]...) })
	for _, input := range c.reading.personal(gone, added) {
		c.touched = append(c.touched, c.reading.asking[input]...)
	}
	if !c.known { // of a patient who is known, rules may be true that ask for the absence of everything
		for index, truth := range c.reading.baseline() {
			if truth == rules.True {
				c.touched = append(c.touched, int32(index))
			}
		}
	}
	slices.Sort(c.touched)
	for _, index := range slices.Compact(c.touched) {
		c.evaluate(c.follow(index), at, each)
	}
	c.known = true
}

func (c *Course) evaluate(f *followed, at clinical.Instant, turn func(Turn)) {
	before := f.truth
	f.truth = c.reading.expr(f.rule.When, at).Truth()
	f.next = c.reading.upcoming(f.rule.When, at)
	if (before == rules.True) != (f.truth == rules.True) {
		turn(Turn{Rule: f.rule, At: at, Before: before, Truth: f.truth})
	}
}

// baseline is each rule's truth of a patient of whom nothing is stated, which no time changes.
func (r *Reference) baseline() []rules.Truth {
	r.once.Do(func() {
		nobody := r.read(nil)
		for _, rule := range r.program.Rules {
			r.unstated = append(r.unstated, nobody.expr(rule.When, 0).Truth())
		}
	})
	return r.unstated
}

// personal is the inputs of the patient's own person when something is said or unsaid about it: such
// facts count whether or not they belong to an input as others do.
func (r *Reference) personal(changes ...[]Statement) []int {
	var ids []int
	for _, statements := range changes {
		for _, s := range statements {
			if s.Fact.Stream.Kind != clinical.KindPatient {
				continue
			}
			for id, in := range r.program.Inputs {
				if in.Kind == clinical.KindPatient {
					ids = append(ids, id)
				}
			}
			return ids
		}
	}
	return ids
}
