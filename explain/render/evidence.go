package render

import (
	"slices"
	"strconv"
	"strings"

	"github.com/vigil-cds/vigil/explain/record"
)

// evidence is what one window of one input held, with every term that asked about it.
type evidence struct {
	*record.Term // the first of the terms; all agree in the input, the window and the facts
	asked        []*record.Term
}

// evidences gathers the terms of an explanation by what they looked at, in the order of the terms.
func evidences(e *record.Explanation) []evidence {
	var all []evidence
	for i := range e.Terms {
		t := &e.Terms[i]
		at := slices.IndexFunc(all, func(v evidence) bool { return sawTheSame(v.Term, t) })
		if at < 0 {
			all = append(all, evidence{Term: t})
			at = len(all) - 1
		}
		all[at].asked = append(all[at].asked, t)
	}
	return all
}

func sawTheSame(x, y *record.Term) bool {
	if x.Input != y.Input || x.Pack != y.Pack || x.Unit != y.Unit || x.Where != y.Where || x.Saw != y.Saw ||
		!slices.Equal(x.Uses, y.Uses) || (x.Window == nil) != (y.Window == nil) || (x.Latest == nil) != (y.Latest == nil) {
		return false
	}
	if x.Latest != nil && *x.Latest != *y.Latest {
		return false
	}
	return x.Window == nil || x.Window.Text == y.Window.Text && x.Window.To == y.Window.To
}

// stretch is a window in words with its ends: "7 days, from 2026-04-29 14:02 to 2026-05-06 14:02".
func (c calendar) stretch(w *record.Window) string {
	switch {
	case w == nil:
		return ""
	case w.From == nil:
		return "all of the past, up to " + c.exactly(w.To)
	}
	return span(w.Text) + ", from " + c.exactly(*w.From) + " to " + c.exactly(w.To)
}

// codesOf are the codes that the facts of a window carry, each once.
func codesOf(e *record.Explanation, uses []record.Use) []string {
	var codes []string
	for _, u := range uses {
		for _, code := range e.Facts[u.Fact].Codes {
			if code = plain(code); !slices.Contains(codes, code) {
				codes = append(codes, code)
			}
		}
	}
	return codes
}

// suffices says whether a fact is one of the smallest set that is enough.
func suffices(e *record.Explanation, fact int) bool { return slices.Contains(e.Suffices, fact) }

// when is a fact's time or period in a table.
func (c calendar) when(f *record.Fact) string {
	start := "at an unknown time"
	if f.Time != nil {
		start = c.column(*f.Time, f.Precision)
	}
	if f.End == nil {
		return start
	}
	return start + " – " + c.column(*f.End, fineness(*f.End))
}

// asSent is a fact's value as it was sent, where that is not how the term saw it.
func (c calendar) asSent(f *record.Fact, t *record.Term, used record.Value) string {
	if f.Value.IsZero() || f.Value == used && (f.Unit == t.Unit || t.Unit == "" && used.Kind == f.Value.Kind) {
		return ""
	}
	if f.Unit == "" {
		return plain(f.Value.String())
	}
	return plain(f.Value.String() + " " + f.Unit)
}

// source names the resource that states a fact, in its version, with its status where that is unusual.
func source(f *record.Fact) string {
	name := f.Resource
	if name == "" {
		name = "no resource"
	}
	if f.Version != "" {
		name += " v" + f.Version
	}
	if f.Status != "" && f.Status != "final" {
		name += ", " + f.Status
	}
	return plain(name)
}

// position is the place in the facts log of the record that states a fact.
func position(f *record.Fact) string {
	return "f" + strconv.Itoa(int(f.Partition)) + "." + strconv.FormatInt(f.Offset, 10)
}

// elide chooses the facts of a long window that are shown: the first ones, the latest, and those that
// suffice. It gives their places in uses, in order, and how many of the window are left out.
func elide(e *record.Explanation, t *record.Term, most int) (shown []int, left int) {
	const first = 2
	for i, u := range t.Uses {
		if len(t.Uses) <= most || i < first || i >= len(t.Uses)-(most-first) || suffices(e, u.Fact) {
			shown = append(shown, i)
		}
	}
	return shown, max(t.Saw, len(t.Uses)) - len(shown)
}

// headline says what happened, or what was asked, and when.
func (c calendar) headline(e *record.Explanation) string {
	at := c.inFull(e.At)
	switch e.Kind {
	case record.Fired:
		return "Fired " + at
	case record.Cleared:
		if e.Truth == record.Unknown {
			return "Cleared " + at + ", now unknown"
		}
		return "Cleared " + at
	}
	return strings.ToUpper(string(e.Truth[:1])) + string(e.Truth[1:]) + " at " + at
}

// cause says what made a transition happen; "" for an answer.
func cause(e *record.Explanation) string {
	if e.Cause == nil {
		return ""
	}
	switch c := e.Cause; {
	case c.Kind == record.CauseTime:
		return "by the passing of time alone"
	case c.Kind == record.CauseActivation:
		return "by the change of the rules at " + plain(c.Position)
	case len(c.Gone) > 0 && len(c.Facts) == 0:
		return "by the retraction of a fact at " + plain(c.Position)
	case len(c.Gone) > 0:
		return "by a correction at " + plain(c.Position)
	default:
		return "by new facts at " + plain(c.Position)
	}
}
