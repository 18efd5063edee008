package equivalence

import (
	"encoding/json"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var mutated = flag.Int("mutations", 0, "how many mutations of the engine's code to try, each against the tests; -1 for all")

// mutations are small mistakes in the engine's code for the terms. Each must be found by the tests of the
// engine's own package, which take seconds, or else by the property test.
var mutations = []struct{ name, file, is, becomes string }{
	{"stddev divides by n", "statistic.go", "squares / float64(n-1)", "squares / float64(n)"},
	{"duration_above is at least", "statistic.go", `beyond = ">"`, `beyond = ">="`},
	{"nth is one off", "statistic.go", "i := n - 1", "i := n"},
	{"nth is one off backwards", "statistic.go", "i = len(seen) + n\n", "i = len(seen) + n - 1\n"},
	{"duration_below is at most", "statistic.go", `beyond := "<"`, `beyond := "<="`},
	{"the carry lengthens", "statistic.go", "holds = min(holds, clinical.Instant(arg.Millis))", "holds = max(holds, clinical.Instant(arg.Millis))"},
	{"the last value is dropped", "statistic.go", "i+1 < len(seen); i++", "i+2 < len(seen); i++"},
	{"a comparator is overlooked by a duration", "statistic.go", "case rules.Unknown:\n\t\t\treturn rules.Value{}", "case rules.Unknown:"},
	{"the wrong middle", "statistic.go", "finite(seen[n/2].value.Num)", "finite(seen[0].value.Num)"},
	{"the upper middle", "statistic.go", "(seen[n/2-1].value.Num + seen[n/2].value.Num) / 2", "seen[n/2].value.Num"},
	{"rise forgets the least so far", "statistic.go", "low = min(low, x)", "low = x"},
	{"rise may fall", "statistic.go", "climb = max(climb, x-low)", "climb = x - low"},
	{"fall rises", "statistic.go", "sign = -1\n\t\t}\n\t\tlow", "sign = 1\n\t\t}\n\t\tlow"},
	{"one value suffices", "statistic.go", "n < 2 && op != rules.Median", "n < 1 && op != rules.Median"},
	{"a comparator is overlooked", "statistic.go", "r.value.Bound != clinical.Exactly }", "false }"},
	{"ewma counts from the first", "statistic.go", "last := seen[n-1].at", "last := seen[0].at"},
	{"ewma is not divided by its weights", "statistic.go", "finite(sum / weights)", "finite(sum / float64(n))"},
	{"the least gap", "statistic.go", "gap = max(gap, seen[i].at-seen[i-1].at)", "gap = seen[i].at - seen[i-1].at"},
	{"slope an hour", "statistic.go", "float64(r.at-seen[0].at) / 86_400_000", "float64(r.at-seen[0].at) / 3_600_000"},
	{"slope about no centre", "statistic.go", "d := days(r) - middle", "d := days(r)"},
	{"distinct overlooks comparators", "statistic.go", "v.Str, v.Num = ", "v.Bound, v.Str, v.Num = 0, "},
	{"an answer holds past a fact's leaving", "statistic.go", "until = q.leaves(seen[0].at)", "until = q.leaves(seen[len(seen)-1].at)"},
	{"an answer holds past a fact's coming", "statistic.go", "until = min(until, q.enters(f.entry.Time))", "until = max(until, q.enters(f.entry.Time))"},
	{"mean divides by one more", "aggregate.go", "finite(sum / float64(n))", "finite(sum / float64(n+1))"},
	{"delta of one", "aggregate.go", "q.term.Op == rules.Delta && n < 2", "q.term.Op == rules.Delta && n < 1"},
	{"the window's upper edge is open", "aggregate.go", "\t\tif e.Time > q.upper {", "\t\tif e.Time >= q.upper {"},
	{"the window's lower edge is open", "resolve.go", "later(t.Window.Lower(now, zone), edge)", "later(t.Window.Lower(now, zone), 1)"},
	{"a period ends a millisecond early", "period.go", "ends := later(p.End, 1)", "ends := p.End"},
	{"a period is there before it begins", "period.go", "if e.now < e.period.Start {", "if e.now < 0 {"},
	{"a period overlaps itself", "period.go", "slices.Contains(besides, f.entry.Seq)", "len(besides) > 99"},
	{"a period sees what comes after it", "period.go", "q.still, q.facts.limit = true, to", "q.still, q.facts.limit = true, max(to, clinical.Forever)"},
	{"a period sees what came before it", "period.go", "q.lower, q.upper = from, ", "q.lower, q.upper = from-1, "},
	{"a period that is no more stands", "fold.go", "\t\tif len(gone) > 0 {\n", "\t\tif len(gone) > 99 {\n"},
	{"today lasts for two days", "day.go", "case rules.Today:\n\t\treturn rules.NextDay(t, zone)", "case rules.Today:\n\t\treturn rules.NextDay(rules.NextDay(t, zone), zone)"},
	{"yesterday is seen today", "day.go", "case rules.Yesterday:\n\t\treturn rules.NextDay(t, zone)", "case rules.Yesterday:\n\t\treturn t"},
	{"the last day is the one before", "day.go", "rules.NextDay(latest.entry.Time, q.zone)-1", "latest.entry.Time-1"},
	{"the last day begins with its fact", "day.go", "q.lower, q.facts.limit = rules.StartOfDay(latest.entry.Time, q.zone),", "q.lower, q.facts.limit = latest.entry.Time,"},
	{"a later day does not come", "day.go", "until = min(until, next.entry.Time)", "until = max(until, next.entry.Time)"},
	{"a fact leaves a millisecond early", "day.go", "t+1-edge, zone", "t-edge, zone"},
}

func TestEveryMutationIsOfCodeThatIsThere(t *testing.T) {
	for _, m := range mutations {
		source, err := os.ReadFile(filepath.Join("..", "..", "pointer", m.file))
		require.NoError(t, err)
		require.Equal(t, 1, strings.Count(string(source), m.is), "%s: %q", m.name, m.is)
		require.NotEqual(t, m.is, m.becomes, m.name)
	}
}

// TestMutationsAreFound runs with -mutations. Each mutation is built over the engine's own source,
// which stays as it is.
func TestMutationsAreFound(t *testing.T) {
	n := *mutated
	if n < 0 || n > len(mutations) {
		n = len(mutations)
	}
	for _, m := range mutations[:n] {
		t.Run(m.name, func(t *testing.T) {
			path, err := filepath.Abs(filepath.Join("..", "..", "pointer", m.file))
			require.NoError(t, err)
			source, err := os.ReadFile(path)
			require.NoError(t, err)
			dir := t.TempDir()
			changed := filepath.Join(dir, m.file)
			require.NoError(t, os.WriteFile(changed, []byte(strings.Replace(string(source), m.is, m.becomes, 1)), 0o600))
			overlay, err := json.Marshal(map[string]map[string]string{"Replace": {path: changed}})
			require.NoError(t, err)
			list := filepath.Join(dir, "overlay.json")
			require.NoError(t, os.WriteFile(list, overlay, 0o600))

			own := exec.Command("go", "test", "-overlay", list, "../../pointer")
			if out, err := own.CombinedOutput(); err != nil {
				require.Contains(t, string(out), "--- FAIL", "a mutation must compile: %s", out)
				return
			}
			binary := filepath.Join(dir, "mutant.test")
			out, err := exec.Command("go", "test", "-c", "-overlay", list, "-o", binary, ".").CombinedOutput()
			require.NoError(t, err, "a mutation must compile: %s", out)
			run := exec.Command(binary, "-test.run", "^TestTheEngineAnswersAsTheReferenceDoes$", "-comparisons", "100000")
			run.Env = append(os.Environ(), "TMPDIR="+dir)
			out, err = run.CombinedOutput()
			require.Error(t, err, "nobody noticed")
			require.Contains(t, string(out), "case ", "it must fail by a difference")
		})
	}
}
