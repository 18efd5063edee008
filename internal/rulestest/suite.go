package rulestest

import (
	"cmp"
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

// Parse reads a file of test cases. Everything wrong with it is reported at once, as rules.Faults; a
// rule or an input that the set does not have is a fault, and so is a case that expects nothing.
func (s *Suite) Parse(file clinical.File) ([]Case, error) {
	r := &reader{suite: s, file: file.Name}
	cases := r.document(file.Data)
	if len(r.faults) > 0 {
		slices.SortStableFunc(r.faults, func(a, b rules.Fault) int {
			return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Col, b.Col))
		})
		return nil, r.faults
	}
	return cases, nil
}

func (s *Suite) rule(id string) *rules.Rule {
	i := slices.IndexFunc(s.program.Rules, func(rule *rules.Rule) bool { return rule.ID == id })
	if i < 0 {
		return nil
	}
	return s.program.Rules[i]
}

// input finds an input of a pack by name, and says which there are.
func (s *Suite) input(pack, name string) (*rules.Input, string) {
	var names []string
	for _, in := range s.inputs[pack] {
		if in.Name == name {
			return in, ""
		}
		names = append(names, in.Name)
	}
	return nil, "the pack's inputs are " + strings.Join(names, ", ")
}
