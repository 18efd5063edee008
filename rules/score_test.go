package rules

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vigil-cds/vigil/internal/clinical"
)

const scoredPack = `pack: p
constants: {three: 3}
parameters: {limit: {default: 2, min: 1, max: 9}, span: {default: 1d, min: 1h, max: 1mo}}
inputs:
  rate: {observation: ["loinc|9279-1"]}
  coma: {observation: ["loinc|9269-2"]}
scores:
  news:
    - {term: rate.last(), bands: [[..8, 3], [9..11, 1], [12..20, 0], [21.., 2]]}
    - {when: coma.last() < 15, points: three}
  exact: [{term: rate.last(), bands: [[..<9, 1], [9..<12, 2], [12.., 4]]}]
  assumed: [{when: coma.last() < 15, points: 3, unknown: 1}]
  lowering: [{when: coma.last() < 15, points: -3}, {term: rate.last(), bands: [[..-1, 1], [0.., 0]]}]
  gated: [{when: coma.last() < 15, term: rate.last(), bands: [[..8, 3], [9..11, 1], [12.., -1]]}, {when: coma.last() >= 15, term: rate.last(), bands: [[..8, 5], [9.., 4]], unknown: 2}]
tables:
  factor: {columns: [age, sex, k], rows: [[..17, any, 1], [18..64, female, 2], [18..64, male, 3]], else: 4}
  named: {columns: [rate, word], rows: [[..8, low], [9..<20.5, normal]]}
rules:
`

// whole compiles one condition, lowers it and works it out over the values of its terms by source.
func whole(t *testing.T, when string, values map[string]Value) Value {
	t.Helper()
	p, err := Compile([]clinical.File{{Name: "p.yaml", Data: []byte(scoredPack + fmt.Sprintf("- {id: r, title: t, severity: info, source: s, when: %q}\n", when))}}, CompileOptions{})
	require.NoError(t, err)
	slots := make([]Value, len(p.Terms))
	for _, term := range p.Terms {
		slots[term.ID] = values[term.Source]
	}
	truth := p.Rules[0].Tree.Eval(func(atom int) Truth { return p.Atoms[atom].Eval(slots).Truth() })
	return valueOf(truth)
}

func TestAScoreIsComparedAsFarAsItIsKnown(t *testing.T) {
	yes, no, unknown := BoolOf(true), BoolOf(false), Value{}
	below, above := func(x float64) Value { return Value{Kind: Number, Num: x, Bound: clinical.Below} }, func(x float64) Value { return Value{Kind: Number, Num: x, Bound: clinical.Above} }
	for _, c := range []struct {
		rate, coma any
		when       string
		want       Value
	}{
		{8.0, 15.0, "news >= 3", yes}, {8.0, 15.0, "news > 3", no}, {8.4, 15.0, "news == 3", yes}, {8.5, 15.0, "news == 1", yes},
		{11.49, 15.0, "news == 1", yes}, {11.5, 15.0, "news == 0", yes}, {20.49, 14.0, "news == 3", yes}, {20.5, 14.0, "news == 5", yes},
		{-3.0, 14.0, "news == 6", yes}, {1e12, 14.0, "news == 5", yes},
		{8.0, nil, "news >= 3", yes}, {8.0, nil, "news >= 4", unknown}, {8.0, nil, "news >= 7", no}, {8.0, nil, "news == 2", no},
		{8.0, nil, "news == 4", unknown}, {8.0, nil, "news != 2", yes}, {8.0, nil, "news < 7", yes}, {8.0, nil, "news <= 3", unknown},
		{8.0, nil, "news + 0 >= 3", unknown}, {8.0, nil, "(news ?? 9) == 9", yes}, {nil, 14.0, "news >= 3", yes}, {nil, 14.0, "news > 6", no},
		{nil, nil, "news >= 0", yes}, {nil, nil, "3 <= news", unknown}, {nil, nil, "news == news", unknown}, {8.0, 14.0, "news == news", yes},
		{below(8), 15.0, "news == 3", yes}, {below(8.5), 15.0, "news == 3", yes}, {below(8.6), 15.0, "news == 3", unknown}, {below(8.6), 15.0, "news >= 1", yes},
		{above(20.5), 15.0, "news == 2", yes}, {above(20.4), 15.0, "news == 2", unknown}, {above(20), 15.0, "news <= 2", yes},
		{8.99, 15.0, "exact == 1", yes}, {9.0, 15.0, "exact == 2", yes}, {11.999, 15.0, "exact == 2", yes}, {12.0, 15.0, "exact == 4", yes},
		{below(9), 15.0, "exact == 1", yes}, {above(11.9), 15.0, "exact >= 2", yes}, {above(12), 15.0, "exact == 4", yes},
		{8.0, nil, "assumed == 1", yes}, {8.0, 14.0, "assumed == 3", yes}, {8.0, 15.0, "assumed == 0", yes},
		{0.0, nil, "lowering <= 0", yes}, {0.0, nil, "lowering < -3", no}, {0.0, nil, "lowering == 0", unknown}, {-0.5, 15.0, "lowering == 1", yes}, {-0.4, 15.0, "lowering == 0", yes},
		{8.0, 14.0, "gated == 3", yes}, {12.0, 14.0, "gated == -1", yes}, {8.0, 15.0, "gated == 5", yes}, {9.0, 15.0, "gated == 4", yes},
		{8.0, nil, "gated >= 2", yes}, {8.0, nil, "gated > 5", no}, {8.0, nil, "gated == 4", unknown}, {12.0, nil, "gated >= 1", yes}, {12.0, nil, "gated > 2", no},
		{nil, 14.0, "gated >= -1", yes}, {nil, 14.0, "gated > 3", no}, {nil, 14.0, "gated <= 2", unknown}, {nil, 15.0, "gated == 2", yes}, {nil, nil, "gated <= 5", yes},
		{below(8), 14.0, "gated == 3", yes}, {above(9), 14.0, "gated < 3", yes},
		{8.0, nil, "news >= limit", yes}, {8.0, nil, "news >= rate.last()", no}, {8.0, nil, "news >= coma.last()", unknown},
		{below(5), 15.0, "news >= rate.last()", unknown}, {above(30), 14.0, "news < rate.last()", yes},
		{nil, 15.0, "news >= exact", unknown}, {8.0, 15.0, "news > exact", yes},
		{8.0, nil, "table('named', rate.last()) == 'low'", yes}, {20.4, nil, "table('named', rate.last()) == 'normal'", yes}, {20.5, nil, "table('named', rate.last()) == 'normal'", unknown},
		{8.5, nil, "table('named', rate.last()) == 'low'", unknown}, {nil, nil, "table('named', rate.last()) == 'low'", unknown}, {below(5), nil, "table('named', rate.last()) == 'low'", unknown},
	} {
		t.Run(fmt.Sprintf("%v %v %s", c.rate, c.coma, c.when), func(t *testing.T) {
			number := func(x any) Value {
				switch x := x.(type) {
				case float64:
					return NumberOf(x)
				case Value:
					return x
				}
				return Value{}
			}
			require.Equal(t, c.want, whole(t, c.when, map[string]Value{"rate.last()": number(c.rate), "coma.last()": number(c.coma)}))
		})
	}
}

func TestATableAnswersForTheKeysThatFit(t *testing.T) {
	for _, c := range []struct {
		age, sex Value
		want     float64
	}{{NumberOf(17), TextOf("male"), 1}, {NumberOf(18), TextOf("male"), 3}, {NumberOf(64), TextOf("female"), 2}, {NumberOf(65), TextOf("female"), 4}, {NumberOf(30), TextOf("other"), 4}} {
		require.Equal(t, BoolOf(true), whole(t, fmt.Sprintf("table('factor', patient.age, patient.sex) == %v", c.want), map[string]Value{"patient.age": c.age, "patient.sex": c.sex}), "%v %v", c.age, c.sex)
	}
	require.Equal(t, Value{}, whole(t, "table('factor', patient.age, patient.sex) > 0", map[string]Value{"patient.age": NumberOf(3)}), "a key is missing, though the row has any")
}

func TestRounding(t *testing.T) {
	for _, c := range []struct {
		x      float64
		places int
		want   float64
	}{{8.5, 0, 9}, {8.49, 0, 8}, {-8.5, 0, -9}, {1.005, 2, 1.01}, {36.05, 1, 36.1}, {36.04, 1, 36}, {2.675, 2, 2.68}, {1e12, 0, 1e12}, {123456789012, 0, 123456789012}, {0, 3, 0}} {
		require.InDelta(t, c.want, Round(c.x, c.places), 1e-9, "%v", c.x)
	}
}

func TestASiteSetsParametersAndItsSetIsAnother(t *testing.T) {
	files := []clinical.File{{Name: "p.yaml", Data: []byte(scoredPack + "- {id: r, title: t, severity: info, source: s, when: rate.last(span) > limit}\n")}}
	set := NewSet(files...)
	require.Same(t, set, set.With(nil))
	require.Same(t, set, set.With(map[string]map[string]string{"p": {}}))
	own := set.With(map[string]map[string]string{"p": {"limit": "3.5", "span": "6h"}})
	require.NotEqual(t, set.Hash(), own.Hash())
	require.Equal(t, own.Hash(), set.With(map[string]map[string]string{"p": {"span": "6h", "limit": "3.5"}}).Hash())

	program, err := Compile(own.Files, CompileOptions{})
	require.NoError(t, err)
	require.Equal(t, own.Hash(), program.Hash)
	require.Equal(t, "rate.last('6h') > limit", program.Rules[0].When.String())
	require.Equal(t, 3.5, program.Atoms[program.Rules[0].Atoms[0]].code.with.Num, "a comparison with a parameter is as direct as one with a number")
	require.Len(t, program.Rules[0].Parameters, 2)
	limit := program.Parameters[0]
	require.Equal(t, []any{"p", "limit", NumberOf(2), NumberOf(3.5), true}, []any{limit.Pack, limit.Name, limit.Default, limit.Value, limit.Site})

	_, err = Compile(set.With(map[string]map[string]string{"p": {"limit": "10"}}).Files, CompileOptions{})
	require.ErrorIs(t, err, ErrInvalid)
	require.Equal(t, `site/parameters.yaml:2:12: the parameter "limit" of the pack "p" is set to 10, more than the most that it may be, 9; `+
		"it is declared in p.yaml:3, and set by `parameters` of the configuration", err.Error())
}

func TestARuleReferredToIsSharedAndNotAskedTwice(t *testing.T) {
	p, err := Compile([]clinical.File{
		{Name: "a.yaml", Data: []byte("pack: a\ninputs: {k: {observation: [\"loinc|1\"]}}\nrules:\n- {id: z, title: t, severity: info, source: s, when: k.last() > 1 and k.count() > 2}\n")},
		{Name: "b.yaml", Data: []byte("pack: b\ninputs: {j: {observation: [\"loinc|2\"]}}\nrules:\n- {id: y, title: t, severity: info, source: s, when: rule('z') or j.exists()}\n- {id: x, title: t, severity: info, source: s, when: {at_least: {n: 1, of: [rule('y'), rule('z')]}}}\n")},
	}, CompileOptions{})
	require.NoError(t, err)
	require.Len(t, p.Atoms, 3)
	x, y, z := p.Rules[0], p.Rules[1], p.Rules[2]
	require.Same(t, z.Tree, y.Tree.Kids[0])
	require.Same(t, y.Tree, x.Tree.Kids[0])
	require.Equal(t, "at_least 1 (rule('y'); rule('z'))", x.When.String())
	require.Equal(t, []int{0, 1, 2}, x.Atoms)
	require.Equal(t, []int32{0, 1, 2}, p.RulesOf(int32(z.Terms[0]+1)), "a fact of k can change all three")
}

func TestReferencesThatMultiplyAreRefused(t *testing.T) {
	var b strings.Builder
	b.WriteString("pack: p\ninputs: {k: {observation: any}}\nrules:\n- {id: r0, title: t, severity: info, source: s, when: k.exists()}\n")
	for i := 1; i < 30; i++ {
		fmt.Fprintf(&b, "- {id: r%d, title: t, severity: info, source: s, when: rule('r%d') or rule('r%d') and k.exists('%dd')}\n", i, i-1, i-1, i)
	}
	_, err := Compile([]clinical.File{{Name: "p.yaml", Data: []byte(b.String())}}, CompileOptions{})
	require.ErrorContains(t, err, "more than 20000 parts")

	b.Reset()
	b.WriteString("pack: p\ninputs: {k: {observation: any}}\nrules:\n- {id: r0, title: t, severity: info, source: s, when: k.exists()}\n")
	for i := 1; i < 40; i++ {
		fmt.Fprintf(&b, "- {id: r%d, title: t, severity: info, source: s, when: rule('r%d')}\n", i, i-1)
	}
	_, err = Compile([]clinical.File{{Name: "p.yaml", Data: []byte(b.String())}}, CompileOptions{})
	require.ErrorContains(t, err, "more than 32 rules refer to each other in a chain")
}

func TestAMessageShowsScoresParametersAndTables(t *testing.T) {
	p, err := Compile([]clinical.File{{Name: "p.yaml", Data: []byte(scoredPack +
		"- {id: r, title: t, severity: info, source: s, when: news > 1, message: \"{{ news }} of {{ limit }}, {{ three }}, {{ table('factor', patient.age, patient.sex) }}\"}\n")}}, CompileOptions{})
	require.NoError(t, err)
	slots := make([]Value, len(p.Terms))
	show := func(values map[string]Value) string {
		for _, term := range p.Terms {
			slots[term.ID] = values[term.Source]
		}
		return p.Rules[0].Message.Render(slots)
	}
	require.Equal(t, "3 to 6 of 2, 3, –", show(map[string]Value{"rate.last()": NumberOf(8)}))
	require.Equal(t, "6 of 2, 3, 3", show(map[string]Value{"rate.last()": NumberOf(8), "coma.last()": NumberOf(3), "patient.age": NumberOf(20), "patient.sex": TextOf("male")}))
	require.Len(t, p.Rules[0].Message.Terms, 4)
}
