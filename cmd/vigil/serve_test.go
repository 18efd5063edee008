package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vigil-cds/vigil/internal/api"
	"github.com/vigil-cds/vigil/rules"
	"github.com/vigil-cds/vigil/store"
)

// served is a service running under a test.
type served struct {
	url    string
	stop   context.CancelFunc
	ended  chan int
	errOut *bytes.Buffer
}

// serve starts a service and waits until it says where it listens.
func serve(t *testing.T, args ...string) *served {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	out, in := io.Pipe()
	s := &served{stop: stop, ended: make(chan int, 1), errOut: &bytes.Buffer{}}
	go func() {
		code := run(ctx, append([]string{"serve", "--listen", "127.0.0.1:0", "--kafka-partitions", "2", "--store-memory", "32MiB"}, args...),
			strings.NewReader(""), in, s.errOut)
		in.Close()
		s.ended <- code
	}()
	lines := bufio.NewScanner(out)
	if !lines.Scan() {
		t.Fatalf("the service ended with %d: %s", <-s.ended, s.errOut)
	}
	url, ok := strings.CutPrefix(lines.Text(), "listening on ")
	require.True(t, ok, lines.Text())
	s.url = url
	return s
}

// end stops the service and holds it to a clean end.
func (s *served) end(t *testing.T) {
	t.Helper()
	s.stop()
	select {
	case code := <-s.ended:
		require.Equal(t, exitOK, code, s.errOut.String())
	case <-time.After(30 * time.Second):
		t.Fatal("the service did not end")
	}
}

func (s *served) get(t *testing.T, path string, into any) {
	t.Helper()
	response, err := http.Get(s.url + path)
	require.NoError(t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, response.StatusCode, string(body))
	require.NoError(t, json.Unmarshal(body, into))
}

// rulesOf asks what is active for a patient, once the service has seen a position.
func (s *served) rulesOf(t *testing.T, patient, now, position string) string {
	t.Helper()
	r := vigil(t, "", "alerts", patient, "--server", s.url, "--now", now, "--min-position", position, "--timeout", "20s", "--output", "json")
	require.Equal(t, exitOK, r.code, r.errOut)
	var a store.Answer
	require.NoError(t, json.Unmarshal([]byte(strings.ReplaceAll(r.out, `"values"`, `"shown"`)), &a))
	var names []string
	for _, alert := range a.Alerts {
		names = append(names, alert.Rule)
	}
	return strings.Join(names, " ")
}

func TestTheServiceTakesAnswersAndRemembers(t *testing.T) {
	data := t.TempDir()
	first := writeFile(t, "demo.yaml", pack)
	s := serve(t, "--data", data, "--rules", first, "--clock", "log")
	input := writeFile(t, "in.ndjson", potassium("a", "p1", "2026-03-01T10:00:00Z", "6.4")+"\n"+
		`{"patient":"p2","code":"loinc|2823-3","time":"2026-03-01T10:00:00Z","value":7,"unit":"mmol/L"}`+"\n"+
		potassium("b", "p3", "2026-03-01T10:00:00Z", "4.4")+"\n")
	sent := vigil(t, "", "ingest", "--server", s.url, "--output", "json", input)
	require.Equal(t, exitOK, sent.code, sent.out+sent.errOut)
	var counts summary
	require.NoError(t, json.Unmarshal([]byte(sent.out), &counts))
	require.Equal(t, 3, counts.Accepted)

	holds := func(s *served) {
		t.Helper()
		for patient, want := range map[string]string{"p1": "high-potassium", "p2": "high-potassium", "p3": ""} {
			require.Equal(t, want, s.rulesOf(t, patient, "2026-03-01T12:00:00Z", counts.Position), patient)
			require.Empty(t, s.rulesOf(t, patient, "2026-03-03T12:00:00Z", counts.Position), "time alone clears it")
		}
	}
	holds(s)
	var page api.WorklistPage
	s.get(t, "/v1/alerts?limit=1", &page)
	require.Len(t, page.Alerts, 1)
	seen := page.Alerts[0].Patient
	s.get(t, "/v1/alerts?limit=1&cursor="+page.Next, &page)
	require.ElementsMatch(t, []string{"p1", "p2"}, []string{seen, page.Alerts[0].Patient})
	require.Equal(t, "High potassium", page.Alerts[0].Title)
	s.get(t, "/v1/alerts?severity=info", &page)
	require.Empty(t, page.Alerts)

	listed := vigil(t, "", "rules", "list", "--server", s.url)
	require.Contains(t, listed.out, "high-potassium")
	s.end(t)

	again := serve(t, "--data", data, "--clock", "log")
	holds(again)

	request, err := http.NewRequest(http.MethodDelete, again.url+"/fhir/Observation/a", nil)
	require.NoError(t, err)
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	response.Body.Close()
	require.Equal(t, http.StatusNoContent, response.StatusCode)
	require.Empty(t, again.rulesOf(t, "p1", "2026-03-01T12:00:00Z", response.Header.Get("Vigil-Position")))

	other := writeFile(t, "other.yaml", strings.NewReplacer("6.0", "4.0", "high-potassium", "potassium-over-4").Replace(pack))
	activated := vigil(t, "", "rules", "activate", "--server", again.url, other)
	require.Equal(t, exitOK, activated.code, activated.errOut)
	require.Eventually(t, func() bool {
		return again.rulesOf(t, "p3", "2026-03-01T12:00:00Z", counts.Position) == "potassium-over-4"
	}, 10*time.Second, 20*time.Millisecond)
	broken := vigil(t, "", "rules", "activate", "--server", again.url, writeFile(t, "x.yaml", "pack: x\nrule: []\n"))
	require.Equal(t, exitFailed, broken.code)
	require.Contains(t, broken.errOut, "x.yaml:2:1")
	http.DefaultClient.CloseIdleConnections()
	again.end(t)

	replayed := vigil(t, "", "replay", data, "--rules", first, "--until", "2026-03-04T00:00:00Z")
	require.Equal(t, exitOK, replayed.code, replayed.errOut)
	require.Contains(t, replayed.out, "2026-03-02T10:00:00.001Z cleared critical high-potassium p2 by time")
	for _, log := range []string{s.errOut.String(), again.errOut.String()} {
		require.NotContains(t, log, "p3")
		require.NotContains(t, log, "no rules are active")
		require.NotContains(t, log, "replayed the facts log", "a few records are part of every start")
	}
}

// freePort is one that nothing listened on a moment ago.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	require.NoError(t, err)
	return port
}

func TestASecondProcessExplainsWhatTheServiceAnswers(t *testing.T) {
	port := freePort(t)
	s := serve(t, "--data", t.TempDir(), "--rules", writeFile(t, "demo.yaml", pack), "--clock", "log",
		"--roles", "intake,rules", "--kafka-listen", port)
	send := func(resources ...string) string {
		sent := vigil(t, "", "ingest", "--server", s.url, "--output", "json", writeFile(t, "in.ndjson", strings.Join(resources, "\n")))
		require.Equal(t, exitOK, sent.code, sent.out+sent.errOut)
		var counts summary
		require.NoError(t, json.Unmarshal([]byte(sent.out), &counts))
		return counts.Position
	}
	first := send(potassium("a", "p1", "2026-03-01T10:00:00Z", "6.4"))
	second := send(potassium("b", "p1", "2026-03-01T18:00:00Z", "4.4"))
	other := serve(t, "--data", t.TempDir(), "--roles", "explain", "--brokers", "127.0.0.1:"+port, "--clock", "log")
	ask := func(args ...string) result {
		return vigil(t, "", append([]string{"explain", "--server", other.url, "--timeout", "20s"}, args...)...)
	}
	for _, c := range []struct{ args, says string }{
		{"--min-position " + second, "Not true: potassium 4.4 mmol/L"},
		{"--at 2026-03-01T10:00:00Z", "True: potassium 6.4 mmol/L"},
		{"--known-at " + first, "True: potassium 6.4 mmol/L"},
		{"--known-at 2026-03-01T12:00:00Z", "True: potassium 6.4 mmol/L"},
		{"--at 2026-03-02T18:00:00.001Z", "Not known: no potassium in 24 hours"},
	} {
		r := ask(append(strings.Fields(c.args), "--sentence", "p1", "high-potassium")...)
		require.Equal(t, exitOK, r.code, r.errOut)
		require.Contains(t, r.out, c.says, c.args)
	}
	require.Contains(t, ask("--compare", "2026-03-01T10:00:00Z", "p1", "high-potassium").out, "the rule: true → false")
	passed := ask("--server", s.url, "--sentence", "p1", "high-potassium")
	require.Contains(t, passed.out, "Not true: potassium 4.4 mmol/L", "who does not explain passes the question on: "+passed.errOut)

	for _, c := range []struct{ args, says string }{
		{"p1 high-potasium", "did you mean high-potassium?"},
		{"p2 high-potassium", "check the id"},
		{"p1 high-potassium --rule-set 01234567", "no such rule set was ever active"},
		{"p1 high-potassium --known-at 2099-01-01T00:00:00Z", "known_at is in the future"},
		{"p1 high-potassium --timeout 20ms --min-position " + second + "99", "not reached in time"},
	} {
		r := ask(strings.Fields(c.args)...)
		require.Equal(t, exitFailed, r.code)
		require.Contains(t, r.errOut, c.says)
	}

	out := filepath.Join(t.TempDir(), "p1.ndjson")
	require.Equal(t, "2 explanations in "+out+"\n", vigil(t, "", "explain", "export", "--server", other.url, "--patient", "p1", "--out", out).out)
	for _, where := range [][]string{{out}, {"--server", other.url}} {
		require.Contains(t, vigil(t, "", append([]string{"explain", "verify"}, where...)...).out, "2 explanations of 1 patient, every chain holds")
	}
	require.Contains(t, vigil(t, "", "explain", "status", "--server", other.url).out, "2 transitions explained")
	other.end(t)
	s.end(t)
	require.Contains(t, s.errOut.String(), "brokers=127.0.0.1:"+port)
	for _, log := range []string{s.errOut.String(), other.errOut.String()} {
		require.NotContains(t, log, "p1")
	}
}

func TestAServiceWithoutRulesSaysHowToActivateSome(t *testing.T) {
	s := serve(t, "--data", t.TempDir())
	s.end(t)
	require.Equal(t, 1, strings.Count(s.errOut.String(), "no rules are active; vigil rules activate PATH makes some active"), s.errOut)
}

func TestTwoServicesCannotShareADataDirectory(t *testing.T) {
	data := t.TempDir()
	s := serve(t, "--data", data)
	defer s.end(t)
	r := vigil(t, "", "serve", "--data", data, "--listen", "127.0.0.1:0")
	require.Equal(t, exitFailed, r.code)
	require.Contains(t, r.errOut, "choose another data directory")
}

func TestAServiceWithRulesThatDoNotCompileDoesNotStart(t *testing.T) {
	r := vigil(t, "", "serve", "--data", t.TempDir(), "--listen", "127.0.0.1:0", "--rules", writeFile(t, "x.yaml", "pack: x\nrule: []\n"))
	require.Equal(t, exitFailed, r.code)
	require.Contains(t, r.errOut, "x.yaml:2:1")
}

func TestACursorIsReadAsItWasWritten(t *testing.T) {
	want := store.Cursor{Severity: rules.Warning, Rule: "r", Patient: "p"}
	got, err := parseCursor(formatCursor(want))
	require.NoError(t, err)
	require.Equal(t, want, got)
	for _, text := range []string{"!", "e30x", formatCursor(store.Cursor{Severity: 9})} {
		_, err := parseCursor(text)
		require.ErrorIs(t, err, api.ErrBadCursor, fmt.Sprintf("%q", text))
	}
}
