package rulestest

import (
	"errors"
	"fmt"
	"maps"

	"github.com/vigil-cds/vigil/rules"
)

// site is a set at a site's limits.
type site struct {
	program    *rules.Program
	parameters map[string]map[string]string // nil: as the suite has them
}

// suitesOwn is the suite's set as it is.
func (r *reader) suitesOwn() site { return site{program: r.suite.program} }

// site reads `parameters`: values that are set besides those of outer, or in their place.
func (r *reader) site(n node, outer site) site {
	before := len(r.faults)
	values := map[string]map[string]string{}
	for pack, of := range outer.parameters {
		values[pack] = maps.Clone(of)
	}
	r.each(n, "parameters are written by pack and name, as in {renal: {potassium_limit: 5.8}}", func(pack pair) {
		declared := map[string]*rules.Parameter{}
		var packs, names []string
		for _, q := range r.suite.program.Parameters {
			packs = append(packs, q.Pack)
			if q.Pack == pack.key {
				declared[q.Name] = q
				names = append(names, q.Name)
			}
		}
		if len(declared) == 0 {
			r.fault(pack.at, nearestOr(pack.key, packs, "those that have are"), "there is no pack %q with parameters", pack.key)
			return
		}
		r.each(pack.value, "write each parameter with its value", func(p pair) {
			q := declared[p.key]
			if q == nil {
				r.fault(p.at, nearestOr(p.key, names, "its parameters are"), "the pack %q has no parameter %q", pack.key, p.key)
				return
			}
			text := r.text(p.value, p.key)
			if text == "" {
				return
			}
			if problem, hint := q.Refuses(text); problem != "" {
				r.fault(p.value, hint, "the parameter %q of the pack %q %s", p.key, pack.key, problem)
				return
			}
			if values[pack.key] == nil {
				values[pack.key] = map[string]string{}
			}
			values[pack.key][p.key] = text
		})
	})
	if len(r.faults) > before || len(values) == 0 {
		return outer
	}
	key := fmt.Sprint(values) // with the keys in their order
	if r.sites[key] == nil {
		program, err := rules.Compile(r.suite.set.Override(r.suite.program, values).Files, r.suite.options)
		if err != nil {
			var faults rules.Faults
			if errors.As(err, &faults) {
				err = faults[0]
			}
			r.fault(n, "", "with these parameters the set does not compile: %v", err)
			return outer
		}
		r.sites[key] = program
	}
	return site{r.sites[key], values}
}

// each calls do for what a mapping has.
func (r *reader) each(n node, hint string, do func(pair)) {
	if n.shape != mapping {
		r.fault(n, hint, "these are keys with values")
		return
	}
	for _, p := range n.pairs {
		do(p)
	}
}
