package api

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/processor"
)

// edit replaces a part of the good observation.
func edit(t *testing.T, from, to string) string {
	t.Helper()
	require.Contains(t, observation, from)
	return strings.Replace(observation, from, to, 1)
}

func TestEachFaultIsToldByPlaceAndMendAndTheStreamGoesOn(t *testing.T) {
	for _, c := range []struct {
		name, body    string
		status        int
		place, mend   string
		reason        string
		reachesFilter bool
	}{
		{name: "invalid JSON", body: observation[:100], status: 400, mend: "JSON", reason: "invalid-json"},
		{name: "no patient", body: edit(t, `"subject":{"reference":"Patient/p1"},`, ""), status: 422,
			place: "Observation.subject", mend: "refer to one Patient", reason: "no-patient"},
		{name: "unreadable date", body: edit(t, "2026-03-01T10:00:00Z", "yesterday"), status: 422,
			place: "Observation.effectiveDateTime", mend: "write it as 2026-03-01", reason: "unreadable-date"},
		{name: "a value that is not a number", body: edit(t, `"value":1.4`, `"value":"1.4"`), status: 422,
			place: "Observation.valueQuantity.value", mend: "JSON number", reason: "not-a-number"},
		{name: "unknown unit", body: edit(t, "mg/dL", "furlongs"), status: 422,
			place: "Observation.valueQuantity", mend: "UCUM", reason: "unknown-unit"},
		{name: "nesting over the limit", body: edit(t, `"id":"o1"`, `"extension":`+strings.Repeat("[", 20)+strings.Repeat("]", 20)), status: 400,
			mend: "", reason: "too-deep"},
		{name: "patient id over the limit", body: edit(t, "Patient/p1", "Patient/"+strings.Repeat("p", 65)), status: 422,
			place: "Observation.subject.reference", mend: "shorter id", reason: "patient-id-too-long"},
		{name: "patient id with a strange letter", body: edit(t, "Patient/p1", "Patient/p 1"), status: 422,
			place: "Observation.subject.reference", mend: "letters, digits", reason: "invalid-patient-id"},
		{name: "invalid UTF-8", body: edit(t, "final", "fin\xff"), status: 400, mend: "UTF-8", reason: "invalid-utf8"},
		{name: "unknown type", body: edit(t, "Observation", "Observaton"), status: 400, mend: "did you mean Observation?", reason: "unknown-type"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newService(t, nil)
			w := s.do(http.MethodPost, "/fhir/Observation", c.body, "Content-Type", processor.MediaFHIR)
			require.Equal(t, c.status, w.Code, w.Body.String())
			text := issues(t, w)
			require.Contains(t, text, c.place)
			require.Contains(t, text, c.mend)
			require.Empty(t, s.log.events, "what is refused must not reach the log")
			require.Contains(t, s.do("GET", "/metrics", "").Body.String(), `vigil_http_refused_total{reason="`+c.reason+`"} 1`)
			s.taken()
		})
	}
}

func TestABodyOverTheLimitIsRefusedPlainAndCompressed(t *testing.T) {
	large := edit(t, `"id":"o1"`, `"id":"o1","language":"`+strings.Repeat("x", 5000)+`"`)
	for name, send := range map[string]func(*service) (int, string){
		"plain": func(s *service) (int, string) {
			w := s.do("POST", "/fhir/Observation", large)
			return w.Code, issues(t, w)
		},
		"of unknown length": func(s *service) (int, string) {
			w := s.do("POST", "/fhir/Observation", large, "Content-Length", "")
			return w.Code, issues(t, w)
		},
		"a small gzip that is large inside": func(s *service) (int, string) {
			packed := zip(t, large)
			require.Less(t, len(packed), 4096)
			w := s.do("POST", "/fhir/Observation", packed, "Content-Encoding", "gzip")
			return w.Code, issues(t, w)
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := newService(t, nil)
			status, text := send(s)
			require.Equal(t, http.StatusRequestEntityTooLarge, status)
			require.Contains(t, text, "several parts")
			s.taken()
		})
	}
}

func zip(t *testing.T, text string) string {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := w.Write([]byte(text))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return b.String()
}

func TestBodiesThatCannotBeReadAreRefused(t *testing.T) {
	for _, c := range []struct {
		name, body string
		status     int
		mend       string
		headers    []string
	}{
		{"another media type", observation, 415, "application/fhir+json", []string{"Content-Type", "application/fhir+xml"}},
		{"a form", observation, 415, "application/fhir+json", []string{"Content-Type", "application/x-www-form-urlencoded"}},
		{"another charset", observation, 415, "UTF-8", []string{"Content-Type", "application/json; charset=latin1"}},
		{"another encoding", observation, 415, "gzip", []string{"Content-Encoding", "br"}},
		{"not gzip", observation, 400, "Content-Encoding", []string{"Content-Encoding", "gzip"}},
		{"a gzip cut short", zip(t, observation)[:40], 400, "send it again", []string{"Content-Encoding", "gzip"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newService(t, nil)
			w := s.do("POST", "/fhir/Observation", c.body, c.headers...)
			require.Equal(t, c.status, w.Code, w.Body.String())
			require.Contains(t, issues(t, w), c.mend)
			s.taken()
		})
	}
}

func TestAResourceIsTakenAsItWasSent(t *testing.T) {
	s := newService(t, nil)
	w := s.do("PUT", "/fhir/Observation/o1", zip(t, observation), "Content-Encoding", "gzip", "Content-Type", "application/fhir+json; charset=UTF-8")
	require.Equal(t, 200, w.Code, w.Body.String())
	require.Equal(t, []processor.Event{{Patient: "p1", Media: processor.MediaFHIR, Method: "PUT", Body: []byte(observation)}}, s.log.events)
	position := processor.Position{Log: 'e', Partition: partition("p1")}.String()
	require.Equal(t, position, w.Header().Get("Vigil-Position"))
	require.Equal(t, `W/"`+position+`"`, w.Header().Get("ETag"))
	require.Equal(t, "http://example.com/fhir/Observation/o1", w.Header().Get("Location"))
}

func TestAResourcesOwnVersionIsItsETag(t *testing.T) {
	s := newService(t, nil)
	w := s.do("PUT", "/fhir/Observation/o1", edit(t, `"id":"o1"`, `"id":"o1","meta":{"versionId":"7"}`))
	require.Equal(t, `W/"7"`, w.Header().Get("ETag"))
}

func TestAResourceWithoutAnIDGetsTheSameOneEachTime(t *testing.T) {
	s := newService(t, nil)
	body := edit(t, `"id":"o1",`, "")
	first := s.do("POST", "/fhir/Observation", body)
	again := s.do("POST", "/fhir/Observation", body)
	require.Equal(t, 201, first.Code, first.Body.String())
	require.Equal(t, first.Header().Get("Location"), again.Header().Get("Location"))
	require.Contains(t, first.Header().Get("Location"), "/fhir/Observation/content-")
}

func TestThePathAndTheResourceMustAgree(t *testing.T) {
	for _, c := range []struct{ method, path, body, place, mend string }{
		{"POST", "/fhir/Condition", observation, "Observation", "/fhir/Observation"},
		{"PUT", "/fhir/Observation/o2", observation, "Observation.id", "path of its own id"},
		{"PUT", "/fhir/Observation/o1", edit(t, `"id":"o1",`, ""), "Observation.id", "state the id"},
	} {
		s := newService(t, nil)
		w := s.do(c.method, c.path, c.body)
		require.Equal(t, 400, w.Code)
		require.Contains(t, issues(t, w), c.place)
		require.Contains(t, issues(t, w), c.mend)
		require.Empty(t, s.log.events)
	}
}

func TestADeleteGoesToThePatientOfTheResource(t *testing.T) {
	s := newService(t, nil)
	s.owners["Condition/c1"] = "p9"
	w := s.do("DELETE", "/fhir/Condition/c1", "")
	require.Equal(t, 204, w.Code)
	require.Equal(t, processor.Event{Patient: "p9", Media: processor.MediaFHIR, Method: "DELETE", Type: "Condition", ID: "c1"}, s.log.events[0])
	require.NotEmpty(t, w.Header().Get("Vigil-Position"))

	s.taken() // not in the store yet: the service itself remembers whose it is
	require.Equal(t, 204, s.do("DELETE", "/fhir/Observation/o1", "").Code)
	require.Equal(t, "p1", s.log.events[2].Patient)

	w = s.do("DELETE", "/fhir/Observation/nobody", "")
	require.Equal(t, 404, w.Code)
	require.Contains(t, issues(t, w), "check the id")
}

func TestWhatWasWrittenLatelyIsRememberedAcrossGenerations(t *testing.T) {
	var r recent
	r.put("Observation/first", "p1", clinical.Version{})
	for i := range perGeneration {
		r.put("Observation/"+string(rune('a'+i%26))+strings.Repeat("x", i%50)+strconv.Itoa(i), "p2", clinical.Version{})
	}
	patient, ok := r.get("Observation/first")
	require.True(t, ok)
	require.Equal(t, "p1", patient)
	_, ok = r.get("Observation/never")
	require.False(t, ok)
}

func TestWhenTheLogFailsTheCallerIsToldToSendAgain(t *testing.T) {
	for path, body := range map[string]string{
		"/fhir/Observation": observation,
		"/fhir":             bundle("transaction", entry("PUT", "Observation/o1", observation)),
		"/v1/observations":  compact("p1", "1"),
	} {
		s := newService(t, nil)
		s.log.fail = errors.New("no broker")
		w := s.do("POST", path, body)
		require.Equal(t, 503, w.Code, path)
		require.Equal(t, "1", w.Header().Get("Retry-After"))
		require.Contains(t, w.Body.String(), "send the same request again")
		require.NotContains(t, w.Body.String(), "no broker")
		s.log.fail = nil
		s.taken()
	}
}

func TestWhatTheLogCannotHoldIsRefusedForGood(t *testing.T) {
	s := newService(t, nil)
	s.log.fail = fmt.Errorf("writing 1 events: %w", processor.ErrTooLarge)
	w := s.do("POST", "/fhir/Observation", observation)
	require.Equal(t, 413, w.Code)
	require.Contains(t, issues(t, w), "several parts")
}

func TestInSimulatedTimeAnEventIsRecordedWhenItSaysOrWhenItStates(t *testing.T) {
	s := newService(t, func(o *Options) { o.Simulated = true })
	s.taken()
	require.Equal(t, "2026-03-01T10:00:00Z", s.log.events[0].Recorded.String())
	s.do("PUT", "/fhir/Observation/o1", observation, "Vigil-Recorded", "2026-03-01T11:00:00Z")
	require.Equal(t, "2026-03-01T11:00:00Z", s.log.events[1].Recorded.String())
	s.do("POST", "/fhir", bundle("transaction", entry("PUT", "Observation/o1", observation)))
	require.Equal(t, "2026-03-01T10:00:00Z", s.log.events[2].Recorded.String())
	s.do("POST", "/v1/observations", compact("p1", "1"))
	require.Equal(t, "2026-03-01T10:00:00Z", s.log.events[3].Recorded.String())
	s.do("POST", "/fhir/Patient", `{"resourceType":"Patient","id":"p1","birthDate":"2030-01-01"}`)
	require.Equal(t, clinical.Instant(1), s.log.events[4].Recorded, "a birth date moves no clock")
	require.Equal(t, 400, s.do("PUT", "/fhir/Observation/o1", observation, "Vigil-Recorded", "noon").Code)

	live := newService(t, nil)
	w := live.do("PUT", "/fhir/Observation/o1", observation, "Vigil-Recorded", "2026-03-01T11:00:00Z")
	require.Equal(t, 400, w.Code)
	require.Contains(t, issues(t, w), "--clock log")
}

func bundle(kind string, entries ...string) string {
	return `{"resourceType":"Bundle","type":"` + kind + `","entry":[` + strings.Join(entries, ",") + `]}`
}

func entry(method, url, resource string) string {
	return `{"resource":` + resource + `,"request":{"method":"` + method + `","url":"` + url + `"}}`
}

func deletion(url string) string { return `{"request":{"method":"DELETE","url":"` + url + `"}}` }

func of(t *testing.T, id, patient string) string {
	return strings.Replace(edit(t, `"id":"o1"`, `"id":"`+id+`"`), "Patient/p1", "Patient/"+patient, 1)
}

func statuses(t *testing.T, body []byte) (kind string, out []string) {
	t.Helper()
	var b bundleResponse
	require.NoError(t, json.Unmarshal(body, &b))
	for _, e := range b.Entry {
		out = append(out, e.Response.Status)
	}
	return b.Type, out
}

func TestATransactionIsOneEventForEachPatient(t *testing.T) {
	s := newService(t, nil)
	s.owners["Observation/old"] = "p2"
	w := s.do("POST", "/fhir", bundle("transaction",
		entry("PUT", "Observation/a", of(t, "a", "p1")), entry("POST", "Observation", of(t, "b", "p2")),
		entry("PUT", "Observation/c", of(t, "c", "p1")), deletion("Observation/old"),
		entry("PUT", "Practitioner/d", `{"resourceType":"Practitioner","id":"d"}`)))
	require.Equal(t, 200, w.Code, w.Body.String())
	kind, status := statuses(t, w.Body.Bytes())
	require.Equal(t, "transaction-response", kind)
	require.Equal(t, []string{"200 OK", "201 Created", "200 OK", "204 No Content", "200 OK"}, status)
	require.Len(t, s.log.events, 2)
	for i, want := range []struct {
		patient string
		ids     []string
	}{{"p1", []string{"a", "c", "d"}}, {"p2", []string{"b", "Observation/old"}}} {
		e := s.log.events[i]
		require.Equal(t, want.patient, e.Patient)
		require.Equal(t, processor.MediaBundle, e.Media)
		var inside []struct {
			ID      string
			Request struct{ URL string }
		}
		require.NoError(t, json.Unmarshal(e.Body, &inside))
		var ids []string
		for _, e := range inside {
			ids = append(ids, e.ID+e.Request.URL)
		}
		require.Equal(t, want.ids, ids)
	}
	require.Len(t, strings.Split(w.Header().Get("Vigil-Position"), ","), 2)
}

func TestATransactionWithAFaultIsNotTakenAtAll(t *testing.T) {
	s := newService(t, nil)
	bad := edit(t, "2026-03-01T10:00:00Z", "yesterday")
	w := s.do("POST", "/fhir", bundle("transaction", entry("PUT", "Observation/a", of(t, "a", "p1")), entry("PUT", "Observation/o1", bad),
		deletion("Observation/never")))
	require.Equal(t, 422, w.Code, w.Body.String())
	text := issues(t, w)
	require.Contains(t, text, "Bundle.entry[1].resource.effectiveDateTime")
	require.Contains(t, text, "Bundle.entry[2].request.url")
	require.Empty(t, s.log.events)
	s.taken()
}

func TestABatchIsTakenEntryByEntry(t *testing.T) {
	for _, kind := range []string{"batch", "collection", "message"} {
		s := newService(t, nil)
		bad := edit(t, `"subject":{"reference":"Patient/p1"},`, "")
		w := s.do("POST", "/fhir", bundle(kind, entry("PUT", "Observation/o1", bad), entry("PUT", "Observation/a", of(t, "a", "p1")),
			`{"request":{"method":"GET","url":"Observation/a"}}`))
		require.Equal(t, 200, w.Code, w.Body.String())
		answered, status := statuses(t, w.Body.Bytes())
		require.Equal(t, "batch-response", answered)
		require.Equal(t, []string{"422 Unprocessable Entity", "200 OK", "422 Unprocessable Entity"}, status)
		require.Contains(t, w.Body.String(), "Bundle.entry[0].resource.subject")
		require.Contains(t, w.Body.String(), "use POST, PUT or DELETE")
		require.Len(t, s.log.events, 1)
		require.Contains(t, string(s.log.events[0].Body), `"id":"a"`)
	}
}

func TestABundleThatIsNoneIsRefused(t *testing.T) {
	s := newService(t, nil)
	require.Equal(t, 400, s.do("POST", "/fhir", observation).Code)
	require.Equal(t, 400, s.do("POST", "/fhir", "[]").Code)
	require.Equal(t, 200, s.do("POST", "/fhir", bundle("batch")).Code)
	s.taken()
}
