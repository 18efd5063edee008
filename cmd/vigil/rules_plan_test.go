package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
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
	} {
		require.Contains(t, r.out, line+"\n")
	}
}

func TestRulesPlanSaysHowARuleStandsForAPatient(t *testing.T) {
	pack, history := planFiles(t)
	r := vigil(t, "", "rules", "plan", "aki", "--rules", pack, "--history", history, "--now", "2026-03-02T09:00:00Z")
	require.Zero(t, r.code, r.errOut)
	require.Contains(t, r.out, "p1: true, live until 2026-03-03 08:00:00.001\n")
	require.Regexp(t, `dialysis\.exists\(\) +false +settled`, r.out)

	r = vigil(t, "", "rules", "plan", "aki", "--rules", pack, "--history", history, "--now", "2026-03-02T09:00:00Z", "--output", "json")
	require.Zero(t, r.code, r.errOut)
	var got planned
	require.NoError(t, json.Unmarshal([]byte(r.out), &got))
	require.Equal(t, "true", got.Patients[0].Truth)
	require.Len(t, got.Terms, 4)
	require.False(t, got.Tree.Settled)
}

func TestRulesPlanOfARuleThatIsNotThereNamesTheNearest(t *testing.T) {
	pack, _ := planFiles(t)
	r := vigil(t, "", "rules", "plan", "aki-1", "--rules", pack)
	require.Equal(t, 2, r.code)
	require.Contains(t, r.errOut, `there is no rule "aki-1"`)
	require.Equal(t, 2, vigil(t, "", "rules", "plan", "aki").code)
}
