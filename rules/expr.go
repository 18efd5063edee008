package rules

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/vigil-cds/vigil/internal/clinical"
)

// Expr is a parsed and type-checked expression. The compiler lowers it to flat code for the engine;
// the reference evaluator walks it as it stands. The two share this tree and Compare, nothing else.
// Its String is the expression as a pack would write it, in one canonical form.
type Expr interface{ String() string }

// Literal is a constant.
type Literal struct{ Value Value }

// TermRef asks a term.
type TermRef struct{ Term *Term }

// AttributeRef, inside `where` only, is a property of the fact itself: "value", or the name of an
// attribute. A number attribute is a Number. A coded one is compared by == and != with a text, and by
// `in` with a list of texts, where any of its codings may match (as clinical.Code.Is does);
// an attribute the fact does not have is missing. The value of a `value: code` input is such a coded
// property too. Reference limits are converted to the input's unit as the value is, a dose and a rate to
// Unit. clinical.Attributes lists the names and the types.
type AttributeRef struct {
	Name  string
	Coded bool   // compared by its codings, only as one side of == or != with a text Literal or as X of In
	Unit  string // UCUM: of a dose or a rate, which is asked for in a unit; "" is the number as it was sent

	unit *unitOf
}

// Has, inside `where` only, is whether the fact has the property: true or false, never missing.
type Has struct{ X *AttributeRef }

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

// In is `X in [..]` over constants: `X == a or X == b or …`, Kleene's or included. Where Set is not nil, it
// is instead whether any coding of the property X is in the value set.
type In struct {
	X    Expr
	List []Value
	Set  *ValueSet

	members *members
}

// Combination is all, any, none or at_least over conditions.
type Combination struct {
	Op   string // "all" "any" "none" "at_least"
	N    int
	Kids []Expr
}

func (e *Literal) String() string      { return written(e, (*Term).String) }
func (e *TermRef) String() string      { return written(e, (*Term).String) }
func (e *AttributeRef) String() string { return written(e, (*Term).String) }
func (e *Unary) String() string        { return written(e, (*Term).String) }
func (e *Binary) String() string       { return written(e, (*Term).String) }
func (e *Conditional) String() string  { return written(e, (*Term).String) }
func (e *Has) String() string          { return written(e, (*Term).String) }
func (e *In) String() string           { return written(e, (*Term).String) }
func (e *Combination) String() string  { return written(e, (*Term).String) }

// String is the term's Source.
func (t *Term) String() string { return t.Source }

// slotName names a term by its slot, which is the same wherever the term is the same.
func slotName(t *Term) string { return "#" + strconv.Itoa(t.ID) }

// sharingKey is equal for two expressions exactly when they ask the same of the same terms.
func sharingKey(e Expr) string { return exactly(e, slotName) }

// exactly is written, but for value sets, which it tells apart by what is in them.
func exactly(e Expr, name func(*Term) string) string {
	w := exprWriter{name: name, exact: true}
	w.write(e, 0)
	return w.b.String()
}

// Key is the same for two expressions of one program exactly when they are the same but for the names of
// constants in them.
func Key(e Expr) string { return sharingKey(e) }

func written(e Expr, name func(*Term) string) string {
	w := exprWriter{name: name}
	w.write(e, 0)
	return w.b.String()
}

// exprWriter writes an expression with no more brackets than it needs.
type exprWriter struct {
	b     strings.Builder
	name  func(*Term) string
	exact bool // constants and value sets by what is in them, scores and tables by which: two packs may call different ones the same
}

// How tightly things bind, loosest first; a part in a place that binds tighter goes in brackets.
const (
	bindChoice  = iota
	bindDefault // binds tightest, but the parser wants brackets around it beside any other operator
	bindOr
	bindAnd
	bindComparison
	bindSum
	bindProduct
	bindNot
	bindMinus
	bindLeaf
)

func binding(e Expr) int {
	switch e := e.(type) {
	case *Literal:
		if e.Value.Kind == Number && e.Value.Num < 0 {
			return bindMinus
		}
	case *Conditional:
		return bindChoice
	case *Unary:
		if e.Op == "not" {
			return bindNot
		}
		return bindMinus
	case *In:
		return bindComparison
	case *Binary:
		switch e.Op {
		case "or":
			return bindOr
		case "and":
			return bindAnd
		case "+", "-":
			return bindSum
		case "*", "/":
			return bindProduct
		case "??":
			return bindDefault
		}
		return bindComparison
	}
	return bindLeaf
}

func (w *exprWriter) write(e Expr, least int) {
	if binding(e) < least {
		w.b.WriteByte('(')
		defer w.b.WriteByte(')')
	}
	switch e := e.(type) {
	case *Literal:
		w.b.WriteString(e.Value.source())
	case *TermRef:
		w.b.WriteString(w.name(e.Term))
	case *AttributeRef:
		w.b.WriteString(e.Name)
		if e.Unit != "" {
			w.b.WriteString("(" + TextOf(e.Unit).source() + ")")
		}
	case *Has:
		w.b.WriteString("has(" + e.X.Name + ")")
	case *Constant:
		if w.exact {
			w.write(&Literal{e.Value}, least)
			return
		}
		w.b.WriteString(e.Name)
	case *RuleRef:
		w.b.WriteString("rule(" + TextOf(e.ID).source() + ")")
	case *Score:
		w.b.WriteString(e.Name)
		if w.exact {
			fmt.Fprintf(&w.b, "#%d", e.ID)
		}
	case *Points:
		w.points(e)
	case *Dates:
		w.dates(e)
	case *Lookup:
		w.b.WriteString("table(")
		if w.exact {
			w.b.WriteString(e.Table.Pack + "/")
		}
		w.b.WriteString(TextOf(e.Table.Name).source())
		for _, key := range e.Keys {
			w.b.WriteString(", ")
			w.write(key, bindChoice)
		}
		w.b.WriteByte(')')
	case *Unary:
		w.b.WriteString(e.Op)
		if e.Op == "not" {
			w.b.WriteByte(' ')
		}
		w.write(e.X, bindLeaf)
	case *Binary:
		w.binary(e)
	case *Conditional:
		w.write(e.If, bindDefault)
		w.b.WriteString(" ? ")
		w.write(e.Then, bindDefault)
		w.b.WriteString(" : ")
		w.write(e.Else, bindDefault)
	case *In:
		w.write(e.X, bindSum)
		if e.Set != nil {
			w.set(e.Set)
			return
		}
		w.b.WriteString(" in [")
		for i, v := range e.List {
			if i > 0 {
				w.b.WriteString(", ")
			}
			w.b.WriteString(v.source())
		}
		w.b.WriteByte(']')
	case *Combination:
		w.b.WriteString(e.Op)
		if e.Op == "at_least" {
			fmt.Fprintf(&w.b, " %d", e.N)
		}
		w.b.WriteString(" (")
		for i, kid := range e.Kids {
			if i > 0 {
				w.b.WriteString("; ")
			}
			w.write(kid, bindChoice)
		}
		w.b.WriteByte(')')
	}
}

func (w *exprWriter) set(s *ValueSet) {
	w.b.WriteString(" in valueset(" + TextOf(s.Name).source() + ")")
	if w.exact {
		fmt.Fprintf(&w.b, "%q", s.Codes)
	}
}

func (w *exprWriter) binary(e *Binary) {
	left := binding(e)
	right := left + 1
	switch left {
	case bindComparison:
		left = bindSum
	case bindDefault:
		left, right = bindLeaf, bindLeaf
	}
	w.write(e.X, left)
	w.b.WriteString(" " + e.Op + " ")
	w.write(e.Y, right)
}

// source is the value as an expression writes it: every digit of a number, a text in quotes.
func (v Value) source() string {
	switch v.Kind {
	case Number:
		return v.bound() + strconv.FormatFloat(v.Num, 'g', -1, 64)
	case Text:
		return "'" + strings.NewReplacer(`\`, `\\`, "'", `\'`, "\n", `\n`, "\r", `\r`, "\t", `\t`).Replace(v.Str) + "'"
	case Time:
		return clinical.Instant(v.Num).String()
	case Length:
		return "'" + v.String() + "'"
	}
	return v.String()
}

// EachPart calls visit for every expression that e is directly made of, in the order in which they stand.
func EachPart(e Expr, visit func(Expr)) {
	switch e := e.(type) {
	case *Unary:
		visit(e.X)
	case *Binary:
		visit(e.X)
		visit(e.Y)
	case *Conditional:
		visit(e.If)
		visit(e.Then)
		visit(e.Else)
	case *In:
		visit(e.X)
	case *Dates:
		visit(e.X)
		visit(e.Y)
	case *Has:
		visit(e.X)
	case *Combination:
		for _, kid := range e.Kids {
			visit(kid)
		}
	case *RuleRef:
		visit(e.When)
	case *Lookup:
		for _, key := range e.Keys {
			visit(key)
		}
	case *Score:
		for _, item := range e.Items {
			visit(item)
		}
	case *Points:
		if e.When != nil {
			visit(e.When)
		}
		if e.Of != nil {
			visit(e.Of)
		}
	}
}

// walk calls visit for every term of e, repeats included.
func walk(e Expr, visit func(*Term)) {
	if ref, ok := e.(*TermRef); ok {
		visit(ref.Term)
		return
	}
	EachPart(e, func(part Expr) { walk(part, visit) })
}

// asksFor reports whether e mentions the property of the fact.
func asksFor(e Expr, name string) bool {
	if a, ok := e.(*AttributeRef); ok {
		return a.Name == name
	}
	asks := false
	EachPart(e, func(part Expr) { asks = asks || asksFor(part, name) })
	return asks
}
