package api

import (
	"encoding/json"
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vigil-cds/vigil/store"
)

const askWard = "/v1/patients/alerts"

// lineOf is what a test looks at in a line of the answer.
type lineOf struct {
	Patient string
	Known   bool
	Problem *problem
}

func linesOf(t *testing.T, w *httptest.ResponseRecorder) (lines []lineOf) {
	require.Equal(t, 200, w.Code, w.Body.String())
	require.Equal(t, "application/x-ndjson", w.Header().Get("Content-Type"))
	for text := range strings.Lines(w.Body.String()) {
		var l lineOf
		require.NoError(t, json.Unmarshal([]byte(text), &l))
		lines = append(lines, l)
	}
	return lines
}

func wardOf(patients ...string) string {
	body, _ := json.Marshal(wardQuestion{patients})
	return string(body)
}

func patientsOf(lines []lineOf) (patients []string) {
	for _, l := range lines {
		patients = append(patients, l.Patient)
	}
	return patients
}

// large lets a list of as many patients as there may be through.
func large(o *Options) { o.MaxBody = 64 << 10 }

func TestAWardListIsAnsweredInItsOrder(t *testing.T) {
	s := newService(t, large)
	asked := []string{"p3", "p1", "p2", "p1"}
	lines := linesOf(t, s.do("POST", askWard+"?all=true&now=2026-03-01T10:00:00Z", wardOf(asked...)))
	require.Equal(t, asked, patientsOf(lines))
	require.True(t, s.reader.options.All)
	require.Equal(t, "2026-03-01T10:00:00Z", s.reader.options.Now.String())
	for _, l := range lines {
		require.True(t, l.Known)
		require.Nil(t, l.Problem)
	}

	linesOf(t, s.do("POST", fmt.Sprintf("%s?min_position=f%d.9", askWard, partition("p1")), wardOf("p1")))
	require.Equal(t, int64(10), s.reader.options.MinFacts)
	most := slices.Repeat([]string{"p1"}, mostOnList)
	require.Len(t, linesOf(t, s.do("POST", askWard, wardOf(most...))), mostOnList)
}

func TestWhereAPatientHasNoAnswerTheListSaysWhy(t *testing.T) {
	s := newService(t, nil)
	s.reader.err = ErrCatchingUp
	lines := linesOf(t, s.do("POST", askWard, wardOf("p1", "p2")))
	require.Equal(t, []string{"p1", "p2"}, patientsOf(lines))
	for _, l := range lines {
		require.Equal(t, "urn:vigil:problem:catching-up", l.Problem.Type)
		require.Equal(t, 503, l.Problem.Status)
	}
}

func TestAWardListThatCannotBeUnderstoodIsRefused(t *testing.T) {
	s := newService(t, large)
	for body, word := range map[string]string{
		"":                          "bad-body",
		"[]":                        "bad-body",
		"{}":                        "bad-body",
		`{"patients": []}`:          "bad-body",
		`{"patients": ["p1", "p ]`:  "bad-body",
		`{"patients": ["p1", " "]}`: "bad-patient-id",
	} {
		problemOf(t, s.do("POST", askWard, body), 400, word)
	}
	require.Contains(t, problemOf(t, s.do("POST", askWard, wardOf("p1", "p\x00")), 400, "bad-patient-id"), "patient 2 of the list")
	problemOf(t, s.do("POST", askWard, wardOf(slices.Repeat([]string{"p1"}, mostOnList+1)...)), 413, "too-many-patients")
	problemOf(t, s.do("POST", askWard+"?now=noon", wardOf("p1")), 400, "bad-parameter")
	problemOf(t, s.do("POST", askWard+"?rule=aki", wardOf("p1")), 400, "unknown-parameter")
	problemOf(t, s.do("POST", askWard, wardOf("p1"), "Content-Type", "text/csv"), 415, "unsupported-media-type")
	require.Equal(t, 405, s.do("GET", askWard, "").Code)
	require.Empty(t, s.reader.patient)
}

func TestAWardListIsAskedOfWhoeverOwnsEachPatient(t *testing.T) {
	asked, owner := newInstance(t), newInstance(t)
	asked.cluster.answering = []string{owner.url}
	owner.cluster.answering = []string{asked.url} // it thinks otherwise, and answers all the same
	lines := linesOf(t, asked.do("POST", askWard+"?all=true", wardOf("p2", "p1"), "Authorization", "Bearer token"))
	require.Equal(t, []string{"p2", "p1"}, patientsOf(lines))
	require.Empty(t, asked.reader.patient)
	require.Empty(t, asked.asked, "no circle")
	require.Len(t, owner.asked, 1, "all of its patients together")
	require.Equal(t, askWard+"?all=true", owner.asked[0].RequestURI)
	require.Equal(t, "Bearer token", owner.asked[0].Header.Get("Authorization"))
	require.True(t, owner.reader.options.All)
}

func TestAWardListIsAnsweredByACopyWhenTheOwnerIsGoneOrCannot(t *testing.T) {
	asked, owner, copied := newInstance(t), newInstance(t), newInstance(t)
	copied.reader.change = func(a *store.Answer) { a.Copy = &store.Copy{Behind: 3} }
	owner.reader.err = ErrCatchingUp
	for name, first := range map[string]string{"gone": gone(t), "cannot": owner.url} {
		asked.cluster.answering = []string{first, copied.url}
		lines := linesOf(t, asked.do("POST", askWard, wardOf("p1")))
		require.Nil(t, lines[0].Problem, name)
		require.Equal(t, "p1", copied.reader.patient, name)
		copied.reader.patient = ""
	}
	asked.cluster.answering = []string{owner.url, ""}
	require.Nil(t, linesOf(t, asked.do("POST", askWard, wardOf("p1")))[0].Problem)
	require.Equal(t, "p1", asked.reader.patient, "the copy is here")
}
