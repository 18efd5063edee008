package api

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vigil-cds/vigil/explain/record"
	"github.com/vigil-cds/vigil/explain/record/recordtest"
	"github.com/vigil-cds/vigil/explain/replay"
	"github.com/vigil-cds/vigil/internal/clinical"
)

// fakeExplanations answers with one example, and remembers what it was asked.
type fakeExplanations struct {
	questions []replay.Question // the earlier of two first
	err       error
	early     int // how many questions about an event come before it is known
	records   []*record.Explanation
	failAfter int    // Records fails after that many; 0: never
	asked     string // of Records: its arguments
	verified  string
	found     record.Verification
	status    ExplanationsStatus
}

func newFakeExplanations() *fakeExplanations {
	return &fakeExplanations{status: ExplanationsStatus{Ready: true}, verified: "nobody"}
}

func (f *fakeExplanations) ask(ctx context.Context, q replay.Question) error {
	f.questions = append(f.questions, q)
	if q.Known.Events != nil && f.early > 0 {
		f.early--
		return fmt.Errorf("as known then: %w", replay.ErrNotYetKnown)
	}
	if errors.Is(f.err, replay.ErrNotReached) {
		<-ctx.Done()
	}
	return f.err
}

func (f *fakeExplanations) Explain(ctx context.Context, q replay.Question) (*record.Explanation, error) {
	return recordtest.False(), f.ask(ctx, q)
}

func (f *fakeExplanations) Compare(ctx context.Context, earlier, later replay.Question) (*record.Difference, error) {
	f.questions = append(f.questions, earlier)
	return &record.Difference{Earlier: *recordtest.Unknown(), Later: *recordtest.False()}, f.ask(ctx, later)
}

func (f *fakeExplanations) Records(_ context.Context, patient string, from, to clinical.Instant, after int64, each func(*record.Explanation) error) error {
	f.asked = fmt.Sprint(patient, " ", from, " ", to, " ", after)
	for i, e := range f.records {
		if f.failAfter > 0 && i == f.failAfter {
			return errors.New("disk")
		}
		if err := each(e); err != nil {
			return err
		}
	}
	return f.err
}

func (f *fakeExplanations) Verify(_ context.Context, patient string) (record.Verification, error) {
	f.verified = patient
	return f.found, f.err
}

func (f *fakeExplanations) Status() ExplanationsStatus { return f.status }

const why = "/v1/patients/p1/explain/hyperkalaemia"

func at(text string) clinical.Instant {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		panic(err)
	}
	return clinical.At(t)
}

func pointerTo[T any](x T) *T { return &x }

func TestAQuestionIsPassedOnAsAsked(t *testing.T) {
	own := partition("p1")
	base := replay.Question{Patient: "p1", Rule: "hyperkalaemia"}
	changed := func(change func(q *replay.Question)) replay.Question {
		q := base
		change(&q)
		return q
	}
	noon := at("2026-03-01T12:00:00Z")
	later := changed(func(q *replay.Question) { q.At, q.HasAt, q.Known.Facts = noon, true, pointerTo(int64(9)) })
	for _, c := range []struct {
		query string
		asked []replay.Question
	}{
		{"", []replay.Question{base}},
		{"?at=2026-03-01T13:00:00%2B01:00", []replay.Question{changed(func(q *replay.Question) { q.At, q.HasAt = noon, true })}},
		{"?at=2026-03-01T13:00:00+01:00", []replay.Question{changed(func(q *replay.Question) { q.At, q.HasAt = noon, true })}},
		{"?at=1970-01-01T00:00:00Z", []replay.Question{changed(func(q *replay.Question) { q.HasAt = true })}},
		{"?known_at=2026-03-01T12:00:00Z", []replay.Question{changed(func(q *replay.Question) { q.Known.Time = &noon })}},
		{fmt.Sprintf("?known_at=f%d.812", own), []replay.Question{changed(func(q *replay.Question) { q.Known.Facts = pointerTo(int64(812)) })}},
		{fmt.Sprintf("?known_at=e%d.0", own), []replay.Question{changed(func(q *replay.Question) { q.Known.Events = pointerTo(int64(0)) })}},
		{"?rule_set=0123abcd&facts=5", []replay.Question{changed(func(q *replay.Question) { q.Set, q.Facts = "0123abcd", 5 })}},
		{fmt.Sprintf("?min_position=f%d.7,f%d.99&timeout=1s", own, (own+1)%4), []replay.Question{changed(func(q *replay.Question) { q.MinPosition = 8 })}},
		{fmt.Sprintf("?at=2026-03-01T12:00:00Z&known_at=f%d.9&compare=2026-02-01T00:00:00Z", own), []replay.Question{
			changed(func(q *replay.Question) {
				q.At, q.HasAt, q.Known.Facts = at("2026-02-01T00:00:00Z"), true, pointerTo(int64(9))
			}), later}},
		{fmt.Sprintf("?at=2026-03-01T12:00:00Z&known_at=f%d.9&compare=2026-03-01T12:00:00Z&compare_known_at=f%d.3", own, own), []replay.Question{
			changed(func(q *replay.Question) { q.At, q.HasAt, q.Known.Facts = noon, true, pointerTo(int64(3)) }), later}},
	} {
		t.Run(c.query, func(t *testing.T) {
			s := newService(t, nil)
			w := s.do("GET", why+c.query, "")
			require.Equal(t, http.StatusOK, w.Code, w.Body.String())
			require.Equal(t, c.asked, s.why.questions)
		})
	}
}

func TestAQuestionThatCannotBeUnderstoodIsRefused(t *testing.T) {
	other := (partition("p1") + 1) % 4
	for path, word := range map[string]string{
		why + "?at=noon":                                         "bad-parameter",
		why + "?at=2026-03-01":                                   "bad-parameter",
		why + "?known_at=yesterday":                              "bad-parameter",
		why + "?known_at=f3":                                     "bad-parameter",
		why + "?known_at=f3.-1":                                  "bad-parameter",
		why + fmt.Sprintf("?known_at=f%d.1", other):              "other-partition",
		why + fmt.Sprintf("?known_at=e%d.1", other):              "other-partition",
		why + "?compare=then":                                    "bad-parameter",
		why + "?compare_known_at=2026-03-01T10:00:00Z":           "bad-parameter",
		why + "?compare=2026-03-01T10:00:00Z&compare_known_at=x": "bad-parameter",
		why + "?compare=2026-03-01T10:00:00Z&format=sentence":    "bad-parameter",
		why + "?facts=0":                                         "bad-parameter",
		why + "?facts=100001":                                    "bad-parameter",
		why + "?facts=all":                                       "bad-parameter",
		why + "?min_position=7":                                  "bad-parameter",
		why + "?timeout=soon":                                    "bad-parameter",
		why + "?format=pdf":                                      "bad-parameter",
		why + "?atr=2026-03-01T10:00:00Z":                        "unknown-parameter",
		"/v1/patients/p%00/explain/r":                            "bad-patient-id",
		"/v1/patients/" + strings.Repeat("p", 65) + "/explain/r": "bad-patient-id",
		"/v1/patients/p%00/explanations":                         "bad-patient-id",
		"/v1/patients/p1/explanations?from=monday":               "bad-parameter",
		"/v1/patients/p1/explanations?to=tuesday":                "bad-parameter",
		"/v1/patients/p1/explanations?after=-1":                  "bad-parameter",
		"/v1/patients/p1/explanations?limit=0":                   "bad-parameter",
		"/v1/patients/p1/explanations?limit=1001":                "bad-parameter",
		"/v1/patients/p1/explanations?cursor=x":                  "unknown-parameter",
		"/v1/explanations/verify?patient=":                       "bad-patient-id",
		"/v1/explanations/verify?patient=p%2F1":                  "bad-patient-id",
		"/v1/explanations/verify?id=p1":                          "unknown-parameter",
	} {
		s := newService(t, nil)
		text := problemOf(t, s.do("GET", path, ""), 400, word)
		require.Contains(t, text, `"mend":"`, path)
		require.Empty(t, s.why.questions, path)
	}
}

func TestAPositionOfAnotherPartitionIsToldThePatientsOwn(t *testing.T) {
	own := partition("p1")
	s := newService(t, nil)
	text := problemOf(t, s.do("GET", why+fmt.Sprintf("?known_at=e%d.1", (own+1)%4), ""), 400, "other-partition")
	require.Contains(t, text, fmt.Sprintf("give a position such as e%d.812", own))
}

func TestAnExplanationIsWrittenAsWanted(t *testing.T) {
	const compare = "compare=2026-03-01T10:00:00Z"
	for _, c := range []struct{ query, accept, media, part string }{
		{"", "", "application/json", `"kind":"answer"`},
		{"", "*/*", "application/json", `"kind":"answer"`},
		{"", "image/png", "application/json", `"kind":"answer"`},
		{"", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "text/html; charset=utf-8", "<!doctype html>"},
		{"", "text/html;q=0.5, application/json", "application/json", `"kind":"answer"`},
		{"", "text/plain", "text/plain; charset=utf-8", "hyperkalaemia"},
		{"", "text/plain;q=x", "application/json", `"kind":"answer"`},
		{"?format=json", "text/html", "application/json", `"kind":"answer"`},
		{"?format=html", "", "text/html; charset=utf-8", "<!doctype html>"},
		{"?format=text", "text/html", "text/plain; charset=utf-8", "hyperkalaemia"},
		{"?format=sentence", "text/html", "text/plain; charset=utf-8", "potassium 5.2 mmol/L"},
		{"?" + compare, "", "application/json", `"earlier":{`},
		{"?format=html&" + compare, "", "text/html; charset=utf-8", "<!doctype html>"},
		{"?format=text&" + compare, "", "text/plain; charset=utf-8", "hyperkalaemia"},
	} {
		t.Run(c.query+" "+c.accept, func(t *testing.T) {
			w := newService(t, nil).do("GET", why+c.query, "", "Accept", c.accept)
			require.Equal(t, http.StatusOK, w.Code, w.Body.String())
			require.Equal(t, c.media, w.Header().Get("Content-Type"))
			require.Equal(t, "Accept", w.Header().Get("Vary"))
			require.Contains(t, strings.ToLower(w.Body.String()), strings.ToLower(c.part))
			require.NotContains(t, w.Body.String(), "\x1b[", "no colour")
			if strings.HasPrefix(c.media, "text/html") {
				require.Contains(t, w.Header().Get("Content-Security-Policy"), "default-src 'none'")
				require.NotContains(t, w.Header().Get("Content-Security-Policy"), "script-src")
			}
		})
	}
	w := newService(t, nil).do("GET", why+"?format=sentence", "")
	require.Equal(t, 1, strings.Count(w.Body.String(), "\n"))
	var back record.Explanation
	require.NoError(t, json.Unmarshal(newService(t, nil).do("GET", why, "").Body.Bytes(), &back))
	require.Equal(t, recordtest.False(), &back)
}

func TestEachQuestionWithoutAnAnswerSaysWhy(t *testing.T) {
	for _, c := range []struct {
		err         error
		status      int
		word, parts string // parts are separated by a bar
	}{
		{replay.ErrUnknownPatient, 404, "unknown-patient", "check the id"},
		{&replay.UnknownRule{Rule: "hyperkalemia", Nearest: "hyperkalaemia", Sets: []string{"aa", "bb"}}, 404, "unknown-rule",
			`did you mean hyperkalaemia?|"nearest":"hyperkalaemia"|"ruleSets":["aa","bb"]|rule_set`},
		{&replay.UnknownRule{Rule: "x"}, 404, "unknown-rule", "GET /v1/rules"},
		{fmt.Errorf("%w: 2 sets begin with these digits, give more", replay.ErrUnknownRuleSet), 404, "unknown-rule-set", "2 sets begin with these digits"},
		{replay.ErrBeforeBirth, 422, "before-birth", "birth"},
		{fmt.Errorf("the earlier of the two: %w", replay.ErrBeforeBirth), 422, "before-birth", "the earlier of the two"},
		{replay.ErrNotYetKnown, 422, "not-yet-known", "future|min_position"},
		{replay.ErrNoRuleSet, 422, "no-rule-set", "rule_set"},
		{ErrNotServed, 503, "not-served", "role explain"},
		{fmt.Errorf("%w: %w", ErrCatchingUp, replay.ErrUnknownPatient), 503, "catching-up", "/v1/explanations/status"},
		{errors.New("pebble: secret inside"), 503, "not-readable", "ask again"},
	} {
		t.Run(c.word, func(t *testing.T) {
			s := newService(t, nil)
			s.why.err = fmt.Errorf("explaining: %w", c.err)
			for _, query := range []string{"", "?compare=2026-03-01T10:00:00Z"} {
				text := problemOf(t, s.do("GET", why+query, ""), c.status, c.word)
				for part := range strings.SplitSeq(c.parts, "|") {
					require.Contains(t, text, part)
				}
				require.NotContains(t, text, "pebble")
				require.NotContains(t, text, "p1")
			}
		})
	}
}

func TestARuleIDThatNoRuleCanHaveIsUnknown(t *testing.T) {
	s := newService(t, nil)
	problemOf(t, s.do("GET", "/v1/patients/p1/explain/"+strings.Repeat("r", 257), ""), 404, "unknown-rule")
	require.Empty(t, s.why.questions)
}

func TestAPatientMayBeUnknownBecauseExplanationsAreBehind(t *testing.T) {
	s := newService(t, nil)
	s.why.err = replay.ErrUnknownPatient
	require.NotContains(t, problemOf(t, s.do("GET", "/v1/patients/p1/explanations", ""), 404, "unknown-patient"), "catching up")
	s.why.status.Ready = false
	require.Contains(t, problemOf(t, s.do("GET", "/v1/patients/p1/explanations", ""), 404, "unknown-patient"), "catching up")
}

func TestAPositionThatIsNotExplainedInTime(t *testing.T) {
	for _, c := range []struct {
		log    byte
		ready  bool
		left   *float64
		status int
		word   string
		retry  string
	}{
		{'f', true, nil, 504, "position-not-reached", ""},
		{'e', true, nil, 504, "position-not-reached", ""},
		{'f', false, nil, 503, "catching-up", "1"},
		{'e', false, pointerTo(12.7), 503, "catching-up", "12"},
		{'e', false, pointerTo(1e9), 503, "catching-up", "60"},
	} {
		s := newService(t, nil)
		s.why.status = ExplanationsStatus{Ready: c.ready, SecondsLeft: c.left}
		s.why.err, s.why.early = fmt.Errorf("waiting: %w", replay.ErrNotReached), 1<<30
		w := s.do("GET", why+fmt.Sprintf("?min_position=%c%d.7&timeout=20ms", c.log, partition("p1")), "")
		problemOf(t, w, c.status, c.word)
		require.Equal(t, c.retry, w.Header().Get("Retry-After"))
	}
}

func TestAnEventIsWaitedForUntilItIsKnown(t *testing.T) {
	s := newService(t, nil)
	s.why.early = 3
	w := s.do("GET", why+fmt.Sprintf("?min_position=e%d.7", partition("p1")), "")
	require.Equal(t, http.StatusOK, w.Code, w.Body.String())
	require.Len(t, s.why.questions, 5, "three too early, one that knew it, and the question itself")
	require.EqualValues(t, 7, *s.why.questions[3].Known.Events)
	require.Equal(t, replay.Question{Patient: "p1", Rule: "hyperkalaemia"}, s.why.questions[4])
}

// chain is that many transitions of one patient.
func chain(n int) []*record.Explanation {
	var out []*record.Explanation
	previous := record.Genesis
	for i := range n {
		e := recordtest.Example()
		e.Seal(int64(i+1), previous)
		out, previous = append(out, e), e.Hash
	}
	return out
}

func TestExplanationsAreStreamedOneALine(t *testing.T) {
	s := newService(t, nil)
	s.why.records = chain(3)
	w := s.do("GET", "/v1/patients/p1/explanations?from=2026-03-01T00:00:00Z&to=2026-06-01T00:00:00Z&after=4", "")
	require.Equal(t, http.StatusOK, w.Code)
	require.Equal(t, "application/x-ndjson", w.Header().Get("Content-Type"))
	require.Equal(t, "p1 2026-03-01T00:00:00Z 2026-06-01T00:00:00Z 4", s.why.asked)
	var verifier record.Verifier
	for line := range strings.Lines(w.Body.String()) {
		var e record.Explanation
		require.NoError(t, json.Unmarshal([]byte(line), &e))
		require.NoError(t, verifier.Next(&e))
	}
	require.NoError(t, verifier.End(3, s.why.records[2].Hash))

	w = s.do("GET", "/v1/patients/p1/explanations?limit=2", "")
	require.Equal(t, 2, strings.Count(w.Body.String(), "\n"))
	require.Equal(t, "p1 never forever 0", s.why.asked)

	s.why.records = nil
	w = s.do("GET", "/v1/patients/p1/explanations", "")
	require.Equal(t, http.StatusOK, w.Code)
	require.Equal(t, "application/x-ndjson", w.Header().Get("Content-Type"))
	require.Empty(t, w.Body.String())
}

func TestAStreamThatCannotBeFinishedIsCutOff(t *testing.T) {
	s := newService(t, nil)
	s.why.records, s.why.failAfter = chain(3), 2
	server := httptest.NewServer(s.Handler())
	defer server.Close()
	response, err := server.Client().Get(server.URL + "/v1/patients/p1/explanations")
	require.NoError(t, err)
	defer response.Body.Close()
	lines := 0
	in := bufio.NewReader(response.Body)
	for err == nil {
		var line []byte
		if line, err = in.ReadBytes('\n'); len(line) > 0 && err == nil {
			lines++
		}
	}
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	require.LessOrEqual(t, lines, 2)
	require.Contains(t, s.logged.String(), "reading explanations failed")
	require.NotContains(t, s.logged.String(), "panic")
}

func TestChainsAreVerified(t *testing.T) {
	s := newService(t, nil)
	s.why.found = record.Verification{Patients: 2, Explanations: 9, Breaks: []record.Break{{Patient: "p1", Sequence: 5, ID: "p1/r", Position: "f3.812", Reason: record.Altered}}}
	w := s.do("GET", "/v1/explanations/verify", "")
	require.Equal(t, http.StatusOK, w.Code)
	require.JSONEq(t, `{"patients":2,"explanations":9,"parts":0,"breaks":[{"patient":"p1","sequence":5,"id":"p1/r","position":"f3.812","reason":"altered"}]}`, w.Body.String())
	require.Empty(t, s.why.verified)
	s.do("GET", "/v1/explanations/verify?patient=p1", "")
	require.Equal(t, "p1", s.why.verified)
	s.why.err = replay.ErrUnknownPatient
	problemOf(t, s.do("GET", "/v1/explanations/verify?patient=p2", ""), 404, "unknown-patient")
}

func TestTheStatusOfExplanationsIsShown(t *testing.T) {
	s := newService(t, nil)
	s.why.status = ExplanationsStatus{Degraded: true, Divergences: 1, Explained: 7, Matched: 5, Pending: 1, PerSecond: 23000.5, SecondsLeft: pointerTo(4.5), Paused: "the live rules lag"}
	w := s.do("GET", "/v1/explanations/status", "")
	require.JSONEq(t, `{"ready":false,"degraded":true,"divergences":1,"explained":7,"matched":5,"pending":1,"expired":0,"perSecond":23000.5,
		"secondsLeft":4.5,"paused":"the live rules lag","partitions":[]}`, w.Body.String())
}

func TestTheSchemaOfExplanationsIsServed(t *testing.T) {
	w := newService(t, nil).do("GET", "/explanation.schema.json", "")
	require.Equal(t, "application/schema+json", w.Header().Get("Content-Type"))
	require.Equal(t, record.SchemaJSON, w.Body.Bytes())
}

func TestAProcessWithoutTheRoleSaysWhoExplains(t *testing.T) {
	s := newService(t, func(o *Options) { o.Explanations = nil })
	for _, path := range []string{why, why + "?min_position=e0.1", why + "?compare=2026-03-01T10:00:00Z", "/v1/patients/p1/explanations",
		"/v1/explanations/verify", "/v1/explanations/status"} {
		w := s.do("GET", path, "")
		require.Contains(t, problemOf(t, w, 503, "not-served"), "role explain", path)
		require.Empty(t, w.Header().Get("Retry-After"))
	}
	require.Equal(t, http.StatusOK, s.do("GET", "/readyz", "").Code)
}
