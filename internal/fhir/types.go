package fhir

import (
	"slices"
	"strings"
)

// patientElements names every resource type of FHIR R4 (4.0.1) and the element that refers to its
// patient: "" for a type that is about no patient, or about several.
// Source: the resource list and the Patient compartment of the R4 specification.
var patientElements = map[string]string{
	"Account": "subject", "ActivityDefinition": "", "AdverseEvent": "subject", "AllergyIntolerance": "patient",
	"Appointment": "", "AppointmentResponse": "", "AuditEvent": "", "Basic": "subject", "Binary": "",
	"BiologicallyDerivedProduct": "", "BodyStructure": "patient", "Bundle": "", "CapabilityStatement": "",
	"CarePlan": "subject", "CareTeam": "subject", "CatalogEntry": "", "ChargeItem": "subject",
	"ChargeItemDefinition": "", "Claim": "patient", "ClaimResponse": "patient", "ClinicalImpression": "subject",
	"CodeSystem": "", "Communication": "subject", "CommunicationRequest": "subject", "CompartmentDefinition": "",
	"Composition": "subject", "ConceptMap": "", "Condition": "subject", "Consent": "patient", "Contract": "",
	"Coverage": "beneficiary", "CoverageEligibilityRequest": "patient", "CoverageEligibilityResponse": "patient",
	"DetectedIssue": "patient", "Device": "patient", "DeviceDefinition": "", "DeviceMetric": "",
	"DeviceRequest": "subject", "DeviceUseStatement": "subject", "DiagnosticReport": "subject",
	"DocumentManifest": "subject", "DocumentReference": "subject", "EffectEvidenceSynthesis": "",
	"Encounter": "subject", "Endpoint": "", "EnrollmentRequest": "candidate", "EnrollmentResponse": "",
	"EpisodeOfCare": "patient", "EventDefinition": "", "Evidence": "", "EvidenceVariable": "",
	"ExampleScenario": "", "ExplanationOfBenefit": "patient", "FamilyMemberHistory": "patient", "Flag": "subject",
	"Goal": "subject", "GraphDefinition": "", "Group": "", "GuidanceResponse": "subject", "HealthcareService": "",
	"ImagingStudy": "subject", "Immunization": "patient", "ImmunizationEvaluation": "patient",
	"ImmunizationRecommendation": "patient", "ImplementationGuide": "", "InsurancePlan": "", "Invoice": "subject",
	"Library": "", "Linkage": "", "List": "subject", "Location": "", "Measure": "", "MeasureReport": "subject",
	"Media": "subject", "Medication": "", "MedicationAdministration": "subject", "MedicationDispense": "subject",
	"MedicationKnowledge": "", "MedicationRequest": "subject", "MedicationStatement": "subject",
	"MedicinalProduct": "", "MedicinalProductAuthorization": "", "MedicinalProductContraindication": "",
	"MedicinalProductIndication": "", "MedicinalProductIngredient": "", "MedicinalProductInteraction": "",
	"MedicinalProductManufactured": "", "MedicinalProductPackaged": "", "MedicinalProductPharmaceutical": "",
	"MedicinalProductUndesirableEffect": "", "MessageDefinition": "", "MessageHeader": "",
	"MolecularSequence": "patient", "NamingSystem": "", "NutritionOrder": "patient", "Observation": "subject",
	"ObservationDefinition": "", "OperationDefinition": "", "OperationOutcome": "", "Organization": "",
	"OrganizationAffiliation": "", "Parameters": "", "Patient": "", "PaymentNotice": "",
	"PaymentReconciliation": "", "Person": "", "PlanDefinition": "", "Practitioner": "", "PractitionerRole": "",
	"Procedure": "subject", "Provenance": "", "Questionnaire": "", "QuestionnaireResponse": "subject",
	"RelatedPerson": "patient", "RequestGroup": "subject", "ResearchDefinition": "",
	"ResearchElementDefinition": "", "ResearchStudy": "", "ResearchSubject": "individual",
	"RiskAssessment": "subject", "RiskEvidenceSynthesis": "", "Schedule": "", "SearchParameter": "",
	"ServiceRequest": "subject", "Slot": "", "Specimen": "subject", "SpecimenDefinition": "",
	"StructureDefinition": "", "StructureMap": "", "Subscription": "", "Substance": "",
	"SubstanceNucleicAcid": "", "SubstancePolymer": "", "SubstanceProtein": "",
	"SubstanceReferenceInformation": "", "SubstanceSourceMaterial": "", "SubstanceSpecification": "",
	"SupplyDelivery": "patient", "SupplyRequest": "", "Task": "for", "TerminologyCapabilities": "",
	"TestReport": "", "TestScript": "", "ValueSet": "", "VerificationResult": "", "VisionPrescription": "patient",
}

// nearestType is the R4 type that a misspelt name most likely means; "" where none is near.
func nearestType(name string) string {
	if len(name) > 64 {
		return ""
	}
	best, least := "", max(2, len(name)/4)+1
	name = strings.ToLower(name)
	for t := range patientElements {
		if n := distance(name, strings.ToLower(t)); n < least || n == least && best != "" && t < best {
			best, least = t, n
		}
	}
	return best
}

// distance is Levenshtein's: how many bytes have to be added, dropped or changed.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = slices.Min([]int{change, row[j] + 1, row[j+1] + 1})
		}
	}
	return row[len(b)]
}
