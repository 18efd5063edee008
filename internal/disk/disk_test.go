package disk

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"strings"
	"syscall"
	"testing"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/stretchr/testify/require"
)

// stopped runs f, and returns what Fatal was called with, whether f panicked, and what was logged.
func stopped(f func(w *Watch)) (fatal []error, panicked bool, logged string) {
	var text bytes.Buffer
	w := NewWatch("store", slog.New(slog.NewTextHandler(&text, nil)), func(err error) { fatal = append(fatal, err) })
	func() {
		defer func() { panicked = recover() != nil }()
		f(w)
	}()
	return fatal, panicked, text.String()
}

// broken is a disk on which a file lies and where every operation of a kind fails.
func broken(t *testing.T, kind errorfs.OpKind, with error) vfs.FS {
	t.Helper()
	under := vfs.NewMem()
	f, err := under.Create("old", vfs.WriteCategoryUnspecified)
	require.NoError(t, err)
	require.NoError(t, f.Close())
	return errorfs.Wrap(under, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind == kind {
			return fmt.Errorf("key of patient-7: %w", &fs.PathError{Op: "write", Path: op.Path, Err: with})
		}
		return nil
	}))
}

func TestAWriteThatFailsIsASentenceToActUpon(t *testing.T) {
	for name, c := range map[string]struct {
		kind  errorfs.OpKind
		do    func(vfs.FS) error
		doing string
	}{
		"create": {errorfs.OpCreate, func(on vfs.FS) error { _, err := on.Create("new", vfs.WriteCategoryUnspecified); return err }, "making a file"},
		"reuse": {errorfs.OpReuseForWrite, func(on vfs.FS) error {
			_, err := on.ReuseForWrite("old", "new", vfs.WriteCategoryUnspecified)
			return err
		}, "making a file"},
		"rename": {errorfs.OpRename, func(on vfs.FS) error { return on.Rename("old", "new") }, "naming a file"},
		"link":   {errorfs.OpLink, func(on vfs.FS) error { return on.Link("old", "new") }, "naming a file"},
		"mkdir":  {errorfs.OpMkdirAll, func(on vfs.FS) error { return on.MkdirAll("dir", 0o700) }, "making a directory"},
		"write": {errorfs.OpFileWrite, func(on vfs.FS) error {
			return write(on, func(f vfs.File) error { _, err := f.Write([]byte("x")); return err })
		}, "writing"},
		"sync": {errorfs.OpFileSync, func(on vfs.FS) error { return write(on, vfs.File.Sync) }, "syncing"},
		"data": {errorfs.OpFileSyncData, func(on vfs.FS) error { return write(on, vfs.File.SyncData) }, "syncing"},
		"to":   {errorfs.OpFileSyncTo, func(on vfs.FS) error { return write(on, func(f vfs.File) error { _, err := f.SyncTo(1); return err }) }, "syncing"},
	} {
		t.Run(name, func(t *testing.T) {
			fatal, panicked, logged := stopped(func(w *Watch) { _ = c.do(w.FS(broken(t, c.kind, syscall.ENOSPC))) })
			require.Len(t, fatal, 1)
			require.ErrorIs(t, fatal[0], ErrFailed)
			require.Equal(t, "store: the disk failed ("+c.doing+": no space left on device): "+remedy, fatal[0].Error())
			require.True(t, panicked, "who wrote does not go on")
			require.Contains(t, logged, "no space left on device")
			require.NotContains(t, logged, "patient-7")
		})
	}
}

func write(on vfs.FS, f func(vfs.File) error) error {
	file, err := on.Create("new", vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	return f(file)
}

func TestAFileThatIsNotThereIsAnAnswer(t *testing.T) {
	fatal, panicked, _ := stopped(func(w *Watch) {
		on := w.FS(vfs.NewMem())
		require.ErrorIs(t, on.Rename("none", "new"), fs.ErrNotExist)
		_, err := on.ReuseForWrite("none", "new", vfs.WriteCategoryUnspecified)
		require.ErrorIs(t, err, fs.ErrNotExist)
		require.NoError(t, write(on, vfs.File.Sync))
	})
	require.Empty(t, fatal)
	require.False(t, panicked)
}

func TestAFailureIsReportedOnce(t *testing.T) {
	fatal, _, _ := stopped(func(w *Watch) {
		defer w.fail("writing", errors.New("second"))
		w.fail("writing", syscall.EIO)
	})
	require.Len(t, fatal, 1)
}

func TestWhatPebbleCannotGoOnAfterSaysWhatToDo(t *testing.T) {
	fatal, panicked, _ := stopped(func(w *Watch) { w.Fatalf("nothing is right with %s", "patient-7") })
	require.True(t, panicked)
	require.Len(t, fatal, 1)
	require.ErrorContains(t, fatal[0], "start again")
	require.NotContains(t, fatal[0].Error(), "patient-7")
}

func TestWhatPassesIsLoggedNowAndThen(t *testing.T) {
	fatal, panicked, logged := stopped(func(w *Watch) {
		var to pebble.EventListener
		w.Listen(&to)
		for range 1000 {
			to.BackgroundError(syscall.EMFILE)
			to.DiskSlow(pebble.DiskSlowInfo{})
		}
	})
	require.Empty(t, fatal)
	require.False(t, panicked)
	require.Equal(t, 1, strings.Count(logged, "\n"))
}

func TestADamagedDatabaseSaysWhatToDo(t *testing.T) {
	on := vfs.NewMem()
	db, err := pebble.Open("db", &pebble.Options{FS: on, Logger: quiet{}})
	require.NoError(t, err)
	require.NoError(t, db.Close())
	names, err := on.List("db")
	require.NoError(t, err)
	for _, name := range names {
		if strings.HasPrefix(name, "MANIFEST") {
			require.NoError(t, on.Remove(on.PathJoin("db", name)))
		}
	}
	_, err = pebble.Open("db", &pebble.Options{FS: on, Logger: quiet{}})
	require.ErrorContains(t, NewWatch("store", nil, nil).Opening("db", err), "move the directory away and start again")
}

type quiet struct{ pebble.Logger }

func (quiet) Infof(string, ...any)  {}
func (quiet) Errorf(string, ...any) {}
