// Package packs holds the sample rule packs: published clinical rules with their sources, and beside
// each pack its test cases as data. They show the rule language at work and run in the demo. They are
// no substitute for a hospital's own clinical governance: thresholds, windows and codes are to be
// reviewed before anyone acts on them.
package packs

import (
	"embed"
	"io/fs"
	"strings"

	"github.com/vigil-cds/vigil/internal/clinical"
)

//go:embed *.yaml *.json
var content embed.FS

// caseSuffix ends the name of a file of test cases: the cases of renal.yaml are in renal_test.yaml.
const caseSuffix = "_test.yaml"

// Files returns the packs and the value sets that they use, in order of name. Together they are one
// rule set. The caller owns the result.
func Files() []clinical.File {
	return read(func(name string) bool { return !strings.HasSuffix(name, caseSuffix) })
}

// Cases returns the files of test cases, in order of name. The caller owns the result.
func Cases() []clinical.File {
	return read(func(name string) bool { return strings.HasSuffix(name, caseSuffix) })
}

// read cannot fail: what is read was built into the program.
func read(wanted func(name string) bool) []clinical.File {
	entries, err := fs.ReadDir(content, ".")
	if err != nil {
		panic("packs: reading the embedded folder: " + err.Error())
	}
	var files []clinical.File
	for _, e := range entries {
		if !wanted(e.Name()) {
			continue
		}
		data, err := content.ReadFile(e.Name())
		if err != nil {
			panic("packs: reading an embedded file: " + err.Error())
		}
		files = append(files, clinical.File{Name: e.Name(), Data: data})
	}
	return files
}
