package main

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTheSchemasPrintedAreThoseBesideTheRules(t *testing.T) {
	for _, c := range []struct {
		args []string
		file string
	}{{nil, "pack"}, {[]string{"pack"}, "pack"}, {[]string{"test"}, "test"}} {
		r := vigil(t, "", append([]string{"rules", "schema"}, c.args...)...)
		require.Equal(t, exitOK, r.code, r.errOut)
		data, err := os.ReadFile("../../rules/schema/" + c.file + ".schema.json")
		require.NoError(t, err)
		require.Equal(t, string(data), r.out)
	}
	r := vigil(t, "", "rules", "schema", "case")
	require.Equal(t, exitUsage, r.code)
	require.Contains(t, r.errOut, "use pack or test")
}
