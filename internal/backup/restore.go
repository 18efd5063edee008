package backup

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// Verify reads every file of a backup and holds it to its size and SHA-256. The error lists all faults.
func (v *Vault) Verify(ctx context.Context, m *Manifest, progress Progress) error {
	var faults []error
	var done int64
	for _, f := range m.Files {
		if err := v.read(ctx, f, io.Discard); err != nil {
			if ctx.Err() != nil {
				return err
			}
			faults = append(faults, err)
		}
		done += f.Size
		progress(done, m.Bytes())
	}
	return errors.Join(faults...)
}

// read writes a file's contents to w, and says afterwards whether they are what they should be.
func (v *Vault) read(ctx context.Context, f File, w io.Writer) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	in, err := os.Open(v.object(f.SHA256))
	if err != nil {
		return fmt.Errorf("%w: %s: %w", ErrDamaged, f.Name, err)
	}
	defer in.Close()
	sum := sha256.New()
	size, err := io.Copy(io.MultiWriter(w, sum), in)
	if err != nil {
		return fmt.Errorf("reading %s: %w", f.Name, err)
	}
	if size != f.Size || hex.EncodeToString(sum.Sum(nil)) != f.SHA256 {
		return fmt.Errorf("%w: %s has %d bytes that are not the %d that were backed up: take another backup", ErrDamaged, f.Name, size, f.Size)
	}
	return nil
}

// Restore writes a backup's files to a directory, which must be empty or not there. What it has written when
// it fails it takes away.
func (v *Vault) Restore(ctx context.Context, m *Manifest, dir string, progress Progress) (err error) {
	if entries, err := os.ReadDir(dir); err == nil && len(entries) > 0 {
		return fmt.Errorf("%w: %s: restore to a new directory, and have vigil serve use that", ErrNotEmpty, dir)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("restoring: %w", err)
	}
	defer func() {
		if err != nil {
			entries, _ := os.ReadDir(dir)
			for _, e := range entries {
				err = errors.Join(err, os.RemoveAll(filepath.Join(dir, e.Name())))
			}
		}
	}()
	var done int64
	for _, f := range m.Files {
		if err := v.restore(ctx, f, filepath.Join(dir, filepath.FromSlash(f.Name))); err != nil {
			return err
		}
		done += f.Size
		progress(done, m.Bytes())
	}
	return nil
}

func (v *Vault) restore(ctx context.Context, f File, path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("restoring %s: %w", f.Name, err)
	}
	out, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("restoring %s: %w", f.Name, err)
	}
	err = v.read(ctx, f, out)
	if err := errors.Join(err, out.Sync(), out.Close()); err != nil {
		return fmt.Errorf("restoring %s: %w", f.Name, err)
	}
	if err := os.Chtimes(path, f.Modified, f.Modified); err != nil {
		return fmt.Errorf("restoring %s: %w", f.Name, err)
	}
	return nil
}

// Prune takes away all but the newest backups, and then the objects that none of the rest needs. It returns
// how many backups and bytes it freed.
func (v *Vault) Prune(keep int) (removed int, freed int64, err error) {
	all, err := v.List()
	if err != nil {
		return 0, 0, err
	}
	gone := all[:max(0, len(all)-keep)]
	needed := make(map[string]bool)
	for _, m := range all[len(gone):] {
		for _, f := range m.Files {
			needed[f.SHA256] = true
		}
	}
	for _, m := range gone {
		if err := os.Remove(filepath.Join(v.dir, backups, m.ID)); err != nil {
			return removed, 0, fmt.Errorf("removing backup %s: %w", m.ID, err)
		}
		removed++
	}
	err = filepath.WalkDir(filepath.Join(v.dir, objects), func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || needed[d.Name()] {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		freed += info.Size()
		return os.Remove(path)
	})
	if err != nil {
		return removed, freed, fmt.Errorf("removing what no backup needs: %w", err)
	}
	return removed, freed, nil
}
