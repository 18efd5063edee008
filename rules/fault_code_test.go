package rules

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestFaultsOfOneKindBearOneCode(t *testing.T) {
	for problem, code := range map[string]string{
		`unknown input "potasium"`:                             "unknown-input",
		`unknown input "j"`:                                    "unknown-input",
		`unknown value set "dialisys"`:                         "unknown-value-set",
		`unknown unit of time "hours"`:                         "unknown-unit-of-time",
		`unknown time zone "Mars"`:                             "unknown-time-zone",
		`a rule has no key "tittle"`:                           "unknown-key",
		`the rule "r" has no source`:                           "missing-key",
		`the rule id "r" is here twice`:                        "duplicate",
		`title is written as text, and here is a list`:         "wrong-shape",
		`a number cannot be compared with a text`:              "type-mismatch",
		`the window '8d..365d' runs backwards`:                 "window",
		`not YAML: ',' or ']' must be specified`:               "yaml-syntax",
		`anchors (&) are not part of the pack format`:          "not-in-language",
		`the input "c" is made from itself`:                    "circular",
		`words that no table has`:                              "invalid",
		`the code "2823-3" does not say its system`:            "malformed-code",
		"`hours_since` may only be one side of a comparison":   "elapsed-time",
		`the expression ends too soon`:                         "expression-syntax",
		`the file is larger than 8 MB`:                         "too-large",
		`an input cannot be called "patient": expressions use`: "malformed-name",
	} {
		require.Equal(t, code, Fault{Problem: problem}.Code(), problem)
	}
}

func TestMostFaultsHaveAKind(t *testing.T) {
	var all, without int
	for _, name := range glob(t, "testdata/faults/*/faults.txt") {
		data, err := os.ReadFile(filepath.Clean(name))
		require.NoError(t, err)
		for line := range strings.Lines(string(data)) {
			_, text, _ := strings.Cut(line, ": ")
			problem, _, _ := strings.Cut(strings.TrimSuffix(text, "\n"), "; ")
			all++
			if (Fault{Problem: problem}).Code() == "invalid" {
				without++
			}
		}
	}
	require.Less(t, without*4, all, "of %d faults %d have no kind", all, without)
}
