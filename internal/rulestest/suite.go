package rulestest

import (
	"cmp"
	"errors"
	"slices"
	"strings"

	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/rules"
)

// Suite knows the rules of a set and, for the notation of cases, the inputs of each pack by name. It
// is immutable.
type Suite struct {
	program *rules.Program
	inputs  map[string][]*rules.Input // by pack
}

// NewSuite compiles the set whose cases are to run. The errors are those of rules.Compile.
//
// Each pack is compiled alone once more for its inputs: a program keeps an input that several packs
// declare alike once, under the first of them only.
func NewSuite(files []clinical.File, opts rules.CompileOptions) (*Suite, error) {
	program, err := rules.Compile(files, opts)
	if err != nil {
		return nil, err
	}
	s := &Suite{program: program, inputs: map[string][]*rules.Input{}}
	valueSets := slices.DeleteFunc(slices.Clone(files), func(f clinical.File) bool { return !isValueSet(f) })
	for _, f := range files {
		if isValueSet(f) {
			continue
		}
		alone, err := rules.Compile(append(slices.Clone(valueSets), f), opts)
		if err != nil {
			return nil, err
		}
		for _, in := range alone.Inputs {
			s.inputs[in.Pack] = append(s.inputs[in.Pack], in)
		}
	}
	return s, nil
}

func isValueSet(f clinical.File) bool { return strings.HasSuffix(f.Name, ".json") }

// Program is the compiled set, for whoever evaluates it.
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
	r := &reader{suite: s, file: file.Name, open: open}
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
	var names []string
	for _, in := range s.inputs[pack] {
		if in.Name == name {
			return in, ""
		}
		names = append(names, in.Name)
	}
	return nil, nearestOr(name, names, "the pack's inputs are")
}
