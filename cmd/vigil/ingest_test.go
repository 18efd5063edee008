package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/ulikunitz/xz"
)

// fakeService keeps what it is sent, and answers as the service would that takes everything but resources
// and lines that say "bad".
type fakeService struct {
	*httptest.Server
	mu       sync.Mutex
	requests []string // path and number of things
	refuse   []int    // statuses to answer first
	limit    int      // most things in a request; 0: any number
}

func newFakeService(t *testing.T) *fakeService {
	f := &fakeService{}
	f.Server = httptest.NewServer(http.HandlerFunc(f.serve))
	t.Cleanup(f.Close)
	return f
}

func (f *fakeService) serve(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	body, _ := io.ReadAll(r.Body)
	if len(f.refuse) > 0 {
		w.Header().Set("Retry-After", "0")
		w.WriteHeader(f.refuse[0])
		f.refuse = f.refuse[1:]
		return
	}
	w.Header().Set("Vigil-Position", fmt.Sprintf("e0.%d", len(f.requests)))
	if r.URL.Path == "/v1/observations" {
		lines := strings.Split(strings.TrimSpace(string(body)), "\n")
		var refused []map[string]any
		for i, line := range lines {
			if strings.Contains(line, "bad") {
				refused = append(refused, map[string]any{"line": i + 1, "problem": "it is bad", "mend": "send a good one"})
			}
		}
		f.requests = append(f.requests, fmt.Sprint("observations ", len(lines)))
		json.NewEncoder(w).Encode(map[string]any{"accepted": len(lines) - len(refused), "refused": refused})
		return
	}
	var b struct {
		Type  string
		Entry []struct{ Resource json.RawMessage }
	}
	json.Unmarshal(body, &b)
	if f.limit > 0 && len(b.Entry) > f.limit {
		w.WriteHeader(http.StatusRequestEntityTooLarge)
		return
	}
	f.requests = append(f.requests, fmt.Sprint(b.Type, " ", len(b.Entry)))
	if b.Type == "transaction" && strings.Contains(string(body), "bad") {
		w.WriteHeader(http.StatusUnprocessableEntity)
		io.WriteString(w, `{"issue":[{"diagnostics":"Bundle.entry[1].resource: it is bad; send a good one","expression":["Bundle.entry[1].resource"]}]}`)
		return
	}
	var entries []string
	for i, e := range b.Entry {
		if strings.Contains(string(e.Resource), "bad") {
			entries = append(entries, fmt.Sprintf(`{"response":{"status":"422 Unprocessable Entity","outcome":{"issue":[{"diagnostics":"Bundle.entry[%d].resource.subject.reference: it is bad","expression":["Bundle.entry[%d].resource.subject.reference"]}]}}}`, i, i))
		} else {
			entries = append(entries, `{"response":{"status":"200 OK"}}`)
		}
	}
	fmt.Fprintf(w, `{"entry":[%s]}`, strings.Join(entries, ","))
}

func ingested(t *testing.T, f *fakeService, args ...string) (summary, result) {
	t.Helper()
	r := vigil(t, "", append([]string{"ingest", "--server", f.URL, "--output", "json", "--retry", "5s"}, args...)...)
	var s summary
	require.NoError(t, json.Unmarshal([]byte(r.out), &s), r.out+r.errOut)
	return s, r
}

const (
	oneLine     = `{"patient":"p1","code":"loinc|1","time":0,"value":1}`
	oneResource = `{"resourceType":"Observation","id":"a"}`
	oneBundle   = "{\n  \"resourceType\": \"Bundle\",\n  \"type\": \"transaction\",\n  \"entry\": [{\"resource\": {}}, {\"resource\": {}}]\n}\n"
)

// archive is a tar with a Bundle under each name.
func tarred(names ...string) string {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, name := range names {
		w.WriteHeader(&tar.Header{Name: name, Size: int64(len(oneBundle)), Mode: 0o600, Typeflag: tar.TypeReg})
		io.WriteString(w, oneBundle)
	}
	w.Close()
	return b.String()
}

func TestEachFormatIsRecognised(t *testing.T) {
	gz := func(s string) string {
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		io.WriteString(w, s)
		w.Close()
		return b.String()
	}
	packed := func(s string) string {
		var b bytes.Buffer
		w, err := xz.NewWriter(&b)
		require.NoError(t, err)
		io.WriteString(w, s)
		w.Close()
		return b.String()
	}
	for _, c := range []struct {
		name, file, text string
		requests         []string
		accepted         int
	}{
		{"one resource", "a.json", oneResource, []string{"batch 1"}, 1},
		{"one resource over many lines", "a.json", "{\n\"resourceType\":\n\"Observation\"}", []string{"batch 1"}, 1},
		{"a Bundle", "a.json", oneBundle, []string{"transaction 2"}, 2},
		{"resources, one a line", "a.ndjson", oneResource + "\n\n" + oneResource, []string{"batch 2"}, 2},
		{"compact observations", "a.ndjson", oneLine + "\n" + oneLine + "\n", []string{"observations 2"}, 2},
		{"a mixture, in its order", "a.ndjson", oneLine + "\n" + oneResource + "\n" + oneLine + "\n", []string{"observations 1", "batch 1", "observations 1"}, 3},
		{"gzip", "a.json.gz", gz(oneBundle), []string{"transaction 2"}, 2},
		{"gzip by another name", "export", gz(oneLine), []string{"observations 1"}, 1},
		{"xz", "a.ndjson.xz", packed(oneLine + "\n"), []string{"observations 1"}, 1},
		{"an archive", "a.tar.xz", packed(tarred("x/a.json", "x/README.md", "x/b.json")), []string{"transaction 2", "transaction 2"}, 4},
		{"a byte order mark before a line", "a.ndjson", "\ufeff" + oneLine + "\n" + oneLine, []string{"observations 2"}, 2},
		{"a byte order mark before a Bundle", "a.json", "\ufeff" + oneBundle, []string{"transaction 2"}, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFakeService(t)
			s, r := ingested(t, f, writeFile(t, c.file, c.text))
			require.Equal(t, exitOK, r.code, r.errOut)
			require.Equal(t, c.requests, f.requests)
			require.Equal(t, c.accepted, s.Accepted)
		})
	}
}

func TestAByteOrderMarkOnTheStandardInputIsSkipped(t *testing.T) {
	f := newFakeService(t)
	r := vigil(t, "\ufeff"+oneLine+"\n", "ingest", "--server", f.URL, "-")
	require.Equal(t, exitOK, r.code, r.out+r.errOut)
	require.Equal(t, []string{"observations 1"}, f.requests)
}

func TestNothingToSendIsAFailure(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "notes.txt"), []byte("x"), 0o600))
	for _, c := range []struct{ name, file, passedOver string }{
		{"an empty file", writeFile(t, "a.json", ""), ""},
		{"blank lines", writeFile(t, "a.ndjson", "\ufeff\n \n"), ""},
		{"an archive of other files", writeFile(t, "a.tar", tarred("README.md", "a.csv")), "passed over 2 files that do not end in .json"},
		{"a folder of other files", dir, "passed over 1 file that does not end in .json"},
		{"an empty folder", t.TempDir(), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := newFakeService(t)
			r := vigil(t, "", "ingest", "--server", f.URL, c.file)
			require.Equal(t, exitFailed, r.code)
			require.Contains(t, r.errOut, "nothing to send: "+c.file)
			require.Contains(t, r.errOut, c.passedOver)
			require.Equal(t, c.passedOver != "", strings.Contains(r.errOut, "passed over"))
			require.Empty(t, r.out)
		})
	}
}

func TestFilesPassedOverAreCounted(t *testing.T) {
	f := newFakeService(t)
	dir := t.TempDir()
	for name, text := range map[string]string{"a.tar": tarred("x.json", "README.md"), "b.ndjson": oneLine, "notes.txt": "x"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	s, r := ingested(t, f, dir)
	require.Equal(t, exitOK, r.code, r.errOut)
	require.Equal(t, 2, s.PassedOver)
	require.Contains(t, vigil(t, "", "ingest", "--server", f.URL, dir).out, "passed over 2 files that do not end in .json")
}

func TestAllThatIsRefusedHasNoRate(t *testing.T) {
	f := newFakeService(t)
	r := vigil(t, "", "ingest", "--server", f.URL, writeFile(t, "a.json", "{"))
	require.Equal(t, exitFailed, r.code)
	require.Contains(t, r.out, "accepted 0\nrefused 1:\n")
}

func TestWhereJSONIsMalformedIsTold(t *testing.T) {
	for _, c := range []struct{ name, text, at string }{
		{"a line", oneLine + "\n  {\"patient\" \"p\"}\n", `:2, malformed at byte 14: invalid character '"' after object key`},
		{"a line cut short", oneLine + "\n{", ":2, malformed at byte 1: unexpected end of JSON input"},
		{"a file of many lines", "\ufeff{\n\"entry\": [}\n", ", malformed at byte 16: invalid character '}' looking for beginning of value"},
		{"another type of resource", `{"resourceType": 7}`, ":1, resourceType is no string"},
		{"an array", "[1]", ":1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			file := writeFile(t, "a.ndjson", c.text)
			s, r := ingested(t, newFakeService(t), file)
			require.Equal(t, exitFailed, r.code)
			require.Len(t, s.Reasons, 1)
			require.Equal(t, notAnObject, s.Reasons[0].Problem)
			require.Equal(t, []string{file + c.at}, s.Reasons[0].Places)
		})
	}
}

func TestADirectoryIsSentInOrderOfName(t *testing.T) {
	f := newFakeService(t)
	dir := t.TempDir()
	for name, text := range map[string]string{"b.ndjson": oneLine, "a/x.json": oneBundle, "notes.txt": "x"} {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700))
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	s, _ := ingested(t, f, dir)
	require.Equal(t, []string{"transaction 2", "observations 1"}, f.requests)
	require.Equal(t, "e0.1", s.Position)
}

func TestWhatIsRefusedIsToldWithItsPlacesAndFails(t *testing.T) {
	f := newFakeService(t)
	lines := writeFile(t, "lines.ndjson", oneLine+"\n"+`{"patient":"bad"}`+"\nnonsense\n"+`{"patient":"bad"}`+"\n")
	bundle := writeFile(t, "bundle.json", strings.Replace(oneBundle, `"resource": {}`, `"resource": {"id":"bad"}`, 1))
	resources := writeFile(t, "resources.ndjson", oneResource+"\n"+`{"resourceType":"Observation","id":"bad"}`+"\n")
	s, r := ingested(t, f, lines, bundle, resources)
	require.Equal(t, exitFailed, r.code)
	require.Equal(t, 2, s.Accepted)
	require.Equal(t, 6, s.Refused)
	places := map[string][]string{}
	for _, reason := range s.Reasons {
		places[reason.Problem] = reason.Places
	}
	require.Equal(t, map[string][]string{
		"it is bad; send a good one": {lines + ":2", lines + ":4", bundle + " Bundle.entry[1].resource"},
		"it is bad":                  {resources + ":2 subject.reference"},
		notAnObject:                  {lines + ":3, malformed at byte 2: invalid character 'o' in literal null (expecting 'u')"},
	}, places)

	text := vigil(t, "", "ingest", "--server", f.URL, lines)
	require.Equal(t, exitFailed, text.code)
	require.Contains(t, text.out, "accepted 1 in")
	require.Contains(t, text.out, "refused 3:")
	require.Contains(t, text.out, "at "+lines+":2")
}

func TestABusyServiceIsTriedAgain(t *testing.T) {
	f := newFakeService(t)
	f.refuse = []int{503, 429}
	s, r := ingested(t, f, writeFile(t, "a.ndjson", oneLine))
	require.Equal(t, exitOK, r.code, r.errOut)
	require.Equal(t, 1, s.Accepted)
}

func TestABatchOverTheServicesLimitIsHalved(t *testing.T) {
	f := newFakeService(t)
	f.limit = 2
	s, r := ingested(t, f, writeFile(t, "a.ndjson", strings.Repeat(oneResource+"\n", 5)))
	require.Equal(t, exitOK, r.code, r.errOut)
	require.Equal(t, 5, s.Accepted)
	require.Equal(t, []string{"batch 2", "batch 1", "batch 2"}, f.requests)
}

func TestAServiceThatIsNotThereIsNamed(t *testing.T) {
	f := newFakeService(t)
	f.Close()
	r := vigil(t, "", "ingest", "--server", f.URL, "--retry", "0s", writeFile(t, "a.ndjson", oneLine))
	require.Equal(t, exitFailed, r.code)
	require.Contains(t, r.errOut, f.URL)
	require.Contains(t, r.errOut, "is vigil serve running there?")
	r = vigil(t, "", "alerts", "p-secret", "--server", f.URL)
	require.Equal(t, exitFailed, r.code)
	require.NotContains(t, r.errOut, "p-secret")
}

func TestAStoppedRunGoesOnWhereItWas(t *testing.T) {
	f := newFakeService(t)
	state := filepath.Join(t.TempDir(), "state")
	file := writeFile(t, "a.ndjson", strings.Repeat(oneLine+"\n", mostObservations)+oneResource+"\n"+oneLine+"\n")
	f.refuse = nil
	s, r := ingested(t, f, "--state", state, file)
	require.Equal(t, exitOK, r.code, r.errOut)
	require.Equal(t, mostObservations+2, s.Accepted)

	s, _ = ingested(t, f, "--state", state, file)
	require.Zero(t, s.Accepted)
	require.Equal(t, mostObservations+2, s.Skipped)

	// As if the run had been stopped after its first request.
	var p progress
	data, err := os.ReadFile(state)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(data, &p))
	p.path = state
	for _, file := range p.Files {
		file.Items = mostObservations
	}
	require.NoError(t, p.save())
	f.requests = nil
	s, _ = ingested(t, f, "--state", state, file)
	require.Equal(t, []string{"batch 1", "observations 1"}, f.requests)
	require.Equal(t, 2, s.Accepted)

	require.NoError(t, os.Chtimes(file, time.Now(), time.Now().Add(time.Hour)))
	s, _ = ingested(t, f, "--state", state, file)
	require.Equal(t, mostObservations+2, s.Accepted, "a file that has changed is sent from its beginning")

	require.NoError(t, os.WriteFile(state, []byte("junk"), 0o600))
	r = vigil(t, "", "ingest", "--server", f.URL, "--state", state, file)
	require.Equal(t, exitFailed, r.code)
	require.Contains(t, r.errOut, "remove it")
}

func TestAFileThatIsCutShortSendsWhatItHadAndFails(t *testing.T) {
	f := newFakeService(t)
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	io.WriteString(w, oneLine+"\n")
	w.Flush()
	file := writeFile(t, "a.ndjson.gz", b.String())
	s, r := ingested(t, f, file)
	require.Equal(t, exitFailed, r.code)
	require.Equal(t, 1, s.Accepted)
	require.Contains(t, r.errOut, file)
}
