package explain

import (
	"slices"

	"github.com/vigil-cds/vigil/explain/record"
	"github.com/vigil-cds/vigil/rules"
)

// Compare says what changed from one explanation to another of the same rule and patient, made of what was
// known at the earlier and at the later.
func Compare(earlier, later *record.Explanation, knownEarlier, knownLater History) *record.Difference {
	d := &record.Difference{Earlier: *earlier, Later: *later, Changes: []record.Delta{}}
	if earlier.Truth != later.Truth {
		d.Changes = append(d.Changes, record.Delta{What: "rule", Source: later.Rule.When, Before: truthValue(earlier.Truth), After: truthValue(later.Truth)})
	}
	before := map[string]record.Value{}
	for source, v := range atoms(earlier.Tree) {
		before[source] = v
	}
	for source, after := range atoms(later.Tree) {
		if was, there := before[source]; there && was != after {
			d.Changes = append(d.Changes, record.Delta{What: "atom", Source: source, Before: was, After: after})
		}
	}
	for _, t := range later.Terms {
		i := slices.IndexFunc(earlier.Terms, func(o record.Term) bool { return o.Source == t.Source })
		if i < 0 {
			continue
		}
		if was := earlier.Terms[i]; was.Value != t.Value {
			d.Changes = append(d.Changes, record.Delta{What: "term", Source: t.Source, Before: was.Value, After: t.Value})
		}
		d.Changes = append(d.Changes, moved(earlier, &earlier.Terms[i], later, &t, "left", "retracted", knownLater)...)
		d.Changes = append(d.Changes, moved(later, &t, earlier, &earlier.Terms[i], "entered", "added", knownEarlier)...)
	}
	return d
}

// moved lists the facts that one term shows and the other does not: by one word where the other knew of
// them, by the other word where it did not.
func moved(of *record.Explanation, shows *record.Term, other *record.Explanation, hides *record.Term, known, unknown string, history History) []record.Delta {
	var deltas []record.Delta
	for _, u := range shows.Uses {
		f := of.Facts[u.Fact]
		same := func(u record.Use) bool { return sameSource(other.Facts[u.Fact], f) }
		if slices.ContainsFunc(hides.Uses, same) {
			continue
		}
		what := unknown
		if slices.ContainsFunc(history, func(s Statement) bool { return s.Offset() == f.Offset && s.Index() == f.Index }) {
			what = known
		}
		d := record.Delta{What: what, Source: shows.Source, Fact: &f}
		if what == "left" || what == "retracted" {
			d.Before = u.Value
		} else {
			d.After = u.Value
		}
		deltas = append(deltas, d)
	}
	return deltas
}

func sameSource(x, y record.Fact) bool { return x.Offset == y.Offset && x.Index == y.Index }

// atoms goes through the conditions of a tree that no and, or, not or the like takes further apart, with
// what each came to.
func atoms(n *record.Node) func(yield func(string, record.Value) bool) {
	return func(yield func(string, record.Value) bool) {
		var visit func(n *record.Node) bool
		visit = func(n *record.Node) bool {
			switch n.Op {
			case "and", "or", "not", "all", "any", "none", "at_least":
				for i := range n.Kids {
					if !visit(&n.Kids[i]) {
						return false
					}
				}
				return true
			}
			return yield(n.Source, n.Value)
		}
		visit(n)
	}
}

func truthValue(t record.Truth) record.Value {
	if t == record.Unknown {
		return record.Value{}
	}
	return record.Value(rules.BoolOf(t == record.True))
}
