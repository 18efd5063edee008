package main

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vigil-cds/vigil/rules"
)

func TestBenchCompilesSetsOfGrowingSize(t *testing.T) {
	r := vigil(t, "", "bench", "--compile", "320", "--output", "json")
	require.Zero(t, r.code, r.errOut)
	var got compiledSets
	require.NoError(t, json.Unmarshal([]byte(r.out), &got))
	require.Len(t, got.Sets, 5)
	for i, n := range []int{20, 40, 80, 160, 320} {
		require.Equal(t, n, got.Sets[i].Rules)
		require.Positive(t, got.Sets[i].Seconds)
		require.Positive(t, got.Sets[i].Peak)
	}
	require.Greater(t, got.Sets[4].Atoms, got.Sets[0].Atoms)

	require.Contains(t, vigil(t, "", "bench", "--compile", "32").out, "time grows as the number of rules to the power of ")
	require.Equal(t, 2, vigil(t, "", "bench", "--compile", "1").code)
}

func TestTheExponentOfGrowthIsThatOfAPower(t *testing.T) {
	var sets []compiledSet
	for _, n := range []int{10, 100, 1000} {
		sets = append(sets, compiledSet{Rules: n, Seconds: 3e-6 * math.Pow(float64(n), 1.5)})
	}
	require.InDelta(t, 1.5, exponent(sets), 1e-9)
	_, err := compileOf(rules.MaxRules + 1)
	require.ErrorIs(t, err, rules.ErrInvalid)
}
