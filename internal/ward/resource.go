package ward

import (
	"strconv"
	"time"
)

// The FHIR R4 elements that the ward uses, named as FHIR names them.

type resource interface{ stamp(now time.Time) }

type header struct {
	ResourceType string `json:"resourceType"`
	ID           string `json:"id"`
	Meta         meta   `json:"meta"`
}

type meta struct {
	VersionID   string `json:"versionId"`
	LastUpdated string `json:"lastUpdated"`
}

// stamp gives the next version its number and time.
func (h *header) stamp(now time.Time) {
	version, _ := strconv.Atoi(h.Meta.VersionID)
	h.Meta = meta{VersionID: strconv.Itoa(version + 1), LastUpdated: stamp(now)}
}

// stamp writes an instant as FHIR does, to the second.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }

type coding struct {
	System  string `json:"system"`
	Code    string `json:"code"`
	Display string `json:"display,omitempty"`
}

type concept struct {
	Coding []coding `json:"coding"`
	Text   string   `json:"text,omitempty"`
}

type reference struct {
	Reference string `json:"reference"`
}

type period struct {
	Start string `json:"start,omitempty"`
	End   string `json:"end,omitempty"`
}

type quantity struct {
	Value  float64 `json:"value"`
	Unit   string  `json:"unit,omitempty"`
	System string  `json:"system,omitempty"`
	Code   string  `json:"code,omitempty"`
}

type identifier struct {
	System string `json:"system"`
	Value  string `json:"value"`
}

type humanName struct {
	Family string   `json:"family"`
	Given  []string `json:"given"`
}

type patientResource struct {
	header
	Identifier []identifier `json:"identifier"`
	Name       []humanName  `json:"name"`
	Gender     string       `json:"gender"`
	BirthDate  string       `json:"birthDate"`
}

type encounterResource struct {
	header
	Status          string           `json:"status"`
	Class           coding           `json:"class"`
	Type            []concept        `json:"type"`
	Subject         reference        `json:"subject"`
	Period          period           `json:"period"`
	ReasonCode      []concept        `json:"reasonCode,omitempty"`
	Hospitalization *hospitalization `json:"hospitalization,omitempty"`
}

type hospitalization struct {
	DischargeDisposition concept `json:"dischargeDisposition"`
}

type conditionResource struct {
	header
	ClinicalStatus     concept    `json:"clinicalStatus"`
	VerificationStatus concept    `json:"verificationStatus"`
	Category           []concept  `json:"category"`
	Code               concept    `json:"code"`
	Subject            reference  `json:"subject"`
	Encounter          *reference `json:"encounter,omitempty"`
	OnsetDateTime      string     `json:"onsetDateTime"`
	RecordedDate       string     `json:"recordedDate"`
}

type observationResource struct {
	header
	Status               string      `json:"status"`
	Category             []concept   `json:"category"`
	Code                 concept     `json:"code"`
	Subject              reference   `json:"subject"`
	Encounter            *reference  `json:"encounter,omitempty"`
	EffectiveDateTime    string      `json:"effectiveDateTime"`
	Issued               string      `json:"issued"`
	ValueQuantity        *quantity   `json:"valueQuantity,omitempty"`
	ValueCodeableConcept *concept    `json:"valueCodeableConcept,omitempty"`
	Component            []component `json:"component,omitempty"`
}

type component struct {
	Code          concept  `json:"code"`
	ValueQuantity quantity `json:"valueQuantity"`
}

type medicationRequestResource struct {
	header
	Status                    string              `json:"status"`
	Intent                    string              `json:"intent"`
	Category                  []concept           `json:"category"`
	MedicationCodeableConcept concept             `json:"medicationCodeableConcept"`
	Subject                   reference           `json:"subject"`
	Encounter                 reference           `json:"encounter"`
	AuthoredOn                string              `json:"authoredOn"`
	DosageInstruction         []dosageInstruction `json:"dosageInstruction"`
}

type dosageInstruction struct {
	Text        string        `json:"text"`
	Timing      timing        `json:"timing"`
	DoseAndRate []doseAndRate `json:"doseAndRate"`
}

type timing struct {
	Repeat repeat `json:"repeat"`
}

type repeat struct {
	BoundsPeriod period  `json:"boundsPeriod"`
	Frequency    int     `json:"frequency"`
	Period       float64 `json:"period"`
	PeriodUnit   string  `json:"periodUnit"`
}

type doseAndRate struct {
	DoseQuantity quantity `json:"doseQuantity"`
}

type medicationAdministrationResource struct {
	header
	Status                    string     `json:"status"`
	MedicationCodeableConcept concept    `json:"medicationCodeableConcept"`
	Subject                   reference  `json:"subject"`
	Context                   reference  `json:"context"`
	EffectiveDateTime         string     `json:"effectiveDateTime"`
	Request                   *reference `json:"request,omitempty"`
	Dosage                    dosage     `json:"dosage"`
}

type dosage struct {
	Dose quantity `json:"dose"`
}

type procedureResource struct {
	header
	Status          string    `json:"status"`
	Code            concept   `json:"code"`
	Subject         reference `json:"subject"`
	Encounter       reference `json:"encounter"`
	PerformedPeriod period    `json:"performedPeriod"`
}

const (
	systemLOINC  = "http://loinc.org"
	systemSNOMED = "http://snomed.info/sct"
	systemRxNorm = "http://www.nlm.nih.gov/research/umls/rxnorm"
	systemATC    = "http://www.whocc.no/atc"
	systemICD    = "http://hl7.org/fhir/sid/icd-10-cm"
	systemUCUM   = "http://unitsofmeasure.org"
	terminology  = "http://terminology.hl7.org/CodeSystem/"
)

func loinc(code, display string) coding  { return coding{systemLOINC, code, display} }
func snomed(code, display string) coding { return coding{systemSNOMED, code, display} }

// of makes a concept of codings, its text the first one's display.
func of(codings ...coding) concept { return concept{Coding: codings, Text: codings[0].Display} }

// term is a coding of HL7's own terminology server.
func term(system, code string) concept {
	return concept{Coding: []coding{{System: terminology + system, Code: code}}}
}
