package fhir

import "github.com/vigil-cds/vigil/internal/clinical"

type report struct {
	header
	Status            string     `json:"status"`
	Subject           *reference `json:"subject"`
	Code              *concept   `json:"code"`
	Category          []concept  `json:"category"`
	EffectiveDateTime string     `json:"effectiveDateTime"`
	EffectivePeriod   *period    `json:"effectivePeriod"`
	Issued            string     `json:"issued"`
	ConclusionCode    []concept  `json:"conclusionCode"`
}

// report states that a report was made, with its coded conclusions as the value. Its results are
// Observations of their own.
func (m *mapper) report() {
	var r report
	if !m.decode(&r, &r.header) {
		return
	}
	m.subject("subject", r.Subject)
	switch r.Status {
	case "entered-in-error":
		m.retract(EnteredInError)
		return
	case "cancelled":
		m.retract(StatusStatesNone)
		return
	}
	m.need("status", r.Status != "")
	codes := r.Code.codes()
	m.need("code", len(codes) > 0)
	s := m.at("effectiveDateTime", r.EffectiveDateTime)
	if r.EffectivePeriod != nil {
		s = m.period("effectivePeriod", r.EffectivePeriod)
	}
	issued := m.at("issued", r.Issued)
	m.written(issued)

	var a attributes
	a.token(clinical.AttrStatus, r.Status)
	a.codes(clinical.AttrCategory, codesOf(r.Category))
	d := &clinical.Detail{Codes: codesOf(r.ConclusionCode), Attributes: a.sorted()}
	if len(d.Codes) > 0 {
		d.Type = clinical.Coded
	}
	m.fact(clinical.KindReport, codes, m.close(s.or(issued), false), 0, d)
}
