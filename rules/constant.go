package rules

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/expr-lang/expr/ast"

	"github.com/vigil-cds/vigil/internal/clinical"
)

// Constant is a value that a pack has given a name, or one of its parameters. It means what a Literal of
// its Value does.
type Constant struct {
	Name      string
	Value     Value
	Parameter *Parameter // nil of a plain constant
}

func (e *Constant) String() string { return e.Name }

// constant is what stands under `constants:` or `parameters:` as written.
type constant struct {
	name      string
	value     Value
	list      []Value // of a list of constants
	parameter *Parameter
}

// ownName reports whether a key may name a thing besides an input: they share one space of names.
func (r reader) ownName(p *pack, what string, key *node) bool {
	name := key.text
	fault := func(problem, hint string) bool {
		r.add(key.at(), problem, hint)
		return false
	}
	attribute := clinical.AttributeNamed(name) != nil
	switch {
	case attribute:
		return fault(fmt.Sprintf("%s cannot be called %q: that is a property of facts in `where`", what, name), "choose another name")
	case reserved[name]:
		return fault(fmt.Sprintf("%s cannot be called %q: expressions use the word themselves", what, name), "choose another name")
	case !inputPattern.MatchString(name):
		return fault(fmt.Sprintf("the name %q is not small letters, digits and underscores after a letter", name), "as in `potassium_limit`")
	case p.inputs[name] != nil:
		return fault(fmt.Sprintf("the name %q is taken by an input of the pack", name), "choose another name")
	case p.constants[name] != nil:
		return fault(fmt.Sprintf("the name %q is taken by a constant or parameter of the pack", name), "choose another name")
	case p.scores[name] != nil:
		return fault(fmt.Sprintf("the name %q is taken by a score of the pack", name), "choose another name")
	}
	return true
}

// constants reads the constants of a pack: a number, a text, true or false, or a list of numbers or texts.
func (r reader) constants(p *pack, n *node) {
	if n == nil || !r.is(n, mapping, "constants") {
		return
	}
	for _, v := range n.pairs {
		if !r.ownName(p, "a constant", v.key) {
			continue
		}
		c := &constant{name: v.key.text}
		what := "the constant " + strconv.Quote(c.name)
		switch v.value.shape {
		case scalar:
			c.value = scalarValue(v.value)
		case list:
			for _, item := range v.value.items {
				if !r.is(item, scalar, "an item of "+what) {
					continue
				}
				x := scalarValue(item)
				if len(c.list) > 0 && c.list[0].Kind != x.Kind {
					r.add(item.at(), what+" lists values of more than one type", "a number in quotes is a text")
					continue
				}
				c.list = append(c.list, x)
			}
			if len(v.value.items) == 0 {
				r.add(v.value.at(), what+" lists nothing", "list at least one value")
			}
			if len(c.list) == 0 {
				continue
			}
		default:
			r.add(v.value.at(), what+" has no value", "write a number, a text, a length of time or a list of them")
			continue
		}
		p.constants[c.name] = c
	}
}

// scalarValue reads a number, a boolean or, of anything else and of all that stands in quotes, a text.
func scalarValue(n *node) Value {
	text := strings.TrimSpace(n.text)
	if n.style == plain {
		if x, ok := finiteNumber(text); ok {
			return NumberOf(x)
		}
		if text == "true" || text == "false" {
			return BoolOf(text == "true")
		}
	}
	return TextOf(n.text)
}

// constantNames are the names of a pack's constants, parameters and scores, for hints.
func (p *pack) constantNames() []string {
	var names []string
	for name := range p.constants {
		names = append(names, name)
	}
	for name := range p.scores {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// constantOf is the value of an expression that is one whatever the patient.
func constantOf(e Expr) (Value, bool) {
	switch e := e.(type) {
	case *Literal:
		return e.Value, true
	case *Constant:
		return e.Value, true
	}
	return Value{}, false
}

// typeOf is the type of a value that is not missing.
func typeOf(v Value) typ {
	return [...]typ{Missing: broken, Number: number, Boolean: boolean, Text: text, Time: instant}[v.Kind]
}

// named is a constant, parameter or score where an expression names one.
func (k *checker) named(n *ast.IdentifierNode) (e Expr, t typ, known bool) {
	if own := k.c.now.own; n.Value == ownScore && own != nil && own.pack == k.pack {
		e, t = k.scored(n, own)
		return e, t, true
	}
	if s := k.pack.scores[n.Value]; s != nil {
		e, t = k.scored(n, s)
		return e, t, true
	}
	c := k.pack.constants[n.Value]
	switch {
	case n.Value == ownScore:
		k.fault(n, "the rule has no `score:`", "list its items under `score:`, or name one of the pack's scores")
		return nil, broken, true
	case c == nil:
		return nil, broken, false
	case c.list != nil:
		k.fault(n, fmt.Sprintf("%q is a list", c.name), fmt.Sprintf("a list stands after `in`, as in `patient.sex in %s`", c.name))
		return nil, broken, true
	case c.parameter != nil && c.parameter.Type == DurationParameter:
		k.fault(n, fmt.Sprintf("%q is a length of time", c.name), fmt.Sprintf("it stands where a window does, as in `potassium.last(%s)`", c.name))
		return nil, broken, true
	}
	k.c.use(c.parameter)
	return &Constant{Name: c.name, Value: c.value, Parameter: c.parameter}, typeOf(c.value), true
}

// namedWindow is the window that a constant or parameter gives.
func (k *checker) namedWindow(n *ast.IdentifierNode) (Window, bool) {
	c := k.pack.constants[n.Value]
	k.c.use(c.parameter)
	switch {
	case c.parameter != nil && c.parameter.Type == DurationParameter:
		return c.parameter.window, true
	case c.value.Kind != Text:
		k.fault(n, fmt.Sprintf("%q is not a length of time", c.name), "a window is one, as in 48h or 365d..8d")
		return Window{}, false
	}
	w, fault := parseWindow(c.value.Str)
	if fault != nil {
		k.fault(n, fmt.Sprintf("in the constant %q: %s", c.name, fault.problem), fault.hint)
		return Window{}, false
	}
	return w, true
}

// nameHint helps whoever wrote a name that the pack does not have.
func (p *pack) nameHint(name string) string {
	if near := didYouMean(name, p.constantNames()); near != "" {
		return near
	}
	return p.inputHint(name)
}

// inList is `x in names`, where names is a list among the constants.
func (k *checker) inList(n *ast.BinaryNode, x Expr, t typ, c *constant) (Expr, typ) {
	want := t
	if t == codings {
		want = text
	}
	if t == broken {
		return nil, broken
	}
	if of := typeOf(c.list[0]); of != want {
		k.fault(n.Right, fmt.Sprintf("%q lists %s, and what is looked for is %s", c.name, of.many(), t), "")
		return nil, broken
	}
	values := slices.Clone(c.list)
	for i := range values {
		if t == codings {
			values[i] = codeText(values[i])
		}
	}
	return &In{X: x, List: values}, boolean
}

func (t typ) many() string {
	return [...]string{"", "numbers", "conditions", "texts", "times", "coded properties"}[t]
}
