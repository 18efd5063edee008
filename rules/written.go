package rules

import (
	"cmp"
	"slices"

	"github.com/vigil-cds/vigil/internal/clinical"
)

// Place is where something is written: a file of the set, and a line and a column that count from 1. Col
// counts characters, not bytes.
type Place struct {
	File      string
	Line, Col int
}

// Written is a Program beside the text it was compiled from: what tools for the author of a pack read
// (lints, editors), and the engine does not. It is immutable, and so safe for concurrent use.
type Written struct {
	Program   *Program
	Inputs    []WrittenInput    // every input of every pack, in the order of the set
	ValueSets []WrittenValueSet // those that packs declare themselves; FHIR files may hold more than is used

	rules map[string]position
	exprs map[Expr]position
	terms map[*Term]position
}

// WrittenInput is an input as a pack declares it.
type WrittenInput struct {
	Place
	Pack, Name string
	Input      *Input // shared with every pack that declares the same
	Unit       Place  // of `unit:`; the zero Place where the input takes its unit from another, or has none
	Used       bool   // a rule, a message or another input speaks of it
}

// WrittenValueSet is a value set as a pack declares it.
type WrittenValueSet struct {
	Place
	Pack, Name string
	Used       bool
}

// Read compiles a set as Compile does, and keeps where everything is written.
func Read(files []clinical.File, opts CompileOptions) (*Written, error) {
	c := newCompiler(opts)
	c.places = &places{exprs: map[Expr]position{}, terms: map[*Term]position{}}
	program, packs, err := c.compile(NewSet(files...))
	if err != nil {
		return nil, err
	}
	w := &Written{Program: program, rules: map[string]position{}, exprs: c.places.exprs, terms: c.places.terms}
	for _, p := range packs {
		for _, r := range p.rules {
			w.rules[r.id] = r.at
		}
		for _, in := range p.order {
			written := WrittenInput{Place: placeOf(in.at), Pack: p.name, Name: in.name, Input: in.input, Used: in.asked}
			if in.unit != nil {
				written.Unit = placeOf(in.unit.at())
			}
			w.Inputs = append(w.Inputs, written)
		}
		for name, at := range p.valueSetAt {
			w.ValueSets = append(w.ValueSets, WrittenValueSet{placeOf(at), p.name, name, p.usedSets[p.valueSets[name]]})
		}
	}
	slices.SortFunc(w.ValueSets, func(x, y WrittenValueSet) int { return x.Compare(y.Place) })
	return w, nil
}

// Rule is the place of a rule's id.
func (w *Written) Rule(r *Rule) Place { return placeOf(w.rules[r.ID]) }

// Expr is the place where an expression of a rule's When or an input's Where begins. It is false for one
// that the compiler made itself.
func (w *Written) Expr(e Expr) (Place, bool) {
	at, ok := w.exprs[e]
	return placeOf(at), ok
}

// Term is the first place that asks this.
func (w *Written) Term(t *Term) (Place, bool) {
	at, ok := w.terms[t]
	return placeOf(at), ok
}

func placeOf(at position) Place { return Place{at.file, at.line, at.col} }

// places notes where expressions are written. A nil one notes nothing.
type places struct {
	exprs map[Expr]position
	terms map[*Term]position
}

func (p *places) note(e Expr, at position) {
	if p == nil {
		return
	}
	p.exprs[e] = at
	if t, ok := e.(*TermRef); ok {
		if _, before := p.terms[t.Term]; !before {
			p.terms[t.Term] = at
		}
	}
}

// Compare orders places by file, line and column.
func (p Place) Compare(q Place) int {
	return cmp.Or(cmp.Compare(p.File, q.File), cmp.Compare(p.Line, q.Line), cmp.Compare(p.Col, q.Col))
}
