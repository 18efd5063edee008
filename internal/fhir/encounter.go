package fhir

import "github.com/vigil-cds/vigil/internal/clinical"

type encounter struct {
	header
	reasons
	Status    string     `json:"status"`
	Class     *coding    `json:"class"`
	Type      []concept  `json:"type"`
	Priority  *concept   `json:"priority"`
	Subject   *reference `json:"subject"`
	Period    *period    `json:"period"`
	Diagnosis []struct {
		Condition reference `json:"condition"`
	} `json:"diagnosis"`
	Hospitalization struct {
		DischargeDisposition *concept `json:"dischargeDisposition"`
	} `json:"hospitalization"`
}

// encounter states that the patient is, or was, with a provider. Its class is one of its codes, as
// "class|IMP", so that a pack can name it.
func (m *mapper) encounter() {
	var r encounter
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
	ongoing := r.Status != "finished" && r.Status != "planned"

	codes := codesOf(r.Type)
	var a attributes
	if r.Class != nil && r.Class.Code != "" {
		codes = append(codes, clinical.NewCode("class", r.Class.Code))
		a.token(clinical.AttrClass, r.Class.Code)
	}
	a.token(clinical.AttrStatus, r.Status)
	a.codes(clinical.AttrPriority, r.Priority.codes())
	a.codes(clinical.AttrReason, m.reasonCodes(&r.reasons))
	var diagnoses []clinical.Code
	for i := range r.Diagnosis {
		diagnoses = append(diagnoses, m.conditionCodes(&r.Diagnosis[i].Condition)...)
	}
	a.codes(clinical.AttrDiagnosis, diagnoses)
	a.codes(clinical.AttrDisposition, r.Hospitalization.DischargeDisposition.codes())
	s := m.close(m.period("period", r.Period), ongoing)
	m.fact(clinical.KindEncounter, codes, s, 0, &clinical.Detail{Attributes: a.sorted()})
}
