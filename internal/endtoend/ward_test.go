package endtoend

import (
	"encoding/json"
	"flag"
	"fmt"
	"testing"
)

var wardPatients = flag.Int("ward-patients", 500, "patients of the ward workload, 100 observations each; CI takes the common 10,000")

// The bench command answers the five rules for every patient at three instants and fails on the first
// count or hash that is not what the rules written by hand give; those are held to the common workload's
// expected file by package bench.
func TestTheWardWorkloadIsAnsweredAsExpected(t *testing.T) {
	args := []string{"bench", "--patients", fmt.Sprint(*wardPatients), "--reads", "2000", "--http-reads", "500", "--output", "json"}
	out, code := vigil(t, append(args, benchFlags(t)...)...)
	if code != 0 {
		t.Fatalf("vigil bench ended with %d: %s", code, tail(out))
	}
	var got struct {
		AnswersChecked        int     `json:"answersChecked"`
		ObservationsPerSecond float64 `json:"observationsPerSecond"`
	}
	if err := json.Unmarshal([]byte(out), &got); err != nil {
		t.Fatal(err)
	}
	if want := *wardPatients * 3 * 5; got.AnswersChecked != want {
		t.Errorf("%d answers were checked, want %d", got.AnswersChecked, want)
	}
	t.Logf("%d answers as expected; %.0f observations/s until readable", got.AnswersChecked, got.ObservationsPerSecond)
}
