package rules

import (
	"errors"
	"fmt"
	"strings"

	"github.com/expr-lang/expr/ast"
	"github.com/expr-lang/expr/conf"
	"github.com/expr-lang/expr/file"
	"github.com/expr-lang/expr/parser"

	"github.com/vigil-cds/vigil/internal/clinical"
)

// typ is the type of an expression while it is checked.
type typ uint8

const (
	broken typ = iota // has a fault already, and takes part in no other
	number
	boolean
	text
	instant
	codings // a coded property of a fact
	length  // of time, of a fact
)

var typNames = [...]string{"", "a number", "a condition", "a text", "a time", "a coded property", "a length of time"}

func (t typ) String() string { return typNames[t] }

// place says where in an expression a part stands, which decides whether it may ask for elapsed time.
type place uint8

const (
	condition place = iota // the whole, or a side of and, or, not
	compared               // a side of a comparison that is itself a condition
	inside                 // anywhere else
)

// valueName is what a `where` calls the fact's own value.
const valueName = clinical.AttrValue

// checker turns one parsed expression into an Expr and reports all that is wrong with it.
type checker struct {
	c      *compiler
	pack   *pack
	source *node // where the expression is written
	base   int   // where in the source's text it begins, in characters
	where  *Input
	shown  bool // in a message, where elapsed time is shown, not compared
}

// expression parses and checks the whole text of source as a condition. It returns nil after a fault.
func (k *checker) expression() Expr {
	faults := len(k.c.faults)
	tree := k.parse(k.source.text)
	if tree == nil {
		return nil
	}
	e, t := k.check(tree, condition)
	if t != broken && t != boolean {
		hint := "compare it with something, as in `… > 5`"
		switch t {
		case codings:
			hint = fmt.Sprintf("compare it with a text, as in `%s == '…'`", e)
		case length:
			hint = fmt.Sprintf("compare it with a length of time in quotes, as in `%s > '24h'`", e)
		}
		k.fault(tree, fmt.Sprintf("this is %s, not a condition", t), hint)
	}
	if len(k.c.faults) > faults {
		return nil
	}
	return e
}

// parse reads text; nil after a fault.
func (k *checker) parse(text string) ast.Node {
	switch {
	case strings.TrimSpace(text) == "":
		k.c.add(k.source.at(), "the expression is empty", "write a condition, as in `potassium.last('24h') > 6`")
		return nil
	case len(text) > MaxExpression:
		k.c.add(k.source.at(), fmt.Sprintf("the expression is longer than %d bytes", MaxExpression), "split the rule, or use all, any and at_least")
		return nil
	}
	tree, err := parser.ParseWithConfig(text, &conf.Config{MaxNodes: MaxNodes})
	if err == nil {
		return tree.Node
	}
	offset, problem := 0, err.Error()
	var syntax *file.Error
	if errors.As(err, &syntax) {
		offset, problem = syntax.From, syntax.Message
	}
	problem, hint := explainSyntax(problem, text, offset)
	if k.shown {
		hint = "`{{ }}` holds one term: write each in {{ }} of its own"
	}
	k.c.add(k.source.within(k.base+offset), problem, hint)
	return nil
}

func (k *checker) fault(n ast.Node, problem, hint string) {
	k.c.add(k.source.within(k.base+start(n)), problem, hint)
}

// faultAt reports at the node itself rather than at its leftmost part.
func (k *checker) faultAt(n ast.Node, problem, hint string) {
	k.c.add(k.source.within(k.base+n.Location().From), problem, hint)
}

// start is the offset of the leftmost part of n.
func start(n ast.Node) int {
	switch n := n.(type) {
	case *ast.BinaryNode:
		return start(n.Left)
	case *ast.ConditionalNode:
		return start(n.Cond)
	case *ast.MemberNode:
		return start(n.Node)
	case *ast.CallNode:
		return start(n.Callee)
	case *ast.ChainNode:
		return start(n.Node)
	case *ast.SliceNode:
		return start(n.Node)
	case *ast.VariableDeclaratorNode:
		return max(n.Location().From-len("let "), 0)
	}
	return n.Location().From
}

// check turns one node and all below it into an Expr of a type; broken after a fault.
func (k *checker) check(n ast.Node, at place) (Expr, typ) {
	e, t := k.node(n, at)
	if k.c.places != nil && e != nil {
		k.c.places.note(e, k.source.within(k.base+start(n)))
	}
	return e, t
}

func (k *checker) node(n ast.Node, at place) (Expr, typ) {
	switch n := n.(type) {
	case *ast.IntegerNode:
		return &Literal{NumberOf(float64(n.Value))}, number
	case *ast.FloatNode:
		return &Literal{NumberOf(n.Value)}, number
	case *ast.BoolNode:
		return &Literal{BoolOf(n.Value)}, boolean
	case *ast.StringNode:
		return &Literal{TextOf(n.Value)}, text
	case *ast.UnaryNode:
		return k.unary(n, at)
	case *ast.BinaryNode:
		return k.binary(n, at)
	case *ast.ConditionalNode:
		return k.conditional(n)
	case *ast.IdentifierNode:
		return k.identifier(n, at)
	case *ast.MemberNode:
		return k.member(n)
	case *ast.CallNode:
		return k.call(n, at)
	}
	problem, hint := refusal(n)
	k.fault(n, problem, hint)
	return nil, broken
}

func (k *checker) unary(n *ast.UnaryNode, at place) (Expr, typ) {
	switch n.Operator {
	case "not", "!":
		within := inside
		if at == condition {
			within = condition
		}
		x, t := k.check(n.Node, within)
		if t != boolean {
			return k.mismatch(n, t, fmt.Sprintf("`not` is said of a condition, and this is %s", t),
				"`not` binds tighter than a comparison: put the whole of it in brackets, as in `not (a > b)`")
		}
		return &Unary{"not", x}, boolean
	case "-":
		x, t := k.check(n.Node, inside)
		if t != number {
			return k.mismatch(n, t, fmt.Sprintf("the minus sign is for a number, and this is %s", t), "")
		}
		if l, ok := x.(*Literal); ok {
			return &Literal{NumberOf(-l.Value.Num)}, number
		}
		return &Unary{"-", x}, number
	}
	k.fault(n, fmt.Sprintf("%q in front of a number means nothing", n.Operator), "drop it")
	return nil, broken
}

// mismatch reports a fault of types unless a part was broken before.
func (k *checker) mismatch(n ast.Node, t typ, problem, hint string) (Expr, typ) {
	if t != broken {
		k.fault(n, problem, hint)
	}
	return nil, broken
}

func (k *checker) binary(n *ast.BinaryNode, at place) (Expr, typ) {
	if chained(n) {
		k.fault(n, "a chain of comparisons does not say what it means", "write both, joined by `and`: `1 < x and x < 3`")
		return nil, broken
	}
	switch op := n.Operator; op {
	case "and", "&&":
		return k.connective("and", n, at)
	case "or", "||":
		return k.connective("or", n, at)
	case "==", "!=", "<", "<=", ">", ">=":
		return k.comparison(n, at)
	case "+", "-", "*", "/":
		return k.arithmetic(n)
	case "??":
		return k.fallback(n, at)
	case "in":
		return k.in(n)
	default:
		k.faultAt(n, fmt.Sprintf("the operator `%s` is not part of the language", op), operatorHints[op])
		return nil, broken
	}
}

// chained recognises the parser's reading of `a < b < c`: two comparisons joined by an and that share
// their middle.
func chained(n *ast.BinaryNode) bool {
	right, ok := n.Right.(*ast.BinaryNode)
	if !ok || n.Operator != "&&" {
		return false
	}
	left, ok := n.Left.(*ast.BinaryNode)
	if ok && left.Operator == "&&" {
		left, ok = left.Right.(*ast.BinaryNode)
	}
	return ok && left.Right == right.Left
}

func (k *checker) connective(op string, n *ast.BinaryNode, at place) (Expr, typ) {
	within := inside
	if at == condition {
		within = condition
	}
	x, tx := k.check(n.Left, within)
	y, ty := k.check(n.Right, within)
	fine := true
	for _, side := range []struct {
		n ast.Node
		t typ
	}{{n.Left, tx}, {n.Right, ty}} {
		if side.t != boolean {
			k.mismatch(side.n, side.t, fmt.Sprintf("`%s` joins conditions, and this is %s", op, side.t), "compare it with something, as in `… > 5`")
			fine = false
		}
	}
	if !fine {
		return nil, broken
	}
	return &Binary{op, x, y}, boolean
}

func (k *checker) arithmetic(n *ast.BinaryNode) (Expr, typ) {
	x, tx := k.check(n.Left, inside)
	y, ty := k.check(n.Right, inside)
	if tx == broken || ty == broken {
		return nil, broken
	}
	for _, t := range []typ{tx, ty} {
		if t == number {
			continue
		}
		hint := ""
		switch {
		case k.where != nil && (t == instant || t == length):
			hint = "compare `length` (from start to end) or `lag` (from start to authored) with a length of time, as in `lag > '24h'`"
		case t == instant:
			hint = "times can be compared with each other; for the time since a fact use hours_since() or days_since()"
		}
		k.fault(n, fmt.Sprintf("`%s` is for numbers, and here is %s", n.Operator, t), hint)
		return nil, broken
	}
	if (n.Operator == "+" || n.Operator == "-") && k.mixed(n, x, y) {
		return nil, broken
	}
	return &Binary{n.Operator, x, y}, number
}

func (k *checker) fallback(n *ast.BinaryNode, at place) (Expr, typ) {
	within := inside
	if at == compared {
		within = compared
	}
	x, tx := k.check(n.Left, within)
	y, ty := k.check(n.Right, inside)
	x, tx, y, ty = k.lengths(n, x, tx, y, ty)
	switch {
	case tx == broken || ty == broken:
		return nil, broken
	case tx == codings || ty == codings:
		k.fault(n, "`??` cannot stand beside a coded property", "compare first: `(status == 'final') ?? true`")
		return nil, broken
	case tx != ty:
		k.fault(n, fmt.Sprintf("`??` needs the same on both sides, and here are %s and %s", tx, ty), "")
		return nil, broken
	}
	return &Binary{"??", x, y}, tx
}

func (k *checker) conditional(n *ast.ConditionalNode) (Expr, typ) {
	if !n.Ternary {
		k.fault(n, "`if` is not part of the language", "write `condition ? this : that`")
		return nil, broken
	}
	c, tc := k.check(n.Cond, inside)
	x, tx := k.check(n.Exp1, inside)
	y, ty := k.check(n.Exp2, inside)
	switch {
	case tc == broken || tx == broken || ty == broken:
		return nil, broken
	case tc != boolean:
		k.fault(n.Cond, fmt.Sprintf("before the `?` stands a condition, and this is %s", tc), "compare it with something, as in `… > 5`")
		return nil, broken
	case tx == codings || ty == codings:
		k.fault(n, "a coded property cannot be chosen", "compare it with a text first")
		return nil, broken
	case tx != ty:
		k.fault(n, fmt.Sprintf("both branches must be the same, and here are %s and %s", tx, ty), "")
		return nil, broken
	}
	return &Conditional{c, x, y}, tx
}

func (k *checker) in(n *ast.BinaryNode) (Expr, typ) {
	x, tx := k.check(n.Left, inside)
	if set, ok := callOf(n.Right, setName); ok {
		return k.inSet(n, set, x, tx)
	}
	if name, ok := n.Right.(*ast.IdentifierNode); ok {
		if c := k.pack.constants[name.Value]; c != nil && c.list != nil {
			return k.inList(n, x, tx, c)
		}
	}
	list, ok := n.Right.(*ast.ArrayNode)
	if !ok || len(list.Nodes) == 0 {
		k.fault(n.Right, "`in` is followed by a list of constants", "write it out, as in `status in ['active', 'completed']`")
		return nil, broken
	}
	want := tx
	if tx == codings {
		want = text
	}
	values := make([]Value, 0, len(list.Nodes))
	for _, item := range list.Nodes {
		e, t := k.check(item, inside)
		if t == broken || tx == broken {
			tx = broken
			continue
		}
		l, ok := e.(*Literal)
		switch {
		case !ok:
			k.fault(item, "the list after `in` holds constants only", "compare with `==` and join with `or`")
			tx = broken
			continue
		case t != want:
			k.fault(item, fmt.Sprintf("%s cannot be among what is compared with %s", t, tx), "")
			tx = broken
			continue
		}
		if tx == codings {
			l.Value = codeText(l.Value)
		}
		values = append(values, l.Value)
	}
	if tx == broken {
		return nil, broken
	}
	return &In{X: x, List: values}, boolean
}
