// Package planning puts into words how a rule is folded and read (pointer.Outline) and how it stands for a
// patient (pointer.Look): for the command line and for the service.
package planning

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/pointer"
	"github.com/vigil-cds/vigil/rules"
)

// Plan is how a rule is folded and read.
type Plan struct {
	RuleSet  string     `json:"ruleSet"`
	Rule     string     `json:"rule"`
	Title    string     `json:"title"`
	When     string     `json:"when"`
	Baseline string     `json:"withoutFacts"` // the truth of a patient of whom nothing is known
	Cost     Cost       `json:"cost"`
	Tree     Part       `json:"tree"`
	Terms    []Term     `json:"terms"`
	Patients []Standing `json:"patients,omitempty"`
}

// Cost is rules.Cost.
type Cost struct {
	Rows  int `json:"rows"`
	Facts int `json:"facts"`
}

// Part is a part of the rule's condition: an atom, or a join of parts.
type Part struct {
	Text    string `json:"text"`
	Settled bool   `json:"settled"` // data alone decides it
	Parts   []Part `json:"parts,omitempty"`
}

// Term is a question that the condition asks.
type Term struct {
	Term      string   `json:"term"`
	Input     string   `json:"input"`
	Kind      string   `json:"kind"`
	Codes     []string `json:"codes"` // the first in order; none: every code of the kind
	AllCodes  int      `json:"codesInAll"`
	ValueSets []string `json:"valueSets,omitempty"`
	Where     string   `json:"where,omitempty"`
	Derived   bool     `json:"derived"` // which facts belong depends on others
	Op        string   `json:"op"`
	Window    string   `json:"window"`
	Settled   bool     `json:"settled"`
	Changes   string   `json:"changes"`
	Reads     string   `json:"reads"`
	Cost      Cost     `json:"cost"`
	Rules     int      `json:"otherRules"` // that ask the same
}

// Standing is how the rule stands for one patient at an instant.
type Standing struct {
	Patient    string       `json:"patient"`
	Now        time.Time    `json:"now"`
	Period     *time.Time   `json:"period,omitempty"`     // the latest that has begun, of a rule that holds for each
	EachPeriod bool         `json:"eachPeriod,omitempty"` // the rule holds for each period of an input
	Truth      string       `json:"truth"`
	Until      *time.Time   `json:"validUntil"`
	Tree       PartStanding `json:"tree"`
	Terms      []TermValue  `json:"terms"`
}

// PartStanding is a part's truth, and until when it holds if nothing new is stated: null when data has settled
// it.
type PartStanding struct {
	Text  string         `json:"text"`
	Truth string         `json:"truth"`
	Until *time.Time     `json:"validUntil"`
	Parts []PartStanding `json:"parts,omitempty"`
}

// TermValue is a term's answer, and until when it holds; of elapsed time, until when it speaks of the same
// fact.
type TermValue struct {
	Term    string          `json:"term"`
	Value   json.RawMessage `json:"value"` // as rules.Value writes it; null: missing
	Until   *time.Time      `json:"validUntil"`
	Elapses bool            `json:"elapses,omitempty"` // another with every millisecond
}

// mostCodes is how many codes of an input are named.
const mostCodes = 5

var lives = [...]string{
	pointer.Settled:   "settled by data",
	pointer.Passing:   "pointer: a fact leaves the window, or comes into it",
	pointer.Elapsing:  "pointer: time elapses",
	pointer.Ending:    "pointer: a period ends",
	pointer.Birthdays: "pointer: a birthday comes",
	pointer.Death:     "settled by data, until a stated death",
}

var reaches = [...]string{
	rules.Person:  "the person",
	rules.Ends:    "the facts at the window's ends",
	rules.Chunks:  "a summary of every 64 facts",
	rules.Inside:  "every fact in the window",
	rules.Periods: "every fact of the input",
}

// Of describes one of the plan's rules.
func Of(plan *pointer.Plan, rule *rules.Rule) *Plan {
	o, program := plan.Outline(rule), plan.Program
	settled := map[int]bool{}
	out := &Plan{RuleSet: program.Hash, Rule: rule.ID, Title: rule.Title, When: rule.When.String(), Baseline: o.Baseline.String(),
		Cost: Cost(o.Cost), Terms: []Term{}}
	for _, t := range o.Terms {
		settled[t.Term.ID] = t.Life == pointer.Settled
		out.Terms = append(out.Terms, termOf(t))
	}
	out.Tree = partOf(rule.Tree, program, settled)
	return out
}

func termOf(t pointer.TermOutline) Term {
	in := t.Input
	out := Term{Term: t.Term.Source, Input: in.Name, Kind: in.Kind.String(), Derived: in.Derived(), Op: t.Term.Op.String(),
		Window: "all of the past", Settled: t.Life == pointer.Settled, Changes: lives[t.Life], Reads: reaches[t.Reach], Cost: Cost(t.Cost),
		Rules: t.Rules, Codes: []string{}, AllCodes: len(in.Codes)}
	switch {
	case t.Term.Op.OfPeriod(), t.Term.Op == rules.Overlaps, t.Term.Window.During:
		out.Window = "the period"
	case t.Term.Op.OfPatient(), t.Term.Op == rules.Active && t.Term.Window.All:
		out.Window = "now"
	case !t.Term.Window.All:
		out.Window = t.Term.Window.String()
	}
	switch t.Term.Window.At {
	case rules.AtStart:
		out.Window += ", as of the period's start"
	case rules.AtEnd:
		out.Window += ", as of the period's end"
	}
	for code := range in.Codes {
		out.Codes = append(out.Codes, string(code))
	}
	slices.Sort(out.Codes)
	out.Codes = out.Codes[:min(len(out.Codes), mostCodes)]
	for _, set := range in.ValueSets {
		out.ValueSets = append(out.ValueSets, set.Name)
	}
	var where []string
	for _, e := range in.Where {
		where = append(where, e.String())
	}
	out.Where = strings.Join(where, " and ")
	return out
}

// partOf names the rule's tree; a part is settled when all that it is made of is.
func partOf(n *rules.Node, program *rules.Program, settled map[int]bool) Part {
	out := Part{Text: textOf(n, program), Settled: true}
	if n.Kind == rules.NodeAtom {
		for _, t := range program.Atoms[n.Atom].Terms {
			out.Settled = out.Settled && settled[t]
		}
	}
	for _, kid := range n.Kids {
		part := partOf(kid, program, settled)
		out.Settled = out.Settled && part.Settled
		out.Parts = append(out.Parts, part)
	}
	return out
}

func textOf(n *rules.Node, program *rules.Program) string {
	switch n.Kind {
	case rules.NodeAtom:
		return program.Atoms[n.Atom].Source
	case rules.NodeConst:
		return n.Const.String()
	case rules.NodeAnd:
		return "and"
	case rules.NodeOr:
		return "or"
	case rules.NodeNot:
		return "not"
	}
	return fmt.Sprintf("at least %d of", n.N)
}

// Stands says how the rule stands for a patient whose history is settled for the plan: one that holds for each
// period of an input for the latest that has begun. Before any has, it is false.
func Stands(plan *pointer.Plan, rule *rules.Rule, patient string, h *pointer.History, now clinical.Instant) (Standing, error) {
	if h == nil {
		h = pointer.NewHistory()
	}
	period, coming := clinical.Never, clinical.Forever
	for _, of := range plan.Periods(rule, h) {
		if of.Start > now {
			coming = of.Start
			break
		}
		period = of.Start
	}
	look := plan.Look(rule, period, h, now)
	if rule.Each != 0 && period == clinical.Never {
		look.Until = coming
	}
	out := Standing{Patient: patient, Now: now.Time(), Truth: look.Truth.String(), Until: instantOf(look.Until), EachPeriod: rule.Each != 0,
		Tree: standingOf(rule.Tree, plan.Program, look.Tree), Terms: []TermValue{}}
	if period != clinical.Never {
		start := period.Time()
		out.Period = &start
	}
	for i, id := range rule.Terms {
		t, answer := plan.Program.Terms[id], look.Terms[i]
		value, err := json.Marshal(answer.Value)
		if err != nil {
			return out, fmt.Errorf("writing the answer to %s: %w", t.Source, err)
		}
		out.Terms = append(out.Terms, TermValue{Term: t.Source, Value: value, Until: instantOf(answer.Until),
			Elapses: t.Op.Elapsed() && answer.Value.Kind != rules.Missing})
	}
	return out, nil
}

func standingOf(n *rules.Node, program *rules.Program, s pointer.Standing) PartStanding {
	out := PartStanding{Text: textOf(n, program), Truth: s.Truth.String(), Until: instantOf(s.Until)}
	for i, kid := range n.Kids {
		out.Parts = append(out.Parts, standingOf(kid, program, s.Kids[i]))
	}
	return out
}

func instantOf(t clinical.Instant) *time.Time {
	if t == clinical.Forever {
		return nil
	}
	at := t.Time()
	return &at
}
