package explain

import (
	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/internal/ucum"
	"github.com/vigil-cds/vigil/rules"
)

// property is what `where` can name of a fact: one value, or the codings of a coded property, any of
// which may be meant. What the fact does not have is missing, and without codings.
type property struct {
	value rules.Value
	codes []clinical.Code
}

// scopeOf is what the names in a condition of the input's `where` mean for a fact with this value there.
func (r *Reference) scopeOf(in *rules.Input, f clinical.Fact, value rules.Value) scope {
	return scope{attribute: func(a *rules.AttributeRef) property { return r.propertyOf(in, f, value, a) }}
}

// propertyOf reads a property of a fact of the input: its value, its code, one of its times, or one of its
// attributes.
func (r *Reference) propertyOf(in *rules.Input, f clinical.Fact, value rules.Value, ref *rules.AttributeRef) property {
	d := detailOf(f)
	written := f.Authored != 0
	dated := f.Time != clinical.Never
	switch ref.Name {
	case "value":
		if in.Type == clinical.Coded && d.Type == clinical.Coded {
			return property{codes: d.Codes}
		}
		return property{value: value}
	case "code":
		return property{codes: f.Stream.Codes}
	case "unit":
		if d.Unit != "" {
			return property{value: rules.TextOf(d.Unit)}
		}
		return property{}
	case "start":
		if dated {
			return property{value: rules.TimeOf(f.Time)}
		}
		return property{}
	case "end":
		if f.End != clinical.Never {
			return property{value: rules.TimeOf(f.End)}
		}
		return property{}
	case "authored":
		if written {
			return property{value: rules.TimeOf(f.Authored)}
		}
		return property{}
	case "length":
		if dated && f.End != clinical.Forever {
			return property{value: rules.LengthOf(int64(f.End) - int64(f.Time))}
		}
		return property{}
	case "lag":
		if dated && written {
			return property{value: rules.LengthOf(int64(f.Authored) - int64(f.Time))}
		}
		return property{}
	}
	a := d.Attribute(ref.Name)
	switch {
	case a == nil:
		return property{}
	case !a.Numeric:
		return property{codes: a.Codes}
	}
	switch ref.Name {
	case clinical.AttrReferenceLow, clinical.AttrReferenceHigh:
		return property{value: r.limit(in, d, a.Number)}
	case clinical.AttrValueLow, clinical.AttrValueHigh:
		return property{value: r.number(a.Number, d.Unit, in.Unit, in.Substance)}
	case clinical.AttrDose:
		return property{value: r.number(a.Number, sentUnit(d, clinical.AttrDoseUnit), ref.Unit, ucum.Substance{})}
	case clinical.AttrRate:
		return property{value: r.number(a.Number, sentUnit(d, clinical.AttrRateUnit), ref.Unit, ucum.Substance{})}
	}
	return property{value: rules.NumberOf(a.Number)}
}

// number is x of a substance in another unit, missing where it cannot be converted; in no unit it is as it was sent.
func (r *Reference) number(x float64, from, to string, of ucum.Substance) rules.Value {
	if converted, ok := r.convert(x, from, to, of); ok {
		return rules.NumberOf(converted)
	}
	return rules.Value{}
}

// sentUnit is the unit that an attribute names, "" where the fact does not have it.
func sentUnit(d *clinical.Detail, name string) string {
	if a := d.Attribute(name); a != nil && len(a.Codes) > 0 {
		return string(a.Codes[0])
	}
	return ""
}
