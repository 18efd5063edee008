package rules

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vigil-cds/vigil/internal/clinical"
)

const wardHead = `pack: ward
inputs:
  a: {observation: ["loinc|1-1"]}
  b: {observation: ["loinc|2-2"]}
  yes: {observation: ["loinc|3-3"], value: boolean}
  no: {observation: ["loinc|4-4"], value: boolean}
  txt: {observation: ["loinc|5-5"], value: text}
rules:
`

// ward compiles one rule per condition, r0, r1, …, over the inputs of wardHead.
func ward(t testing.TB, conditions ...string) *Program {
	t.Helper()
	var b strings.Builder
	b.WriteString(wardHead)
	for i, when := range conditions {
		fmt.Fprintf(&b, "  - {id: r%d, title: t, severity: info, source: s, when: %q}\n", i, when)
	}
	p, err := Compile([]clinical.File{{Name: "ward.yaml", Data: []byte(b.String())}}, CompileOptions{})
	require.NoError(t, err)
	return p
}

// slots lays values out by term, named by their source; what is not named is missing.
func slots(p *Program, named map[string]Value) []Value {
	values := make([]Value, len(p.Terms))
	for i, term := range p.Terms {
		values[i] = named[term.Source]
	}
	return values
}

func truthOf(p *Program, r *Rule, values []Value) Truth {
	return r.Tree.Eval(func(id int) Truth { return p.Atoms[id].Eval(values).Truth() })
}

func bound(c clinical.Comparator, x float64) Value { return Value{Kind: Number, Bound: c, Num: x} }

func TestExpressionsMeanWhatTheContractSays(t *testing.T) {
	known := map[string]Value{
		"a.last()": NumberOf(1.2), "b.last()": NumberOf(0.9), "a.min()": bound(clinical.Below, 5), "a.max()": bound(clinical.Above, 5),
		"b.min()": bound(clinical.Below, 7), "yes.last()": BoolOf(true), "no.last()": BoolOf(false), "txt.last()": TextOf("x"),
		"a.last_time()": TimeOf(1000), "b.last_time()": TimeOf(1001), "a.count()": NumberOf(3), "patient.sex": TextOf("female"),
		"a.hours_since()": NumberOf(6),
	} // b.max(), yes.first(), txt.first(), b.first() and patient.age are missing
	for _, c := range []struct {
		when string
		want Truth
	}{
		// Numbers compare as decimals.
		{"a.last() - b.last() >= 0.3", True}, {"a.last() - b.last() > 0.3", False}, {"a.last() - b.last() == 0.3", True},
		{"a.last() * 3 == 3.6", True}, {"a.last() / b.last() > 1.33", True}, {"-a.last() < 0", True}, {"a.last() + 1 != 2.2", False},
		{"0.9 <= b.last()", True}, {"b.last() < a.last()", True}, {"a.last() <= b.last()", False},
		// What is not there is unknown.
		{"b.max() > 1", Unknown}, {"b.max() != 1", Unknown}, {"b.max() + 1 > 0", Unknown}, {"a.last() / 0 > 1", Unknown},
		{"a.last() / (b.last() - 0.9) > 1", Unknown}, {"1e308 * 10 * a.last() > 1", Unknown}, {"patient.age > 3", Unknown},
		{"yes.first()", Unknown}, {"not yes.first()", Unknown}, {"txt.first() == 'x'", Unknown}, {"txt.first() in ['x']", Unknown},
		// Defaults and choices.
		{"(b.max() ?? 2) > 1", True}, {"(a.last() ?? 5) > 3", False}, {"(b.max() ?? b.first() ?? 4) == 4", True},
		{"yes.first() ?? true", True}, {"yes.last() ? a.last() > 1 : false", True}, {"no.last() ? true : b.last() > 1", False},
		{"yes.first() ? true : true", Unknown}, {"(a.last() > 1 ? 10 : 20) == 10", True},
		// Bounds.
		{"a.min() < 5", True}, {"a.min() <= 5", True}, {"a.min() < 5.1", True}, {"a.min() >= 5", False}, {"a.min() > 5", False},
		{"a.min() == 5", False}, {"a.min() != 5", True}, {"a.min() < 4", Unknown}, {"a.min() > 4", Unknown}, {"a.min() == 4", Unknown},
		{"a.min() != 4", Unknown}, {"a.max() > 5", True}, {"a.max() >= 4", True}, {"a.max() < 5", False}, {"a.max() <= 5", False},
		{"a.max() == 5", False}, {"a.max() != 4", True}, {"a.max() > 6", Unknown}, {"5 > a.min()", True}, {"5 < a.max()", True},
		{"6 == a.min()", False}, {"a.min() < a.max()", Unknown}, {"a.min() < b.min()", Unknown}, {"a.min() + 1 < 9", Unknown},
		{"-a.min() > -6", Unknown}, {"a.min() in [6, 7]", False}, {"a.min() in [6, 2]", Unknown}, {"(a.min() ?? 9) < 5", True},
		// Texts, booleans, times.
		{"txt.last() == 'x'", True}, {"txt.last() != 'x'", False}, {"txt.last() in ['y', 'x']", True}, {"txt.last() not in ['y']", True},
		{"patient.sex == 'female'", True}, {"yes.last() == no.last()", False}, {"yes.last() != false", True}, {"a.last() in [1.2, 9]", True},
		{"a.last_time() < b.last_time()", True}, {"a.last_time() >= b.last_time()", False}, {"a.last_time() == b.last_time()", False},
		{"a.last_time() != b.last_time()", True}, {"a.last_time() < b.first_time()", Unknown},
		// Elapsed time.
		{"a.hours_since() >= 6", True}, {"(b.hours_since() ?? 1000) > 6", True}, {"6 > a.hours_since()", False},
		// Kleene.
		{"yes.last() and yes.first()", Unknown}, {"no.last() and yes.first()", False}, {"yes.last() or yes.first()", True},
		{"no.last() || yes.first()", Unknown}, {"not (no.last() && yes.first())", True}, {"!no.last()", True},
		{"true", True}, {"false or yes.first()", Unknown}, {"(yes.last() and yes.first()) == true", Unknown},
		{"(no.last() and yes.first()) == false", True}, {"(yes.last() or yes.first()) ? true : false", True},
		{"(not yes.first()) ?? true", True},
	} {
		t.Run(c.when, func(t *testing.T) {
			p := ward(t, c.when)
			values := slots(p, known)
			require.Equal(t, c.want, truthOf(p, p.Rules[0], values))
			require.Equal(t, c.want, meaning(p.Rules[0].When, values).Truth(), "the plain walk")
		})
	}
}

func TestNestedConditionsCombineByKleene(t *testing.T) {
	const pack = wardHead + `
  - {id: r0, title: t, severity: info, source: s, when: {all: [yes.last(), {any: [no.last(), yes.first()]}]}}
  - {id: r1, title: t, severity: info, source: s, when: {none: [no.last(), no.first()]}}
  - {id: r2, title: t, severity: info, source: s, when: {at_least: {n: 2, of: [yes.last(), yes.first(), no.last()]}}}
  - {id: r3, title: t, severity: info, source: s, when: {at_least: {n: 1, of: [yes.last(), yes.first(), no.last()]}}}
  - {id: r4, title: t, severity: info, source: s, when: {at_least: {n: 3, of: [yes.last(), yes.first(), no.last()]}}}
  - {id: r5, title: t, severity: info, source: s, when: {none: [no.last()]}}
  - {id: r6, title: t, severity: info, source: s, when: {any: [true, false]}}
`
	p, err := Compile([]clinical.File{{Name: "p.yaml", Data: []byte(pack)}}, CompileOptions{})
	require.NoError(t, err)
	values := slots(p, map[string]Value{"yes.last()": BoolOf(true), "no.last()": BoolOf(false)})
	for i, want := range []Truth{Unknown, Unknown, Unknown, True, False, True, True} {
		require.Equal(t, want, truthOf(p, p.Rules[i], values), "r%d", i)
		require.Equal(t, want, meaning(p.Rules[i].When, values).Truth(), "r%d", i)
	}
}

func TestAtomsKnowTheirClocksAndThresholds(t *testing.T) {
	p := ward(t, "a.count('30d') >= 3", "5 <= a.count('30d')", "a.count('7d') != 2", "a.count() > b.count()", "a.last() > 3",
		"a.hours_since() > 3", "(a.days_since() ?? 9) > b.last()", "a.count() + 1 > 3")
	for i, want := range []*Threshold{{0, ">=", 3}, {0, ">=", 5}, {1, "!=", 2}, nil, nil, nil, nil, nil} {
		require.Equal(t, want, p.Atoms[p.Rules[i].Tree.Atom].Threshold, p.Rules[i].When.String())
	}
	elapsed := func(i int) string {
		if a := p.Atoms[p.Rules[i].Tree.Atom]; a.Elapsed >= 0 {
			return p.Terms[a.Elapsed].Source
		}
		return ""
	}
	require.Equal(t, []string{"", "", "", "", "", "a.hours_since()", "a.days_since()", ""},
		[]string{elapsed(0), elapsed(1), elapsed(2), elapsed(3), elapsed(4), elapsed(5), elapsed(6), elapsed(7)})
}

func TestEqualQuestionsAreSharedAcrossPacks(t *testing.T) {
	files := []clinical.File{
		{Name: "b.yaml", Data: []byte(`
pack: b
inputs:
  potassium: {observation: ["loinc|6298-4", "http://loinc.org|2823-3"], unit: mmol/L}
  weight: {observation: ["loinc|29463-7"], unit: "[lb_av]"}
  fever: {observation: ["loinc|8310-5"], where: value > 38}
rules:
  - {id: b1, title: t, severity: info, source: s, when: "potassium.last('7d') > 6 and weight.last() > 100 and fever.exists('48h')"}
`)},
		{Name: "a.yaml", Data: []byte(`
pack: a
inputs:
  potassium: {observation: ["loinc|2823-3", "loinc|6298-4"], unit: mmol/L}
  weight: {observation: ["loinc|29463-7"], unit: kg}
  temperature: {observation: ["loinc|8310-5"]}
  fever: {from: temperature, where: value  >  38.0}
  hot: {from: temperature, where: value  >  38.0}
rules:
  - {id: a1, title: t, severity: info, source: s, when: "potassium.last('168h') > 6.0 and weight.last() > 100 and fever.exists('2d')"}
  - {id: a2, title: t, severity: info, source: s, when: "hot.exists('2d')"}
`)},
	}
	p, err := Compile(files, CompileOptions{})
	require.NoError(t, err)
	require.Equal(t, []string{"a", "b"}, p.Packs())
	a, _ := p.Rule("a1")
	b, _ := p.Rule("b1")
	require.Equal(t, "potassium.last('7d') > 6 and a/weight.last() > 100 and fever.exists('48h')", a.When.String())
	require.Equal(t, "potassium.last('7d') > 6 and b/weight.last() > 100 and fever.exists('48h')", b.When.String())
	a2, _ := p.Rule("a2")
	require.Equal(t, "hot.exists('48h')", a2.When.String(), "an answer shows the name that the author gave")
	require.Len(t, p.Inputs, 7) // patient, potassium, weight twice, temperature, fever, hot
	require.Len(t, p.Atoms, 5)
	require.Len(t, p.Terms, 5)
	both := []int32{0, 2}
	require.Equal(t, both, p.RulesOf(int32(p.Terms[a.Terms[0]].Input)))

	again, err := Compile([]clinical.File{files[1], files[0]}, CompileOptions{})
	require.NoError(t, err)
	require.Equal(t, p.Hash, again.Hash, "the order in which files are given does not matter")
	require.Equal(t, NewSet(files...).Hash(), p.Hash)
	changed := NewSet(clinical.File{Name: "a.yaml", Data: files[0].Data}, clinical.File{Name: "b.yaml", Data: files[1].Data})
	require.NotEqual(t, p.Hash, changed.Hash())
}

func TestMatchFindsInputsByKindAndAnyCode(t *testing.T) {
	p, err := Compile(readFiles(t, "testdata/good/renal.yaml", "testdata/good/nsaids.json"), CompileOptions{})
	require.NoError(t, err)
	names := func(kind clinical.Kind, codes ...clinical.Code) []string {
		var out []string
		for _, id := range p.Match(clinical.NewStream(kind, codes...)) {
			out = append(out, p.Inputs[id].Name)
		}
		return out
	}
	require.Equal(t, []string{"creatinine"}, names(clinical.KindObservation, "loinc|2160-0", "loinc|38483-4", "local|CREA"))
	require.Equal(t, []string{"temperature", "fever", "high_fever"}, names(clinical.KindObservation, "loinc|8310-5"))
	require.Equal(t, []string{"nsaid", "any_drug", "refused"}, names(clinical.KindMedication, "rxnorm|41493"))
	require.Equal(t, []string{"any_drug", "refused"}, names(clinical.KindMedication, "rxnorm|1"))
	require.Equal(t, []string{"patient"}, names(clinical.KindPatient))
	require.Nil(t, names(clinical.KindCondition, "loinc|2160-0"))
	require.Nil(t, names(clinical.Kind(200), "loinc|2160-0"))

	var rules []string
	for _, i := range p.RulesOf(p.Match(clinical.NewStream(clinical.KindObservation, "loinc|2160-0"))[0]) {
		rules = append(rules, p.Rules[i].ID)
	}
	require.Equal(t, []string{"aki-kdigo-1", "aki-nsaid"}, rules)
	_, ok := p.Rule("aki")
	require.False(t, ok)
}

func TestOneProgramServesManyGoroutines(t *testing.T) {
	p, err := Compile(readFiles(t, "testdata/good/renal.yaml", "testdata/good/nsaids.json"), CompileOptions{})
	require.NoError(t, err)
	id := p.Match(clinical.NewStream(clinical.KindObservation, "loinc|2160-0"))[0]
	values := slots(p, map[string]Value{"creatinine.last('7d')": NumberOf(3), "creatinine.min('7d')": NumberOf(1)})
	aki, _ := p.Rule("aki-kdigo-1")
	units := []string{"mg/dL", "g/L", "ug/mL", "mmol", "", "mg/L", "nonsense"}
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := range 200 {
				unit := units[(g+i)%len(units)]
				v, ok := p.Inputs[id].Accept(&clinical.Fact{Number: 1, Detail: &clinical.Detail{Type: clinical.Number, Unit: unit}})
				if want := map[string]float64{"mg/dL": 1, "g/L": 100, "ug/mL": 0.1, "mg/L": 0.1}[unit]; ok != (want != 0) || Compare(v.Num, want) != 0 {
					t.Errorf("1 %s is %v, %t", unit, v, ok)
				}
				if truthOf(p, aki, values) != Unknown {
					t.Error("the rule cannot know about dialysis")
				}
			}
		}()
	}
	wg.Wait()
}

func TestEvaluationAllocatesNothing(t *testing.T) {
	p, err := Compile(readFiles(t, "testdata/good/renal.yaml", "testdata/good/nsaids.json"), CompileOptions{})
	require.NoError(t, err)
	values := slots(p, map[string]Value{"creatinine.last('7d')": NumberOf(3), "creatinine.min('7d')": NumberOf(1)})
	atom := func(id int) Truth { return p.Atoms[id].Eval(values).Truth() }
	detail := &clinical.Detail{Type: clinical.Number, Unit: "[degF]"}
	fever := p.Inputs[p.Match(clinical.NewStream(clinical.KindObservation, "loinc|8310-5"))[2]]
	fever.Accept(&clinical.Fact{Number: 104, Detail: detail})
	require.Zero(t, testing.AllocsPerRun(100, func() {
		for _, r := range p.Rules {
			r.Tree.Eval(atom)
		}
		fever.Accept(&clinical.Fact{Number: 104, Detail: detail})
	}))
}
