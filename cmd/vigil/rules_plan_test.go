package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vigil-cds/vigil/internal/planning"
)

const planPack = `pack: renal
inputs:
  creatinine: {observation: ["loinc|2160-0"], unit: mg/dL}
  dialysis: {procedure: ["snomed|302497006"]}
  harm: {from: creatinine, where: "value > 4 and not dialysis.exists('after 1d')"}
rules:
  - {id: aki, title: Kidney injury, severity: warning, source: KDIGO 2012, when: "not dialysis.exists() and (creatinine.last('48h') - creatinine.min('48h') >= 0.3 or harm.exists('7d'))"}
  - {id: high, title: High, severity: info, source: KDIGO 2012, when: "creatinine.last('48h') > 3"}
`

const planHistory = `{"resourceType":"Observation","id":"c1","status":"final","code":{"coding":[{"system":"http://loinc.org","code":"2160-0"}]},"subject":{"reference":"Patient/p1"},"effectiveDateTime":"2026-03-01T08:00:00Z","valueQuantity":{"value":0.9,"system":"http://unitsofmeasure.org","code":"mg/dL"}}
{"resourceType":"Observation","id":"c2","status":"final","code":{"coding":[{"system":"http://loinc.org","code":"2160-0"}]},"subject":{"reference":"Patient/p1"},"effectiveDateTime":"2026-03-02T08:00:00Z","valueQuantity":{"value":1.4,"system":"http://unitsofmeasure.org","code":"mg/dL"}}
`

func planFiles(t *testing.T) (pack, history string) {
	t.Helper()
	dir := t.TempDir()
	pack, history = filepath.Join(dir, "renal.yaml"), filepath.Join(dir, "p1.ndjson")
	require.NoError(t, os.WriteFile(pack, []byte(planPack), 0o600))
	require.NoError(t, os.WriteFile(history, []byte(planHistory), 0o600))
	return pack, history
}

func TestRulesPlanDrawsWhatIsSettledAndWhatStaysAPointer(t *testing.T) {
	pack, _ := planFiles(t)
	r := vigil(t, "", "rules", "plan", "aki", "--rules", pack)
	require.Zero(t, r.code, r.errOut)
	for _, line := range []string{
		"Of a patient without facts: unknown.",
		"│  └─ dialysis.exists()                                       settled",
		"   ├─ creatinine.last('48h') - creatinine.min('48h') >= 0.3   pointer",
		"    asked by 1 other rule as well",
		"    which facts belong is settled when data arrives; they are kept in a stream of their own",
		"    where value > 4 and not dialysis.exists('after 24h')",
		"    a read looks at a summary of every 64 facts: about 137, in 157 rows of the store",
		"471 rows of the store and looks at 143 facts or summaries.",
	} {
		require.Contains(t, r.out, line+"\n")
	}
}

func TestRulesPlanSaysHowARuleStandsForAPatient(t *testing.T) {
	pack, history := planFiles(t)
	r := vigil(t, "", "rules", "plan", "aki", "--rules", pack, "--history", history, "--now", "2026-03-02T09:00:00Z")
	require.Zero(t, r.code, r.errOut)
	require.Contains(t, r.out, "p1 at 2026-03-02 09:00:00.000: true, live until 2026-03-03 08:00:00.001\n")
	require.Regexp(t, `dialysis\.exists\(\) +false +settled`, r.out)

	r = vigil(t, "", "rules", "plan", "aki", "--rules", pack, "--history", history, "--now", "2026-03-02T09:00:00Z", "--output", "json")
	require.Zero(t, r.code, r.errOut)
	var got planning.Plan
	require.NoError(t, json.Unmarshal([]byte(r.out), &got))
	require.Equal(t, "true", got.Patients[0].Truth)
	require.Equal(t, "true", got.Patients[0].Tree.Truth)
	require.Equal(t, planning.Cost{Rows: 471, Facts: 143}, got.Cost)
	require.Len(t, got.Terms, 4)
	require.False(t, got.Tree.Settled)
}

func TestRulesPlanOfARuleThatHoldsForEachPeriodSpeaksOfTheLatestThatHasBegun(t *testing.T) {
	pack := writeFile(t, "stays.yaml", `pack: stays
inputs:
  stay: {encounter: ["class|IMP"]}
  glucose: {observation: ["loinc|2345-7"], unit: mg/dL}
rules:
  - {id: low, title: Low glucose, severity: warning, source: Our own, for_each: stay, when: "glucose.during().min() < 54"}
`)
	history := writeFile(t, "p1.ndjson", `{"resourceType":"Encounter","id":"e1","status":"finished","class":{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"IMP"},"subject":{"reference":"Patient/p1"},"period":{"start":"2026-01-01T08:00:00Z","end":"2026-01-03T08:00:00Z"}}
{"resourceType":"Encounter","id":"e2","status":"in-progress","class":{"system":"http://terminology.hl7.org/CodeSystem/v3-ActCode","code":"IMP"},"subject":{"reference":"Patient/p1"},"period":{"start":"2026-03-01T08:00:00Z"}}
{"resourceType":"Observation","id":"g1","status":"final","code":{"coding":[{"system":"http://loinc.org","code":"2345-7"}]},"subject":{"reference":"Patient/p1"},"effectiveDateTime":"2026-03-01T09:00:00Z","valueQuantity":{"value":40,"system":"http://unitsofmeasure.org","code":"mg/dL"}}
`)
	for now, want := range map[string]string{
		"2026-03-02T09:00:00Z": "p1 at 2026-03-02 09:00:00.000, of the period that began at 2026-03-01 08:00:00.000: true, settled\n",
		"2026-02-01T09:00:00Z": "p1 at 2026-02-01 09:00:00.000, of the period that began at 2026-01-01 08:00:00.000: unknown, settled\n",
		"2025-02-01T09:00:00Z": "p1 at 2025-02-01 09:00:00.000, before the first period of its input: false, live until 2026-01-01 08:00:00.000\n",
	} {
		r := vigil(t, "", "rules", "plan", "low", "--rules", pack, "--history", history, "--now", now)
		require.Zero(t, r.code, r.errOut)
		require.Contains(t, r.out, want)
	}
}

func TestRulesPlanOfARunningServiceSpeaksOfItsRulesAndItsPatients(t *testing.T) {
	pack, history := planFiles(t)
	s := serve(t, "--data", t.TempDir(), "--rules", pack, "--clock", "log")
	defer s.end(t)
	sent := vigil(t, "", "ingest", "--server", s.url, "--output", "json", history)
	require.Zero(t, sent.code, sent.out+sent.errOut)
	var counts summary
	require.NoError(t, json.Unmarshal([]byte(sent.out), &counts))

	const now = "2026-03-02T09:00:00Z"
	files := vigil(t, "", "rules", "plan", "aki", "--rules", pack, "--history", history, "--now", now)
	asked := vigil(t, "", "rules", "plan", "aki", "--server", s.url, "--patient", "p1", "--now", now, "--min-position", counts.Position, "--timeout", "20s")
	require.Zero(t, asked.code, asked.errOut)
	require.Equal(t, files.out, asked.out)

	files = vigil(t, "", "rules", "plan", "aki", "--rules", pack)
	asked = vigil(t, "", "rules", "plan", "aki", "--server", s.url)
	require.Zero(t, asked.code, asked.errOut)
	require.Equal(t, files.out, asked.out)

	for about, args := range map[string][]string{
		"did you mean aki?":                   {"akii", "--server", s.url},
		"nothing is known about this patient": {"aki", "--server", s.url, "--patient", "p9"},
	} {
		r := vigil(t, "", append([]string{"rules", "plan"}, args...)...)
		require.Equal(t, 1, r.code)
		require.Contains(t, r.errOut, about)
	}
}

func TestRulesPlanUsedWronglySaysWhatToDo(t *testing.T) {
	for about, args := range map[string][]string{
		"needs one of --rules":         {"aki", "--rules", "x.yaml", "--patient", "p1"},
		"leave one out":                {"aki", "--patient", "p1", "--history", "x.json"},
		"--now says nothing without":   {"aki", "--server", "http://127.0.0.1:1", "--now", "2026-03-02T09:00:00Z"},
		"write it as 2026-03-01T10":    {"aki", "--patient", "p1", "--now", "today"},
		"--min-position and --timeout": {"aki", "--rules", "x.yaml", "--min-position", "e1.1"},
	} {
		r := vigil(t, "", append([]string{"rules", "plan"}, args...)...)
		require.Equal(t, 2, r.code, about)
		require.Contains(t, r.errOut, about)
	}
}

func TestRulesPlanOfARuleThatIsNotThereNamesTheNearest(t *testing.T) {
	pack, _ := planFiles(t)
	r := vigil(t, "", "rules", "plan", "aki-1", "--rules", pack)
	require.Equal(t, 2, r.code)
	require.Contains(t, r.errOut, `there is no rule "aki-1"`)
	require.Equal(t, 2, vigil(t, "", "rules", "plan", "aki").code)
}
