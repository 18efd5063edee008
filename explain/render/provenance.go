package render

import (
	"strings"

	"github.com/vigil-cds/vigil/explain/record"
)

// entry is a name and what it stands for.
type entry struct{ Name, Text string }

// provenance is what the explanation rests on besides facts.
func (v *view) provenance() []entry {
	all := []entry{
		{"known", v.inFull(v.Known.Clock) + at(v.Known.Position)},
		{"rule set", v.RuleSet.Hash},
	}
	if a := v.RuleSet.Activated; a != nil {
		all = append(all, entry{"active since", v.inFull(*a) + at(v.RuleSet.Position)})
	}
	all = append(all, entry{"zone", v.RuleSet.Zone})
	for i, s := range v.RuleSet.ValueSets {
		name := ""
		if i == 0 {
			name = "value sets"
		}
		text := joined(s.Name, s.Version) + ", " + counted(s.Codes, "code")
		if s.URL != "" {
			text += ", " + s.URL
		}
		all = append(all, entry{name, text + ", " + s.Hash})
	}
	all = append(all, v.parameters()...)
	if v.ID != "" {
		all = append(all, entry{"id", v.ID})
	}
	if v.Hash != "" {
		all = append(all, entry{"number", figure(float64(v.Sequence)) + " of the patient's"}, entry{"previous", v.Previous}, entry{"hash", v.Hash})
	}
	for i := range all {
		all[i].Text = plain(all[i].Text)
	}
	return all
}

// at names a position of the log, where there is one.
func at(position string) string {
	if position == "" {
		return ""
	}
	return ", at " + position
}

// circumstances are what the explanation says about the patient and what happened.
func (v *view) circumstances() []entry {
	all := []entry{{"patient", v.Patient}}
	if v.Period != nil {
		all = append(all, entry{"period", v.lasting(v.Period)})
	}
	if v.Before != "" {
		all = append(all, entry{"before", string(v.Before)})
	}
	if v.Since != nil && *v.Since != v.At {
		all = append(all, entry{"true since", v.inFull(*v.Since)})
	}
	if c := v.Explanation.Cause; c != nil {
		for i := range c.Facts {
			all = append(all, entry{"new", v.summary(&c.Facts[i])})
		}
		for i := range c.Gone {
			all = append(all, entry{"no longer", v.summary(&c.Gone[i])})
		}
	}
	if v.Message != "" {
		all = append(all, entry{"message", v.Message})
	}
	for i := range all {
		all[i].Text = plain(all[i].Text)
	}
	return all
}

// summary is a fact on one line: what it says, when, and where it is from.
func (v *view) summary(f *record.Fact) string {
	value := ""
	if !f.Value.IsZero() {
		value = joined(v.stated(f.Value, ""), f.Unit)
	}
	what := f.Kind
	if len(f.Codes) > 0 {
		what = joined(f.Kind, strings.Join(f.Codes, ","))
	}
	return strings.Join([]string{joined(what, value), v.when(f), source(f), position(f)}, ", ")
}
