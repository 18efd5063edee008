package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// oddPack compiles, and asks for a potassium that nobody has.
var oddPack = strings.Replace(pack, "> 6.0", "> 60", 1)

func TestAFaultIsShownWithItsLineACaretAndWhatToWrite(t *testing.T) {
	file := writeFile(t, "demo.yaml", strings.Replace(pack, "when: potassium", "when: potasium", 1))
	r := vigil(t, "", "rules", "check", file)
	require.Equal(t, exitFailed, r.code)
	require.Equal(t, file+`:10:11: error: unknown input "potasium" [unknown-input]
  10 |     when: potasium.last('24h') > 6.0
     |           ^
     = did you mean "potassium"?

1 fault in 1 file
`, r.out)
	require.Empty(t, r.errOut)
}

func TestLintsFailACheckOnlyWhenItIsStrict(t *testing.T) {
	file := writeFile(t, "demo.yaml", oddPack)
	r := vigil(t, "", "rules", "check", file)
	require.Equal(t, exitOK, r.code, r.errOut)
	require.Contains(t, r.out, ":10:11: warning: 60 mmol/L is outside what potassium can be")
	require.Contains(t, r.out, "1 rule in 1 file, without fault but with 1 lint; rule set")
	require.Equal(t, exitFailed, vigil(t, "", "rules", "check", "--strict", file).code)
	require.Equal(t, exitOK, vigil(t, "", "rules", "check", "--strict", writeFile(t, "demo.yaml", pack)).code)
}

func TestTheBuiltinPacksAreCheckedWithoutAPath(t *testing.T) {
	r := vigil(t, "", "rules", "check", "--builtin", "--strict")
	require.Equal(t, exitOK, r.code, r.out+r.errOut)
	r = vigil(t, "", "rules", "check", "--builtin", "x.yaml")
	require.Equal(t, exitUsage, r.code)
	require.Contains(t, r.errOut, `leave "x.yaml" out`)
}

func TestFilesAndDirectoriesAreCheckedAsOneSet(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "sub"), 0o755))
	first, second := filepath.Join(dir, "demo.yaml"), filepath.Join(dir, "sub", "demo.yaml")
	require.NoError(t, os.WriteFile(first, []byte(pack), 0o600))
	require.NoError(t, os.WriteFile(second, []byte(strings.Replace(pack, "pack: demo", "pack: other", 1)), 0o600))
	r := vigil(t, "", "rules", "check", first, filepath.Join(dir, "sub"), first)
	require.Equal(t, exitFailed, r.code)
	require.Contains(t, r.out, second+`:5:9: error: the rule id "high-potassium" is here twice`)
	require.Contains(t, r.out, "1 fault in 2 files")
}

func TestACheckSpeaksToProgramsToo(t *testing.T) {
	file := writeFile(t, "demo.yaml", oddPack)
	r := vigil(t, "", "rules", "check", "--output", "json", file)
	require.Equal(t, exitOK, r.code)
	var answer checkAnswer
	require.NoError(t, json.Unmarshal([]byte(r.out), &answer))
	require.True(t, answer.OK)
	require.Len(t, answer.RuleSet, 64)
	require.Contains(t, r.out, `"faults":[]`)
	require.Len(t, answer.Lints, 1)
	require.Equal(t, "implausible-threshold", answer.Lints[0].Code)
	require.Equal(t, file, answer.Lints[0].File)

	r = vigil(t, "", "rules", "check", "--output", "sarif", file)
	require.Equal(t, exitOK, r.code)
	var log struct {
		Version string
		Runs    []struct{ Results []struct{ RuleID string } }
	}
	require.NoError(t, json.Unmarshal([]byte(r.out), &log))
	require.Equal(t, "2.1.0", log.Version)
	require.Equal(t, "implausible-threshold", log.Runs[0].Results[0].RuleID)

	r = vigil(t, "", "rules", "check", "--output", "xml", file)
	require.Equal(t, exitUsage, r.code)
	require.Contains(t, r.errOut, "use text, json or sarif")
	require.Equal(t, exitUsage, vigil(t, "", "rules", "list", "--output", "sarif", file).code)
}
