package rules

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/rules/schema"
)

// lookup finds an input of the pack by name: the Input is nil when it is there but has faults.
func (c *compiler) lookup(p *pack, name string) (*Input, bool) {
	in := p.inputs[name]
	if in == nil {
		return nil, false
	}
	in.asked = true
	c.resolve(in)
	c.now.chain = max(c.now.chain, in.chain)
	c.use(in.used...)
	return in.input, true
}

// resolve makes the Input of what is written, its parents first.
func (c *compiler) resolve(in *inputSource) {
	if in.state != untouched {
		return
	}
	in.state = underway
	outer := c.within("input " + in.name)
	defer func() { in.state, in.used = settled, c.leave(outer) }()
	var made *Input
	if in.from != nil {
		made = c.derived(in)
	} else {
		made = c.plainInput(in)
	}
	if made == nil {
		return
	}
	made.Pack, made.Name = in.pack.name, in.name
	if !c.during(in, made) {
		return
	}
	if in.where != nil {
		where, ok := c.where(in, made)
		if !ok {
			return
		}
		made.Where = append(where, made.Where...)
	}
	in.chain = c.now.chain + 1
	switch {
	case in.chain > MaxChain:
		c.add(in.at, fmt.Sprintf("more than %d inputs are made from each other in a chain that ends in %q", MaxChain, in.name), "make it from the facts themselves")
		return
	case len(made.Where) > MaxConditions:
		c.add(in.at, fmt.Sprintf("a fact must meet %d conditions to belong to the input %q, more than %d", len(made.Where), in.name, MaxConditions),
			"join them by `and`, or make it from fewer others")
		return
	case len(made.Terms) > MaxTerms:
		c.add(in.at, fmt.Sprintf("the input %q asks %d different questions, more than %d", in.name, len(made.Terms), MaxTerms), "split it")
		return
	}
	in.input = c.share(made)
}

// derived starts from a copy of what the parent is.
func (c *compiler) derived(in *inputSource) *Input {
	r := reader{&c.report}
	name := r.word(in.from, "from")
	if name == "" {
		return nil
	}
	parent := in.pack.inputs[name]
	switch {
	case parent == nil:
		c.add(in.from.at(), fmt.Sprintf("unknown input %q", name), in.pack.inputHint(name))
		return nil
	case parent.state == underway:
		c.add(in.from.at(), fmt.Sprintf("the input %q is made from itself", in.name), "break the circle of `from`")
		return nil
	}
	parent.asked = true
	if c.resolve(parent); parent.input == nil {
		return nil
	}
	c.now.chain = max(c.now.chain, parent.chain)
	c.use(parent.used...)
	return parent.input.made()
}

// valueTypes are what `value:` can say.
var valueTypes = map[string]clinical.ValueType{"number": clinical.Number, "code": clinical.Coded, "boolean": clinical.Boolean, "text": clinical.Text}

func (c *compiler) plainInput(in *inputSource) *Input {
	r := reader{&c.report}
	out := &Input{Kind: in.kind, Type: clinical.Number}
	if in.value != nil {
		word := r.word(in.value, "value")
		t, known := valueTypes[word]
		if !known {
			if word != "" {
				c.add(in.value.at(), fmt.Sprintf("unknown type of value %q", word), didYouMeanOr(word, []string{"number", "code", "boolean", "text"}, "write one of"))
			}
			return nil
		}
		out.Type = t
	}
	fine := c.unit(in, out)
	every := in.codes.shape == scalar && in.codes.text == "any"
	if !every {
		codes, sets := c.codesOf(in)
		out.ValueSets = sets
		fine = fine && len(codes) > 0
		out.Codes = make(map[clinical.Code]struct{}, len(codes))
		for _, code := range codes {
			out.Codes[code] = struct{}{}
		}
	}
	if !fine {
		return nil
	}
	return out
}

// codesOf reads a list of codes, or finds the value sets named and adds up their codes and those listed beside
// them. There are none after a fault.
func (c *compiler) codesOf(in *inputSource) ([]clinical.Code, []*ValueSet) {
	r := reader{&c.report}
	what := "the input " + strconv.Quote(in.name)
	if in.codes.shape != mapping {
		return r.codes(in.codes, what), nil
	}
	keys := r.keys(in.codes, "the filter of "+what, schema.Filter.Names()...)
	n := keys["valueset"]
	if n == nil {
		switch {
		case len(in.codes.pairs) == 0:
			c.add(in.codes.at(), what+" lists no codes", "write a list of codes, `{valueset: name}`, or `any`")
		case keys["codes"] != nil:
			c.add(in.codes.at(), "the filter of "+what+" names no value set", "codes alone are written as a list, without `codes:`")
		}
		return nil, nil
	}
	named := []*node{n}
	if n.shape == list {
		if named = n.items; len(named) == 0 {
			c.add(n.at(), "`valueset` names no value set", "name at least one, or list the codes themselves")
		}
	}
	fine := len(named) > 0
	var sets []*ValueSet
	var codes []clinical.Code
	for _, item := range named {
		name := r.word(item, "valueset")
		if name == "" {
			fine = false
			continue
		}
		set := c.valueSet(in.pack, name, item.at(), in.pack.name+"/"+in.name)
		if fine = fine && set != nil; set != nil {
			sets, codes = append(sets, set), append(codes, set.Codes...)
		}
	}
	if listed := keys["codes"]; listed != nil {
		more := r.codes(listed, what)
		fine, codes = fine && len(more) > 0, append(codes, more...)
	}
	if !fine {
		return nil, nil
	}
	return codes, sets
}

func (c *compiler) where(in *inputSource, of *Input) ([]Expr, bool) {
	items := []*node{in.where}
	if in.where.shape == list {
		items = in.where.items
		if len(items) == 0 {
			c.add(in.where.at(), "`where` lists no conditions", "list at least one, or drop it")
			return nil, false
		}
	}
	r := reader{&c.report}
	var out []Expr
	for _, item := range items {
		if !r.is(item, scalar, "where") {
			continue
		}
		e := (&checker{c: c, pack: in.pack, source: item, where: of}).expression()
		if e == nil {
			continue
		}
		if _, ok := lower(e); !ok {
			c.add(item.at(), "the expression is nested too deeply", "split it into two conditions")
			continue
		}
		out = append(out, e)
	}
	return out, len(out) == len(items)
}

// share is the one Input of this name that takes the same facts, whichever pack declares it. The name
// belongs to what is shared, since answers show it: a rule's values bear the names that its author gave.
func (c *compiler) share(made *Input) *Input {
	var key strings.Builder
	fmt.Fprintf(&key, "%s %q %d %d %q %q %t", made.Name, made.Filter, made.Kind, made.Type, made.Unit, made.Substance, made.Codes == nil)
	codes := make([]string, 0, len(made.Codes))
	for code := range made.Codes {
		codes = append(codes, string(code))
	}
	slices.Sort(codes)
	for _, code := range codes {
		fmt.Fprintf(&key, " %q", code)
	}
	for _, e := range made.Where {
		key.WriteString(" where " + exactly(e, (*Term).question))
	}
	if shared := c.inputKeys[key.String()]; shared != nil {
		return shared
	}
	made.ID = len(c.inputs)
	made.compile()
	c.inputs = append(c.inputs, made)
	c.inputKeys[key.String()] = made
	return made
}
