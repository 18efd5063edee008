package fhir

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vigil-cds/vigil/internal/clinical"
)

// withReason is a resource of each type that can name a reason, without its reasons.
var withReason = map[string]string{
	"MedicationRequest":        `"status":"active","intent":"order","subject":{"reference":"Patient/1"},"authoredOn":"2024-03-01","medicationCodeableConcept":{"text":"x"}`,
	"MedicationAdministration": `"status":"completed","subject":{"reference":"Patient/1"},"effectiveDateTime":"2024-03-01","medicationCodeableConcept":{"text":"x"}`,
	"MedicationStatement":      `"status":"active","subject":{"reference":"Patient/1"},"effectiveDateTime":"2024-03-01","medicationCodeableConcept":{"text":"x"}`,
	"Immunization":             `"status":"completed","patient":{"reference":"Patient/1"},"occurrenceDateTime":"2024-03-01","vaccineCode":{"text":"x"}`,
	"Procedure":                `"status":"completed","subject":{"reference":"Patient/1"},"performedDateTime":"2024-03-01","code":{"text":"x"}`,
	"Encounter":                `"status":"finished","subject":{"reference":"Patient/1"},"class":{"code":"IMP"},"period":{"start":"2024-03-01","end":"2024-03-02"}`,
	"ServiceRequest":           `"status":"active","intent":"order","subject":{"reference":"Patient/1"},"authoredOn":"2024-03-01","code":{"text":"x"}`,
	"DeviceRequest":            `"status":"active","intent":"order","subject":{"reference":"Patient/1"},"authoredOn":"2024-03-01","codeCodeableConcept":{"text":"x"}`,
	"DeviceUseStatement":       `"status":"active","subject":{"reference":"Patient/1"},"timingDateTime":"2024-03-01","device":{"display":"x"}`,
}

const sepsis = `"code":{"coding":[{"system":"http://snomed.info/sct","code":"91302008"},{"system":"http://hl7.org/fhir/sid/icd-10-cm","code":"A41.9"}]}`

// reasonsOf maps a body and gives the reasons of its one fact.
func reasonsOf(t *testing.T, d *Decoder, body []byte) []clinical.Code {
	t.Helper()
	m, err := d.Resource(body)
	require.NoError(t, err, string(body))
	require.Len(t, m.Assertion.Facts, 1)
	if a := m.Assertion.Facts[0].Detail.Attribute(clinical.AttrReason); a != nil {
		return a.Codes
	}
	return nil
}

func TestAConditionThatIsTheReasonGivesItsCodes(t *testing.T) {
	d := New(Options{})
	both := []clinical.Code{"icd10cm|A41.9", "snomed|91302008"}
	for typ, rest := range withReason {
		t.Run(typ, func(t *testing.T) {
			resource := func(more string) string { return fmt.Sprintf(`{"resourceType":%q,"id":"r",%s%s}`, typ, rest, more) }
			contained := `,"contained":[{"resourceType":"Condition","id":"c",` + sepsis + `}]`
			require.Nil(t, reasonsOf(t, d, []byte(resource(``))))
			require.ElementsMatch(t, both, reasonsOf(t, d, []byte(resource(contained+`,"reasonReference":[{"reference":"#c"}]`))))
			require.ElementsMatch(t, append(both, "snomed|233604007"), reasonsOf(t, d, []byte(resource(contained+`,"reasonReference":[{"reference":"#c"}],
				"reasonCode":[{"coding":[{"system":"http://snomed.info/sct","code":"233604007"},{"system":"http://snomed.info/sct","code":"91302008"}]}]`))),
				"beside the codes of reasonCode, each once")

			for _, reference := range []string{"urn:uuid:c1", "Condition/c1", "https://ehr.example/fhir/Condition/c1"} {
				b, err := d.Bundle([]byte(`{"resourceType":"Bundle","type":"transaction","entry":[
					{"resource":` + resource(`,"reasonReference":[{"reference":"`+reference+`"}]`) + `},
					{"fullUrl":"` + reference + `","resource":{"resourceType":"Condition","id":"c1","subject":{"reference":"Patient/1"},"note":[{"text":"long"}],` + sepsis + `}}]}`))
				require.NoError(t, err)
				require.NoError(t, b.Entries[0].Err)
				require.ElementsMatch(t, both, reasonsOf(t, d, b.Entries[0].Body), reference)
				require.NotContains(t, string(b.Entries[0].Body), "note", "no more of the condition is repeated than what it is")
				again, err := d.Bundle([]byte(`{"resourceType":"Bundle","type":"batch","entry":[{"resource":` + string(b.Entries[0].Body) + `}]}`))
				require.NoError(t, err)
				require.Equal(t, string(b.Entries[0].Body), string(again.Entries[0].Body), "it stands alone")
			}
		})
	}
}

func TestAReasonThatIsNotHereIsNotGuessed(t *testing.T) {
	d := New(Options{})
	order := func(reference string) string {
		return `{"resourceType":"ServiceRequest","id":"r",` + withReason["ServiceRequest"] + `,"reasonReference":[` + reference + `]}`
	}
	for _, reference := range []string{`{"reference":"Condition/elsewhere"}`, `{"reference":"#nowhere"}`, `{"reference":"urn:uuid:9"}`, `{"display":"sepsis"}`,
		`{"reference":"nonsense"}`, `{"reference":"Observation/o"}`, `{"identifier":{"value":"7"}}`} {
		b, err := d.Bundle([]byte(`{"resourceType":"Bundle","type":"collection","entry":[{"resource":` + order(reference) + `},
			{"resource":{"resourceType":"Observation","id":"o","status":"final","subject":{"reference":"Patient/1"},"code":{"text":"y"}}}]}`))
		require.NoError(t, err)
		require.NoError(t, b.Entries[0].Err, reference)
		require.Nil(t, reasonsOf(t, d, b.Entries[0].Body), reference)
	}

	b, err := d.Bundle([]byte(`{"resourceType":"Bundle","type":"collection","entry":[{"resource":` + order(`{"reference":"Condition/c"}`) + `},
		{"resource":{"resourceType":"Condition","id":"c","subject":{"reference":"Patient/1"},"verificationStatus":{"coding":[{"code":"entered-in-error"}]},` + sepsis + `}}]}`))
	require.NoError(t, err)
	require.Nil(t, reasonsOf(t, d, b.Entries[0].Body), "a diagnosis made in error is no reason")
}

func TestAConditionIsRepeatedOnlyWhereItIsTheReasonOrTheDiagnosis(t *testing.T) {
	in := `{"resourceType":"Bundle","type":"collection","entry":[
		{"resource":{"resourceType":"Encounter","id":"e",` + withReason["Encounter"] + `,"extension":[{"url":"x","valueReference":{"reference":"Condition/c"}}]}},
		{"resource":{"resourceType":"Condition","id":"c","subject":{"reference":"Patient/1"},` + sepsis + `}}]}`
	b, err := New(Options{}).Bundle([]byte(in))
	require.NoError(t, err)
	require.NotContains(t, string(b.Entries[0].Body), "contained")

	in = strings.Replace(in, `"extension":[{"url":"x","valueReference":{"reference":"Condition/c"}}]`, `"diagnosis":[{"condition":{"reference":"Condition/c"}}],"reasonReference":[{"reference":"Condition/c"},{"reference":"Condition/c"}]`, 1)
	b, err = New(Options{}).Bundle([]byte(in))
	require.NoError(t, err)
	require.Equal(t, 1, strings.Count(string(b.Entries[0].Body), "91302008"))
}

func TestTheDiagnosesOfAnEncounterGiveTheirCodes(t *testing.T) {
	d := New(Options{})
	b, err := d.Bundle([]byte(`{"resourceType":"Bundle","type":"transaction","entry":[
		{"resource":{"resourceType":"Encounter","id":"e",` + withReason["Encounter"] + `,"diagnosis":[{"condition":{"reference":"urn:uuid:c1"},"rank":1},{"condition":{"reference":"Condition/gone"}}]}},
		{"fullUrl":"urn:uuid:c1","resource":{"resourceType":"Condition","id":"c1","subject":{"reference":"Patient/1"},` + sepsis + `}}]}`))
	require.NoError(t, err)
	m, err := d.Resource(b.Entries[0].Body)
	require.NoError(t, err)
	a := m.Assertion.Facts[0].Detail.Attribute(clinical.AttrDiagnosis)
	require.NotNil(t, a)
	require.Equal(t, []clinical.Code{"icd10cm|A41.9", "snomed|91302008"}, a.Codes)
	require.Nil(t, m.Assertion.Facts[0].Detail.Attribute(clinical.AttrReason), "a diagnosis is no reason for coming")
}
