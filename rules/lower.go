package rules

// lower turns a checked expression into code. It reports false when the expression needs more than
// MaxStack intermediate values.
func lower(e Expr) (code, bool) {
	var l lowering
	l.direct(e)
	l.emit(e, 0)
	return l.code, l.code.depth <= MaxStack
}

type lowering struct{ code code }

// direct recognises `term`, `term op constant`, `constant op term` and `term op term`.
func (l *lowering) direct(e Expr) {
	c := &l.code
	if t, ok := e.(*TermRef); ok {
		c.direct, c.x = bare, int32(t.Term.ID)
		return
	}
	b, ok := e.(*Binary)
	if !ok || comparisonOf(b.Op) == notComparison {
		return
	}
	c.op = comparisonOf(b.Op)
	x, xTerm := b.X.(*TermRef)
	y, yTerm := b.Y.(*TermRef)
	switch {
	case xTerm && yTerm:
		c.direct, c.x, c.y = withTerm, int32(x.Term.ID), int32(y.Term.ID)
	case xTerm:
		if k, ok := constantOf(b.Y); ok {
			c.direct, c.x, c.with = withConstant, int32(x.Term.ID), k
		}
	case yTerm:
		if k, ok := constantOf(b.X); ok {
			c.direct, c.op, c.x, c.with = withConstant, c.op.mirrored(), int32(y.Term.ID), k
		}
	}
}

// emit appends the code of e, which starts with held values below it on the stack.
func (l *lowering) emit(e Expr, held int) {
	c := &l.code
	c.depth = max(c.depth, held+1)
	switch e := e.(type) {
	case *Literal:
		c.constants = append(c.constants, e.Value)
		l.put(pushConstant, len(c.constants)-1)
	case *Constant:
		c.constants = append(c.constants, e.Value)
		l.put(pushConstant, len(c.constants)-1)
	case *TermRef:
		l.put(pushTerm, e.Term.ID)
	case *AttributeRef:
		if e.Name == valueName {
			l.put(pushValue, 0)
			return
		}
		l.property(pushProperty, property{name: e.Name, unit: e.unit})
	case *Has:
		l.property(testPresent, property{name: e.X.Name, coded: e.X.Coded})
	case *Unary:
		l.emit(e.X, held)
		if e.Op == "not" {
			l.put(applyNot, 0)
		} else {
			l.put(applyNegate, 0)
		}
	case *Binary:
		if name, s, ok := codedTest(e); ok {
			l.property(testCodes, property{name: name, texts: []string{s}})
			if e.Op == "!=" {
				l.put(applyNot, 0)
			}
			return
		}
		if l.scoreTest(e) {
			return
		}
		l.emit(e.X, held)
		l.emit(e.Y, held+1)
		l.binary(e.Op)
	case *Conditional:
		l.emit(e.If, held)
		l.emit(e.Then, held+1)
		l.emit(e.Else, held+2)
		l.put(applyChoice, 0)
	case *In:
		if a, ok := e.X.(*AttributeRef); ok && a.Coded {
			if e.Set != nil {
				l.property(testCodes, property{name: a.Name, members: e.members})
				return
			}
			texts := make([]string, len(e.List))
			for i, v := range e.List {
				texts[i] = v.Str
			}
			l.property(testCodes, property{name: a.Name, texts: texts})
			return
		}
		l.emit(e.X, held)
		c.lists = append(c.lists, e.List)
		l.put(applyIn, len(c.lists)-1)
	case *Dates:
		l.emit(e.X, held)
		l.emit(e.Y, held+1)
		c.dates = append(c.dates, e)
		l.put(applyDates, len(c.dates)-1)
	case *RuleRef:
		l.emit(e.When, held)
	case *Combination:
		l.combination(e)
	case *Score:
		c.scores = append(c.scores, l.score(e))
		l.put(pushScore, len(c.scores)-1)
	case *Lookup:
		for i, key := range e.Keys {
			l.emit(key, held+i)
		}
		c.tables = append(c.tables, e.Table)
		l.put(applyLookup, len(c.tables)-1)
	}
}

func (l *lowering) binary(op string) {
	switch op {
	case "and":
		l.put(applyAnd, 0)
	case "or":
		l.put(applyOr, 0)
	case "??":
		l.put(applyDefault, 0)
	case "+", "-", "*", "/":
		l.put(applyArithmetic, int(op[0]))
	default:
		l.put(applyCompare, int(comparisonOf(op)))
	}
}

func (l *lowering) put(op opcode, arg int) {
	l.code.instructions = append(l.code.instructions, instruction{op, int32(arg)})
}

func (l *lowering) property(op opcode, p property) {
	l.code.properties = append(l.code.properties, p)
	l.put(op, len(l.code.properties)-1)
}

// codedTest recognises `attribute == 'text'` and `!=`, either way round.
func codedTest(b *Binary) (name, s string, ok bool) {
	x, y := b.X, b.Y
	a, ok := x.(*AttributeRef)
	if !ok {
		x, y = y, x
		if a, ok = x.(*AttributeRef); !ok {
			return "", "", false
		}
	}
	k, isLiteral := y.(*Literal)
	if !a.Coded || !isLiteral || comparisonOf(b.Op) > unequal || comparisonOf(b.Op) == notComparison {
		return "", "", false
	}
	return a.Name, k.Value.Str, true
}
