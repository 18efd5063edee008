package endtoend

import (
	"archive/tar"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/ulikunitz/xz"
)

// synthea unpacks the sample patients beside the project and returns the paths of their Bundles.
func synthea(t *testing.T) []string {
	t.Helper()
	f, err := os.Open(filepath.Join("..", "..", "..", "shared", "data", "synthea-r4-120-patients.tar.xz"))
	if errors.Is(err, fs.ErrNotExist) {
		t.Skip("../shared is not beside the project: there are no Synthea patients to take in")
	}
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := xz.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	var paths []string
	for files := tar.NewReader(r); ; {
		h, err := files.Next()
		if errors.Is(err, io.EOF) {
			return paths
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.Typeflag != tar.TypeReg || !strings.HasSuffix(h.Name, ".json") {
			continue
		}
		body, err := io.ReadAll(files)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, filepath.Base(h.Name))
		if err := os.WriteFile(path, body, 0o600); err != nil {
			t.Fatal(err)
		}
		paths = append(paths, path)
	}
}

// ingested is what `vigil ingest --output json` says at its end.
type ingested struct {
	Accepted int    `json:"accepted"`
	Refused  int    `json:"refused"`
	Position string `json:"position"`
}

func (s *server) ingest(paths ...string) ingested {
	s.t.Helper()
	out, code := vigil(s.t, append([]string{"ingest", "--server", s.url, "--output", "json"}, paths...)...)
	var got ingested
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		s.t.Fatalf("vigil ingest printed %q: %v", tail(out), err)
	}
	if code != 0 {
		s.t.Fatalf("vigil ingest ended with %d: %s", code, tail(out))
	}
	return got
}

var patientID = regexp.MustCompile(`"resourceType":\s*"Patient",\s*"id":\s*"([^"]+)"`)

// patients finds the ID of each Bundle's patient.
func patients(t *testing.T, paths []string) []string {
	t.Helper()
	var ids []string
	for _, path := range paths {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		m := patientID.FindSubmatch(b)
		if m == nil {
			t.Fatalf("%s: no patient", filepath.Base(path))
		}
		ids = append(ids, string(m[1]))
	}
	return ids
}

func (s *server) answers(ids []string, now, position string) map[string]any {
	all := map[string]any{}
	for _, id := range ids {
		all[id] = s.answer(id, now, position)
	}
	return all
}

// metric sums a counter over the series whose labels contain the given text.
func (s *server) metric(name, labels string) float64 {
	s.t.Helper()
	_, _, body := s.send("GET", "/metrics", "text/plain", nil)
	sum := 0.0
	for line := range strings.Lines(string(body)) {
		if !strings.HasPrefix(line, name+"{") && !strings.HasPrefix(line, name+" ") || !strings.Contains(line, labels) {
			continue
		}
		fields := strings.Fields(line)
		x, err := strconv.ParseFloat(fields[len(fields)-1], 64)
		if err != nil {
			s.t.Fatal(err)
		}
		sum += x
	}
	return sum
}

func TestSyntheaPatientsComeInOnceHoweverOftenTheyAreSent(t *testing.T) {
	paths := synthea(t)
	ids := patients(t, paths)
	data := t.TempDir()
	const now = "2026-06-01T00:00:00Z"

	s := serve(t, data, "--clock", "log", "--rules", filepath.Join("..", "..", "rules", "packs"))
	first := s.ingest(paths...)
	if first.Refused != 0 || first.Accepted < 29_000 {
		t.Fatalf("of the sample patients %d resources were accepted and %d refused", first.Accepted, first.Refused)
	}
	was := s.answers(ids, now, first.Position)
	fired := s.metric("vigil_transitions_total", "")
	if fired == 0 {
		t.Error("no rule fired for any of the sample patients")
	}
	unconvertible := s.metric("vigil_dead_letters_total", `reason="unconvertible-unit"`) // of single inputs, the resource was taken
	if n := s.metric("vigil_dead_letters_total", "") - unconvertible; n != 0 {
		t.Errorf("%v dead letters from valid files", n)
	}

	second := s.ingest(paths...)
	if again := s.answers(ids, now, second.Position); !reflect.DeepEqual(was, again) {
		t.Error("a second ingest of the same files changed an answer")
	}
	if n := s.metric("vigil_transitions_total", ""); n != fired {
		t.Errorf("a second ingest of the same files fired %v alerts", n-fired)
	}

	s.stop()
	s = serve(t, data, "--clock", "log", "--rules", filepath.Join("..", "..", "rules", "packs"))
	if again := s.answers(ids, now, second.Position); !reflect.DeepEqual(was, again) {
		t.Error("the server answers differently after a restart")
	}
	if n := s.metric("vigil_replayed_records_total", "") + s.metric("vigil_apply_seconds_count", ""); n != 0 {
		t.Errorf("after a restart on the same data %v records were applied again", n)
	}
	s.stop()
}
