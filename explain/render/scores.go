package render

import (
	"fmt"
	"slices"
	"strings"

	"github.com/vigil-cds/vigil/explain/record"
	"github.com/vigil-cds/vigil/rules"
)

// points is a score or one of its items as far as it is known: "7", "5 to 8".
func (v *view) points(n *record.Node) string {
	if n.Least == nil || n.Greatest == nil {
		return v.stated(n.Value, "")
	}
	if *n.Least == *n.Greatest {
		return figure(*n.Least)
	}
	return figure(*n.Least) + " to " + figure(*n.Greatest)
}

// scored is a score compared with a number, with what gave it its points.
func (v *view) scored(n *record.Node, op string, holds bool, k record.Value) clause {
	name := "the score"
	if n.Source != "score" {
		name += " " + named(n.Source)
	}
	at := n.Value
	if at.IsZero() && n.Least != nil && n.Greatest != nil {
		at = record.Value(rules.NumberOf(*n.Least))
		if op == ">" || op == ">=" {
			at = record.Value(rules.NumberOf(*n.Greatest))
		}
	}
	text := name + " is " + v.points(n) + ", " + off(op, holds, at, k)
	var from []string
	for i := range n.Kids {
		item := &n.Kids[i]
		if item.Value.Num == 0 {
			continue
		}
		for t := range v.termsIn(item) {
			if m := v.mention(t); !slices.Contains(from, m) {
				from = append(from, m)
			}
		}
	}
	if over := len(from) - most; over > 0 {
		from = append(from[:most], fmt.Sprintf("%d more", over))
	}
	if len(from) > 0 {
		text += ", with " + enumerated(from)
	}
	return clause{text: text, rank: measured}
}

// parameter is the record of the parameter that a node names; nil of anything else. Two packs may have one
// of the same name, of which the one with the node's value is meant.
func (v *view) parameter(n *record.Node) *record.Parameter {
	i := slices.IndexFunc(v.RuleSet.Parameters, func(p record.Parameter) bool { return p.Name == n.Source && p.Value == n.Value })
	if n.Op != "parameter" || i < 0 {
		return nil
	}
	return &v.RuleSet.Parameters[i]
}

// parameters says what was in force of those that the rule uses, and who set it.
func (v *view) parameters() []entry {
	var all []entry
	for i, p := range v.RuleSet.Parameters {
		name := ""
		if i == 0 {
			name = "parameters"
		}
		text := p.Pack + "." + p.Name + " " + v.stated(p.Value, p.Unit)
		if p.Site {
			text += ", set by the site; the pack's own is " + v.stated(p.Default, p.Unit)
		} else {
			text += ", the pack's own"
		}
		if p.Title != "" {
			text += " (" + p.Title + ")"
		}
		all = append(all, entry{name, text})
	}
	return all
}

// gains says which items could add to a score that is too small.
func gains(b record.Blocker) string {
	var items []string
	for _, g := range b.Gains {
		items = append(items, figure(g.Points)+" from "+brief(g.Source))
	}
	if over := len(items) - most; over > 0 {
		items = append(items[:most], fmt.Sprintf("%d more items", over))
	}
	if len(items) == 0 {
		return ""
	}
	return "; could add: " + strings.Join(items, ", ")
}
