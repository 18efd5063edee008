package explain

import (
	"slices"

	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/rules"
)

// A derived input asks, of each fact that is to belong to it, terms over other inputs as of that fact's own
// time. Which facts belong depends on other facts, so it is for a reading to say.

// belongs says whether a statement of the history belongs to the input, and its value there.
func (r *reading) belongs(in *rules.Input, s Statement) (rules.Value, bool) {
	value, ok := r.alone(in, s.Fact)
	return value, ok && r.related(in, s, value)
}

// related says whether every condition is true of a statement that asks something of other facts.
func (r *reading) related(in *rules.Input, s Statement, value rules.Value) bool {
	if len(in.Terms) == 0 {
		return true
	}
	for _, condition := range in.Where {
		if relates(condition) && evaluate(condition, r.about(in, s, value)).Truth() != rules.True {
			return false
		}
	}
	return true
}

// relates says whether a condition asks anything of other facts.
func relates(condition rules.Expr) bool { return len(termsOf(condition)) > 0 }

// about is what the names in an input's `where` mean for one statement.
func (r *reading) about(in *rules.Input, s Statement, value rules.Value) scope {
	named := r.scopeOf(in, s.Fact, value)
	named.term = func(t *rules.Term) rules.Value { return r.anchored(t, s) }
	return named
}

// anchored is the answer to a term of a `where` as of a statement.
func (r *reading) anchored(t *rules.Term, s Statement) rules.Value {
	switch {
	case t.Op == rules.Overlaps:
		return rules.BoolOf(len(r.besides(t, s)) > 0)
	case t.Op == rules.Active:
		return rules.BoolOf(len(r.around(t, s)) > 0)
	case t.Window.During:
		return r.answer(t, between(r.input(t.Input), s.Fact.Time, s.Fact.End), s.Fact.Time)
	}
	return r.term(t, s.Fact.Time)
}

// besides is the other facts whose periods share an instant with this one's.
func (r *reading) besides(t *rules.Term, s Statement) []member {
	var others []member
	for _, m := range r.input(t.Input) {
		if m.Fact.Time <= s.Fact.End && m.Fact.End >= s.Fact.Time && m.Order != s.Order {
			others = append(others, m)
		}
	}
	return others
}

// around is the facts that a term of a `where` looks at as of a statement.
func (r *reading) around(t *rules.Term, s Statement) []member {
	switch {
	case t.Op.OfPatient():
		return r.latestPerson()
	case t.Op == rules.Overlaps:
		return r.besides(t, s)
	case t.Op == rules.Active && t.Window.During:
		return meeting(r.input(t.Input), s.Fact.Time, s.Fact.End)
	case t.Op == rules.Active:
		return r.holding(t, s.Fact.Time)
	case t.Window.During:
		return between(r.input(t.Input), s.Fact.Time, s.Fact.End)
	}
	return r.window(t, s.Fact.Time)
}

// behind is the facts, by Order, on which it rests that a statement belongs to an input: those that the
// input's terms look at as of it, and what these in turn rest on.
func (r *reading) behind(in *rules.Input, s Statement, note func(member)) {
	for _, t := range in.Terms {
		of := r.program.Inputs[t.Input]
		for _, m := range r.around(t, s) {
			note(m)
			r.behind(of, m.Statement, note)
		}
	}
}

// restsOn is the input itself and every input that decides which facts belong to it, directly or through
// others, in order of ID.
func (r *Reference) restsOn(input int) []int {
	ids := []int{input}
	for i := 0; i < len(ids); i++ {
		for _, t := range r.program.Inputs[ids[i]].Terms {
			if !slices.Contains(ids, t.Input) {
				ids = append(ids, t.Input)
			}
		}
	}
	slices.Sort(ids)
	return ids
}

// concerns says whether a fact of the stream can change what the term answers.
func (r *Reference) concerns(t *rules.Term, s clinical.Stream) bool { return r.rest(t.Input, s) }

// rest says whether a fact of the stream can be one of the input, or decide which are.
func (r *Reference) rest(input int, s clinical.Stream) bool {
	return slices.ContainsFunc(r.rests[input], func(id int) bool { return takes(r.program.Inputs[id], s) })
}

// derived reports whether any of the terms is asked of a derived input.
func (r *Reference) derived(terms []*rules.Term) bool {
	return slices.ContainsFunc(terms, func(t *rules.Term) bool { return len(r.program.Inputs[t.Input].Terms) > 0 })
}

// settle finds the members of the derived inputs anew that statements which came or went, or other inputs'
// facts that did, can have changed. It tells touched those whose facts are others now.
func (r *reading) settle(gone, added []Statement, touched func(input int)) {
	changed := map[int]bool{}
	for _, id := range r.program.Derived() {
		in := r.program.Inputs[id]
		id := int(id)
		candidates := r.eligible[id]
		for _, s := range gone {
			if i, found := slices.BinarySearchFunc(candidates, member{Statement: s}, inOrderOfTime); found {
				candidates = slices.Delete(candidates, i, i+1)
			}
		}
		for _, s := range added {
			if value, ok := r.alone(in, s.Fact); ok {
				m := member{Statement: s, value: value}
				i, _ := slices.BinarySearchFunc(candidates, m, inOrderOfTime)
				candidates = slices.Insert(candidates, i, m)
			}
		}
		r.eligible[id] = candidates
		var members []member
		if slices.ContainsFunc(in.Terms, func(t *rules.Term) bool {
			return changed[t.Input] || r.asksAbout(t, gone) || r.asksAbout(t, added)
		}) {
			members = r.admitted(in, candidates)
		} else {
			members = r.revised(in, gone, added)
		}
		if !slices.EqualFunc(members, r.members[id], func(x, y member) bool { return x.Order == y.Order }) {
			changed[id] = true
			touched(id)
		}
		r.members[id] = members
	}
}

// asksAbout says whether any of the statements may be a fact of the input that the term asks, other than a
// derived one.
func (r *reading) asksAbout(t *rules.Term, statements []Statement) bool {
	in := r.program.Inputs[t.Input]
	return len(in.Terms) == 0 && slices.ContainsFunc(statements, func(s Statement) bool { return takes(in, s.Fact.Stream) })
}

// admitted is those of an input's candidates that belong to it.
func (r *reading) admitted(in *rules.Input, candidates []member) []member {
	var members []member
	for _, m := range candidates {
		if r.related(in, m.Statement, m.value) {
			members = append(members, m)
		}
	}
	return members
}

// revised is the members with only these statements judged: nothing else that decides has changed.
func (r *reading) revised(in *rules.Input, gone, added []Statement) []member {
	members := slices.Clone(r.members[in.ID])
	for _, s := range gone {
		if i, found := slices.BinarySearchFunc(members, member{Statement: s}, inOrderOfTime); found {
			members = slices.Delete(members, i, i+1)
		}
	}
	for _, s := range added {
		if value, ok := r.belongs(in, s); ok {
			m := member{Statement: s, value: value}
			i, _ := slices.BinarySearchFunc(members, m, inOrderOfTime)
			members = slices.Insert(members, i, m)
		}
	}
	return members
}
