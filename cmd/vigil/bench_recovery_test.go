package main

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestBenchMeasuresTheReturnOfALostStore(t *testing.T) {
	r := vigil(t, "", "bench", "--patients", "60", "--facts", "20", "--per-request", "500", "--reads", "10", "--http-reads", "10", "--recovery", "--pairs", "2", "--output", "json")
	require.Zero(t, r.code, r.errOut)
	var got benched
	require.NoError(t, json.Unmarshal([]byte(r.out), &got))
	require.Equal(t, 900, got.Checked)
	require.NotNil(t, got.Recovery)
	require.GreaterOrEqual(t, got.Recovery.Records, int64(got.Records), "the activations, too")
	require.Positive(t, got.Recovery.PerSecond)
	require.Len(t, got.Recovery.Rounds, 2)
	require.Positive(t, got.Recovery.Rounds[1].After.Read.Reads)
}
