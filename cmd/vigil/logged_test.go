package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vigil-cds/vigil/explain/record"
	"github.com/vigil-cds/vigil/internal/clinical"
)

// logLine is a record of a facts log in which a monitor states a potassium.
func logLine(t *testing.T, offset int64, patient, recorded, at string, value float64) string {
	t.Helper()
	instant := func(text string) clinical.Instant {
		i, err := time.Parse(time.RFC3339, text)
		require.NoError(t, err)
		return clinical.At(i)
	}
	fact := clinical.Fact{Stream: clinical.NewStream(clinical.KindObservation, "loinc|2823-3"), Time: instant(at), End: instant(at), Number: value,
		Detail: &clinical.Detail{Type: clinical.Number, Unit: "mmol/L", Unnamed: true}}
	line, err := json.Marshal(struct {
		FactsOffset int64           `json:"factsOffset"`
		Record      clinical.Record `json:"record"`
	}{offset, clinical.Record{Patient: patient, Recorded: instant(recorded), EventOffset: offset, Assertions: []clinical.Assertion{{Facts: []clinical.Fact{fact}}}}})
	require.NoError(t, err)
	return string(line) + "\n"
}

func TestRecordsOfAFactsLogAreAppliedAsTheyAre(t *testing.T) {
	rules := writeFile(t, "demo.yaml", pack)
	// The second corrects the first; a resource of that clinical time would have come first.
	facts := writeFile(t, "facts.ndjson", logLine(t, 7, "p1", "2026-03-01T11:00:00Z", "2026-03-01T10:00:00Z", 6.4)+
		logLine(t, 12, "p1", "2026-03-01T10:30:00Z", "2026-03-01T10:00:00Z", 4.4)+
		logLine(t, 3, "p2", "2026-03-01T12:00:00Z", "2026-03-01T10:00:00Z", 6.9))
	r := vigil(t, "", "eval", "--rules", rules, "--now", "2026-03-01T12:00:00Z", facts)
	require.Equal(t, exitOK, r.code, r.errOut)
	require.Contains(t, r.out, "patient p1 at 2026-03-01T12:00:00Z")
	require.Equal(t, 1, strings.Count(r.out, "CRITICAL high-potassium"), r.out)

	r = vigil(t, "", "eval", "--rules", rules, "--now", "2026-03-01T12:00:00Z", "--explain", "--all", "--output", "json", facts)
	require.Equal(t, exitOK, r.code, r.errOut)
	explained := explanationsOf(t, r.out)
	require.Len(t, explained, 2)
	require.Equal(t, record.False, explained[0].Truth)
	require.EqualValues(t, 12, explained[0].Facts[0].Offset, "where it stands in the log that it came from")
	require.Equal(t, "2026-03-01T10:30:00Z", clinical.Instant(explained[0].Facts[0].Recorded).String())
	require.Equal(t, record.True, explained[1].Truth)

	r = vigil(t, "", "replay", "--rules", rules, facts)
	require.Equal(t, exitOK, r.code, r.errOut)
	require.Equal(t, "2026-03-01T11:00:00Z fired   critical high-potassium p1 by fact\n"+
		"2026-03-01T11:00:00Z cleared critical high-potassium p1 by fact\n"+
		"2026-03-01T12:00:00Z fired   critical high-potassium p2 by fact\n", r.out)
}

func TestARecordThatCannotBeReadEndsTheReadingAtItsPlace(t *testing.T) {
	rules := writeFile(t, "demo.yaml", pack)
	good := logLine(t, 7, "p1", "2026-03-01T11:00:00Z", "2026-03-01T10:00:00Z", 6.4)
	const form = `write it as {"factsOffset":812,"record":{…}}`
	for _, c := range []struct{ name, input, says string }{
		{"no record", good + `{"factsOffset":8}`, "facts.ndjson:2: not a record of a facts log; " + form},
		{"an offset that is none", `{"factsOffset":"8","record":{}}` + "\n", "facts.ndjson:1: not a record of a facts log"},
		{"a negative offset", `{"factsOffset":-1,"record":{}}` + "\n", "facts.ndjson:1: not a record of a facts log"},
		{"a field that no record has", good + `{"factsOffset":8,"record":{"Patience":"p1"}}`, "facts.ndjson:2: not a record of a facts log"},
		{"cut off", good + `{"factsOffset":8,"record":{"Pat`, "facts.ndjson:2, malformed at byte 31"},
		{"out of order", good + good, "facts.ndjson:2: factsOffset 7 does not come after 7 of the same patient"},
		{"behind other input", oneObservation + good, "facts.ndjson:2: records of a facts log and other input"},
		{"before other input", good + oneObservation, "facts.ndjson:2: records of a facts log and other input"},
		{"nobody's", `{"factsOffset":8,"record":{}}` + "\n", "facts.ndjson:1: the record cannot stand in a facts log: it names no patient"},
		{"an assertion of nothing", `{"factsOffset":8,"record":{"Patient":"p1","Assertions":[{}]}}` + "\n", "without a resource an assertion states one fact"},
		{"a fact of no kind", `{"factsOffset":8,"record":{"Patient":"p1","Assertions":[{"Resource":"Observation/a","Facts":[{}]}]}}` + "\n", "a fact is of no kind"},
		{"a fact of a kind that is not known", `{"factsOffset":8,"record":{"Patient":"p1","Assertions":[{"Facts":[{"Stream":{"Kind":77}}]}]}}` + "\n", "a fact is of no kind"},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, command := range []string{"eval", "replay"} {
				r := vigil(t, "", command, "--rules", rules, writeFile(t, "facts.ndjson", c.input))
				require.Equal(t, exitFailed, r.code)
				require.Contains(t, r.errOut, c.says)
				require.Empty(t, r.out)
			}
		})
	}
}

const oneObservation = `{"patient":"p1","code":"loinc|2823-3","time":"2026-03-01T09:00:00Z","value":7,"unit":"mmol/L"}` + "\n"

func TestNoServiceTakesRecordsOfAFactsLog(t *testing.T) {
	f := newFakeService(t)
	line := strings.TrimSpace(logLine(t, 7, "p1", "2026-03-01T11:00:00Z", "2026-03-01T10:00:00Z", 6.4))
	s, r := ingested(t, f, writeFile(t, "a.ndjson", line+"\n"+oneLine+"\n"))
	require.Equal(t, exitFailed, r.code)
	require.Equal(t, 1, s.Accepted)
	require.Equal(t, 1, s.Refused)
	require.Contains(t, s.Reasons[0].Problem, "give it to vigil eval or vigil replay")
	require.Equal(t, []string{"observations 1"}, f.requests)
}

func explanationsOf(t *testing.T, out string) []record.Explanation {
	t.Helper()
	var all []record.Explanation
	for line := range strings.Lines(out) {
		var e record.Explanation
		require.NoError(t, json.Unmarshal([]byte(line), &e), line)
		all = append(all, e)
	}
	return all
}

const packOfThree = `pack: demo
inputs:
  potassium: {observation: ["loinc|2823-3"], unit: mmol/L}
  sodium: {observation: ["loinc|2951-2"], unit: mmol/L}
rules:
  - {id: high-potassium, version: 1, title: High potassium, severity: critical, source: test, when: "potassium.last('24h') > 6.0"}
  - {id: low-potassium, version: 1, title: Low potassium, severity: critical, source: test, when: "potassium.last('24h') < 3.0"}
  - {id: low-sodium, version: 1, title: Low sodium, severity: critical, source: test, when: "sodium.last('24h') < 120"}
`

func TestEvalExplainsWhatIsTrueOrUnknown(t *testing.T) {
	rules := writeFile(t, "demo.yaml", packOfThree)
	input := potassium("a", "p1", "2026-03-01T10:00:00Z", "6.4") + "\n" +
		`{"patient":"p2","code":"loinc|2823-3","time":"2026-03-01T10:00:00Z","value":4,"unit":"mmol/L"}` + "\n" +
		`{"patient":"p2","code":"loinc|2951-2","time":"2026-03-01T10:00:00Z","value":140,"unit":"mmol/L"}` + "\n"
	shown := func(args ...string) (list []string) {
		r := vigil(t, input, append([]string{"eval", "--rules", rules, "--now", "2026-03-01T12:00:00Z", "--explain", "--output", "json", "-"}, args...)...)
		require.Equal(t, exitOK, r.code, r.errOut)
		for _, e := range explanationsOf(t, r.out) {
			require.Equal(t, record.Answer, e.Kind)
			require.Equal(t, "2026-03-01T12:00:00Z", clinical.Instant(e.At).String())
			require.Equal(t, "f0.2", e.Known.Position)
			list = append(list, fmt.Sprint(e.Patient, " ", e.Rule.ID, " ", e.Truth))
		}
		return list
	}
	require.Equal(t, []string{"p1 high-potassium true", "p1 low-sodium unknown"}, shown())
	require.Equal(t, []string{"p1 high-potassium true", "p1 low-potassium false", "p1 low-sodium unknown",
		"p2 high-potassium false", "p2 low-potassium false", "p2 low-sodium false"}, shown("--all"))
	require.Equal(t, []string{"p1 low-potassium false", "p2 low-potassium false"}, shown("--rule", "low-potassium"))

	r := vigil(t, input, "eval", "--rules", rules, "--now", "2026-03-01T12:00:00Z", "--explain", "-")
	require.Equal(t, exitOK, r.code, r.errOut)
	require.Contains(t, r.out, "High potassium")
	require.Contains(t, r.out, "patient p2 at 2026-03-01T12:00:00Z: no rule is true or unknown; --all explains those that are false\n")

	r = vigil(t, input, "eval", "--rules", rules, "--explain", "--rule", "low-potasium", "-")
	require.Equal(t, exitFailed, r.code)
	require.Contains(t, r.errOut, "did you mean low-potassium?")
}
