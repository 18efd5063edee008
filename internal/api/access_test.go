package api

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"

	"github.com/vigil-cds/vigil/internal/access"
)

// gated is a service that asks for tokens, the scopes of which token makes, and its access log.
type gated struct {
	*service
	path  string
	token func(scopes string) string
}

func newGated(t *testing.T, change func(*Options)) *gated {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	set, err := json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "k"}}})
	require.NoError(t, err)
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "keys"), set, 0o600))
	gate, err := access.NewGate(access.Options{KeysFile: filepath.Join(dir, "keys"), Issuer: "i", Audience: "a"})
	require.NoError(t, err)
	t.Cleanup(gate.Close)
	g := &gated{path: filepath.Join(dir, "access.log")}
	log, err := access.OpenLog(g.path, nil)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, log.Close()) })
	g.service = newService(t, func(o *Options) {
		o.Gate, o.AccessLog = gate, log
		if change != nil {
			change(o)
		}
	})
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: key, KeyID: "k"}}, nil)
	require.NoError(t, err)
	g.token = func(scopes string) string {
		claims, err := json.Marshal(map[string]any{"iss": "i", "aud": "a", "sub": "dr-who", "client_id": "ward-app", "exp": time.Now().Add(time.Hour).Unix(), "scope": scopes})
		require.NoError(t, err)
		signed, err := signer.Sign(claims)
		require.NoError(t, err)
		text, err := signed.CompactSerialize()
		require.NoError(t, err)
		return "Bearer " + text
	}
	return g
}

// instead of what a path's pattern leaves open.
var example = strings.NewReplacer("{id}", "p1", "{type}", "Observation", "{rule}", "r", "{$}", "")

func TestEveryRouteNeedsItsScope(t *testing.T) {
	s := newGated(t, nil)
	open := []string{"/metrics", "/livez", "/readyz", "/version", "/openapi.json", "/explanation.schema.json", "/{$}"}
	for _, rt := range s.routes() {
		for method := range rt.methods {
			at := method + " " + rt.path
			path := example.Replace(rt.path)
			if rt.need == access.Open {
				require.Contains(t, open, rt.path)
				require.Less(t, s.do(method, path, "").Code, 400, at)
				continue
			}
			w := s.do(method, path, "")
			require.Equal(t, http.StatusUnauthorized, w.Code, at)
			require.Equal(t, `Bearer realm="vigil"`, w.Header().Get("WWW-Authenticate"), at)
			require.Equal(t, http.StatusUnauthorized, s.do(method, path, "", "Authorization", "Bearer nonsense").Code, at)
			require.Equal(t, http.StatusUnauthorized, s.do(method, path, "", "Authorization", "Basic dTpw").Code, at)
			for _, scope := range []access.Scope{access.Write, access.Read, access.Explain, access.Admin} {
				w := s.do(method, path, "", "Authorization", s.token(scope.String()), "Content-Type", "application/json")
				if scope == rt.need {
					require.NotContains(t, []int{http.StatusUnauthorized, http.StatusForbidden}, w.Code, at)
					continue
				}
				require.Equal(t, http.StatusForbidden, w.Code, "%s with %v", at, scope)
				require.Contains(t, w.Header().Get("WWW-Authenticate"), `error="insufficient_scope", scope="`+rt.need.String()+`"`)
			}
		}
	}
}

func TestMetricsAreForWhoAdministersWhereThatIsAsked(t *testing.T) {
	s := newGated(t, func(o *Options) { o.MetricsNeed = access.Admin })
	require.Equal(t, 401, s.do("GET", "/metrics", "").Code)
	require.Equal(t, 403, s.do("GET", "/metrics", "", "Authorization", s.token("vigil.read")).Code)
	require.Equal(t, 200, s.do("GET", "/metrics", "", "Authorization", s.token("vigil.admin")).Code)
	require.Equal(t, 200, s.do("GET", "/readyz", "").Code)
}

func TestWhileKeysCannotBeReadACallerIsToldToComeAgain(t *testing.T) {
	away := httptest.NewServer(http.NotFoundHandler())
	away.Close()
	gate, err := access.NewGate(access.Options{KeysURL: away.URL, Issuer: "i", Audience: "a"})
	require.NoError(t, err)
	defer gate.Close()
	s := newGated(t, func(o *Options) { o.Gate = gate })
	w := s.do("GET", "/v1/alerts", "", "Authorization", s.token("vigil.read"))
	require.Equal(t, http.StatusServiceUnavailable, w.Code)
	require.Equal(t, "5", w.Header().Get("Retry-After"))
	require.Contains(t, w.Body.String(), "keys-unavailable")
	require.NotContains(t, w.Body.String(), away.URL)
}

func TestWhoMayWriteOneTypeWritesNoOther(t *testing.T) {
	s := newGated(t, nil)
	s.owners["Observation/o1"], s.owners["Condition/c1"] = "p1", "p1"
	for _, c := range []struct {
		scopes, method, path, body string
		status                     int
	}{
		{"system/Observation.write", "PUT", "/fhir/Observation/o1", observation, 200},
		{"system/Observation.cu", "PUT", "/fhir/Observation/o1", observation, 200},
		{"system/*.cu", "PUT", "/fhir/Observation/o1", observation, 200},
		{"system/Observation.d", "PUT", "/fhir/Observation/o1", observation, 403},
		{"system/Observation.write", "PUT", "/fhir/Condition/c1", observation, 403},
		{"system/Condition.write", "PUT", "/fhir/Condition/c1", observation, 400}, // it is none, whatever the path says
		{"system/Condition.write", "POST", "/fhir/Condition", observation, 400},
		{"system/Observation.write", "POST", "/fhir", observation, 403},
		{"system/*.cu", "POST", "/fhir", observation, 403},
		{"system/Observation.write", "POST", "/v1/observations", compact("p1", "1"), 200},
		{"system/Condition.write", "POST", "/v1/observations", compact("p1", "1"), 403},
		{"system/Observation.cu", "DELETE", "/fhir/Observation/o1", "", 403},
		{"system/Condition.cud", "DELETE", "/fhir/Observation/o1", "", 403},
		{"system/Observation.d", "DELETE", "/fhir/Observation/o1", "", 204},
		{"system/Observation.write", "GET", "/v1/alerts", "", 403},
		{"system/Observation.cu", "POST", ownersPath, `{"resources":["Observation/o1"]}`, 200},
		{"system/Observation.cu", "POST", ownersPath, `{"resources":["Observation/o1","Condition/c1"]}`, 403},
		{"vigil.read", "POST", ownersPath, `{"resources":[]}`, 403},
	} {
		w := s.do(c.method, c.path, c.body, "Authorization", s.token(c.scopes), "Content-Type", "application/json")
		require.Equal(t, c.status, w.Code, "%+v: %s", c, w.Body)
	}
	text := s.do(http.MethodPut, "/fhir/Condition/c1", observation, "Authorization", s.token("system/Observation.write")).Body.String()
	require.Contains(t, text, "OperationOutcome")
	require.Contains(t, text, "vigil.write")
}

func TestTheAccessLogSaysWhoAskedForWhomAndTheOtherLogDoesNot(t *testing.T) {
	s := newGated(t, nil)
	s.do("GET", "/v1/patients/patient-7/alerts", "", "Authorization", s.token("vigil.read"), passedHeader, "http://other")
	s.do("GET", "/v1/patients/patient-7/explain/aki", "", "Authorization", s.token("vigil.read"))
	s.do("PUT", "/fhir/Observation/o1", observation, "Authorization", s.token("vigil.write"))
	s.do("GET", "/v1/explanations/verify?patient=patient-8", "")
	s.do("GET", "/livez", "")
	require.Equal(t, []access.Entry{
		{Who: "dr-who", Client: "ward-app", PassedBy: "http://other", Method: "GET", Route: "/v1/patients/{id}/alerts", Patient: "patient-7", Status: 200},
		{Who: "dr-who", Client: "ward-app", Method: "GET", Route: "/v1/patients/{id}/explain/{rule}", Patient: "patient-7", Rule: "aki", Status: 403},
		{Who: "dr-who", Client: "ward-app", Method: "PUT", Route: "/fhir/{type}/{id}", Resource: "Observation/o1", Answered: "e2.0", Status: 200},
		{Method: "GET", Route: "/v1/explanations/verify", Patient: "patient-8", Status: 401},
	}, s.entries())
	require.NotContains(t, s.logged.String(), "patient-")
	require.NotContains(t, s.logged.String(), "dr-who")
}

func TestTheAccessLogNamesEachPatientOfAList(t *testing.T) {
	s := newGated(t, nil)
	s.do("POST", "/v1/patients/alerts", `{"patients": ["patient-7", "patient-8"]}`, "Authorization", s.token("vigil.read"))
	s.do("POST", "/v1/patients/alerts", `{"patients": ["patient-7"]}`, "Authorization", s.token("vigil.write"))
	e := access.Entry{Who: "dr-who", Client: "ward-app", Method: "POST", Route: "/v1/patients/alerts", Status: 200}
	first, second, refused := e, e, e
	first.Patient, second.Patient, refused.Status = "patient-7", "patient-8", 403
	require.Equal(t, []access.Entry{first, second, refused}, s.entries())
}

// entries is what the access log has, without what differs from run to run.
func (g *gated) entries() (got []access.Entry) {
	g.t.Helper()
	require.NoError(g.t, g.options.AccessLog.Reopen()) // which writes what waits
	data, err := os.ReadFile(g.path)
	require.NoError(g.t, err)
	for line := range strings.Lines(string(data)) {
		var e access.Entry
		require.NoError(g.t, json.Unmarshal([]byte(line), &e))
		require.False(g.t, e.Time.IsZero())
		require.NotEmpty(g.t, e.From)
		e.Time, e.From, e.Millis = time.Time{}, "", 0
		got = append(got, e)
	}
	return got
}

func TestTheAccessLogSaysOfWhichPositionsAReadAndAnAnswerWere(t *testing.T) {
	s := newGated(t, nil)
	s.reader.position = "f3.812"
	own := "f" + strconv.Itoa(int(partition("p1"))) + ".7"
	s.do("GET", "/v1/patients/p1/alerts?min_position="+own, "", "Authorization", s.token("vigil.read"))
	s.do("GET", "/v1/patients/p1/explain/aki?known_at=2026-03-01T10:00:00Z", "", "Authorization", s.token("vigil.read"))
	s.do("GET", "/v1/rules/aki/plan", "")
	got := s.entries()
	require.Equal(t, own, got[0].Asked)
	require.Equal(t, "f3.812", got[0].Answered)
	require.Equal(t, "2026-03-01T10:00:00Z", got[1].KnownAt)
	require.Empty(t, got[1].Answered, "it had no answer")
	require.Equal(t, "aki", got[2].Rule)
}

func TestTheAccessLogHasTheStatusThatThePanicOfAHandlerIsAnsweredWith(t *testing.T) {
	s := newGated(t, func(o *Options) { o.Partition = func(string) int32 { panic("secret") } })
	w := s.do("GET", "/v1/patients/p1/alerts?min_position=f1.7", "", "Authorization", s.token("vigil.read"))
	require.Equal(t, http.StatusInternalServerError, w.Code)
	require.Equal(t, http.StatusInternalServerError, s.entries()[0].Status)
}

func TestACallerCannotFillTheAccessLogWithOneRequest(t *testing.T) {
	s := newGated(t, nil)
	long := strings.Repeat("x", 40_000)
	s.do("GET", "/v1/patients/"+long+"/explain/"+long+"?min_position="+long, "", passedHeader, long)
	require.NoError(t, s.options.AccessLog.Reopen())
	data, err := os.ReadFile(s.path)
	require.NoError(t, err)
	require.Less(t, len(data), 5*mostNoted)
}

func TestWhatCannotBeNotedIsRefusedWhereThatIsAsked(t *testing.T) {
	full, err := access.OpenLog("/dev/full", nil)
	require.NoError(t, err)
	defer full.Close()
	for refuse, status := range map[bool]int{false: 200, true: 503} {
		s := newGated(t, func(o *Options) { o.AccessLog, o.RefuseUnlogged = full, refuse })
		ask := func() int {
			return s.do("GET", "/v1/alerts", "", "Authorization", s.token("vigil.read")).Code
		}
		ask()
		require.Eventually(t, func() bool { return full.Healthy() != nil }, 10*time.Second, 10*time.Millisecond)
		for range 3 { // also after requests that were taken into memory
			require.Equal(t, status, ask())
		}
	}
}

func TestTheOpenAPIFileSaysWhichScopeEachRouteNeeds(t *testing.T) {
	var file struct {
		Components struct {
			SecuritySchemes map[string]any
		}
		Paths map[string]map[string]struct{ Security []map[string][]string }
	}
	require.NoError(t, json.Unmarshal(openAPI, &file))
	require.Contains(t, file.Components.SecuritySchemes, "token")
	s := newService(t, nil)
	for _, rt := range s.routes() {
		for method := range rt.methods {
			security := file.Paths[strings.TrimSuffix(rt.path, "{$}")][strings.ToLower(method)].Security
			if rt.need == access.Open {
				require.Empty(t, security, rt.path)
				continue
			}
			require.Equal(t, []map[string][]string{{"token": {rt.need.String()}}, {"certificate": {}}}, security, rt.path)
		}
	}
}
