package store

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestACheckpointIsTheDatabaseAsItWas(t *testing.T) {
	s, err := Open(t.TempDir(), Options{})
	require.NoError(t, err)
	defer func() { require.NoError(t, s.Close()) }()
	p := openPartition(t, s, 3)
	apply(t, p, "anna", states("Observation/1", version(1), at(creatinine, 1, 1)))
	dir := filepath.Join(t.TempDir(), "checkpoint")
	had, err := s.Checkpoint(dir)
	require.NoError(t, err)
	require.Equal(t, map[int32]State{3: p.State()}, had)
	_, err = s.Checkpoint(dir)
	require.Error(t, err, "over another")
	apply(t, p, "bert", states("Observation/2", version(1), at(creatinine, 2, 2)))

	c, err := Open(dir, Options{})
	require.NoError(t, err)
	defer func() { require.NoError(t, c.Close()) }()
	copied := openPartition(t, c, 3)
	require.Equal(t, had[3], copied.State())
	numbers, err := c.Numbers()
	require.NoError(t, err)
	require.Equal(t, []int32{3}, numbers)
	_, ok, err := c.Owner(3, "Observation/1")
	require.NoError(t, err)
	require.True(t, ok)
	_, ok, err = c.Owner(3, "Observation/2")
	require.NoError(t, err)
	require.False(t, ok)
}
