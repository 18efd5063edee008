package fhir

import "github.com/vigil-cds/vigil/internal/clinical"

type procedure struct {
	header
	reasons
	Status            string     `json:"status"`
	StatusReason      *concept   `json:"statusReason"`
	Subject           *reference `json:"subject"`
	Code              *concept   `json:"code"`
	Category          *concept   `json:"category"`
	BodySite          []concept  `json:"bodySite"`
	PerformedDateTime string     `json:"performedDateTime"`
	PerformedPeriod   *period    `json:"performedPeriod"`
}

// procedure states that something was done to the patient.
func (m *mapper) procedure() {
	var r procedure
	if !m.decode(&r, &r.header) {
		return
	}
	m.subject("subject", r.Subject)
	if r.Status == "entered-in-error" {
		m.retract(EnteredInError)
		return
	}
	m.need("status", r.Status != "")
	s := m.at("performedDateTime", r.PerformedDateTime)
	if r.PerformedPeriod != nil {
		s = m.period("performedPeriod", r.PerformedPeriod)
	}
	ongoing := r.Status == "in-progress" || r.Status == "on-hold"

	var a attributes
	a.token(clinical.AttrStatus, r.Status)
	a.codes(clinical.AttrStatusReason, r.StatusReason.codes())
	a.codes(clinical.AttrCategory, r.Category.codes())
	a.codes(clinical.AttrBodySite, codesOf(r.BodySite))
	a.codes(clinical.AttrReason, m.reasonCodes(&r.reasons))
	a.negated(r.Status == "not-done")
	m.fact(clinical.KindProcedure, r.Code.codes(), m.close(s, ongoing), 0, &clinical.Detail{Attributes: a.sorted()})
}

type immunization struct {
	header
	reasons
	Status             string     `json:"status"`
	StatusReason       *concept   `json:"statusReason"`
	Patient            *reference `json:"patient"`
	VaccineCode        *concept   `json:"vaccineCode"`
	OccurrenceDateTime string     `json:"occurrenceDateTime"`
	Recorded           string     `json:"recorded"`
	Site               *concept   `json:"site"`
	Route              *concept   `json:"route"`
	DoseQuantity       *quantity  `json:"doseQuantity"`
}

// immunization states that a vaccine was given. An occurrence in words counts from when it was recorded.
func (m *mapper) immunization() {
	var r immunization
	if !m.decode(&r, &r.header) {
		return
	}
	m.subject("patient", r.Patient)
	if r.Status == "entered-in-error" {
		m.retract(EnteredInError)
		return
	}
	m.need("status", r.Status != "")
	codes := r.VaccineCode.codes()
	m.need("vaccineCode", len(codes) > 0)
	recorded := m.at("recorded", r.Recorded)
	m.written(recorded)
	s := m.at("occurrenceDateTime", r.OccurrenceDateTime).or(recorded)

	var a attributes
	a.token(clinical.AttrStatus, r.Status)
	a.codes(clinical.AttrStatusReason, r.StatusReason.codes())
	a.codes(clinical.AttrBodySite, r.Site.codes())
	a.codes(clinical.AttrRoute, r.Route.codes())
	a.codes(clinical.AttrReason, m.reasonCodes(&r.reasons))
	a.negated(r.Status == "not-done")
	if q := r.DoseQuantity; q != nil {
		if n, ok := m.number("doseQuantity.value", q.Value); ok {
			a.number(clinical.AttrDose, n)
			a.token(clinical.AttrDoseUnit, q.unit())
		}
	}
	m.fact(clinical.KindImmunization, codes, m.close(s, false), 0, &clinical.Detail{Attributes: a.sorted()})
}
