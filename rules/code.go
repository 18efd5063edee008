package rules

// Limits of one expression.
const (
	// MaxExpression is the length of an expression's text in bytes.
	MaxExpression = 16 << 10
	// MaxNodes is how many operators, terms and constants one expression may have.
	MaxNodes = 2000
	// MaxStack is how many intermediate values an expression may need at a time.
	MaxStack = 64
	// shallow is the stack of nearly every expression; deeper ones clear more memory.
	shallow = 8
)

// code is an expression lowered to postfix: each instruction pops what it needs and pushes one value.
// All the operators are total and free of effects, so both sides of `and`, `??` and `?:` are simply
// worked out and there are no jumps.
type code struct {
	direct direct
	op     comparison
	x, y   int32 // slots of a direct comparison
	with   Value // its constant

	instructions []instruction
	constants    []Value
	lists        [][]Value
	properties   []property
	combinations []combinationCode
	scores       []scoreCode
	tests        []scoreTest
	tables       []*Table
	dates        []*Dates
	depth        int
}

// direct says that an expression is so plain that it needs no stack.
type direct uint8

const (
	indirect     direct = iota
	bare                // x
	withConstant        // x op constant
	withTerm            // x op y
)

type opcode uint8

const (
	pushTerm opcode = iota
	pushConstant
	pushValue    // the fact's own
	pushProperty // a property of the fact that is one value
	testCodes    // whether a coded property of the fact is one of a list
	testPresent  // whether the fact has a property
	applyCompare // arg is the comparison
	applyArithmetic
	applyNegate
	applyNot
	applyAnd
	applyOr
	applyDefault
	applyChoice
	applyIn
	applyCombination
	pushScore
	testScore
	applyLookup
	applyDates
)

type instruction struct {
	op  opcode
	arg int32
}

// property is a question to a fact: for its value, or whether its codes are among texts or in a set.
type property struct {
	name    string
	coded   bool
	texts   []string
	members *members
	unit    *unitOf // of a quantity
}

// eval works the expression out over values by slot, or over a fact. Nothing is allocated.
func (c *code) eval(values []Value, fact *evidence) Value {
	switch c.direct {
	case bare:
		return values[c.x]
	case withConstant:
		return compareValues(c.op, values[c.x], c.with)
	case withTerm:
		return compareValues(c.op, values[c.x], values[c.y])
	}
	if c.depth <= shallow {
		var stack [shallow]Value
		return c.run(stack[:], values, fact)
	}
	var stack [MaxStack]Value
	return c.run(stack[:], values, fact)
}

func (c *code) run(stack []Value, values []Value, fact *evidence) Value {
	top := -1
	for _, in := range c.instructions {
		switch in.op {
		case pushTerm:
			top++
			stack[top] = values[in.arg]
		case pushConstant:
			top++
			stack[top] = c.constants[in.arg]
		case pushValue:
			top++
			stack[top] = fact.value
		case pushProperty:
			top++
			stack[top] = fact.property(&c.properties[in.arg])
		case testCodes:
			top++
			stack[top] = fact.coded(&c.properties[in.arg])
		case testPresent:
			top++
			stack[top] = BoolOf(fact.has(&c.properties[in.arg]))
		case applyCompare:
			top--
			stack[top] = compareValues(comparison(in.arg), stack[top], stack[top+1])
		case applyArithmetic:
			top--
			stack[top] = arithmetic(byte(in.arg), stack[top], stack[top+1])
		case applyNegate:
			stack[top] = arithmetic('-', Value{Kind: Number}, stack[top])
		case applyNot:
			stack[top] = valueOf(Not(stack[top].Truth()))
		case applyAnd:
			top--
			stack[top] = valueOf(And(stack[top].Truth(), stack[top+1].Truth()))
		case applyOr:
			top--
			stack[top] = valueOf(Or(stack[top].Truth(), stack[top+1].Truth()))
		case applyDefault:
			top--
			if stack[top].Kind == Missing {
				stack[top] = stack[top+1]
			}
		case applyChoice:
			top -= 2
			stack[top] = choose(stack[top], stack[top+1], stack[top+2])
		case applyIn:
			stack[top] = among(stack[top], c.lists[in.arg])
		case applyCombination:
			top++
			stack[top] = c.combinations[in.arg].eval(values, fact)
		case pushScore:
			top++
			stack[top] = c.scores[in.arg].value(values, fact)
		case testScore:
			top++
			stack[top] = c.tests[in.arg].eval(values, fact)
		case applyLookup:
			t := c.tables[in.arg]
			top -= len(t.Columns) - 1
			stack[top] = t.lookup(stack[top : top+len(t.Columns)])
		case applyDates:
			top--
			stack[top] = c.dates[in.arg].of(stack[top], stack[top+1])
		}
	}
	return stack[0]
}

func choose(condition, then, otherwise Value) Value {
	switch condition.Truth() {
	case True:
		return then
	case False:
		return otherwise
	}
	return Value{}
}

// among is `x == a or x == b or …`.
func among(x Value, list []Value) Value {
	found := False
	for _, y := range list {
		found = Or(found, compareValues(equal, x, y).Truth())
	}
	return valueOf(found)
}

// Eval works the atom out over values indexed by Term.ID (one per Program.Terms): a Boolean, or missing
// for unknown. It allocates nothing, and any number of goroutines may call it.
func (a *Atom) Eval(values []Value) Value { return a.code.eval(values, nil) }
