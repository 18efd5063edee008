package rulestest

import (
	"cmp"
	"errors"
	"slices"

	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/rules"
)

// Suite knows the rules of a set and, for the notation of cases, the inputs of each pack by name. It is
// immutable.
type Suite struct {
	set     *rules.Set
	options rules.CompileOptions
	program *rules.Program
}

// NewSuite compiles the set whose cases are to run. The errors are those of rules.Compile.
func NewSuite(files []clinical.File, opts rules.CompileOptions) (*Suite, error) {
	s := &Suite{set: rules.NewSet(files...), options: opts}
	var err error
	s.program, err = rules.Compile(s.set.Files, opts)
	return s, err
}

// Program is the compiled set, for whoever evaluates the cases that set no parameters.
func (s *Suite) Program() *rules.Program { return s.program }

// Parse reads a file of test cases that needs no other file. Everything wrong with it is reported at
// once, as rules.Faults.
func (s *Suite) Parse(file clinical.File) ([]Case, error) {
	return s.ParseBeside(file, func(string) ([]byte, error) {
		return nil, errors.New("the cases are read without the files beside them")
	})
}

// ParseBeside reads a file of test cases like Parse; open gives the files that it names, by their places
// told from its own.
func (s *Suite) ParseBeside(file clinical.File, open func(name string) ([]byte, error)) ([]Case, error) {
	r := &reader{suite: s, file: file.Name, open: open, sites: map[string]*rules.Program{}}
	cases := r.document(file.Data)
	if len(r.faults) > 0 {
		slices.SortStableFunc(r.faults, func(a, b rules.Fault) int {
			return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Col, b.Col))
		})
		return nil, r.faults
	}
	return cases, nil
}

// input finds an input of a pack by name, else says what might have been meant.
func (s *Suite) input(pack, name string) (in *rules.Input, hint string) {
	if in, ok := s.program.Input(pack, name); ok {
		return in, ""
	}
	return nil, nearestOr(name, s.program.InputNames(pack), "the pack's inputs are")
}
