package crash

import (
	"errors"
	"math/rand/v2"
	"path"
	"strings"
	"sync"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
)

// disk is a disk in memory whose power is cut before one of its writes. Who uses it does not notice: the
// writes go on, to a disk that is thrown away, while left is what the cut left.
type disk struct {
	vfs.FS
	now *vfs.MemFS

	mu     sync.Mutex
	random *rand.Rand
	writes int // until the cut
	left   *vfs.MemFS
}

// newDisk has what is on the one given, and loses its power before so many more writes.
func newDisk(on *vfs.MemFS, random *rand.Rand, writes int) *disk {
	d := &disk{now: on, random: random, writes: writes}
	d.FS = errorfs.Wrap(on, errorfs.InjectorFunc(func(op errorfs.Op) error {
		if op.Kind.ReadOrWrite() == errorfs.OpIsWrite {
			d.write()
		}
		if op.Kind == errorfs.OpCreate && strings.HasPrefix(path.Base(op.Path), "marker.") {
			return d.order(path.Dir(op.Path))
		}
		return nil
	}))
	return d
}

// order makes the names in a directory durable. The file systems that databases are kept on (ext4, XFS, APFS,
// NTFS) journal names in the order of their making, and Pebble relies on it in one place: a marker may not
// outlive the file that it points to. The disk here would keep any of the two.
func (d *disk) order(name string) error {
	dir, err := d.now.OpenDir(name)
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

func (d *disk) write() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.writes--; d.writes < 0 {
		d.cutLocked()
	}
}

func (d *disk) cutLocked() {
	if d.left != nil {
		return
	}
	kept := 0 // of a hundred blocks that were not synced
	switch d.random.IntN(4) {
	case 0:
	case 1:
		kept = 100
	default:
		kept = 1 + d.random.IntN(99)
	}
	d.left = d.now.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: kept, RNG: d.random})
}

// off says whether the power is gone.
func (d *disk) off() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.left != nil
}

// cut takes the power away now, unless it is gone, and returns what is left on the disk.
func (d *disk) cut() *vfs.MemFS {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.cutLocked()
	return d.left
}

// whilePowered calls f, during which the power is not cut, unless it is gone.
func (d *disk) whilePowered(f func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.left == nil {
		f()
	}
}
