package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// result is what one call of the program left behind.
type result struct {
	code        int
	out, errOut string
}

func vigil(t *testing.T, stdin string, args ...string) result {
	t.Helper()
	var out, errOut bytes.Buffer
	code := run(t.Context(), args, strings.NewReader(stdin), &out, &errOut)
	return result{code, out.String(), errOut.String()}
}

func writeFile(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

const pack = `pack: demo
inputs:
  potassium: {observation: ["loinc|2823-3"], unit: mmol/L}
rules:
  - id: high-potassium
    version: 1
    title: High potassium
    severity: critical
    source: test
    when: potassium.last('24h') > 6.0
    message: Potassium {{ potassium.last('24h') }} mmol/L.
`

func potassium(id, patient, at, value string) string {
	return `{"resourceType":"Observation","id":"` + id + `","status":"final","subject":{"reference":"Patient/` + patient + `"},` +
		`"code":{"coding":[{"system":"http://loinc.org","code":"2823-3"}]},"effectiveDateTime":"` + at + `",` +
		`"valueQuantity":{"value":` + value + `,"code":"mmol/L","system":"http://unitsofmeasure.org"}}`
}

func TestACommandUsedWronglyExitsWithTwoAndSaysWhatToDo(t *testing.T) {
	for _, c := range []struct {
		args []string
		says string
	}{
		{[]string{"alrets"}, "alerts"},
		{[]string{"alerts"}, "the argument PATIENT is missing: vigil alerts PATIENT"},
		{[]string{"alerts", "1", "2"}, `vigil alerts takes one argument, PATIENT: leave "2" out`},
		{[]string{"ingest"}, "the argument FILE is missing: vigil ingest FILE…"},
		{[]string{"rules", "check"}, "the argument PATH is missing: vigil rules check PATH"},
		{[]string{"rules", "list", "x", "y"}, `leave "y" out`},
		{[]string{"rules", "chekc"}, `unknown command "chekc"`},
		{[]string{"demo", "x"}, `vigil demo takes no argument: leave "x" out`},
		{[]string{"alerts", "1", "--nwo", "x"}, "unknown flag"},
		{[]string{"alerts", "1", "--server", "somewhere"}, "http://127.0.0.1:8080"},
		{[]string{"version", "--output", "xml"}, "text or json"},
		{[]string{"eval", "x.json"}, "--rules"},
		{[]string{"eval", "--rules", "x", "--now", "noon", "x.json"}, "2026-03-01T10:00:00Z"},
		{[]string{"eval", "--rules", "x", "--zone", "Mars", "x.json"}, "IANA"},
		{[]string{"replay", "-"}, "--rules"},
		{[]string{"serve", "--clock", "sundial", "--limits-body", "big"}, "limits.body (--limits-body)"},
		{[]string{"serve", "--clock", "sundial"}, "use wall or log"},
	} {
		t.Run(strings.Join(c.args, " "), func(t *testing.T) {
			r := vigil(t, "", c.args...)
			require.Equal(t, exitUsage, r.code, r.errOut)
			require.Contains(t, r.errOut, c.says)
			require.Contains(t, r.errOut, "--help")
			require.Empty(t, r.out)
		})
	}
}

func TestEveryCommandHasHelpWithAnExample(t *testing.T) {
	for _, args := range [][]string{{"serve"}, {"ingest"}, {"eval"}, {"alerts"}, {"replay"}, {"rules", "check"}, {"rules", "list"}, {"rules", "activate"}} {
		r := vigil(t, "", append(args, "--help")...)
		require.Equal(t, exitOK, r.code)
		require.Contains(t, r.out, "Examples:", args)
	}
}

func TestVersionSaysWhatItWasBuiltWith(t *testing.T) {
	require.Contains(t, vigil(t, "", "version").out, "go1.")
	var v struct{ Version, Go string }
	require.NoError(t, json.Unmarshal([]byte(vigil(t, "", "version", "--output", "json").out), &v))
	require.NotEmpty(t, v.Version)
	require.NotEmpty(t, v.Go)
}

func TestPrintConfigShowsWhatHolds(t *testing.T) {
	file := writeFile(t, "vigil.yaml", "kafka: {partitions: 4}\n")
	r := vigil(t, "", "serve", "--print-config", "--config", file, "--data", "elsewhere")
	require.Equal(t, exitOK, r.code, r.errOut)
	require.Contains(t, r.out, "partitions: 4")
	require.Contains(t, r.out, `data: "elsewhere"`)
	again := vigil(t, "", "serve", "--print-config", "--config", writeFile(t, "again.yaml", r.out))
	require.Equal(t, r.out, again.out)
}

func TestRulesAreCheckedAndEveryFaultIsPrinted(t *testing.T) {
	good := writeFile(t, "demo.yaml", pack)
	r := vigil(t, "", "rules", "check", good)
	require.Equal(t, exitOK, r.code, r.out+r.errOut)
	require.Contains(t, r.out, "1 rule in 1 file, without fault")

	bad := writeFile(t, "demo.yaml", strings.NewReplacer("potassium.last('24h') > 6.0", "potasium.last('24h') > 6.0", "critical", "dire").Replace(pack))
	r = vigil(t, "", "rules", "check", bad)
	require.Equal(t, exitFailed, r.code)
	require.Contains(t, r.out, "demo.yaml:8:")
	require.Contains(t, r.out, "demo.yaml:10:")
	r = vigil(t, "", "rules", "check", bad, "--output", "json")
	var told struct {
		OK     bool
		Faults []struct{ File, Problem string }
	}
	require.NoError(t, json.Unmarshal([]byte(r.out), &told))
	require.False(t, told.OK)
	require.GreaterOrEqual(t, len(told.Faults), 2)

	r = vigil(t, "", "rules", "list", good)
	require.Contains(t, r.out, "high-potassium")
	require.Contains(t, r.out, "High potassium")
}

func TestADirectoryOfRulesLeavesTestCasesOut(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"b.yaml": pack, "b_test.yaml": "cases: []", "notes.txt": "", ".hidden.yaml": "x", "sets/v.json": "{}"} {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700))
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	set, err := loadRules(dir)
	require.NoError(t, err)
	var names []string
	for _, f := range set.Files {
		names = append(names, f.Name)
	}
	require.Equal(t, []string{"b.yaml", "sets/v.json"}, names)
	_, err = loadRules(t.TempDir())
	require.ErrorContains(t, err, "holds no rule pack")
	_, err = loadRules(filepath.Join(dir, "nowhere"))
	require.ErrorContains(t, err, "name a rule pack")
}

func TestEvalAnswersAsTheServiceWould(t *testing.T) {
	rules := writeFile(t, "demo.yaml", pack)
	input := potassium("a", "p1", "2026-03-01T10:00:00Z", "6.4") + "\n" +
		potassium("b", "p2", "2026-03-01T10:00:00Z", "4.1") + "\n" +
		`{"patient":"p3","code":"loinc|2823-3","time":"2026-03-01T09:00:00Z","value":7,"unit":"mmol/L"}` + "\n"
	r := vigil(t, input, "eval", "--rules", rules, "--now", "2026-03-01T12:00:00Z", "--output", "json", "-")
	require.Equal(t, exitOK, r.code, r.errOut)
	type shown struct {
		Patient    string
		ValidUntil string
		Alerts     []struct{ Rule, Message, Since string }
	}
	var answers []shown
	for line := range strings.Lines(r.out) {
		var s shown
		require.NoError(t, json.Unmarshal([]byte(line), &s))
		answers = append(answers, s)
	}
	require.Len(t, answers, 3)
	require.Equal(t, "p1", answers[0].Patient)
	require.Equal(t, "Potassium 6.4 mmol/L.", answers[0].Alerts[0].Message)
	require.Equal(t, "2026-03-01T10:00:00Z", answers[0].Alerts[0].Since)
	require.Equal(t, "2026-03-02T10:00:00.001Z", answers[0].ValidUntil, "the window's lower end is closed")
	require.Empty(t, answers[1].Alerts)
	require.Len(t, answers[2].Alerts, 1)

	r = vigil(t, input, "eval", "--rules", rules, "--now", "2026-03-02T10:00:00.001Z", "-")
	require.Equal(t, exitOK, r.code, r.errOut)
	require.Contains(t, r.out, "unknown  high-potassium: missing potassium.last('24h')")
	require.NotContains(t, r.out, "CRITICAL")
}

func TestAnInstantIsPrintedWithTheMillisecondsThatItHas(t *testing.T) {
	r := vigil(t, potassium("a", "p1", "2026-03-01T10:00:00.250Z", "6.4"), "eval", "--rules", writeFile(t, "demo.yaml", pack),
		"--now", "2026-03-01T12:00:00Z", "-")
	require.Equal(t, exitOK, r.code, r.errOut)
	require.Contains(t, r.out, "patient p1 at 2026-03-01T12:00:00Z, the same until 2026-03-02T10:00:00.251Z\n")
	require.Contains(t, r.out, "(since 2026-03-01T10:00:00.250Z)")
}

func TestARuleWithoutAMessageShowsItsTitleOnce(t *testing.T) {
	text, _, _ := strings.Cut(pack, "    message:")
	args := []string{"eval", "--rules", writeFile(t, "demo.yaml", text), "--now", "2026-03-01T12:00:00Z", "-"}
	input := potassium("a", "p1", "2026-03-01T10:00:00Z", "6.4")
	r := vigil(t, input, args...)
	require.Equal(t, exitOK, r.code, r.errOut)
	require.Equal(t, 1, strings.Count(r.out, "High potassium"), r.out)
	r = vigil(t, input, append(args, "--output", "json")...)
	require.Contains(t, r.out, `"title":"High potassium"`)
	require.NotContains(t, r.out, `"message"`)
}

func TestEvalTellsWhereJSONIsMalformed(t *testing.T) {
	r := vigil(t, `{"patient":"p1",}`, "eval", "--rules", writeFile(t, "demo.yaml", pack), "-")
	require.Equal(t, exitFailed, r.code)
	require.Contains(t, r.errOut, "not a JSON object")
	require.Contains(t, r.errOut, "at stdin:1, malformed at byte 17: invalid character '}'")
}

func TestInputThatHoldsNothingIsAFailure(t *testing.T) {
	r := vigil(t, "", "eval", "--rules", writeFile(t, "demo.yaml", pack), "-")
	require.Equal(t, exitFailed, r.code)
	require.Contains(t, r.errOut, "nothing to read: -")
}

func TestReplayOfWhatIsNotThereSaysSo(t *testing.T) {
	r := vigil(t, "", "replay", filepath.Join(t.TempDir(), "nodir"))
	require.Equal(t, exitFailed, r.code)
	require.Contains(t, r.errOut, "nodir: no such file or directory")
	require.NotContains(t, r.errOut, "--rules")
}

func TestEvalTellsWhatItCouldNotTake(t *testing.T) {
	r := vigil(t, potassium("a", "p1", "yesterday", "6.4"), "eval", "--rules", writeFile(t, "demo.yaml", pack), "-")
	require.Equal(t, exitFailed, r.code)
	require.Contains(t, r.errOut, "stdin:1 Observation.effectiveDateTime")
	require.Contains(t, r.errOut, "write it as")
}

func TestReplayPrintsEachTransitionAtItsInstant(t *testing.T) {
	files := writeFile(t, "in.ndjson", potassium("b", "p1", "2026-03-01T18:00:00Z", "4.0")+"\n"+potassium("a", "p1", "2026-03-01T10:00:00Z", "6.4")+"\n"+
		potassium("c", "p2", "2026-03-01T10:00:00Z", "6.9")+"\n")
	r := vigil(t, "", "replay", "--rules", writeFile(t, "demo.yaml", pack), "--until", "2026-03-05T00:00:00Z", files)
	require.Equal(t, exitOK, r.code, r.errOut)
	require.Equal(t, []string{
		"2026-03-01T10:00:00Z fired   critical high-potassium p1 by fact",
		"2026-03-01T10:00:00Z fired   critical high-potassium p2 by fact",
		"2026-03-01T18:00:00Z cleared critical high-potassium p1 by fact",
		"2026-03-02T10:00:00.001Z cleared critical high-potassium p2 by time",
	}, strings.Split(strings.TrimSpace(r.out), "\n"))
	require.Contains(t, r.errOut, "2 fired, 2 cleared")
}

func TestAStoppedCommandFails(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var out, errOut bytes.Buffer
	code := run(ctx, []string{"eval", "--rules", writeFile(t, "demo.yaml", pack), "-"},
		strings.NewReader(potassium("a", "p1", "2026-03-01T10:00:00Z", "6.4")), &out, &errOut)
	require.Equal(t, exitFailed, code)
}
