package fhir

import (
	"slices"
	"strconv"

	"github.com/vigil-cds/vigil/internal/clinical"
)

type extension struct {
	URL                  string   `json:"url"`
	ValueBoolean         bool     `json:"valueBoolean"`
	ValueCodeableConcept *concept `json:"valueCodeableConcept"`
}

// negations are the modifier extensions which say, when true, that what the resource speaks of was not done or
// is not to be done: those of QI-Core, and the element that R5 gave DeviceRequest, as an extension.
var negations = []string{
	"http://hl7.org/fhir/us/qicore/StructureDefinition/qicore-notDone",
	"http://hl7.org/fhir/us/qicore/StructureDefinition/qicore-doNotPerform",
	"http://hl7.org/fhir/5.0/StructureDefinition/extension-DeviceRequest.doNotPerform",
}

// negationReasons are the extensions of QI-Core that say why not.
var negationReasons = []string{
	"http://hl7.org/fhir/us/qicore/StructureDefinition/qicore-notDoneReason",
	"http://hl7.org/fhir/us/qicore/StructureDefinition/qicore-doNotPerformReason",
	"http://hl7.org/fhir/us/qicore/StructureDefinition/qicore-reasonRefused",
}

// modify lets the resource's modifier extensions turn its facts around. One that is not known may do so, too,
// and refuses the resource, as FHIR R4 asks of whoever does not understand it (section 2.4.1, Extensibility).
func (m *mapper) modify() {
	if len(m.out.Assertion.Facts) == 0 {
		return
	}
	for i, e := range m.header.ModifierExtension {
		switch {
		case !slices.Contains(negations, e.URL):
			m.fault(UnknownModifier, "modifierExtension["+strconv.Itoa(i)+"]", "this extension may turn the resource's meaning around, and it is not known",
				"leave it out where the resource holds without it; else do not send the resource")
		case e.ValueBoolean:
			m.notDone = true
		}
	}
	kind := m.out.Assertion.Facts[0].Stream.Kind
	if m.notDone && !clinical.AttributeNamed(clinical.AttrNegated).Of(kind) {
		m.out.Assertion.Facts = nil
		m.retract(StatusStatesNone)
		return
	}
	for i := range m.out.Assertion.Facts {
		m.negate(m.out.Assertion.Facts[i].Detail)
	}
}

// negate says of one fact that it is not so, if it is not, and why.
func (m *mapper) negate(d *clinical.Detail) {
	a := attributes(d.Attributes)
	if m.notDone && d.Attribute(clinical.AttrNegated) == nil {
		a.negated(true)
	}
	if reason := m.header.notDoneReason(); (m.notDone || d.Attribute(clinical.AttrNegated) != nil) && d.Attribute(clinical.AttrStatusReason) == nil {
		a.codes(clinical.AttrStatusReason, reason)
	}
	d.Attributes = a.sorted()
}

// notDoneReason is why something was not done, from the extension that says so.
func (h *header) notDoneReason() []clinical.Code {
	for _, e := range h.Extension {
		if slices.Contains(negationReasons, e.URL) {
			return e.ValueCodeableConcept.codes()
		}
	}
	return nil
}
