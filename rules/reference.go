package rules

import (
	"fmt"
	"slices"
	"strings"

	"github.com/expr-lang/expr/ast"
)

// Limits of what one rule refers to.
const (
	// MaxReferences is how long a chain of rules may be of which each refers to the next.
	MaxReferences = 32
	// MaxParts is how many parts the condition of a rule may have, with those of the rules and scores that
	// it refers to.
	MaxParts = 20_000
)

// RuleRef is the truth of another rule of the set.
type RuleRef struct {
	ID   string
	When Expr // of the other rule
}

func (e *RuleRef) String() string { return written(e, (*Term).String) }

// ruleEntry is a rule as written with its pack, and what became of it.
type ruleEntry struct {
	pack *pack
	rule *ruleSource

	state resolution
	made  *Rule // nil when it has faults
	depth int   // of the longest chain of rules that begins with it
	parts int
}

// situation is what the compiler is in the midst of.
type situation struct {
	own   *scoreSource // the `score:` of the rule
	each  *Input       // for each of whose periods the rule holds; nil for the patient
	used  []*Parameter // by what is being compiled
	still int          // above zero where no time may elapse
	depth int          // of the rules referred to, so far
	chain int          // of the inputs asked, so far
}

// within begins something that is compiled by itself, and returns what it interrupts.
func (c *compiler) within(what string) situation {
	outer := c.now
	c.now = situation{still: outer.still}
	c.trail = append(c.trail, what)
	return outer
}

// leave goes back to what was interrupted and returns the parameters that were used. What is used by a part
// is used by the whole.
func (c *compiler) leave(outer situation) []*Parameter {
	used := c.now.used
	c.now = outer
	c.trail = c.trail[:len(c.trail)-1]
	return used
}

// use notes parameters that what is being compiled uses.
func (c *compiler) use(parameters ...*Parameter) {
	for _, q := range parameters {
		if q != nil && !slices.Contains(c.now.used, q) {
			c.now.used = append(c.now.used, q)
		}
	}
}

// circle spells out how what is being compiled leads back to itself.
func (c *compiler) circle(to string) string {
	at := slices.Index(c.trail, to)
	return strings.Join(append(slices.Clone(c.trail[max(at, 0):]), to), " → ")
}

// enter lists the rules of all packs, so that any may refer to any.
func (c *compiler) enter(packs []*pack) []*ruleEntry {
	var all []*ruleEntry
	c.entries = map[string]*ruleEntry{}
	for _, p := range packs {
		for _, r := range p.rules {
			if len(all) == MaxRules {
				c.add(r.at, fmt.Sprintf("the set has more than %d rules", MaxRules), "drop those that nobody needs, or run two sets in two services")
				return all
			}
			e := &ruleEntry{pack: p, rule: r}
			all = append(all, e)
			if first := c.entries[r.id]; r.id != "" && first != nil {
				c.add(r.at, fmt.Sprintf("the rule id %q is here twice", r.id), fmt.Sprintf("the other is %s:%d", first.rule.at.file, first.rule.at.line))
			} else if r.id != "" {
				c.entries[r.id] = e
			}
		}
	}
	return all
}

// compiled compiles a rule when it is first needed.
func (c *compiler) compiled(e *ruleEntry) {
	if e.state != untouched {
		return
	}
	e.state = underway
	outer := c.within("rule " + e.rule.id)
	c.now.still = 0
	if e.rule.score != nil {
		c.now.own = &scoreSource{name: ownScore, title: e.rule.title, at: e.rule.at, pack: e.pack, items: e.rule.score}
	}
	e.made = c.rule(e.pack, e.rule)
	e.depth = c.now.depth + 1
	if own := c.now.own; own != nil && own.state == untouched {
		c.add(e.rule.score.at(), "the rule's score is not compared with anything", "compare it in `when`, as in `when: score >= 5`")
	}
	used := c.leave(outer)
	if e.made != nil {
		e.made.Parameters = used
		e.parts = c.measured(e.made.When)
	}
	e.state = settled
}

const ownScore = "score"

// reference reads `rule('id')`.
func (k *checker) reference(n *ast.CallNode, at place) (Expr, typ) {
	if k.where != nil {
		k.fault(n, "`where` cannot ask for a rule: rules are asked about now", "write out what the fact must be like")
		return nil, broken
	}
	id, ok := ast.Node(nil), false
	if len(n.Arguments) == 1 {
		id = n.Arguments[0]
		_, ok = id.(*ast.StringNode)
	}
	if !ok {
		k.fault(n, "`rule` takes the id of a rule, in quotes", "as in `rule('aki-stage-1')`")
		return nil, broken
	}
	c := k.c
	name := id.(*ast.StringNode).Value
	e := c.entries[name]
	switch {
	case e == nil:
		var ids []string
		for known := range c.entries {
			ids = append(ids, known)
		}
		k.faultAt(id, fmt.Sprintf("unknown rule %q", name), didYouMeanOr(name, ids, "the rules of the set are"))
		return nil, broken
	case e.state == underway:
		k.faultAt(id, "the rule refers to itself: "+c.circle("rule "+name), "break the circle")
		return nil, broken
	}
	c.compiled(e)
	if e.made == nil {
		return nil, broken
	}
	if e.depth >= MaxReferences {
		k.faultAt(id, fmt.Sprintf("more than %d rules refer to each other in a chain", MaxReferences), "let the rule ask what it needs itself")
		return nil, broken
	}
	if e.made.Each != 0 && (c.now.each == nil || e.made.Each != c.now.each.ID) {
		k.faultAt(id, fmt.Sprintf("the rule %q holds for each %s by itself", name, c.inputs[e.made.Each].Name), "only a rule that is `for_each` of the same input may refer to it")
		return nil, broken
	}
	if (at != condition || c.now.still > 0) && asksElapsed(e.made.When) {
		k.faultAt(id, fmt.Sprintf("the rule %q asks for elapsed time, and may only be a condition of its own", name), "join it to the rest by and, or, not")
		return nil, broken
	}
	if (at != condition || c.now.still > 0) && !lowers(e.made.When) {
		k.faultAt(id, fmt.Sprintf("the rule %q is nested too deeply to stand here", name), "join it to the rest by and, or, not")
		return nil, broken
	}
	c.now.depth = max(c.now.depth, e.depth)
	c.use(e.made.Parameters...)
	return &RuleRef{ID: name, When: e.made.When}, boolean
}

func lowers(e Expr) bool {
	_, ok := lower(e)
	return ok
}

func asksElapsed(e Expr) bool {
	elapsed := false
	walk(e, func(t *Term) { elapsed = elapsed || t.Op.Elapsed() })
	return elapsed
}

// measured counts the parts of a condition, those of the rules that it refers to once for each time, up to
// one more than MaxParts.
func (c *compiler) measured(e Expr) int {
	n := 1
	if ref, ok := e.(*RuleRef); ok {
		if entry := c.entries[ref.ID]; entry != nil {
			n += entry.parts
		}
		return n
	}
	EachPart(e, func(part Expr) {
		if n <= MaxParts {
			n += c.measured(part)
		}
	})
	return n
}
