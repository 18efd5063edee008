package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAFirstPackPassesItsCheckAndIsLaidOut(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "packs")
	r := vigil(t, "", "rules", "init", dir)
	require.Equal(t, exitOK, r.code, r.errOut)
	require.Contains(t, r.out, "vigil rules check "+dir)
	for _, name := range []string{"potassium.yaml", "potassium_test.yaml"} {
		data, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		first, _, _ := strings.Cut(string(data), "\n")
		file, ok := strings.CutPrefix(first, "# yaml-language-server: $schema=")
		require.True(t, ok, first)
		_, err = os.Stat(filepath.Join(dir, file))
		require.NoError(t, err)
	}
	r = vigil(t, "", "rules", "check", "--strict", dir)
	require.Equal(t, exitOK, r.code, r.out+r.errOut)
	require.Contains(t, r.out, "2 rules in 2 files, without fault")
	r = vigil(t, "", "rules", "fmt", "--check", dir)
	require.Equal(t, exitOK, r.code, r.out+r.errOut)
}

func TestAFirstPackOverwritesNothing(t *testing.T) {
	dir := t.TempDir()
	kept := filepath.Join(dir, "valuesets.json")
	require.NoError(t, os.WriteFile(kept, []byte("mine"), 0o600))
	r := vigil(t, "", "rules", "init", dir)
	require.Equal(t, exitFailed, r.code)
	require.Contains(t, r.errOut, kept+" is there already: nothing was written")
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, entries, 1)
	data, err := os.ReadFile(kept)
	require.NoError(t, err)
	require.Equal(t, "mine", string(data))
}
