package explain

import (
	"cmp"
	"math"
	"slices"

	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/internal/ucum"
	"github.com/vigil-cds/vigil/rules"
)

// member is a fact that belongs to an input, with its value in the input's type and unit: missing when
// the fact carries no value of that type.
type member struct {
	Statement
	value rules.Value
}

// input is every fact of the input, whenever it was: in order of time, and of two at one instant the
// one stated later in the log is the later.
func (r *reading) input(id int) []member {
	if known, ok := r.members[id]; ok {
		return known
	}
	in := r.program.Inputs[id]
	var members []member
	for _, s := range r.history {
		if value, ok := belongs(r.program, in, s.Fact); ok {
			members = append(members, member{Statement: s, value: value})
		}
	}
	slices.SortFunc(members, func(x, y member) int {
		return cmp.Or(cmp.Compare(x.Fact.Time, y.Fact.Time), cmp.Compare(x.Order, y.Order))
	})
	r.members[id] = members
	return members
}

// belongs says whether the fact belongs to the input, and its value there.
func belongs(p *rules.Program, in *rules.Input, f clinical.Fact) (rules.Value, bool) {
	no := rules.Value{}
	d := detailOf(f)

	// Its kind is the input's, and at least one of its codings is one of the input's codes; an input
	// that lists no codes takes every code of its kind.
	if f.Stream.Kind != in.Kind {
		return no, false
	}
	listed := func(c clinical.Code) bool { _, ok := in.Codes[c]; return ok }
	if in.Codes != nil && !slices.ContainsFunc(f.Stream.Codes, listed) {
		return no, false
	}

	// It is not negated, and its value is not absent, unless `where` asks for that.
	if negated(d) && !asksFor(in.Where, clinical.AttrNegated) {
		return no, false
	}
	if d.Type == clinical.AbsentValue && !asksFor(in.Where, clinical.AttrAbsentReason) {
		return no, false
	}

	// A number that cannot be converted to the unit that a numeric input declares is not guessed.
	value, ok := valueIn(p, in, f, d)
	if !ok {
		return no, false
	}

	// Every condition is true of it; unknown is not enough.
	for _, condition := range in.Where {
		fact := scope{attribute: func(name string) property { return propertyOf(p, in, d, value, name) }}
		if evaluate(condition, fact).Truth() != rules.True {
			return no, false
		}
	}
	return value, true
}

// negated says that the fact states that something was not so, or not done.
func negated(d clinical.Detail) bool {
	a := d.Attribute(clinical.AttrNegated)
	return a != nil && slices.Contains(a.Codes, "true")
}

// valueIn is the fact's value as the input speaks of it, missing when the fact has none of the input's
// type. It is false where the fact carries a number that has no place in the input's unit.
func valueIn(p *rules.Program, in *rules.Input, f clinical.Fact, d clinical.Detail) (rules.Value, bool) {
	if in.Type != d.Type {
		return rules.Value{}, true
	}
	switch d.Type {
	case clinical.Number:
		number, ok := convert(f.Number, d.Unit, in.Unit, p.Units)
		if !ok {
			return rules.Value{}, false
		}
		return rules.Value{Kind: rules.Number, Bound: d.Comparator, Num: number}, true
	case clinical.Boolean:
		return rules.BoolOf(f.Number != 0), true
	case clinical.Text:
		return rules.TextOf(d.Text), true
	case clinical.Coded:
		if len(d.Codes) > 0 {
			return rules.TextOf(d.Codes[0].Value()), true
		}
	}
	return rules.Value{}, true
}

// convert takes a number to the input's unit. An input without a unit takes numbers as they are; with
// one, a number without a unit, or in a unit that does not convert, is refused. A site may spell units
// in ways of its own.
func convert(x float64, from, to string, site map[string]string) (float64, bool) {
	if to == "" {
		return x, true
	}
	if from == "" {
		return 0, false
	}
	source, err := ucum.ParseLoose(from, site)
	if err != nil {
		return 0, false
	}
	target, err := ucum.ParseLoose(to, site)
	if err != nil {
		return 0, false
	}
	conversion, err := ucum.Between(source, target)
	if err != nil {
		return 0, false
	}
	y := conversion.Apply(x)
	return y, !math.IsNaN(y) && !math.IsInf(y, 0)
}

// property is what `where` can name of a fact: one value, or the codings of a coded property, any of
// which may be meant. What the fact does not have is missing, and without codings.
type property struct {
	value rules.Value
	codes []clinical.Code
}

// propertyOf reads a property of a fact of the input: its value, or one of its attributes.
func propertyOf(p *rules.Program, in *rules.Input, d clinical.Detail, value rules.Value, name string) property {
	if name == "value" {
		if in.Type == clinical.Coded && d.Type == clinical.Coded {
			return property{codes: d.Codes}
		}
		return property{value: value}
	}
	a := d.Attribute(name)
	switch {
	case a == nil:
		return property{}
	case !a.Numeric:
		return property{codes: a.Codes}
	case name == clinical.AttrReferenceLow || name == clinical.AttrReferenceHigh:
		return property{value: limit(p, in, d, a.Number)}
	}
	return property{value: rules.NumberOf(a.Number)}
}

// limit is a reference limit of the fact. It is stated in the unit of the fact's number, and converted
// to the input's unit as that is.
func limit(p *rules.Program, in *rules.Input, d clinical.Detail, number float64) rules.Value {
	if in.Type != clinical.Number || d.Type != clinical.Number {
		return rules.NumberOf(number)
	}
	if converted, ok := convert(number, d.Unit, in.Unit, p.Units); ok {
		return rules.NumberOf(converted)
	}
	return rules.Value{}
}

// asksFor says whether any of the conditions names the attribute.
func asksFor(where []rules.Expr, name string) bool {
	asks := false
	for _, condition := range where {
		walk(condition, func(e rules.Expr) {
			a, ok := e.(*rules.AttributeRef)
			asks = asks || ok && a.Name == name
		})
	}
	return asks
}
