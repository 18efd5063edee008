package main

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/vigil-cds/vigil/rules/schema"
)

// firstPack is a pack that passes its check and its test, for people to begin with.
//
//go:embed firstpack/*
var firstPack embed.FS

const firstPackFolder = "firstpack"

func (a *app) rulesInitCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "init DIR",
		Short: "Write a first pack with its test cases and a value set",
		Long: `Writes a small pack, test cases that it passes, a value set and the JSON Schemas by which editors complete
and check packs. Nothing that is there already is touched: if a file has the name of one of these, none is
written.`,
		Example: "  vigil rules init packs/",
		Args:    one("DIR"),
		RunE: func(_ *cobra.Command, args []string) error {
			dir := args[0]
			files, err := filesOfFirstPack()
			if err != nil {
				return err
			}
			for _, f := range files {
				_, err := os.Lstat(filepath.Join(dir, f.name))
				switch {
				case err == nil:
					return fmt.Errorf("%s is there already: nothing was written; name another directory", filepath.Join(dir, f.name))
				case !errors.Is(err, fs.ErrNotExist):
					return fmt.Errorf("writing a first pack: %w", err)
				}
			}
			if err := os.MkdirAll(dir, 0o755); err != nil {
				return fmt.Errorf("writing a first pack: %w", err)
			}
			for _, f := range files {
				if err := writeNew(filepath.Join(dir, f.name), f.data); err != nil {
					return fmt.Errorf("writing a first pack: %w", err)
				}
				fmt.Fprintf(a.stdout, "wrote %-28s %s\n", filepath.Join(dir, f.name), f.about)
			}
			fmt.Fprintf(a.stdout, `
Next:
  vigil rules check %[1]s      every fault, with its line and what to write instead
  vigil rules test %[1]s       the test cases
  vigil rules fmt -w %[1]s     one layout
  vigil serve --rules %[1]s    a service with these rules
`, dir)
			return nil
		},
	}
}

type newFile struct {
	name, about string
	data        []byte
}

func filesOfFirstPack() ([]newFile, error) {
	files := []newFile{
		{name: "potassium.yaml", about: "two rules"},
		{name: "potassium_test.yaml", about: "what they must say, case by case"},
		{name: "valuesets.json", about: "codes that a rule refers to by name"},
	}
	for i := range files {
		var err error
		if files[i].data, err = firstPack.ReadFile(firstPackFolder + "/" + files[i].name); err != nil {
			return nil, err
		}
	}
	// The names begin with a dot, since the JSON files of a rule set are its value sets.
	return append(files,
		newFile{".pack.schema.json", "for editors", schema.Packs.JSON()},
		newFile{".test.schema.json", "for editors", schema.Tests.JSON()}), nil
}

// writeNew writes a file that is not there yet.
func writeNew(path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Close())
}
