package rules

import (
	"fmt"
	"strings"

	"github.com/expr-lang/expr/ast"

	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/internal/ucum"
)

// The functions of a `where`, besides those of its quantities, which are called by their unit: dose('mg').
const (
	hasName = "has"
	setName = "valueset"
)

// attribute is a property of the fact, by its bare name.
func (k *checker) attribute(n *ast.IdentifierNode) (Expr, typ) {
	info := k.known(n)
	if info == nil {
		return nil, broken
	}
	switch info.Type {
	case clinical.AttributeCodes:
		return &AttributeRef{Name: n.Value, Coded: true}, codings
	case clinical.AttributeText:
		return &AttributeRef{Name: n.Value}, text
	case clinical.AttributeTime:
		return &AttributeRef{Name: n.Value}, instant
	case clinical.AttributeLength:
		return &AttributeRef{Name: n.Value}, length
	case clinical.AttributeQuantity:
		k.fault(n, fmt.Sprintf("`%s` is a number in a unit, and this does not say in which", n.Value), quantityHint(n.Value))
		return nil, broken
	case clinical.AttributeValue:
		switch k.where.Type {
		case clinical.Coded:
			return &AttributeRef{Name: n.Value, Coded: true}, codings
		case clinical.Boolean:
			return &AttributeRef{Name: n.Value}, boolean
		case clinical.Text:
			return &AttributeRef{Name: n.Value}, text
		}
	}
	return &AttributeRef{Name: n.Value}, number
}

func quantityHint(name string) string {
	if name == clinical.AttrRate {
		return "write `rate('mL/h')`, with the unit it is compared in"
	}
	return fmt.Sprintf("write `%s('mg')`, with the unit it is compared in", name)
}

// known finds the attribute that a name means; nil after a fault, where there is none or none of this kind.
func (k *checker) known(n *ast.IdentifierNode) *clinical.AttributeInfo {
	info := clinical.AttributeNamed(n.Value)
	if info != nil && info.Of(k.where.Kind) {
		return info
	}
	if info == nil {
		var names []string
		for _, a := range clinical.Attributes() {
			if a.Of(k.where.Kind) {
				names = append(names, a.Name)
			}
		}
		k.fault(n, fmt.Sprintf("%s has no property %q", aKind(k.where.Kind), n.Value),
			didYouMeanOr(n.Value, names, fmt.Sprintf("a text goes in quotes, '%s'; the properties are", n.Value)))
		return nil
	}
	var kinds []string
	for kind := clinical.KindObservation; kind <= clinical.KindDevice; kind++ {
		if info.Of(kind) {
			kinds = append(kinds, kind.String())
		}
	}
	k.fault(n, fmt.Sprintf("%s never has the property %q", aKind(k.where.Kind), n.Value), "these kinds have it: "+strings.Join(kinds, ", "))
	return nil
}

// aKind is a fact of the kind in words: "an observation".
func aKind(k clinical.Kind) string {
	name := strings.ReplaceAll(k.String(), "_", " ")
	if strings.ContainsAny(name[:1], "aeio") {
		return "an " + name
	}
	return "a " + name
}

// function is has(reason), dose('mg') or rate('mL/h').
func (k *checker) function(n *ast.CallNode) (Expr, typ) {
	name, _ := n.Callee.(*ast.IdentifierNode)
	switch {
	case name == nil:
	case name.Value == hasName:
		return k.has(n)
	case name.Value == setName:
		k.fault(n, "`valueset` stands after `in`", "as in `reason in valueset('sepsis')`")
		return nil, broken
	default:
		if info := clinical.AttributeNamed(name.Value); info != nil {
			return k.quantity(n, name)
		}
	}
	k.fault(n, fmt.Sprintf("unknown function %q", n.Callee), "in `where` there are has(reason), dose('mg'), rate('mL/h') and `in valueset('name')`")
	return nil, broken
}

func (k *checker) has(n *ast.CallNode) (Expr, typ) {
	if len(n.Arguments) == 1 {
		if name, ok := n.Arguments[0].(*ast.IdentifierNode); ok {
			info := k.known(name)
			if info == nil {
				return nil, broken
			}
			coded := info.Type == clinical.AttributeCodes || info.Type == clinical.AttributeValue && k.where.Type == clinical.Coded
			return &Has{&AttributeRef{Name: name.Value, Coded: coded}}, boolean
		}
	}
	k.fault(n, "`has` asks whether the fact has one property", "name it without quotes, as in `has(reason)`")
	return nil, broken
}

// quantity is a number attribute in a unit.
func (k *checker) quantity(n *ast.CallNode, name *ast.IdentifierNode) (Expr, typ) {
	info := k.known(name)
	switch {
	case info == nil:
		return nil, broken
	case info.Type != clinical.AttributeQuantity:
		k.fault(n, fmt.Sprintf("`%s` has no brackets", name.Value), fmt.Sprintf("write `%s`", name.Value))
		return nil, broken
	}
	var code *ast.StringNode
	if len(n.Arguments) == 1 {
		code, _ = n.Arguments[0].(*ast.StringNode)
	}
	if code == nil {
		k.fault(n, fmt.Sprintf("`%s` is asked for in one unit, as a text", name.Value), quantityHint(name.Value))
		return nil, broken
	}
	unit, err := newUnit(code.Value, k.c.opts.Units)
	if err != nil {
		k.faultAt(code, fmt.Sprintf("unknown unit %q", code.Value), "units are written in UCUM, as in mg, mL/h, [iU]: "+err.Error())
		return nil, broken
	}
	if problem, hint := misplacedTime(name.Value, code.Value, unit.unit); problem != "" {
		k.faultAt(code, problem, hint)
		return nil, broken
	}
	return &AttributeRef{Name: name.Value, Unit: code.Value, unit: unit}, number
}

// misplacedTime says what is wrong with a rate in a unit that is not per time, and a dose in one that is.
// Radioactivity (Bq, Ci) has the dimension of something per time by itself, and energy that of something
// per time squared.
func misplacedTime(attribute, code string, unit ucum.Unit) (problem, hint string) {
	time := unit.TimeExponent()
	if strings.Contains(code, "Bq") || strings.Contains(code, "Ci") {
		time++
	}
	switch {
	case attribute == clinical.AttrRate && time >= 0:
		return fmt.Sprintf("%s is not a unit of a rate", code), fmt.Sprintf("a rate is so much per time, as in `rate('mL/h')`; how much was given at once is `dose('%s')`", code)
	case attribute == clinical.AttrDose && time == -1:
		return fmt.Sprintf("%s is not a unit of a dose", code), fmt.Sprintf("a dose is how much is given at once, as in `dose('mg')`; how much per time is `rate('%s')`", code)
	}
	return "", ""
}

// mixed reports two quantities side by side that are asked for in different units.
func (k *checker) mixed(n *ast.BinaryNode, x, y Expr) bool {
	a, ok := x.(*AttributeRef)
	b, both := y.(*AttributeRef)
	if !ok || !both || a.unit == nil || b.unit == nil || a.Unit == b.Unit {
		return false
	}
	if a.unit.unit.Commensurable(b.unit.unit) {
		k.fault(n, fmt.Sprintf("one side is in %s and the other in %s", a.Unit, b.Unit), "ask for both in the same unit")
	} else {
		k.fault(n, fmt.Sprintf("%s and %s do not measure the same thing", a.Unit, b.Unit), "")
	}
	return true
}

// lengths reads a text beside a length of time as one: `lag > '24h'`.
func (k *checker) lengths(n *ast.BinaryNode, x Expr, tx typ, y Expr, ty typ) (Expr, typ, Expr, typ) {
	switch {
	case tx == length && ty == text:
		y, ty = k.length(n.Right, y)
	case tx == text && ty == length:
		x, tx = k.length(n.Left, x)
	}
	return x, tx, y, ty
}

func (k *checker) length(n ast.Node, e Expr) (Expr, typ) {
	l, ok := e.(*Literal)
	if !ok {
		return e, text
	}
	d, c := parseDuration(l.Value.Str)
	switch {
	case c != nil:
		k.fault(n, c.problem, c.hint)
		return nil, broken
	case d.Months != 0:
		k.fault(n, fmt.Sprintf("'%s' is not always as long", l.Value.Str), "months and years differ in length: write weeks or days, as in '30d'")
		return nil, broken
	}
	return &Literal{LengthOf(d.Millis)}, length
}

// callOf is the argument list of a call of the function of this name.
func callOf(n ast.Node, name string) (*ast.CallNode, bool) {
	call, ok := n.(*ast.CallNode)
	if !ok {
		return nil, false
	}
	callee, ok := call.Callee.(*ast.IdentifierNode)
	return call, ok && callee.Value == name
}

// inSet is `reason in valueset('sepsis')`.
func (k *checker) inSet(n *ast.BinaryNode, call *ast.CallNode, x Expr, tx typ) (Expr, typ) {
	var name *ast.StringNode
	if len(call.Arguments) == 1 {
		name, _ = call.Arguments[0].(*ast.StringNode)
	}
	switch {
	case tx == broken:
		return nil, broken
	case tx != codings:
		k.fault(n, fmt.Sprintf("a value set holds codes, and this is %s", tx), "ask it of a coded property of the fact, in `where`, as in `reason in valueset('sepsis')`")
		return nil, broken
	case name == nil:
		k.fault(call, "`valueset` takes the name of one value set", "write it in quotes, as in `reason in valueset('sepsis')`")
		return nil, broken
	}
	set := k.c.valueSet(k.pack, name.Value, k.source.within(k.base+name.Location().From), k.where.Pack+"/"+k.where.Name)
	if set == nil {
		return nil, broken
	}
	return &In{X: x, Set: set, members: k.c.membersOf(set)}, boolean
}
