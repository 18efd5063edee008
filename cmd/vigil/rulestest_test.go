package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vigil-cds/vigil/internal/rulesrun"
)

const packCases = `cases:
- name: above six
  rule: high-potassium
  history: {potassium: 6.5 @ -1h}
  expect: [{truth: true}, {at: +2d, truth: unknown}]
- name: of six
  rule: high-potassium
  history: {potassium: 6.0 @ -1h}
  expect: {truth: false}
`

// packFolder has the pack demo, with cases unless they are empty, and a value set beside it.
func packFolder(t *testing.T, cases string) string {
	t.Helper()
	folder := t.TempDir()
	files := map[string]string{"demo.yaml": pack, "valuesets.json": `{"resourceType": "Bundle", "type": "collection", "entry": []}`}
	if cases != "" {
		files["demo_test.yaml"] = cases
	}
	for name, text := range files {
		require.NoError(t, os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600))
	}
	return folder
}

func TestTheCasesOfAFolderOfAPackAndOfAFileOfCasesAreRun(t *testing.T) {
	folder := packFolder(t, packCases)
	for _, path := range []string{folder, filepath.Join(folder, "demo.yaml"), filepath.Join(folder, "demo_test.yaml")} {
		r := vigil(t, "", "rules", "test", path)
		require.Equal(t, exitOK, r.code, r.out+r.errOut)
		require.Regexp(t, `^ok: 2 cases, 3 expectations, 2 passed, 0 failed \(\d+\.\d\ds\)\n$`, r.out)
	}
}

func TestFailingCasesAreShownAndExitWithOne(t *testing.T) {
	folder := packFolder(t, packCases+"- {name: wrong, rule: high-potassium, history: {potassium: 5.9 @ -1h}, expect: {truth: true}}\n")
	r := vigil(t, "", "rules", "test", folder)
	require.Equal(t, exitFailed, r.code)
	require.Contains(t, r.out, "FAIL demo_test.yaml:10: high-potassium: wrong\n")
	require.Contains(t, r.out, "expected  truth true\n       actual    truth false\n       because   Not true: potassium 5.9 mmol/L")
	require.Contains(t, r.out, "FAIL: 3 cases, 4 expectations, 2 passed, 1 failed")

	r = vigil(t, "", "rules", "test", folder, "--run", "of|above", "-v")
	require.Equal(t, exitOK, r.code)
	require.Contains(t, r.out, "ok   demo_test.yaml:2: high-potassium: above six\nok   demo_test.yaml:6: high-potassium: of six\n")
}

func TestFaultsOfPacksAndCasesAreReportedWithTheirPlaces(t *testing.T) {
	r := vigil(t, "", "rules", "test", packFolder(t, packCases+"- {name: x, rule: high-potasium, expect: {truth: true}}\n"))
	require.Equal(t, exitFailed, r.code)
	require.Contains(t, r.out, `demo_test.yaml:10:19: there is no rule "high-potasium"; did you mean "high-potassium"?`)
	require.Contains(t, r.out, "1 fault in files")

	folder := packFolder(t, packCases)
	require.NoError(t, os.WriteFile(filepath.Join(folder, "demo.yaml"), []byte("pack: demo\nrules: [{id: x}]\n"), 0o600))
	r = vigil(t, "", "rules", "test", folder)
	require.Equal(t, exitFailed, r.code)
	require.Contains(t, r.out, `the rule "x" has no when`)
}

func TestRulesTestUsedWronglySaysWhatToDo(t *testing.T) {
	folder := packFolder(t, packCases)
	for _, c := range []struct {
		code int
		args []string
		says string
	}{
		{exitUsage, nil, "the argument PATH is missing"},
		{exitUsage, []string{folder, "--run", "("}, "--run (: error parsing regexp"},
		{exitUsage, []string{folder, "--coverage-min", "101"}, "from 0 to 100"},
		{exitUsage, []string{folder, "--zone", "Mars"}, "IANA"},
		{exitFailed, []string{folder, "--run", "nothing"}, "matches --run nothing"},
		{exitFailed, []string{filepath.Join(folder, "no.yaml")}, "name a rule pack, its test cases, or a directory of them"},
		{exitFailed, []string{packFolder(t, "")}, "the cases of renal.yaml are in renal_test.yaml"},
		{exitFailed, []string{filepath.Join(folder, "valuesets.json")}, "has no test cases: write them to valuesets_test.json"},
	} {
		r := vigil(t, "", append([]string{"rules", "test"}, c.args...)...)
		require.Equal(t, c.code, r.code, r.out+r.errOut)
		require.Contains(t, r.errOut, c.says)
	}
}

func TestCoverageMutationAndReportsOfTheCases(t *testing.T) {
	folder := packFolder(t, packCases)
	report := filepath.Join(t.TempDir(), "report.xml")
	r := vigil(t, "", "rules", "test", folder, "--coverage", "--mutate", "--junit", report)
	require.Equal(t, exitOK, r.code, r.errOut)
	require.Contains(t, r.out, "  T F U  potassium.last('24h') > 6\ncoverage 100.0 %")
	require.Contains(t, r.out, "no case notices: demo.yaml:10:27: high-potassium: '24h' becomes '23h'\n")
	require.Contains(t, r.out, "2 of 5 changes noticed\n")
	data, err := os.ReadFile(report)
	require.NoError(t, err)
	require.Contains(t, string(data), `<testsuite name="demo_test.yaml" tests="2" failures="0" errors="0" skipped="0"`)

	r = vigil(t, "", "rules", "test", folder, "--run", "above", "--coverage-min", "75")
	require.Equal(t, exitFailed, r.code)
	require.Contains(t, r.out, "FAIL: the coverage is 50.0 %, and --coverage-min asks for 75 %\n")

	r = vigil(t, "", "rules", "test", folder, "--coverage", "--mutate", "--mutate-for", "1ns", "--output", "json")
	require.Equal(t, exitOK, r.code)
	var got struct {
		Passed          bool
		Cases           []rulesrun.Result
		Coverage        []rulesrun.RuleCoverage
		CoveragePercent float64
		Mutations       []rulesrun.Mutation
		Faults          []any
	}
	require.NoError(t, json.Unmarshal([]byte(r.out), &got))
	require.True(t, got.Passed)
	require.Len(t, got.Cases, 2)
	require.Equal(t, 2, got.Cases[0].Checks)
	require.Equal(t, 100.0, got.CoveragePercent)
	require.Equal(t, 4, got.Mutations[0].Left)
	require.Empty(t, got.Faults)
}

func TestAHistoryInFHIRIsReadFromBesideTheCases(t *testing.T) {
	folder := packFolder(t, "now: 2026-03-01T12:00:00Z\ncases: [{name: x, rule: high-potassium, fhir: ada_test.json, expect: {truth: true}}]\n")
	require.NoError(t, os.WriteFile(filepath.Join(folder, "ada_test.json"), []byte(potassium("1", "ada", "2026-03-01T11:00:00Z", "6.4")), 0o600))
	r := vigil(t, "", "rules", "test", folder)
	require.Equal(t, exitOK, r.code, r.out+r.errOut)
	require.Equal(t, exitOK, vigil(t, "", "rules", "check", folder).code, "the history is no value set")

	require.NoError(t, os.Remove(filepath.Join(folder, "ada_test.json")))
	r = vigil(t, "", "rules", "test", folder)
	require.Equal(t, exitFailed, r.code)
	require.Contains(t, r.out, "demo_test.yaml:2:47: the FHIR file ada_test.json cannot be read")
}
