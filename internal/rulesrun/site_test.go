package rulesrun

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/internal/rulestest"
	"github.com/vigil-cds/vigil/rules"
)

const sitePack = `pack: renal
parameters:
  limit: {default: 6.0, unit: mmol/L, min: 5.0, max: 7.5}
  lookback: {default: 24h, min: 6h, max: 72h}
  watch: {default: true}
inputs:
  potassium: {observation: ["loinc|2823-3"], unit: mmol/L}
  dialysis: {procedure: ["snomed|108241001"]}
  digoxin: {medication: ["rxnorm|3407"]}
scores:
  burden:
    - {term: potassium.last(lookback), bands: [[..5.4, 0], [5.5..5.9, 1], [6.0.., 3]]}
    - {when: digoxin.active(), points: 2}
rules:
  - id: high
    title: High potassium
    severity: critical
    source: none but the test
    when: watch and potassium.last(lookback) >= limit and not dialysis.exists('24h')
    message: Potassium {{ potassium.last(lookback) }} mmol/L, limit {{ limit }}, burden {{ burden }}.
  - id: heavy
    title: High burden
    severity: warning
    source: none but the test
    score: [{when: burden >= 3, points: 1}, {when: potassium.count('24h') >= 2, points: 1}]
    when: score >= 1
`

// atSite runs cases of sitePack in a set that has the site's own parameters.
func atSite(t *testing.T, parameters map[string]map[string]string, cases string) (failed []string, _ *rulestest.Suite, _ *Coverage) {
	t.Helper()
	set := rules.NewSet(clinical.File{Name: "renal.yaml", Data: []byte(sitePack)}).With(parameters)
	s, err := rulestest.NewSuite(set.Files, rules.CompileOptions{})
	require.NoError(t, err)
	parsed, err := s.Parse(clinical.File{Name: "renal_test.yaml", Data: []byte(cases)})
	require.NoError(t, err)
	runners, seen := Runners{}, NewCoverage(s.Program())
	for i := range parsed {
		if r := runners.Of(&parsed[i]).Run(&parsed[i], seen); !r.Passed {
			var b strings.Builder
			require.NoError(t, r.Text(&b))
			failed = append(failed, b.String())
		}
	}
	return failed, s, seen
}

const siteCases = `parameters: {renal: {limit: 5.5}}
cases:
- name: at the limit of the file
  rule: high
  history: {potassium: 5.6 @ -20h}
  expect: {truth: true, values: {limit: 5.5, lookback: 24h, burden: 1, "potassium.last('24h')": 5.6}, message: "Potassium 5.6 mmol/L, limit 5.5, burden 1."}
  cleared: +4h1ms
- name: at the limits of the case
  rule: high
  parameters: {renal: {lookback: 6h}}
  history: {potassium: 5.6 @ -5h}
  expect:
  - {truth: true, values: {limit: 5.5, lookback: 6h, "potassium.last('6h')": 5.6}}
  - {at: +2h, truth: unknown, values: {burden: 0 to 3}}
  cleared: +1h1ms
- name: switched off
  rule: high
  parameters: {renal: {watch: false, limit: 7}}
  history: {potassium: 7.2 @ -5h}
  expect: {truth: false, values: {watch: false, limit: 7}}
- name: a score of the rule's own and one of the pack
  rule: heavy
  history: {potassium: 5.7 @ -5h, digoxin: active @ -1d..}
  expect: {truth: true, values: {score: 1, burden: 3}}
- name: a score that is not known
  rule: heavy
  history: {digoxin: active @ -1d..}
  expect: {truth: unknown, values: {score: 0 to 1, burden: 2 to 5}}
`

func TestCasesRunAtTheLimitsThatTheySet(t *testing.T) {
	failed, _, seen := atSite(t, nil, siteCases)
	require.Empty(t, failed)
	for _, rule := range seen.Rules() {
		if rule.Rule == "high" {
			require.Equal(t, 3, rule.Cases)
			require.Equal(t, AtomCoverage{Atom: "potassium.last('24h') >= limit", True: true, Unknown: true}, rule.Atoms[0],
				"what is seen at a site's limits counts for the rule")
		}
	}
}

func TestWhatCasesLeaveOutIsAsTheSiteHasSetIt(t *testing.T) {
	failed, _, _ := atSite(t, map[string]map[string]string{"renal": {"lookback": "12h", "limit": "7.0"}}, `cases:
- {name: the site's, rule: high, history: {potassium: 7.1 @ -1h}, expect: {truth: true, values: {limit: 7, lookback: 12h}}}
- {name: the case's, rule: high, parameters: {renal: {limit: 5.25}}, history: {potassium: 5.25 @ -1h}, expect: {truth: true, values: {limit: 5.25, lookback: 12h}}}
`)
	require.Empty(t, failed)
}

func TestASumThatIsNotAsExpectedIsShownAsItIs(t *testing.T) {
	failed, _, _ := atSite(t, nil, `cases:
- {name: x, rule: heavy, history: {digoxin: active @ -1d..}, expect: {truth: unknown, values: {burden: 2}}}
`)
	require.Len(t, failed, 1)
	require.Contains(t, failed[0], "expected  burden 2\n       actual    burden 2 to 5")
}

func TestFaultsOfParametersAndSumsInCases(t *testing.T) {
	for _, c := range []struct{ limits, values, says string }{
		{"{renal: {limit: 9}}", "{limit: 9}", `:4:33: the parameter "limit" of the pack "renal" is set to 9 mmol/L, more than the most that it may be, 7.5 mmol/L`},
		{"{renal: {limit: high}}", "{limit: 9}", `the parameter "limit" of the pack "renal" is set wrongly: "high" is not a number; the parameter is a number, written without its unit`},
		{"{renal: {limits: 6}}", "{limit: 6}", `the pack "renal" has no parameter "limits"; did you mean "limit"?`},
		{"{renl: {limit: 6}}", "{limit: 6}", `there is no pack "renl" with parameters; did you mean "renal"?`},
		{"{renal: 6}", "{limit: 6}", "these are keys with values; write each parameter with its value"},
		{"6", "{limit: 6}", "these are keys with values; parameters are written by pack and name"},
		{"{renal: {limit: 6}}", "{limt: 6}", `neither the rule high nor its message asks limt; did you mean "limit"?`},
		{"{renal: {limit: 6}}", "{burden: high}", `"high" is not what a score comes to; write 5, or 3 to 5 where it is not known`},
		{"{renal: {limit: 6}}", "{burden: 5 to 3}", `"5 to 3" is not what a score comes to`},
		{"{renal: {lookback: 6h}}", `{"potassium.last('24h')": 5}`, `asks potassium.last('24h')`},
	} {
		s, err := rulestest.NewSuite([]clinical.File{{Name: "renal.yaml", Data: []byte(sitePack)}}, rules.CompileOptions{})
		require.NoError(t, err)
		_, err = s.Parse(clinical.File{Name: "renal_test.yaml", Data: []byte("cases:\n- name: x\n  rule: high\n  parameters:   " + c.limits + "\n  expect: {truth: true, values: " + c.values + "}\n")})
		require.ErrorContains(t, err, c.says)
	}
}

func TestChangesAreTriedAtTheLimitsOfTheCases(t *testing.T) {
	const narrow = `pack: renal
parameters:
  limit: {default: 6.0, min: 5.0, max: 7.5}
inputs:
  potassium: {observation: ["loinc|2823-3"], unit: mmol/L}
rules:
  - {id: high, title: High potassium, severity: critical, source: none but the test, when: potassium.last('24h') >= limit}
`
	const edge = `cases:
- {name: edge, rule: high, parameters: {renal: {limit: 5.5}}, history: {potassium: 5.5 @ -24h}, expect: [{truth: true}, {at: +1ms, truth: unknown}]}
- {name: below, rule: high, history: {potassium: 5.5 @ -24h}, expect: {truth: false}}
`
	files := []clinical.File{{Name: "renal.yaml", Data: []byte(narrow)}}
	s, err := rulestest.NewSuite(files, rules.CompileOptions{})
	require.NoError(t, err)
	cases, err := s.Parse(clinical.File{Name: "renal_test.yaml", Data: []byte(edge)})
	require.NoError(t, err)
	m, err := Mutate(files, cases, MutateOptions{})
	require.NoError(t, err)
	require.Empty(t, m.Failing)
	require.Empty(t, m.Survivors, "only the case at the site's limit can notice that >= becomes >")
}
