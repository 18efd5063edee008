package fhir

import (
	"encoding/json"

	"github.com/vigil-cds/vigil/internal/clinical"
)

type patientResource struct {
	header
	Identifier       json.RawMessage `json:"identifier"`
	BirthDate        string          `json:"birthDate"`
	Gender           string          `json:"gender"`
	DeceasedBoolean  bool            `json:"deceasedBoolean"`
	DeceasedDateTime string          `json:"deceasedDateTime"`
}

// patientResource states one fact about the person: from birth to death.
func (m *mapper) patientResource() {
	var r patientResource
	if !m.decode(&r, &r.header) {
		return
	}
	id := r.ID
	if id == "" {
		first, ok := firstIdentifier(r.Identifier)
		if !ok {
			m.fault(NoPatient, "id", "the Patient has neither an id nor an identifier", "give it an id")
			return
		}
		id = IdentifierID(first.System, first.Value)
	}
	if f := m.d.checkPatientID("Patient.id", id); f != nil {
		m.faults = append(m.faults, f)
		return
	}
	m.out.Patient, m.out.ID, m.out.Assertion.Resource = id, id, "Patient/"+id

	var a attributes
	a.token(clinical.AttrSex, r.Gender)
	s := m.at("birthDate", r.BirthDate)
	if !s.dated {
		s.start = clinical.Never
	}
	s.end = clinical.Forever
	if death := m.at("deceasedDateTime", r.DeceasedDateTime); death.dated {
		s.end = max(death.start, s.start)
	}
	if r.DeceasedBoolean || r.DeceasedDateTime != "" {
		a.token(clinical.AttrDeceased, "true")
	}
	m.fact(clinical.KindPatient, nil, s, 0, &clinical.Detail{Attributes: a.sorted()})
}
