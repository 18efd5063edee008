package explain

import (
	"cmp"
	"slices"

	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/rules"
)

// reading is one patient's facts as the inputs of one program see them. Which facts belong to an input
// does not depend on the instant asked about, so one reading serves every instant. It is for one
// goroutine.
type reading struct {
	*Reference
	history History          // every fact
	whole   bool             // members has every input that any fact belongs to
	members map[int][]member // by input; what is not there and not whole is read when a term asks
	// eligible are, of a whole reading's derived inputs, the facts that belong as far as each alone can tell.
	eligible map[int][]member
	persons  []Statement // what was said about the patient's own person, in the order of the log
	// period is the one that is spoken of; nil until it is looked for.
	period *span
}

// member is a fact that belongs to an input, with its value in the input's type and unit: missing when
// the fact carries no value of that type.
type member struct {
	Statement
	value rules.Value
}

// read is a reading of a history, of which each input is read when it is first asked.
func (r *Reference) read(h History) *reading {
	return &reading{Reference: r, history: h, members: map[int][]member{}, persons: persons(h)}
}

// persons is what was said about the patient's own person, in the order of the log.
func persons(h History) []Statement {
	var said []Statement
	for _, s := range h {
		said = meet(said, s)
	}
	return said
}

// meet adds a statement to them that is one of them.
func meet(persons []Statement, s Statement) []Statement {
	if s.Fact.Stream.Kind != clinical.KindPatient {
		return persons
	}
	at, _ := slices.BinarySearchFunc(persons, s.Order, func(x Statement, order uint64) int { return cmp.Compare(x.Order, order) })
	return slices.Insert(persons, at, s)
}

// input is every fact of the input, whenever it was: in order of time, and of two at one instant the
// one stated later in the log is the later. It is only to be read.
func (r *reading) input(id int) []member {
	known, ok := r.members[id]
	if ok || r.whole {
		return known
	}
	in := r.program.Inputs[id]
	var members []member
	for _, s := range r.history {
		if !takes(in, s.Fact.Stream) {
			continue
		}
		if value, ok := r.belongs(in, s); ok {
			members = append(members, member{Statement: s, value: value})
		}
	}
	slices.SortFunc(members, inOrderOfTime)
	r.members[id] = members
	return members
}

func inOrderOfTime(x, y member) int {
	return cmp.Or(cmp.Compare(x.Fact.Time, y.Fact.Time), cmp.Compare(x.Order, y.Order))
}

// expr evaluates a rule's condition, or a part of one, at now.
func (r *reading) expr(e rules.Expr, now clinical.Instant) rules.Value {
	return evaluate(e, scope{term: func(t *rules.Term) rules.Value { return r.term(t, now) }})
}

// readWhole is a reading of every input, which change keeps up to date.
func (r *Reference) readWhole(h History) *reading {
	p := &reading{Reference: r, whole: true, members: map[int][]member{}, eligible: map[int][]member{}, persons: persons(h)}
	for _, s := range h {
		for _, id := range r.takersOf(s.Fact.Stream) {
			if value, ok := r.alone(r.program.Inputs[id], s.Fact); ok {
				into := p.into(id)
				into[id] = append(into[id], member{Statement: s, value: value})
			}
		}
	}
	for _, known := range []map[int][]member{p.members, p.eligible} {
		for _, members := range known {
			slices.SortFunc(members, inOrderOfTime)
		}
	}
	for _, id := range r.program.Derived() { // each after those that it asks
		p.members[int(id)] = p.admitted(r.program.Inputs[id], p.eligible[int(id)])
	}
	return p
}

// into is where a whole reading puts what belongs to an input as far as the fact alone can tell.
func (r *reading) into(input int) map[int][]member {
	if len(r.program.Inputs[input].Terms) > 0 {
		return r.eligible
	}
	return r.members
}

// change takes statements out of a whole reading and puts others in. It tells touched the inputs whose
// facts are others now, some of them more than once.
func (r *reading) change(gone, added []Statement, touched func(input int)) {
	for _, s := range gone {
		r.persons = slices.DeleteFunc(r.persons, func(x Statement) bool { return x.Order == s.Order })
		for _, id := range r.takersOf(s.Fact.Stream) {
			if len(r.program.Inputs[id].Terms) > 0 {
				continue // settle looks after them
			}
			members := r.members[id]
			if i, found := slices.BinarySearchFunc(members, member{Statement: s}, inOrderOfTime); found {
				r.members[id] = slices.Delete(members, i, i+1)
				touched(id)
			}
		}
	}
	for _, s := range added {
		r.persons = meet(r.persons, s)
		for _, id := range r.takersOf(s.Fact.Stream) {
			if len(r.program.Inputs[id].Terms) > 0 {
				continue
			}
			if value, ok := r.alone(r.program.Inputs[id], s.Fact); ok {
				m := member{Statement: s, value: value}
				i, _ := slices.BinarySearchFunc(r.members[id], m, inOrderOfTime)
				r.members[id] = slices.Insert(r.members[id], i, m)
				touched(id)
			}
		}
	}
	r.settle(gone, added, touched)
}
