package fhir

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vigil-cds/vigil/internal/clinical"
)

func TestAMedicationIsEveryCodingOfItsCode(t *testing.T) {
	for _, c := range []struct {
		name, body string
		want       []clinical.Code
	}{
		{"two codings", `{"resourceType":"Medication","code":{"coding":[{"system":"http://www.nlm.nih.gov/research/umls/rxnorm","code":"5640"},{"system":"http://www.whocc.no/atc","code":"M01AE01"}]}}`,
			[]clinical.Code{"rxnorm|5640", "atc|M01AE01"}},
		{"words alone", `{"resourceType":"Medication","status":"active","code":{"text":"Ibuprofen"}}`, []clinical.Code{"text|ibuprofen"}},
		{"no code", `{"resourceType":"Medication"}`, nil},
		{"entered in error", `{"resourceType":"Medication","status":"entered-in-error","code":{"text":"Ibuprofen"}}`, nil},
		{"unreadable", `{"code":5}`, nil},
	} {
		require.Equal(t, c.want, MedicationCodes([]byte(c.body)), c.name)
	}
}

func TestAReferencedMedicationThatCameEarlierGivesItsCodes(t *testing.T) {
	d := New(Options{Medication: func(reference string) []clinical.Code {
		return map[string][]clinical.Code{"Medication/m1": {"rxnorm|5640", "atc|M01AE01"}}[reference]
	}})
	for _, c := range []struct {
		name, medication, contained string
		want                        []clinical.Code
	}{
		{"relative", "Medication/m1", "", []clinical.Code{"atc|M01AE01", "reference|Medication/m1", "rxnorm|5640"}},
		{"absolute, of one version", "https://ehr.test/fhir/Medication/m1/_history/2", "", []clinical.Code{"atc|M01AE01", "reference|Medication/m1", "rxnorm|5640"}},
		{"by the uuid of an earlier Bundle", "urn:uuid:m1", "", []clinical.Code{"atc|M01AE01", "reference|urn:uuid:m1", "rxnorm|5640"}},
		{"unknown", "Medication/m2", "", []clinical.Code{"reference|Medication/m2"}},
		{"of another type", "Substance/m1", "", []clinical.Code{"reference|Substance/m1"}},
		{"contained", "#m1", `{"resourceType":"Medication","id":"m1","code":{"text":"aspirin"}}`, []clinical.Code{"text|aspirin"}},
	} {
		for _, typ := range []string{"MedicationRequest", "MedicationAdministration", "MedicationStatement", "MedicationDispense"} {
			m, err := d.Resource([]byte(`{"resourceType":"` + typ + `","id":"r","status":"completed","contained":[` + c.contained +
				`],"subject":{"reference":"Patient/p"},"medicationReference":{"reference":"` + c.medication + `"}}`))
			require.NoError(t, err, c.name)
			require.Equal(t, c.want, m.Assertion.Facts[0].Stream.Codes, "%s: %s", typ, c.name)
		}
	}
}
