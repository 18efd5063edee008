package backup

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// Format is the version of manifests that this package writes.
const Format = 1

var (
	// ErrDamaged means that a vault does not hold what its manifests promise.
	ErrDamaged = errors.New("the backup is damaged")
	// ErrFormat is returned for a manifest of another format.
	ErrFormat = errors.New("a backup in another format")
	// ErrNoBackup is returned for a vault that does not have the backup.
	ErrNoBackup = errors.New("there is no such backup")
	// ErrInUse is returned while another process uses the vault.
	ErrInUse = errors.New("the vault is in use")
	// ErrNotEmpty is returned by Restore for a directory in which something is.
	ErrNotEmpty = errors.New("the directory is not empty")
)

// Position is how far a partition's state had come.
type Position struct {
	Partition int32 `json:"partition"`
	Facts     int64 `json:"facts"` // offset of the last facts record applied; -1 none
}

// Log is the log from which the state was made, as far as it is known.
type Log struct {
	ID         string `json:"id,omitempty"` // of the facts topic
	Prefix     string `json:"prefix,omitempty"`
	Partitions int    `json:"partitions,omitempty"`
}

// Manifest is one backup.
type Manifest struct {
	Format    int        `json:"format"`
	ID        string     `json:"id"`
	Time      time.Time  `json:"time"`
	Vigil     string     `json:"vigil"`             // version of the program that wrote it
	Store     uint64     `json:"store,omitempty"`   // version of the store's format; 0: none is in it
	Explain   uint64     `json:"explain,omitempty"` // version of the explain archive's format; 0: none is in it
	RuleSet   string     `json:"ruleSet,omitempty"`
	Log       Log        `json:"log"`
	Positions []Position `json:"positions"`
	Files     []File     `json:"files"`
}

// File is one file of a backup.
type File struct {
	Name     string    `json:"name"` // in the data directory, with slashes
	Size     int64     `json:"size"`
	Modified time.Time `json:"modified"`
	SHA256   string    `json:"sha256"`
}

// Bytes is the size of all files.
func (m *Manifest) Bytes() (n int64) {
	for _, f := range m.Files {
		n += f.Size
	}
	return n
}

// Vault is an open vault. It is for one goroutine.
type Vault struct {
	dir  string
	lock io.Closer
}

// Open opens the vault in dir, or makes one. It must be closed.
func Open(dir string) (*Vault, error) {
	for _, sub := range []string{objects, backups} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o700); err != nil {
			return nil, fmt.Errorf("opening the vault: %w", err)
		}
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("opening the vault: %w", err)
	}
	lock, err := vfs.Default.Lock(filepath.Join(abs, "LOCK"))
	if err != nil {
		return nil, fmt.Errorf("%w: %s: wait for the other vigil backup, or choose another directory (%w)", ErrInUse, dir, err)
	}
	return &Vault{dir: abs, lock: lock}, nil
}

const (
	objects = "objects"
	backups = "backups"
)

// Close gives the vault free.
func (v *Vault) Close() error { return v.lock.Close() }

func (v *Vault) object(sum string) string { return filepath.Join(v.dir, objects, sum[:2], sum) }

// idFormat is how a backup's time becomes its id, which sorts by time.
const idFormat = "20060102T150405.000Z"

// List gives all backups, the oldest first.
func (v *Vault) List() ([]*Manifest, error) {
	entries, err := os.ReadDir(filepath.Join(v.dir, backups))
	if err != nil {
		return nil, fmt.Errorf("listing the backups: %w", err)
	}
	var all []*Manifest
	for _, e := range entries {
		if filepath.Ext(e.Name()) == unfinished {
			continue
		}
		m, err := v.manifest(e.Name())
		if err != nil {
			return nil, err
		}
		all = append(all, m)
	}
	return all, nil
}

// Find gives the backup of that id; "" is the newest.
func (v *Vault) Find(id string) (*Manifest, error) {
	all, err := v.List()
	if err != nil {
		return nil, err
	}
	if id == "" && len(all) > 0 {
		return all[len(all)-1], nil
	}
	i := slices.IndexFunc(all, func(m *Manifest) bool { return m.ID == id })
	if i < 0 {
		return nil, fmt.Errorf("%w: %q in %s; vigil backup list shows what is there", ErrNoBackup, id, v.dir)
	}
	return all[i], nil
}

var sha256Hex = regexp.MustCompile(`^[0-9a-f]{64}$`)

func (v *Vault) manifest(name string) (*Manifest, error) {
	data, err := os.ReadFile(filepath.Join(v.dir, backups, name))
	if err != nil {
		return nil, fmt.Errorf("reading the backup %s: %w", name, err)
	}
	m := new(Manifest)
	if err := json.Unmarshal(data, m); err != nil {
		return nil, fmt.Errorf("%w: its manifest %s is not whole: %w", ErrDamaged, name, err)
	}
	if m.Format != Format {
		return nil, fmt.Errorf("%w: %s has format %d, this program reads %d: use the program that wrote it", ErrFormat, name, m.Format, Format)
	}
	for _, f := range m.Files {
		if !filepath.IsLocal(filepath.FromSlash(f.Name)) || !sha256Hex.MatchString(f.SHA256) {
			return nil, fmt.Errorf("%w: its manifest %s names %q", ErrDamaged, name, f.Name)
		}
	}
	return m, nil
}

// unfinished is the extension of what is being written.
const unfinished = ".part"

// Source is a file, or all files of a directory, to be backed up.
type Source struct {
	Path string // where it lies
	Name string // what it is called in the data directory, with slashes
	// Less, where it is given, orders the files by their names; else they are copied in the order of these.
	Compare func(a, b string) int
	Skip    func(name string) bool // nil: nothing is left out
}

// Progress is told how far a backup, a restore or a verification is.
type Progress func(done, total int64)

// Create copies the sources, one after the other, and writes the manifest once all is there. m has
// everything but the files. copied is how many bytes were new to the vault.
func (v *Vault) Create(ctx context.Context, m Manifest, sources []Source, progress Progress) (_ *Manifest, copied int64, err error) {
	before, err := v.known()
	if err != nil {
		return nil, 0, err
	}
	var files []found
	var total int64
	for _, s := range sources {
		some, err := s.files()
		if err != nil {
			return nil, 0, err
		}
		for _, f := range some {
			total += f.size
		}
		files = append(files, some...)
	}
	m.Format, m.ID = Format, m.Time.UTC().Format(idFormat)
	m.Files = make([]File, 0, len(files))
	var done int64
	for _, f := range files {
		if err := ctx.Err(); err != nil {
			return nil, copied, err
		}
		kept, ok := before[identity{f.name, f.size, f.modified.UnixNano()}]
		if ok {
			_, err := os.Stat(v.object(kept.SHA256))
			ok = err == nil
		}
		if !ok {
			var n int64
			kept, n, err = v.copy(f)
			if errors.Is(err, fs.ErrNotExist) && f.passing {
				continue // a log's old piece that was done with in the meantime
			}
			if err != nil {
				return nil, copied, fmt.Errorf("backing %s up: %w", f.name, err)
			}
			copied += n
		}
		m.Files = append(m.Files, kept)
		done += f.size
		progress(done, max(total, done))
	}
	data, err := json.MarshalIndent(&m, "", " ")
	if err != nil {
		return nil, copied, err
	}
	if err := writeSynced(filepath.Join(v.dir, backups, m.ID), data); err != nil {
		return nil, copied, fmt.Errorf("writing the manifest: %w", err)
	}
	return &m, copied, nil
}

// identity tells an unchanged file.
type identity struct {
	name     string
	size     int64
	modified int64
}

func (v *Vault) known() (map[identity]File, error) {
	all, err := v.List()
	if err != nil || len(all) == 0 {
		return nil, err
	}
	known := make(map[identity]File)
	for _, f := range all[len(all)-1].Files {
		known[identity{f.Name, f.Size, f.Modified.UnixNano()}] = f
	}
	return known, nil
}

// found is a file that is to be backed up.
type found struct {
	path, name string
	size       int64
	modified   time.Time
	passing    bool // it may be gone by the time it is copied
}

func (s Source) files() (files []found, err error) {
	err = filepath.WalkDir(s.Path, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			if errors.Is(err, fs.ErrNotExist) && path != s.Path {
				return nil
			}
			return err
		}
		if !d.Type().IsRegular() {
			return nil
		}
		rel, err := filepath.Rel(s.Path, path)
		if err != nil {
			return err
		}
		name := s.Name
		if rel != "." {
			name += "/" + filepath.ToSlash(rel)
		}
		if s.Skip != nil && s.Skip(name) {
			return nil
		}
		info, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		files = append(files, found{path, name, info.Size(), info.ModTime(), s.Compare != nil})
		return nil
	})
	if s.Compare != nil {
		slices.SortStableFunc(files, func(a, b found) int { return s.Compare(a.name, b.name) })
	}
	if err != nil {
		return nil, fmt.Errorf("looking at %s: %w", s.Name, err)
	}
	return files, nil
}

// copy brings a file's contents into the vault, as long as it is when it is read.
func (v *Vault) copy(f found) (kept File, written int64, err error) {
	in, err := os.Open(f.path)
	if err != nil {
		return kept, 0, err
	}
	defer in.Close()
	info, err := in.Stat()
	if err != nil {
		return kept, 0, err
	}
	part, err := os.CreateTemp(filepath.Join(v.dir, objects), "*"+unfinished)
	if err != nil {
		return kept, 0, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, part.Close(), os.Remove(part.Name()))
		}
	}()
	sum := sha256.New()
	// What is written to a log while it is read is left for the next backup.
	size, err := io.Copy(io.MultiWriter(part, sum), io.LimitReader(in, info.Size()))
	if err != nil {
		return kept, 0, err
	}
	kept = File{Name: f.name, Size: size, Modified: info.ModTime(), SHA256: hex.EncodeToString(sum.Sum(nil))}
	object := v.object(kept.SHA256)
	if _, err := os.Stat(object); err == nil {
		return kept, 0, errors.Join(part.Close(), os.Remove(part.Name()))
	}
	if err = os.MkdirAll(filepath.Dir(object), 0o700); err != nil {
		return kept, 0, err
	}
	if err = errors.Join(part.Sync(), part.Close(), os.Rename(part.Name(), object)); err != nil {
		return kept, 0, err
	}
	return kept, size, syncDir(filepath.Dir(object))
}

// writeSynced makes a file that is there whole or not at all.
func writeSynced(path string, data []byte) error {
	part, err := os.OpenFile(path+unfinished, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = part.Write(data)
	if err := errors.Join(err, part.Sync(), part.Close()); err != nil {
		return errors.Join(err, os.Remove(part.Name()))
	}
	if err := os.Rename(part.Name(), path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
