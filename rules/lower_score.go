package rules

// part lowers a part that has a stack of its own, so that many may stand beside each other.
func (l *lowering) part(e Expr) code {
	c, ok := lower(e)
	if !ok {
		l.code.depth = MaxStack + 1
	}
	return c
}

// combinationCode is all, any, none or at_least over parts.
type combinationCode struct {
	op   string
	n    int
	kids []code
}

func (l *lowering) combination(e *Combination) {
	out := combinationCode{op: e.Op, n: e.N, kids: make([]code, len(e.Kids))}
	for i, kid := range e.Kids {
		out.kids[i] = l.part(kid)
	}
	switch e.Op {
	case "all":
		out.n = len(e.Kids)
	case "any", "none":
		out.n = 1
	}
	l.code.combinations = append(l.code.combinations, out)
	l.put(applyCombination, len(l.code.combinations)-1)
}

// eval is at_least of n: all is of each, any of one, none is not any.
func (c *combinationCode) eval(values []Value, fact *evidence) Value {
	trues, unknowns := 0, 0
	for i := range c.kids {
		switch c.kids[i].eval(values, fact).Truth() {
		case True:
			trues++
		case Unknown:
			unknowns++
		}
	}
	truth := AtLeast(c.n, trues, unknowns)
	if c.op == "none" {
		truth = Not(truth)
	}
	return valueOf(truth)
}

func (l *lowering) score(e *Score) scoreCode {
	out := make(scoreCode, len(e.Items))
	for i, item := range e.Items {
		out[i] = itemCode{item, l.optional(item.When), l.optional(item.Of)}
	}
	return out
}

func (l *lowering) optional(e Expr) *code {
	if e == nil {
		return nil
	}
	c := l.part(e)
	return &c
}

// scoreTest lowers a comparison that has a score as a side.
func (l *lowering) scoreTest(e *Binary) bool {
	if !comparesScore(e) {
		return false
	}
	side := func(e Expr) scoreSide {
		if s, ok := e.(*Score); ok {
			return scoreSide{score: l.score(s)}
		}
		return scoreSide{code: l.part(e)}
	}
	l.code.tests = append(l.code.tests, scoreTest{comparisonOf(e.Op), side(e.X), side(e.Y)})
	l.put(testScore, len(l.code.tests)-1)
	return true
}

// comparesScore reports whether a side of a comparison is a score itself.
func comparesScore(e *Binary) bool {
	_, x := e.X.(*Score)
	_, y := e.Y.(*Score)
	return (x || y) && comparisonOf(e.Op) != notComparison
}
