package archive

import (
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"
)

func TestADatabaseRemembersOfWhichLogItIs(t *testing.T) {
	fs := vfs.NewMem()
	db := open(t, Options{FS: fs})
	id, err := db.Log()
	require.NoError(t, err)
	require.Empty(t, id)
	require.NoError(t, db.SetLog("a log"))
	require.NoError(t, db.Close())
	_, err = db.Log()
	require.ErrorIs(t, err, ErrClosed)
	require.ErrorIs(t, db.SetLog("another"), ErrClosed)
	db = open(t, Options{FS: fs})
	id, err = db.Log()
	require.NoError(t, err)
	require.Equal(t, "a log", id)
}
