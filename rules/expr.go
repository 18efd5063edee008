package rules

// Expr is a parsed and type-checked expression. The compiler lowers it to flat code for the engine;
// the reference evaluator walks it as it stands. The two share this tree and Compare, nothing else.
type Expr interface{ String() string }

// Literal is a constant.
type Literal struct{ Value Value }

// TermRef asks a term.
type TermRef struct{ Term *Term }

// AttributeRef, inside `where` only, is a property of the fact itself: "value", or the name of an
// attribute. A number attribute is a Number. A coded one is compared by == and != with a text, and by
// `in` with a list of texts, where any of its codings may match (as clinical.Code.Is does);
// an attribute the fact does not have is missing.
type AttributeRef struct{ Name string }

// Unary is "not" or "-".
type Unary struct {
	Op string
	X  Expr
}

// Binary is and, or (Kleene), == != < <= > >= (by Compare; Times exactly; texts and booleans only == and
// !=), + - * / (Numbers; division by zero is missing), and "??" (the left side unless it is missing).
type Binary struct {
	Op   string
	X, Y Expr
}

// Conditional is `If ? Then : Else`; an unknown If makes it missing.
type Conditional struct{ If, Then, Else Expr }

// In is `X in [..]` over constants.
type In struct {
	X    Expr
	List []Value
}

// Combination is all, any, none or at_least over conditions.
type Combination struct {
	Op   string // "all" "any" "none" "at_least"
	N    int
	Kids []Expr
}
