package explain

import (
	"fmt"
	"maps"
	"math/bits"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vigil-cds/vigil/explain/record"
	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/rules"
)

// draw makes conditions over the inputs of changePack and facts for them. Numbers come from a short list
// and times from a coarse grid, so that ties and edges are common.
type draw struct{ *rand.Rand }

func oneOf[T any](d draw, of ...T) T { return of[d.IntN(len(of))] }

func (d draw) window() string {
	return oneOf(d, "", "", "'1h'", "'6h'", "'1d'", "'3d'", "'3d..1h'", "'1mo'", "'2mo..1d'", "'1y'")
}

func (d draw) number() string {
	if d.IntN(4) == 0 {
		return fmt.Sprint(oneOf(d, 0.9, 1, 1.2, 1.5, 2, 2.1, 3))
	}
	x := fmt.Sprintf("%s.%s(%s)", oneOf(d, "creatinine", "creatinine", "temperature", "high", "raised", "flagged"),
		oneOf(d, "last", "last", "first", "min", "max", "sum", "mean", "delta", "count"), d.window())
	switch d.IntN(5) {
	case 0:
		return fmt.Sprintf("(%s ?? %v)", x, oneOf(d, 0, 1, 2))
	case 1:
		return fmt.Sprintf("(%s %s %s)", x, oneOf(d, "+", "-", "*", "/"), d.number())
	case 2:
		return fmt.Sprintf("(%s ? %s : %s)", d.atom(), x, d.number())
	}
	return x
}

func (d draw) atom() string {
	compare := oneOf(d, "<", "<=", ">", ">=", "==", "!=")
	switch d.IntN(10) {
	case 0, 1:
		return fmt.Sprintf("%s.exists(%s)", oneOf(d, "creatinine", "high", "raised", "flagged", "dialysis", "nsaid", "finished"), d.window())
	case 2:
		return oneOf(d, "nsaid", "finished") + ".active()"
	case 3:
		return fmt.Sprintf("dialysis.count(%s) %s %d", d.window(), compare, d.IntN(4))
	case 4:
		return fmt.Sprintf("blood_group.last(%s) %s 'A'", d.window(), oneOf(d, "==", "!="))
	case 5:
		return oneOf(d, "pregnant.last()", "urine.last() in ['cloudy', 'red']", "patient.sex == 'female'", "patient.age >= 40", "patient.deceased")
	case 6:
		return fmt.Sprintf("creatinine.hours_since(%s) %s %v", d.window(), oneOf(d, "<", "<=", ">", ">="), oneOf(d, 0.5, 5, 24, 48))
	}
	return d.number() + " " + compare + " " + d.number()
}

// conditions draws what the language admits.
func (d draw) conditions(n int) *rules.Program {
	for {
		pack := changePack
		for i := range n {
			pack += fmt.Sprintf("  - {id: r%d, title: It, severity: info, source: x, when: %q}\n", i, d.atom())
		}
		if p, err := rules.Compile([]clinical.File{{Name: "p.yaml", Data: []byte(pack)}}, rules.CompileOptions{}); err == nil {
			return p
		}
	}
}

// tree puts the conditions together, with repeats.
func (d draw) tree(atoms []rules.Expr, depth int) rules.Expr {
	if depth == 0 || d.IntN(4) == 0 {
		return atoms[d.IntN(len(atoms))]
	}
	switch d.IntN(6) {
	case 0:
		return not(d.tree(atoms, depth-1))
	case 1, 2:
		return apply(d.tree(atoms, depth-1), oneOf(d, "and", "or"), d.tree(atoms, depth-1))
	}
	c := &rules.Combination{Op: oneOf(d, "all", "any", "none", "at_least")}
	for range 1 + d.IntN(4) {
		c.Kids = append(c.Kids, d.tree(atoms, depth-1))
	}
	if c.Op == "at_least" {
		c.N = 1 + d.IntN(len(c.Kids))
	}
	return c
}

func (d draw) facts() History {
	var facts []clinical.Fact
	for range d.IntN(9) {
		at := noon - oneOf(d, 0, 1, hour, hour, 6*hour, day, 3*day, 30*day, 31*day, 366*day) + oneOf[clinical.Instant](d, 0, 0, 0, 1, 2*hour)
		switch d.IntN(9) {
		case 0:
			facts = append(facts, dialysis(at))
		case 1:
			facts = append(facts, clinical.Fact{Stream: clinical.NewStream(clinical.KindMedication, oneOf[clinical.Code](d, "rxnorm|9", "rxnorm|5640")), Time: at,
				End:    oneOf(d, at, noon-1, noon+day, clinical.Forever),
				Detail: &clinical.Detail{Attributes: []clinical.Attribute{figure("dose", oneOf(d, 200.0, 400)), token("dose_unit", "mg"), token("status", oneOf[clinical.Code](d, "active", "completed", "stopped"))}}})
		case 2:
			facts = append(facts, measured("loinc|8310-5", at, oneOf(d, 36.5, 38.3, 39), "Cel"))
		case 3:
			switch d.IntN(3) {
			case 0:
				facts = append(facts, observation(at, 0, &clinical.Detail{}))
			case 1:
				facts = append(facts, clinical.Fact{Stream: clinical.NewStream(clinical.KindObservation, "loinc|883-9"), Time: at, End: at,
					Detail: &clinical.Detail{Type: clinical.Coded, Codes: []clinical.Code{oneOf[clinical.Code](d, "A", "B")}}})
			default:
				facts = append(facts, person(oneOf(d, clinical.Never, noon-39*366*day, noon-50*366*day), clinical.Forever, token("sex", "male")))
			}
		default:
			detail := &clinical.Detail{Type: clinical.Number, Unit: oneOf(d, "mg/dL", "mg/dL", "mg/dL", "mg/L", "umol/L", "")}
			if d.IntN(6) == 0 {
				detail.Comparator = oneOf(d, clinical.Below, clinical.Above)
			}
			if d.IntN(2) == 0 {
				detail.Attributes = []clinical.Attribute{token("interpretation", oneOf[clinical.Code](d, "H", "N")), figure("reference_high", 1.3)}
			}
			facts = append(facts, observation(at, oneOf(d, 0.9, 1, 1.2, 1.3, 1.5, 2, 2.1, 3), detail))
		}
	}
	return inOrder(facts...)
}

func TestWhateverAnAnswerClaimsIsSo(t *testing.T) {
	found := map[string]int{}
	for seed := range uint64(1200) {
		d := draw{rand.New(rand.NewPCG(seed, 11))}
		p := d.conditions(1 + d.IntN(6))
		atoms := make([]rules.Expr, len(p.Rules))
		for i, rule := range p.Rules {
			atoms[i] = rule.When
		}
		rule := &rules.Rule{When: d.tree(atoms, 3)}
		h := d.facts()
		ref := NewReference(p)
		r := ref.read(h)
		truth := ref.Truth(rule, h, noon)
		say := fmt.Sprintf("seed %d: %s", seed, rule.When)

		until := noon + 100*day
		next, ok := ref.Next(rule, h, noon, until)
		changes := ref.Transitions(rule, h, noon, until)
		require.Equal(t, len(changes) > 0, ok, say)
		if ok {
			require.Equal(t, changes[0], next, say)
			require.Equal(t, truth, ref.Truth(rule, h, next.At-1), say)
			require.Equal(t, next.Truth, ref.Truth(rule, h, next.At), say)
			found["next"]++
		}
		switch truth {
		case rules.Unknown:
			requireMissing(t, r, rule, say)
			found["missing"]++
		case rules.False:
			blockers := r.miss(rule, noon)
			requireFewest(t, r, rule, blockers, say)
			found["miss"]++
			if x, ok := r.remedy(rule, noon, blockers); ok {
				requireRemedy(t, r, rule, noon, x)
				found[string(x.Kind)]++
				if strings.Contains(x.Text, " or more ") || strings.Contains(x.Text, " or less ") {
					for range 4 {
						y := x.Value.Num * (1 + d.Float64())
						if strings.Contains(x.Text, " or less ") {
							y = x.Value.Num * d.Float64()
						}
						s := r.search(rule, noon)
						x.added = s.stating(x.Input, s.pattern(x.Input), y)
						requireRemedy(t, r, rule, noon, x)
					}
					found["range"]++
				}
			}
		}
		require.Equal(t, h, r.history, "the history is only read")
	}
	for _, kind := range []string{"next", "missing", "miss", "add", "remove", "range"} {
		require.Greater(t, found[kind], 5, kind)
	}
}

// requireMissing holds what is said to be missing to be terms of the rule that have no answer, or a bound for
// one, or a number that the rule cannot calculate with.
func requireMissing(t *testing.T, r *reading, rule *rules.Rule, say string) {
	t.Helper()
	missing := r.missing(rule, noon)
	require.NotEmpty(t, missing, say)
	for _, m := range missing {
		require.Contains(t, termsOf(rule.When), m.Term, say)
		require.NotEmpty(t, m.Reason, say)
		v := r.term(m.Term, noon)
		require.True(t, v.Kind == rules.Missing || v.Bound != clinical.Exactly || strings.Contains(m.Reason, "zero"), "%s: %s is %v", say, m.Term, v)
	}
}

// requireFewest tries every set of atoms: those named make the condition true when they are otherwise, and
// no smaller set does.
func requireFewest(t *testing.T, r *reading, rule *rules.Rule, blockers []blocker, say string) {
	t.Helper()
	truths := map[string]rules.Truth{}
	var sources []string
	leaves(rule.When, func(e rules.Expr) {
		if _, known := truths[e.String()]; !known {
			if len(termsOf(e)) > 0 { // what asks nothing cannot be otherwise
				sources = append(sources, e.String())
			}
			truths[e.String()] = r.expr(e, noon).Truth()
		}
	})
	least := -1
	for set := range 1 << len(sources) {
		if size := bits.OnesCount(uint(set)); least < 0 || size < least {
			if otherwise(rule.When, truths, sources, set) {
				least = size
			}
		}
	}
	if least < 0 {
		require.Empty(t, blockers, say)
		return
	}
	require.Len(t, blockers, least, say)
	changed := maps.Clone(truths)
	for _, b := range blockers {
		require.Equal(t, truths[b.Expr.String()], b.Truth, say)
		require.NotEqual(t, b.Truth, b.Wanted, say)
		changed[b.Expr.String()] = b.Wanted
	}
	require.Equal(t, rules.True, kleene(rule.When, changed), say)
}

// otherwise says whether the condition can be true when the atoms of the set are otherwise: false ones
// true, true ones false, unknown ones either.
func otherwise(e rules.Expr, truths map[string]rules.Truth, sources []string, set int) bool {
	changed := maps.Clone(truths)
	var unknown []string
	for i, source := range sources {
		if set>>i&1 == 0 {
			continue
		}
		if truths[source] == rules.Unknown {
			unknown = append(unknown, source)
		}
		changed[source] = rules.Not(truths[source])
	}
	for settled := range 1 << len(unknown) {
		for i, source := range unknown {
			changed[source] = []rules.Truth{rules.False, rules.True}[settled>>i&1]
		}
		if kleene(e, changed) == rules.True {
			return true
		}
	}
	return false
}

func leaves(e rules.Expr, visit func(rules.Expr)) {
	switch e := e.(type) {
	case *rules.Combination:
		for _, kid := range e.Kids {
			leaves(kid, visit)
		}
		return
	case *rules.Unary:
		if e.Op == "not" {
			leaves(e.X, visit)
			return
		}
	case *rules.Binary:
		if e.Op == "and" || e.Op == "or" {
			leaves(e.X, visit)
			leaves(e.Y, visit)
			return
		}
	}
	visit(e)
}

// kleene is the condition's truth where its atoms have these.
func kleene(e rules.Expr, truths map[string]rules.Truth) rules.Truth {
	switch e := e.(type) {
	case *rules.Combination:
		all, some, count := rules.True, rules.False, map[rules.Truth]int{}
		for _, kid := range e.Kids {
			truth := kleene(kid, truths)
			all, some = rules.And(all, truth), rules.Or(some, truth)
			count[truth]++
		}
		return map[string]rules.Truth{"all": all, "any": some, "none": rules.Not(some),
			"at_least": rules.AtLeast(e.N, count[rules.True], count[rules.Unknown])}[e.Op]
	case *rules.Unary:
		if e.Op == "not" {
			return rules.Not(kleene(e.X, truths))
		}
	case *rules.Binary:
		if e.Op == "and" {
			return rules.And(kleene(e.X, truths), kleene(e.Y, truths))
		}
		if e.Op == "or" {
			return rules.Or(kleene(e.X, truths), kleene(e.Y, truths))
		}
	}
	return truths[e.String()]
}

func TestAnAnswerIsFilledIn(t *testing.T) {
	p := compiled(t, kidneyPack)
	ref := NewReference(p)
	rule := ruleOf(t, p, "aki")
	until := noon + 1000*day
	answer := func(h History) *record.Explanation { return ref.Answer(rule, h, noon, until, frame) }

	t.Run("false", func(t *testing.T) {
		h := inOrder(result(noon-3*hour, 1.2), result(noon-hour, 1.3))
		e := answer(h)
		require.Nil(t, e.Missing)
		require.Len(t, e.Miss.Blockers, 1)
		b := e.Miss.Blockers[0]
		require.Equal(t, "creatinine.last('7d') >= 1.5 * creatinine.min('7d')", b.Source)
		require.Equal(t, record.False, b.Truth)
		require.Equal(t, record.True, b.Wanted)
		require.Equal(t, "creatinine.last('7d')", e.Terms[b.Terms[0]].Source)
		require.Equal(t, "creatinine.min('7d')", e.Terms[b.Terms[1]].Source)
		require.Equal(t, "mg/dL", b.Unit)
		require.Equal(t, &record.Change{Kind: record.Add, Input: "creatinine", Value: record.Value(rules.NumberOf(1.5)), Unit: "mg/dL",
			Text: "a creatinine of 1.5 mg/dL or more now"}, e.Miss.Change)
		require.Equal(t, &record.Next{At: record.Instant(noon + 47*hour + 1), Truth: record.Unknown}, e.Next)
	})
	t.Run("false because of a fact", func(t *testing.T) {
		h := inOrder(result(noon-3*hour, 1.2), result(noon-hour, 1.9), dialysis(noon-day))
		e := answer(h)
		require.Equal(t, record.Remove, e.Miss.Change.Kind)
		require.Equal(t, h[2].Offset(), e.Miss.Change.Fact.Offset)
		require.Equal(t, h[2].Index(), e.Miss.Change.Fact.Index)
		require.Equal(t, "procedure", e.Miss.Change.Fact.Kind)
	})
	t.Run("unknown", func(t *testing.T) {
		e := answer(inOrder(result(noon-9*day, 1.2)))
		require.Nil(t, e.Miss)
		require.Nil(t, e.Next)
		i := slices.IndexFunc(e.Missing, func(m record.Missing) bool { return e.Terms[m.Term].Source == "creatinine.last('7d')" })
		require.Equal(t, "no creatinine in 7 days; the last was 1.2 mg/dL, 9 days before", e.Missing[i].Reason)
		require.Equal(t, 1.2, e.Missing[i].Latest.Value.Num)
	})
	t.Run("true", func(t *testing.T) {
		e := answer(inOrder(result(noon-3*hour, 1), result(noon-hour, 1.9)))
		require.Nil(t, e.Miss)
		require.Nil(t, e.Missing)
		require.Equal(t, record.Instant(noon+7*day-3*hour+1), e.Next.At)
	})
}
