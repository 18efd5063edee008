package explain

import (
	"slices"

	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/rules"
)

// suffices is a smallest set of facts, by Order, on which alone the condition has this truth now: without
// any one of them it would not. It starts from those that the deciding terms rest on, or where these are
// not enough from all that any term saw, and leaves out what can be left out, in ever smaller handfuls.
func (w *witness) suffices(e rules.Expr, truth rules.Truth, tree *node) map[uint64]bool {
	terms := w.termsOf(e)
	enough := func(orders []uint64) bool {
		return w.only(terms, orders).expr(e, w.now).Truth() == truth
	}
	kept := w.supporters(tree)
	if !enough(kept) {
		kept = nil
		for _, t := range terms {
			for _, m := range w.seen(t) {
				kept = append(kept, m.Order)
				w.behind(w.program.Inputs[t.Input], m.Statement, func(x member) { kept = append(kept, x.Order) })
			}
		}
		slices.Sort(kept)
		kept = slices.Compact(kept)
	}
	for size := max(1, len(kept)/2); len(kept) > 0; size = max(1, size/2) {
		dropped := false
		for from := 0; from < len(kept); {
			rest := slices.Concat(kept[:from], kept[min(from+size, len(kept)):])
			if enough(rest) {
				kept, dropped = rest, true
			} else {
				from += size
			}
		}
		if size == 1 && !dropped {
			break
		}
	}
	set := make(map[uint64]bool, len(kept))
	for _, order := range kept {
		set[order] = true
	}
	return set
}

// supporters are the facts that the answers of the deciding terms rest on at first sight, the earliest in
// the log first: of a last value its fact, of the least the fact that states it, of a sum all.
func (w *witness) supporters(n *node) []uint64 {
	var orders []uint64
	var visit func(*node)
	visit = func(n *node) {
		if !n.decides {
			return
		}
		if n.term >= 0 {
			t := w.terms[n.term]
			for _, m := range w.supporting(t) {
				orders = append(orders, m.Order)
				w.behind(w.program.Inputs[t.Input], m.Statement, func(x member) { orders = append(orders, x.Order) })
			}
		}
		for i := range n.kids {
			visit(&n.kids[i])
		}
	}
	visit(n)
	slices.Sort(orders)
	return slices.Compact(orders)
}

func (w *witness) supporting(t *rules.Term) []member {
	seen := w.seen(t)
	if len(seen) == 0 {
		return nil
	}
	is := func(v rules.Value) []member {
		i := slices.IndexFunc(seen, func(m member) bool { return m.value == v })
		if i < 0 {
			return seen
		}
		return seen[i : i+1]
	}
	switch t.Op {
	case rules.Exists, rules.Active, rules.Overlaps, rules.LastTime, rules.HoursSince, rules.DaysSince:
		return seen[len(seen)-1:]
	case rules.FirstTime:
		return seen[:1]
	case rules.Min, rules.Max:
		return is(w.term(t, w.now))
	case rules.Last, rules.First, rules.Delta:
		var ends []member
		first := slices.IndexFunc(seen, hasValue)
		if first < 0 {
			return nil
		}
		if t.Op != rules.Last {
			ends = append(ends, seen[first])
		}
		if t.Op != rules.First {
			last := len(seen) - 1
			for !hasValue(seen[last]) {
				last--
			}
			ends = append(ends, seen[last])
		}
		return ends
	}
	return seen
}

func hasValue(m member) bool { return m.value.Kind != rules.Missing }

// only is a reading of these facts alone, as far as the terms ask for them.
func (r *reading) only(terms []*rules.Term, orders []uint64) *reading {
	kept := func(order uint64) bool {
		_, found := slices.BinarySearch(orders, order)
		return found
	}
	p := &reading{Reference: r.Reference, whole: true, period: r.period, members: make(map[int][]member, len(terms))}
	for _, t := range terms {
		for _, id := range r.rests[t.Input] {
			in := r.program.Inputs[id]
			if n := len(r.persons); in.Kind == clinical.KindPatient && n > 0 && kept(r.persons[n-1].Order) {
				p.persons = r.persons[n-1:]
			}
			if _, done := p.members[id]; done {
				continue
			}
			var members []member
			for _, m := range r.mayBelong(id) {
				if kept(m.Order) && p.related(in, m.Statement, m.value) {
					members = append(members, m)
				}
			}
			p.members[id] = members
		}
	}
	return p
}

// mayBelong is the facts that belong to the input, or to a derived one as far as each alone can tell: with
// fewer facts of other inputs, more of them may.
func (r *reading) mayBelong(id int) []member {
	in := r.program.Inputs[id]
	if len(in.Terms) == 0 {
		return r.input(id)
	}
	if r.whole {
		return r.eligible[id]
	}
	var members []member
	for _, s := range r.history {
		if value, ok := r.alone(in, s.Fact); ok {
			members = append(members, member{Statement: s, value: value})
		}
	}
	slices.SortFunc(members, inOrderOfTime)
	return members
}
