package rules

import (
	"path"
	"slices"

	"github.com/vigil-cds/vigil/internal/clinical"
)

// Override returns the set with these values of parameters, by pack and name, in place of those in force in
// the program that the set compiles to: what they leave out stays as the site has set it.
func (s *Set) Override(p *Program, parameters map[string]map[string]string) *Set {
	values := map[string]map[string]string{}
	put := func(pack, name, value string) {
		if values[pack] == nil {
			values[pack] = map[string]string{}
		}
		values[pack][name] = value
	}
	for _, q := range p.Parameters {
		if q.Site {
			put(q.Pack, q.Name, q.Value.String())
		}
	}
	for pack, of := range parameters {
		for name, value := range of {
			put(pack, name, value)
		}
	}
	return NewSet(slices.DeleteFunc(slices.Clone(s.Files), func(f clinical.File) bool { return path.Base(f.Name) == ParametersFile })...).With(values)
}

// Refuses says why a site cannot set the parameter to what is written, and what it can; "" where it can.
func (q *Parameter) Refuses(text string) (problem, hint string) {
	_, c := q.take(text)
	if c == nil {
		return "", ""
	}
	return c.problem, c.hint
}
