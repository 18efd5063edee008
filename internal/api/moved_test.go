package api

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/internal/fhir"
	"github.com/vigil-cds/vigil/processor"
)

// version is the good observation in a version, of a patient.
func version(t *testing.T, number, patient string) string {
	return strings.Replace(edit(t, `"id":"o1"`, `"id":"o1","meta":{"versionId":"`+number+`"}`), "Patient/p1", "Patient/"+patient, 1)
}

// written is the events since the last call, in short: method and patient.
func (s *service) written() (out []string) {
	for _, e := range s.log.events {
		out = append(out, e.Method+" "+e.Patient)
	}
	s.log.events = nil
	return out
}

func TestAVersionForAnotherPatientRetractsTheFormerOnesFacts(t *testing.T) {
	for _, method := range []string{http.MethodPut, http.MethodPost} {
		path := map[string]string{http.MethodPut: "/fhir/Observation/o1", http.MethodPost: "/fhir/Observation"}[method]
		s := newService(t, nil)
		s.owners["Observation/o1"] = "p2"
		w := s.do(method, path, version(t, "2", "p1"))
		require.Less(t, w.Code, 300, w.Body.String())
		require.Equal(t, processor.Event{Patient: "p2", Media: processor.MediaFHIR, Method: "DELETE", Type: "Observation", ID: "o1",
			Version: clinical.Version{Number: 2}}, s.log.events[0], "an older version that names p1 must not take p2's newer facts away")
		require.Equal(t, `W/"2"`, w.Header().Get("ETag"))
		require.Len(t, strings.Split(w.Header().Get("Vigil-Position"), ","), 2, "both are waited for")
		require.Equal(t, []string{"DELETE p2", method + " p1"}, s.written())

		s.owners["Observation/o1"] = "p1" // the store has it now
		s.do(method, path, version(t, "3", "p1"))
		require.Equal(t, []string{method + " p1"}, s.written(), "the same patient's next version")
	}
}

func TestTheServicesOwnMemoryKnowsWhatTheStoreHasNotSeen(t *testing.T) {
	s := newService(t, nil)
	for _, c := range []struct {
		number, patient string
		want            []string
	}{
		{"1", "p1", []string{"PUT p1"}},
		{"3", "p2", []string{"DELETE p1", "PUT p2"}},
		{"2", "p1", []string{"DELETE p2", "PUT p1"}}, // late: both are older than what is held
		{"4", "p3", []string{"DELETE p2", "PUT p3"}},
	} {
		w := s.do("PUT", "/fhir/Observation/o1", version(t, c.number, c.patient))
		require.Equal(t, 200, w.Code, w.Body.String())
		require.Equal(t, c.want, s.written(), "version %s", c.number)
	}
	s.owners["Observation/o1"] = "p2"
	s.do("PUT", "/fhir/Observation/o1", version(t, "5", "p4"))
	require.Equal(t, []string{"DELETE p3", "DELETE p2", "PUT p4"}, s.written(), "memory and store may differ")
}

func TestADeviceThatGoesBackIntoStockIsItsPatientsNoMore(t *testing.T) {
	s := newService(t, nil)
	s.owners["Device/d"] = "p1"
	require.Equal(t, 200, s.do("PUT", "/fhir/Device/d", `{"resourceType":"Device","id":"d"}`).Code)
	require.Equal(t, []string{"DELETE p1", "PUT "}, s.written())
}

func TestABundleThatMovesResourcesRetractsThemWhereTheyWere(t *testing.T) {
	swap := []string{entry("PUT", "Observation/a", of(t, "a", "p1")), entry("PUT", "Observation/b", of(t, "b", "p2"))}
	for kind, want := range map[string][]string{
		"transaction": {"POST p1", "POST p2"}, // each at once
		"batch":       {"DELETE p2", "PUT p1", "DELETE p1", "PUT p2"},
	} {
		s := newService(t, nil)
		s.owners["Observation/a"], s.owners["Observation/b"] = "p2", "p1"
		w := s.do("POST", "/fhir", bundle(kind, swap...))
		require.Equal(t, 200, w.Code, w.Body.String())
		_, status := statuses(t, w.Body.Bytes())
		require.Equal(t, []string{"200 OK", "200 OK"}, status)
		if kind == "transaction" {
			require.Equal(t, `[`+of(t, "a", "p1")+`,{"request":{"method":"DELETE","url":"Observation/b"}}]`, string(s.log.events[0].Body))
			require.Equal(t, `[{"request":{"method":"DELETE","url":"Observation/a"}},`+of(t, "b", "p2")+`]`, string(s.log.events[1].Body))
		}
		require.Equal(t, want, s.written(), kind)
	}
	s := newService(t, func(o *Options) { o.Simulated = true })
	s.do("POST", "/fhir", bundle("batch", entry("PUT", "Observation/o1", version(t, "1", "p1")), entry("PUT", "Observation/o1", version(t, "2", "p2"))))
	for _, e := range s.log.events {
		require.Equal(t, "2026-03-01T10:00:00Z", e.Recorded.String())
	}
	require.Equal(t, []string{"PUT p1", "DELETE p1", "PUT p2"}, s.written(), "moved within one Bundle")
	s.do("POST", "/fhir", bundle("transaction", entry("PUT", "Observation/o1", version(t, "3", "p3"))))
	for _, e := range s.log.events {
		require.Equal(t, "2026-03-01T10:00:00Z", e.Recorded.String())
	}
	require.Equal(t, []string{"POST p3", "POST p2"}, s.written())
}

// failingOwners cannot say whose a resource is.
type failingOwners struct{ err error }

func (o failingOwners) Owners(context.Context, []string) (Owned, error) { return Owned{}, o.err }

func TestAResourceIsTakenOnlyWhenItIsKnownWhoseItWas(t *testing.T) {
	for _, c := range []struct {
		err    error
		status int
	}{
		{ErrNotServed, 200}, // an intake by itself goes by its memory
		{errors.New("the disk is gone"), 503},
	} {
		s := newService(t, func(o *Options) { o.Owners = failingOwners{c.err} })
		require.Equal(t, c.status, s.do("PUT", "/fhir/Observation/o1", observation).Code)
		require.Equal(t, c.status, s.do("POST", "/fhir", bundle("batch", entry("PUT", "Observation/o1", observation))).Code)
		require.Equal(t, 200, s.do("POST", "/v1/observations", compact("p1", "1")).Code, "compact observations have no owner to look up")
		require.Equal(t, 200, s.do("PUT", "/fhir/Medication/m", `{"resourceType":"Medication","id":"m"}`).Code)
	}
}

// fakeMedications is what the service said of each Medication, and how many events the log then had.
type fakeMedications struct {
	log  *fakeLog
	said []string
}

func (m *fakeMedications) Put(reference string, version clinical.Version, codes []clinical.Code) {
	text := reference
	for _, c := range codes {
		text += " " + string(c)
	}
	if version.Number != 0 {
		text += " versioned"
	}
	if len(m.log.events) == 0 {
		text += " before the log had it"
	}
	m.said = append(m.said, text)
}

func TestWhatAMedicationIsIsKnownBeforeTheCallerIsAnswered(t *testing.T) {
	const ibuprofen = `{"resourceType":"Medication","id":"m1","meta":{"versionId":"1"},"code":{"coding":[{"system":"http://www.nlm.nih.gov/research/umls/rxnorm","code":"5640"}]}}`
	known := &fakeMedications{}
	s := newService(t, func(o *Options) { o.Medications = known })
	known.log = s.log
	s.log.fail = errors.New("no broker")
	require.Equal(t, 503, s.do("PUT", "/fhir/Medication/m1", ibuprofen).Code)
	require.Empty(t, known.said, "only what the log has")
	s.log.fail = nil
	for _, c := range []struct{ method, path, body, want string }{
		{"PUT", "/fhir/Medication/m1", ibuprofen, "Medication/m1 rxnorm|5640 versioned"},
		{"POST", "/fhir/Medication", ibuprofen, "Medication/m1 rxnorm|5640 versioned"},
		{"PUT", "/fhir/Medication/m1", strings.Replace(ibuprofen, `"code":{`, `"status":"entered-in-error","code":{`, 1), "Medication/m1 versioned"},
		{"POST", "/fhir", bundle("batch", entry("PUT", "Medication/m1", ibuprofen)), "Medication/m1 rxnorm|5640 versioned"},
		{"POST", "/fhir", bundle("transaction", entry("PUT", "Medication/m1", ibuprofen), entry("PUT", "Observation/o1", observation)), "Medication/m1 rxnorm|5640 versioned"},
		{"POST", "/fhir", bundle("batch", deletion("Medication/m1")), "Medication/m1"},
		{"DELETE", "/fhir/Medication/m1", "", "Medication/m1"},
	} {
		w := s.do(c.method, c.path, c.body)
		require.Less(t, w.Code, 300, w.Body.String())
		require.Equal(t, []string{c.want}, known.said, "%s %s", c.method, c.path)
		known.said = nil
	}
	last := s.log.events[len(s.log.events)-1]
	require.Equal(t, processor.Event{Media: processor.MediaFHIR, Method: "DELETE", Type: "Medication", ID: "m1"}, last)
}

// With a decoder that shares what is known, as in one process, the next request finds it.
func TestAFollowingRequestFindsTheMedication(t *testing.T) {
	known := processor.NewMedications()
	decoder := fhir.New(fhir.Options{Medication: known.Codes})
	s := newService(t, func(o *Options) { o.Medications, o.Decoder = known, decoder })
	s.do("PUT", "/fhir/Medication/m1", `{"resourceType":"Medication","id":"m1","code":{"text":"Ibuprofen"}}`)
	m, err := decoder.Resource([]byte(`{"resourceType":"MedicationRequest","status":"active","subject":{"reference":"Patient/p1"},"medicationReference":{"reference":"Medication/m1"}}`))
	require.NoError(t, err)
	require.Equal(t, []clinical.Code{"reference|Medication/m1", "text|ibuprofen"}, m.Assertion.Facts[0].Stream.Codes)
}
