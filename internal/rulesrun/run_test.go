package rulesrun

import (
	"bytes"
	"encoding/xml"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/internal/rulestest"
	"github.com/vigil-cds/vigil/rules"
)

const pack = `pack: demo
inputs:
  potassium: {observation: ["loinc|2823-3"], unit: mmol/L}
  dialysis: {procedure: ["snomed|108241001"]}
  low: {from: potassium, where: value < 3.0}
rules:
  - id: high
    title: High potassium
    severity: critical
    source: none but the test
    when: not dialysis.exists('24h') and potassium.last('24h') >= 6.0
    message: Potassium {{ potassium.last('24h') }} mmol/L.
  - id: lowest
    title: Low potassium
    severity: info
    source: none but the test
    when:
      any:
        - low.exists('24h')
        - "potassium.min('2d') < 2.5"
`

func files() []clinical.File { return []clinical.File{{Name: "demo.yaml", Data: []byte(pack)}} }

func read(t *testing.T, cases string) (*Runner, *rules.Program, []rulestest.Case) {
	t.Helper()
	s, err := rulestest.NewSuite(files(), rules.CompileOptions{})
	require.NoError(t, err)
	parsed, err := s.Parse(clinical.File{Name: "demo_test.yaml", Data: []byte(cases)})
	require.NoError(t, err)
	return New(s.Program()), s.Program(), parsed
}

// told runs one case and writes what became of it.
func told(t *testing.T, c string) string {
	t.Helper()
	runner, _, cases := read(t, "cases:\n- name: x\n  rule: high\n  "+strings.ReplaceAll(c, "\n", "\n  ")+"\n")
	r := runner.Run(&cases[0], nil)
	var b strings.Builder
	require.NoError(t, r.Text(&b))
	require.Equal(t, !r.Passed, runner.Notices(&cases[0]), "a case is noticed to fail when it fails")
	return b.String()
}

func TestACasePassesWhenAllIsAsExpected(t *testing.T) {
	for _, c := range []string{
		"history: {potassium: 6.5 @ -1h}\nexpect: {truth: true, values: {potassium.last('1d'): 6.50}, message: Potassium 6.5 mmol/L.}",
		"history: {potassium: 6.5 @ -1h}\nexpect: [{at: -2h, truth: unknown}, {truth: {high: true, lowest: false}}, {at: +23h1ms, truth: unknown}]",
		"history: {potassium: 6.5 @ -1h}\nfired: -1h\ncleared: +23h1ms\nuntil: +2d",
		"history: {potassium: 6.5 @ -1h}\nfired: -1h\ncleared: never",
		"history: {potassium: 6.5 @ -1h known +2h}\nexpect: {at: +1h, truth: unknown}\nfired: +2h",
		"history: {potassium: 6.5 @ -1h -> 5.6 known +1h}\nexpect: [{at: now, truth: true}, {at: +1h, truth: false}]\nfired: -1h\ncleared: +1h",
		"history: {potassium: 6.5 @ -1h -> retracted known +1h}\nexpect: {at: +1h, truth: unknown, values: {potassium.last('24h'): missing}}",
		"history: {potassium: '>9 @ -1h'}\nexpect: {truth: true, values: {potassium.last('24h'): '>9'}, message: {contains: ['>9', mmol]}}",
		"history: {potassium: 6.5 @ -1h, dialysis: completed @ +1h}\nfired: [-1h]\ncleared: [+1h]",
		"history: {potassium: '6.5 @ -1h, 5 @ -1h'}\nfired: never",
		"patient: {age: 3}\nexpect: {truth: unknown}",
	} {
		require.Equal(t, "ok   demo_test.yaml:2: high: x\n", told(t, c), c)
	}
}

func TestAFailureShowsExpectedAboveActualAndSaysWhy(t *testing.T) {
	require.Equal(t, `FAIL demo_test.yaml:2: high: x
     demo_test.yaml:6: at +1h (2026-03-01T13:00:00Z)
       expected  truth true
       actual    truth false
       because   Not true: potassium 5.6 mmol/L (11:00) is below 6, by 0.4; a potassium of 6 mmol/L or more now would fire it.
     demo_test.yaml:6: at +1h (2026-03-01T13:00:00Z): lowest
       expected  truth unknown
       actual    truth false
       because   Not true: the lowest potassium in 48 hours is 5.6 mmol/L (11:00), above 2.5 by 3.1; a low of 2.9 mmol/L or less now would fire it.
     demo_test.yaml:7: at +1h (2026-03-01T13:00:00Z)
       expected  potassium.last('24h') missing
       actual    potassium.last('24h') 5.6
       because   Not true: potassium 5.6 mmol/L (11:00) is below 6, by 0.4; a potassium of 6 mmol/L or more now would fire it.
     demo_test.yaml:8: at +1h (2026-03-01T13:00:00Z)
       expected  message contains "5.7"
       actual    message "Potassium 5.6 mmol/L."
       because   Not true: potassium 5.6 mmol/L (11:00) is below 6, by 0.4; a potassium of 6 mmol/L or more now would fire it.
     demo_test.yaml:9
       expected  fired -1h (2026-03-01T11:00:00Z)
       actual    fired -1h30m (2026-03-01T10:30:00Z)
     demo_test.yaml:10
       expected  cleared never
       actual    cleared -1h (2026-03-01T11:00:00Z)
`, told(t, `history: {potassium: "6.5 @ -2h known -90m, 5.6 @ -1h"}
expect:
  - {at: +1h, truth: {high: true, lowest: unknown},
     values: {potassium.last('24h'): missing},
     message: {contains: "5.7"}}
fired: -1h
cleared: never`))
}

func TestWhereTheTwoEvaluatorsDifferTheEngineIsAtFault(t *testing.T) {
	runner, _, cases := read(t, "cases: [{name: x, rule: high, history: {potassium: 6.5 @ -1h}, expect: {truth: true}, fired: -1h}]")
	c := &cases[0]
	q := runner.questions(c)
	reference := runner.play(q, c, &reference{evaluator: runner.reference, program: runner.program}, nil)
	engine := runner.play(q, c, newEngine(runner.plan), nil)
	engine.moments[0].truths[0] = rules.Unknown
	engine.turns = nil
	r := Result{Name: c.Name, Rule: c.Rule, Pack: c.Pack, File: c.File, Line: c.Line}
	j := judge{runner: runner, c: c, result: &r}
	j.compare(q, reference, engine)
	j.expectations(reference)
	var text, report bytes.Buffer
	require.NoError(t, r.Text(&text))
	require.Equal(t, `FAIL demo_test.yaml:1: high: x
     demo_test.yaml:1: at now (2026-03-01T12:00:00Z): the engine differs from the reference evaluator; this is no fault of the pack
       reference  truth true
       engine     truth unknown
     demo_test.yaml:1: the engine differs from the reference evaluator; this is no fault of the pack
       reference  fired and cleared fired 2026-03-01T11:00:00Z
       engine     fired and cleared 
`, text.String())
	require.NoError(t, JUnit(&report, []Result{r}))
	require.Contains(t, report.String(), `<error message="expected truth true, but it is unknown" type="engine">`)
}

func TestJUnitCountsByFileAndKeepsWhatFailed(t *testing.T) {
	runner, _, cases := read(t, `cases:
- {name: holds <&>, rule: high, expect: {truth: unknown}}
- {name: fails, rule: high, expect: {truth: true}}
`)
	var results []Result
	for i := range cases {
		r := runner.Run(&cases[i], nil)
		r.Took = 1500 * time.Millisecond
		results = append(results, r)
	}
	other := results[0]
	other.File = "other_test.yaml"
	var b bytes.Buffer
	require.NoError(t, JUnit(&b, append(results, other)))
	require.True(t, strings.HasPrefix(b.String(), `<?xml version="1.0" encoding="UTF-8"?>`))
	var got junitSuites
	require.NoError(t, xml.Unmarshal(b.Bytes(), &got))
	require.Equal(t, []any{3, 1, 0, "4.500"}, []any{got.Tests, got.Failures, got.Errors, got.Time})
	require.Len(t, got.Suites, 2)
	require.Equal(t, []any{"demo_test.yaml", 2, 1, "3.000"}, []any{got.Suites[0].Name, got.Suites[0].Tests, got.Suites[0].Failures, got.Suites[0].Time})
	require.Equal(t, "holds <&>", got.Suites[0].Cases[0].Name)
	require.Nil(t, got.Suites[0].Cases[0].Failure)
	failed := got.Suites[0].Cases[1]
	require.Equal(t, []any{"demo.high", 3, "expected truth true, but it is unknown"}, []any{failed.Class, failed.Line, failed.Failure.Message})
	require.Contains(t, failed.Failure.Text, "because")
}

func TestCoverageShowsWhatTheCasesOfARuleNeverSaw(t *testing.T) {
	runner, program, cases := read(t, `cases:
- {name: a, rule: high, history: {potassium: 6.5 @ -1h}, expect: [{truth: true}, {at: +3d, truth: unknown}]}
- {name: b, rule: high, history: {potassium: 5 @ -1h, dialysis: completed @ -1h}, fired: never, cleared: now}
`)
	seen := NewCoverage(program)
	for i := range cases {
		runner.Run(&cases[i], seen)
	}
	all := seen.Rules()
	require.Equal(t, []RuleCoverage{
		{Rule: "high", File: "demo.yaml", Line: 7, Cases: 2, Atoms: []AtomCoverage{
			{Atom: "dialysis.exists('24h')", True: true, False: true},
			{Atom: "potassium.last('24h') >= 6", True: true, False: true, Unknown: true}}},
		{Rule: "lowest", File: "demo.yaml", Line: 13, Atoms: []AtomCoverage{{Atom: "low.exists('24h')"}, {Atom: "potassium.min('48h') < 2.5"}}},
	}, all)
	require.Equal(t, 50.0, Share(all))
	var b strings.Builder
	require.NoError(t, CoverageText(&b, all))
	require.Equal(t, `demo.yaml:7: high (2 cases)
  T F .  dialysis.exists('24h')
  T F U  potassium.last('24h') >= 6
demo.yaml:13: lowest (0 cases)
  . . .  low.exists('24h')   <- never true or false
  . . .  potassium.min('48h') < 2.5   <- never true or false
coverage 50.0 %: of 4 atoms, each to be seen true and false
`, b.String())
	require.Equal(t, 100.0, Share(nil))
}
