package backup

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func still(int64, int64) {}

func openVault(t *testing.T, dir string) *Vault {
	t.Helper()
	v, err := Open(dir)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, v.Close()) })
	return v
}

func put(t *testing.T, path, text string) {
	t.Helper()
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o700))
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
}

// backUp makes a backup of a directory at a time of its own.
func backUp(t *testing.T, v *Vault, dir string, minute int) (*Manifest, int64) {
	t.Helper()
	m, copied, err := v.Create(t.Context(), Manifest{Time: time.Date(2026, 3, 1, 10, minute, 0, 0, time.UTC)}, []Source{{Path: dir, Name: "store"}}, still)
	require.NoError(t, err)
	return m, copied
}

func TestABackupComesBackAsItWas(t *testing.T) {
	v, data := openVault(t, t.TempDir()), t.TempDir()
	put(t, filepath.Join(data, "000001.sst"), "table")
	put(t, filepath.Join(data, "deep", "divergence.json"), "{}")
	put(t, filepath.Join(data, "empty"), "")
	m, copied := backUp(t, v, data, 0)
	require.EqualValues(t, 7, copied)
	require.EqualValues(t, 7, m.Bytes())
	require.NoError(t, v.Verify(t.Context(), m, still))

	to := filepath.Join(t.TempDir(), "new")
	var last int64
	require.NoError(t, v.Restore(t.Context(), m, to, func(done, total int64) {
		require.EqualValues(t, 7, total)
		last = done
	}))
	require.EqualValues(t, 7, last)
	for name, text := range map[string]string{"000001.sst": "table", "deep/divergence.json": "{}", "empty": ""} {
		got, err := os.ReadFile(filepath.Join(to, "store", name))
		require.NoError(t, err)
		require.Equal(t, text, string(got))
	}
	require.ErrorIs(t, v.Restore(t.Context(), m, to, still), ErrNotEmpty)
}

func TestASecondBackupCopiesWhatIsNew(t *testing.T) {
	v, data := openVault(t, t.TempDir()), t.TempDir()
	put(t, filepath.Join(data, "000001.sst"), "a table")
	backUp(t, v, data, 0)
	put(t, filepath.Join(data, "000002.sst"), "another")
	put(t, filepath.Join(data, "000003.sst"), "a table") // the same contents under another name
	m, copied := backUp(t, v, data, 1)
	require.EqualValues(t, 7, copied)
	require.Len(t, m.Files, 3)
	require.NoError(t, v.Verify(t.Context(), m, still))
	all, err := v.List()
	require.NoError(t, err)
	require.Len(t, all, 2)

	// A file of the same name and size that is written anew is another file.
	put(t, filepath.Join(data, "000001.sst"), "A TABLE")
	require.NoError(t, os.Chtimes(filepath.Join(data, "000001.sst"), time.Now(), time.Now().Add(time.Second)))
	_, copied = backUp(t, v, data, 2)
	require.EqualValues(t, 7, copied)
}

func TestWhatNoBackupNeedsIsRemoved(t *testing.T) {
	v, data := openVault(t, t.TempDir()), t.TempDir()
	put(t, filepath.Join(data, "old"), "old contents")
	backUp(t, v, data, 0)
	require.NoError(t, os.Remove(filepath.Join(data, "old")))
	put(t, filepath.Join(data, "new"), "new contents")
	kept, _ := backUp(t, v, data, 1)
	removed, freed, err := v.Prune(1)
	require.NoError(t, err)
	require.Equal(t, 1, removed)
	require.EqualValues(t, len("old contents"), freed)
	require.NoError(t, v.Verify(t.Context(), kept, still))
	newest, err := v.Find("")
	require.NoError(t, err)
	require.Equal(t, kept.ID, newest.ID)
	_, err = v.Find("20260301T100000.000Z")
	require.ErrorIs(t, err, ErrNoBackup)
}

func TestADamagedBackupIsNeitherVerifiedNorRestored(t *testing.T) {
	for name, damage := range map[string]func(t *testing.T, object string){
		"one byte":  func(t *testing.T, object string) { put(t, object, "tabla") },
		"truncated": func(t *testing.T, object string) { put(t, object, "tab") },
		"gone":      func(t *testing.T, object string) { require.NoError(t, os.Remove(object)) },
	} {
		t.Run(name, func(t *testing.T) {
			v, data := openVault(t, t.TempDir()), t.TempDir()
			put(t, filepath.Join(data, "000001.sst"), "table")
			m, _ := backUp(t, v, data, 0)
			damage(t, v.object(m.Files[0].SHA256))
			require.ErrorIs(t, v.Verify(t.Context(), m, still), ErrDamaged)
			to := t.TempDir()
			require.ErrorIs(t, v.Restore(t.Context(), m, to, still), ErrDamaged)
			left, err := os.ReadDir(to)
			require.NoError(t, err)
			require.Empty(t, left, "half a restore is not left behind")
		})
	}
}

func TestAManifestThatIsNoneIsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want error
	}{
		"cut off":           {`{"format":1,`, ErrDamaged},
		"of a later format": {`{"format":2}`, ErrFormat},
		"out of the vault":  {`{"format":1,"files":[{"name":"../../etc/passwd","sha256":"aaaa"}]}`, ErrDamaged},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			v := openVault(t, dir)
			put(t, filepath.Join(dir, "backups", "x"), c.text)
			_, err := v.List()
			require.ErrorIs(t, err, c.want)
		})
	}
}

func TestAVaultIsForOneAtATime(t *testing.T) {
	dir := t.TempDir()
	openVault(t, dir)
	_, err := Open(dir)
	require.ErrorIs(t, err, ErrInUse)
}
