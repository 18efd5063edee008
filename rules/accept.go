package rules

import (
	"slices"

	"github.com/vigil-cds/vigil/internal/clinical"
)

// accept is what an input compiles to: its unit and its conditions.
type accept struct {
	unit       *unitOf // nil: numbers as they are
	conditions []code  // of those that look at the fact alone
	related    []code  // of those that ask the input's Terms
	negated    bool    // `where` asks about it, so that nothing is excluded unasked
	absent     bool    // likewise
	number     bool    // `where` asks about the value
}

// compile derives what the conditions say about the exclusions.
func (in *Input) compile() {
	a := &in.accept
	a.conditions, a.related = nil, nil
	alone, related := in.split()
	for _, e := range alone {
		c, _ := lower(e)
		a.conditions = append(a.conditions, c)
	}
	for _, e := range related {
		c, _ := lower(e)
		a.related = append(a.related, c)
	}
	for _, e := range in.Where {
		a.negated = a.negated || asksFor(e, clinical.AttrNegated)
		a.absent = a.absent || asksFor(e, clinical.AttrAbsentReason)
		a.number = a.number || asksFor(e, valueName)
	}
}

// Accept says whether a fact of a matching stream, with this number and detail, belongs to the input,
// and what its value is there: in the input's unit, with its bound, and missing when the fact has no
// value of the input's type. The detail is not kept. Any number of goroutines may call it; it allocates
// only when it meets a unit for the first time.
//
// To a derived input belongs what lies in its own stream.
func (in *Input) Accept(number float64, d *clinical.Detail) (Value, bool) {
	if in.Derived() {
		convert, _ := in.conversion(d)
		return in.valueOf(number, d, convert)
	}
	return in.own(number, d)
}

// own is what the fact's own number and detail say.
func (in *Input) own(number float64, d *clinical.Detail) (Value, bool) {
	if in.excludes(d) {
		return Value{}, false
	}
	convert, ok := in.conversion(d)
	if !ok {
		return Value{}, false
	}
	v, ok := in.valueOf(number, d, convert)
	if !ok {
		return Value{}, false
	}
	if len(in.accept.conditions) > 0 && in.holds(v, d, convert) != True {
		return Value{}, false
	}
	return v, true
}

// Plain reports whether membership depends on the fact's detail alone, never on its number.
func (in *Input) Plain() bool {
	return in.Derived() || !in.accept.number || in.Type == clinical.Coded || in.Type == clinical.Text
}

// excludes says that the fact states that something is not so, or has no value, and the input did not ask.
func (in *Input) excludes(d *clinical.Detail) bool {
	if !in.accept.absent && d.Type == clinical.AbsentValue {
		return true
	}
	if in.accept.negated {
		return false
	}
	a := d.Attribute(clinical.AttrNegated)
	return a != nil && slices.Contains(a.Codes, "true")
}

// conversion leads from the fact's unit to the input's; false when the fact's number cannot be converted.
func (in *Input) conversion(d *clinical.Detail) (conversion, bool) {
	if in.accept.unit == nil || d.Type != clinical.Number {
		return conversion{ok: true, same: true}, true
	}
	c := in.accept.unit.from(d.Unit)
	return c, c.ok
}

func (in *Input) valueOf(number float64, d *clinical.Detail, convert conversion) (Value, bool) {
	if d.Type != in.Type {
		return Value{}, true
	}
	switch d.Type {
	case clinical.Number:
		x, ok := convert.apply(number)
		return Value{Kind: Number, Num: x, Bound: d.Comparator}, ok
	case clinical.Boolean:
		return BoolOf(number != 0), true
	case clinical.Text:
		return TextOf(d.Text), true
	case clinical.Coded:
		if len(d.Codes) > 0 {
			return TextOf(d.Codes[0].Value()), true
		}
	}
	return Value{}, true
}

// holds is the conjunction of the conditions.
func (in *Input) holds(v Value, d *clinical.Detail, convert conversion) Truth {
	fact := evidence{value: v, detail: d, convert: convert}
	all := True
	for i := range in.accept.conditions {
		all = And(all, in.accept.conditions[i].eval(nil, &fact).Truth())
		if all == False {
			break
		}
	}
	return all
}

// Unconvertible lists the inputs, ascending, that would take the fact if its number were in a unit that
// can be converted to theirs.
func (p *Program) Unconvertible(f *clinical.Fact) []int32 {
	var out []int32
	ids := append(p.Match(f.Stream), p.Candidates(f.Stream)...)
	slices.Sort(ids)
	for _, id := range ids {
		in := p.Inputs[id]
		if in.accept.unit == nil || f.Detail.Type != clinical.Number || in.excludes(f.Detail) {
			continue
		}
		c, _ := in.conversion(f.Detail)
		if _, ok := c.apply(f.Number); !ok && in.holds(Value{}, f.Detail, conversion{}) != False {
			out = append(out, id)
		}
	}
	return out
}
