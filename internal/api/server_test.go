package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/vigil-cds/vigil/explain/record"
	"github.com/vigil-cds/vigil/pointer"
	"github.com/vigil-cds/vigil/processor"
	"github.com/vigil-cds/vigil/rules"
	"github.com/vigil-cds/vigil/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func compact(patient, value string) string {
	return fmt.Sprintf(`{"patient":%q,"code":"loinc|8867-4","time":"2026-03-01T10:00:00Z","value":%s,"unit":"/min"}`+"\n", patient, value)
}

func TestObservationsBecomeOneEventForEachPatientInTheirOrder(t *testing.T) {
	s := newService(t, nil)
	w := s.do("POST", "/v1/observations", compact("p1", "1")+compact("p2", "2")+"\n"+compact("p1", "3"), "Content-Type", processor.MediaCompact)
	require.Equal(t, 200, w.Code, w.Body.String())
	require.Len(t, s.log.events, 2)
	require.Equal(t, compact("p1", "1")+compact("p1", "3"), string(s.log.events[0].Body))
	require.Equal(t, "p2", s.log.events[1].Patient)
	require.Equal(t, processor.MediaCompact, s.log.events[1].Media)
	answer := object(t, w)
	require.EqualValues(t, 3, answer["accepted"])
	require.Equal(t, []any{}, answer["refused"])
	require.Equal(t, w.Header().Get("Vigil-Position"), answer["position"])
}

func TestEachBadLineIsReportedAndTheGoodOnesAreTaken(t *testing.T) {
	s := newService(t, nil)
	w := s.do("POST", "/v1/observations", compact("p1", "1")+"{\n\n"+compact("", "1")+strings.Replace(compact("p1", "2"), "/min", "furlongs", 1))
	require.Equal(t, http.StatusMultiStatus, w.Code, w.Body.String())
	var answer observationsAnswer
	require.NoError(t, json.Unmarshal(w.Body.Bytes(), &answer))
	require.Equal(t, 1, answer.Accepted)
	var lines []string
	for _, r := range answer.Refused {
		require.NotEmpty(t, r.Problem)
		require.NotEmpty(t, r.Mend)
		lines = append(lines, fmt.Sprint(r.Line, " ", r.Reason))
	}
	require.Equal(t, []string{"2 invalid-json", "4 no-patient", "5 unknown-unit"}, lines)
	require.Len(t, s.log.events, 1)

	w = s.do("POST", "/v1/observations", "{\n[]\n")
	require.Equal(t, http.StatusUnprocessableEntity, w.Code)
	require.Len(t, s.log.events, 1)
	s.taken()
}

func TestTooManyLinesAreRefusedWhole(t *testing.T) {
	s := newService(t, nil)
	w := s.do("POST", "/v1/observations", strings.Repeat(compact("p1", "1"), 6))
	problemOf(t, w, 413, "too-many-lines")
	require.Empty(t, s.log.events)
	problemOf(t, s.do("POST", "/v1/observations", "x", "Content-Type", "text/plain"), 415, "unsupported-media-type")
}

func TestAReadIsPassedOnAsAsked(t *testing.T) {
	s := newService(t, nil)
	own, other := partition("p1"), (partition("p1")+1)%4
	query := fmt.Sprintf("?now=2026-03-01T10:00:00%%2B01:00&all=true&min_position=e%d.7,f%d.9,e%d.4,e%d.99", own, own, own, other)
	w := s.do("GET", "/v1/patients/p1/alerts"+query, "")
	require.Equal(t, 200, w.Code, w.Body.String())
	require.Equal(t, "no-store", w.Header().Get("Cache-Control"))
	require.Equal(t, "p1", s.reader.patient)
	require.Equal(t, "2026-03-01T09:00:00Z", s.reader.options.Now.String())
	s.reader.options.Now = 0
	require.Equal(t, store.ReadOptions{MinEvents: 8, MinFacts: 10, All: true}, s.reader.options)

	s.do("GET", "/v1/patients/p1/alerts?now=2026-03-01T10:00:00+01:00", "")
	require.Equal(t, "2026-03-01T09:00:00Z", s.reader.options.Now.String(), "a plus sign that nobody escaped")
}

func TestAReadThatCannotBeUnderstoodIsRefused(t *testing.T) {
	s := newService(t, nil)
	for path, word := range map[string]string{
		"/v1/patients/p1/alerts?now=noon":                     "bad-parameter",
		"/v1/patients/p1/alerts?min_position=7":               "bad-parameter",
		"/v1/patients/p1/alerts?timeout=soon":                 "bad-parameter",
		"/v1/patients/p1/alerts?timeout=-1s":                  "bad-parameter",
		"/v1/patients/p1/alerts?all=maybe":                    "bad-parameter",
		"/v1/patients/p1/alerts?nwo=2026-03-01T10:00:00Z":     "unknown-parameter",
		"/v1/patients/p1/alerts?now=%zz":                      "bad-parameter",
		"/v1/patients/p%00/alerts":                            "bad-patient-id",
		"/v1/patients/" + strings.Repeat("p", 65) + "/alerts": "bad-patient-id",
		"/v1/alerts?severity=dire":                            "bad-parameter",
		"/v1/alerts?limit=0":                                  "bad-parameter",
		"/v1/alerts?limit=1001":                               "bad-parameter",
		"/v1/alerts?patient=p1":                               "unknown-parameter",
	} {
		problemOf(t, s.do("GET", path, ""), 400, word)
	}
	require.Empty(t, s.reader.patient)
}

func TestAPositionThatIsNotReachedIsATimeout(t *testing.T) {
	s := newService(t, nil)
	s.reader.err = fmt.Errorf("%w: %w", store.ErrNotReached, context.DeadlineExceeded)
	began := time.Now()
	w := s.do("GET", fmt.Sprintf("/v1/patients/p1/alerts?min_position=e%d.7&timeout=20ms", partition("p1")), "")
	problemOf(t, w, 504, "position-not-reached")
	require.Less(t, time.Since(began), time.Second)
}

func TestAReadThatFailsTellsNothingOfItsInside(t *testing.T) {
	s := newService(t, nil)
	s.reader.err = errors.New("pebble: secret inside")
	require.NotContains(t, problemOf(t, s.do("GET", "/v1/patients/p1/alerts", ""), 503, "not-readable"), "pebble")
	s.reader.err = ErrNotServed
	problemOf(t, s.do("GET", "/v1/patients/p1/alerts", ""), 503, "not-served")
	s.reader.err = ErrCatchingUp
	problemOf(t, s.do("GET", "/v1/patients/p1/alerts", ""), 503, "catching-up")
}

func TestTheWorklistIsPagedAndFiltered(t *testing.T) {
	s := newService(t, nil)
	require.JSONEq(t, `{"alerts":[]}`, s.do("GET", "/v1/alerts", "").Body.String())
	asked := func() WorklistQuery {
		q := s.worklist.query
		q.Ask = nil
		return q
	}
	require.Equal(t, WorklistQuery{Limit: 100}, asked())
	s.worklist.page = WorklistPage{Alerts: []WorklistAlert{{Patient: "p1", Rule: "r", Severity: "critical"}}, Next: "abc"}
	w := s.do("GET", "/v1/alerts?rule=r&severity=critical&cursor=xyz&limit=1", "")
	require.Equal(t, WorklistQuery{Rule: "r", Severity: "critical", Cursor: "xyz", Limit: 1}, asked())
	require.Equal(t, "abc", object(t, w)["next"])
	s.worklist.err = ErrBadCursor
	problemOf(t, s.do("GET", "/v1/alerts?cursor=zzz", ""), 400, "bad-parameter")
}

func TestRulesAreListedAndActivated(t *testing.T) {
	s := newService(t, nil)
	require.JSONEq(t, `{"ruleSet":"","rules":[]}`, s.do("GET", "/v1/rules", "").Body.String())
	s.rules.plan = &pointer.Plan{Program: &rules.Program{Hash: "h", Rules: []*rules.Rule{{ID: "aki", Pack: "renal", Version: 3, Title: "AKI", Severity: rules.Critical, File: "renal.yaml", Line: 9}}}}
	require.JSONEq(t, `{"ruleSet":"h","rules":[{"id":"aki","pack":"renal","version":3,"title":"AKI","severity":"critical","file":"renal.yaml","line":9}]}`,
		s.do("GET", "/v1/rules", "").Body.String())

	body := `{"files":[{"name":"b.yaml","data":"two"},{"name":"a.yaml","data":"one"}]}`
	w := s.do("POST", "/v1/rules/activate", body)
	require.Equal(t, 200, w.Code)
	require.Equal(t, s.rules.set.Hash(), object(t, w)["ruleSet"])
	require.Equal(t, "a.yaml", s.rules.set.Files[0].Name)

	s.rules.err = fmt.Errorf("compiling: %w", rules.Faults{{File: "a.yaml", Line: 1, Col: 2, Problem: "nonsense", Hint: "write sense"}})
	text := problemOf(t, s.do("POST", "/v1/rules/activate", body), 422, "rule-set-faults")
	require.Contains(t, text, `"faults":[{"file":"a.yaml","line":1,"col":2,"problem":"nonsense","hint":"write sense"}]`)
	problemOf(t, s.do("POST", "/v1/rules/activate", "{}"), 400, "bad-body")
	s.rules.err = ErrNotServed
	problemOf(t, s.do("POST", "/v1/rules/activate", body), 503, "not-served")
}

func TestAMethodThatAPathDoesNotTakeIsToldWhichItDoes(t *testing.T) {
	s := newService(t, nil)
	for path, allow := range map[string]string{
		"/fhir": "POST", "/fhir/Observation": "POST", "/fhir/Observation/o1": "PUT, DELETE", "/v1/alerts": "GET, HEAD", "/v1/observations": "POST",
	} {
		w := s.do("PATCH", path, "")
		require.Equal(t, 405, w.Code)
		require.Equal(t, allow, w.Header().Get("Allow"))
		require.Contains(t, w.Body.String(), "use ")
	}
	require.Equal(t, 404, s.do("GET", "/v2/else", "").Code)
	require.Contains(t, issues(t, s.do("GET", "/fhir/a/b/c", "")), "/openapi.json")
}

func TestOperationRoutes(t *testing.T) {
	ready := errors.New("partition 3 is catching up")
	s := newService(t, func(o *Options) { o.Ready = func() error { return ready } })
	require.Contains(t, problemOf(t, s.do("GET", "/readyz", ""), 503, "not-ready"), "partition 3 is catching up")
	ready = nil
	require.JSONEq(t, `{"status":"ready"}`, s.do("GET", "/readyz", "").Body.String())
	for path, part := range map[string]string{
		"/readyz": "ready", "/livez": "live", "/version": `"version":"test"`, "/metrics": "vigil_http_requests_total",
		"/openapi.json": `"openapi": "3.1.0"`, "/": "<!doctype html>",
	} {
		w := s.do("GET", path, "")
		require.Equal(t, 200, w.Code, path)
		require.Contains(t, w.Body.String(), part)
	}
}

func TestAServiceWhoseAuditFoundDivergencesIsDegradedAndGoesOn(t *testing.T) {
	why := ""
	s := newService(t, func(o *Options) { o.Degraded = func() string { return why } })
	s.why.status.Divergences = 3
	require.JSONEq(t, `{"status":"ready"}`, s.do("GET", "/readyz", "").Body.String())
	why = "alerts and explanations differ 3 times"
	w := s.do("GET", "/readyz", "")
	require.Equal(t, http.StatusOK, w.Code)
	require.JSONEq(t, `{"status":"degraded","detail":"alerts and explanations differ 3 times","divergences":3}`, w.Body.String())
}

func TestEveryParameterIsInTheOpenAPIFileAndTheOtherWayRound(t *testing.T) {
	var file struct {
		Paths map[string]struct {
			Get *struct {
				Parameters []struct{ Name, In string }
			}
		}
	}
	require.NoError(t, json.Unmarshal(openAPI, &file))
	s := newService(t, nil)
	checked := 0
	for path, methods := range file.Paths {
		if methods.Get == nil {
			continue
		}
		var described []string
		for _, p := range methods.Get.Parameters {
			if p.In == "query" {
				described = append(described, p.Name)
			}
		}
		w := s.do("GET", strings.NewReplacer("{id}", "p1", "{rule}", "r").Replace(path)+"?no-such-parameter=1", "")
		if w.Code != http.StatusBadRequest {
			require.Empty(t, described, path)
			continue
		}
		known, any := strings.CutPrefix(object(t, w)["mend"].(string), "use ")
		if !any {
			require.Empty(t, described, path)
			continue
		}
		require.ElementsMatch(t, strings.Split(known, ", "), described, path)
		checked++
	}
	require.GreaterOrEqual(t, checked, 5)
}

func TestEveryRouteIsInTheOpenAPIFileAndTheOtherWayRound(t *testing.T) {
	var file struct {
		Paths map[string]map[string]struct {
			Responses map[string]any
		}
	}
	require.NoError(t, json.Unmarshal(openAPI, &file))
	var described, served []string
	for path, operations := range file.Paths {
		for method, o := range operations {
			described = append(described, strings.ToUpper(method)+" "+path)
			require.NotEmpty(t, o.Responses)
		}
	}
	for _, r := range newService(t, nil).routes() {
		for method := range r.methods {
			served = append(served, method+" "+strings.TrimSuffix(r.path, "{$}"))
		}
	}
	sort.Strings(described)
	sort.Strings(served)
	require.Equal(t, served, described)
}

func TestEveryReferenceInTheOpenAPIFileLeadsSomewhere(t *testing.T) {
	var file map[string]any
	require.NoError(t, json.Unmarshal(openAPI, &file))
	schemas := file["components"].(map[string]any)["schemas"].(map[string]any)
	var explanation struct {
		Defs map[string]any `json:"$defs"`
	}
	require.NoError(t, json.Unmarshal(record.SchemaJSON, &explanation))
	used := map[string]bool{}
	var walk func(any)
	walk = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			ref, ok := v["$ref"].(string)
			if name, elsewhere := strings.CutPrefix(ref, "/explanation.schema.json#/$defs/"); elsewhere {
				require.Contains(t, explanation.Defs, name)
			} else if ok {
				name := strings.TrimPrefix(ref, "#/components/schemas/")
				require.Contains(t, schemas, name)
				used[name] = true
			}
			for _, inner := range v {
				walk(inner)
			}
		case []any:
			for _, inner := range v {
				walk(inner)
			}
		}
	}
	walk(file)
	require.Len(t, used, len(schemas), "a schema that nothing refers to")
}

func TestNothingThatIsLoggedOrCountedSaysWhoOrWhat(t *testing.T) {
	s := newService(t, nil)
	s.taken()
	s.do("GET", "/v1/patients/p-secret/alerts", "")
	s.do("PUT", "/fhir/Observation/o-secret", observation)
	s.do("GET", "/secret/path", "")
	s.do("SECRET", "/fhir", "")
	s.reader.err = errors.New("disk")
	s.do("GET", "/v1/patients/p-secret/alerts", "")
	s.why.err = errors.New("disk")
	s.do("GET", "/v1/patients/p-secret/explain/r-secret?compare=2026-03-01T10:00:00Z", "")
	s.do("GET", "/v1/patients/p-secret/explanations", "")
	s.do("GET", "/v1/explanations/verify?patient=p-secret", "")
	metrics := s.do("GET", "/metrics", "").Body.String()
	for _, text := range []string{s.logged.String(), metrics} {
		require.NotContains(t, strings.ToLower(text), "secret")
		require.NotContains(t, text, "Patient/p1")
	}
	require.Contains(t, metrics, `vigil_http_requests_total{method="GET",route="/v1/patients/{id}/alerts",status="200"} 1`)
	require.Contains(t, s.logged.String(), "route=/v1/patients/{id}/alerts status=503")
}

func TestAHandlerThatPanicsIsAnsweredAndLoggedWithoutItsText(t *testing.T) {
	s := newService(t, func(o *Options) { o.Partition = func(string) int32 { panic("secret") } })
	w := s.do("GET", "/v1/patients/p1/alerts?min_position=e0.1", "")
	problemOf(t, w, 500, "internal")
	require.Contains(t, s.logged.String(), "made its handler panic")
	require.NotContains(t, s.logged.String(), "secret")
}

func TestBeyondTheBoundRequestsAreAskedToComeAgain(t *testing.T) {
	s := newService(t, func(o *Options) { o.MaxInFlight = 1 })
	s.log.block = make(chan struct{})
	done := make(chan int)
	go func() { done <- s.do("PUT", "/fhir/Observation/o1", observation).Code }()
	require.Eventually(t, func() bool { return len(s.inFlight) == 1 }, time.Second, time.Millisecond)
	w := s.do("PUT", "/fhir/Observation/o1", observation)
	require.Equal(t, 503, w.Code)
	require.Equal(t, "1", w.Header().Get("Retry-After"))
	require.Equal(t, 200, s.do("GET", "/livez", "").Code, "reads are not bounded")
	close(s.log.block)
	require.Equal(t, 200, <-done)
	s.taken()
}

func TestServeLetsWhatIsUnderWayFinish(t *testing.T) {
	s := newService(t, nil)
	s.log.block = make(chan struct{})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- s.Serve(ctx, l) }()
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	answered := make(chan int, 1)
	go func() {
		response, err := client.Post("http://"+l.Addr().String()+"/fhir/Observation", processor.MediaFHIR, strings.NewReader(observation))
		if err != nil {
			answered <- 0
			return
		}
		response.Body.Close()
		answered <- response.StatusCode
	}()
	require.Eventually(t, func() bool { return len(s.inFlight) == 1 }, 5*time.Second, time.Millisecond)
	stop()
	time.Sleep(20 * time.Millisecond)
	close(s.log.block)
	require.Equal(t, 201, <-answered)
	require.NoError(t, <-served)
}

func TestAPositionNamesTheLastOfEachPartition(t *testing.T) {
	require.Equal(t, "e1.9,e2.1", joinPositions([]processor.Position{{Log: 'e', Partition: 1, Offset: 3}, {Log: 'e', Partition: 1, Offset: 9},
		{Log: 'e', Partition: 2, Offset: 1}, {Log: 'e', Partition: 1, Offset: 4}}))
}
