package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestRulesListShowsWhatTheSiteSetOfAPacksParameters(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	write("renal.yaml", `pack: renal
parameters:
  limit: {default: 6.0, unit: mmol/L, min: 5.0, max: 7.5, title: Potassium that alerts}
  lookback: {default: 24h, min: 6h, max: 72h}
inputs: {potassium: {observation: ["loinc|2823-3"], unit: mmol/L}}
rules:
  - {id: high, title: High potassium, severity: critical, source: s, when: potassium.last(lookback) >= limit}
`)
	own := vigil(t, "", "rules", "list", dir)
	require.Zero(t, own.code, own.errOut)
	require.Regexp(t, `renal\.limit +6 mmol/L +pack +6 +5 to 7\.5 +Potassium that alerts`, own.out)

	write("parameters.yaml", "renal: {limit: 5.8}\n")
	set := vigil(t, "", "rules", "list", dir)
	require.Zero(t, set.code, set.errOut)
	require.Regexp(t, `renal\.limit +5\.8 mmol/L +site +6 +5 to 7\.5`, set.out)
	require.Regexp(t, `renal\.lookback +24h +pack +24h +6h to 72h`, set.out)

	write("parameters.yaml", "renal: {limit: 8}\n")
	refused := vigil(t, "", "rules", "check", dir)
	require.Equal(t, 1, refused.code)
	require.Contains(t, refused.out, `parameters.yaml:1:16: error: the parameter "limit" of the pack "renal" is set to 8 mmol/L, more than the most that it may be, 7.5 mmol/L`)
}
