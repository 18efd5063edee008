package rules

import (
	"fmt"
	"slices"

	"github.com/vigil-cds/vigil/internal/clinical"
)

// Derived reports whether it depends on other facts which facts belong to the input.
func (in *Input) Derived() bool { return len(in.Terms) > 0 }

// settleIn names the facts that belong. Another rule set may mean other facts by the input.
func (in *Input) settleIn(ruleSet string) {
	in.Settled = clinical.Code(fmt.Sprintf("%.16s|%d", ruleSet, in.ID))
}

// SettledIn is the stream of those facts of another stream that belong to a derived input. It has the codes
// of that stream besides its own, so that facts stay apart that are of different things.
func (in *Input) SettledIn(s clinical.Stream) clinical.Stream {
	return clinical.NewStream(clinical.KindDerived, append([]clinical.Code{in.Settled}, s.Codes...)...)
}

// anchored is the input's one Term that asks this at the time of a fact.
func (in *Input) anchored(of *Input, op Op, w Window, arg Argument) *Term {
	for _, t := range in.Terms {
		if t.Input == of.ID && t.Op == op && t.Window == w && t.Arg == arg {
			return t
		}
	}
	t := &Term{ID: len(in.Terms), Input: of.ID, Op: op, Window: w, Arg: arg, Source: asked(of, op, w, arg)}
	in.Terms = append(in.Terms, t)
	return t
}

// question tells a term from every other of a program, whichever input it is asked for.
func (t *Term) question() string {
	return fmt.Sprintf("#%d/%d.%s%+v%+v", t.Each, t.Input, t.Op, t.Window, t.Arg)
}

// during reads the inputs in a period of which the facts lie: a fact is in one that is active at its time.
func (c *compiler) during(in *inputSource, of *Input) bool {
	if in.during == nil {
		return true
	}
	items := []*node{in.during}
	if in.during.shape == list {
		items = in.during.items
		if len(items) == 0 {
			c.add(in.during.at(), "`during` names no inputs", "name at least one, or drop it")
			return false
		}
	}
	fine := true
	for _, item := range items {
		name := reader{&c.report}.word(item, "during")
		k := &checker{c: c, pack: in.pack, source: item, where: of}
		period := k.asked(name, func(problem, hint string) { c.add(item.at(), problem, hint) })
		if period == nil {
			fine = false
			continue
		}
		of.Where = append(of.Where, &TermRef{of.anchored(period, Active, Window{All: true}, Argument{})})
	}
	return fine
}

// asked finds an input by the name by which an expression asks it; nil after a fault, its own or this one.
func (k *checker) asked(name string, fault func(problem, hint string)) *Input {
	if name == "" {
		return nil
	}
	if of := k.pack.inputs[name]; k.where != nil && of != nil && of.state == underway {
		fault(fmt.Sprintf("%q is asked for in the making of itself", name), "break the circle: name the facts that it starts from in an input of their own")
		return nil
	}
	input, known := k.c.lookup(k.pack, name)
	if !known {
		fault(fmt.Sprintf("unknown input %q", name), k.pack.inputHint(name))
	}
	return input
}

// split parts the conditions that look at the fact alone from those that ask the input's Terms.
func (in *Input) split() (alone, related []Expr) {
	for _, e := range in.Where {
		asks := false
		walk(e, func(*Term) { asks = true })
		if asks {
			related = append(related, e)
		} else {
			alone = append(alone, e)
		}
	}
	return alone, related
}

// Candidate says whether a fact of a stream that Program.Candidates takes would belong to a derived input as
// far as the fact alone can tell. It is as safe, and as cheap, as Accept.
func (in *Input) Candidate(f *clinical.Fact) bool {
	_, ok := in.own(f)
	return ok
}

// Admits says whether a Candidate belongs, with the answers to the input's Terms at the fact's time, by
// Term.ID: unknown is not enough. It allocates nothing, and any number of goroutines may call it.
func (in *Input) Admits(f *clinical.Fact, values []Value) bool {
	d := detailOf(f)
	convert, _ := in.conversion(d)
	v, _ := in.valueOf(f.Number, d, convert)
	fact := in.evidence(v, f, d, convert)
	return !slices.ContainsFunc(in.accept.related, func(c code) bool { return c.eval(values, &fact).Truth() != True })
}
