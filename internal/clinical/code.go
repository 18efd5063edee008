package clinical

import "strings"

// Code is one coding: a short name of the code system, a bar, and the code, as in "loinc|2160-0".
// A system without a short name stands as its own URI; a token without a system (a status, a class)
// has nothing before the bar and is written without it: "final".
type Code string

// NewCode builds a Code from a system URI (or its short name, or nothing) and a code.
func NewCode(system, code string) Code {
	if system == "" {
		return Code(code)
	}
	if short, ok := systemNames[strings.TrimSuffix(system, "/")]; ok {
		system = short
	}
	return Code(system + "|" + code)
}

// System is what stands before the last bar, or "" for a bare token.
func (c Code) System() string {
	if i := strings.LastIndexByte(string(c), '|'); i >= 0 {
		return string(c[:i])
	}
	return ""
}

// Value is the code without its system.
func (c Code) Value() string {
	if i := strings.LastIndexByte(string(c), '|'); i >= 0 {
		return string(c[i+1:])
	}
	return string(c)
}

// Is reports whether a rule's author who wrote s means c: s is the whole coding, or just its code. A code
// system that HL7 itself publishes may be called by the last part of its address, as in
// "v3-ObservationInterpretation|H".
func (c Code) Is(s string) bool {
	if string(c) == s || c.Value() == s {
		return true
	}
	for _, address := range [...]string{"http://terminology.hl7.org/CodeSystem/", "http://hl7.org/fhir/"} {
		if rest, ok := strings.CutPrefix(string(c), address); ok && rest == s {
			return true
		}
	}
	return false
}

// systemNames gives the code systems that FHIR feeds use most their short names in packs.
// Source: the FHIR R4 terminology page on external code systems and HL7's terminology server.
var systemNames = map[string]string{
	"http://loinc.org":                                         "loinc",
	"http://snomed.info/sct":                                   "snomed",
	"http://www.nlm.nih.gov/research/umls/rxnorm":              "rxnorm",
	"http://hl7.org/fhir/sid/icd-10":                           "icd10",
	"http://hl7.org/fhir/sid/icd-10-cm":                        "icd10cm",
	"http://www.cms.gov/Medicare/Coding/ICD10":                 "icd10pcs",
	"http://hl7.org/fhir/sid/icd-9-cm":                         "icd9cm",
	"http://hl7.org/fhir/sid/cvx":                              "cvx",
	"http://hl7.org/fhir/sid/ndc":                              "ndc",
	"http://www.whocc.no/atc":                                  "atc",
	"http://www.ama-assn.org/go/cpt":                           "cpt",
	"http://unitsofmeasure.org":                                "ucum",
	"https://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets": "hcpcs",
	"https://www.nubc.org/CodeSystem/RevenueCodes":             "nubc",
	"http://nucc.org/provider-taxonomy":                        "nucc",
	"http://dicom.nema.org/resources/ontology/DCM":             "dcm",
	"urn:oid:2.16.840.1.113883.6.96":                           "snomed",
	"urn:oid:2.16.840.1.113883.6.1":                            "loinc",
	"https://loinc.org":                                        "loinc",
	"https://snomed.info/sct":                                  "snomed",
	"https://www.nlm.nih.gov/research/umls/rxnorm":             "rxnorm",
	"http://hl7.org/fhir/sid/icd-10-pcs":                       "icd10pcs",
	"http://www.icd10data.com/icd10pcs":                        "icd10pcs",
	"http://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets":  "hcpcs",
	"urn:oid:2.16.840.1.113883.6.88":                           "rxnorm",
	"urn:oid:2.16.840.1.113883.6.3":                            "icd10",
	"urn:oid:2.16.840.1.113883.6.90":                           "icd10cm",
	"urn:oid:2.16.840.1.113883.6.4":                            "icd10pcs",
	"urn:oid:2.16.840.1.113883.6.103":                          "icd9cm", // diagnoses
	"urn:oid:2.16.840.1.113883.6.104":                          "icd9cm", // procedures
	"urn:oid:2.16.840.1.113883.12.292":                         "cvx",
	"urn:oid:2.16.840.1.113883.6.69":                           "ndc",
	"urn:oid:2.16.840.1.113883.6.73":                           "atc",
	"urn:oid:2.16.840.1.113883.6.12":                           "cpt",
	"urn:oid:2.16.840.1.113883.6.285":                          "hcpcs",
	"urn:oid:2.16.840.1.113883.6.8":                            "ucum",
}
