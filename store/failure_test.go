package store

import (
	"bytes"
	"math"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/stretchr/testify/require"

	"github.com/vigil-cds/vigil/internal/disk"
)

// fails answers some operations of a disk, from the n-th on.
func fails(kinds []errorfs.OpKind, name string, from int64, with error) errorfs.Injector {
	var seen atomic.Int64
	return errorfs.InjectorFunc(func(op errorfs.Op) error {
		base := path.Base(op.Path)
		if !slices.Contains(kinds, op.Kind) || !strings.HasPrefix(base, name) && !strings.HasSuffix(base, name) {
			return nil
		}
		if seen.Add(1) < from {
			return nil
		}
		return with
	})
}

// Whatever a disk fails at, the store says so and stops: it neither goes on as if nothing had happened nor
// waits for ever. What is left is the state at an earlier position, whole.
func TestAStoreWhoseDiskFailsSaysSoAndStops(t *testing.T) {
	// A memtable holds half a megabyte, a record here some kilobytes: files are written and replaced.
	write, create := []errorfs.OpKind{errorfs.OpFileWrite}, []errorfs.OpKind{errorfs.OpCreate, errorfs.OpReuseForWrite}
	sync := []errorfs.OpKind{errorfs.OpFileSync, errorfs.OpFileSyncData, errorfs.OpFileSyncTo}
	body := bytes.Repeat([]byte("x"), 8<<10)
	for name, on := range map[string]errorfs.Injector{
		"no space for the write-ahead log":     fails(write, ".log", 60, syscall.ENOSPC),
		"no space for a new log":               fails(create, ".log", 3, syscall.ENOSPC),
		"no space for a table":                 fails(write, ".sst", 2, syscall.ENOSPC),
		"no space to begin a table":            fails(create, ".sst", 2, syscall.ENOSPC),
		"no space for the manifest":            fails(write, "MANIFEST-", 4, syscall.ENOSPC),
		"the log cannot be made durable":       fails(sync, ".log", 3, syscall.EIO),
		"a table cannot be made durable":       fails(sync, ".sst", 2, syscall.EIO),
		"the manifest cannot be made durable":  fails(sync, "MANIFEST-", 4, syscall.EIO),
		"the directory cannot be made durable": fails(sync, "db", 4, syscall.EIO),
		"the disk can no longer be written to": fails(write, "", 200, syscall.EROFS),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			under := vfs.NewCrashableMem()
			broken := errorfs.Wrap(under, on)
			said := make(chan error, 1)
			var left *vfs.MemFS
			fatal := func(err error) {
				left = under.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 100, RNG: rand.New(rand.NewPCG(1, 2))})
				said <- err
				select {} // as a process that is ending
			}
			applied := make(chan int64)
			go func() {
				defer close(applied)
				s, err := Open("db", Options{FS: broken, Memory: MinMemory, Fatal: fatal})
				if err != nil {
					return
				}
				p, err := s.Partition(0)
				for n := int64(0); err == nil && n < 10_000; n++ {
					b := p.Begin()
					state := p.State()
					state.Facts = n
					b.Outbox("p", "id", body)
					b.SetState(state)
					if err = b.Commit(); err == nil {
						applied <- n
					}
				}
			}()
			var failure error
			last := int64(-1)
			for deadline := time.After(time.Minute); failure == nil; {
				select {
				case failure = <-said:
				case n, ok := <-applied:
					if !ok {
						t.Fatal("the store went on as if nothing had happened")
					}
					last = n
				case <-deadline:
					t.Fatal("the store neither went on nor said why")
				}
			}
			require.ErrorIs(t, failure, disk.ErrFailed)
			require.ErrorContains(t, failure, "start again")

			again := open(t, Options{FS: left, Memory: MinMemory})
			p := openPartition(t, again, 0)
			at := p.State().Facts
			require.LessOrEqual(t, at, last+1)
			pending, err := p.Pending(math.MaxInt)
			require.NoError(t, err)
			require.Len(t, pending, int(at+1), "an alert is there exactly when the state that caused it is")
		})
	}
}

// afterDeath copies what a process has written that is still there and holds its lock.
func afterDeath(t *testing.T, from vfs.FS) vfs.FS {
	t.Helper()
	to := vfs.NewMem()
	ok, err := vfs.Clone(from, to, "db", "db")
	require.NoError(t, err)
	require.True(t, ok)
	return to
}

// A log that ends in the midst of a record is what a power cut leaves. The record, and those after it, are
// not there; the ones before are.
func TestATornRecordOfTheLogIsNotRead(t *testing.T) {
	whole := vfs.NewMem()
	s := open(t, Options{FS: whole})
	p := openPartition(t, s, 0)
	for range 20 {
		apply(t, p, "p", states("Observation/1", version(0), at(potassium, 1, 5)))
	}
	require.NoError(t, s.db.LogData(nil, pebble.Sync)) // the log is written behind the commits
	var log string
	names, err := whole.List("db")
	require.NoError(t, err)
	for _, name := range names {
		if strings.HasSuffix(name, ".log") {
			log = whole.PathJoin("db", name)
		}
	}
	data := contentOf(t, whole, log)
	seen := map[int64]bool{}
	for cut := 0; cut < len(data); cut += 37 {
		for _, tail := range [][]byte{nil, {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, {0xfe, 0x01, 0x80, 7, 7, 7, 7, 7, 7, 7, 7, 7}} {
			left := afterDeath(t, whole)
			f, err := left.Create(log, vfs.WriteCategoryUnspecified)
			require.NoError(t, err)
			_, err = f.Write(append(bytes.Clone(data[:cut]), tail...))
			require.NoError(t, err)
			require.NoError(t, f.Close())
			torn, err := Open("db", Options{FS: left, Memory: MinMemory})
			require.NoError(t, err, "cut at %d of %d bytes", cut, len(data))
			at := openPartition(t, torn, 0).State().Facts
			seen[at] = true
			require.LessOrEqual(t, at, int64(19))
			if pt, err := openPartition(t, torn, 0).LoadAll("p"); at >= 0 {
				require.NoError(t, err)
				require.Equal(t, at, pt.Meta.Facts)
			}
			require.NoError(t, torn.Close())
		}
	}
	require.Greater(t, len(seen), 15, "the positions at which the log was cut")
}

func contentOf(t *testing.T, fs vfs.FS, name string) []byte {
	t.Helper()
	f, err := fs.Open(name)
	require.NoError(t, err)
	defer f.Close()
	info, err := f.Stat()
	require.NoError(t, err)
	data := make([]byte, info.Size())
	_, err = f.ReadAt(data, 0)
	require.NoError(t, err)
	return data
}
