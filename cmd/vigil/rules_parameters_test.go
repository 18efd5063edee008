package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
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

const sitePack = `pack: renal
parameters:
  limit: {default: 6.0, unit: mmol/L, min: 5.0, max: 7.5}
inputs: {potassium: {observation: ["loinc|2823-3"], unit: mmol/L}}
rules:
  - {id: high, title: High potassium, severity: critical, source: s, when: potassium.last('24h') >= limit, message: "{{ potassium.last('24h') }}, limit {{ limit }}"}
`

const siteCase = `cases:
  - {name: at six, rule: high, history: {potassium: 6.0 @ -1h}, expect: {truth: true, values: {limit: 5.5}}}
`

// siteFiles are a folder with a pack and its cases, and the configuration of a site with a limit and a
// spelling of its own.
func siteFiles(t *testing.T) (folder, settings, history string) {
	t.Helper()
	folder = t.TempDir()
	for name, text := range map[string]string{"renal.yaml": sitePack, "renal_test.yaml": siteCase} {
		require.NoError(t, os.WriteFile(filepath.Join(folder, name), []byte(text), 0o600))
	}
	settings = writeFile(t, "vigil.yaml", "parameters: {renal: {limit: 5.5}}\nunits: {MILLIMOL: mmol/L}\n")
	own := strings.ReplaceAll(potassium("1", "ada", "2026-03-01T11:00:00Z", "5.6"), "mmol/L", "MILLIMOL")
	require.Contains(t, own, "MILLIMOL")
	return folder, settings, writeFile(t, "ada.json", own)
}

func TestWhatIsTriedIsWhatRunsAtTheSite(t *testing.T) {
	folder, settings, history := siteFiles(t)
	pack := filepath.Join(folder, "renal.yaml")
	for _, c := range []struct {
		name  string
		args  []string
		own   string // what is printed with the site's configuration
		plain string // what is not printed then, but without it
	}{
		{"eval", []string{"eval", "--rules", folder, "--now", "2026-03-01T12:00:00Z", history}, "5.6, limit 5.5", "unknown"},
		{"eval of one pack", []string{"eval", "--rules", pack, "--now", "2026-03-01T12:00:00Z", history}, "5.6, limit 5.5", "unknown"},
		{"eval --explain", []string{"eval", "--explain", "--all", "--rules", folder, "--now", "2026-03-01T12:00:00Z", history}, "potassium 5.6 mmol/L", "no potassium"},
		{"replay", []string{"replay", "--rules", folder, history}, "2026-03-01T11:00:00Z fired", ""},
		{"rules test", []string{"rules", "test", folder}, "ok: 1 case", "FAIL"},
		{"rules test of one pack", []string{"rules", "test", pack}, "ok: 1 case", "FAIL"},
		{"rules plan", []string{"rules", "plan", "high", "--rules", folder, "--history", history, "--now", "2026-03-01T12:00:00Z"}, "12:00:00.000: true, live", "12:00:00.000: unknown"},
		{"rules list", []string{"rules", "list", folder}, "5.5 mmol/L  site", "6 mmol/L  pack"},
	} {
		t.Run(c.name, func(t *testing.T) {
			own := vigil(t, "", append(c.args, "--config", settings)...)
			require.Equal(t, exitOK, own.code, own.out+own.errOut)
			require.Contains(t, own.out, c.own)
			if c.plain != "" {
				require.NotContains(t, own.out, c.plain)
			}
			flags := vigil(t, "", append(c.args, "--parameters", "renal.limit=5.5", "--units", "MILLIMOL=mmol/L")...)
			took := regexp.MustCompile(`\(\d+\.\d\ds\)`)
			require.Equal(t, took.ReplaceAllString(own.out, ""), took.ReplaceAllString(flags.out, ""), "flags say the same as the file")
			require.NotContains(t, vigil(t, "", c.args...).out, c.own, "without them the pack's own limit holds, and nobody knows the unit")
		})
	}
}

func TestASitesParametersAreCheckedAgainstTheWholeSetOnly(t *testing.T) {
	folder, _, history := siteFiles(t)
	pack := filepath.Join(folder, "renal.yaml")
	other := []string{"--parameters", "liver.limit=3"}

	whole := vigil(t, "", append([]string{"rules", "check", folder}, other...)...)
	require.Equal(t, exitFailed, whole.code)
	require.Contains(t, whole.out, `parameters are set of the pack "liver", which the set does not have`)
	require.Equal(t, exitFailed, vigil(t, "", append([]string{"eval", "--rules", folder, history}, other...)...).code)

	require.Equal(t, exitOK, vigil(t, "", append([]string{"rules", "check", pack}, other...)...).code)

	bad := vigil(t, "", "rules", "check", pack, "--parameters", "renal.limit=9")
	require.Equal(t, exitFailed, bad.code)
	require.Contains(t, bad.out, "is set to 9 mmol/L, more than the most that it may be")
}
