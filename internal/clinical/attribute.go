package clinical

import (
	"slices"
	"strings"
)

// Names of the attributes that intake sets in a fact's Detail.
const (
	AttrResourceType   = "resource_type"   // "MedicationAdministration"
	AttrStatus         = "status"          // the resource's status as FHIR writes it
	AttrStatusReason   = "status_reason"   // why it is in that status: why it was not done
	AttrVerification   = "verification"    // verificationStatus
	AttrClinicalStatus = "clinical_status" // clinicalStatus
	AttrIntent         = "intent"          // MedicationRequest, ServiceRequest, DeviceRequest, CarePlan
	AttrPriority       = "priority"        // "stat"
	AttrCategory       = "category"        // every coding of every category
	AttrInterpretation = "interpretation"  // every coding
	AttrReferenceLow   = "reference_low"   // number, in the value's unit
	AttrReferenceHigh  = "reference_high"  // number, in the value's unit
	AttrValueLow       = "value_low"       // number, in the value's unit: of a range
	AttrValueHigh      = "value_high"      // number, in the value's unit: of a range
	AttrClass          = "class"           // Encounter.class: "IMP", "AMB"
	AttrReason         = "reason"          // every coding of reasonCode, and of the Conditions of reasonReference
	AttrDiagnosis      = "diagnosis"       // Encounter: of the Conditions that are its diagnoses
	AttrDisposition    = "disposition"     // Encounter.hospitalization.dischargeDisposition
	AttrBodySite       = "body_site"       //
	AttrMethod         = "method"          //
	AttrAbsentReason   = "absent_reason"   // dataAbsentReason, with Type AbsentValue
	AttrCriticality    = "criticality"     // AllergyIntolerance
	AttrSeverity       = "severity"        // Condition, AllergyIntolerance.reaction
	AttrRoute          = "route"           // dosage route
	AttrDose           = "dose"            // number, unit in dose_unit
	AttrDoseUnit       = "dose_unit"       //
	AttrRate           = "rate"            // number, unit in rate_unit
	AttrRateUnit       = "rate_unit"       //
	AttrSex            = "sex"             // KindPatient: administrative gender
	AttrDeceased       = "deceased"        // KindPatient: "true" when known to be dead; Fact.End says when
	AttrNegated        = "negated"         // "true" for doNotPerform, not-done, not-taken, refuted
)

// Names of what a `where` can ask about besides: of the fact itself, not of its Detail's attributes.
const (
	AttrValue    = "value"    // the value, in the input's type and unit
	AttrCode     = "code"     // every coding of the stream
	AttrUnit     = "unit"     // Detail.Unit: the value's unit as it was sent
	AttrStart    = "start"    // Fact.Time
	AttrEnd      = "end"      // Fact.End
	AttrLength   = "length"   // from Time to End
	AttrAuthored = "authored" // Fact.Authored
	AttrLag      = "lag"      // from Time to Authored
)

// AttributeType says what an attribute is, and so what can be asked of it.
type AttributeType uint8

const (
	AttributeCodes    AttributeType = iota // one or more codings, of which any may be meant
	AttributeValue                         // whatever the input's values are
	AttributeNumber                        // a number in the unit of the fact's value
	AttributeQuantity                      // a number in a unit of its own
	AttributeText                          // a text
	AttributeTime                          // an instant
	AttributeLength                        // a length of time
)

// AttributeInfo says of one attribute which kinds of fact have it, and where in FHIR R4 it comes from.
type AttributeInfo struct {
	Name     string
	Type     AttributeType
	Elements []string // "Observation.status": the resource type, and the path of the element
}

// Of reports whether facts of the kind ever have the attribute.
func (a *AttributeInfo) Of(k Kind) bool {
	return slices.ContainsFunc(a.Elements, func(element string) bool {
		resource, _, _ := strings.Cut(element, ".")
		return KindOfResource(resource) == k
	})
}

// Attributes is every attribute that a `where` can ask about, in order of name. The caller owns the slice,
// and changes nothing that its elements point to.
func Attributes() []AttributeInfo { return slices.Clone(attributeTable) }

// AttributeNamed finds an attribute by name; nil where there is none.
func AttributeNamed(name string) *AttributeInfo {
	i, ok := slices.BinarySearchFunc(attributeTable, name, func(a AttributeInfo, name string) int {
		return strings.Compare(a.Name, name)
	})
	if !ok {
		return nil
	}
	a := attributeTable[i]
	return &a
}

// KindOfResource is the kind of the facts that a FHIR resource type states; KindNone where it states none.
func KindOfResource(name string) Kind { return resourceKinds[name] }

var resourceKinds = map[string]Kind{
	"Patient": KindPatient, "Observation": KindObservation, "Condition": KindCondition,
	"MedicationRequest": KindMedication, "MedicationAdministration": KindMedication,
	"MedicationStatement": KindMedication, "MedicationDispense": KindMedication,
	"Immunization": KindImmunization, "Procedure": KindProcedure, "Encounter": KindEncounter,
	"AllergyIntolerance": KindAllergy, "DiagnosticReport": KindReport, "ServiceRequest": KindOrder,
	"DeviceRequest": KindOrder, "CarePlan": KindCarePlan, "Device": KindDevice, "DeviceUseStatement": KindDevice,
}

// The elements that several rows share.
var (
	timeElements = []string{
		"Observation.effective[x]", "Condition.onset[x]", "MedicationRequest.dosageInstruction.timing",
		"MedicationAdministration.effective[x]", "MedicationStatement.effective[x]", "MedicationDispense.whenHandedOver",
		"Immunization.occurrence[x]", "Procedure.performed[x]", "Encounter.period", "AllergyIntolerance.onset[x]",
		"DiagnosticReport.effective[x]", "ServiceRequest.authoredOn", "DeviceRequest.authoredOn", "CarePlan.period", "Device.meta.lastUpdated", "DeviceUseStatement.timing[x]",
	}
	periodElements = []string{
		"Observation.effectivePeriod", "Condition.abatement[x]", "MedicationRequest.dosageInstruction.timing",
		"MedicationAdministration.effectivePeriod", "MedicationStatement.effectivePeriod", "MedicationDispense.daysSupply",
		"Procedure.performedPeriod", "Encounter.period", "AllergyIntolerance.clinicalStatus", "DiagnosticReport.effectivePeriod",
		"ServiceRequest.occurrence[x]", "DeviceRequest.occurrence[x]", "CarePlan.period", "Device.status", "DeviceUseStatement.timingPeriod",
	}
	authoredElements = []string{
		"Observation.issued", "Condition.recordedDate", "MedicationRequest.authoredOn", "MedicationStatement.dateAsserted",
		"Immunization.recorded", "AllergyIntolerance.recordedDate", "DiagnosticReport.issued", "ServiceRequest.authoredOn", "DeviceRequest.authoredOn",
		"CarePlan.created", "DeviceUseStatement.recordedOn",
	}
	doseElements = []string{
		"MedicationRequest.dosageInstruction.doseAndRate.doseQuantity", "MedicationAdministration.dosage.dose",
		"MedicationStatement.dosage.doseAndRate.doseQuantity", "MedicationDispense.dosageInstruction.doseAndRate.doseQuantity",
		"Immunization.doseQuantity",
	}
	rateElements = []string{
		"MedicationRequest.dosageInstruction.doseAndRate.rate[x]", "MedicationAdministration.dosage.rate[x]",
		"MedicationStatement.dosage.doseAndRate.rate[x]", "MedicationDispense.dosageInstruction.doseAndRate.rate[x]",
	}
	methodElements = []string{
		"Observation.method", "MedicationRequest.dosageInstruction.method", "MedicationAdministration.dosage.method",
		"MedicationStatement.dosage.method", "MedicationDispense.dosageInstruction.method",
	}
)

// attributeTable is in order of name. Source of the elements: the resource definitions of FHIR R4 (4.0.1).
var attributeTable = []AttributeInfo{
	{AttrAbsentReason, AttributeCodes, []string{"Observation.dataAbsentReason"}},
	{AttrAuthored, AttributeTime, authoredElements},
	{AttrBodySite, AttributeCodes, []string{
		"Observation.bodySite", "Condition.bodySite", "MedicationRequest.dosageInstruction.site",
		"MedicationAdministration.dosage.site", "MedicationStatement.dosage.site", "MedicationDispense.dosageInstruction.site",
		"Immunization.site", "Procedure.bodySite", "ServiceRequest.bodySite", "DeviceUseStatement.bodySite"}},
	{AttrCategory, AttributeCodes, []string{
		"Observation.category", "Condition.category", "MedicationRequest.category", "MedicationAdministration.category",
		"MedicationStatement.category", "MedicationDispense.category", "Procedure.category", "AllergyIntolerance.category",
		"DiagnosticReport.category", "ServiceRequest.category", "CarePlan.category"}},
	{AttrClass, AttributeCodes, []string{"Encounter.class"}},
	{AttrClinicalStatus, AttributeCodes, []string{"Condition.clinicalStatus", "AllergyIntolerance.clinicalStatus"}},
	{AttrCode, AttributeCodes, []string{
		"Observation.code", "Condition.code", "MedicationRequest.medication[x]", "MedicationAdministration.medication[x]",
		"MedicationStatement.medication[x]", "MedicationDispense.medication[x]", "Immunization.vaccineCode", "Procedure.code",
		"Encounter.type", "AllergyIntolerance.code", "DiagnosticReport.code", "ServiceRequest.code", "DeviceRequest.code[x]", "CarePlan.category",
		"Device.type", "DeviceUseStatement.device"}},
	{AttrCriticality, AttributeCodes, []string{"AllergyIntolerance.criticality"}},
	{AttrDiagnosis, AttributeCodes, []string{"Encounter.diagnosis.condition"}},
	{AttrDisposition, AttributeCodes, []string{"Encounter.hospitalization.dischargeDisposition"}},
	{AttrDose, AttributeQuantity, doseElements},
	{AttrDoseUnit, AttributeCodes, doseElements},
	{AttrEnd, AttributeTime, periodElements},
	{AttrIntent, AttributeCodes, []string{"MedicationRequest.intent", "ServiceRequest.intent", "DeviceRequest.intent", "CarePlan.intent"}},
	{AttrInterpretation, AttributeCodes, []string{"Observation.interpretation"}},
	{AttrLag, AttributeLength, authoredElements},
	{AttrLength, AttributeLength, periodElements},
	{AttrMethod, AttributeCodes, methodElements},
	{AttrNegated, AttributeCodes, []string{
		"Condition.verificationStatus", "MedicationRequest.doNotPerform", "MedicationAdministration.status",
		"MedicationStatement.status", "Immunization.status", "Procedure.status", "AllergyIntolerance.verificationStatus",
		"Observation.modifierExtension", "ServiceRequest.doNotPerform", "DeviceRequest.modifierExtension"}},
	{AttrPriority, AttributeCodes, []string{"MedicationRequest.priority", "Encounter.priority", "ServiceRequest.priority", "DeviceRequest.priority"}},
	{AttrRate, AttributeQuantity, rateElements},
	{AttrRateUnit, AttributeCodes, rateElements},
	{AttrReason, AttributeCodes, []string{
		"MedicationRequest.reasonCode", "MedicationAdministration.reasonCode", "MedicationStatement.reasonCode",
		"Immunization.reasonCode", "Procedure.reasonCode", "Encounter.reasonCode", "ServiceRequest.reasonCode", "DeviceRequest.reasonCode",
		"DeviceUseStatement.reasonCode",
		"MedicationRequest.reasonReference", "MedicationAdministration.reasonReference", "MedicationStatement.reasonReference",
		"Immunization.reasonReference", "Procedure.reasonReference", "Encounter.reasonReference", "ServiceRequest.reasonReference", "DeviceRequest.reasonReference",
		"DeviceUseStatement.reasonReference"}},
	{AttrReferenceHigh, AttributeNumber, []string{"Observation.referenceRange.high"}},
	{AttrReferenceLow, AttributeNumber, []string{"Observation.referenceRange.low"}},
	{AttrResourceType, AttributeCodes, []string{
		"MedicationRequest.resourceType", "MedicationAdministration.resourceType", "MedicationStatement.resourceType",
		"MedicationDispense.resourceType", "ServiceRequest.resourceType", "DeviceRequest.resourceType", "Device.resourceType", "DeviceUseStatement.resourceType"}},
	{AttrRoute, AttributeCodes, []string{
		"MedicationRequest.dosageInstruction.route", "MedicationAdministration.dosage.route", "MedicationStatement.dosage.route",
		"MedicationDispense.dosageInstruction.route", "Immunization.route"}},
	{AttrSeverity, AttributeCodes, []string{"Condition.severity", "AllergyIntolerance.reaction.severity"}},
	{AttrStart, AttributeTime, timeElements},
	{AttrStatus, AttributeCodes, []string{
		"Observation.status", "MedicationRequest.status", "MedicationAdministration.status", "MedicationStatement.status",
		"MedicationDispense.status", "Immunization.status", "Procedure.status", "Encounter.status", "DiagnosticReport.status",
		"ServiceRequest.status", "DeviceRequest.status", "CarePlan.status", "Device.status", "DeviceUseStatement.status"}},
	{AttrStatusReason, AttributeCodes, []string{
		"MedicationRequest.statusReason", "MedicationAdministration.statusReason", "MedicationStatement.statusReason",
		"MedicationDispense.statusReason[x]", "Immunization.statusReason", "Procedure.statusReason", "Observation.extension", "ServiceRequest.extension",
		"DeviceRequest.extension"}},
	{AttrUnit, AttributeText, []string{"Observation.value[x]"}},
	{AttrValue, AttributeValue, []string{"Observation.value[x]", "DiagnosticReport.conclusionCode"}},
	{AttrValueHigh, AttributeNumber, []string{"Observation.valueRange.high"}},
	{AttrValueLow, AttributeNumber, []string{"Observation.valueRange.low"}},
	{AttrVerification, AttributeCodes, []string{"Condition.verificationStatus", "AllergyIntolerance.verificationStatus"}},
}
