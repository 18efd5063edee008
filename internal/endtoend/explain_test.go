package endtoend

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/ulikunitz/xz"
)

const packs = "../../rules/packs"

// audit is what GET /v1/explanations/status says.
type audit struct {
	Ready, Degraded                                   bool
	Divergences, Explained, Matched, Pending, Expired int64
	PerSecond                                         float64
	Partitions                                        []struct{ Facts, End int64 }
}

func (s *server) audit() (a audit) {
	s.t.Helper()
	s.get("/v1/explanations/status", &a)
	return a
}

// settled waits until everything is explained and matched, and returns how it came out.
func (s *server) settled(within time.Duration) audit {
	s.t.Helper()
	var a audit
	for end := time.Now().Add(within); time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
		a = s.audit()
		behind := slices.ContainsFunc(a.Partitions, func(p struct{ Facts, End int64 }) bool { return p.Facts < p.End })
		if a.Ready && !behind && a.Pending == 0 && a.Explained > 0 && a.Explained == a.Matched+a.Expired+a.Divergences {
			return a
		}
	}
	s.t.Fatalf("not everything was explained and matched within %s: %+v", within, a)
	return a
}

// times are the elements of a resource that say when it was, the first that it has being taken.
var times = []*regexp.Regexp{
	regexp.MustCompile(`"(?:effectiveDateTime|occurrenceDateTime|authoredOn|onsetDateTime|recordedDate|performedDateTime)":\s*"([^"]+)"`),
	regexp.MustCompile(`"start":\s*"([^"]+)"`),
	regexp.MustCompile(`"issued":\s*"([^"]+)"`),
}

// told is a resource and when it was.
type told struct {
	at   time.Time
	body json.RawMessage
	name string
}

// history is every resource of the Bundles, with references that stand outside of them, in order of time.
func history(t *testing.T, paths []string) []told {
	t.Helper()
	var all []told
	for _, path := range paths {
		text, err := os.ReadFile(path)
		require.NoError(t, err)
		var bundle struct {
			Entry []struct {
				FullURL  string `json:"fullUrl"`
				Resource json.RawMessage
			}
		}
		require.NoError(t, json.Unmarshal(text, &bundle))
		names := make([]string, 0, 2*len(bundle.Entry))
		for _, e := range bundle.Entry {
			var r struct{ ResourceType, ID string }
			require.NoError(t, json.Unmarshal(e.Resource, &r))
			names = append(names, e.FullURL, r.ResourceType+"/"+r.ID)
		}
		direct := strings.NewReplacer(names...)
		for i, e := range bundle.Entry {
			r := told{body: json.RawMessage(direct.Replace(string(e.Resource))), name: names[2*i+1]}
			for _, when := range times {
				if m := when.FindSubmatch(e.Resource); m != nil && r.at.IsZero() {
					r.at, _ = time.Parse(time.RFC3339, string(m[1])) // a date alone stays zero, and comes first
				}
			}
			all = append(all, r)
		}
	}
	slices.SortStableFunc(all, func(x, y told) int { return x.at.Compare(y.at) })
	return all
}

// Every transition of 120 whole lives under the packs that ship is explained by the reference evaluator,
// and no other is.
func TestEveryTransitionOfTheSyntheaPatientsIsExplained(t *testing.T) {
	all := history(t, synthea(t))
	s := serve(t, t.TempDir(), "--rules", packs, "--clock", "log", "--explain-share", "100")
	for chunk := range slices.Chunk(all, 200) {
		type request struct {
			Method string `json:"method"`
			URL    string `json:"url"`
		}
		type entry struct {
			Request  request         `json:"request"`
			Resource json.RawMessage `json:"resource"`
		}
		bundle := struct {
			ResourceType string  `json:"resourceType"`
			Type         string  `json:"type"`
			Entry        []entry `json:"entry"`
		}{ResourceType: "Bundle", Type: "batch"}
		for _, r := range chunk {
			bundle.Entry = append(bundle.Entry, entry{request{"PUT", r.name}, r.body})
		}
		body, err := json.Marshal(bundle)
		require.NoError(t, err)
		status, _, answer := s.send(http.MethodPost, "/fhir", mediaFHIR, body)
		require.Equal(t, http.StatusOK, status, tail(string(answer)))
	}
	s.allExplained(2 * time.Minute)
	s.stop()
}

// icu unpacks the sample stays beside the project: by stay, the rows of each hour.
func icu(t *testing.T) (stays map[string][][]string) {
	t.Helper()
	f, err := os.Open(filepath.Join("..", "..", "..", "shared", "data", "physionet2019-setA-500-stays.tar.xz"))
	if errors.Is(err, fs.ErrNotExist) {
		t.Skip("../shared is not beside the project: there are no ICU stays to take in")
	}
	require.NoError(t, err)
	defer f.Close()
	r, err := xz.NewReader(f)
	require.NoError(t, err)
	stays = map[string][][]string{}
	for files := tar.NewReader(r); ; {
		h, err := files.Next()
		if errors.Is(err, io.EOF) {
			return stays
		}
		require.NoError(t, err)
		if h.Typeflag != tar.TypeReg || !strings.HasSuffix(h.Name, ".psv") {
			continue
		}
		body, err := io.ReadAll(files)
		require.NoError(t, err)
		name := strings.TrimSuffix(filepath.Base(h.Name), ".psv")
		for line := range strings.Lines(string(body)) {
			stays[name] = append(stays[name], strings.Split(strings.TrimSpace(line), "|"))
		}
	}
}

// columns are what the stays measure, in the units that their README states.
var columns = map[string]struct{ code, unit string }{
	"HR": {"loinc|8867-4", "/min"}, "O2Sat": {"loinc|59408-5", "%"}, "Temp": {"loinc|8310-5", "Cel"}, "SBP": {"loinc|8480-6", "mm[Hg]"},
	"Resp": {"loinc|9279-1", "/min"}, "PaCO2": {"loinc|2019-8", "mm[Hg]"}, "Creatinine": {"loinc|2160-0", "mg/dL"},
	"Glucose": {"loinc|2345-7", "mg/dL"}, "Lactate": {"loinc|2524-7", "mmol/L"}, "Potassium": {"loinc|2823-3", "mmol/L"},
	"WBC": {"loinc|6690-2", "10*3/uL"}, "Platelets": {"loinc|777-3", "10*3/uL"},
}

// Every transition of 500 real ICU stays, hour by hour, is explained, and no other is.
func TestEveryTransitionOfTheICUStaysIsExplained(t *testing.T) {
	stays := icu(t)
	names := make([]string, 0, len(stays))
	hours := 0
	for name, rows := range stays {
		names = append(names, name)
		hours = max(hours, len(rows)-1)
	}
	slices.Sort(names)
	s := serve(t, t.TempDir(), "--rules", packs, "--clock", "log", "--explain-share", "100")
	admission := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	facts := 0
	for hour := 1; hour <= hours; hour++ {
		var body bytes.Buffer
		for _, name := range names {
			rows := stays[name]
			if hour >= len(rows) {
				continue
			}
			for i, column := range rows[0] {
				c, known := columns[column]
				value, err := strconv.ParseFloat(rows[hour][i], 64)
				if !known || err != nil || math.IsNaN(value) {
					continue
				}
				fmt.Fprintf(&body, `{"patient":%q,"code":%q,"time":%q,"value":%g,"unit":%q}`+"\n", name, c.code,
					admission.Add(time.Duration(hour)*time.Hour).Format(time.RFC3339), value, c.unit)
				facts++
			}
		}
		if body.Len() == 0 {
			continue
		}
		status, _, answer := s.send(http.MethodPost, "/v1/observations", "application/x-ndjson", body.Bytes())
		require.Equal(t, http.StatusOK, status, tail(string(answer)))
	}
	t.Logf("%d stays, %d facts", len(stays), facts)
	s.allExplained(2 * time.Minute)
	s.stop()
}

// allExplained holds the engine's transitions to the explained ones, and the chains to their hashes.
func (s *server) allExplained(within time.Duration) {
	s.t.Helper()
	a := s.settled(within)
	fired := int64(s.metric("vigil_transitions_total", ""))
	s.t.Logf("%d transitions of the engine, %d explained, %d matched, %d divergences", fired, a.Explained, a.Matched, a.Divergences)
	require.Zero(s.t, a.Divergences)
	require.False(s.t, a.Degraded)
	require.Equal(s.t, fired, a.Matched)
	out, code := vigil(s.t, "explain", "verify", "--server", s.url)
	require.Zero(s.t, code, out)
}

// An engine that is off by one at the far end of its windows is found out.
func TestTheAuditFindsAnEngineThatIsOffByOne(t *testing.T) {
	broken := filepath.Join(t.TempDir(), "vigil")
	if out, err := exec.Command("go", "build", "-tags", "vigil_broken_edge", "-o", broken, "../../cmd/vigil").CombinedOutput(); err != nil {
		t.Fatalf("building a broken vigil: %v\n%s", err, out)
	}
	data := t.TempDir()
	s := serveWith(t, broken, data, "--rules", packs, "--clock", "log")
	line := func(at time.Time, value float64) string {
		return fmt.Sprintf(`{"patient":"p1","code":"loinc|2160-0","time":%q,"value":%g,"unit":"mg/dL"}`+"\n", at.Format(time.RFC3339), value)
	}
	noon := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for _, body := range []string{line(noon, 1), line(noon.Add(time.Hour), 2.2), line(noon.Add(30*24*time.Hour), 1)} {
		status, _, answer := s.send(http.MethodPost, "/v1/observations", "application/x-ndjson", []byte(body))
		require.Equal(t, http.StatusOK, status, string(answer))
	}
	var a audit
	require.Eventually(t, func() bool { a = s.audit(); return a.Divergences > 0 }, 2*time.Minute, 200*time.Millisecond)
	require.True(t, a.Degraded)
	require.Positive(t, s.metric("vigil_explain_divergence_total", `rule="`))
	status, _, ready := s.send(http.MethodGet, "/readyz", "", nil)
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, string(ready), "degraded")

	var kept []string
	require.Eventually(t, func() bool { // the last of its files, so that all are there
		kept, _ = filepath.Glob(filepath.Join(data, "explain", "divergences", "*", "README.txt"))
		return len(kept) > 0
	}, 20*time.Second, 50*time.Millisecond, "a divergence is kept as files that can be run again")
	kept[0] = filepath.Join(filepath.Dir(kept[0]), "facts.ndjson")
	out, code := vigil(t, "eval", "--rules", filepath.Join(filepath.Dir(kept[0]), "rules"), "--now", noon.Add(2*time.Hour).Format(time.RFC3339), "--all", kept[0])
	require.Zero(t, code, out)
	require.Contains(t, out, "p1")
	s.stop()
}

// The explain role may be started long after the engine, in another process, and go on where it stopped.
func TestExplainingMayBeginLateAndElsewhere(t *testing.T) {
	engine := serve(t, t.TempDir(), "--rules", packs, "--clock", "log", "--roles", "intake,rules")
	noon := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	creatinine := func(hour int, value float64) {
		t.Helper()
		var body bytes.Buffer
		for p := range 40 {
			fmt.Fprintf(&body, `{"patient":"p%d","code":"loinc|2160-0","time":%q,"value":%g,"unit":"mg/dL"}`+"\n", p,
				noon.Add(time.Duration(hour)*time.Hour).Format(time.RFC3339), value)
		}
		status, _, answer := engine.send(http.MethodPost, "/v1/observations", "application/x-ndjson", body.Bytes())
		require.Equal(t, http.StatusOK, status, string(answer))
	}
	creatinine(0, 1)
	creatinine(20, 1.9)
	status, _, _ := engine.send(http.MethodGet, "/v1/patients/p1/explain/aki-kdigo-1", "", nil)
	require.Equal(t, http.StatusServiceUnavailable, status, "this process does not explain")

	data := t.TempDir()
	elsewhere := append(engine.log().flags(), "--roles", "explain", "--clock", "log")
	auditor := serve(t, data, elsewhere...)
	a := auditor.settled(time.Minute)
	require.Equal(t, int64(engine.metric("vigil_transitions_total", "")), a.Matched)
	out, code := vigil(t, "explain", "--server", auditor.url, "p1", a.rule(auditor))
	require.Zero(t, code, out)
	require.Contains(t, out, "creatinine")
	auditor.stop()

	creatinine(300, 1) // time has cleared everything
	auditor = serve(t, data, elsewhere...)
	b := auditor.settled(time.Minute)
	require.Greater(t, b.Matched, a.Matched)
	require.Zero(t, b.Divergences)
	require.Less(t, auditor.metric("vigil_explain_records_total", ""), 70.0, "what was explained is not explained again")
	out, code = vigil(t, "explain", "status", "--server", auditor.url)
	require.Zero(t, code, out)
	auditor.stop()
	engine.stop()
}

// rule is one that was explained of p1.
func (a audit) rule(s *server) string {
	s.t.Helper()
	_, _, body := s.send(http.MethodGet, "/v1/patients/p1/explanations", "", nil)
	var e struct{ Rule struct{ ID string } }
	require.NoError(s.t, json.NewDecoder(bytes.NewReader(body)).Decode(&e), string(body))
	return e.Rule.ID
}
