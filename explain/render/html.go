package render

import (
	_ "embed"
	"html/template"
	"io"
	"strconv"
	"time"

	"github.com/vigil-cds/vigil/explain/record"
)

//go:embed page.gohtml
var pageSource string

// pages are never changed after this, and html/template lets any number of goroutines execute them.
var pages = template.Must(template.New("pages").Parse(pageSource))

// HTML writes an explanation as one page that needs nothing else: no script, no picture, no style sheet.
// It follows the reader's wish for light or dark on a screen and prints light on A4. For each window there
// is a timeline, with the threshold where values are held against one, and a table of facts with where they
// are from. The zone is as in Sentence. The errors are w's.
func HTML(w io.Writer, e *record.Explanation, zone *time.Location) error {
	return pages.ExecuteTemplate(w, "explanation", documentOf(viewOf(e, zone)))
}

// HTMLDifference writes what changed between two explanations as such a page. The errors are w's.
func HTMLDifference(w io.Writer, d *record.Difference, zone *time.Location) error {
	return pages.ExecuteTemplate(w, "difference", comparisonOf(d, zone))
}

// document is an explanation as the page wants it.
type document struct {
	Title, Identity               string
	Truth, Headline, Cause, Known string
	Sentence                      string
	Circumstances, Provenance     []entry
	Tree                          *limb
	Windows                       []frame
	Enough                        bool // some facts are marked
	Missing, Blockers             []string
	Change, Next                  string
}

// limb is a node of the tree.
type limb struct {
	Truth, Mark, Label, Outcome string
	Decides, Boolean            bool
	Kids                        []*limb
}

// frame is what one window held.
type frame struct {
	Asked   []entry // terms and their answers
	About   string
	Chart   *chart
	Columns []string
	Rows    []tableRow
	Left    int // facts that the explanation leaves out
}

// tableRow is one fact in a table.
type tableRow struct {
	Skipped int
	Star    bool
	Before  bool // it lies before the window
	Cells   []string
}

func documentOf(v *view) *document {
	d := &document{
		Title: plain(v.Rule.Title), Identity: v.identity(), Truth: string(v.Truth),
		Headline: v.headline(), Cause: v.cause(), Known: v.knownAt(), Sentence: Sentence(v.Explanation, v.zone),
		Circumstances: v.circumstances(), Provenance: v.provenance(), Change: v.change(), Enough: len(v.enough) > 0,
	}
	if v.Tree != nil {
		d.Tree = v.limb(v.Tree)
	}
	for i, x := range v.evidences() {
		d.Windows = append(d.Windows, v.frame(x, i+1))
	}
	for _, m := range v.Missing {
		d.Missing = append(d.Missing, v.missing(m))
	}
	if v.Miss != nil {
		for _, b := range v.Miss.Blockers {
			d.Blockers = append(d.Blockers, v.blocker(b))
		}
	}
	if v.Kind == record.Answer {
		d.Next = v.next()
	}
	return d
}

func (v *view) limb(n *record.Node) *limb {
	l := &limb{Label: label(n), Outcome: v.outcome(n), Decides: n.Decides, Boolean: n.Boolean}
	if n.Boolean {
		l.Truth, l.Mark = string(n.Truth), truthMark(n.Truth)
	}
	for _, kid := range operands(n) {
		l.Kids = append(l.Kids, v.limb(kid))
	}
	return l
}

// Of a window that holds more facts than this, the page's table shows some only.
const pageFacts = 40

func (v *view) frame(x evidence, number int) frame {
	f := frame{About: v.about(x), Chart: v.chart(x, number), Left: x.Saw - len(x.Uses)}
	for _, t := range x.asked {
		f.Asked = append(f.Asked, entry{plain(t.Source), v.stated(t.Value, unitOf(t))})
	}
	var table []cells
	for _, r := range v.rows(x.Term, pageFacts) {
		f.Rows = append(f.Rows, tableRow{Skipped: r.skipped, Star: v.enough[r.Fact]})
		table = append(table, v.cellsOf(r.Use, x.Term))
	}
	if x.Latest != nil {
		f.Rows = append(f.Rows, tableRow{Before: true})
		table = append(table, v.cellsOf(*x.Latest, x.Term))
	}
	widths, _ := fit(table)
	for i := 1; i < len(columnNames); i++ {
		if widths[i] == 0 {
			continue
		}
		f.Columns = append(f.Columns, columnNames[i])
		for j := range table {
			f.Rows[j].Cells = append(f.Rows[j].Cells, table[j][i])
		}
	}
	return f
}

// comparisonPage is a difference as the page wants it.
type comparisonPage struct {
	Title, Identity, Patient string
	Sides                    []side
	Changes                  []change
}

// side is one of the two explanations.
type side struct {
	Name string
	*document
}

func comparisonOf(d *record.Difference, zone *time.Location) *comparisonPage {
	earlier, later := viewOf(&d.Earlier, zone), viewOf(&d.Later, zone)
	p := &comparisonPage{Title: plain(d.Later.Rule.Title), Identity: later.identity(), Patient: plain(d.Later.Patient)}
	p.Sides = []side{{"Earlier", documentOf(earlier)}, {"Later", documentOf(later)}}
	p.Changes = changesOf(d, later)
	return p
}

// Unchanged is said where nothing has changed.
func (comparisonPage) Unchanged() string { return nothingChanged }

// LastBefore stands over a fact before an empty window.
func (tableRow) LastBefore() string { return lastBefore }

// ColumnCount is for a cell that spans the table.
func (f frame) ColumnCount() string { return strconv.Itoa(len(f.Columns) + 1) }
