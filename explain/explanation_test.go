package explain

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vigil-cds/vigil/explain/record"
	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/rules"
)

const kidneyPack = `pack: renal
valuesets:
  nsaids: ["rxnorm|5640"]
inputs:
  creatinine: {observation: ["loinc|2160-0"], unit: mg/dL}
  high: {from: creatinine, where: value >= 2}
  dialysis: {procedure: ["snomed|302497006"]}
  nsaid: {medication: {valueset: nsaids}}
rules:
  - {id: aki, title: Possible acute kidney injury, severity: warning, source: KDIGO 2012, message: "Creatinine {{ creatinine.last('7d') }} mg/dL",
     when: not dialysis.exists('90d') and (creatinine.last('48h') - creatinine.min('48h') >= 0.3 or creatinine.last('7d') >= 1.5 * creatinine.min('7d'))}
  - {id: nsaid-aki, title: NSAID, severity: critical, source: x, when: nsaid.active() and high.exists('7d')}
  - {id: overdue, title: Overdue, severity: info, source: x, when: creatinine.hours_since() > 30 and patient.age >= 40}
  - {id: never-measured, title: Never, severity: info, source: x, when: not creatinine.exists()}
  - {id: often, title: Often, severity: info, source: x, when: creatinine.count('24h') >= 3}
`

func compiled(t testing.TB, pack string) *rules.Program {
	t.Helper()
	p, err := rules.Compile([]clinical.File{{Name: "p.yaml", Data: []byte(pack)}}, rules.CompileOptions{Zone: time.UTC})
	require.NoError(t, err)
	return p
}

func ruleOf(t testing.TB, p *rules.Program, id string) *rules.Rule {
	t.Helper()
	rule, ok := p.Rule(id)
	require.True(t, ok)
	return rule
}

var frame = Frame{Patient: "p1", Topic: "vigil-facts", Partition: 3, Facts: 100, RuleSet: record.RuleSet{Hash: "abc", Zone: "UTC"},
	Known: record.Known{Position: "f3.9", Clock: record.Instant(noon)}}

func TestAnExplanationShowsWhatDecided(t *testing.T) {
	p := compiled(t, kidneyPack)
	h := inOrder(result(noon-6*day, 1.2), result(noon-5*day, 1.3), result(noon-hour, 1.9), result(noon-20*day, 0.5))
	e := NewReference(p).Answer(ruleOf(t, p, "aki"), h, noon, horizon, frame)

	require.Equal(t, record.True, e.Truth)
	require.Equal(t, "Creatinine 1.9 mg/dL", e.Message)
	require.Len(t, e.Facts, 3, "the one of three weeks ago is in no window")
	require.Equal(t, []int{0, 2}, e.Suffices)
	deciding := map[string]bool{}
	var walk func(n record.Node)
	walk = func(n record.Node) {
		deciding[n.Source] = n.Decides
		for _, kid := range n.Kids {
			walk(kid)
		}
	}
	walk(*e.Tree)
	require.True(t, deciding["creatinine.last('7d') >= 1.5 * creatinine.min('7d')"])
	require.False(t, deciding["creatinine.last('48h') - creatinine.min('48h') >= 0.3"])
	require.True(t, deciding["dialysis.exists('90d')"])

	min7 := e.Terms[slices.IndexFunc(e.Terms, func(t record.Term) bool { return t.Source == "creatinine.min('7d')" })]
	require.Equal(t, "7d", min7.Window.Text)
	require.Equal(t, noon-7*day, clinical.Instant(*min7.Window.From))
	require.Equal(t, 3, min7.Saw)
	require.Equal(t, 1.2, min7.Value.Num)
	require.Equal(t, "mg/dL", min7.Unit)
}

func TestAnExplanationNamesTheValueSets(t *testing.T) {
	p := compiled(t, kidneyPack)
	e := NewReference(p).Answer(ruleOf(t, p, "nsaid-aki"), nil, noon, horizon, frame)
	digest := sha256.Sum256([]byte("rxnorm|5640\n"))
	require.Equal(t, []record.ValueSet{{Name: "nsaids", Codes: 1, Hash: hex.EncodeToString(digest[:])}}, e.RuleSet.ValueSets)
}

func TestAnExplanationShowsAnAmountAsItWasSentAndAsItWasUsed(t *testing.T) {
	p := compiled(t, `pack: p
inputs:
  creatinine: {observation: ["loinc|2160-0"], unit: mg/dL, molar_mass: 113.12 g/mol}
  high: {from: creatinine, where: value > reference_high}
rules:
  - {id: r, title: t, severity: info, source: s, when: creatinine.last() >= 1.5 and high.exists()}
`)
	limit := []clinical.Attribute{{Name: clinical.AttrReferenceHigh, Numeric: true, Number: 104}}
	h := inOrder(observation(noon-hour, 176.8, &clinical.Detail{Type: clinical.Number, Unit: "µmol/L", Attributes: limit}))
	e := NewReference(p).Answer(ruleOf(t, p, "r"), h, noon, horizon, frame)

	require.Equal(t, record.True, e.Truth)
	require.Equal(t, 176.8, e.Facts[0].Value.Num)
	require.Equal(t, "µmol/L", e.Facts[0].Unit)
	require.Equal(t, "mg/dL", e.Terms[0].Unit)
	require.InEpsilon(t, 176.8*113.12/10_000, e.Terms[0].Uses[0].Value.Num, 1e-15)
	require.Zero(t, rules.Compare(1.9999616, e.Terms[0].Value.Num))
}

func TestAWindowOfManyFactsShowsTheLatestAndThoseThatDecide(t *testing.T) {
	p := compiled(t, kidneyPack)
	h := inOrder(result(noon-6*day, 1))
	for i := range 200 {
		h = append(h, Statement{Fact: result(noon-5*day+clinical.Instant(i)*hour/2, 1.6), Order: uint64(i + 1)})
	}
	small := frame
	small.Facts = 5
	e := NewReference(p).Answer(ruleOf(t, p, "aki"), h, noon, horizon, small)
	require.Equal(t, record.True, e.Truth)
	i := slices.IndexFunc(e.Terms, func(t record.Term) bool { return t.Source == "creatinine.min('7d')" })
	require.Equal(t, 201, e.Terms[i].Saw)
	require.Len(t, e.Terms[i].Uses, 6, "the latest five, and the least")
	require.Equal(t, 1.0, e.Facts[e.Terms[i].Uses[0].Fact].Value.Num)
	require.Len(t, e.Suffices, 2)
}

// drawn makes records about one patient: results in and out of order, corrections, retractions, drugs and
// the person, some of them future-dated.
func drawn(random *rand.Rand, n int) (records []*clinical.Record) {
	at := noon
	for range n {
		at += clinical.Instant(random.Int64N(int64(20 * hour)))
		rec := &clinical.Record{Patient: "p1", Recorded: at}
		for range 1 + random.IntN(3) {
			name := fmt.Sprintf("Observation/%d", random.IntN(12))
			when := at - clinical.Instant(random.Int64N(int64(3*day))) + clinical.Instant(random.Int64N(int64(6*hour)))
			a := clinical.Assertion{Resource: name}
			switch random.IntN(10) {
			case 0: // retracted
			case 1:
				a.Resource = "Patient/p1"
				a.Facts = []clinical.Fact{person(noon-clinical.Instant(40*365+random.IntN(20))*day, clinical.Forever)}
			case 2:
				a.Resource = fmt.Sprintf("MedicationRequest/%d", random.IntN(2))
				a.Facts = []clinical.Fact{{Stream: clinical.NewStream(clinical.KindMedication, "rxnorm|5640"), Time: when,
					End: when + clinical.Instant(random.Int64N(int64(4*day))), Detail: &clinical.Detail{}}}
			case 3:
				a.Facts = []clinical.Fact{{Stream: clinical.NewStream(clinical.KindProcedure, "snomed|302497006"), Time: when, End: when, Detail: &clinical.Detail{}}}
			default:
				a.Facts = []clinical.Fact{observation(when, 0.8+float64(random.IntN(15))/10, &clinical.Detail{Type: clinical.Number, Unit: "mg/dL"})}
			}
			rec.Assertions = append(rec.Assertions, a)
		}
		records = append(records, rec)
	}
	return records
}

// A course saves work; asking everything anew at every step is the definition.
func TestACourseTurnsWhereAskingAnewDoes(t *testing.T) {
	p := compiled(t, kidneyPack)
	for seed := range uint64(60) {
		random := rand.New(rand.NewPCG(seed, 7))
		ref := NewReference(p)
		course := ref.Course(new(Ledger), false, 0)
		var ledger Ledger
		holds := map[string]bool{}
		last := clinical.Instant(0)
		var got, want []string
		say := func(to *[]string, id string, at clinical.Instant, truth rules.Truth) {
			*to = append(*to, fmt.Sprintf("%s %s %t", at, id, truth == rules.True))
		}
		for offset, rec := range drawn(random, 25) {
			if random.IntN(6) == 0 { // read again from its history, as after a restart
				course = ref.Course(course.Ledger(), course.Known(), last)
			}
			course.Pass(rec.Recorded, func(turn Turn) { say(&got, turn.Rule.ID, turn.At, turn.Truth) })
			course.State(rec, int64(offset), rec.Recorded, func(turn Turn, _, _ []Statement) {
				say(&got, turn.Rule.ID, turn.At, turn.Truth)
				if turn.Truth == rules.True {
					e := course.Explain(turn, record.Cause{Kind: record.CauseFact}, nil, nil, frame)
					require.Equal(t, record.True, e.Truth)
					enough(t, ref, turn, e, course.Ledger().History())
				}
			})
			before := ledger.History()
			ledger.Apply(rec, int64(offset))
			for _, rule := range p.Rules {
				if offset > 0 {
					for _, c := range ref.Transitions(rule, before, last, rec.Recorded) {
						if now := c.Truth == rules.True; now != holds[rule.ID] {
							holds[rule.ID] = now
							say(&want, rule.ID, c.At, c.Truth)
						}
					}
				}
				truth := ref.Truth(rule, ledger.History(), rec.Recorded)
				if now := truth == rules.True; now != holds[rule.ID] {
					holds[rule.ID] = now
					say(&want, rule.ID, rec.Recorded, truth)
				}
			}
			last = rec.Recorded
			slices.Sort(got)
			slices.Sort(want)
			require.Equal(t, want, got, "seed %d, record %d", seed, offset)
			var ids []string
			for _, h := range course.Holds() {
				ids = append(ids, h.Rule.ID)
				require.True(t, holds[h.Rule.ID])
			}
			for id, now := range holds {
				require.Equal(t, now, slices.Contains(ids, id), id)
			}
			got, want = nil, nil
		}
	}
}

// enough holds the facts that are said to suffice to what that means.
func enough(t *testing.T, ref *Reference, turn Turn, e *record.Explanation, h History) {
	t.Helper()
	var alone History
	for _, i := range e.Suffices {
		f := e.Facts[i]
		j := slices.IndexFunc(h, func(s Statement) bool { return s.Offset() == f.Offset && s.Index() == f.Index })
		alone = append(alone, h[j])
	}
	require.Equal(t, turn.Truth, ref.Truth(turn.Rule, alone, turn.At))
	for i := range alone {
		require.NotEqual(t, turn.Truth, ref.Truth(turn.Rule, slices.Delete(slices.Clone(alone), i, i+1), turn.At), "one could be left out")
	}
}
