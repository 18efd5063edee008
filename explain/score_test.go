package explain

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vigil-cds/vigil/explain/record"
	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/rules"
)

const scorePack = `pack: kidney
parameters:
  raised: {default: 1.5, unit: mg/dL, min: 1.2, max: 3, title: Raised creatinine}
  lookback: {default: 7d, min: 1d, max: 30d}
inputs:
  creatinine: {observation: ["loinc|2160-0"], unit: mg/dL}
  temperature: {observation: ["loinc|8310-5"], unit: Cel}
  dialysis: {procedure: ["snomed|302497006"]}
scores:
  strain:
    title: Strain
    items:
      - {term: creatinine.last(lookback), bands: [[..1.1, 0], [1.2..1.9, 1], [2.0.., 3]]}
      - {when: temperature.last('1d') > 38.3, points: 2}
      - {when: dialysis.exists('30d'), points: 4}
rules:
  - {id: strained, title: Strained, severity: warning, source: x, when: strain >= 5, message: "Strain {{ strain }} at {{ raised }}"}
  - {id: some, title: Some, severity: info, source: x, when: strain >= 1}
  - {id: both, title: Both, severity: info, source: x, when: rule('some') and creatinine.last(lookback) >= raised}
`

func TestAScoreShowsItsPointsAndHowFarItIsKnown(t *testing.T) {
	p := compiled(t, scorePack)
	r := NewReference(p)
	explain := func(rule string, facts ...clinical.Fact) *record.Explanation {
		return r.Answer(ruleOf(t, p, rule), inOrder(facts...), noon, horizon, frame)
	}
	score := func(e *record.Explanation) record.Node { return e.Tree.Kids[0] }

	e := explain("strained", result(noon-hour, 2.4), measured("loinc|8310-5", noon-hour, 39, "Cel"))
	require.Equal(t, record.True, e.Truth)
	require.Equal(t, "Strain 5 at 1.5", e.Message)
	require.Equal(t, "score", score(e).Op)
	require.Equal(t, 5.0, score(e).Value.Num)
	require.Equal(t, []bool{true, true, false}, []bool{score(e).Kids[0].Decides, score(e).Kids[1].Decides, score(e).Kids[2].Decides})
	require.Equal(t, 3.0, score(e).Kids[0].Value.Num)

	e = explain("strained", result(noon-hour, 1.3))
	require.Equal(t, record.False, e.Truth, "the temperature would add 2 at most")
	require.True(t, score(e).Value.IsZero())
	require.Equal(t, [2]float64{1, 3}, [2]float64{*score(e).Least, *score(e).Greatest})
	require.Equal(t, []record.Gain{{Source: "4 if dialysis.exists('30d')", Points: 4}, {Source: "creatinine.last('7d') [..1.1: 0, 1.2..1.9: 1, 2..: 3]", Points: 2},
		{Source: "2 if temperature.last('24h') > 38.3", Points: 2}}, e.Miss.Blockers[0].Gains)
	require.Equal(t, "a dialysis now", e.Miss.Change.Text)

	e = explain("strained", result(noon-hour, 2.4))
	require.Equal(t, record.Unknown, e.Truth)
	require.Len(t, e.Missing, 1)
	require.Equal(t, "temperature.last('24h')", e.Terms[e.Missing[0].Term].Source)
}

func TestARuleShowsTheOtherItRefersToAndTheParametersInForce(t *testing.T) {
	files := rules.NewSet(clinical.File{Name: "p.yaml", Data: []byte(scorePack)}).With(map[string]map[string]string{"kidney": {"raised": "1.25"}})
	p, err := rules.Compile(files.Files, rules.CompileOptions{})
	require.NoError(t, err)
	require.Equal(t, files.Hash(), p.Hash)
	e := NewReference(p).Answer(ruleOf(t, p, "both"), inOrder(result(noon-hour, 1.3)), noon, horizon, frame)
	require.Equal(t, record.True, e.Truth)
	other := e.Tree.Kids[0]
	require.Equal(t, "rule", other.Op)
	require.Equal(t, "rule('some')", other.Source)
	require.Equal(t, "strain >= 1", other.Kids[0].Source)
	limit := e.Tree.Kids[1].Kids[1]
	require.Equal(t, "parameter", limit.Op)
	require.Equal(t, "raised", limit.Source)
	require.Equal(t, 1.25, limit.Value.Num)
	require.Equal(t, []record.Parameter{
		{Name: "lookback", Pack: "kidney", Value: record.Value(rules.TextOf("7d")), Default: record.Value(rules.TextOf("7d"))},
		{Name: "raised", Pack: "kidney", Title: "Raised creatinine", Value: record.Value(rules.NumberOf(1.25)), Default: record.Value(rules.NumberOf(1.5)), Unit: "mg/dL", Site: true},
	}, e.RuleSet.Parameters)
}

func TestBandsThatDoNotCountAreNotTheReason(t *testing.T) {
	p := compiled(t, `pack: kidney
inputs:
  creatinine: {observation: ["loinc|2160-0"], unit: mg/dL}
  dialysis: {procedure: ["snomed|302497006"]}
scores:
  strain:
    - {when: not dialysis.exists('30d'), term: creatinine.last('7d'), bands: [[..1.1, 0], [1.2.., 2]]}
    - {when: dialysis.exists('30d'), term: creatinine.last('7d'), bands: [[..4.9, 0], [5.0.., 3]]}
rules:
  - {id: strained, title: Strained, severity: warning, source: x, when: strain >= 2}
  - {id: severe, title: Severe, severity: warning, source: x, when: strain >= 3}
`)
	r := NewReference(p)
	e := r.Answer(ruleOf(t, p, "strained"), inOrder(result(noon-hour, 1.3)), noon, horizon, frame)
	require.Equal(t, record.True, e.Truth)
	items := e.Tree.Kids[0].Kids
	require.Equal(t, []any{2.0, 0.0}, []any{items[0].Value.Num, items[1].Value.Num})
	require.Equal(t, "creatinine.last('7d') [..4.9: 0, 5..: 3] if dialysis.exists('30d')", items[1].Source)
	require.True(t, items[0].Kids[0].Decides && items[0].Kids[1].Decides)
	require.False(t, items[1].Decides)

	e = r.Answer(ruleOf(t, p, "severe"), inOrder(result(noon-hour, 1.3)), noon, horizon, frame)
	require.Equal(t, record.False, e.Truth)
	require.Equal(t, []bool{true, false}, []bool{e.Tree.Kids[0].Kids[1].Kids[0].Decides, e.Tree.Kids[0].Kids[1].Kids[1].Decides})
	require.Empty(t, e.Miss.Blockers[0].Gains, "2 is all that the bands for this patient give")

	e = r.Answer(ruleOf(t, p, "severe"), inOrder(), noon, horizon, frame)
	require.Equal(t, record.False, e.Truth, "without dialysis no creatinine gives 3")
	e = r.Answer(ruleOf(t, p, "strained"), inOrder(), noon, horizon, frame)
	require.Equal(t, record.Unknown, e.Truth)
	require.Equal(t, "creatinine.last('7d')", e.Terms[e.Missing[0].Term].Source)
}
