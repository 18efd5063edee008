package render

import (
	"fmt"

	"github.com/vigil-cds/vigil/explain/record"
)

// operands are the parts of a node that are shown below it. Of a chain of the same operator, which the
// tree holds as pairs of pairs, they are all the links at once; constants stand in the source already and
// are left out.
func operands(n *record.Node) []*record.Node {
	var shown []*record.Node
	for i := range n.Kids {
		switch kid := &n.Kids[i]; {
		case chains(n.Op) && kid.Op == n.Op:
			shown = append(shown, operands(kid)...)
		case constant(kid) && !kid.Boolean && kid.Op != "parameter" && kid.Op != "constant":
		default:
			shown = append(shown, kid)
		}
	}
	return shown
}

// chains says whether an operator's operands may be told in any grouping.
func chains(op string) bool { return op == "and" || op == "or" || op == "+" }

// constant says whether an expression asks nothing.
func constant(n *record.Node) bool {
	if n.Op == "term" {
		return false
	}
	for i := range n.Kids {
		if !constant(&n.Kids[i]) {
			return false
		}
	}
	return true
}

// label names a node in the tree: a combination by what it asks of its parts, all else by its source.
func label(n *record.Node) string {
	switch n.Op {
	case "and", "all":
		return "all of"
	case "or", "any":
		return "any of"
	case "none":
		return "none of"
	case "not":
		return "not"
	case "at_least":
		return fmt.Sprintf("at least %d of %d", n.N, len(n.Kids))
	case "score":
		if n.Source != "score" {
			return plain("score " + n.Source)
		}
	}
	return plain(n.Source)
}

// outcome is what a node came to: a truth, or a value in its term's unit.
func (v *view) outcome(n *record.Node) string {
	if n.Boolean {
		return string(n.Truth)
	}
	if t := v.term(n); t != nil {
		return v.stated(n.Value, unitOf(t))
	}
	if p := v.parameter(n); p != nil {
		return v.stated(n.Value, p.Unit)
	}
	if n.Op == "score" || n.Op == "points" {
		return v.points(n)
	}
	return v.stated(n.Value, "")
}

// unitOf is the UCUM code of a term's answer, which is not always that of the facts it saw.
func unitOf(t *record.Term) string {
	switch t.Op {
	case "hours_since":
		return "h"
	case "days_since":
		return "d"
	case "age":
		return "a"
	case "age_months":
		return "mo"
	case "last", "first", "min", "max", "sum", "mean", "delta", "median", "stddev", "rise", "fall", "ewma", "nth":
		return t.Unit
	case "slope":
		if t.Unit != "" {
			return t.Unit + "/d"
		}
		return "/d"
	case "max_gap", "duration_above", "duration_below":
		return "h"
	}
	return ""
}

// truthMark tells the truths apart without colour.
func truthMark(t record.Truth) string {
	switch t {
	case record.True:
		return "✓"
	case record.False:
		return "✗"
	}
	return "?"
}
