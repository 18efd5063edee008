package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/rules"
)

// testSuffixes end the names of files of test cases and of the FHIR that they tell histories with, which
// are no part of a rule set.
var testSuffixes = []string{"_test.yaml", "_test.yml", "_test.json"}

// loadRules reads a pack, or every pack (.yaml, .yml) and value set (.json) in a directory and below; folders
// called testdata, and hidden ones, hold something else.
func loadRules(path string) (*rules.Set, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("reading rules: %w; name a rule pack or a directory of them", err)
	}
	if !info.IsDir() {
		data, err := os.ReadFile(path)
		if err != nil {
			return nil, fmt.Errorf("reading rules: %w", err)
		}
		return rules.NewSet(clinical.File{Name: filepath.Base(path), Data: data}), nil
	}
	var files []clinical.File
	err = filepath.WalkDir(path, func(name string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && name != path && (d.Name() == "testdata" || strings.HasPrefix(d.Name(), ".")) {
			return fs.SkipDir
		}
		if err != nil || d.IsDir() || !isRuleFile(d.Name()) {
			return err
		}
		if info, err := d.Info(); err == nil && info.Size() > rules.MaxValueSet {
			return fmt.Errorf("%s is larger than %d MB; split it", name, rules.MaxValueSet>>20)
		}
		data, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(path, name)
		if err != nil {
			return err
		}
		files = append(files, clinical.File{Name: filepath.ToSlash(relative), Data: data})
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading rules: %w", err)
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("reading rules: %s holds no rule pack; packs end in .yaml, value sets in .json", path)
	}
	return rules.NewSet(files...), nil
}

func isRuleFile(name string) bool {
	if slices.ContainsFunc(testSuffixes, func(suffix string) bool { return strings.HasSuffix(name, suffix) }) {
		return false
	}
	return slices.Contains([]string{".yaml", ".yml", ".json"}, filepath.Ext(name)) && !strings.HasPrefix(name, ".")
}
