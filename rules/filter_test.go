package rules

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vigil-cds/vigil/internal/clinical"
)

func compiledWith(t *testing.T, when, message string) *Program {
	t.Helper()
	p, err := Compile([]clinical.File{{Name: "p.yaml", Data: []byte(`pack: p
inputs:
  creatinine: {observation: ["loinc|2160-0"], unit: mg/dL}
  stay: {encounter: any}
rules:
  - id: r
    title: t
    severity: info
    source: s
    when: ` + when + `
    message: "` + message + `"
`)}}, CompileOptions{})
	require.NoError(t, err)
	return p
}

func TestAConditionAsTheLastArgumentPicksTheFacts(t *testing.T) {
	for when, source := range map[string]string{
		"creatinine.last('48h', value >= 1.5) > 2":                    "creatinine.last('48h', value >= 1.5)",
		"creatinine.exists(not (value >= 1.5))":                       "creatinine.exists(not (value >= 1.5))",
		"creatinine.nth(-2, '7d', status == 'final') > 2":             "creatinine.nth(-2, '7d', status == 'final')",
		"creatinine.count('7d', stay.active()) > 2":                   "creatinine.count('7d', stay.active())",
		"creatinine.duration_above(2, '7d', 'carry 4h', value<9) > 1": "creatinine.duration_above(2, '7d', 'carry 4h', value < 9)",
	} {
		p := compiledWith(t, when, "high")
		require.Equal(t, source, p.Terms[p.Rules[0].Terms[0]].Source)
		in := p.Inputs[p.Terms[p.Rules[0].Terms[0]].Input]
		require.Equal(t, "creatinine", in.Name)
		require.NotEmpty(t, in.Filter)
	}
}

func TestTermsWithOneConditionShareTheirInput(t *testing.T) {
	p := compiledWith(t, "creatinine.last('48h', value >= 1.5) > creatinine.first('7d', value >= 1.5)", "{{ creatinine.last('48h', value >= 1.5) }}")
	require.Len(t, p.Terms, 2)
	require.Equal(t, p.Terms[0].Input, p.Terms[1].Input)
	require.Len(t, p.Inputs, 4, "the patient, the two of the pack, and the one picked")
}
