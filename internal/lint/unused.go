package lint

import (
	"fmt"
	"slices"
	"strings"

	"github.com/vigil-cds/vigil/rules"
)

// unused reports what a pack declares and nothing asks for.
func (l *linter) unused() {
	for _, in := range l.w.Inputs {
		if !in.Used {
			l.add(in.Place, UnusedInput, "drop it, or ask it something", "nothing asks about the input %q", in.Name)
		}
	}
	for _, set := range l.w.ValueSets {
		if !set.Used {
			l.add(set.Place, UnusedValueSet, fmt.Sprintf("drop it, or take an input's codes from it: `{valueset: %s}`", set.Name),
				"no input takes its codes from the value set %q", set.Name)
		}
	}
}

// windows reports windows that begin before anybody alive was born.
func (l *linter) windows() {
	terms := slices.Clone(l.program.Terms)
	for _, in := range l.program.Inputs {
		terms = append(terms, in.Terms...)
	}
	for _, t := range terms {
		years := float64(t.Window.To.Months)/12 + float64(t.Window.To.Millis)/(365.25*86_400_000)
		reach := float64(t.Window.From.Months)/12 + float64(t.Window.From.Millis)/(365.25*86_400_000)
		at, ok := l.w.Term(t)
		switch {
		case !ok:
		case years > oldest:
			l.add(at, UnreachableWindow, "the ends count back from now, the farther one first", "no fact can be in the window '%s': it ends more than %d years ago", t.Window, oldest)
		case reach > oldest:
			l.add(at, UnreachableWindow, "leave the window out to see all of the past", "the window '%s' is longer than any life", t.Window)
		}
	}
}

// same reports rules whose conditions are the same once equal terms are shared, in whatever order written.
func (l *linter) same() {
	first := map[string]*rules.Rule{}
	inOrder := slices.Clone(l.program.Rules)
	slices.SortStableFunc(inOrder, func(x, y *rules.Rule) int { return l.w.Rule(x).Compare(l.w.Rule(y)) })
	for _, r := range inOrder {
		key := canonical(r.Tree)
		if other := first[key]; other != nil {
			at := l.w.Rule(other)
			l.add(l.w.Rule(r), SameRule, "drop one, or correct the one that was meant to differ",
				"the rule %q says the same as %q at %s:%d", r.ID, other.ID, at.File, at.Line)
			continue
		}
		first[key] = r
	}
}

// canonical is equal for trees that say the same but for the order of what and, or and at_least join.
func canonical(n *rules.Node) string {
	switch n.Kind {
	case rules.NodeAtom:
		return fmt.Sprintf("#%d", n.Atom)
	case rules.NodeConst:
		return n.Const.String()
	}
	kids := make([]string, len(n.Kids))
	for i, kid := range n.Kids {
		kids[i] = canonical(kid)
	}
	slices.Sort(kids)
	if n.Kind == rules.NodeAnd || n.Kind == rules.NodeOr {
		kids = slices.Compact(kids)
	}
	return fmt.Sprintf("%d/%d(%s)", n.Kind, n.N, strings.Join(kids, " "))
}
