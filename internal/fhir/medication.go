package fhir

import (
	"encoding/json"
	"slices"
	"strconv"

	"github.com/vigil-cds/vigil/internal/clinical"
)

// medicine is what the four medication resources have in common: what was given, and how it went.
type medicine struct {
	header
	Status                    string     `json:"status"`
	Subject                   *reference `json:"subject"`
	MedicationCodeableConcept *concept   `json:"medicationCodeableConcept"`
	MedicationReference       *reference `json:"medicationReference"`
}

// reasons is why something is done: by a code, or by what is the matter with the patient.
type reasons struct {
	ReasonCode      []concept   `json:"reasonCode"`
	ReasonReference []reference `json:"reasonReference"`
}

const (
	reasonReference  = "reasonReference"
	diagnosisElement = "diagnosis"
	conditionType    = "Condition"
)

// reasonCodes is every coding of the reasons, with those of the Conditions that are referred to: of a
// contained one, whether FHIR put it there (#id) or Bundle did (Condition/id). Of a reason that is not here
// nothing is known.
func (m *mapper) reasonCodes(r *reasons) []clinical.Code {
	codes := codesOf(r.ReasonCode)
	for i := range r.ReasonReference {
		for _, code := range m.conditionCodes(&r.ReasonReference[i]) {
			if !slices.Contains(codes, code) {
				codes = append(codes, code)
			}
		}
	}
	return codes
}

// conditionCodes is what a Condition that is contained says that it is; nothing of one that is not here.
func (m *mapper) conditionCodes(r *reference) []clinical.Code {
	t := parseReference(r.Reference)
	if t.kind != containedTarget && (t.kind != literalTarget || t.typ != conditionType) {
		return nil
	}
	found := findContained(m.header.Contained, conditionType, t.id)
	if found == nil {
		return nil
	}
	var c concept
	if json.Unmarshal(found.Code, &c) != nil {
		return nil
	}
	return c.codes()
}

// dosage is Dosage, and with its direct dose and rate MedicationAdministration.dosage.
type dosage struct {
	Timing      *timing  `json:"timing"`
	Site        *concept `json:"site"`
	Method      *concept `json:"method"`
	Route       *concept `json:"route"`
	DoseAndRate []struct {
		DoseQuantity *quantity `json:"doseQuantity"`
		RateQuantity *quantity `json:"rateQuantity"`
		RateRatio    *ratio    `json:"rateRatio"`
	} `json:"doseAndRate"`
	Dose         *quantity `json:"dose"`
	RateQuantity *quantity `json:"rateQuantity"`
	RateRatio    *ratio    `json:"rateRatio"`
}

type medicationRequest struct {
	medicine
	reasons
	Intent            string          `json:"intent"`
	Priority          string          `json:"priority"`
	StatusReason      *concept        `json:"statusReason"`
	DoNotPerform      bool            `json:"doNotPerform"`
	Category          []concept       `json:"category"`
	AuthoredOn        string          `json:"authoredOn"`
	DosageInstruction []dosage        `json:"dosageInstruction"`
	DispenseRequest   dispenseRequest `json:"dispenseRequest"`
}

type dispenseRequest struct {
	ValidityPeriod *period `json:"validityPeriod"`
}

// medicationRequest states that a medicine is ordered, from the start of its dosage (else from when
// the order was written) to the end of it (else of the prescription).
func (m *mapper) medicationRequest() {
	var r medicationRequest
	if !m.decode(&r, &r.header) || !m.medicine(&r.medicine, "draft") {
		return
	}
	written := m.at("authoredOn", r.AuthoredOn)
	valid := m.period("dispenseRequest.validityPeriod", r.DispenseRequest.ValidityPeriod)
	s := m.dosageSpan("dosageInstruction", r.DosageInstruction, written.or(valid)).or(written).or(valid)
	if !s.ended {
		s.end, s.ended = valid.end, valid.ended
	}
	over := r.Status == "stopped" || r.Status == "cancelled"
	if updated := m.out.Assertion.Version.Updated; over && s.ended && updated != 0 {
		// The end was the plan; by this version the order was over.
		s.end = min(s.end, updated)
	}

	var a attributes
	a.token(clinical.AttrIntent, r.Intent)
	a.token(clinical.AttrPriority, r.Priority)
	a.codes(clinical.AttrStatusReason, r.StatusReason.codes())
	a.codes(clinical.AttrCategory, codesOf(r.Category))
	a.codes(clinical.AttrReason, m.reasonCodes(&r.reasons))
	m.written(written)
	a.negated(r.DoNotPerform)
	m.dosages("dosageInstruction", r.DosageInstruction, &a)
	m.medication(&r.medicine, m.close(s, !over && r.Status != "completed"), a)
}

type medicationAdministration struct {
	medicine
	reasons
	StatusReason      []concept `json:"statusReason"`
	Category          *concept  `json:"category"`
	EffectiveDateTime string    `json:"effectiveDateTime"`
	EffectivePeriod   *period   `json:"effectivePeriod"`
	Dosage            *dosage   `json:"dosage"`
}

// medicationAdministration states that a medicine was given.
func (m *mapper) medicationAdministration() {
	var r medicationAdministration
	if !m.decode(&r, &r.header) || !m.medicine(&r.medicine) {
		return
	}
	s := m.at("effectiveDateTime", r.EffectiveDateTime)
	if r.EffectivePeriod != nil {
		s = m.period("effectivePeriod", r.EffectivePeriod)
	}
	ongoing := r.Status == "in-progress" || r.Status == "on-hold"

	var a attributes
	a.codes(clinical.AttrStatusReason, codesOf(r.StatusReason))
	a.codes(clinical.AttrCategory, r.Category.codes())
	a.codes(clinical.AttrReason, m.reasonCodes(&r.reasons))
	a.negated(r.Status == "not-done")
	if r.Dosage != nil {
		m.dosage("dosage", r.Dosage, &a)
	}
	m.medication(&r.medicine, m.close(s, ongoing), a)
}

type medicationStatement struct {
	medicine
	reasons
	StatusReason      []concept `json:"statusReason"`
	Category          *concept  `json:"category"`
	EffectiveDateTime string    `json:"effectiveDateTime"`
	EffectivePeriod   *period   `json:"effectivePeriod"`
	DateAsserted      string    `json:"dateAsserted"`
	Dosage            []dosage  `json:"dosage"`
}

// medicationStatement states that a medicine is, or was, being taken.
func (m *mapper) medicationStatement() {
	var r medicationStatement
	if !m.decode(&r, &r.header) || !m.medicine(&r.medicine) {
		return
	}
	s := m.at("effectiveDateTime", r.EffectiveDateTime)
	if r.EffectivePeriod != nil {
		s = m.period("effectivePeriod", r.EffectivePeriod)
	}
	asserted := m.at("dateAsserted", r.DateAsserted)
	dosing := m.dosageSpan("dosage", r.Dosage, s.or(asserted))
	if !s.ended {
		s.end, s.ended = dosing.end, dosing.ended
	}
	s = s.or(dosing).or(asserted)
	over := r.Status == "completed" || r.Status == "stopped" || r.Status == "not-taken"

	var a attributes
	a.codes(clinical.AttrStatusReason, codesOf(r.StatusReason))
	a.codes(clinical.AttrCategory, r.Category.codes())
	a.codes(clinical.AttrReason, m.reasonCodes(&r.reasons))
	m.written(asserted)
	a.negated(r.Status == "not-taken")
	m.dosages("dosage", r.Dosage, &a)
	m.medication(&r.medicine, m.close(s, !over), a)
}

type medicationDispense struct {
	medicine
	StatusReason      *concept  `json:"statusReasonCodeableConcept"`
	Category          *concept  `json:"category"`
	WhenPrepared      string    `json:"whenPrepared"`
	WhenHandedOver    string    `json:"whenHandedOver"`
	DaysSupply        *quantity `json:"daysSupply"`
	DosageInstruction []dosage  `json:"dosageInstruction"`
}

// medicationDispense states that a medicine was handed over; it lasts as long as the supply.
func (m *mapper) medicationDispense() {
	var r medicationDispense
	if !m.decode(&r, &r.header) || !m.medicine(&r.medicine, "cancelled", "declined") {
		return
	}
	s := m.at("whenHandedOver", r.WhenHandedOver).or(m.at("whenPrepared", r.WhenPrepared))
	if q := r.DaysSupply; q != nil {
		if n, ok := m.number("daysSupply.value", q.Value); ok && s.dated {
			s.end, s.ended = m.later(s.start, n, q.unit())
		}
	}
	var a attributes
	a.codes(clinical.AttrStatusReason, r.StatusReason.codes())
	a.codes(clinical.AttrCategory, r.Category.codes())
	m.dosages("dosageInstruction", r.DosageInstruction, &a)
	m.medication(&r.medicine, m.close(s, false), a)
}

// medicine finds the patient and retracts what is in error or, by one of these statuses, has not come
// about; false when there is nothing more to state.
func (m *mapper) medicine(r *medicine, unborn ...string) bool {
	m.subject("subject", r.Subject)
	switch {
	case r.Status == "entered-in-error":
		m.retract(EnteredInError)
		return false
	case slices.Contains(unborn, r.Status):
		m.retract(StatusStatesNone)
		return false
	}
	m.need("status", r.Status != "")
	m.need("medication[x]", r.MedicationCodeableConcept != nil || r.MedicationReference != nil)
	return true
}

func (m *mapper) medication(r *medicine, s span, a attributes) {
	a.token(clinical.AttrResourceType, m.root)
	a.token(clinical.AttrStatus, r.Status)
	codes := r.MedicationCodeableConcept.codes()
	if r.MedicationReference != nil {
		codes = append(codes, m.referred("medicationReference", r.MedicationReference, medicationType)...)
	}
	m.fact(clinical.KindMedication, codes, s, 0, &clinical.Detail{Attributes: a.sorted()})
}

// referred is the codes of what a reference means: of the contained resource, whether FHIR put it
// there (#id) or Bundle did (Type/id); else the reference itself as a code, so that it is not lost, with
// the codes of the Medication of that name where an earlier input brought it.
func (m *mapper) referred(element string, ref *reference, typ string) []clinical.Code {
	if ref.Reference == "" {
		if i := ref.Identifier; i != nil && i.Value != "" {
			return []clinical.Code{clinical.NewCode(i.System, i.Value)}
		}
		return textCode(ref.Display)
	}
	t := parseReference(ref.Reference)
	var found *contained
	switch t.kind {
	case unreadableTarget:
		m.fault(InvalidReference, element+".reference", "the reference cannot be read", "write it as "+typ+"/123 or #123")
		return nil
	case containedTarget, literalTarget:
		found = findContained(m.header.Contained, typ, t.id)
	}
	if found != nil {
		raw := found.Code
		if typ == "Device" {
			raw = found.Type
		}
		var c concept
		if len(raw) > 0 && json.Unmarshal(raw, &c) == nil {
			if codes := c.codes(); len(codes) > 0 {
				return codes
			}
		}
	}
	name := ref.Reference
	if t.kind == literalTarget {
		name = t.typ + "/" + t.id
	}
	codes := []clinical.Code{clinical.NewCode("reference", name)}
	if t.kind == urnTarget || t.kind == literalTarget && t.typ == typ {
		codes = append(codes, m.d.earlier(typ, t.id)...)
	}
	return codes
}

// earlier is the codes of a resource that came before this input.
func (d *Decoder) earlier(typ, id string) []clinical.Code {
	if typ != medicationType || d.options.Medication == nil {
		return nil
	}
	return d.options.Medication(typ + "/" + id)
}

const medicationType = "Medication"

// MedicationCodes is what the JSON of a Medication says that it is: every coding of its code. One that
// was entered in error, or cannot be read, is nothing.
func MedicationCodes(data []byte) []clinical.Code {
	var r struct {
		Status string   `json:"status"`
		Code   *concept `json:"code"`
	}
	if decode(data, medicationType, &r) != nil || r.Status == "entered-in-error" {
		return nil
	}
	return r.Code.codes()
}

// dosageSpan is the whole time that the dosages' timings bound.
func (m *mapper) dosageSpan(element string, dosages []dosage, from span) span {
	var whole span
	for i := range dosages {
		t := dosages[i].Timing
		if t == nil {
			continue
		}
		s := m.timing(element+"["+strconv.Itoa(i)+"].timing", t, from)
		if s.dated && (!whole.dated || s.start < whole.start) {
			whole.start, whole.precision, whole.dated = s.start, s.precision, true
		}
		if s.ended && (!whole.ended || s.end > whole.end) {
			whole.end, whole.ended = s.end, true
		}
	}
	return whole
}

// dosages notes the dose of the first instruction: the others are steps away from it.
func (m *mapper) dosages(element string, dosages []dosage, a *attributes) {
	if len(dosages) > 0 {
		m.dosage(element+"[0]", &dosages[0], a)
	}
}

func (m *mapper) dosage(element string, d *dosage, a *attributes) {
	a.codes(clinical.AttrRoute, d.Route.codes())
	a.codes(clinical.AttrBodySite, d.Site.codes())
	a.codes(clinical.AttrMethod, d.Method.codes())
	dose, rate, rateRatio := d.Dose, d.RateQuantity, d.RateRatio
	if len(d.DoseAndRate) > 0 {
		first := &d.DoseAndRate[0]
		dose, rate, rateRatio = first.DoseQuantity, first.RateQuantity, first.RateRatio
		element += ".doseAndRate[0]"
	}
	doseElement := element + ".doseQuantity"
	if d.Dose != nil {
		doseElement = element + ".dose"
	}
	if dose != nil {
		if n, ok := m.number(doseElement+".value", dose.Value); ok {
			a.number(clinical.AttrDose, n)
			a.token(clinical.AttrDoseUnit, dose.unit())
		}
	}
	if rate != nil {
		if n, ok := m.number(element+".rateQuantity.value", rate.Value); ok {
			a.number(clinical.AttrRate, n)
			a.token(clinical.AttrRateUnit, rate.unit())
		}
	} else if n, unit, ok := m.ratio(element+".rateRatio", rateRatio); ok {
		a.number(clinical.AttrRate, n)
		a.token(clinical.AttrRateUnit, unit)
	}
}
