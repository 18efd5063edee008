package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vigil-cds/vigil/rules"
)

func TestFilesAreLaidOutPrintedCheckedOrWrittenBack(t *testing.T) {
	untidy := "# why\n" + strings.NewReplacer("{observation: ", "{ observation:   ", "severity: critical", "severity:    critical  # red").Replace(pack)
	tidy := "# why\n" + strings.Replace(pack, "severity: critical", "severity: critical  # red", 1)
	dir := t.TempDir()
	file := filepath.Join(dir, "demo.yaml")
	require.NoError(t, os.WriteFile(file, []byte(untidy), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "notes.txt"), []byte("no: [yaml"), 0o600))

	r := vigil(t, "", "rules", "fmt", file)
	require.Equal(t, exitOK, r.code, r.errOut)
	require.Equal(t, tidy, r.out)

	r = vigil(t, "", "rules", "fmt", "--check", dir)
	require.Equal(t, exitFailed, r.code)
	require.Equal(t, file+"\n", r.out)

	r = vigil(t, "", "rules", "fmt", "-w", dir)
	require.Equal(t, exitOK, r.code, r.errOut)
	data, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, tidy, string(data))
	info, err := os.Stat(file)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, 2)

	r = vigil(t, "", "rules", "fmt", "--check", dir)
	require.Equal(t, exitOK, r.code)
	require.Empty(t, r.out)
	require.Equal(t, exitUsage, vigil(t, "", "rules", "fmt", "-w", "--check", dir).code)
}

func TestAFileThatIsNotYAMLIsLeftAsItIs(t *testing.T) {
	file := writeFile(t, "demo.yaml", "pack: demo\nrules: [a, b\n")
	r := vigil(t, "", "rules", "fmt", "-w", file)
	require.Equal(t, exitFailed, r.code)
	require.Contains(t, r.errOut, file+":2:")
	require.Contains(t, r.errOut, "[yaml-syntax]")
	data, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, "pack: demo\nrules: [a, b\n", string(data))
}

func TestFilesThatThereAreNotOrThatAreTooLargeAreNotLaidOut(t *testing.T) {
	large := writeFile(t, "large.yaml", strings.Repeat("a", rules.MaxPack+1))
	for about, path := range map[string]string{
		"name a rule pack, a file of test cases":     filepath.Join(t.TempDir(), "none.yaml"),
		"holds no rule pack and no test cases":       t.TempDir(),
		"large.yaml is larger than 8 MB; it is left": large,
	} {
		r := vigil(t, "", "rules", "fmt", "-w", path)
		require.Equal(t, exitFailed, r.code, about)
		require.Empty(t, r.out)
		require.Contains(t, r.errOut, about)
	}
}
