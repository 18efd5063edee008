package fhir

import "github.com/vigil-cds/vigil/internal/clinical"

// course is what Condition and AllergyIntolerance have in common: something that the patient has from
// an onset on, known with some certainty.
type course struct {
	header
	ClinicalStatus     *concept `json:"clinicalStatus"`
	VerificationStatus *concept `json:"verificationStatus"`
	Code               *concept `json:"code"`
	OnsetDateTime      string   `json:"onsetDateTime"`
	OnsetPeriod        *period  `json:"onsetPeriod"`
	RecordedDate       string   `json:"recordedDate"`
}

type condition struct {
	course
	Subject           *reference `json:"subject"`
	Category          []concept  `json:"category"`
	Severity          *concept   `json:"severity"`
	BodySite          []concept  `json:"bodySite"`
	AbatementDateTime string     `json:"abatementDateTime"`
	AbatementPeriod   *period    `json:"abatementPeriod"`
	AbatementString   string     `json:"abatementString"`
	AbatementAge      *quantity  `json:"abatementAge"`
	AbatementRange    *bounds    `json:"abatementRange"`
}

// condition states that the patient has, or had, the condition. An onset as an age, a range or in
// words needs a birth date or a reader to be dated: the condition then counts from when it was recorded.
func (m *mapper) condition() {
	var r condition
	if !m.decode(&r, &r.header) {
		return
	}
	m.subject("subject", r.Subject)
	if r.VerificationStatus.is("entered-in-error") {
		m.retract(EnteredInError)
		return
	}
	recorded := m.at("recordedDate", r.RecordedDate)
	s := m.onset(&r.course)
	if end := m.at("abatementDateTime", r.AbatementDateTime); end.dated {
		s.end, s.ended = end.start, true
	} else if p := m.period("abatementPeriod", r.AbatementPeriod); p.ended {
		s.end, s.ended = p.end, true
	} else if p.dated {
		s.end, s.ended = p.start, true
	}
	over := r.ClinicalStatus.is("inactive", "resolved", "remission") ||
		r.AbatementString != "" || r.AbatementAge != nil || r.AbatementRange != nil

	var a attributes
	a.codes(clinical.AttrCategory, codesOf(r.Category))
	a.codes(clinical.AttrSeverity, r.Severity.codes())
	a.codes(clinical.AttrBodySite, codesOf(r.BodySite))
	m.course(clinical.KindCondition, &r.course, m.close(s.or(recorded), !over), recorded, a)
}

type allergy struct {
	course
	Patient     *reference `json:"patient"`
	Category    []string   `json:"category"`
	Criticality string     `json:"criticality"`
	Reaction    []struct {
		Severity string `json:"severity"`
	} `json:"reaction"`
}

// allergy states that the patient does not bear a substance.
func (m *mapper) allergy() {
	var r allergy
	if !m.decode(&r, &r.header) {
		return
	}
	m.subject("patient", r.Patient)
	if r.VerificationStatus.is("entered-in-error") {
		m.retract(EnteredInError)
		return
	}
	recorded := m.at("recordedDate", r.RecordedDate)
	over := r.ClinicalStatus.is("inactive", "resolved")

	var a attributes
	categories := make([]clinical.Code, len(r.Category))
	for i, c := range r.Category {
		categories[i] = clinical.Code(c)
	}
	a.codes(clinical.AttrCategory, categories)
	a.token(clinical.AttrCriticality, r.Criticality)
	var severities []clinical.Code
	for i := range r.Reaction {
		if s := r.Reaction[i].Severity; s != "" {
			severities = append(severities, clinical.Code(s))
		}
	}
	a.codes(clinical.AttrSeverity, severities)
	m.course(clinical.KindAllergy, &r.course, m.close(m.onset(&r.course).or(recorded), !over), recorded, a)
}

// onset is the start that is stated. The end of an onset period is no end of the condition.
func (m *mapper) onset(r *course) span {
	p := m.period("onsetPeriod", r.OnsetPeriod)
	if !p.dated {
		p.start, p.dated = p.end, p.ended
	}
	p.end, p.ended = 0, false
	return m.at("onsetDateTime", r.OnsetDateTime).or(p)
}

func (m *mapper) course(kind clinical.Kind, r *course, s, recorded span, a attributes) {
	a.codes(clinical.AttrClinicalStatus, r.ClinicalStatus.tokens())
	a.codes(clinical.AttrVerification, r.VerificationStatus.tokens())
	m.written(recorded)
	a.negated(r.VerificationStatus.is("refuted"))
	m.fact(kind, r.Code.codes(), s, 0, &clinical.Detail{Attributes: a.sorted()})
}
