package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/internal/diagnostic"
	"github.com/vigil-cds/vigil/internal/packfmt"
	"github.com/vigil-cds/vigil/rules"
)

func (a *app) rulesFormatCommand() *cobra.Command {
	var write, check bool
	c := &cobra.Command{
		Use:   "fmt PATH…",
		Short: "Lay rule packs and test files out in one way",
		Long: `Prints packs and files of test cases in the one layout, keeping their comments and what they mean. With -w
they are written back; with --check those that are laid out otherwise are listed, and the exit code is 1 if
there are any. A directory stands for every .yaml file in it and below.`,
		Example: `  vigil rules fmt -w packs/
  vigil rules fmt --check packs/`,
		Args: some("PATH"),
		RunE: func(_ *cobra.Command, args []string) error {
			if write && check {
				return misused("-w writes and --check only looks: choose one")
			}
			paths, err := filesToFormat(args)
			if err != nil {
				return err
			}
			failed := false
			for _, path := range paths {
				fine, err := a.formatFile(path, write, check)
				if err != nil {
					return err
				}
				failed = failed || !fine
			}
			if failed {
				return errReported
			}
			return nil
		},
	}
	c.Flags().BoolVarP(&write, "write", "w", false, "write the files back")
	c.Flags().BoolVar(&check, "check", false, "only list the files that are laid out otherwise")
	return c
}

// filesToFormat are the files named, and the packs and test files of the directories named, each once.
func filesToFormat(paths []string) ([]string, error) {
	var out []string
	for _, path := range paths {
		if _, err := os.Stat(path); err != nil {
			return nil, fmt.Errorf("reading rules: %w; name a rule pack, a file of test cases, or a directory of them", err)
		}
		found := len(out)
		err := filepath.WalkDir(path, func(name string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			extension := filepath.Ext(name)
			if name == path || (extension == ".yaml" || extension == ".yml") && !strings.HasPrefix(d.Name(), ".") {
				out = append(out, name)
			}
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("reading rules: %w", err)
		}
		if len(out) == found {
			return nil, fmt.Errorf("reading rules: %s holds no rule pack and no test cases; both end in .yaml", path)
		}
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

// formatFile lays one file out. It is false for a file that cannot be, after saying why, and with check for
// one that is laid out otherwise.
func (a *app) formatFile(path string, write, check bool) (bool, error) {
	info, err := os.Stat(path)
	if err != nil {
		return false, fmt.Errorf("reading rules: %w", err)
	}
	if info.Size() > rules.MaxPack {
		fmt.Fprintf(a.stderr, "vigil: %s is larger than %d MB; it is left as it is\n", path, rules.MaxPack>>20)
		return false, nil
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return false, fmt.Errorf("reading rules: %w", err)
	}
	out, err := packfmt.Format(path, data)
	var faults rules.Faults
	switch {
	case errors.As(err, &faults):
		return false, diagnostic.Text(a.stderr, diagnostic.OfFaults(faults), []clinical.File{{Name: path, Data: data}}, diagnostic.TextOptions{})
	case err != nil:
		fmt.Fprintf(a.stderr, "vigil: %v; it is left as it is\n", err)
		return false, nil
	}
	same := bytes.Equal(data, out)
	switch {
	case check && !same:
		fmt.Fprintln(a.stdout, path)
		return false, nil
	case check:
	case !write:
		if _, err := a.stdout.Write(out); err != nil {
			return false, err
		}
	case !same:
		if err := replaceFile(path, out); err != nil {
			return false, fmt.Errorf("writing %s: %w", path, err)
		}
		fmt.Fprintln(a.stdout, path)
	}
	return true, nil
}

// replaceFile puts new content in place of the old at once, so that a crash leaves one of the two.
func replaceFile(path string, data []byte) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".fmt-*")
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	err = errors.Join(err, f.Chmod(info.Mode().Perm()), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}
