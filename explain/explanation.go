package explain

import (
	"slices"
	"strconv"
	"strings"

	"github.com/vigil-cds/vigil/explain/record"
	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/rules"
)

// Frame is what an explanation says that is not in the patient's facts.
type Frame struct {
	Patient   string
	Topic     string // the facts log, and the patient's partition of it
	Partition int32
	RuleSet   record.RuleSet // without ValueSets, which are the rule's
	Known     record.Known
	Facts     int // most facts shown of one term's window; those that decide are shown always
}

// Answer explains what the rule is of a patient, or of the period that the reference is about, with these facts
// at the instant now: with what is missing where it is unknown, what kept it from being true where it is false,
// and when time alone changes it, up to the instant until.
func (r *Reference) Answer(rule *rules.Rule, h History, now, until clinical.Instant, f Frame) *record.Explanation {
	patient := r.read(h)
	e := patient.explain(rule, now, f)
	e.Kind = record.Answer
	patient.answerTo(e, rule, now, until, f.fact)
	return e
}

// Explain explains a turn that the course has just given, within the call that gave it. A cause of
// record.CauseFact is given what the record changed.
func (c *Course) Explain(t Turn, cause record.Cause, gone, added []Statement, f Frame) *record.Explanation {
	c.reading.within(t.Rule, t.Period)
	e := c.reading.explain(t.Rule, t.At, f)
	e.Kind, e.Before = record.Cleared, record.TruthOf(t.Before)
	if t.Truth == rules.True {
		e.Kind = record.Fired
	}
	asked := func(s Statement) bool {
		return t.Rule.Each != 0 && c.reading.rest(t.Rule.Each, s.Fact.Stream) || slices.ContainsFunc(c.reading.termsOf(t.Rule.When), func(q *rules.Term) bool {
			return c.reading.concerns(q, s.Fact.Stream)
		})
	}
	for _, s := range added {
		if asked(s) {
			cause.Facts = append(cause.Facts, f.fact(s))
		}
	}
	for _, s := range gone {
		if asked(s) {
			cause.Gone = append(cause.Gone, f.fact(s))
		}
	}
	e.Cause = &cause
	return e
}

// explain is what can be said of a rule at an instant from the facts alone.
func (r *reading) explain(rule *rules.Rule, now clinical.Instant, f Frame) *record.Explanation {
	e := &record.Explanation{
		Schema: record.Schema, Patient: f.Patient, At: record.Instant(now), Known: f.Known, RuleSet: f.RuleSet,
		Rule: record.Rule{ID: rule.ID, Pack: rule.Pack, Version: rule.Version, Title: rule.Title, Severity: rule.Severity.String(),
			Source: rule.Source, When: rule.When.String()},
		Terms: []record.Term{}, Facts: []record.Fact{}, Suffices: []int{},
	}
	w := witness{reading: r, now: now, frame: f, places: map[uint64]int{}}
	w.terms = slices.Clip(r.termsOf(rule.When))
	if rule.Message != nil {
		for _, id := range rule.Message.Terms {
			if t := r.program.Terms[id]; !slices.Contains(w.terms, t) {
				w.terms = append(w.terms, t)
			}
		}
	}
	tree := w.node(rule.When)
	truth := tree.truth
	decide(&tree)
	enough := w.suffices(rule.When, truth, &tree)
	if !r.begun(rule, now) {
		truth = rules.False
	}
	e.Truth = record.TruthOf(truth)
	e.Terms, e.Facts, e.Suffices = w.evidence(rule, enough)
	e.Period = w.recorded(rule)
	root := tree.record()
	e.Tree = &root
	e.RuleSet.ValueSets = r.valueSets(w.terms)
	e.RuleSet.Parameters = parameters(rule)
	if rule.Each != 0 && !r.speaksOf(rule.Each).there() {
		e.Message = "No such period is on record."
	}
	if truth == rules.True && rule.Message != nil {
		e.Message = rule.Message.Render(w.values())
	}
	return e
}

// witness gathers what one explanation shows.
type witness struct {
	*reading
	now    clinical.Instant
	frame  Frame
	terms  []*rules.Term  // in the order of Explanation.Terms
	places map[uint64]int // of facts in Explanation.Facts, by Order
}

// values is the terms' answers by slot, as a message wants them.
func (w *witness) values() []rules.Value {
	values := make([]rules.Value, len(w.program.Terms))
	for _, t := range w.terms {
		values[t.ID] = w.term(t, w.now)
	}
	return values
}

// evidence is what each term asked and saw, with every fact that is shown, once, in order of time.
func (w *witness) evidence(rule *rules.Rule, enough map[uint64]bool) (terms []record.Term, facts []record.Fact, suffices []int) {
	shown := make([][]member, len(w.terms))
	var all []member
	if rule.Each != 0 { // what makes the period
		for _, m := range w.speaksOf(rule.Each).facts {
			enough[m.Order] = true
			all = append(all, m)
			w.behind(w.program.Inputs[rule.Each], m.Statement, func(x member) {
				enough[x.Order] = true
				all = append(all, x)
			})
		}
	}
	for i, t := range w.terms {
		seen := w.seen(t)
		shown[i] = w.choose(seen, enough)
		all = append(all, shown[i]...)
		if latest := w.latest(t); len(seen) == 0 && latest != nil {
			all = append(all, *latest)
		}
		for _, m := range shown[i] { // what makes it one of a derived input's facts
			w.behind(w.program.Inputs[t.Input], m.Statement, func(x member) {
				if enough[x.Order] {
					all = append(all, x)
				}
			})
		}
	}
	slices.SortFunc(all, inOrderOfTime)
	all = slices.CompactFunc(all, func(x, y member) bool { return x.Order == y.Order })
	facts, suffices = make([]record.Fact, len(all)), []int{}
	for i, m := range all {
		w.places[m.Order] = i
		facts[i] = w.frame.fact(m.Statement)
		if enough[m.Order] {
			suffices = append(suffices, i)
		}
	}
	terms = make([]record.Term, len(w.terms))
	for i, t := range w.terms {
		terms[i] = w.describe(t, shown[i])
	}
	return terms, facts, suffices
}

// seen is the facts that a term looks at: those of its window; those whose period meets it for active; the
// statement about the patient's person.
func (w *witness) seen(t *rules.Term) []member {
	switch {
	case t.Op.OfPatient():
		return w.latestPerson()
	case t.Op.OfPeriod():
		return w.speaksOf(t.Each).facts
	case t.Op == rules.Overlaps:
		return w.beside(t, w.now)
	case t.Op == rules.Active:
		return w.holding(t, w.now)
	}
	return w.window(t, w.now)
}

// recorded is the period of a rule that holds for each of an input's; nil of one that holds for the patient, and where
// there is none to speak of.
func (w *witness) recorded(rule *rules.Rule) *record.Period {
	if rule.Each == 0 || w.speaksOf(rule.Each).Start == clinical.Never {
		return nil
	}
	s, in := w.speaksOf(rule.Each), w.program.Inputs[rule.Each]
	p := &record.Period{Input: in.Name, Pack: in.Pack, Start: record.Instant(s.Start), End: record.Instant(s.End), Facts: make([]int, len(s.facts))}
	for i, m := range s.facts {
		p.Facts[i] = w.places[m.Order]
	}
	return p
}

// choose keeps the latest facts, as many as are to be shown, and those that decide.
func (w *witness) choose(seen []member, enough map[uint64]bool) []member {
	over := len(seen) - w.frame.Facts
	if over <= 0 {
		return seen
	}
	var chosen []member
	for i, m := range seen {
		if i >= over || enough[m.Order] {
			chosen = append(chosen, m)
		}
	}
	return chosen
}

// latest is the last fact of the term's input before its window.
func (w *witness) latest(t *rules.Term) *member {
	if t.Op.OfPatient() || t.Op.OfPeriod() || t.Op == rules.Overlaps || t.Window.At == rules.AtEnd {
		return nil
	}
	earliest := w.now + 1
	if t.Op != rules.Active {
		earliest, _ = w.bounds(t, w.now)
	}
	facts := w.input(t.Input)
	if i := since(facts, earliest); i > 0 {
		return &facts[i-1]
	}
	return nil
}

func (w *witness) describe(t *rules.Term, shown []member) record.Term {
	in := w.program.Inputs[t.Input]
	out := record.Term{Source: t.Source, Op: t.Op.String(), Input: in.Name, Pack: in.Pack, Value: record.Value(w.term(t, w.now)),
		Saw: len(w.seen(t)), Uses: make([]record.Use, len(shown))}
	for i, m := range shown {
		out.Uses[i] = record.Use{Fact: w.places[m.Order], Value: record.Value(m.value)}
	}
	if in.Kind == clinical.KindPatient {
		out.Input, out.Pack = in.Kind.String(), ""
		return out
	}
	if in.Type == clinical.Number {
		out.Unit = in.Unit
	}
	var where []string
	for _, e := range in.Where {
		where = append(where, e.String())
	}
	out.Where = strings.Join(where, " and ")
	unwindowed := t.Op == rules.Active && t.Window.All || t.Op == rules.Overlaps || t.Op.OfPeriod()
	if earliest, latest := w.bounds(t, w.now); !unwindowed && earliest <= latest {
		out.Window = &record.Window{Text: windowText(t.Window), To: record.Instant(latest)}
		if earliest != clinical.Never {
			from := record.Instant(earliest)
			out.Window.From = &from
		}
	}
	if m := w.latest(t); out.Saw == 0 && m != nil {
		out.Latest = &record.Use{Fact: w.places[m.Order], Value: record.Value(m.value)}
	}
	return out
}

// windowText is a window as packs write it: "7d", "during", "at_start 7d".
func windowText(w rules.Window) string {
	switch {
	case w.During:
		return "during"
	case w.At != rules.AtNow:
		return strings.TrimSpace(w.At.String() + " " + w.String())
	}
	return w.String()
}

// fact writes a statement down with where it came from.
func (f Frame) fact(s Statement) record.Fact {
	d := detailOf(s.Fact)
	out := record.Fact{
		Kind: s.Fact.Stream.Kind.String(), Codes: make([]string, len(s.Fact.Stream.Codes)), Value: sent(s.Fact, d), Unit: d.Unit,
		Precision: precisions[d.Precision], Recorded: record.Instant(s.Recorded), Resource: s.Resource,
		Topic: f.Topic, Partition: f.Partition, Offset: s.Offset(), Index: s.Index(),
	}
	for i, c := range s.Fact.Stream.Codes {
		out.Codes[i] = string(c)
	}
	if a := d.Attribute(clinical.AttrStatus); a != nil && len(a.Codes) > 0 {
		out.Status = string(a.Codes[0])
	}
	switch {
	case s.Version.Number != 0:
		out.Version = strconv.FormatInt(s.Version.Number, 10)
	case s.Version.Updated != 0:
		out.Version = s.Version.Updated.String()
	}
	if t := record.Instant(s.Fact.Time); s.Fact.Time != clinical.Never {
		out.Time = &t
	}
	alive := s.Fact.Stream.Kind == clinical.KindPatient && s.Fact.End == clinical.Forever
	if t := record.Instant(s.Fact.End); s.Fact.End != s.Fact.Time && s.Fact.End != clinical.Never && !alive {
		out.End = &t
	}
	return out
}

var precisions = [...]string{"millisecond", "second", "minute", "day", "month", "year"}

// sent is the fact's value as it was sent.
func sent(f clinical.Fact, d *clinical.Detail) record.Value {
	switch d.Type {
	case clinical.Number:
		return record.Value{Kind: rules.Number, Bound: d.Comparator, Num: f.Number}
	case clinical.Boolean:
		return record.Value(rules.BoolOf(f.Number != 0))
	case clinical.Text:
		return record.Value(rules.TextOf(d.Text))
	case clinical.Coded:
		if len(d.Codes) > 0 {
			return record.Value(rules.TextOf(string(d.Codes[0])))
		}
	}
	return record.Value{}
}

// parameters is what the rule uses that a site may set.
func parameters(rule *rules.Rule) []record.Parameter {
	var out []record.Parameter
	for _, p := range rule.Parameters {
		out = append(out, record.Parameter{Name: p.Name, Pack: p.Pack, Title: p.Title, Value: record.Value(p.Value),
			Default: record.Value(p.Default), Unit: p.Unit, Site: p.Site})
	}
	return out
}

// valueSetsOf is the value sets that decide which facts belong to an input: for their codes, and for what
// they say besides.
func valueSetsOf(in *rules.Input) []*rules.ValueSet {
	sets := slices.Clone(in.ValueSets)
	for _, condition := range in.Where {
		walk(condition, func(e rules.Expr) {
			if of, ok := e.(*rules.In); ok && of.Set != nil {
				sets = append(sets, of.Set)
			}
		})
	}
	return sets
}

// valueSets is those that decide which facts the terms see, each once.
func (r *Reference) valueSets(terms []*rules.Term) []record.ValueSet {
	var sets []record.ValueSet
	var met []*rules.ValueSet
	for _, t := range terms {
		for _, id := range r.rests[t.Input] {
			for _, set := range valueSetsOf(r.program.Inputs[id]) {
				if !slices.Contains(met, set) {
					met = append(met, set)
				}
			}
		}
	}
	for _, set := range met {
		sets = append(sets, record.ValueSet{Name: set.Name, URL: set.URL, Version: set.Version, Codes: len(set.Codes), Hash: set.Digest})
	}
	return sets
}
