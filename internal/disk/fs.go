package disk

import (
	"errors"
	"os"
	"syscall"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// FS is a file system whose failures to write the watch reports, before who writes knows of them. nil is
// the disk.
func (w *Watch) FS(on vfs.FS) vfs.FS {
	if on == nil {
		on = vfs.Default
	}
	return &watchedFS{on, w}
}

// full are the errors by which a disk says that it takes no more; others of the same operations may mean
// that a file is not there, which is an answer.
var full = []syscall.Errno{syscall.ENOSPC, syscall.EDQUOT, syscall.EIO, syscall.EROFS}

type watchedFS struct {
	vfs.FS
	watch *Watch
}

func (f *watchedFS) check(doing string, err error) error {
	for _, errno := range full {
		if errors.Is(err, errno) {
			f.watch.fail(doing, err)
		}
	}
	return err
}

func (f *watchedFS) file(doing string, file vfs.File, err error) (vfs.File, error) {
	if err != nil {
		return nil, f.check(doing, err)
	}
	return &watchedFile{file, f.watch}, nil
}

// Unwrap implements vfs.FS.
func (f *watchedFS) Unwrap() vfs.FS { return f.FS }

// Create implements vfs.FS.
func (f *watchedFS) Create(name string, category vfs.DiskWriteCategory) (vfs.File, error) {
	file, err := f.FS.Create(name, category)
	return f.file("making a file", file, err)
}

// ReuseForWrite implements vfs.FS.
func (f *watchedFS) ReuseForWrite(oldname, newname string, category vfs.DiskWriteCategory) (vfs.File, error) {
	file, err := f.FS.ReuseForWrite(oldname, newname, category)
	return f.file("making a file", file, err)
}

// OpenReadWrite implements vfs.FS.
func (f *watchedFS) OpenReadWrite(name string, category vfs.DiskWriteCategory, opts ...vfs.OpenOption) (vfs.File, error) {
	file, err := f.FS.OpenReadWrite(name, category, opts...)
	return f.file("opening a file", file, err)
}

// OpenDir implements vfs.FS.
func (f *watchedFS) OpenDir(name string) (vfs.File, error) {
	file, err := f.FS.OpenDir(name)
	return f.file("opening a directory", file, err)
}

// Link implements vfs.FS.
func (f *watchedFS) Link(oldname, newname string) error {
	return f.check("naming a file", f.FS.Link(oldname, newname))
}

// Rename implements vfs.FS.
func (f *watchedFS) Rename(oldname, newname string) error {
	return f.check("naming a file", f.FS.Rename(oldname, newname))
}

// MkdirAll implements vfs.FS.
func (f *watchedFS) MkdirAll(dir string, perm os.FileMode) error {
	return f.check("making a directory", f.FS.MkdirAll(dir, perm))
}

// watchedFile is a file whose writes must succeed. After a sync that failed nobody knows what is on the
// disk, and a second one that succeeds does not mean that it is.
type watchedFile struct {
	vfs.File
	watch *Watch
}

func (f *watchedFile) must(doing string, err error) {
	if err != nil {
		f.watch.fail(doing, err)
	}
}

// Write implements vfs.File.
func (f *watchedFile) Write(p []byte) (int, error) {
	n, err := f.File.Write(p)
	f.must("writing", err)
	return n, nil
}

// WriteAt implements vfs.File.
func (f *watchedFile) WriteAt(p []byte, at int64) (int, error) {
	n, err := f.File.WriteAt(p, at)
	f.must("writing", err)
	return n, nil
}

// Sync implements vfs.File.
func (f *watchedFile) Sync() error {
	f.must("syncing", f.File.Sync())
	return nil
}

// SyncData implements vfs.File.
func (f *watchedFile) SyncData() error {
	f.must("syncing", f.File.SyncData())
	return nil
}

// SyncTo implements vfs.File.
func (f *watchedFile) SyncTo(length int64) (bool, error) {
	whole, err := f.File.SyncTo(length)
	f.must("syncing", err)
	return whole, nil
}
