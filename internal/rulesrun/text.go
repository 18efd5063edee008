package rulesrun

import (
	"fmt"
	"io"
	"strings"
)

// Text writes a result for a terminal: a line that says whether the case passed, and below it each thing
// that was not as expected beside what it was. The errors are w's.
func (r *Result) Text(w io.Writer) error {
	var b strings.Builder
	word := "ok  "
	if !r.Passed {
		word = "FAIL"
	}
	fmt.Fprintf(&b, "%s %s:%d: %s: %s\n", word, r.File, r.Line, r.Rule, r.Name)
	for _, p := range r.Problems {
		b.WriteString(p.text(r, "     "))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// text is a problem as some indented lines, expected above actual.
func (p *Problem) text(r *Result, indent string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s%s:%d", indent, r.File, p.Line)
	if p.At != "" {
		fmt.Fprintf(&b, ": at %s", p.At)
	}
	if p.Rule != r.Rule {
		fmt.Fprintf(&b, ": %s", p.Rule)
	}
	expected, actual := "expected", "actual"
	if p.Engine {
		b.WriteString(": the engine differs from the reference evaluator; this is no fault of the pack")
		expected, actual = "reference", "engine"
	}
	b.WriteByte('\n')
	width := max(len(expected), len(actual))
	line := func(name, text string) { fmt.Fprintf(&b, "%s  %-*s  %s\n", indent, width, name, text) }
	line(expected, p.What+" "+p.Expected)
	line(actual, p.What+" "+p.Actual)
	if p.Why != "" {
		line("because", p.Why)
	}
	return b.String()
}

// CoverageText writes a table of what was seen of each rule: for each atom T, F and U where it was seen
// true, false and unknown, and what was never seen in words. The errors are w's.
func CoverageText(w io.Writer, all []RuleCoverage) error {
	var b strings.Builder
	atoms := 0
	for _, rule := range all {
		cases := fmt.Sprintf("%d cases", rule.Cases)
		if rule.Cases == 1 {
			cases = "1 case"
		}
		fmt.Fprintf(&b, "%s:%d: %s (%s)\n", rule.File, rule.Line, rule.Rule, cases)
		for _, a := range rule.Atoms {
			atoms++
			var never []string
			if !a.True {
				never = append(never, "true")
			}
			if !a.False {
				never = append(never, "false")
			}
			fmt.Fprintf(&b, "  %s %s %s  %s", letter(a.True, "T"), letter(a.False, "F"), letter(a.Unknown, "U"), a.Atom)
			if len(never) > 0 {
				fmt.Fprintf(&b, "   <- never %s", strings.Join(never, " or "))
			}
			b.WriteByte('\n')
		}
	}
	fmt.Fprintf(&b, "coverage %.1f %%: of %d atoms, each to be seen true and false\n", Share(all), atoms)
	_, err := io.WriteString(w, b.String())
	return err
}

func letter(seen bool, s string) string {
	if seen {
		return s
	}
	return "."
}

// Text writes the changes that no case noticed, and how many there were. The errors are w's.
func (m *Mutation) Text(w io.Writer) error {
	var b strings.Builder
	for _, s := range m.Survivors {
		fmt.Fprintf(&b, "no case notices: %s\n", s)
	}
	for _, id := range m.Untested {
		fmt.Fprintf(&b, "no case at all: %s\n", id)
	}
	for _, name := range m.Failing {
		fmt.Fprintf(&b, "not changed, since its cases fail as it is: %s\n", name)
	}
	fmt.Fprintf(&b, "%d of %d changes noticed", m.Noticed, m.Tried())
	if m.Refused > 0 {
		fmt.Fprintf(&b, "; %d more do not compile", m.Refused)
	}
	if m.Left > 0 {
		fmt.Fprintf(&b, "; stopped with %d left to try", m.Left)
	}
	b.WriteByte('\n')
	_, err := io.WriteString(w, b.String())
	return err
}
