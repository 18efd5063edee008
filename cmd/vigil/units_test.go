package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestUnitsConvertsAsRulesDo(t *testing.T) {
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"1.2", "mg/dL", "g/L"}, "1.2 mg/dL = 0.012 g/L\n"},
		{[]string{"98.6", "degF", "Cel"}, "98.6 [degF] = 37 Cel\n"},
		{[]string{"1.2", "mg/dL", "umol/L", "--molar-mass", "113.12"}, "1.2 mg/dL = 106.082036775 umol/L\n"},
		{[]string{"88.4", "µmol/l", "mg/dL", "--molar-mass", "0.11312 kg/mol"}, "88.4 umol/L = 0.9999808 mg/dL\n"},
		{[]string{"5", "mEq/L", "mmol/L", "--valence", "2"}, "5 meq/L = 2.5 mmol/L\n"},
	} {
		got := vigil(t, "", append([]string{"units", "convert"}, c.args...)...)
		require.Equal(t, exitOK, got.code, got.errOut)
		require.Equal(t, c.want, got.out)
	}
	for _, c := range []struct {
		args []string
		says string
	}{
		{[]string{"1.2", "mg/dL"}, "takes a number and two units"},
		{[]string{"x", "mg/dL", "g/L"}, `"x" is not a number`},
		{[]string{"1", "furlong", "m"}, "no unit has the symbol"},
		{[]string{"1", "mg/dL", "mmol/L"}, "without the substance's molar mass"},
		{[]string{"1", "mmol/L", "meq/L"}, "without the substance's valence"},
		{[]string{"1", "mg/dL", "mmol/L", "--molar-mass", "heavy"}, `--molar-mass "113.12 g/mol"`},
		{[]string{"0", "mol/L", "[pH]"}, "no such number"},
	} {
		got := vigil(t, "", append([]string{"units", "convert"}, c.args...)...)
		require.NotEqual(t, exitOK, got.code)
		require.Contains(t, got.errOut, c.says)
	}
}

func TestUnitsListShowsTheUsualSpellingsAndTheSitesOwn(t *testing.T) {
	site := writeFile(t, "vigil.yaml", "units: {Torricelli: 'mm[Hg]', MILLIMOL: mmol/L}\n")
	got := vigil(t, "", "units", "list", "--config", site, "mmHg")
	require.Equal(t, exitOK, got.code, got.errOut)
	require.Contains(t, got.out, "mmHg")
	require.Contains(t, got.out, "Torricelli (site)")
	require.NotContains(t, got.out, "MILLIMOL")

	got = vigil(t, "", "units", "list", "--output", "json", "--config", site)
	var list struct{ Spellings []spelling }
	require.NoError(t, json.Unmarshal([]byte(got.out), &list))
	require.Contains(t, list.Spellings, spelling{"MILLIMOL", "mmol/L", true})
	require.Contains(t, list.Spellings, spelling{"K/uL", "10*3/uL", false})

	got = vigil(t, "", "units", "list", "--config", writeFile(t, "bad.yaml", "units: {C: Cel}\n"))
	require.Equal(t, exitUsage, got.code)
	require.Contains(t, got.errOut, `units (`)
	require.Contains(t, got.errOut, `"C" cannot stand for "Cel"`)
}

func TestRulesCheckKnowsTheSitesUnits(t *testing.T) {
	packs := writeFile(t, "p.yaml", "pack: p\ninputs: {k: {observation: any, unit: MILLIMOL}}\n")
	require.Equal(t, exitFailed, vigil(t, "", "rules", "check", packs).code)
	got := vigil(t, "", "rules", "check", "--config", writeFile(t, "vigil.yaml", "units: {MILLIMOL: mmol/L}\n"), packs)
	require.Equal(t, exitOK, got.code, got.errOut)
}

func TestRulesListShowsValueSetsWithTheirUsers(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"p.yaml": "pack: p\nvaluesets: {own: [\"cpt|90935\"]}\ninputs:\n  nsaid: {medication: {valueset: NSAIDs}}\n",
		"valuesets/nsaids.json": `{"resourceType":"ValueSet","url":"http://example.org/nsaids","version":"3","name":"NSAIDs",
			"compose":{"include":[{"system":"http://www.nlm.nih.gov/research/umls/rxnorm","concept":[{"code":"5640"},{"code":"7258"}]}]}}`,
		"testdata/history.json": `{"resourceType":"Patient"}`,
		".cache/x.json":         `{"resourceType":"Patient"}`,
	} {
		require.NoError(t, os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o700))
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	got := vigil(t, "", "rules", "list", "--valuesets", dir)
	require.Equal(t, exitOK, got.code, got.errOut)
	require.Regexp(t, `NSAIDs +3 +2 +p/nsaid +valuesets/nsaids.json +http://example.org/nsaids\n`, got.out)
	require.Regexp(t, `own +1 +– +p.yaml`, got.out)

	got = vigil(t, "", "rules", "list", "--valuesets", "--output", "json", dir)
	var list struct{ ValueSets []listedValueSet }
	require.NoError(t, json.Unmarshal([]byte(got.out), &list))
	require.Equal(t, "NSAIDs", list.ValueSets[0].Name)
	require.Equal(t, []string{"p/nsaid"}, list.ValueSets[0].UsedBy)
	require.Len(t, list.ValueSets[0].Digest, 64)

	got = vigil(t, "", "rules", "list", "--valuesets")
	require.Equal(t, exitUsage, got.code)
	require.Contains(t, got.errOut, "name the PATH")
}
