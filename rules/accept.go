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
	own        bool    // `where` asks about the fact's times or code, which its detail does not say
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
		for _, name := range []string{clinical.AttrCode, clinical.AttrStart, clinical.AttrEnd, clinical.AttrLength, clinical.AttrAuthored, clinical.AttrLag} {
			a.own = a.own || asksFor(e, name)
		}
	}
}

// Accept says whether a fact of a matching stream belongs to the input,
// and what its value is there: in the input's unit, with its bound, and missing when the fact has no
// value of the input's type. The fact is not kept. Any number of goroutines may call it; it allocates
// only when it meets a unit for the first time.
//
// To a derived input belongs what lies in its own stream.
func (in *Input) Accept(f *clinical.Fact) (Value, bool) {
	if in.Derived() {
		d := detailOf(f)
		convert, _ := in.conversion(d)
		return in.valueOf(f.Number, d, convert)
	}
	return in.own(f)
}

// nothing is the detail of a fact that says nothing besides when.
var nothing clinical.Detail

func detailOf(f *clinical.Fact) *clinical.Detail {
	if f.Detail == nil {
		return &nothing
	}
	return f.Detail
}

// own is what the fact itself says.
func (in *Input) own(f *clinical.Fact) (Value, bool) {
	d := detailOf(f)
	if in.excludes(d) {
		return Value{}, false
	}
	convert, ok := in.conversion(d)
	if !ok {
		return Value{}, false
	}
	v, ok := in.valueOf(f.Number, d, convert)
	if !ok {
		return Value{}, false
	}
	if len(in.accept.conditions) > 0 && in.holds(v, f, d, convert) != True {
		return Value{}, false
	}
	return v, true
}

// Plain reports whether membership depends on the fact's detail alone, never on its number, its times or
// its code.
func (in *Input) Plain() bool {
	if in.Derived() {
		return true
	}
	if in.accept.own {
		return false
	}
	return !in.accept.number || in.Type == clinical.Coded || in.Type == clinical.Text
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
func (in *Input) holds(v Value, f *clinical.Fact, d *clinical.Detail, convert conversion) Truth {
	fact := in.evidence(v, f, d, convert)
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
		if _, ok := c.apply(f.Number); !ok && in.holds(Value{}, f, f.Detail, conversion{}) != False {
			out = append(out, id)
		}
	}
	return out
}
