package render

import (
	"slices"
	"strconv"

	"github.com/vigil-cds/vigil/explain/record"
)

// evidence is what one window of one input held, with every term that asked about it.
type evidence struct {
	*record.Term // the first of the terms; all agree in the input, the window and the facts
	asked        []*record.Term
}

// evidences gathers the terms by what they looked at, in the order of the terms.
func (v *view) evidences() []evidence {
	var all []evidence
	for i := range v.Terms {
		t := &v.Terms[i]
		at := slices.IndexFunc(all, func(x evidence) bool { return sawTheSame(x.Term, t) })
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

// reach is a window in words with its ends: "7 days, from 2026-04-29 14:02 to 2026-05-06 14:02".
func (c calendar) reach(w *record.Window) string {
	switch {
	case w == nil:
		return ""
	case w.From == nil:
		return "all of the past, up to " + c.exactly(w.To)
	}
	return span(w.Text) + ", from " + c.exactly(*w.From) + " to " + c.exactly(w.To)
}

// codes are those that the facts of a window carry, each once.
func (v *view) codes(uses []record.Use) []string {
	var codes []string
	for _, u := range uses {
		for _, code := range v.Facts[u.Fact].Codes {
			if code = plain(code); !slices.Contains(codes, code) {
				codes = append(codes, code)
			}
		}
	}
	return codes
}

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

// row is one fact of a window that is shown, after so many that are not.
type row struct {
	record.Use
	skipped int
}

// rows chooses the facts of a window that are shown where it holds more than most: the first, the latest,
// and those that suffice as far as these are few themselves.
func (v *view) rows(t *record.Term, most int) []row {
	const first = 2
	stars := 0
	for _, u := range t.Uses {
		if v.enough[u.Fact] {
			stars++
		}
	}
	var shown []row
	skipped := 0
	for i, u := range t.Uses {
		star := v.enough[u.Fact] && stars <= most
		if len(t.Uses) <= most || i < first || i >= len(t.Uses)-(most-first) || star {
			shown = append(shown, row{u, skipped})
			skipped = 0
		} else {
			skipped++
		}
	}
	return shown
}
