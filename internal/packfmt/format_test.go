package packfmt

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/rules"
)

func format(t *testing.T, text string) string {
	t.Helper()
	out, err := Format("p.yaml", []byte(text))
	require.NoError(t, err, text)
	again, err := Format("p.yaml", out)
	require.NoError(t, err, string(out))
	require.Equal(t, string(out), string(again), "formatting again changes it")
	return string(out)
}

func TestFilesAreLaidOutInOneWay(t *testing.T) {
	cases, err := filepath.Glob("testdata/*.in.yaml")
	require.NoError(t, err)
	require.NotEmpty(t, cases)
	for _, in := range cases {
		t.Run(filepath.Base(in), func(t *testing.T) {
			data, err := os.ReadFile(in)
			require.NoError(t, err)
			want, err := os.ReadFile(strings.Replace(in, ".in.", ".out.", 1))
			require.NoError(t, err)
			require.Equal(t, string(want), format(t, string(data)))
		})
	}
}

func TestFormattingKeepsWhatEveryPackMeans(t *testing.T) {
	var files []string
	for _, pattern := range []string{"../../rules/packs/*.yaml", "../../rules/testdata/good/*.yaml", "../../rules/testdata/faults/*/*.yaml", "../../examples/*.yaml"} {
		found, err := filepath.Glob(pattern)
		require.NoError(t, err)
		require.NotEmpty(t, found)
		files = append(files, found...)
	}
	formatted := 0
	for _, name := range files {
		data, err := os.ReadFile(name)
		require.NoError(t, err)
		out, err := Format(name, data)
		if strings.Contains(name, "yaml-broken") {
			require.Error(t, err, name)
			continue
		}
		require.NoError(t, err, name)
		require.Equal(t, string(out), format(t, string(out)), name)
		formatted++

		sets, err := filepath.Glob(filepath.Join(filepath.Dir(name), "*.json"))
		require.NoError(t, err)
		files := []clinical.File{{}}
		for _, set := range sets {
			content, err := os.ReadFile(set)
			require.NoError(t, err)
			files = append(files, clinical.File{Name: filepath.Base(set), Data: content})
		}
		compile := func(data []byte) (*rules.Program, error) {
			files[0] = clinical.File{Name: "p.yaml", Data: data}
			return rules.Compile(files, rules.CompileOptions{})
		}
		was, errWas := compile(data)
		is, errIs := compile(out)
		require.Equal(t, errWas == nil, errIs == nil, name)
		if errWas != nil {
			require.Len(t, errIs, len(errWas.(rules.Faults)), name)
			continue
		}
		require.Equal(t, meaning(was), meaning(is), name)
	}
	require.Greater(t, formatted, 10)
}

// meaning is all of a program that is not a place in a file.
func meaning(p *rules.Program) []string {
	var out []string
	for _, in := range p.Inputs {
		out = append(out, in.Pack+"/"+in.Name+" "+in.Unit)
	}
	for _, a := range p.Atoms {
		out = append(out, a.Source)
	}
	for _, r := range p.Rules {
		out = append(out, strings.Join([]string{r.ID, r.Pack, r.Title, r.Severity.String(), r.Source, strings.Join(r.Tags, ","), r.When.String(), r.Message.Source}, "\x00"))
	}
	return out
}

func TestWhatIsNotYAMLIsRefusedWithItsPlace(t *testing.T) {
	_, err := Format("p.yaml", []byte("pack: p\nrules: [a, b\n"))
	require.ErrorIs(t, err, rules.ErrInvalid)
	var faults rules.Faults
	require.ErrorAs(t, err, &faults)
	require.Equal(t, "p.yaml", faults[0].File)
	require.Greater(t, faults[0].Line, 0)
}

func TestWhatCannotBeLaidOutIsRefusedOrKept(t *testing.T) {
	for _, text := range []string{"? complex\n: value\n", "a: &x 1\nb: *x\n", "a: !tag b\n", "--- \na: b\n...\n", "", "# only a comment\n", "just text\n", "%YAML 1.2\n---\na: b\n"} {
		out, err := Format("p.yaml", []byte(text))
		if err != nil {
			continue
		}
		was, err := shapeOf(text)
		require.NoError(t, err)
		is, err := shapeOf(string(out))
		require.NoError(t, err)
		require.Equal(t, was, is)
	}
}

func FuzzFormattingTwiceIsFormattingOnce(f *testing.F) {
	for _, text := range []string{
		"a: 1 # b\nb:\n- c\n-   d: {e: f,g: [h]}\n", "k: |\n    x\n     y\n\n# c\nl: >-2\n   z\n", "a: \"b\n\n  c\"\nd: 'e''f'\n",
		"a: b\n  - c\nd: [e,\n# f\n g]\n", "- - a\n  - b: c\n    d: e\n",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		out, err := Format("p.yaml", []byte(text))
		if err != nil {
			return
		}
		again, err := Format("p.yaml", out)
		require.NoError(t, err)
		require.Equal(t, string(out), string(again))
	})
}
