package diagnostic

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/rules"
)

func at(line, col int) rules.Place { return rules.Place{File: "p.yaml", Line: line, Col: col} }

func show(t *testing.T, text string, d Diagnostic, opts TextOptions) string {
	t.Helper()
	var b strings.Builder
	require.NoError(t, Text(&b, []Diagnostic{d}, []clinical.File{{Name: "p.yaml", Data: []byte(text)}}, opts))
	return b.String()
}

func TestADiagnosticShowsItsLineACaretAndTheHint(t *testing.T) {
	d := Diagnostic{at(2, 3), Error, "unknown-input", `unknown input "b"`, `did you mean "a"?`}
	require.Equal(t, `p.yaml:2:3: error: unknown input "b" [unknown-input]
  2 | x b
    |   ^
    = did you mean "a"?

`, show(t, "a\nx b\n", d, TextOptions{}))
	shown := show(t, "a\nx b\n", d, TextOptions{Path: func(name string) string { return "packs/" + name }})
	require.Contains(t, shown, "packs/p.yaml:2:3:")
}

// The mark ⇒ is taken out; the caret must stand under the character after it.
func TestTheCaretStandsUnderThePlaceWhateverStandsBeforeIt(t *testing.T) {
	for line, want := range map[string]struct {
		shown string
		caret int
	}{
		"⇒a":                {"a", 0},
		"ab⇒":               {"ab", 2},
		"\t⇒a":              {"        a", 8},
		"a\t⇒b":             {"a       b", 8},
		"1234567\t⇒b":       {"1234567 b", 8},
		"12345678\t⇒b":      {"12345678        b", 16},
		"高カ ⇒b":             {"高カ b", 5},
		"高\t⇒b":             {"高      b", 8},
		"e\u0301 ⇒b":        {"e\u0301 b", 2},
		"👩‍⚕️ ⇒b":           {"👩‍⚕️ b", 3},
		"\x1b[31m⇒b":        {"\ufffd[31mb", 5},
		"key: \"é\" ⇒wrong": {"key: \"é\" wrong", 9},
	} {
		before, after, _ := strings.Cut(line, "⇒")
		out := show(t, before+after+"\r\nnext", Diagnostic{Place: at(1, len([]rune(before))+1), Message: "m"}, TextOptions{})
		lines := strings.Split(out, "\n")
		require.Equal(t, "  1 | "+want.shown, lines[1], line)
		require.Equal(t, "    | "+strings.Repeat(" ", want.caret)+"^", lines[2], line)
	}
}

func TestALongLineIsShownAroundThePlace(t *testing.T) {
	text := strings.Repeat("a", 500) + "X" + strings.Repeat("b", 500)
	lines := strings.Split(show(t, text, Diagnostic{Place: at(1, 501), Message: "m"}, TextOptions{}), "\n")
	require.Less(t, len([]rune(lines[1])), 200)
	shown, caret := []rune(lines[1]), []rune(lines[2])
	require.Equal(t, 'X', shown[len(caret)-1])
	require.Contains(t, lines[1], "…")
}

func TestAPlaceOutsideItsFileIsWrittenWithoutALine(t *testing.T) {
	for _, place := range []rules.Place{at(9, 1), at(0, 0), {File: "other.yaml", Line: 1, Col: 1}} {
		out := show(t, "a\n", Diagnostic{Place: place, Message: "m", Hint: "h"}, TextOptions{})
		require.NotContains(t, out, "^")
		require.Contains(t, out, "= h")
	}
	require.Contains(t, show(t, "a\n", Diagnostic{Place: at(1, 99), Message: "m"}, TextOptions{}), "|  ^")
}

func TestColourIsForThoseWhoAskForIt(t *testing.T) {
	d := Diagnostic{at(1, 1), Warning, "unused-input", "m", "h"}
	require.NotContains(t, show(t, "a", d, TextOptions{}), "\x1b")
	coloured := show(t, "a", d, TextOptions{Color: true})
	require.Contains(t, coloured, "\x1b[1;33mwarning:\x1b[0m")
}

func TestDiagnosticsAreSortedAndEachOnce(t *testing.T) {
	a := Diagnostic{at(2, 1), Warning, "b", "m", ""}
	b := Diagnostic{at(1, 5), Warning, "c", "m", ""}
	c := Diagnostic{at(1, 5), Warning, "a", "m", ""}
	require.Equal(t, []Diagnostic{c, b, a}, Sort([]Diagnostic{a, b, a, c, b}))
}

func TestSARIFHasWhatTheStandardRequires(t *testing.T) {
	faults := OfFaults(rules.Faults{{File: "a b.yaml", Line: 3, Col: 7, Problem: `unknown input "x"`, Hint: "h"}, {File: "p.yaml", Problem: "zero"}})
	list := append(faults, Diagnostic{at(4, 2), Warning, "never-true", "never", ""})
	var b strings.Builder
	require.NoError(t, SARIF(&b, list, "1.2.3", nil))

	// Properties and their values as in section 3 of the standard.
	var log struct {
		Schema  string `json:"$schema"`
		Version string
		Runs    []struct {
			Tool struct {
				Driver struct {
					Name, Version string
					Rules         []struct{ ID string }
				}
			}
			ColumnKind string
			Results    []struct {
				RuleID    string
				RuleIndex int
				Level     string
				Message   struct{ Text string }
				Locations []struct {
					PhysicalLocation struct {
						ArtifactLocation struct{ URI string }
						Region           struct{ StartLine, StartColumn int }
					}
				}
			}
		}
	}
	decoder := json.NewDecoder(strings.NewReader(b.String()))
	decoder.DisallowUnknownFields()
	require.NoError(t, decoder.Decode(&log))
	require.Equal(t, "2.1.0", log.Version)
	require.Len(t, log.Runs, 1)
	run := log.Runs[0]
	require.Equal(t, "vigil", run.Tool.Driver.Name)
	require.Equal(t, "unicodeCodePoints", run.ColumnKind)
	require.Len(t, run.Results, 3)
	for i, r := range run.Results {
		require.Equal(t, r.RuleID, run.Tool.Driver.Rules[r.RuleIndex].ID)
		require.Contains(t, []string{"none", "note", "warning", "error"}, r.Level)
		require.NotEmpty(t, r.Message.Text)
		require.Len(t, r.Locations, 1)
		place := r.Locations[0].PhysicalLocation
		require.NotEmpty(t, place.ArtifactLocation.URI, i)
		require.Positive(t, place.Region.StartLine)
		require.Positive(t, place.Region.StartColumn)
	}
	require.Equal(t, "unknown-input", run.Results[0].RuleID)
	require.Equal(t, "a%20b.yaml", run.Results[0].Locations[0].PhysicalLocation.ArtifactLocation.URI)
	require.Equal(t, `unknown input "x"; h`, run.Results[0].Message.Text)
	require.Equal(t, "error", run.Results[0].Level)
	require.Equal(t, "warning", run.Results[2].Level)
}

func TestSARIFOfNothingHasEmptyListsNotNull(t *testing.T) {
	var b strings.Builder
	require.NoError(t, SARIF(&b, nil, "", nil))
	require.NotContains(t, b.String(), "null")
	require.Contains(t, b.String(), `"results": []`)
}

func TestPathsBecomeURIs(t *testing.T) {
	for path, uri := range map[string]string{"packs/a.yaml": "packs/a.yaml", "/srv/a.yaml": "file:///srv/a.yaml", "a:b.yaml": "./a:b.yaml", "ä.yaml": "%C3%A4.yaml"} {
		require.Equal(t, uri, reference(path))
	}
}
