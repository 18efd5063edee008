package render

import (
	"io"

	"github.com/vigil-cds/vigil/explain/record"
)

// TextDifference writes what changed between two explanations for a terminal: both with their sentences,
// then each change. The errors are w's.
func TextDifference(w io.Writer, d *record.Difference, o TextOptions) error {
	earlier, later, p := viewOf(&d.Earlier, o.Zone), viewOf(&d.Later, o.Zone), newPage(o)
	p.paragraph(strong, 0, false, "What changed: "+plain(d.Later.Rule.Title))
	p.paragraph(faint, 0, false, later.identity())
	p.pair("patient", plain(d.Later.Patient))
	for _, side := range []struct {
		name string
		*view
	}{{"Earlier", earlier}, {"Later", later}} {
		p.heading(side.name)
		p.paragraph(look(side.Truth), 2, true, side.headline()+", "+side.knownAt())
		p.paragraph(ordinary, 2, true, Sentence(side.Explanation, o.Zone))
	}
	p.heading("Changes")
	changes := changesOf(d, later)
	if len(changes) == 0 {
		p.paragraph(ordinary, 2, true, nothingChanged)
	}
	for _, c := range changes {
		p.paragraph(ordinary, 2, true, c.Text)
		for _, f := range c.Facts {
			p.paragraph(faint, 4, true, f)
		}
	}
	return p.writeTo(w)
}
