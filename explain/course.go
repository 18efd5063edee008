package explain

import (
	"cmp"
	"slices"

	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/rules"
)

// Turn is a rule becoming true of a patient at an instant, or ceasing to be; of a rule that holds for each period
// of an input, for the one that begins at Period.
type Turn struct {
	Rule          *rules.Rule
	Period        clinical.Instant // clinical.Never of a rule that holds for the patient
	At            clinical.Instant
	Before, Truth rules.Truth // one of them is rules.True
}

// Holding is a rule that is true, of the patient or of one period.
type Holding struct {
	Rule   *rules.Rule
	Period clinical.Instant // see Turn
}

// Course follows one patient's rules through the log: what each record changes, and what time alone
// changes between two. It evaluates with the Reference and nothing else. It saves work in two ways only: a
// rule is evaluated again when a fact of one of its inputs has come or gone, or when an instant has come
// at which time alone could change it (reading.upcoming); and a rule of which no fact is an input's is as
// it is of a patient of whom nothing is known. A Course is for one goroutine.
type Course struct {
	reading *reading
	ledger  *Ledger
	rules   []followed // those of which some fact is an input's, by Rule.Index and period
	known   bool
	touched []int32 // scratch
}

type followed struct {
	rule   *rules.Rule
	period clinical.Instant // see Turn
	truth  rules.Truth
	next   clinical.Instant // when time alone could change it
}

// Course follows a patient on from the instant at which everything in the ledger is known; the rules are
// then as they are at that instant. Of a patient who is not known yet the ledger is empty, and no rule is
// true. The ledger is the course's from here on.
func (r *Reference) Course(l *Ledger, known bool, at clinical.Instant) *Course {
	c := &Course{reading: r.readWhole(l.History()), ledger: l, known: known}
	for input := range r.asking {
		if len(c.reading.members[input]) > 0 || r.program.Inputs[input].Kind == clinical.KindPatient && len(c.reading.persons) > 0 {
			for _, index := range r.asking[input] {
				rule := r.program.Rules[index]
				for _, period := range c.periods(rule) {
					c.settle(c.follow(index, period), at)
				}
			}
		}
	}
	return c
}

// patient is the one that a rule holds for which holds for no period.
var patient = []clinical.Instant{clinical.Never}

// periods are those of a rule: of one that holds for the patient, the one that is none.
func (c *Course) periods(rule *rules.Rule) []clinical.Instant {
	if rule.Each == 0 {
		return patient
	}
	return c.reading.starts(rule.Each)
}

// Ledger is what the course has been told, to follow it on under other rules. The course is done with it.
func (c *Course) Ledger() *Ledger { return c.ledger }

// Known says whether any record has been about the patient.
func (c *Course) Known() bool { return c.known }

// find is where a rule stands among those followed, or would stand.
func (c *Course) find(index int32, period clinical.Instant) (int, bool) {
	return slices.BinarySearchFunc(c.rules, index, func(f followed, index int32) int {
		return cmp.Or(cmp.Compare(int32(f.rule.Index), index), cmp.Compare(f.period, period))
	})
}

// follow finds the rule among those followed, or takes it up as it is of a patient without facts.
func (c *Course) follow(index int32, period clinical.Instant) *followed {
	i, found := c.find(index, period)
	if !found {
		f := followed{rule: c.reading.program.Rules[index], period: period, truth: rules.Unknown, next: clinical.Forever}
		if c.known {
			f.truth = c.reading.baseline()[index]
		}
		c.rules = slices.Insert(c.rules, i, f)
	}
	return &c.rules[i]
}

// Holds is what is true, by Rule.Index and period.
func (c *Course) Holds() []Holding {
	if !c.known {
		return nil
	}
	var holds []Holding
	at := 0
	for index, truth := range c.reading.baseline() {
		before := at
		for ; at < len(c.rules) && c.rules[at].rule.Index == index; at++ {
			if f := &c.rules[at]; f.truth == rules.True {
				holds = append(holds, Holding{f.rule, f.period})
			}
		}
		if at == before && truth == rules.True {
			holds = append(holds, Holding{c.reading.program.Rules[index], clinical.Never})
		}
	}
	return holds
}

// Truth is what one of the course's rules is now, of a period or of the patient: false of what it does not hold for.
func (c *Course) Truth(rule *rules.Rule, period clinical.Instant) rules.Truth {
	switch {
	case !c.known:
		return rules.Unknown
	case (rule.Each == 0) != (period == clinical.Never):
		return rules.False
	}
	if i, found := c.find(int32(rule.Index), period); found {
		return c.rules[i].truth
	}
	return c.reading.baseline()[rule.Index]
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
		c.evaluateAll(index, at, each)
	}
	c.known = true
}

// evaluateAll evaluates a rule for each of its periods, and lets go of those that are no more.
func (c *Course) evaluateAll(index int32, at clinical.Instant, turn func(Turn)) {
	rule := c.reading.program.Rules[index]
	periods := c.periods(rule)
	if rule.Each != 0 {
		all := slices.Clone(periods)
		for i, _ := c.find(index, clinical.Never); i < len(c.rules) && c.rules[i].rule == rule; i++ {
			all = append(all, c.rules[i].period)
		}
		slices.Sort(all)
		periods = slices.Compact(all)
	}
	for _, period := range periods {
		c.evaluate(c.follow(index, period), at, turn)
		if rule.Each != 0 && !c.reading.period.there() {
			i, _ := c.find(index, period)
			c.rules = slices.Delete(c.rules, i, i+1)
		}
	}
}

func (c *Course) evaluate(f *followed, at clinical.Instant, turn func(Turn)) {
	before := f.truth
	c.settle(f, at)
	if (before == rules.True) != (f.truth == rules.True) {
		turn(Turn{Rule: f.rule, Period: f.period, At: at, Before: before, Truth: f.truth})
	}
}

// settle brings a rule to what it is at an instant.
func (c *Course) settle(f *followed, at clinical.Instant) {
	c.reading.within(f.rule, f.period)
	f.truth = c.reading.truth(f.rule, at)
	f.next = c.reading.upcoming(f.rule, at)
}

// baseline is each rule's truth of a patient of whom nothing is stated, which no time changes.
func (r *Reference) baseline() []rules.Truth {
	r.once.Do(func() {
		nobody := r.read(nil)
		for _, rule := range r.program.Rules {
			nobody.within(rule, clinical.Never)
			r.unstated = append(r.unstated, nobody.truth(rule, 0))
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
