package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const hospital = "../../examples/cdc/mapping.yaml"

func TestSourceCheckReportsEveryFault(t *testing.T) {
	got := vigil(t, "", "source", "check", hospital)
	require.Equal(t, exitOK, got.code, got.errOut)
	require.Equal(t, "5 tables, without fault\n", got.out)

	bad := writeFile(t, "bad.yaml", "mapping: 2\ntables:\n  t:\n    key: id\n")
	got = vigil(t, "", "source", "check", bad)
	require.Equal(t, exitFailed, got.code)
	require.Contains(t, got.errOut, bad+":1:10: the format of mappings is 1")
	require.Contains(t, got.errOut, bad+":4:5: the table has no columns")

	got = vigil(t, "", "source", "check", "--output", "json", bad)
	require.Equal(t, exitFailed, got.code)
	var said struct{ Faults []struct{ Line int } }
	require.NoError(t, json.Unmarshal([]byte(got.out), &said))
	require.Len(t, said.Faults, 2)
}

func TestSourceMapShowsWhatTransactionsState(t *testing.T) {
	got := vigil(t, "", "source", "map", hospital, "../../examples/cdc/envelopes.ndjson")
	require.Equal(t, exitOK, got.code, got.errOut)
	require.Contains(t, got.out, "transaction 576\n  p2           PUT    Observation/lab103\n  p1           DELETE Observation/lab103\n")
	require.True(t, strings.HasSuffix(got.out, "10 transactions take effect, 0 are refused\n"))
}

func TestSourceMapSaysWhyATransactionIsRefused(t *testing.T) {
	envelopes := `{"op":"c","after":{"id":5,"encounter_id":77,"test":"K","value":"6.1","unit":"mmol/L","status":"final","taken":"2026-01-01T01:00:00Z"},"source":{"table":"lab_results"}}
nonsense
{"op":"c","after":{"id":1,"patient_id":9,"kind":"inpatient"},"source":{"table":"encounters"},"transaction":{"id":"half","count":2}}
{"op":"c","after":{"id":2,"sex":"f"},"source":{"table":"patients"}}
`
	got := vigil(t, envelopes, "source", "map", "--bodies", hospital, "-")
	require.Equal(t, exitFailed, got.code)
	require.Contains(t, got.out, "line 1 refused: row-not-known: "+hospital+":")
	require.Contains(t, got.out, "line 2 refused: not-an-envelope")
	require.Contains(t, got.out, "line 3 refused: incomplete-transaction")
	require.Contains(t, got.out, `{"gender":"female","id":"p2","resourceType":"Patient"}`)
	require.Contains(t, got.out, "1 transactions take effect, 3 are refused\n")

	got = vigil(t, envelopes, "source", "map", "--output", "json", hospital)
	require.Equal(t, exitFailed, got.code)
	reasons := map[string]bool{}
	for _, line := range strings.Split(strings.TrimSpace(got.out), "\n") {
		var m struct{ Refused []struct{ Reason string } }
		require.NoError(t, json.Unmarshal([]byte(line), &m), line)
		for _, r := range m.Refused {
			reasons[r.Reason] = true
		}
	}
	require.Len(t, reasons, 3)
}
