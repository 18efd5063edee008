package fhir

import (
	"archive/tar"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/ulikunitz/xz"
)

const transaction = `{"resourceType":"Bundle","type":"transaction","entry":[
 {"fullUrl":"urn:uuid:AAAA","resource":{"resourceType":"Patient","identifier":[{"system":"http://h","value":"mrn1"}]},"request":{"method":"POST","url":"Patient"}},
 {"fullUrl":"urn:uuid:bbbb","resource":{"resourceType":"Observation","status":"final","code":{"text":"a"},"subject":{"reference":"urn:uuid:aaaa"},"effectiveDateTime":"2024"},"request":{"method":"POST","url":"Observation"}},
 {"resource":{"resourceType":"Condition","id":"c1","code":{"text":"x"},"subject":{"reference":"Patient?identifier=http://h|mrn1"},"recordedDate":"2024"},"request":{"method":"PUT","url":"Condition/c1"}},
 {"resource":{"resourceType":"Condition","id":"c2","code":{"text":"x"},"subject":{"identifier":{"system":"http://h","value":"mrn1"}},"recordedDate":"2024"},"request":{"method":"PUT","url":"Condition/c2"}},
 {"fullUrl":"urn:uuid:mmmm","resource":{"resourceType":"Medication","code":{"text":"Heparin"}},"request":{"method":"POST","url":"Medication"}},
 {"fullUrl":"urn:uuid:rrrr","resource":{"resourceType":"MedicationRequest","status":"active","intent":"order","contained":[{"resourceType":"Organization","id":"o"}],"medicationReference":{"reference":"urn:uuid:mmmm"},"subject":{"reference":"urn:uuid:aaaa"},"authoredOn":"2024"},"request":{"method":"POST","url":"MedicationRequest"}},
 {"request":{"method":"DELETE","url":"Observation/77"}},
 {"request":{"method":"DELETE","url":"Patient/9"}},
 {"resource":{"resourceType":"Condition","id":"c1","subject":{"reference":"urn:uuid:aaaa"}},"request":{"method":"PUT","url":"Condition/c1"}},
 {"resource":{"resourceType":"Condition","id":"c4","subject":{"reference":"urn:uuid:aaaa"}},"request":{"method":"PUT","url":"Condition/c5"}},
 {"resource":{"resourceType":"Conditoin","id":"c6"}},
 {"request":{"method":"POST","url":"Condition"}},
 {"request":{"method":"DELETE","url":"nowhere"}}
]}`

func TestABundleIsTakenApart(t *testing.T) {
	d := New(Options{})
	b, err := d.Bundle([]byte(transaction))
	require.NoError(t, err)
	require.Equal(t, "transaction", b.Type)
	for i, want := range []Entry{
		{Method: "POST", Type: "Patient", ID: "aaaa", Patient: "aaaa"},
		{Method: "POST", Type: "Observation", ID: "bbbb", Patient: "aaaa"},
		{Method: "PUT", Type: "Condition", ID: "c1", Patient: "aaaa"},
		{Method: "PUT", Type: "Condition", ID: "c2", Patient: "aaaa"},
		{Method: "POST", Type: "Medication", ID: "mmmm"},
		{Method: "POST", Type: "MedicationRequest", ID: "rrrr", Patient: "aaaa"},
		{Method: "DELETE", Type: "Observation", ID: "77"},
		{Method: "DELETE", Type: "Patient", ID: "9", Patient: "9"},
	} {
		e := b.Entries[i]
		require.NoError(t, e.Err)
		require.Equal(t, i, e.Index)
		require.Equal(t, []string{want.Method, want.Type, want.ID, want.Patient}, []string{e.Method, e.Type, e.ID, e.Patient})
		if e.Body == nil {
			continue
		}
		m, err := d.Resource(e.Body)
		require.NoError(t, err, string(e.Body))
		require.Equal(t, []string{want.Type, want.ID, want.Patient}, []string{m.Type, m.ID, m.Patient}, string(e.Body))
		if e.Type == "MedicationRequest" {
			require.Equal(t, "medication:text|heparin", m.Assertion.Facts[0].Stream.Key())
			require.Contains(t, string(e.Body), `"reference":"Medication/mmmm"`)
		}
	}
	for i, want := range map[int]Fault{
		8:  {Reason: Conflict, Place: "Bundle.entry[8].resource.id"},
		9:  {Reason: Conflict, Place: "Bundle.entry[9].resource.id"},
		10: {Reason: UnknownType, Place: "Bundle.entry[10].resource.resourceType"},
		11: {Reason: MissingElement, Place: "Bundle.entry[11].resource"},
		12: {Reason: InvalidReference, Place: "Bundle.entry[12].request.url"},
	} {
		var f *Fault
		require.True(t, errors.As(b.Entries[i].Err, &f), i)
		require.Equal(t, [2]string{string(want.Reason), want.Place}, [2]string{string(f.Reason), f.Place})
	}
	groups := b.Groups()
	require.Equal(t, "aaaa", groups[0][0].Patient)
	require.Len(t, groups[0], 5)
}

func TestWhatABundleDoesNotRewriteStaysByteForByte(t *testing.T) {
	body := `{ "resourceType" : "Observation" , "id":"1","valueString":"urn:uuid:a \"reference\": 1.50","x":1.500,"subject":{"reference":"Patient/p"} }`
	b, err := New(Options{}).Bundle([]byte(`{"resourceType":"Bundle","type":"collection","entry":[{"fullUrl":"urn:uuid:a","resource":` + body + `}]}`))
	require.NoError(t, err)
	require.Equal(t, body, string(b.Entries[0].Body))
	require.Equal(t, "PUT", b.Entries[0].Method)
}

func TestAConditionalCreateIsKnownByItsIdentifier(t *testing.T) {
	b, err := New(Options{}).Bundle([]byte(`{"resourceType":"Bundle","type":"transaction","entry":[
		{"fullUrl":"urn:uuid:1","resource":{"resourceType":"Patient"},"request":{"method":"POST","url":"Patient","ifNoneExist":"identifier=s|v"}},
		{"fullUrl":"urn:uuid:2","resource":{"resourceType":"Observation","subject":{"reference":"urn:uuid:1"}},"request":{"method":"PUT","url":"Observation?identifier=s|o"}}]}`))
	require.NoError(t, err)
	require.Equal(t, IdentifierID("s", "v"), b.Entries[1].Patient)
	require.Equal(t, IdentifierID("s", "o"), b.Entries[1].ID)
}

func TestMedicationsAreNotRepeatedBeyondTheLimit(t *testing.T) {
	request := `{"resource":{"resourceType":"MedicationRequest","medicationReference":{"reference":"Medication/m"},"subject":{"reference":"Patient/1"}}},`
	in := `{"resourceType":"Bundle","type":"batch","entry":[` + strings.Repeat(request, 20) +
		`{"resource":{"resourceType":"Medication","id":"m","code":{"text":"` + strings.Repeat("x", 2000) + `"}}}]}`
	b, err := New(Options{MaxBytes: 10000}).Bundle([]byte(in))
	require.NoError(t, err)
	require.NoError(t, b.Entries[0].Err)
	var f *Fault
	require.ErrorAs(t, b.Entries[19].Err, &f)
	require.Equal(t, TooLarge, f.Reason)
}

func TestABundleThatIsNoneIsRefused(t *testing.T) {
	for in, reason := range map[string]Reason{`{`: InvalidJSON, `{"resourceType":"Patient"}`: UnknownType,
		`{"resourceType":"Bundle","entry":5}`: InvalidJSON, "\xff": InvalidUTF8} {
		_, err := New(Options{}).Bundle([]byte(in))
		var f *Fault
		require.ErrorAs(t, err, &f)
		require.Equal(t, reason, f.Reason)
	}
}

// Whole patients as a simulator writes them: everything in them is valid FHIR R4.
func TestNothingOfTheSyntheaPatientsIsRefused(t *testing.T) {
	archive := filepath.Join("..", "..", "..", "shared", "data", "synthea-r4-120-patients.tar.xz")
	file, err := os.Open(archive)
	if errors.Is(err, os.ErrNotExist) {
		t.Skip("the Synthea patients are not beside this module")
	}
	require.NoError(t, err)
	defer file.Close()
	unpacked, err := xz.NewReader(file)
	require.NoError(t, err)
	bundles, facts, limit := 0, 0, 120
	if testing.Short() {
		limit = 10
	}
	d, attributes := New(Options{}), map[string]int{}
	for in := tar.NewReader(unpacked); bundles < limit; {
		entry, err := in.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		if !strings.HasSuffix(entry.Name, ".json") {
			continue
		}
		data, err := io.ReadAll(in)
		require.NoError(t, err)
		b, err := d.Bundle(data)
		require.NoError(t, err)
		bundles++
		for _, e := range b.Entries {
			require.NoError(t, e.Err)
			m, err := d.Resource(e.Body)
			require.NoError(t, err)
			require.Equal(t, e.Patient, m.Patient)
			require.Equal(t, e.ID, m.ID)
			require.NotContains(t, string(e.Body), `"reference": "urn:uuid:`)
			if m.Counted == "" {
				require.NotEmpty(t, m.Assertion.Facts)
				require.NotEmpty(t, m.Patient)
			}
			facts += len(m.Assertion.Facts)
			count(t, m.Assertion.Facts, attributes)
		}
	}
	require.Equal(t, limit, bundles)
	t.Logf("%d bundles, %d facts, with these attributes: %v", bundles, facts, attributes)
	if limit == 120 {
		require.Equal(t, inSynthea, slices.Sorted(maps.Keys(attributes)))
	}
}
