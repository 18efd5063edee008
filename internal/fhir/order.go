package fhir

import "github.com/vigil-cds/vigil/internal/clinical"

// order is a ServiceRequest or, with its code under another name, a DeviceRequest.
type order struct {
	header
	reasons
	Status              string     `json:"status"`
	Intent              string     `json:"intent"`
	Priority            string     `json:"priority"`
	DoNotPerform        bool       `json:"doNotPerform"`
	Subject             *reference `json:"subject"`
	Code                *concept   `json:"code"`
	CodeCodeableConcept *concept   `json:"codeCodeableConcept"`
	CodeReference       *reference `json:"codeReference"`
	Category            []concept  `json:"category"`
	BodySite            []concept  `json:"bodySite"`
	AuthoredOn          string     `json:"authoredOn"`
	OccurrenceDateTime  string     `json:"occurrenceDateTime"`
	OccurrencePeriod    *period    `json:"occurrencePeriod"`
	OccurrenceTiming    *timing    `json:"occurrenceTiming"`
}

// order states that a service, or a device, was ordered. It counts from when it was written, whenever the
// service is due: a test ordered for tomorrow is ordered today. It lasts until the service's end.
func (m *mapper) order() {
	var r order
	if !m.decode(&r, &r.header) {
		return
	}
	m.subject("subject", r.Subject)
	switch r.Status {
	case "entered-in-error":
		m.retract(EnteredInError)
		return
	case "draft":
		m.retract(StatusStatesNone)
		return
	}
	m.need("status", r.Status != "")
	written := m.at("authoredOn", r.AuthoredOn)
	due := m.at("occurrenceDateTime", r.OccurrenceDateTime)
	if r.OccurrencePeriod != nil {
		due = m.period("occurrencePeriod", r.OccurrencePeriod)
	} else if r.OccurrenceTiming != nil {
		due = m.timing("occurrenceTiming", r.OccurrenceTiming, written)
	}
	over := r.Status == "completed" || r.Status == "revoked"
	s := written
	if r.Status != "revoked" {
		s.end, s.ended = due.end, due.ended
	}

	var a attributes
	a.token(clinical.AttrResourceType, m.root)
	a.token(clinical.AttrStatus, r.Status)
	a.token(clinical.AttrIntent, r.Intent)
	a.token(clinical.AttrPriority, r.Priority)
	a.codes(clinical.AttrCategory, codesOf(r.Category))
	a.codes(clinical.AttrBodySite, codesOf(r.BodySite))
	a.codes(clinical.AttrReason, m.reasonCodes(&r.reasons))
	m.written(written)
	a.negated(r.DoNotPerform)
	codes := append(r.Code.codes(), r.CodeCodeableConcept.codes()...)
	if r.CodeReference != nil {
		codes = append(codes, m.referred("codeReference", r.CodeReference, "Device")...)
	}
	m.fact(clinical.KindOrder, codes, m.close(s.or(due), !over), 0, &clinical.Detail{Attributes: a.sorted()})
}

type carePlan struct {
	header
	Status   string     `json:"status"`
	Intent   string     `json:"intent"`
	Subject  *reference `json:"subject"`
	Category []concept  `json:"category"`
	Period   *period    `json:"period"`
	Created  string     `json:"created"`
}

// carePlan states that the patient is cared for by a plan. A CarePlan has no code: its categories say
// what it is.
func (m *mapper) carePlan() {
	var r carePlan
	if !m.decode(&r, &r.header) {
		return
	}
	m.subject("subject", r.Subject)
	switch r.Status {
	case "entered-in-error":
		m.retract(EnteredInError)
		return
	case "draft":
		m.retract(StatusStatesNone)
		return
	}
	m.need("status", r.Status != "")
	created := m.at("created", r.Created)
	over := r.Status == "completed" || r.Status == "revoked"
	categories := codesOf(r.Category)

	var a attributes
	a.token(clinical.AttrStatus, r.Status)
	a.token(clinical.AttrIntent, r.Intent)
	a.codes(clinical.AttrCategory, categories)
	m.written(created)
	s := m.close(m.period("period", r.Period).or(created), !over)
	m.fact(clinical.KindCarePlan, categories, s, 0, &clinical.Detail{Attributes: a.sorted()})
}
