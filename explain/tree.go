package explain

import (
	"slices"

	"github.com/vigil-cds/vigil/explain/record"
	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/rules"
)

// node is a part of a condition with what it came to.
type node struct {
	expr    rules.Expr
	value   rules.Value
	truth   rules.Truth // of a condition
	boolean bool
	decides bool
	term    int // in the witness's terms; -1 for everything else
	kids    []node
	between *stretch // of a score and its items: the least and the greatest that they can be
	low     bool     // of a score: that it is no greater decides
}

// node evaluates a part of the condition and everything that it is made of.
func (w *witness) node(e rules.Expr) node {
	n := node{expr: e, value: w.expr(e, w.now), boolean: w.condition(e), term: -1}
	n.truth = n.value.Truth()
	if ref, ok := e.(*rules.TermRef); ok {
		n.term = slices.Index(w.terms, ref.Term)
	}
	for _, part := range parts(e) {
		n.kids = append(n.kids, w.node(part))
	}
	at := scope{term: func(t *rules.Term) rules.Value { return w.term(t, w.now) }}
	switch e := e.(type) {
	case *rules.Score:
		s := stretchOf(e, at)
		n.between = &s
	case *rules.Points:
		least, greatest := points(e, at)
		n.between = &stretch{rules.NumberOf(least), rules.NumberOf(greatest)}
	case *rules.Binary:
		for i := range n.kids {
			n.kids[i].low = !reached(e.Op, i, n.truth)
		}
	}
	return n
}

// reached says whether a comparison came out as it did because the ith side is as great as it is, rather
// than because it is no greater. Of equality and of what is not known it is neither.
func reached(op string, i int, truth rules.Truth) bool {
	greater := (op == ">" || op == ">=") == (i == 0)
	switch {
	case op == "==" || op == "!=" || truth == rules.Unknown:
		return false
	case truth == rules.False:
		return !greater
	}
	return greater
}

// condition says whether an expression is a boolean one, whatever it came to.
func (r *reading) condition(e rules.Expr) bool {
	switch e := e.(type) {
	case *rules.Literal:
		return e.Value.Kind == rules.Boolean
	case *rules.Constant:
		return e.Value.Kind == rules.Boolean
	case *rules.Score, *rules.Points:
		return false
	case *rules.Lookup:
		return e.Table.Rows[0].Value.Kind == rules.Boolean
	case *rules.TermRef:
		switch e.Term.Op {
		case rules.Exists, rules.Active, rules.Overlaps, rules.Ended, rules.Deceased:
			return true
		case rules.Last, rules.First, rules.Nth:
			return r.program.Inputs[e.Term.Input].Type == clinical.Boolean
		}
		return false
	case *rules.Unary:
		return e.Op == "not"
	case *rules.Binary:
		switch e.Op {
		case "+", "-", "*", "/":
			return false
		case "??":
			return r.condition(e.X)
		}
		return true
	case *rules.Conditional:
		return r.condition(e.Then)
	case *rules.Dates:
		return e.Func == rules.SameDay
	}
	return true // in, the combinations, and other rules
}

// decide marks the path that made the whole what it is: of an `and` that is false the false parts, of one
// that is true all of them, and so on by Kleene's tables.
func decide(n *node) {
	n.decides = true
	for i := range n.kids {
		if deciding(n, i) {
			decide(&n.kids[i])
		}
	}
}

// deciding says whether the ith part of a deciding expression decides, too.
func deciding(n *node, i int) bool {
	kid := n.kids[i].truth
	switch op := operator(n.expr); op {
	case "and", "all":
		return n.truth == rules.True || kid == n.truth
	case "or", "any":
		return n.truth == rules.False || kid == n.truth
	case "none":
		return n.truth == rules.True || kid == rules.Not(n.truth)
	case "at_least":
		return kid == n.truth || n.truth == rules.Unknown && kid == rules.True
	case "?:":
		branch := n.kids[0].truth
		return i == 0 || branch == rules.True && i == 1 || branch == rules.False && i == 2
	case "??":
		return i == 0 || n.kids[0].value.Kind == rules.Missing
	case "score": // all that could have made it greater, or only what made it as great as it is
		return n.low || n.kids[i].value.Num != 0
	case "points": // of bands that do not count only the condition
		return i == 0 || n.kids[0].truth != rules.False
	}
	return true
}

// operator is what an expression does with its parts.
func operator(e rules.Expr) string {
	switch e := e.(type) {
	case *rules.Unary:
		return e.Op
	case *rules.Binary:
		return e.Op
	case *rules.Conditional:
		return "?:"
	case *rules.In:
		return "in"
	case *rules.Dates:
		return e.Func
	case *rules.Combination:
		return e.Op
	case *rules.TermRef:
		return "term"
	case *rules.Constant:
		if e.Parameter != nil {
			return "parameter"
		}
		return "constant"
	case *rules.RuleRef:
		return "rule"
	case *rules.Score:
		return "score"
	case *rules.Points:
		return "points"
	case *rules.Lookup:
		return "table"
	}
	return "literal"
}

func (n *node) record() record.Node {
	out := record.Node{Op: operator(n.expr), Source: n.expr.String(), Boolean: n.boolean, Value: record.Value(n.value), Term: n.term, Decides: n.decides}
	if n.boolean {
		out.Truth = record.TruthOf(n.truth)
	}
	if c, ok := n.expr.(*rules.Combination); ok {
		out.N = c.N
	}
	if s := n.between; s != nil {
		out.Least, out.Greatest = &s.least.Num, &s.greatest.Num
	}
	for i := range n.kids {
		out.Kids = append(out.Kids, n.kids[i].record())
	}
	return out
}
