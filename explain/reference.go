package explain

import (
	"slices"
	"sync"

	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/internal/ucum"
	"github.com/vigil-cds/vigil/rules"
)

// Reference evaluates the rules of one program straight over a patient's facts. Any number of goroutines
// may use one at the same time, and no answer depends on an earlier question: what it remembers are
// things that are always so, such as which inputs list a code. A History given to it is only read.
type Reference struct {
	*knowledge
	start clinical.Instant // of the period that is spoken of: see About
}

// knowledge is what all references to a program share.
type knowledge struct {
	program *rules.Program
	asks    []asks                       // by input
	asking  [][]int32                    // by input: the rules whose condition asks it
	rests   [][]int                      // by input: see restsOn
	terms   map[rules.Expr][]*rules.Term // of each rule's condition

	conversions sync.Map // [3]string, from and to and the substance → conversion
	takers      sync.Map // a stream's key → []int, the inputs that list one of its codes
	once        sync.Once
	unstated    []rules.Truth // by rule: see baseline
}

// asks says which exclusions an input's `where` speaks about.
type asks struct{ negated, absent bool }

// NewReference evaluates p.
func NewReference(p *rules.Program) *Reference {
	r := &Reference{start: clinical.Never, knowledge: &knowledge{program: p, asks: make([]asks, len(p.Inputs)), asking: make([][]int32, len(p.Inputs)),
		rests: make([][]int, len(p.Inputs)), terms: make(map[rules.Expr][]*rules.Term, len(p.Rules))}}
	for i, in := range p.Inputs {
		r.rests[i] = r.restsOn(i)
		r.asks[i] = asks{asksFor(in.Where, clinical.AttrNegated), asksFor(in.Where, clinical.AttrAbsentReason)}
	}
	for i, rule := range p.Rules {
		r.terms[rule.When] = termsOf(rule.When)
		asked := make([]int, 0, 8)
		if rule.Each != 0 {
			asked = append(asked, rule.Each)
		}
		for _, t := range r.terms[rule.When] {
			asked = append(asked, t.Input)
		}
		for _, input := range asked {
			if a := &r.asking[input]; !slices.Contains(*a, int32(i)) {
				*a = append(*a, int32(i))
			}
		}
	}
	return r
}

// About is the same reference for the one of a rule's periods that begins at start: whatever it is asked about a
// rule that is `for_each` of an input, or about one of such a rule's terms, is about that period. Without it, and
// where no period begins at start, such a rule is false, and its terms about the period are missing.
func (r *Reference) About(start clinical.Instant) *Reference {
	return &Reference{knowledge: r.knowledge, start: start}
}

// Truth is what the rule says of a patient with these facts at the instant now.
func (r *Reference) Truth(rule *rules.Rule, h History, now clinical.Instant) rules.Truth {
	return r.read(h).truth(rule, now)
}

// Term is the term's answer at the instant now; missing where there is nothing to answer with.
func (r *Reference) Term(t *rules.Term, h History, now clinical.Instant) rules.Value {
	return r.read(h).term(t, now)
}

// Expr is the value of an expression over terms, such as a rule's When or a part of it, at now.
func (r *Reference) Expr(e rules.Expr, h History, now clinical.Instant) rules.Value {
	return r.read(h).expr(e, now)
}

// Score is the least and the greatest that a score can be at now.
func (r *Reference) Score(e *rules.Score, h History, now clinical.Instant) (least, greatest float64) {
	p := r.read(h)
	x := stretchOf(e, scope{term: func(t *rules.Term) rules.Value { return p.term(t, now) }})
	return x.least.Num, x.greatest.Num
}

// termsOf are the terms that e asks, only to be read: those of a rule's condition are at hand.
func (r *Reference) termsOf(e rules.Expr) []*rules.Term {
	if terms, ok := r.terms[e]; ok {
		return terms
	}
	return termsOf(e)
}

// takersOf is every input whose kind and codes take the stream.
func (r *Reference) takersOf(s clinical.Stream) []int {
	key := s.Key()
	if known, ok := r.takers.Load(key); ok {
		return known.([]int)
	}
	var ids []int
	for id, in := range r.program.Inputs {
		if takes(in, s) {
			ids = append(ids, id)
		}
	}
	r.takers.Store(key, ids)
	return ids
}

// conversion leads from one unit to another, if there is a way.
type conversion struct {
	ucum.Conversion
	ok bool
}

// conversion finds the way from one unit to another for the substance measured. A site may spell units in
// ways of its own.
func (r *Reference) conversion(from, to string, of ucum.Substance) conversion {
	key := [3]string{from, to, of.String()}
	if known, ok := r.conversions.Load(key); ok {
		return known.(conversion)
	}
	var c conversion
	source, err := ucum.ParseLoose(from, r.program.Units)
	if err == nil {
		var target ucum.Unit
		if target, err = ucum.ParseLoose(to, r.program.Units); err == nil {
			c.Conversion, err = of.Between(source, target)
		}
	}
	c.ok = err == nil
	r.conversions.Store(key, c)
	return c
}
