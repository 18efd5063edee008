package recordtest

import (
	"math"
	"math/rand/v2"
	"strconv"

	"github.com/vigil-cds/vigil/explain/record"
	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/rules"
)

// Random draws an explanation of any kind. It has the shape of a real one (its indices are inside their
// lists, a term's node has a term, an operator its operands, a transition its seal) and otherwise means
// nothing. Every field of every type has its turn in enough of them.
func Random(rng *rand.Rand) *record.Explanation {
	d := drawer{rng}
	e := &record.Explanation{
		Schema: record.Schema, Patient: pick(d, "p1", "Zoë", "urn:oid:1.2/3", "<&>"),
		Rule: record.Rule{ID: pick(d, "aki", "sepsis-1"), Pack: d.text(), Version: d.IntN(4), Title: d.text(),
			Severity: pick(d, "info", "warning", "critical"), Source: d.text(), When: pick(d, "x.exists()", "a.last() >= 1 and not b.active()")},
		RuleSet: d.ruleSet(), At: d.instant(), Truth: d.truth(),
		Known:   record.Known{Position: d.position(), Clock: d.instant()},
		Message: d.text(), Facts: []record.Fact{}, Suffices: []int{}, Terms: []record.Term{},
	}
	for range d.IntN(6) {
		e.Facts = append(e.Facts, d.fact())
	}
	for i := range e.Facts {
		if d.coin() {
			e.Suffices = append(e.Suffices, i)
		}
	}
	for range 1 + d.IntN(4) {
		e.Terms = append(e.Terms, d.term(len(e.Facts)))
	}
	e.Period = maybe(d, func() record.Period {
		p := record.Period{Input: pick(d, "stay", "admission"), Pack: d.text(), Start: d.instant(), End: d.instant(), Facts: []int{}}
		if d.coin() {
			p.End = record.Ongoing
		}
		for i := range e.Facts {
			if d.coin() {
				p.Facts = append(p.Facts, i)
			}
		}
		return p
	})
	tree := d.node(len(e.Terms), 4)
	e.Tree = &tree
	if e.Kind = pick(d, record.Fired, record.Cleared, record.Answer); e.Kind == record.Answer {
		d.answer(e)
	} else {
		d.transition(e)
	}
	return e
}

type drawer struct{ *rand.Rand }

func (d drawer) answer(e *record.Explanation) {
	for range d.IntN(3) {
		e.Missing = append(e.Missing, record.Missing{Term: d.IntN(len(e.Terms)), Reason: d.text(), Latest: maybe(d, d.fact)})
	}
	e.Miss = maybe(d, func() record.Miss { return d.miss(len(e.Terms)) })
	e.Next = maybe(d, func() record.Next { return record.Next{At: d.instant(), Truth: d.truth()} })
}

func (d drawer) transition(e *record.Explanation) {
	e.ID = e.Patient + "/" + e.Rule.ID + "/" + e.RuleSet.Hash[:12] + "/3/f812"
	e.Before, e.Since = d.truth(), maybe(d, d.instant)
	cause := record.Cause{Kind: pick(d, record.CauseFact, record.CauseTime, record.CauseActivation)}
	if cause.Kind != record.CauseTime {
		cause.Position = d.position()
	}
	if cause.Kind == record.CauseFact {
		for range d.IntN(3) {
			cause.Facts = append(cause.Facts, d.fact())
		}
		for range d.IntN(3) {
			cause.Gone = append(cause.Gone, d.fact())
		}
	}
	e.Cause = &cause
	e.Seal(1+d.Int64N(1000), pick(d, record.Genesis, digest(d.text())))
}

func (d drawer) ruleSet() record.RuleSet {
	s := record.RuleSet{Hash: digest(strconv.Itoa(d.Int())), Activated: maybe(d, d.instant), Position: pick(d, "", d.position()),
		Zone: pick(d, "UTC", "Europe/London")}
	for range d.IntN(3) {
		s.ValueSets = append(s.ValueSets, record.ValueSet{Name: pick(d, "nsaids", "dialysis"), URL: d.text(), Version: pick(d, "", "1.2"),
			Codes: d.IntN(100), Hash: digest(d.text())})
	}
	for range d.IntN(3) {
		s.Parameters = append(s.Parameters, record.Parameter{Name: pick(d, "potassium_limit", "lookback"), Pack: "renal", Title: d.text(),
			Value: d.value(), Default: d.value(), Unit: d.text(), Site: d.coin()})
	}
	return s
}

func (d drawer) fact() record.Fact {
	f := record.Fact{
		Kind: pick(d, "observation", "medication", "patient"), Codes: []string{}, Value: d.value(), Unit: d.text(),
		Status: pick(d, "", "final"), Time: maybe(d, d.instant), End: maybe(d, d.instant),
		Precision: pick(d, "millisecond", "second", "minute", "day", "month", "year"), Recorded: d.instant(),
		Resource: pick(d, "", "Observation/1"), Version: pick(d, "", "2", "2026-05-06T14:00:00Z"), Topic: "facts",
		Partition: d.Int32N(4), Offset: d.Int64N(1000), Index: d.IntN(3),
	}
	if d.IntN(4) == 0 {
		f.End = pointer(record.Ongoing)
	}
	for range d.IntN(3) {
		f.Codes = append(f.Codes, pick(d, "loinc|2160-0", "text|fièvre"))
	}
	return f
}

func (d drawer) term(facts int) record.Term {
	t := record.Term{Source: pick(d, "a.last('48h')", "b.exists()"), Op: pick(d, "last", "exists", "active"), Input: pick(d, "a", "patient"),
		Pack: d.text(), Unit: d.text(), Where: d.text(), Value: d.value(), Saw: d.IntN(9), Uses: []record.Use{}}
	t.Window = maybe(d, func() record.Window {
		return record.Window{Text: pick(d, "", "48h"), From: maybe(d, d.instant), To: d.instant()}
	})
	for i := range facts {
		if d.coin() {
			t.Uses = append(t.Uses, record.Use{Fact: i, Value: d.value()})
		}
	}
	if facts > 0 {
		t.Latest = maybe(d, func() record.Use { return record.Use{Fact: d.IntN(facts), Value: d.value()} })
	}
	return t
}

// operands says how many kids each kind of node has: as many as that, or two or three where it is 0.
var operands = map[string]int{"not": 1, "in": 1, "==": 2, ">=": 2, "+": 2, "/": 2, "??": 2, "?:": 3, "and": 0, "at_least": 0, "none": 0}

func (d drawer) node(terms, depth int) record.Node {
	n := record.Node{Source: pick(d, "a.last('48h') >= 1.5", "b.exists()", "0.3"), Boolean: d.coin(), Value: d.value(), Term: -1, Decides: d.coin()}
	if n.Boolean {
		n.Truth = d.truth()
	}
	n.Least, n.Greatest = maybe(d, d.number), maybe(d, d.number)
	if depth == 0 || d.IntN(4) == 0 {
		if n.Op = pick(d, "term", "literal"); n.Op == "term" {
			n.Term = d.IntN(terms)
		}
		return n
	}
	n.Op = pick(d, "not", "in", "==", ">=", "+", "/", "??", "?:", "and", "at_least", "none")
	kids := operands[n.Op]
	if kids == 0 {
		kids = 2 + d.IntN(2)
	}
	if n.Op == "at_least" {
		n.N = 1 + d.IntN(kids)
	}
	for range kids {
		n.Kids = append(n.Kids, d.node(terms, depth-1))
	}
	return n
}

func (d drawer) miss(terms int) record.Miss {
	m := record.Miss{Blockers: []record.Blocker{}}
	for range d.IntN(3) {
		b := record.Blocker{Source: d.text(), Truth: d.truth(), Wanted: d.truth(), Value: d.value(), Op: pick(d, "", ">=", "=="),
			Threshold: d.value(), Distance: maybe(d, d.number), Relative: maybe(d, d.number), Unit: d.text(), Terms: []int{}}
		for i := range terms {
			if d.coin() {
				b.Terms = append(b.Terms, i)
			}
		}
		for range d.IntN(3) {
			b.Gains = append(b.Gains, record.Gain{Source: d.text(), Points: d.number()})
		}
		m.Blockers = append(m.Blockers, b)
	}
	m.Change = maybe(d, func() record.Change {
		return record.Change{Kind: pick(d, record.Add, record.Remove), Input: pick(d, "a", "b"), Value: d.value(), Unit: d.text(),
			Fact: maybe(d, d.fact), Text: d.text()}
	})
	return m
}

func (d drawer) value() record.Value {
	switch d.IntN(6) {
	case 0:
		return record.Value{}
	case 1:
		return boolean(d.coin())
	case 2:
		return record.Value(rules.TextOf(d.text()))
	case 3:
		return record.Value(rules.TimeOf(clinical.Instant(d.instant())))
	case 4:
		return record.Value{Kind: rules.Number, Num: d.number(), Bound: pick(d, clinical.Below, clinical.Above)}
	}
	return number(d.number())
}

// number draws the plain, the awkward and the extreme.
func (d drawer) number() float64 {
	return pick(d, 0, 5.2, 120, d.NormFloat64(), 0.30000000000000004, 1e21, -1e-7, math.Copysign(0, -1), math.MaxFloat64, math.SmallestNonzeroFloat64)
}

// instant draws from the years 1 to 9999, mostly from this century, half of them on a full second.
func (d drawer) instant() record.Instant {
	const first, last = -62_135_596_800_000, 253_402_300_799_999
	t := pick(d, 0, first, last, d.Int64N(4_000_000_000_000), d.Int64N(4_000_000_000_000), first+d.Int64N(last-first))
	if d.coin() {
		t -= t % 1000
	}
	return record.Instant(t)
}

func (d drawer) truth() record.Truth { return pick(d, record.True, record.False, record.Unknown) }

func (d drawer) text() string {
	return pick(d, "", "renal", "naïve – 𝛼", `a "quoted" <b>&amp;</b>`, "line\nline\u2028")
}

func (d drawer) position() string {
	return "f" + strconv.Itoa(d.IntN(8)) + "." + strconv.Itoa(d.IntN(1000))
}

func (d drawer) coin() bool { return d.IntN(2) == 0 }

func pick[T any](d drawer, from ...T) T { return from[d.IntN(len(from))] }

func maybe[T any](d drawer, draw func() T) *T {
	if d.coin() {
		return nil
	}
	x := draw()
	return &x
}
