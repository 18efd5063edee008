package explain

import (
	"cmp"
	"math"
	"slices"

	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/rules"
)

// blocker is an atom that keeps a rule from being true: a part of its condition that no and, or, not, all,
// any, none or at_least takes further apart.
type blocker struct {
	Expr          rules.Expr
	Truth, Wanted rules.Truth
	Sides         *sides // nil unless it is a comparison
	Gains         []gain // of a score that is too small: what would add to it, the most first
}

// gain is an item of a score that could give more points than it does.
type gain struct {
	Item   *rules.Points
	Points float64 // how many more
}

// sides are the two sides of a comparison as they came out.
type sides struct {
	Left     rules.Value
	Op       string
	Right    rules.Value
	Distance *float64 // of exact numbers: how far the left side is from the right one
	Relative *float64 // the same as a part of the right side, where that is not 0
	Unit     string   // of both; "" when they have none, or not the same
}

// miss is the fewest atoms that would all have had to be otherwise to make a rule true that is not, in the
// order of the condition. Among as few it prefers comparisons that are near their threshold, then other
// atoms that are false, then unknown ones. It is empty of a rule that nothing can make true.
//
// An atom that stands in a condition several times is one atom. With such atoms the condition can be met in
// so many ways that not all are compared, and then the fewest are those of the ways compared.
func (r *reading) miss(rule *rules.Rule, now clinical.Instant) []blocker {
	m := misser{reading: r, now: now, keep: 1, places: map[string]int{}}
	m.collect(rule.When)
	var blockers []blocker
	if plans := m.plans(rule.When, true); len(plans) > 0 {
		for _, l := range plans[0].literals {
			if a := &m.atoms[l.atom]; a.Truth != l.wanted {
				a.Wanted = l.wanted
				blockers = append(blockers, a.blocker)
			}
		}
	}
	return blockers
}

// misser looks for the cheapest way to make a condition true.
type misser struct {
	*reading
	now    clinical.Instant
	atoms  []atom
	places map[string]int // of atoms, by rules.Key
	keep   int            // how many ways are kept for each part of the condition
}

type atom struct {
	blocker
	fixed bool    // it asks no term, so that nothing could be otherwise
	far   float64 // how much it takes for it to be otherwise: comparisons 0 to 1, by distance
}

// literal is what a way needs an atom to be.
type literal struct {
	atom   int
	wanted rules.Truth
}

// plan is one way to make a part of the condition true, or false: what it needs of atoms, those too that
// are already so.
type plan struct {
	literals []literal // by atom
	changes  int       // how many of the atoms are not yet as needed
	far      float64
}

// shared is how many ways are kept where some atom stands in the condition more than once. With every atom
// once, what is cheapest for the parts is cheapest for the whole.
const shared = 32

func (m *misser) collect(e rules.Expr) {
	if kids, _, _ := needs(e, true); kids != nil {
		for _, kid := range kids {
			m.collect(kid)
		}
		return
	}
	source := rules.Key(e)
	if _, known := m.places[source]; known {
		m.keep = shared
		return
	}
	m.places[source] = len(m.atoms)
	a := atom{blocker: blocker{Expr: e, Truth: m.expr(e, m.now).Truth(), Sides: m.sides(e), Gains: m.gains(e)}, fixed: len(termsOf(e)) == 0, far: 1}
	switch {
	case a.Truth == rules.Unknown:
		a.far = 2
	case a.Sides != nil && a.Sides.Distance != nil && *a.Sides.Distance > 0:
		a.far = *a.Sides.Distance / (math.Abs(a.Sides.Left.Num) + math.Abs(a.Sides.Right.Num))
	case a.Sides != nil && a.Sides.Distance != nil:
		a.far = 0
	}
	m.atoms = append(m.atoms, a)
}

// gains is what would add to a score that is to be greater than it is.
func (m *misser) gains(e rules.Expr) []gain {
	b, ok := e.(*rules.Binary)
	if !ok {
		return nil
	}
	score, ok := b.X.(*rules.Score)
	if !ok || b.Op != ">" && b.Op != ">=" && b.Op != "==" {
		return nil
	}
	at := scope{term: func(t *rules.Term) rules.Value { return m.term(t, m.now) }}
	var gains []gain
	for _, item := range score.Items {
		if item.Of != nil && item.When != nil && truth(item.When, at) == rules.False {
			continue // its bands are not those that count for this patient
		}
		least, _ := points(item, at)
		most := max(0, item.Number)
		for i, band := range item.Bands {
			if most = max(most, band.Points); i == 0 {
				most = band.Points
			}
		}
		if most > least {
			gains = append(gains, gain{item, most - least})
		}
	}
	slices.SortStableFunc(gains, func(x, y gain) int { return cmp.Compare(y.Points, x.Points) })
	return gains
}

// needs says how many of an expression's parts must be true, or all be false, to make the whole true or
// false. The parts are nil of an atom.
func needs(e rules.Expr, want bool) (parts []rules.Expr, n int, each bool) {
	switch e := e.(type) {
	case *rules.Unary:
		if e.Op == "not" {
			return []rules.Expr{e.X}, 1, !want
		}
	case *rules.Binary:
		if e.Op == "and" || e.Op == "or" {
			n = 1
			if (e.Op == "and") == want {
				n = 2
			}
			return []rules.Expr{e.X, e.Y}, n, want
		}
	case *rules.RuleRef:
		return []rules.Expr{e.When}, 1, want
	case *rules.Combination:
		all := len(e.Kids)
		switch {
		case e.Op == "all" && want, e.Op == "any" && !want:
			return e.Kids, all, want
		case e.Op == "none" && want:
			return e.Kids, all, false
		case e.Op == "none":
			return e.Kids, 1, true
		case e.Op == "at_least" && want:
			return e.Kids, e.N, true
		case e.Op == "at_least":
			return e.Kids, all - e.N + 1, false
		}
		return e.Kids, 1, want
	}
	return nil, 0, want
}

// plans is the cheapest ways to make e true, or false, the cheapest first.
func (m *misser) plans(e rules.Expr, want bool) []plan {
	parts, n, each := needs(e, want)
	if parts == nil {
		return m.plansOfAtom(m.places[rules.Key(e)], want)
	}
	// chosen[k] is the ways with k of the parts looked at as they have to be.
	chosen := make([][]plan, max(0, n)+1)
	chosen[0] = []plan{{}}
	for _, part := range parts {
		more := m.plans(part, each)
		for k := n; k > 0; k-- {
			chosen[k] = m.cheapest(append(chosen[k], m.cross(chosen[k-1], more)...))
		}
	}
	return chosen[max(0, n)]
}

func (m *misser) plansOfAtom(i int, want bool) []plan {
	a := &m.atoms[i]
	wanted := rules.False
	if want {
		wanted = rules.True
	}
	if a.fixed && a.Truth != wanted {
		return nil
	}
	return []plan{m.plan([]literal{{i, wanted}})}
}

// cross is every way of the one together with every way of the other, but for those that contradict each
// other.
func (m *misser) cross(ways, others []plan) []plan {
	var both []plan
	for _, x := range ways {
		for _, y := range others {
			if literals, ok := together(x.literals, y.literals); ok {
				both = append(both, m.plan(literals))
			}
		}
	}
	return both
}

// together is what both ways need; false where they need the same atom to be different things.
func together(x, y []literal) ([]literal, bool) {
	both := make([]literal, 0, len(x)+len(y))
	for len(x) > 0 && len(y) > 0 {
		switch {
		case x[0].atom < y[0].atom:
			both, x = append(both, x[0]), x[1:]
		case x[0].atom > y[0].atom:
			both, y = append(both, y[0]), y[1:]
		case x[0].wanted != y[0].wanted:
			return nil, false
		default:
			y = y[1:]
		}
	}
	return append(append(both, x...), y...), true
}

// plan is the way that needs these literals, with what it costs.
func (m *misser) plan(literals []literal) plan {
	p := plan{literals: literals}
	for _, l := range literals {
		if a := &m.atoms[l.atom]; a.Truth != l.wanted {
			p.changes++
			p.far += a.far
		}
	}
	return p
}

// cheapest keeps as many ways as are kept, each once, the cheapest first.
func (m *misser) cheapest(ways []plan) []plan {
	slices.SortFunc(ways, func(x, y plan) int {
		return cmp.Or(cmp.Compare(x.changes, y.changes), cmp.Compare(x.far, y.far),
			slices.CompareFunc(x.literals, y.literals, func(x, y literal) int {
				return cmp.Or(cmp.Compare(x.atom, y.atom), cmp.Compare(x.wanted, y.wanted))
			}))
	})
	ways = slices.CompactFunc(ways, func(x, y plan) bool { return slices.Equal(x.literals, y.literals) })
	return ways[:min(len(ways), m.keep)]
}
