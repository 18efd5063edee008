// Package diagnostic says what is wrong with the text of rule packs in the ways that people and tools read:
// as text with the line and a caret under the place, and as SARIF for editors and continuous integration.
// It is pure, and everything in it may be called from any number of goroutines.
package diagnostic

import (
	"cmp"
	"slices"

	"github.com/vigil-cds/vigil/rules"
)

// Level says whether a pack can be used in spite of a diagnostic.
type Level uint8

const (
	Warning Level = iota // it works, and probably not as meant
	Error                // it cannot be used
)

// String is the word that SARIF and people use.
func (l Level) String() string { return [...]string{"warning", "error"}[l] }

// Diagnostic is one thing to put right: where, of what kind, what, and what to write instead.
type Diagnostic struct {
	rules.Place
	Level   Level
	ID      string // the kind, in words joined by hyphens: "unknown-input"
	Message string
	Hint    string // may be empty
}

// OfFaults are the faults of a rule set as diagnostics.
func OfFaults(faults rules.Faults) []Diagnostic {
	out := make([]Diagnostic, len(faults))
	for i, f := range faults {
		out[i] = Diagnostic{Place: rules.Place{File: f.File, Line: f.Line, Col: f.Col}, Level: Error, ID: f.Code(), Message: f.Problem, Hint: f.Hint}
	}
	return out
}

// Sort orders diagnostics by file, line and column, and drops repeats.
func Sort(list []Diagnostic) []Diagnostic {
	slices.SortStableFunc(list, func(x, y Diagnostic) int {
		return cmp.Or(x.Compare(y.Place), cmp.Compare(x.ID, y.ID), cmp.Compare(x.Message, y.Message))
	})
	return slices.Compact(list)
}
