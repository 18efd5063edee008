package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vigil-cds/vigil/explain/record"
	"github.com/vigil-cds/vigil/explain/record/recordtest"
	"github.com/vigil-cds/vigil/explain/render"
	"github.com/vigil-cds/vigil/explain/replay"
	"github.com/vigil-cds/vigil/internal/api"
)

// explainer is a service that explains: it answers each path with what is under it, and remembers what it
// was asked.
type explainer struct {
	*httptest.Server
	mu      sync.Mutex
	asked   []string // path and query, unescaped
	status  int      // 0: 200
	answers map[string]any
	handle  http.HandlerFunc // nil: answers
}

func newExplainer(t *testing.T, answers map[string]any) *explainer {
	x := &explainer{answers: answers}
	x.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		x.mu.Lock()
		defer x.mu.Unlock()
		query, _ := url.QueryUnescape(r.URL.RawQuery)
		x.asked = append(x.asked, strings.TrimSuffix(r.URL.Path+"?"+query, "?"))
		if x.handle != nil {
			x.handle(w, r)
			return
		}
		if x.status != 0 {
			w.WriteHeader(x.status)
		}
		_ = json.NewEncoder(w).Encode(x.answers[r.URL.Path])
	}))
	t.Cleanup(x.Close)
	return x
}

const whyPath = "/v1/patients/p-4711/explain/hyperkalaemia"

func TestExplainUsedWronglySaysWhatToDo(t *testing.T) {
	for _, c := range []struct {
		args []string
		says string
	}{
		{[]string{"explain"}, "the argument PATIENT is missing: vigil explain PATIENT RULE"},
		{[]string{"explain", "1"}, "the argument RULE is missing: vigil explain PATIENT RULE, or one of its subcommands status, verify and export"},
		{[]string{"explain", "1", "r", "x"}, `vigil explain takes two arguments, PATIENT and RULE: leave "x" out`},
		{[]string{"explain", "status", "r"}, "to ask about a patient who is called status, write vigil explain -- status RULE"},
		{[]string{"explain", "1", "r", "--html", "-", "--sentence"}, "--html and --sentence"},
		{[]string{"explain", "1", "r", "--sentence", "--output", "json"}, "--output json"},
		{[]string{"explain", "1", "r", "--html", "x", "--output", "json"}, "--output json"},
		{[]string{"explain", "1", "r", "--sentence", "--compare", "x"}, "--compare"},
		{[]string{"explain", "1", "r", "--compare-known-at", "x"}, "--compare-known-at goes with --compare"},
		{[]string{"explain", "1", "r", "--facts", "-1"}, "use a number from 1"},
		{[]string{"explain", "1", "r", "--facts", "some"}, "--facts"},
		{[]string{"explain", "1", "r", "--server", "somewhere"}, "http://127.0.0.1:8080"},
		{[]string{"explain", "verify", "--server", "http://x", "file"}, "--server and FILE"},
		{[]string{"explain", "export"}, "export needs --patient"},
		{[]string{"explain", "export", "p1"}, "vigil explain -- export RULE"},
		{[]string{"eval", "--rules", "x", "--rule", "r", "x.json"}, "--rule goes with --explain"},
	} {
		t.Run(strings.Join(c.args, " "), func(t *testing.T) {
			r := vigil(t, "", c.args...)
			require.Equal(t, exitUsage, r.code, r.errOut)
			require.Contains(t, r.errOut, c.says)
			require.Empty(t, r.out)
		})
	}
	for _, args := range [][]string{{"explain"}, {"explain", "status"}, {"explain", "verify"}, {"explain", "export"}} {
		require.Contains(t, vigil(t, "", append(args, "--help")...).out, "Examples:", args)
	}
}

func TestExplainAsksWhatItsFlagsSay(t *testing.T) {
	x := newExplainer(t, map[string]any{whyPath: recordtest.False(), "/v1/patients/status/explain/r": recordtest.False(),
		"/v1/patients/a b/explain/r/s": recordtest.False()})
	for _, c := range []struct {
		args  []string
		asked string
	}{
		{[]string{"p-4711", "hyperkalaemia"}, whyPath},
		{[]string{"--at", "2026-03-01T10:00:00+01:00", "p-4711", "hyperkalaemia"}, whyPath + "?at=2026-03-01T10:00:00+01:00"},
		{[]string{"p-4711", "hyperkalaemia", "--known-at", "f3.812", "--rule-set", "0123abcd", "--facts", "7"}, whyPath + "?facts=7&known_at=f3.812&rule_set=0123abcd"},
		{[]string{"p-4711", "hyperkalaemia", "--min-position", "e3.1,e4.2", "--timeout", "9s"}, whyPath + "?min_position=e3.1,e4.2&timeout=9s"},
		{[]string{"p-4711", "hyperkalaemia", "--timeout", "9s"}, whyPath},
		{[]string{"--", "status", "r"}, "/v1/patients/status/explain/r"},
		{[]string{"a b", "r/s"}, "/v1/patients/a b/explain/r/s"},
	} {
		r := vigil(t, "", append([]string{"explain", "--server", x.URL}, c.args...)...)
		require.Equal(t, exitOK, r.code, r.errOut)
		require.Equal(t, c.asked, x.asked[len(x.asked)-1])
	}
	x.answers[whyPath] = &record.Difference{Earlier: *recordtest.Unknown(), Later: *recordtest.False()}
	r := vigil(t, "", "explain", "--server", x.URL, "p-4711", "hyperkalaemia", "--compare", "2026-01-01T00:00:00Z", "--compare-known-at", "f3.1")
	require.Equal(t, exitOK, r.code, r.errOut)
	require.Equal(t, whyPath+"?compare=2026-01-01T00:00:00Z&compare_known_at=f3.1", x.asked[len(x.asked)-1])
}

func TestExplainPrintsAsWanted(t *testing.T) {
	t.Setenv("COLUMNS", "72")
	e := recordtest.False()
	d := &record.Difference{Earlier: *recordtest.Unknown(), Later: *e}
	london, err := time.LoadLocation("Europe/London")
	require.NoError(t, err)
	text := render.TextOptions{Width: 72, Zone: london}
	written := func(write func(io.Writer) error) string {
		var b bytes.Buffer
		require.NoError(t, write(&b))
		return b.String()
	}
	for _, c := range []struct {
		answer any
		args   []string
		want   string
	}{
		{e, nil, written(func(w io.Writer) error { return render.Text(w, e, text) })},
		{e, []string{"--sentence"}, render.Sentence(e, london) + "\n"},
		{e, []string{"--html", "-"}, written(func(w io.Writer) error { return render.HTML(w, e, london) })},
		{d, []string{"--compare", "x"}, written(func(w io.Writer) error { return render.TextDifference(w, d, text) })},
		{d, []string{"--compare", "x", "--html", "-"}, written(func(w io.Writer) error { return render.HTMLDifference(w, d, london) })},
		{e, []string{"--output", "json"}, written(func(w io.Writer) error { return json.NewEncoder(w).Encode(e) })},
	} {
		t.Run(strings.Join(c.args, " "), func(t *testing.T) {
			x := newExplainer(t, map[string]any{whyPath: c.answer})
			r := vigil(t, "", append([]string{"explain", "--server", x.URL, "p-4711", "hyperkalaemia"}, c.args...)...)
			require.Equal(t, exitOK, r.code, r.errOut)
			require.Equal(t, c.want, r.out)
			require.NotContains(t, r.out, "\x1b[", "no colour where nobody looks")
			require.Empty(t, r.errOut)
		})
	}
}

func TestAPageIsItsOwnersAlone(t *testing.T) {
	x := newExplainer(t, map[string]any{whyPath: recordtest.False()})
	name := filepath.Join(t.TempDir(), "why.html")
	r := vigil(t, "", "explain", "--server", x.URL, "p-4711", "hyperkalaemia", "--html", name)
	require.Equal(t, exitOK, r.code, r.errOut)
	require.Empty(t, r.out)
	info, err := os.Stat(name)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	page, err := os.ReadFile(name)
	require.NoError(t, err)
	require.Contains(t, string(page), "High potassium")

	r = vigil(t, "", "explain", "--server", x.URL, "p-4711", "hyperkalaemia", "--html", filepath.Join(name, "under"))
	require.Equal(t, exitFailed, r.code)
	require.Contains(t, r.errOut, "writing the page")
}

func TestATextIsAsWideAsItsPlace(t *testing.T) {
	for columns, want := range map[string]int{"": 100, "0": 100, "many": 100, "132": 132, "10": 40} {
		t.Setenv("COLUMNS", columns)
		require.Equal(t, want, width(io.Discard), columns)
	}
}

func TestExplainTellsWhyThereIsNoAnswer(t *testing.T) {
	x := newExplainer(t, map[string]any{whyPath: map[string]any{"title": "the rule set has no such rule", "mend": "did you mean hyperkalaemia-2?",
		"ruleSets": []string{"aa11", "bb22"}}})
	x.status = http.StatusNotFound
	r := vigil(t, "", "explain", "--server", x.URL, "p-4711", "hyperkalaemia")
	require.Equal(t, exitFailed, r.code)
	require.Equal(t, "vigil: the rule set has no such rule; did you mean hyperkalaemia-2?\n  rule set aa11\n  rule set bb22 (404)\n", r.errOut)
	require.Empty(t, r.out)
	for _, args := range [][]string{{"status"}, {"verify"}, {"export", "--patient", "p1"}} {
		x.answers = map[string]any{"/v1/explanations/status": map[string]string{"title": "not here"}, "/v1/explanations/verify": map[string]string{"title": "not here"},
			"/v1/patients/p1/explanations": map[string]string{"title": "not here"}}
		r := vigil(t, "", append(append([]string{"explain"}, args...), "--server", x.URL)...)
		require.Equal(t, exitFailed, r.code, args)
		require.Equal(t, "vigil: not here (404)\n", r.errOut)
	}
	x.status, x.answers = 0, map[string]any{whyPath: 7}
	r = vigil(t, "", "explain", "--server", x.URL, "p-4711", "hyperkalaemia")
	require.Equal(t, exitFailed, r.code)
	require.Contains(t, r.errOut, "a Vigil of this version?")
}

func TestTheStatusIsReadByAPerson(t *testing.T) {
	left, clock := 250.4, time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name   string
		status api.ExplanationsStatus
		want   string
	}{
		{"done", api.ExplanationsStatus{Ready: true, Explained: 1203, Matched: 1203, Partitions: []replay.Progress{
			{Partition: 0, Facts: 811, End: 811, Clock: &clock}, {Partition: 1, Facts: -1, End: -1}}}, `explained up to the end of the log
1,203 transitions explained: 1203 matched with alerts, 0 pending
no divergence from the alerts
PARTITION  EXPLAINED  END  CLOCK                 PENDING
0          811        811  2026-03-01T10:00:00Z  0
1          -1         -1   -                     0
`},
		{"catching up", api.ExplanationsStatus{PerSecond: 23400, SecondsLeft: &left, Explained: 1, Pending: 1, Expired: 4}, `catching up with the log, 23400 facts/s, about 4m10s left
1 transition explained: 0 matched with alerts, 1 pending, 4 whose alerts are not kept any more
no divergence from the alerts
`},
		{"paused", api.ExplanationsStatus{Paused: "the live rules lag 2,500 records", Divergences: 1}, `paused: the live rules lag 2,500 records
0 transitions explained: 0 matched with alerts, 0 pending
1 divergence from the alerts: see the service's log, and run each again with vigil eval
`},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := newExplainer(t, map[string]any{"/v1/explanations/status": c.status})
			r := vigil(t, "", "explain", "status", "--server", x.URL)
			require.Equal(t, exitOK, r.code, r.errOut)
			require.Equal(t, c.want, r.out)
			var back api.ExplanationsStatus
			require.NoError(t, json.Unmarshal([]byte(vigil(t, "", "explain", "status", "--server", x.URL, "--output", "json").out), &back))
			require.Equal(t, c.status, back)
		})
	}
}

// transitions are that many of one patient, chained.
func transitions(patient string, n int) []*record.Explanation {
	var out []*record.Explanation
	previous := record.Genesis
	for i := range n {
		e := recordtest.Example()
		e.Patient = patient
		e.Seal(int64(i+1), previous)
		out, previous = append(out, e), e.Hash
	}
	return out
}

func exported(t *testing.T, all ...*record.Explanation) []string {
	var lines []string
	for _, e := range all {
		line, err := json.Marshal(e)
		require.NoError(t, err)
		lines = append(lines, string(line)+"\n")
	}
	return lines
}

func TestVerifyAsksTheService(t *testing.T) {
	found := record.Verification{Patients: 2, Explanations: 9, Parts: 1}
	x := newExplainer(t, map[string]any{"/v1/explanations/verify": &found})
	r := vigil(t, "", "explain", "verify", "--server", x.URL)
	require.Equal(t, exitOK, r.code, r.errOut)
	require.Equal(t, "9 explanations of 2 patients, every chain holds\nof 1 chain only a later part is there: what lies before it is taken on trust\n", r.out)

	found = record.Verification{Patients: 1, Explanations: 9, Breaks: []record.Break{
		{Patient: "p1", Sequence: 5, ID: "p1/r", Position: "f3.812", Reason: record.Altered}, {Patient: "p1", Sequence: 9, Reason: record.Truncated}}}
	r = vigil(t, "", "explain", "verify", "--server", x.URL, "--patient", "p1")
	require.Equal(t, exitFailed, r.code)
	require.Equal(t, "/v1/explanations/verify?patient=p1", x.asked[1])
	require.Equal(t, "patient p1: explanation 5, position f3.812: it was altered: its hash does not fit its content\n"+
		"patient p1: explanation 9: the chain ends before it\n9 explanations of 1 patient\n", r.out)
	require.Equal(t, "vigil: the explanations cannot be relied on: 2 breaks\n", r.errOut)

	r = vigil(t, "", "explain", "verify", "--server", x.URL, "--output", "json")
	require.Equal(t, exitFailed, r.code)
	var back record.Verification
	require.NoError(t, json.Unmarshal([]byte(r.out), &back))
	require.Equal(t, found, back)
}

func TestVerifyOfFilesNeedsNoService(t *testing.T) {
	one, two := exported(t, transitions("p1", 4)...), exported(t, transitions("p2", 2)...)
	altered := strings.Replace(one[1], "Creatinine 1.9", "Creatinine 1.8", 1)
	require.NotEqual(t, one[1], altered)
	for _, c := range []struct {
		name  string
		lines []string
		want  []string // each break: its place, sequence and reason
		says  string
	}{
		{"whole chains, mixed", []string{one[0], two[0], one[1], one[2], two[1], one[3]}, nil, "6 explanations of 2 patients, every chain holds\n"},
		{"a later part", one[2:], nil, "of 1 chain only a later part is there"},
		{"one was altered", []string{one[0], altered, one[2], one[3]}, []string{"2 p1 2 altered"}, ""},
		{"one was left out", []string{one[0], one[1], one[3]}, []string{"3 p1 4 gap"}, ""},
		{"two were exchanged", []string{one[0], one[2], one[1], one[3]}, []string{"2 p1 3 gap", "3 p1 2 gap", "4 p1 4 gap"}, ""},
		{"one is cut off", []string{one[0], `{"patient":"p1","sequence":2,"kind":7}` + "\n", one[2], one[3]}, []string{"2 p1 2 altered"}, ""},
		{"one says more than is in the hash", []string{one[0], strings.Replace(one[1], `{"schema"`, `{"court":"exhibit A","schema"`, 1), one[2]}, []string{"2 p1 2 altered"}, ""},
		{"one is of a form that is not known", []string{strings.Replace(one[0], `"schema":1`, `"schema":2`, 1)}, []string{"1 p1 1 altered"}, ""},
		{"one is no explanation", []string{one[0], "{}\n", one[1]}, []string{"2  0 altered"}, ""},
		{"one is not JSON", []string{one[0], "{\"patient\n", one[1]}, []string{"2  0 altered"}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			name := writeFile(t, "export.ndjson", strings.Join(c.lines, ""))
			r := vigil(t, "", "explain", "verify", name, "--output", "json")
			var found verification
			require.NoError(t, json.Unmarshal([]byte(r.out), &found), r.errOut)
			var got []string
			for _, b := range found.Breaks {
				place, _, _ := strings.Cut(strings.TrimPrefix(b.Place, name+":"), ",")
				got = append(got, fmt.Sprint(place, " ", b.Patient, " ", b.Sequence, " ", b.Reason))
			}
			require.Equal(t, c.want, got)
			code := exitOK
			if len(c.want) > 0 {
				code = exitFailed
			}
			require.Equal(t, code, r.code)
			text := vigil(t, "", "explain", "verify", name)
			require.Equal(t, code, text.code)
			require.Contains(t, text.out, c.says)
			for _, b := range found.Breaks {
				require.Contains(t, text.out, b.Place+": ")
			}
		})
	}
	bad := writeFile(t, "export.ndjson", one[0]+one[2]+two[0])
	require.Equal(t, exitFailed, vigil(t, "", "explain", "verify", bad).code)
	r := vigil(t, "", "explain", "verify", bad, "--patient", "p2")
	require.Equal(t, exitOK, r.code, r.out)
	require.Equal(t, "1 explanation of 1 patient, every chain holds\n", r.out)
	r = vigil(t, "", "explain", "verify", bad, "--patient", "p3")
	require.Equal(t, exitFailed, r.code)
	require.Contains(t, r.errOut, "no explanation of this patient")
	require.Contains(t, vigil(t, "", "explain", "verify", writeFile(t, "empty.ndjson", "")).errOut, "nothing to verify")
	require.Equal(t, exitOK, vigil(t, strings.Join(one, ""), "explain", "verify", "-").code)
}

// pages answers with two explanations a page, each page's first request being cut off when cut is set.
func pages(t *testing.T, x *explainer, all []*record.Explanation, cut bool) {
	lines := exported(t, all...)
	x.handle = func(w http.ResponseWriter, r *http.Request) {
		var after int
		fmt.Sscan(r.URL.Query().Get("after"), &after)
		if cut && after == 2 {
			cut = false
			io.WriteString(w, lines[after][:40])
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}
		for _, line := range lines[min(after, len(lines)):min(after+2, len(lines))] {
			io.WriteString(w, line)
		}
	}
}

func TestAnExportIsWholeAndCanBeVerified(t *testing.T) {
	x := newExplainer(t, nil)
	all := transitions("p1", 5)
	pages(t, x, all, true)
	out := filepath.Join(t.TempDir(), "p1.ndjson")
	r := vigil(t, "", "explain", "export", "--server", x.URL, "--patient", "p1", "--from", "2026-01-01T00:00:00Z", "--to", "2027-01-01T00:00:00Z", "--out", out)
	require.Equal(t, exitOK, r.code, r.errOut)
	require.Equal(t, "5 explanations in "+out+"\n", r.out)
	base := "/v1/patients/p1/explanations?"
	span := "from=2026-01-01T00:00:00Z&to=2027-01-01T00:00:00Z"
	require.Equal(t, []string{base + span, base + "after=2&" + span, base + "after=2&" + span, base + "after=4&" + span, base + "after=5&" + span}, x.asked)
	info, err := os.Stat(out)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	text, err := os.ReadFile(out)
	require.NoError(t, err)
	require.Equal(t, strings.Join(exported(t, all...), ""), string(text))
	require.Equal(t, exitOK, vigil(t, "", "explain", "verify", out).code)

	pages(t, x, all, false)
	r = vigil(t, "", "explain", "export", "--server", x.URL, "--patient", "p1")
	require.Equal(t, string(text), r.out)
	require.Equal(t, "5 explanations\n", r.errOut)
	r = vigil(t, "", "explain", "export", "--server", x.URL, "--patient", "p1", "--out", out, "--output", "json")
	require.JSONEq(t, fmt.Sprintf(`{"explanations":5,"file":%q}`, out), r.out)
}

func TestAnExportThatFailsLeavesNoFile(t *testing.T) {
	x := newExplainer(t, nil)
	dir := t.TempDir()
	x.handle = func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("after") == "" {
			io.WriteString(w, exported(t, transitions("p1", 1)...)[0])
			return
		}
		w.WriteHeader(http.StatusNotFound)
	}
	for _, handle := range []http.HandlerFunc{x.handle, func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "hello\n") }} {
		x.handle = handle
		r := vigil(t, "", "explain", "export", "--server", x.URL, "--patient", "p1", "--out", filepath.Join(dir, "p1.ndjson"))
		require.Equal(t, exitFailed, r.code)
		left, err := os.ReadDir(dir)
		require.NoError(t, err)
		require.Empty(t, left)
	}
	r := vigil(t, "", "explain", "export", "--server", x.URL, "--patient", "p1", "--out", filepath.Join(dir, "none", "p1.ndjson"))
	require.Equal(t, exitFailed, r.code)
	require.Contains(t, r.errOut, "no such file or directory")
}
