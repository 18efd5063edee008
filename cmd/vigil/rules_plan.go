package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/pointer"
	"github.com/vigil-cds/vigil/processor"
	"github.com/vigil-cds/vigil/rules"
)

func (a *app) rulesPlanCommand() *cobra.Command {
	var path, at string
	var from *siteFlags
	var histories []string
	c := &cobra.Command{
		Use:   "plan RULE --rules PATH",
		Short: "Show how a rule is folded: what data settles, and what stays a pointer",
		Long: `Draws the rule's tree and lists its terms: the facts each looks at, in which window, whether data alone
settles its answer or time can change it, and how many facts a read looks at. What data settles is
worked out once, as it arrives; the rest is resolved when somebody reads.

With --history it also says how the rule stands for each patient in those files, taken as vigil eval
takes them: each part's truth, and until when it holds if nothing new is stated.`,
		Example: `  vigil rules plan aki-kdigo-1 --rules packs/
  vigil rules plan aki-kdigo-1 --rules packs/ --history patient.json --now 2026-03-01T10:00:00Z`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if path == "" {
				return misused("rules plan needs --rules: name a rule pack or a directory of them")
			}
			now := time.Now()
			if at != "" {
				var err error
				if now, err = time.Parse(time.RFC3339Nano, at); err != nil {
					return misused("--now %s: write it as 2026-03-01T10:00:00Z", at)
				}
			}
			own, err := from.load()
			if err != nil {
				return err
			}
			set, program, err := compile(path, own)
			if err != nil {
				return err
			}
			rule, ok := program.Rule(args[0])
			if !ok {
				return misused("there is no rule %q in %s%s", args[0], path, suggestion(program, args[0]))
			}
			plan := pointer.NewPlan(program)
			out := outlined(plan.Outline(rule), program)
			if len(histories) > 0 {
				if out.Patients, err = a.looks(set, rule, own, histories, clinical.At(now)); err != nil {
					return err
				}
			}
			if a.json() {
				return a.printJSON(out)
			}
			out.print(a.stdout)
			return nil
		},
	}
	c.Flags().StringVar(&path, "rules", "", "rule pack, or directory of packs and value sets")
	c.Flags().StringArrayVar(&histories, "history", nil, "file of what is known of one or more patients; may be repeated")
	c.Flags().StringVar(&at, "now", "", "with --history: the instant, as 2026-03-01T10:00:00Z (default: this instant)")
	from = addSiteFlags(c, siteKeys...)
	return c
}

// suggestion is the rule of the nearest id, in words.
func suggestion(program *rules.Program, id string) string {
	if near := rules.NearestRule(program, id); near != "" {
		return fmt.Sprintf("; did you mean %s?", near)
	}
	return ": vigil rules list shows them"
}

// planned is an outline as it is printed.
type planned struct {
	Rule     string        `json:"rule"`
	Title    string        `json:"title"`
	When     string        `json:"when"`
	Baseline string        `json:"withoutFacts"`
	Tree     plannedNode   `json:"tree"`
	Terms    []plannedTerm `json:"terms"`
	Patients []plannedLook `json:"patients,omitempty"`
}

type plannedNode struct {
	Text    string        `json:"text"`
	Settled bool          `json:"settled"` // data alone decides it
	Kids    []plannedNode `json:"parts,omitempty"`
}

type plannedTerm struct {
	Source  string   `json:"source"`
	Input   string   `json:"input"`
	Kind    string   `json:"kind"`
	Codes   []string `json:"codes"`
	Where   string   `json:"where,omitempty"`
	Derived bool     `json:"derived"` // which facts belong depends on others
	Settled bool     `json:"settled"`
	Changes string   `json:"changes"`
	Reads   string   `json:"reads"`
	Rules   int      `json:"otherRules"`
}

type plannedLook struct {
	Patient string        `json:"patient"`
	Truth   string        `json:"truth"`
	Until   *time.Time    `json:"validUntil"`
	Atoms   []plannedAtom `json:"atoms"`
}

type plannedAtom struct {
	Source string     `json:"source"`
	Truth  string     `json:"truth"`
	Until  *time.Time `json:"validUntil"` // null: settled
}

var lives = [...]string{
	pointer.Settled: "settled by data", pointer.Passing: "pointer: a fact leaves the window, or comes into it",
	pointer.Elapsing: "pointer: time elapses", pointer.Ending: "pointer: a period ends",
	pointer.Birthdays: "pointer: a birthday comes", pointer.Death: "settled by data, until a stated death",
}

var reaches = [...]string{
	pointer.Person: "the person", pointer.Ends: "the facts at the window's ends", pointer.Chunks: "a summary of every 64 facts",
	pointer.Window: "every fact in the window", pointer.Periods: "every fact of the input",
}

func outlined(o pointer.Outline, program *rules.Program) *planned {
	settled := map[int]bool{}
	out := &planned{Rule: o.Rule.ID, Title: o.Rule.Title, When: o.Rule.When.String(), Baseline: o.Baseline.String()}
	for _, t := range o.Terms {
		settled[t.Term.ID] = t.Life == pointer.Settled
		term := plannedTerm{Source: t.Term.Source, Input: t.Input.Name, Kind: t.Input.Kind.String(), Derived: t.Input.Derived(), Settled: settled[t.Term.ID],
			Changes: lives[t.Life], Reads: reaches[t.Reach], Rules: t.Rules, Codes: []string{}}
		for code := range t.Input.Codes {
			term.Codes = append(term.Codes, string(code))
		}
		slices.Sort(term.Codes)
		var where []string
		for _, e := range t.Input.Where {
			where = append(where, e.String())
		}
		term.Where = strings.Join(where, " and ")
		out.Terms = append(out.Terms, term)
	}
	out.Tree = plannedTree(o.Rule.Tree, program, settled)
	return out
}

// plannedTree names the rule's tree; a part is settled when all that it is made of is.
func plannedTree(n *rules.Node, program *rules.Program, settled map[int]bool) plannedNode {
	out := plannedNode{Settled: true}
	switch n.Kind {
	case rules.NodeAtom:
		a := program.Atoms[n.Atom]
		out.Text = a.Source
		for _, t := range a.Terms {
			out.Settled = out.Settled && settled[t]
		}
		return out
	case rules.NodeConst:
		out.Text = n.Const.String()
	case rules.NodeAnd:
		out.Text = "and"
	case rules.NodeOr:
		out.Text = "or"
	case rules.NodeNot:
		out.Text = "not"
	default:
		out.Text = fmt.Sprintf("at least %d of", n.N)
	}
	for _, kid := range n.Kids {
		part := plannedTree(kid, program, settled)
		out.Settled = out.Settled && part.Settled
		out.Kids = append(out.Kids, part)
	}
	return out
}

// looks says how the rule stands for each patient in the files.
func (a *app) looks(set *rules.Set, rule *rules.Rule, own site, files []string, now clinical.Instant) ([]plannedLook, error) {
	said := newStatements(own, now)
	if err := said.read(files, a.stdin); err != nil {
		return nil, err
	}
	m, err := newMemory(own, set, processor.Observer{})
	if err != nil {
		return nil, err
	}
	defer func() { _ = m.close() }() // nothing of it is kept
	var patients []string
	for i := range said.records {
		if rec := &said.records[i]; rec.Activation == nil {
			if err := m.apply(rec); err != nil {
				return nil, fmt.Errorf("applying what the files state: %w", err)
			}
			if rec.Patient != "" {
				patients = append(patients, rec.Patient)
			}
		}
	}
	slices.Sort(patients)
	plan, err := m.sets.Plan(set.Hash())
	if err != nil {
		return nil, err
	}
	asked, _ := plan.Program.Rule(rule.ID)
	var out []plannedLook
	for _, id := range slices.Compact(patients) {
		p, err := m.partition.LoadAll(id)
		if err != nil {
			return nil, err
		}
		period := clinical.Never
		for _, of := range plan.Periods(asked, p.History) { // the latest that has begun
			if of.Start <= now {
				period = of.Start
			}
		}
		l := plan.Look(asked, period, p.History, now)
		look := plannedLook{Patient: id, Truth: l.Truth.String(), Until: instantOf(l.Until)}
		for i, atom := range l.Atoms {
			look.Atoms = append(look.Atoms, plannedAtom{plan.Program.Atoms[asked.Atoms[i]].Source, atom.Truth.String(), instantOf(atom.Until)})
		}
		out = append(out, look)
	}
	return out, nil
}

func instantOf(t clinical.Instant) *time.Time {
	if t == clinical.Forever {
		return nil
	}
	at := t.Time()
	return &at
}

func (p *planned) print(w io.Writer) {
	fmt.Fprintf(w, "%s: %s\nOf a patient without facts: %s.\n\n", p.Rule, p.Title, p.Baseline)
	tab := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	p.Tree.print(tab, "", "")
	_ = tab.Flush() // it writes to w, whose errors the terminal shows
	fmt.Fprintln(w)
	for _, t := range p.Terms {
		fmt.Fprintln(w, t.Source)
		what := t.Kind
		if n := len(t.Codes); n > 0 {
			what += ": " + strings.Join(t.Codes[:min(n, 3)], ", ")
			if n > 3 {
				what += fmt.Sprintf(" and %d more", n-3)
			}
		}
		fmt.Fprintf(w, "    %s\n", what)
		if t.Where != "" {
			fmt.Fprintf(w, "    where %s\n", t.Where)
		}
		if t.Derived {
			fmt.Fprintln(w, "    which facts belong is settled when data arrives; they are kept in a stream of their own")
		}
		fmt.Fprintf(w, "    %s; a read looks at %s\n", t.Changes, t.Reads)
		if t.Rules > 0 {
			fmt.Fprintf(w, "    asked by %s as well\n", plural(t.Rules, "other rule"))
		}
	}
	for _, look := range p.Patients {
		fmt.Fprintf(w, "\n%s: %s%s\n", look.Patient, look.Truth, until(look.Until))
		tab := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
		for _, atom := range look.Atoms {
			fmt.Fprintf(tab, "    %s\t%s\t%s\n", atom.Source, atom.Truth, strings.TrimPrefix(until(atom.Until), ", "))
		}
		_ = tab.Flush()
	}
}

func until(t *time.Time) string {
	if t == nil {
		return ", settled"
	}
	return ", live until " + t.Format("2006-01-02 15:04:05.000")
}

func (n *plannedNode) print(w io.Writer, first, rest string) {
	state := "pointer"
	if n.Settled {
		state = "settled"
	}
	fmt.Fprintf(w, "%s%s\t%s\n", first, n.Text, state)
	for i := range n.Kids {
		branch, beyond := "├─ ", "│  "
		if i == len(n.Kids)-1 {
			branch, beyond = "└─ ", "   "
		}
		n.Kids[i].print(w, rest+branch, rest+beyond)
	}
}
