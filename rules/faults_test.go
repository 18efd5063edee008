package rules

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vigil-cds/vigil/internal/clinical"
)

var update = flag.Bool("update", false, "write the faults found into testdata")

func readFiles(t testing.TB, paths ...string) []clinical.File {
	t.Helper()
	files := make([]clinical.File, len(paths))
	for i, path := range paths {
		data, err := os.ReadFile(path)
		require.NoError(t, err)
		files[i] = clinical.File{Name: filepath.Base(path), Data: data}
	}
	return files
}

func glob(t testing.TB, pattern string) []string {
	t.Helper()
	paths, err := filepath.Glob(pattern)
	require.NoError(t, err)
	require.NotEmpty(t, paths)
	return paths
}

func TestEveryFaultIsReportedWithItsPlaceAndWhatToDo(t *testing.T) {
	for _, dir := range glob(t, "testdata/faults/*") {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			paths, _ := filepath.Glob(filepath.Join(dir, "*.yaml"))
			sets, _ := filepath.Glob(filepath.Join(dir, "*.json"))
			program, err := Compile(readFiles(t, append(paths, sets...)...), CompileOptions{})
			require.Nil(t, program)
			require.ErrorIs(t, err, ErrInvalid)
			want := filepath.Join(dir, "faults.txt")
			got := err.Error() + "\n"
			if *update {
				require.NoError(t, os.WriteFile(want, []byte(got), 0o644))
			}
			text, err := os.ReadFile(want)
			require.NoError(t, err)
			require.Equal(t, string(text), got)
		})
	}
}

// The mark ⇒ is taken out before the pack is compiled; the fault must be where it was.
func TestAFaultPointsAtTheVeryCharacter(t *testing.T) {
	const head = "pack: p\ninputs: {k: {observation: [\"loinc|1-1\"]}}\nrules:\n- id: r\n  title: t\n  severity: info\n  source: s\n"
	for name, when := range map[string]string{
		"plain":              "  when: k.last() > 1 and ⇒j.last() > 2\n",
		"plain, over lines":  "  when: k.last() > 1 and\n    k.last() < 7 and\n      ⇒j.last() > 2\n",
		"single quotes":      "  when: 'k.last(''48h'') > 1 and ⇒j.last(''48h'') > 2'\n",
		"double quotes":      "  when: \"k.last() > 1 and \\\"a\\\" == \\\"b\\\" or ⇒j.last() > 2\"\n",
		"folded":             "  when: >-\n    k.last() > 1\n    and k.last() < 5\n\n      and ⇒j.last() > 2\n",
		"literal":            "  when: |\n    k.last() > 1\n      and ⇒j.last() > 2\n",
		"folded, indicator":  "  when: >2-\n      k.last() > 1\n    and ⇒j.last() > 2\n",
		"beyond ASCII":       "  when: \"'é' == 'ü' or ⇒j.last() > 2\"\n",
		"nested":             "  when:\n    any:\n      - k.last() > 1\n      - all: [k.last() > 2, ⇒j.last() > 3]\n",
		"message":            "  when: k.last() > 1\n  message: It is {{ k.last() }} and {{ ⇒j.last() }}.\n",
		"literal message":    "  when: k.last() > 1\n  message: |\n    It is {{ k.last() }}\n    and {{ ⇒j.last() }}.\n",
		"window":             "  when: k.last(⇒'2d..5d') > 1\n",
		"question":           "  when: k.⇒latest() > 1\n",
		"operator":           "  when: k.last() > 1 and k.last() ⇒% 2 > 1\n",
		"syntax":             "  when: k.last() > 1 and k.last() ⇒= 2\n",
		"carriage returns":   "  when: >\r\n    k.last() > 1\r\n    and ⇒j.last() > 2\r\n",
		"after a long quote": "  when: \"'\\u00e9\\t' == 'x' or ⇒j.last() > 2\"\n",
	} {
		t.Run(name, func(t *testing.T) {
			before, _, _ := strings.Cut(when, "⇒")
			before = strings.ReplaceAll(head+before, "\r", "")
			line := strings.Count(before, "\n") + 1
			col := len([]rune(before[strings.LastIndex(before, "\n")+1:])) + 1
			_, err := Compile([]clinical.File{{Name: "p.yaml", Data: []byte(head + strings.Replace(when, "⇒", "", 1))}}, CompileOptions{})
			var faults Faults
			require.ErrorAs(t, err, &faults)
			require.Len(t, faults, 1, "%v", err)
			require.Equal(t, [2]int{line, col}, [2]int{faults[0].Line, faults[0].Col}, "%v", err)
			var one Fault
			require.True(t, errors.As(err, &one))
			require.ErrorIs(t, one, ErrInvalid)
		})
	}
}
