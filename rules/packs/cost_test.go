package packs

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vigil-cds/vigil/rules"
)

func TestEveryRuleThatShipsCostsFarLessThanTheLimit(t *testing.T) {
	program, err := rules.Compile(Files(), rules.CompileOptions{})
	require.NoError(t, err)
	for _, r := range program.Rules {
		require.Less(t, program.Cost(r).Facts, rules.MaxCost/5, r.ID)
	}
}
