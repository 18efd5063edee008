package render

import (
	"slices"

	"github.com/vigil-cds/vigil/explain/record"
)

// threshold is a number that the values of a window are held against.
type threshold struct {
	at     float64
	op     string // how a value must stand to it: ">="
	source string // the comparison
}

// thresholds finds the numbers that the condition holds the values of one window against: a constant, a
// multiple of another term's answer, an answer and a difference.
func (v *view) thresholds(x evidence) []threshold {
	var found []threshold
	add := func(at float64, op string, n *record.Node) {
		if !slices.ContainsFunc(found, func(t threshold) bool { return t.at == at && t.op == op }) {
			found = append(found, threshold{at, op, plain(n.Source)})
		}
	}
	var visit func(n *record.Node)
	visit = func(n *record.Node) {
		if mirrored[n.Op] != "" && len(n.Kids) == 2 {
			if at, op, ok := v.heldAgainst(x, n); ok {
				add(at, op, n)
			}
		}
		for i := range n.Kids {
			visit(&n.Kids[i])
		}
	}
	if v.Tree != nil {
		visit(v.Tree)
	}
	return found
}

// heldAgainst is what a comparison holds the values of a window against.
func (v *view) heldAgainst(x evidence, n *record.Node) (at float64, op string, ok bool) {
	left, _ := v.taken(&n.Kids[0])
	right, _ := v.taken(&n.Kids[1])
	op = n.Op
	if constant(left) {
		left, right, op = right, left, mirrored[op]
	}
	if !isExact(right.Value) {
		return 0, "", false
	}
	k := right.Value.Num
	if v.shows(x, v.term(left)) {
		return k, op, true
	}
	a, b := v.pair(left)
	switch {
	case a == nil:
	case left.Op == "-" && v.shows(x, b) && (b.Op == "last" || !v.shows(x, a)):
		return a.Value.Num - k, mirrored[op], true
	case left.Op == "-" && v.shows(x, a):
		return b.Value.Num + k, op, true
	case left.Op == "/" && v.shows(x, a) && b.Value.Num > 0:
		return k * b.Value.Num, op, true
	}
	return 0, "", false
}

// shows says whether a term's answer is on the scale of the values that a window shows.
func (v *view) shows(x evidence, t *record.Term) bool {
	if t == nil || !slices.Contains(x.asked, t) {
		return false
	}
	switch t.Op {
	case "last", "first", "min", "max", "mean":
		return true
	}
	return false
}
