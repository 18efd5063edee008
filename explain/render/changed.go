package render

import (
	"slices"

	"github.com/vigil-cds/vigil/explain/record"
)

const nothingChanged = "Nothing that the rule asks is otherwise."

// change is one thing that differs, with the facts that came and went.
type change struct {
	Text  string
	Facts []string
}

// changesOf puts a difference into words, the facts under the term that saw them.
func changesOf(d *record.Difference, v *view) []change {
	var changes []change
	source := ""
	for i := range d.Changes {
		c := &d.Changes[i]
		if c.Fact == nil {
			source = c.Source
			changes = append(changes, change{Text: changed(d, c, v)})
			continue
		}
		if len(changes) == 0 || c.Source != source {
			source = c.Source
			changes = append(changes, change{Text: plain(c.Source) + ": the same, of other facts"})
		}
		last := &changes[len(changes)-1]
		last.Facts = append(last.Facts, moved(d, c, v))
	}
	return changes
}

// knownAt says what of the log was known.
func (v *view) knownAt() string {
	return "known up to " + plain(v.Known.Position) + " at " + v.inFull(v.Known.Clock)
}

// changed is what a rule, a condition or a term was and is.
func changed(d *record.Difference, c *record.Delta, v *view) string {
	switch c.What {
	case "rule":
		return "the rule: " + truthWord(c.Before) + " → " + truthWord(c.After)
	case "atom":
		return plain(c.Source) + ": " + truthWord(c.Before) + " → " + truthWord(c.After)
	}
	code := unitOf(termCalled(d, c.Source))
	return plain(c.Source) + ": " + v.stated(c.Before, code) + " → " + v.stated(c.After, code)
}

// moved is a fact that came into a window or went out of it.
func moved(d *record.Difference, c *record.Delta, v *view) string {
	sign, value := "+ ", c.After
	if c.What == "left" || c.What == "retracted" {
		sign, value = "− ", c.Before
	}
	text := sign + plain(c.What) + ": " + v.when(c.Fact)
	if !value.IsZero() {
		text += ", " + v.stated(value, termCalled(d, c.Source).Unit)
	}
	return text + ", " + source(c.Fact) + ", " + position(c.Fact)
}

func truthWord(x record.Value) string {
	if x.IsZero() {
		return string(record.Unknown)
	}
	return plain(x.String())
}

// termCalled is the term of a source, in whichever explanation has it; an empty one where none has.
func termCalled(d *record.Difference, source string) *record.Term {
	for _, e := range []*record.Explanation{&d.Later, &d.Earlier} {
		if i := slices.IndexFunc(e.Terms, func(t record.Term) bool { return t.Source == source }); i >= 0 {
			return &e.Terms[i]
		}
	}
	return &record.Term{}
}
