package rulesrun

import (
	"fmt"
	"path"
	"slices"

	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/internal/rulestest"
	"github.com/vigil-cds/vigil/rules"
)

// MutateOptions say how far to go.
type MutateOptions struct {
	Compile rules.CompileOptions
	// Only, unless it is nil, says which rules' changes are tried; those of inputs always are.
	Only func(rule string) bool
	// Progress is called after each change with how many of all are done; false stops. nil goes on.
	Progress func(done, of int) bool
}

// Mutation is what became of the changes of a rule set.
type Mutation struct {
	Noticed   int      `json:"noticed"`           // some case failed
	Refused   int      `json:"refused"`           // what does not compile needs no test
	Survivors []Mutant `json:"survivors"`         // no case failed
	Untested  []string `json:"untested"`          // rules without a case, whose changes were not tried
	Left      int      `json:"left,omitempty"`    // not tried: it was stopped
	Failing   []string `json:"failing,omitempty"` // packs whose cases fail as they are, whose changes were not tried
}

// Tried is how many changes a case could notice.
func (m *Mutation) Tried() int { return m.Noticed + len(m.Survivors) }

// Mutate makes small changes to the packs, one at a time, and runs the cases that could notice. The same
// files and cases give the same result, unless it is stopped. The errors are those of rules.Compile of the
// files as they are.
func Mutate(files []clinical.File, cases []rulestest.Case, o MutateOptions) (*Mutation, error) {
	whole, err := rules.Compile(files, o.Compile)
	if err != nil {
		return nil, err
	}
	o.Compile.Zone = whole.Zone // which a pack that is compiled without the others might not name
	m := &mutation{options: o, files: files, result: &Mutation{Survivors: []Mutant{}, Untested: []string{}}, of: map[string][]*rulestest.Case{}}
	for i := range cases {
		for _, id := range cases[i].Rules() {
			m.of[id] = append(m.of[id], &cases[i])
		}
	}
	var todo []job
	for _, file := range rules.NewSet(files...).Files {
		if path.Ext(file.Name) != ".json" {
			todo = append(todo, m.jobs(file, whole)...)
		}
	}
	for i, j := range todo {
		m.try(j)
		if o.Progress != nil && !o.Progress(i+1, len(todo)) {
			m.result.Left = len(todo) - i - 1
			break
		}
	}
	return m.result, nil
}

type mutation struct {
	options MutateOptions
	files   []clinical.File
	of      map[string][]*rulestest.Case // by rule
	result  *Mutation
}

// job is one change to try.
type job struct {
	mutant Mutant
	file   clinical.File
	others []clinical.File // compiled together with it
	cases  []*rulestest.Case
}

// jobs lists the changes of one pack with the cases that could notice them.
func (m *mutation) jobs(file clinical.File, whole *rules.Program) []job {
	var every []*rulestest.Case
	for _, rule := range whole.Rules {
		if rule.File != file.Name {
			continue
		}
		if len(m.of[rule.ID]) == 0 {
			if m.wanted(rule.ID) {
				m.result.Untested = append(m.result.Untested, rule.ID)
			}
			continue
		}
		for _, c := range m.of[rule.ID] {
			if !slices.Contains(every, c) {
				every = append(every, c)
			}
		}
	}
	if len(every) == 0 {
		return nil
	}
	others, ok := m.enough(file, every)
	if !ok {
		m.result.Failing = append(m.result.Failing, file.Name)
		return nil
	}
	var jobs []job
	for _, mutant := range mutants(file) {
		j := job{mutant, file, others, every}
		if mutant.Rule != "" {
			if j.cases = m.of[mutant.Rule]; len(j.cases) == 0 || !m.wanted(mutant.Rule) {
				continue
			}
		}
		jobs = append(jobs, j)
	}
	return jobs
}

func (m *mutation) wanted(rule string) bool { return m.options.Only == nil || m.options.Only(rule) }

// enough finds the files that the pack's cases need besides the pack: the value sets and the site's
// parameters, or everything where they are not enough. It is false where the cases fail as things are.
func (m *mutation) enough(file clinical.File, cases []*rulestest.Case) (others []clinical.File, ok bool) {
	everything := slices.DeleteFunc(slices.Clone(m.files), func(f clinical.File) bool { return f.Name == file.Name })
	besides := slices.DeleteFunc(slices.Clone(everything), func(f clinical.File) bool {
		return path.Ext(f.Name) != ".json" && path.Base(f.Name) != rules.ParametersFile
	})
	for _, others := range [][]clinical.File{besides, everything} {
		if as, err := m.compile(file, others); err == nil && !as.notice(cases) {
			return others, true
		}
	}
	return nil, false
}

func (m *mutation) compile(file clinical.File, others []clinical.File) (*changedSet, error) {
	set := rules.NewSet(append(slices.Clone(others), file)...)
	program, err := rules.Compile(set.Files, m.options.Compile)
	if err != nil {
		return nil, err
	}
	return &changedSet{set: set, options: m.options.Compile, runner: New(program), sites: map[string]*Runner{}}, nil
}

// changedSet is a set with a change in it.
type changedSet struct {
	set     *rules.Set
	options rules.CompileOptions
	runner  *Runner
	sites   map[string]*Runner // at the limits that cases set, by those; nil where it does not compile
}

// notice says whether a case fails, or cannot run at the limits that it sets.
func (m *changedSet) notice(cases []*rulestest.Case) bool {
	return slices.ContainsFunc(cases, func(c *rulestest.Case) bool {
		runner := m.of(c)
		return runner == nil || runner.Notices(c)
	})
}

func (m *changedSet) of(c *rulestest.Case) *Runner {
	if len(c.Parameters) == 0 {
		return m.runner
	}
	key := fmt.Sprint(c.Parameters) // with the keys in their order
	if _, met := m.sites[key]; !met {
		m.sites[key] = nil
		if program, err := rules.Compile(m.set.Override(m.runner.program, c.Parameters).Files, m.options); err == nil {
			m.sites[key] = New(program)
		}
	}
	return m.sites[key]
}

func (m *mutation) try(j job) {
	changed, err := m.compile(j.mutant.apply(j.file), j.others)
	switch {
	case err != nil:
		m.result.Refused++
	case changed.notice(j.cases):
		m.result.Noticed++
	default:
		m.result.Survivors = append(m.result.Survivors, j.mutant)
	}
}
