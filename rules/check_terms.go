package rules

import (
	"fmt"

	"github.com/expr-lang/expr/ast"

	"github.com/vigil-cds/vigil/internal/clinical"
)

// identifier is a property of the fact in a `where`; elsewhere a bare name means nothing.
func (k *checker) identifier(n *ast.IdentifierNode, at place) (Expr, typ) {
	if e, t, known := k.named(n); known {
		return e, t
	}
	if op, ofPeriod := periodOp(n.Value); ofPeriod && k.where == nil {
		return k.periodTerm(n, op, at)
	}
	if k.where == nil {
		name := n.Value
		switch {
		case name == "patient":
			k.fault(n, "`patient` alone says nothing", "ask patient.age, patient.age_months, patient.sex or patient.deceased")
		case k.pack.inputs[name] != nil:
			k.fault(n, fmt.Sprintf("%q is an input, not a value", name), fmt.Sprintf("ask it something, as in `%s.last('48h')`", name))
		default:
			k.fault(n, fmt.Sprintf("unknown name %q", name), k.pack.nameHint(name))
		}
		return nil, broken
	}
	return k.attribute(n)
}

// member is patient.age and its like; an input's terms are calls.
func (k *checker) member(n *ast.MemberNode) (Expr, typ) {
	name, op, ok := dotted(n)
	if !ok {
		k.fault(n, "this is not a term", "write `input.question('window')`, as in `potassium.last('24h')`")
		return nil, broken
	}
	if name != "patient" {
		hint := fmt.Sprintf("write `%s.%s()`", name, op)
		if k.pack.inputs[name] == nil {
			hint = k.pack.inputHint(name)
			k.fault(n, fmt.Sprintf("unknown input %q", name), hint)
			return nil, broken
		}
		k.faultAt(n, "a question to an input has brackets", hint)
		return nil, broken
	}
	return k.patientTerm(n, op)
}

func (k *checker) patientTerm(n ast.Node, name string) (Expr, typ) {
	op, ok := opOf(name, true)
	if !ok {
		k.faultAt(n, fmt.Sprintf("there is no patient.%s", name), didYouMeanOr(name, opNamesOf(true), "there are"))
		return nil, broken
	}
	return &TermRef{k.term(k.c.inputs[0], op, Window{All: true}, Argument{})}, op.yields(clinical.NoValue)
}

// term is the one Term that asks this: of the rules at now, about the patient or the period, or of the input's
// `where` at the fact's time.
func (k *checker) term(of *Input, op Op, w Window, arg Argument) *Term {
	if k.where != nil {
		return k.where.anchored(of, op, w, arg)
	}
	each := 0
	if scope := k.c.now.each; scope != nil && (op.OfPeriod() || op == Overlaps || w.During || w.At != AtNow) {
		each = scope.ID
	}
	return k.c.term(each, of.ID, op, w, arg)
}

// dotted reads `name.word`.
func dotted(n *ast.MemberNode) (name, word string, ok bool) {
	of, ok := n.Node.(*ast.IdentifierNode)
	if !ok || n.Optional {
		return "", "", false
	}
	property, ok := n.Property.(*ast.StringNode)
	if !ok {
		return "", "", false
	}
	return of.Value, property.Value, true
}

func (k *checker) call(n *ast.CallNode, at place) (Expr, typ) {
	if function, ok := n.Callee.(*ast.IdentifierNode); ok {
		switch function.Value {
		case "rule":
			return k.reference(n, at)
		case "table":
			return k.lookup(n)
		case SameDay:
			return k.sameDay(n)
		}
	}
	callee, ok := n.Callee.(*ast.MemberNode)
	if !ok {
		if k.where != nil {
			return k.function(n)
		}
		hint := "the language has no functions; ask an input, as in `potassium.last('24h')`"
		k.fault(n, fmt.Sprintf("unknown function %q", n.Callee), hint)
		return nil, broken
	}
	name, word, ok := dotted(callee)
	if inner, within := callee.Node.(*ast.CallNode); within {
		return k.windowedTerm(n, callee, inner, at)
	}
	if !ok {
		return k.member(callee)
	}
	if name == "patient" && (word == AgeAt || word == AgeMonthsAt) {
		return k.ageAt(n, word)
	}
	if name == "patient" {
		if _, known := opOf(word, true); known {
			k.faultAt(callee, fmt.Sprintf("patient.%s has no brackets", word), fmt.Sprintf("write `patient.%s`", word))
			return nil, broken
		}
		return k.patientTerm(callee, word)
	}
	return k.inputTerm(n, callee, name, word, Window{}, at)
}

// windowedTerm is `input.during().question()`: about the facts within the period of the fact that is to belong,
// or for which the rule holds; or `input.at_start().question()`, as of the start of the period.
func (k *checker) windowedTerm(n *ast.CallNode, callee *ast.MemberNode, inner *ast.CallNode, at place) (Expr, typ) {
	property, plain := callee.Property.(*ast.StringNode)
	member, ok := inner.Callee.(*ast.MemberNode)
	if !ok || !plain {
		return k.member(callee)
	}
	name, word, ok := dotted(member)
	if !ok {
		return k.member(callee)
	}
	var w Window
	switch word {
	case "during":
		w.During = true
	case anchorNames[AtStart]:
		w.At = AtStart
	case anchorNames[AtEnd]:
		w.At = AtEnd
	default:
		k.faultAt(callee, fmt.Sprintf("`%s.%s()` is answered: nothing more can be asked of it", name, word), "compare it, or write another term beside it")
		return nil, broken
	}
	switch {
	case len(inner.Arguments) > 0:
		hint := fmt.Sprintf("write `%s()`", word)
		if w.At != AtNow {
			hint = fmt.Sprintf("the window goes into the question, as in `%s.%s().last('24h')`", name, word)
		}
		k.fault(inner.Arguments[0], fmt.Sprintf("`%s` takes nothing: it is of the period itself", word), hint)
		return nil, broken
	case w.At != AtNow && k.where != nil:
		k.faultAt(callee, fmt.Sprintf("`%s()` is for a rule with `for_each`: a `where` asks as of the fact's own time", word), fmt.Sprintf("write `%s.%s(…)`", name, property.Value))
		return nil, broken
	case k.where == nil && k.c.now.each == nil:
		k.faultAt(callee, fmt.Sprintf("`%s()` is of a period, and the rule holds for the patient", word), "write `for_each: input` beside `when`, or make an input with it and ask that")
		return nil, broken
	}
	return k.inputTerm(n, callee, name, property.Value, w, at)
}

func (k *checker) inputTerm(n *ast.CallNode, callee *ast.MemberNode, name, word string, of Window, at place) (Expr, typ) {
	input := k.asked(name, func(problem, hint string) { k.fault(n, problem, hint) })
	op, ok := opOf(word, false)
	if !ok {
		k.faultAt(callee, fmt.Sprintf("unknown question %q", word), didYouMeanOr(word, opNamesOf(false), "there are"))
		return nil, broken
	}
	input, n, ok = k.filter(n, input)
	if !ok {
		return nil, broken
	}
	arg, rest, ok := k.argument(n, op)
	if !ok {
		return nil, broken
	}
	window, ok := k.window(rest, op, of)
	if !ok || input == nil {
		return nil, broken
	}
	if op.numeric() && input.Type != clinical.Number {
		k.faultAt(callee, fmt.Sprintf("`%s` is for numbers, and the values of %q are %s", word, name, valueWords[input.Type]),
			"ask exists, count, last, first, or about the time")
		return nil, broken
	}
	if op.Elapsed() && !k.mayElapse(callee, word, fmt.Sprintf("%s.%s()", name, word), at) {
		return nil, broken
	}
	return &TermRef{k.term(input, op, window, arg)}, op.yields(input.Type)
}

// mayElapse reports whether a term of elapsed time may stand here, and the fault where it may not.
func (k *checker) mayElapse(n ast.Node, word, written string, at place) bool {
	if at == compared && k.c.now.still == 0 || k.shown || k.where != nil {
		return true
	}
	k.faultAt(n, fmt.Sprintf("`%s` may only be one side of a comparison that is a condition of its own", word),
		fmt.Sprintf("write it as `%s >= 6`, or `(%s ?? 1000) >= 6`, joined to the rest by and, or, not", written, written))
	return false
}

var valueWords = [...]string{clinical.Number: "numbers", clinical.Coded: "codes", clinical.Boolean: "booleans", clinical.Text: "texts"}

// window reads the argument of a term.
func (k *checker) window(n *ast.CallNode, op Op, of Window) (Window, bool) {
	switch {
	case op == Overlaps && k.where == nil && k.c.now.each == nil:
		k.fault(n, "`overlaps` is of a period, and the rule holds for the patient", "write `for_each: input` beside `when`, or make an input with it and ask that; or ask both inputs `active()`")
		return Window{}, false
	case of.During && (!op.windowed() || op.Elapsed() && k.where != nil):
		k.fault(n, fmt.Sprintf("`%s` cannot be asked of a period", op), "ask exists, count, or about values or times")
		return Window{}, false
	case of.At != AtNow && (op == Overlaps || op.Elapsed()):
		k.fault(n, fmt.Sprintf("`%s` cannot be asked as of the start or the end of a period", op), "ask exists with a window, or about values or times")
		return Window{}, false
	case of.During && len(n.Arguments) > 0:
		k.fault(n.Arguments[0], "after `during()` there is no window: the period is the window", fmt.Sprintf("write `during().%s()`", op))
		return Window{}, false
	case of.During:
		return of, true
	case len(n.Arguments) == 0:
		return Window{All: true, At: of.At}, true
	case !op.windowed():
		k.fault(n.Arguments[0], fmt.Sprintf("`%s` takes no window: it asks about now", op), fmt.Sprintf("write `%s()`", op))
		return Window{}, false
	}
	if name, ok := n.Arguments[0].(*ast.IdentifierNode); ok && len(n.Arguments) == 1 && k.pack.constants[name.Value] != nil {
		w, ok := k.namedWindow(name)
		w.At = of.At
		return w, ok && k.suits(w, name, op)
	}
	s, ok := n.Arguments[0].(*ast.StringNode)
	switch {
	case !ok && conditional(n.Arguments[0]):
		k.fault(n.Arguments[0], "a condition that picks the facts comes last", fmt.Sprintf("as in `%s('48h', value > 5)`", op))
		return Window{}, false
	case !ok:
		k.fault(n.Arguments[0], "a window is a text", "write it in quotes, as in '48h' or '365d..8d'")
		return Window{}, false
	case len(n.Arguments) > 1:
		hint := "both ends go in one text, as in '365d..8d'"
		if op == DurationAbove || op == DurationBelow {
			hint += "; how long a value stands at most is said by '" + carryWord + "4h'"
		}
		k.fault(n.Arguments[1], fmt.Sprintf("`%s` takes one window", op), hint)
		return Window{}, false
	}
	w, c := parseWindow(s.Value)
	if c != nil {
		k.faultAt(s, c.problem, c.hint)
		return Window{}, false
	}
	w.At = of.At
	return w, k.suits(w, s, op)
}

// suits reports whether the question may have such a window where it stands.
func (k *checker) suits(w Window, at ast.Node, op Op) bool {
	switch {
	case w.Ahead() && k.where == nil && w.At == AtNow:
		k.faultAt(at, "a rule is asked about now: nothing is known of what comes after", "in an input's `where`, 'after 5m' is the five minutes after the fact")
		return false
	case w.Day != NoDay && w.At != AtNow:
		k.faultAt(at, fmt.Sprintf("`%s()` counts a length of time, and '%s' is a day", w.At, w), "to ask what was of that day compare the times: `same_day(start, glucose.last_time())`")
		return false
	case w.Day == LastDay && op == Active:
		k.faultAt(at, "the last day is that of the latest fact, and what is active may have begun long before", "give a length of time, as in `active('24h')`")
		return false
	case w.Ahead() && op.Elapsed():
		k.faultAt(at, fmt.Sprintf("`%s` looks back, and this window ahead", op), "ask exists or count")
		return false
	}
	return true
}
