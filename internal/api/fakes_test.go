package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"hash/fnv"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"

	"github.com/vigil-cds/vigil/internal/fhir"
	"github.com/vigil-cds/vigil/pointer"
	"github.com/vigil-cds/vigil/processor"
	"github.com/vigil-cds/vigil/rules"
	"github.com/vigil-cds/vigil/store"
)

// fakeLog keeps events in partitions, as the log does.
type fakeLog struct {
	mu     sync.Mutex
	events []processor.Event
	fail   error
	block  chan struct{} // when set, Write waits for it to close
	next   map[int32]int64
}

func (l *fakeLog) Write(ctx context.Context, events []processor.Event) ([]processor.Position, error) {
	if l.block != nil {
		select {
		case <-l.block:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fail != nil {
		return nil, l.fail
	}
	out := make([]processor.Position, len(events))
	for i, e := range events {
		p := partition(e.Patient)
		out[i] = processor.Position{Log: 'e', Partition: p, Offset: l.next[p]}
		l.next[p]++
	}
	l.events = append(l.events, events...)
	return out, nil
}

func partition(patient string) int32 {
	h := fnv.New32a()
	h.Write([]byte(patient))
	return int32(h.Sum32() % 4)
}

// fakeReader answers with what it was asked.
type fakeReader struct {
	patient string
	options store.ReadOptions
	reading store.Reading
	err     error

	position string
	change   func(*store.Answer) // what it says otherwise
}

func (r *fakeReader) Whole(ctx context.Context, patient string, o store.ReadOptions) (store.Reading, error) {
	r.patient, r.options = patient, o
	if errors.Is(r.err, store.ErrNotReached) {
		<-ctx.Done()
	}
	return r.reading, r.err
}

func (r *fakeReader) Active(ctx context.Context, patient string, o store.ReadOptions) (store.Answer, error) {
	r.patient, r.options = patient, o
	if errors.Is(r.err, store.ErrNotReached) {
		<-ctx.Done()
	}
	a := store.Answer{Patient: patient, Known: true, Position: r.position, Now: o.Now.Time(), Alerts: []store.Alert{}, Unknown: []store.Unknown{}}
	if r.change != nil {
		r.change(&a)
	}
	return a, r.err
}

type fakeOwners map[string]string

func (o fakeOwners) Owners(_ context.Context, resources []string) (Owned, error) {
	known := map[string]string{}
	for _, name := range resources {
		if patient, ok := o[name]; ok {
			known[name] = patient
		}
	}
	return Owned{Patients: known}, nil
}

type fakeWorklist struct {
	query WorklistQuery
	page  WorklistPage
	err   error
}

func (l *fakeWorklist) Worklist(_ context.Context, q WorklistQuery) (WorklistPage, error) {
	l.query = q
	return l.page, l.err
}

type fakeRules struct {
	plan *pointer.Plan
	set  *rules.Set
	err  error
}

func (r *fakeRules) Plan() *pointer.Plan { return r.plan }

func (r *fakeRules) Activate(_ context.Context, set *rules.Set) (string, error) {
	r.set = set
	return set.Hash(), r.err
}

// service is the API over fakes, with everything it logs.
type service struct {
	*Server
	t        *testing.T
	log      *fakeLog
	reader   *fakeReader
	owners   fakeOwners
	worklist *fakeWorklist
	rules    *fakeRules
	why      *fakeExplanations
	logged   *bytes.Buffer
	registry *prometheus.Registry
}

func newService(t *testing.T, change func(*Options)) *service {
	s := &service{t: t, log: &fakeLog{next: map[int32]int64{}}, reader: &fakeReader{}, owners: fakeOwners{},
		worklist: &fakeWorklist{}, rules: &fakeRules{}, why: newFakeExplanations(), logged: &bytes.Buffer{}, registry: prometheus.NewRegistry()}
	o := Options{
		Log: s.log, Reader: s.reader, Owners: s.owners, Worklist: s.worklist, Rules: s.rules, Explanations: s.why, Partition: partition,
		Decoder: fhir.New(fhir.Options{MaxDepth: 16, MaxBytes: 4096, MaxPatientID: 64,
			KnownUnit: func(unit string) bool { return unit != "furlongs" }}),
		Version: Version{Version: "test", Go: "go"}, Gatherer: s.registry, Registerer: s.registry,
		Logger:  slog.New(slog.NewTextHandler(s.logged, &slog.HandlerOptions{Level: slog.LevelDebug})),
		MaxBody: 4096, MaxObservations: 5, MaxWait: time.Second,
	}
	if change != nil {
		change(&o)
	}
	s.Server = New(o)
	return s
}

// do sends a request; headers are name, value pairs.
func (s *service) do(method, path, body string, headers ...string) *httptest.ResponseRecorder {
	s.t.Helper()
	r := httptest.NewRequest(method, path, io.NopCloser(strings.NewReader(body)))
	r.ContentLength = int64(len(body))
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, r)
	return w
}

func object(t *testing.T, w *httptest.ResponseRecorder) map[string]any {
	t.Helper()
	var out map[string]any
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &out), w.Body.String())
	return out
}

// issues is each issue's place and diagnostics.
func issues(t *testing.T, w *httptest.ResponseRecorder) string {
	t.Helper()
	require.Equal(t, processor.MediaFHIR, w.Header().Get("Content-Type"))
	var outcome struct {
		ResourceType string
		Issue        []struct {
			Severity, Code, Diagnostics string
			Expression                  []string
		}
	}
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &outcome), w.Body.String())
	require.Equal(t, "OperationOutcome", outcome.ResourceType)
	require.NotEmpty(t, outcome.Issue)
	var text []string
	for _, i := range outcome.Issue {
		require.NotEmpty(t, i.Code)
		text = append(text, strings.Join(i.Expression, " ")+" | "+i.Diagnostics)
	}
	return strings.Join(text, "\n")
}

// problemOf checks that the answer is a problem of this kind, and returns its text.
func problemOf(t *testing.T, w *httptest.ResponseRecorder, status int, word string) string {
	t.Helper()
	require.Equal(t, status, w.Code, w.Body.String())
	require.Equal(t, "application/problem+json", w.Header().Get("Content-Type"))
	p := object(t, w)
	require.Equal(t, "urn:vigil:problem:"+word, p["type"])
	require.EqualValues(t, status, p["status"])
	require.NotEmpty(t, p["title"])
	return w.Body.String()
}

const observation = `{"resourceType":"Observation","id":"o1","status":"final","subject":{"reference":"Patient/p1"},` +
	`"code":{"coding":[{"system":"http://loinc.org","code":"2160-0"}]},"effectiveDateTime":"2026-03-01T10:00:00Z",` +
	`"valueQuantity":{"value":1.4,"code":"mg/dL"}}`

// taken sends a good resource and holds the service to taking it: what went before has not stopped the stream.
func (s *service) taken() {
	s.t.Helper()
	before := len(s.log.events)
	w := s.do(http.MethodPut, "/fhir/Observation/o1", observation, "Content-Type", processor.MediaFHIR)
	require.Equal(s.t, http.StatusOK, w.Code, w.Body.String())
	require.Len(s.t, s.log.events, before+1)
}
