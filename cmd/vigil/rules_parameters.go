package main

import (
	"fmt"
	"text/tabwriter"

	"github.com/vigil-cds/vigil/rules"
)

// listedParameter is what a pack lets a site set, as GET /v1/rules has it.
type listedParameter struct {
	Pack    string `json:"pack"`
	Name    string `json:"name"`
	Title   string `json:"title,omitempty"`
	Value   any    `json:"value"`
	Default any    `json:"default"`
	Min     any    `json:"min"`
	Max     any    `json:"max"`
	Unit    string `json:"unit,omitempty"`
	Site    bool   `json:"site"`
}

func listedParameters(p *rules.Program) []listedParameter {
	var list []listedParameter
	for _, q := range p.Parameters {
		l := listedParameter{Pack: q.Pack, Name: q.Name, Title: q.Title, Value: q.Value, Default: q.Default, Unit: q.Unit, Site: q.Site}
		if q.Type != rules.BooleanParameter {
			l.Min, l.Max = q.Min, q.Max
		}
		list = append(list, l)
	}
	return list
}

// printParameters writes what can be set and what is; nothing where there are none.
func (a *app) printParameters(list []listedParameter) error {
	if len(list) == 0 {
		return nil
	}
	t := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "\nPARAMETER\tVALUE\tSET BY\tDEFAULT\tBOUNDS\tTITLE")
	for _, p := range list {
		by, bounds := "pack", ""
		if p.Site {
			by = "site"
		}
		if p.Min != nil {
			bounds = fmt.Sprintf("%v to %v", p.Min, p.Max)
		}
		value := fmt.Sprint(p.Value)
		if p.Unit != "" {
			value += " " + p.Unit
		}
		fmt.Fprintf(t, "%s.%s\t%s\t%s\t%v\t%s\t%s\n", p.Pack, p.Name, value, by, p.Default, bounds, p.Title)
	}
	return t.Flush()
}
