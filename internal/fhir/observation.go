package fhir

import (
	"strconv"

	"github.com/vigil-cds/vigil/internal/clinical"
)

// measured is what an Observation and each of its components have in common.
type measured struct {
	Code                 *concept         `json:"code"`
	ValueQuantity        *quantity        `json:"valueQuantity"`
	ValueInteger         decimal          `json:"valueInteger"`
	ValueCodeableConcept *concept         `json:"valueCodeableConcept"`
	ValueBoolean         *bool            `json:"valueBoolean"`
	ValueString          *string          `json:"valueString"`
	ValueRange           *bounds          `json:"valueRange"`
	ValueRatio           *ratio           `json:"valueRatio"`
	ValueTime            string           `json:"valueTime"`
	ValueDateTime        string           `json:"valueDateTime"`
	DataAbsentReason     *concept         `json:"dataAbsentReason"`
	Interpretation       []concept        `json:"interpretation"`
	ReferenceRange       []referenceRange `json:"referenceRange"`
}

type referenceRange struct {
	bounds
	Type      *concept  `json:"type"`
	AppliesTo []concept `json:"appliesTo"`
	Age       *bounds   `json:"age"`
}

type observation struct {
	header
	measured
	Status            string     `json:"status"`
	Category          []concept  `json:"category"`
	Subject           *reference `json:"subject"`
	EffectiveDateTime string     `json:"effectiveDateTime"`
	EffectiveInstant  string     `json:"effectiveInstant"`
	EffectivePeriod   *period    `json:"effectivePeriod"`
	EffectiveTiming   *timing    `json:"effectiveTiming"`
	Issued            string     `json:"issued"`
	BodySite          *concept   `json:"bodySite"`
	Method            *concept   `json:"method"`
	Component         []measured `json:"component"`
}

// observation states one fact for its own code and one for each component.
func (m *mapper) observation() {
	var r observation
	if !m.decode(&r, &r.header) {
		return
	}
	m.subject("subject", r.Subject)
	switch r.Status {
	case "entered-in-error":
		m.retract(EnteredInError)
		return
	case "cancelled":
		// One that says why it was called off tells that the patient declined it, say.
		if m.notDone = len(r.notDoneReason()) > 0; !m.notDone {
			m.retract(StatusStatesNone)
			return
		}
	}
	m.need("status", r.Status != "")

	s := m.at("effectiveDateTime", r.EffectiveDateTime).or(m.at("effectiveInstant", r.EffectiveInstant))
	ongoing := false
	switch {
	case s.dated:
	case r.EffectivePeriod != nil:
		s = m.period("effectivePeriod", r.EffectivePeriod)
		ongoing = r.Status == "registered" || r.Status == "preliminary"
	default:
		s = m.timing("effectiveTiming", r.EffectiveTiming, span{})
	}
	issued := m.at("issued", r.Issued)
	m.written(issued)
	s = m.close(s.or(issued), ongoing)

	var shared attributes
	shared.token(clinical.AttrStatus, r.Status)
	shared.codes(clinical.AttrCategory, codesOf(r.Category))
	shared.codes(clinical.AttrBodySite, r.BodySite.codes())
	shared.codes(clinical.AttrMethod, r.Method.codes())
	m.measured("", &r.measured, s, shared)
	for i := range r.Component {
		m.measured("component["+strconv.Itoa(i)+"].", &r.Component[i], s, shared)
	}
}

// measured states the fact of one code and value. prefix leads the places of its elements.
func (m *mapper) measured(prefix string, v *measured, s span, shared attributes) {
	codes := v.Code.codes()
	m.need(prefix+"code", len(codes) > 0)
	a := append(attributes(nil), shared...)
	d := &clinical.Detail{}
	number := m.value(prefix, v, d, &a)
	a.codes(clinical.AttrInterpretation, codesOf(v.Interpretation))
	m.referenceRange(prefix, v, &a)
	d.Attributes = a.sorted()
	m.fact(clinical.KindObservation, codes, s, number, d)
}

// value fills in the detail's type, unit and contents, and returns the number, if it is one.
func (m *mapper) value(prefix string, v *measured, d *clinical.Detail, a *attributes) float64 {
	switch {
	case v.ValueQuantity != nil:
		q, element := v.ValueQuantity, prefix+"valueQuantity"
		d.Unit = q.unit()
		m.knownUnit(element, q)
		d.Comparator = m.comparator(element, q.Comparator)
		if n, ok := m.number(element+".value", q.Value); ok {
			d.Type = clinical.Number
			return n
		}
	case v.ValueInteger != "":
		if n, ok := m.number(prefix+"valueInteger", v.ValueInteger); ok {
			d.Type = clinical.Number
			return n
		}
	case v.ValueCodeableConcept != nil:
		if d.Codes = v.ValueCodeableConcept.codes(); len(d.Codes) > 0 {
			d.Type = clinical.Coded
			return 0
		}
	case v.ValueBoolean != nil:
		d.Type = clinical.Boolean
		if *v.ValueBoolean {
			return 1
		}
		return 0
	case v.ValueString != nil:
		d.Type, d.Text = clinical.Text, *v.ValueString
		return 0
	case v.ValueRatio != nil:
		if n, unit, ok := m.ratio(prefix+"valueRatio", v.ValueRatio); ok {
			d.Type, d.Unit = clinical.Number, unit
			m.knownUnitText(prefix+"valueRatio", unit)
			return n
		}
	case v.ValueRange != nil:
		low, high := v.ValueRange.Low, v.ValueRange.High
		if low != nil {
			d.Unit = low.unit()
			if n, ok := m.number(prefix+"valueRange.low.value", low.Value); ok {
				a.number(clinical.AttrValueLow, n)
			}
		}
		if high != nil {
			d.Unit = high.unit()
			if n, ok := m.number(prefix+"valueRange.high.value", high.Value); ok {
				a.number(clinical.AttrValueHigh, n)
			}
		}
		return 0
	case v.ValueTime != "" || v.ValueDateTime != "":
		d.Type, d.Text = clinical.Text, v.ValueTime+v.ValueDateTime
		return 0
	}
	if v.DataAbsentReason != nil {
		d.Type = clinical.AbsentValue
		a.codes(clinical.AttrAbsentReason, v.DataAbsentReason.tokens())
	}
	return 0
}

// comparator reads Quantity.comparator. One that is not known would turn a bound into a measurement,
// so it is refused.
func (m *mapper) comparator(element, c string) clinical.Comparator {
	switch c {
	case "":
		return clinical.Exactly
	case "<", "<=":
		return clinical.Below
	case ">", ">=":
		return clinical.Above
	}
	m.fault(NotANumber, element+".comparator", "this is not a comparator of FHIR R4", "use <, <=, >= or >")
	return clinical.Exactly
}

func (m *mapper) knownUnit(element string, q *quantity) {
	if q.Code != "" {
		m.knownUnitText(element+".code", q.Code)
	} else {
		m.knownUnitText(element+".unit", q.Unit)
	}
}

func (m *mapper) knownUnitText(element, unit string) {
	if unit != "" && m.d.options.KnownUnit != nil && !m.d.options.KnownUnit(unit) {
		m.fault(UnknownUnit, element, "this unit is not known", "use a unit of UCUM, as in mg/dL or 10*3/uL")
	}
}

// referenceRange notes the bounds of the normal range that is meant for everybody, where they are in
// the value's unit.
func (m *mapper) referenceRange(prefix string, v *measured, a *attributes) {
	for i := range v.ReferenceRange {
		r := &v.ReferenceRange[i]
		if r.Type != nil && !r.Type.is("normal") || len(r.AppliesTo) > 0 || r.Age != nil || r.Low == nil && r.High == nil {
			continue
		}
		element := prefix + "referenceRange[" + strconv.Itoa(i) + "]"
		m.bound(element+".low.value", r.Low, v.ValueQuantity, clinical.AttrReferenceLow, a)
		m.bound(element+".high.value", r.High, v.ValueQuantity, clinical.AttrReferenceHigh, a)
		return
	}
}

func (m *mapper) bound(element string, q, value *quantity, name string, a *attributes) {
	if q == nil {
		return
	}
	if n, ok := m.number(element, q.Value); ok && q.sameUnit(value) {
		a.number(name, n)
	}
}
