package config

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestASitesParametersComeFromTheFileAVariableOrAFlag(t *testing.T) {
	want := Parameters{"renal": {"potassium_limit": "5.8", "children": "true"}, "ward-a": {"lookback": "24h"}}
	file := write(t, "parameters:\n  renal: {potassium_limit: 5.8, children: true}\n  ward-a: {lookback: 24h}\n")
	text := "renal.potassium_limit=5.8, renal.children=true,ward-a.lookback=24h"
	for name, s := range map[string]Sources{
		"file":     {File: file},
		"variable": {Environ: []string{"VIGIL_PARAMETERS=" + text}},
		"flag":     {Flags: parse(t, "--parameters", text)},
		"a flag over a file": {File: write(t, "parameters: {renal: {other: 1}}\n"),
			Flags: parse(t, "--parameters", text)},
	} {
		c, err := Load(s)
		require.NoError(t, err, name)
		require.Equal(t, want, c.Parameters, name)
	}
	for _, text := range []string{"parameters: {renal: 5}\n", "parameters: {renal: {limit: [1, 2]}}\n", "parameters: [a]\n"} {
		_, err := Load(Sources{File: write(t, text)})
		require.ErrorIs(t, err, ErrInvalid, text)
	}
}
