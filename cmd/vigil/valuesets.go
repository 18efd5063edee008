package main

import (
	"fmt"
	"strings"
	"text/tabwriter"

	"github.com/vigil-cds/vigil/rules"
)

type listedValueSet struct {
	Name    string   `json:"name"`
	URL     string   `json:"url,omitempty"`
	Version string   `json:"version,omitempty"`
	Codes   int      `json:"codes"`
	Digest  string   `json:"digest"`
	File    string   `json:"file"`
	Line    int      `json:"line"`
	UsedBy  []string `json:"usedBy"`
}

// listValueSets shows every value set of the program with its version, its codes and who uses it.
func (a *app) listValueSets(p *rules.Program) error {
	if a.json() {
		list := []listedValueSet{}
		for _, s := range p.ValueSets {
			list = append(list, listedValueSet{Name: s.Name, URL: s.URL, Version: s.Version, Codes: len(s.Codes), Digest: s.Digest,
				File: s.File, Line: s.Line, UsedBy: append([]string{}, s.UsedBy...)})
		}
		return a.printJSON(map[string]any{"ruleSet": p.Hash, "valueSets": list})
	}
	t := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "VALUE SET\tVERSION\tCODES\tUSED BY\tFILE\tURL")
	for _, s := range p.ValueSets {
		used := strings.Join(s.UsedBy, ", ")
		if used == "" {
			used = "–"
		}
		fmt.Fprintf(t, "%s\t%s\t%d\t%s\t%s\t%s\n", s.Name, s.Version, len(s.Codes), used, s.File, s.URL)
	}
	return t.Flush()
}
