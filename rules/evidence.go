package rules

import "github.com/vigil-cds/vigil/internal/clinical"

// evidence is what a `where` is asked of: the fact, and its value in the input's terms.
type evidence struct {
	value   Value
	fact    clinical.Fact
	detail  *clinical.Detail
	convert conversion // from the unit of the fact's number to the input's
	unit    *unitOf    // the input's; nil takes numbers as they are
}

func (in *Input) evidence(v Value, f *clinical.Fact, d *clinical.Detail, convert conversion) evidence {
	return evidence{value: v, fact: *f, detail: d, convert: convert, unit: in.accept.unit}
}

// property is a property that is one value; missing when the fact does not have it.
func (e *evidence) property(p *property) Value {
	f := &e.fact
	switch p.name {
	case clinical.AttrValue:
		return e.value
	case clinical.AttrUnit:
		if e.detail.Unit == "" {
			return Value{}
		}
		return TextOf(e.detail.Unit)
	case clinical.AttrStart:
		return timeOf(f.Time, f.Time != clinical.Never)
	case clinical.AttrEnd:
		return timeOf(f.End, f.End != clinical.Never)
	case clinical.AttrAuthored:
		return timeOf(f.Authored, f.Authored != 0)
	case clinical.AttrLength:
		return lengthOf(f.Time, f.End, f.Time != clinical.Never && f.End != clinical.Forever)
	case clinical.AttrLag:
		return lengthOf(f.Time, f.Authored, f.Time != clinical.Never && f.Authored != 0)
	}
	a := e.detail.Attribute(p.name)
	if a == nil || !a.Numeric {
		return Value{}
	}
	x, ok := a.Number, true
	switch p.name {
	case clinical.AttrReferenceLow, clinical.AttrReferenceHigh:
		x, ok = e.convert.apply(x) // stated in the value's unit, and so comparable to it
	case clinical.AttrValueLow, clinical.AttrValueHigh:
		if e.unit != nil {
			x, ok = e.unit.from(e.detail.Unit).apply(x)
		}
	case clinical.AttrDose, clinical.AttrRate:
		if p.unit != nil {
			x, ok = p.unit.from(e.sentIn(p.name)).apply(x)
		}
	}
	if !ok {
		return Value{}
	}
	return NumberOf(x)
}

// sentIn is the unit in which a quantity was sent, "" when none was.
func (e *evidence) sentIn(quantity string) string {
	name := clinical.AttrDoseUnit
	if quantity == clinical.AttrRate {
		name = clinical.AttrRateUnit
	}
	if a := e.detail.Attribute(name); a != nil && len(a.Codes) > 0 {
		return string(a.Codes[0])
	}
	return ""
}

func timeOf(t clinical.Instant, known bool) Value {
	if !known {
		return Value{}
	}
	return TimeOf(t)
}

func lengthOf(from, to clinical.Instant, known bool) Value {
	if !known {
		return Value{}
	}
	return LengthOf(int64(to - from))
}

// codes are the codings of a coded property, none when the fact does not have it.
func (e *evidence) codes(name string) []clinical.Code {
	switch name {
	case clinical.AttrCode:
		return e.fact.Stream.Codes
	case clinical.AttrValue:
		if e.detail.Type != clinical.Coded {
			return nil
		}
		return e.detail.Codes
	}
	a := e.detail.Attribute(name)
	if a == nil || a.Numeric {
		return nil
	}
	return a.Codes
}

// coded asks whether any coding of a property is one of the texts, or in the set; missing when the fact
// does not have it.
func (e *evidence) coded(p *property) Value {
	codes := e.codes(p.name)
	if len(codes) == 0 {
		return Value{}
	}
	for _, c := range codes {
		if p.members != nil {
			if p.members.has(c) {
				return BoolOf(true)
			}
			continue
		}
		for _, s := range p.texts {
			if c.Is(s) {
				return BoolOf(true)
			}
		}
	}
	return BoolOf(false)
}

// has reports whether the fact has the property.
func (e *evidence) has(p *property) bool {
	if p.coded {
		return len(e.codes(p.name)) > 0
	}
	return e.property(p).Kind != Missing
}
