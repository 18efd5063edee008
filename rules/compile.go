package rules

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/rules/schema"
)

// Limits of one rule.
const (
	// MaxTerms is how many different terms a rule may ask.
	MaxTerms = 256
	// MaxNesting is how deep all, any, none and at_least may stand in each other.
	MaxNesting = 32
)

// CompileOptions are what a site adds to a rule set. The zero value is fine.
type CompileOptions struct {
	Zone  *time.Location    // for calendar lengths, ages and times in messages; a pack's own zone wins; nil is UTC
	Units map[string]string // the site's own unit spellings, each with the UCUM code it means
}

// Compile turns the files of a set, in any order, into a Program. Either every file is without fault,
// or the error is the Faults of all files at once and there is no Program. It keeps no reference to
// the files' data.
func Compile(files []clinical.File, opts CompileOptions) (*Program, error) {
	program, _, err := newCompiler(opts).compile(NewSet(files...))
	return program, err
}

func newCompiler(opts CompileOptions) *compiler {
	opts.Units = maps.Clone(opts.Units)
	c := &compiler{
		opts: opts, inputKeys: map[string]*Input{}, termKeys: map[termKey]*Term{},
		atomKeys: map[string]*Atom{}, packAt: map[string]position{},
	}
	c.inputs = []*Input{{Name: "patient", Kind: clinical.KindPatient}}
	return c
}

// compile gives the packs as written beside the Program that they make.
func (c *compiler) compile(set *Set) (*Program, []*pack, error) {
	packs := c.read(set.Files)
	c.zoned = c.zone(packs)
	for _, p := range packs {
		for _, in := range p.order {
			if !c.full() {
				c.resolve(in)
			}
		}
	}
	entries := c.enter(packs)
	for _, e := range entries {
		if !c.full() {
			c.compiled(e)
		}
	}
	for _, p := range packs {
		for _, s := range p.scoreOrder {
			c.score(s)
		}
	}
	if err := c.err(); err != nil {
		return nil, nil, err
	}
	return c.program(set.Hash(), c.zoned, packs), packs, nil
}

// compiler gathers what the rules share.
type compiler struct {
	report
	opts      CompileOptions
	valueSets *valueSetLibrary
	members   map[*ValueSet]*members
	inputs    []*Input
	inputKeys map[string]*Input
	terms     []*Term
	termKeys  map[termKey]*Term
	atoms     []*Atom
	atomKeys  map[string]*Atom
	rules     []*Rule
	packAt    map[string]position

	zoned     *time.Location
	entries   map[string]*ruleEntry // by id
	now       situation
	trail     []string // what is being compiled, the outermost first
	nextScore int
	places    *places // nil unless somebody asks where things are written
}

type termKey struct {
	each   int
	input  int
	op     Op
	window Window
	arg    Argument
}

// term is the one Term that asks this, of a period of the input each or of the patient.
func (c *compiler) term(each, input int, op Op, w Window, arg Argument) *Term {
	key := termKey{each, input, op, w, arg}
	if t := c.termKeys[key]; t != nil {
		return t
	}
	t := &Term{ID: len(c.terms), Each: each, Input: input, Op: op, Window: w, Arg: arg, Source: asked(c.inputs[input], op, w, arg)}
	c.terms = append(c.terms, t)
	c.termKeys[key] = t
	return t
}

// asked is a term as a pack writes it.
func asked(in *Input, op Op, w Window, arg Argument) string {
	switch {
	case op.OfPatient():
		return "patient." + op.String()
	case op.OfPeriod():
		return op.String()
	}
	said := arg.said(op, w)
	if in.Filter != "" && said != "" {
		said += ", "
	}
	said += in.Filter
	switch {
	case w.During:
		return fmt.Sprintf("%s.during().%s(%s)", in.Name, op, said)
	case w.At != AtNow:
		return fmt.Sprintf("%s.%s().%s(%s)", in.Name, w.At, op, said)
	}
	return fmt.Sprintf("%s.%s(%s)", in.Name, op, said)
}

// read reads every file; the value sets first, since any pack may use them.
func (c *compiler) read(files []clinical.File) []*pack {
	var packs []*pack
	var site []*node
	var sets []*fhirValueSet
	for i, f := range files {
		if i > 0 && files[i-1].Name == f.Name {
			c.add(position{f.Name, 1, 1}, "two files of the set have this name", "rename one of them")
		}
		if isParametersFile(f.Name) {
			if root := parseYAML(f.Name, f.Data, &c.report); root != nil {
				site = append(site, root)
			}
			continue
		}
		switch path.Ext(f.Name) {
		case ".json":
			sets = append(sets, readValueSets(f.Name, f.Data, &c.report)...)
		case ".yaml", ".yml":
			p := readPack(f.Name, f.Data, &c.report)
			if p == nil {
				continue
			}
			packs = append(packs, p)
			if first, twice := c.packAt[p.name]; twice && p.name != "" {
				c.add(p.at, fmt.Sprintf("the pack %q is here twice", p.name), fmt.Sprintf("the other is %s:%d", first.file, first.line))
			}
			c.packAt[p.name] = p.at
		default:
			c.add(position{f.Name, 1, 1}, "neither a pack nor a value set", "packs end in .yaml, value sets in .json")
		}
	}
	c.override(packs, site)
	c.valueSets = newValueSetLibrary(sets, valueSetLimits{MaxCodes, MaxCodesInAll}, &c.report)
	return packs
}

// zone is the one that a pack names: clocks on the wall agree within a site, so packs must agree too.
func (c *compiler) zone(packs []*pack) *time.Location {
	var named *pack
	for _, p := range packs {
		switch {
		case p.zone == nil:
		case named == nil:
			named = p
		case named.zone.String() != p.zone.String():
			c.add(p.zoneAt, fmt.Sprintf("the pack's zone is %s, and that of the pack %q is %s", p.zone, named.name, named.zone),
				"all packs of a set share one zone")
		}
	}
	switch {
	case named != nil:
		return named.zone
	case c.opts.Zone != nil:
		return c.opts.Zone
	}
	return time.UTC
}

// rule compiles a rule as written; nil after a fault of its condition.
func (c *compiler) rule(p *pack, r *ruleSource) *Rule {
	rule := &Rule{ID: r.id, Pack: p.name, Version: r.version, Title: r.title, Severity: r.severity, Source: r.source,
		Tags: r.tags, File: r.at.file, Line: r.at.line}
	if r.forEach != nil {
		if rule.Each = c.each(p, r); rule.Each == 0 {
			return nil
		}
	}
	rule.Message = c.message(p, r, c.zoned)
	if r.when == nil {
		return nil
	}
	rule.When = c.condition(p, r.when, 0)
	if rule.When == nil {
		return nil
	}
	if parts := c.measured(rule.When); parts > MaxParts {
		c.add(r.at, fmt.Sprintf("the rule has more than %d parts, with the rules that it refers to", MaxParts), "refer to each once, or split it")
		return nil
	}
	terms := map[int]struct{}{}
	walk(rule.When, func(t *Term) { terms[t.ID] = struct{}{} })
	if len(terms) > MaxTerms {
		c.add(r.at, fmt.Sprintf("the rule asks %d different questions, more than %d", len(terms), MaxTerms), "split it")
		return nil
	}
	rule.Terms = slices.Sorted(maps.Keys(terms))
	if cost := ruleCost(c.terms, c.inputs, rule); cost.Facts > MaxCost {
		c.add(r.at, fmt.Sprintf("a read of the rule may look at %d facts, more than %d", cost.Facts, MaxCost),
			"ask shorter windows, or min, max, mean and sum, which take summaries of many facts at once")
		return nil
	}
	atoms := map[int]struct{}{}
	rule.Tree = c.split(rule.When, r.when.at(), atoms)
	rule.Atoms = slices.Sorted(maps.Keys(atoms))
	c.rules = append(c.rules, rule)
	return rule
}

// condition reads a `when`: an expression, or all, any, none or at_least of conditions.
func (c *compiler) condition(p *pack, n *node, nesting int) Expr {
	r := reader{&c.report}
	switch {
	case n.shape == scalar:
		return (&checker{c: c, pack: p, source: n}).expression()
	case n.shape != mapping:
		c.add(n.at(), "a condition is an expression, or one of all, any, none, at_least", "a list of conditions stands under `all:` or `any:`")
		return nil
	case nesting >= MaxNesting:
		c.add(n.at(), fmt.Sprintf("conditions are nested more than %d deep", MaxNesting), "split the rule")
		return nil
	}
	keys := r.keys(n, "a condition", schema.Condition.Names()...)
	if len(keys) != 1 || len(n.pairs) != 1 {
		if len(keys) == len(n.pairs) {
			c.add(n.at(), "a condition has one of the keys all, any, none, at_least", "nest one in the other")
		}
		return nil
	}
	op := n.pairs[0].key.text
	of, least := keys[op], 0
	if op == "at_least" {
		inner := r.keys(of, "at_least", schema.AtLeast.Names()...)
		if of.shape == mapping {
			r.required(of.at(), "at_least", inner, "n", "of")
		}
		if inner["n"] == nil || inner["of"] == nil {
			return nil
		}
		least, of = r.wholeNumber(inner["n"], "n"), inner["of"]
		if of.shape == list && least > len(of.items) {
			c.add(inner["n"].at(), fmt.Sprintf("at_least asks for %d of %d conditions", least, len(of.items)), "it could never be true")
			return nil
		}
	}
	if !r.is(of, list, op) {
		return nil
	}
	if len(of.items) == 0 {
		c.add(of.at(), fmt.Sprintf("`%s` lists no conditions", op), "list at least one")
		return nil
	}
	out := &Combination{Op: op, N: least}
	for _, item := range of.items {
		if kid := c.condition(p, item, nesting+1); kid != nil {
			out.Kids = append(out.Kids, kid)
		}
	}
	if len(out.Kids) < len(of.items) || op == "at_least" && least == 0 {
		return nil
	}
	c.places.note(out, n.at())
	return out
}

func (c *compiler) program(hash string, zone *time.Location, packs []*pack) *Program {
	slices.SortFunc(c.rules, func(x, y *Rule) int { return strings.Compare(x.ID, y.ID) })
	p := &Program{Hash: hash, Zone: zone, Units: c.opts.Units, Inputs: c.inputs, Terms: c.terms, Atoms: c.atoms, Rules: c.rules,
		ValueSets: c.allValueSets(packs), named: inputsByName(packs)}
	for _, pack := range packs {
		p.packs = append(p.packs, pack.name)
		p.Parameters = append(p.Parameters, pack.parameters...)
	}
	slices.Sort(p.packs)
	slices.SortStableFunc(p.Parameters, func(x, y *Parameter) int { return strings.Compare(x.Pack, y.Pack) })
	c.qualify()
	for _, in := range p.Inputs {
		if !in.Derived() {
			p.index.add(in)
			continue
		}
		in.settleIn(hash)
		p.index.addCode(clinical.KindDerived, in.Settled, in)
		p.candidates.add(in)
		p.derived = append(p.derived, int32(in.ID))
	}
	p.rulesOfInput = make([][]int32, len(p.Inputs))
	for i, r := range p.Rules {
		r.Index = i
		if r.Each != 0 {
			p.rulesOfInput[r.Each] = append(p.rulesOfInput[r.Each], int32(i))
		}
		for _, ids := range [][]int{r.Terms, r.Message.Terms} {
			for _, id := range ids {
				in := p.Terms[id].Input
				if of := p.rulesOfInput[in]; len(of) == 0 || of[len(of)-1] != int32(i) {
					p.rulesOfInput[in] = append(of, int32(i))
				}
			}
		}
	}
	return p
}

// qualify puts the pack's name before terms of inputs whose name means something else in another pack,
// and writes the atoms' sources.
func (c *compiler) qualify() {
	first := map[string]int{}
	ambiguous := map[string]bool{}
	for _, in := range c.inputs {
		if in.Filter != "" {
			continue
		}
		if _, seen := first[in.Name]; seen {
			ambiguous[in.Name] = true
		}
		first[in.Name] = in.ID
	}
	qualified := func(terms []*Term) {
		for _, t := range terms {
			if in := c.inputs[t.Input]; ambiguous[in.Name] && !t.Op.OfPeriod() {
				t.Source = in.Pack + "/" + t.Source
			}
		}
	}
	qualified(c.terms)
	met := map[*Term]bool{}
	for _, in := range c.inputs {
		own := slices.DeleteFunc(slices.Clone(in.Terms), func(t *Term) bool { return met[t] })
		qualified(own)
		for _, t := range own {
			met[t] = true // inputs made from this one have it, too
		}
	}
	for _, a := range c.atoms {
		a.Source = a.Expr.String()
	}
}
