package bench

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// The counts of the common workload, when the folder that holds it lies beside the project.
func TestTheWorkloadHasTheExpectedAnswers(t *testing.T) {
	if testing.Short() {
		t.Skip("draws a million facts: not in -short")
	}
	f, err := os.Open(filepath.Join("..", "..", "..", "shared", "bench", "ward", "expected-10000x100-seed1.csv"))
	if errors.Is(err, fs.ErrNotExist) {
		t.Skip("../shared is not beside the project: nothing to compare with")
	}
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	got := NewWorkload(10_000, 100, 1).Expect()
	for i, row := range rows {
		e := got[i/len(RuleIDs)][i%len(RuleIDs)]
		have := fmt.Sprintf("%d,%s,%d,%016x", Instants[i/len(RuleIDs)], RuleIDs[i%len(RuleIDs)], e.Patients, e.Hash)
		if want := fmt.Sprintf("%s,%s,%s,%s", row[0], row[1], row[2], row[3]); have != want {
			t.Errorf("got %s, want %s", have, want)
		}
	}
	if len(rows) != len(Instants)*len(RuleIDs) {
		t.Errorf("expected answers: %d rows", len(rows))
	}
}
