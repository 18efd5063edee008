package fhir

import "github.com/vigil-cds/vigil/internal/clinical"

type device struct {
	header
	Status  string     `json:"status"`
	Type    *concept   `json:"type"`
	Patient *reference `json:"patient"`
}

// device states that a device belongs to the patient. A Device that names no patient is in stock, and
// states nothing about anybody.
func (m *mapper) device() {
	var r device
	if !m.decode(&r, &r.header) {
		return
	}
	if r.Patient == nil {
		m.out.Counted = NoPatientStated
		return
	}
	m.subject("patient", r.Patient)
	if r.Status == "entered-in-error" {
		m.retract(EnteredInError)
		return
	}
	var a attributes
	a.token(clinical.AttrResourceType, m.root)
	a.token(clinical.AttrStatus, r.Status)
	s := m.close(span{}, r.Status != "inactive")
	m.fact(clinical.KindDevice, r.Type.codes(), s, 0, &clinical.Detail{Attributes: a.sorted()})
}

type deviceUse struct {
	header
	reasons
	Status         string     `json:"status"`
	Subject        *reference `json:"subject"`
	Device         *reference `json:"device"`
	TimingDateTime string     `json:"timingDateTime"`
	TimingPeriod   *period    `json:"timingPeriod"`
	TimingTiming   *timing    `json:"timingTiming"`
	RecordedOn     string     `json:"recordedOn"`
	BodySite       *concept   `json:"bodySite"`
}

// deviceUse states that the patient uses, or used, a device.
func (m *mapper) deviceUse() {
	var r deviceUse
	if !m.decode(&r, &r.header) {
		return
	}
	m.subject("subject", r.Subject)
	if r.Status == "entered-in-error" {
		m.retract(EnteredInError)
		return
	}
	m.need("status", r.Status != "")
	m.need("device", r.Device != nil)
	s := m.at("timingDateTime", r.TimingDateTime)
	recorded := m.at("recordedOn", r.RecordedOn)
	if r.TimingPeriod != nil {
		s = m.period("timingPeriod", r.TimingPeriod)
	} else if r.TimingTiming != nil {
		s = m.timing("timingTiming", r.TimingTiming, recorded)
	}
	over := r.Status == "completed" || r.Status == "stopped"

	var codes []clinical.Code
	if r.Device != nil {
		codes = m.referred("device", r.Device, "Device")
	}
	var a attributes
	a.token(clinical.AttrResourceType, m.root)
	a.token(clinical.AttrStatus, r.Status)
	a.codes(clinical.AttrReason, m.reasonCodes(&r.reasons))
	a.codes(clinical.AttrBodySite, r.BodySite.codes())
	m.written(recorded)
	m.fact(clinical.KindDevice, codes, m.close(s.or(recorded), !over), 0, &clinical.Detail{Attributes: a.sorted()})
}
