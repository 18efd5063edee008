package store

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/rules"
)

func TestContentsAreAllThatAPartitionHolds(t *testing.T) {
	s := open(t, Options{})
	other := openPartition(t, s, 3)
	apply(t, other, "q", states("Observation/1", version(1), at(potassium, 1, 5)))
	p := openPartition(t, s, 2)
	apply(t, p, "p", states("Observation/1", version(1), at(potassium, 1, 5)))
	put(t, p, "p", func(pt *Patient) {
		pt.Meta.Due = 7
		pt.Meta.Standing = []Standing{{Rule: "high", Period: clinical.Never, Severity: rules.Critical}}
	})
	p.table.offset.Store(12)
	b := p.Begin()
	b.Outbox("p", "an alert", []byte("body"))
	require.NoError(t, b.Commit())

	families := map[string]int{}
	var others []string
	require.NoError(t, p.Contents(func(e Entry) error {
		families[e.Family]++
		if !e.Derived {
			others = append(others, e.Family)
		}
		return nil
	}))
	require.Equal(t, map[string]int{"state": 1, "dictionary": 1, "table offset": 1, "owners": 1, "outbox": 1, "meta": 1, "rows": 1,
		"facts": 1, "resources": 1, "timers": 1, "worklist": 1}, families)
	require.Equal(t, []string{"table offset", "outbox"}, others, "what the log alone does not decide")

	enough := errors.New("enough")
	require.ErrorIs(t, p.Contents(func(Entry) error { return enough }), enough)
	require.NoError(t, s.Close())
	require.ErrorIs(t, p.Contents(func(Entry) error { return nil }), ErrClosed)
}
