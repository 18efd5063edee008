package planning

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
)

// Write draws the plan as text.
func (p *Plan) Write(w io.Writer) error {
	out := &strings.Builder{}
	fmt.Fprintf(out, "%s: %s\nOf a patient without facts: %s.\n\n", p.Rule, p.Title, p.Baseline)
	drawn(out, func(tab io.Writer) { p.Tree.draw(tab, "", "") })
	fmt.Fprintln(out)
	for i := range p.Terms {
		p.Terms[i].write(out)
	}
	fmt.Fprintf(out, "\nA read that finds nothing cached and nothing settled takes, of a patient with 10,000 facts of each input, about\n%d rows of the store and looks at %d facts or summaries.\n",
		p.Cost.Rows, p.Cost.Facts)
	for i := range p.Patients {
		p.Patients[i].write(out)
	}
	_, err := io.WriteString(w, out.String())
	return err
}

// drawn aligns what f writes in columns.
func drawn(w *strings.Builder, f func(tab io.Writer)) {
	tab := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	f(tab)
	_ = tab.Flush() // a strings.Builder takes everything
}

func (t *Term) write(w io.Writer) {
	fmt.Fprintln(w, t.Term)
	what := t.Kind
	switch {
	case len(t.ValueSets) > 0:
		what += " in the value set " + strings.Join(t.ValueSets, ", ")
	case t.AllCodes == 0 && t.Kind != "patient":
		what += ", every code"
	}
	if len(t.Codes) > 0 {
		what += ": " + strings.Join(t.Codes, ", ")
		if more := t.AllCodes - len(t.Codes); more > 0 {
			what += fmt.Sprintf(" and %d more", more)
		}
	}
	fmt.Fprintf(w, "    %s\n", what)
	if t.Where != "" {
		fmt.Fprintf(w, "    where %s\n", t.Where)
	}
	if t.Derived {
		fmt.Fprintln(w, "    which facts belong is settled when data arrives; they are kept in a stream of their own")
	}
	fmt.Fprintf(w, "    %s of %s; %s\n", t.Op, t.Window, t.Changes)
	fmt.Fprintf(w, "    a read looks at %s: about %d, in %d rows of the store\n", t.Reads, t.Cost.Facts, t.Cost.Rows)
	switch t.Rules {
	case 0:
	case 1:
		fmt.Fprintln(w, "    asked by 1 other rule as well")
	default:
		fmt.Fprintf(w, "    asked by %d other rules as well\n", t.Rules)
	}
}

func (s *Standing) write(w *strings.Builder) {
	of := ""
	switch {
	case s.Period != nil:
		of = ", of the period that began at " + instant(*s.Period)
	case s.EachPeriod:
		of = ", before the first period of its input"
	}
	fmt.Fprintf(w, "\n%s at %s%s: %s, %s\n\n", s.Patient, instant(s.Now), of, s.Truth, until(s.Until))
	drawn(w, func(tab io.Writer) { s.Tree.draw(tab, "", "") })
	fmt.Fprintln(w)
	drawn(w, func(tab io.Writer) {
		for _, t := range s.Terms {
			state := until(t.Until)
			if t.Elapses {
				state = "time elapses"
				if t.Until != nil {
					state += ", of the same fact until " + instant(*t.Until)
				}
			}
			fmt.Fprintf(tab, "%s\t%s\t%s\n", t.Term, t.value(), state)
		}
	})
}

// value is the answer as it is written, a text without its quotes.
func (t *TermValue) value() string {
	var text string
	switch {
	case string(t.Value) == "null":
		return "missing"
	case json.Unmarshal(t.Value, &text) == nil:
		return text
	}
	return string(t.Value)
}

func until(t *time.Time) string {
	if t == nil {
		return "settled"
	}
	return "live until " + instant(*t)
}

func instant(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05.000") }

func (n *Part) draw(w io.Writer, first, rest string) {
	state := "pointer"
	if n.Settled {
		state = "settled"
	}
	fmt.Fprintf(w, "%s%s\t%s\n", first, n.Text, state)
	for i := range n.Parts {
		branch, beyond := branches(i == len(n.Parts)-1)
		n.Parts[i].draw(w, rest+branch, rest+beyond)
	}
}

func (s *PartStanding) draw(w io.Writer, first, rest string) {
	fmt.Fprintf(w, "%s%s\t%s\t%s\n", first, s.Text, s.Truth, until(s.Until))
	for i := range s.Parts {
		branch, beyond := branches(i == len(s.Parts)-1)
		s.Parts[i].draw(w, rest+branch, rest+beyond)
	}
}

func branches(last bool) (branch, beyond string) {
	if last {
		return "└─ ", "   "
	}
	return "├─ ", "│  "
}
