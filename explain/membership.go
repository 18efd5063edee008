package explain

import (
	"math"
	"slices"

	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/internal/ucum"
	"github.com/vigil-cds/vigil/rules"
)

// takes says whether the stream is one of the input's: its kind is the input's, and at least one of its
// codings is one of the input's codes; an input that lists no codes takes every code of its kind.
func takes(in *rules.Input, s clinical.Stream) bool {
	if s.Kind != in.Kind {
		return false
	}
	listed := func(c clinical.Code) bool { _, ok := in.Codes[c]; return ok }
	return in.Codes == nil || slices.ContainsFunc(s.Codes, listed)
}

// alone says whether the fact belongs to the input as far as it alone can tell, and its value there.
func (r *Reference) alone(in *rules.Input, f clinical.Fact) (rules.Value, bool) {
	no := rules.Value{}
	if !takes(in, f.Stream) {
		return no, false
	}

	// It is not negated, and its value is not absent, unless `where` asks for that.
	d := detailOf(f)
	asks := r.asks[in.ID]
	if negated(d) && !asks.negated {
		return no, false
	}
	if d.Type == clinical.AbsentValue && !asks.absent {
		return no, false
	}

	// A number that cannot be converted to the unit that a numeric input declares is not guessed.
	value, ok := r.valueIn(in, f, d)
	if !ok {
		return no, false
	}

	// Every condition is true of it; unknown is not enough.
	for _, condition := range in.Where {
		if relates(condition) {
			continue
		}
		if evaluate(condition, r.scopeOf(in, f, value)).Truth() != rules.True {
			return no, false
		}
	}
	return value, true
}

// negated says that the fact states that something was not so, or not done.
func negated(d *clinical.Detail) bool {
	a := d.Attribute(clinical.AttrNegated)
	return a != nil && slices.Contains(a.Codes, "true")
}

// valueIn is the fact's value as the input speaks of it, missing when the fact has none of the input's
// type. It is false where the fact carries a number that has no place in the input's unit.
func (r *Reference) valueIn(in *rules.Input, f clinical.Fact, d *clinical.Detail) (rules.Value, bool) {
	if in.Type != d.Type {
		return rules.Value{}, true
	}
	switch d.Type {
	case clinical.Number:
		number, ok := r.convert(f.Number, d.Unit, in.Unit, in.Substance)
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

// convert takes a number of a substance to the unit asked for. An input without a unit takes numbers as they are; with
// one, a number without a unit, or in a unit that does not convert, is refused.
func (r *Reference) convert(x float64, from, to string, of ucum.Substance) (float64, bool) {
	if to == "" {
		return x, true
	}
	if from == "" {
		return 0, false
	}
	c := r.conversion(from, to, of)
	if !c.ok {
		return 0, false
	}
	y := c.Apply(x)
	return y, !math.IsNaN(y) && !math.IsInf(y, 0)
}

// limit is a reference limit of the fact. It is stated in the unit of the fact's number, and converted
// to the input's unit as that is.
func (r *Reference) limit(in *rules.Input, d *clinical.Detail, number float64) rules.Value {
	if in.Type != clinical.Number || d.Type != clinical.Number {
		return rules.NumberOf(number)
	}
	if converted, ok := r.convert(number, d.Unit, in.Unit, in.Substance); ok {
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
