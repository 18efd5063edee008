package rulesrun

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/internal/rulestest"
	"github.com/vigil-cds/vigil/rules"
)

func TestEverySmallChangeIsMadeAtItsPlaceAndNowhereElse(t *testing.T) {
	file := clinical.File{Name: "a.yaml", Data: []byte(`pack: a
inputs:
  k: {observation: ["loinc|2823-3"]}
  code2: {observation: ["loinc|1"], value: code}
rules:
  - id: one
    when:
      at_least:
        n: 1
        of:
          - all: ['k.last(''48h'') <= 0.30']
          - >-
            k.mean('365d..1d') > 6 and
            not (code2.last() in ['5', '3mo-x', 'after 5m'])
`)}
	var got []string
	for _, m := range mutants(file) {
		changed := string(m.apply(file).Data)
		require.NotEqual(t, string(file.Data), changed)
		for i, line := range strings.Split(changed, "\n") {
			if was := strings.Split(string(file.Data), "\n")[i]; line != was {
				require.Equal(t, m.Line, i+1)
				got = append(got, m.Change+" | "+strings.TrimSpace(line))
			}
		}
	}
	require.Equal(t, []string{
		"at_least 1 becomes 0 | n: 0",
		"at_least 1 becomes 2 | n: 2",
		"all becomes any | - any: ['k.last(''48h'') <= 0.30']",
		"'48h' becomes '47h' | - all: ['k.last(''47h'') <= 0.30']",
		"'48h' becomes '49h' | - all: ['k.last(''49h'') <= 0.30']",
		"<= becomes < | - all: ['k.last(''48h'') < 0.30']",
		"0.30 becomes 0.29 | - all: ['k.last(''48h'') <= 0.29']",
		"0.30 becomes 0.31 | - all: ['k.last(''48h'') <= 0.31']",
		"'365d..1d' becomes '364d..1d' | k.mean('364d..1d') > 6 and",
		"'365d..1d' becomes '366d..1d' | k.mean('366d..1d') > 6 and",
		"'365d..1d' becomes '365d..23h' | k.mean('365d..23h') > 6 and",
		"'365d..1d' becomes '365d..2d' | k.mean('365d..2d') > 6 and",
		"> becomes >= | k.mean('365d..1d') >= 6 and",
		"6 becomes 5 | k.mean('365d..1d') > 5 and",
		"6 becomes 7 | k.mean('365d..1d') > 7 and",
		"and becomes or | k.mean('365d..1d') > 6 or",
		"'after 5m' becomes 'after 4m' | not (code2.last() in ['5', '3mo-x', 'after 4m'])",
		"'after 5m' becomes 'after 6m' | not (code2.last() in ['5', '3mo-x', 'after 6m'])",
	}, got)
}

const loose = `cases:
- {name: far above, rule: high, history: {potassium: 9.0 @ -1h}, expect: [{truth: true}, {at: +3d, truth: unknown}]}
- {name: far below, rule: high, history: {potassium: 3.0 @ -1h}, expect: {truth: false}}
- {name: on dialysis, rule: high, history: {potassium: 9.0 @ -1h, dialysis: completed @ -2h}, expect: {truth: false}}
`

const tight = `
- {name: at the threshold, rule: high, history: {potassium: 6.0 @ -24h}, expect: [{truth: true}, {at: +1ms, truth: unknown}]}
- {name: below the threshold, rule: high, history: {potassium: 5.9 @ -1h}, expect: {truth: false}}
- {name: the day after dialysis, rule: high, history: {potassium: 6.0 @ -1h, dialysis: completed @ -24h}, expect: [{truth: false}, {at: +1ms, truth: true}]}
`

func mutated(t *testing.T, cases string, o MutateOptions) *Mutation {
	t.Helper()
	_, _, parsed := read(t, cases)
	m, err := Mutate(files(), parsed, o)
	require.NoError(t, err)
	return m
}

func TestOnlyChangesThatNoCaseNoticesSurvive(t *testing.T) {
	var b strings.Builder
	require.NoError(t, mutated(t, loose, MutateOptions{}).Text(&b))
	require.Equal(t, `no case notices: demo.yaml:5:39: low: < becomes <=
no case notices: demo.yaml:5:41: low: 3.0 becomes 2.9
no case notices: demo.yaml:5:41: low: 3.0 becomes 3.1
no case notices: demo.yaml:11:32: high: '24h' becomes '23h'
no case notices: demo.yaml:11:32: high: '24h' becomes '25h'
no case notices: demo.yaml:11:58: high: '24h' becomes '23h'
no case notices: demo.yaml:11:58: high: '24h' becomes '25h'
no case notices: demo.yaml:11:64: high: >= becomes >
no case notices: demo.yaml:11:67: high: 6.0 becomes 5.9
no case notices: demo.yaml:11:67: high: 6.0 becomes 6.1
no case at all: lowest
1 of 11 changes noticed
`, b.String())

	m := mutated(t, loose+tight, MutateOptions{})
	require.Equal(t, 8, m.Noticed)
	require.Len(t, m.Survivors, 3, "those of the input that only the other rule asks")
}

func TestMutationStopsWhenItIsTold(t *testing.T) {
	m := mutated(t, loose, MutateOptions{Progress: func(done, of int) bool {
		require.Equal(t, 11, of)
		return done < 4
	}})
	require.Equal(t, 4, m.Tried())
	require.Equal(t, 7, m.Left)
}

func TestOnlyTheChangesOfTheRulesWantedAreTried(t *testing.T) {
	m := mutated(t, loose, MutateOptions{Only: func(rule string) bool { return rule == "lowest" }})
	require.Equal(t, []string{"lowest"}, m.Untested)
	require.Equal(t, 3, m.Tried())
}

func TestAPackWhoseCasesFailIsNotChanged(t *testing.T) {
	m := mutated(t, "cases: [{name: x, rule: high, expect: {truth: true}}]", MutateOptions{})
	require.Equal(t, []string{"demo.yaml"}, m.Failing)
	require.Zero(t, m.Tried())
}

func TestAValueOfATermThatAChangeRenamesIsNotWhatNoticesIt(t *testing.T) {
	m := mutated(t, "cases: [{name: x, rule: high, history: {potassium: 9 @ -1h}, expect: {values: {potassium.last('24h'): 9}}}]", MutateOptions{})
	require.Zero(t, m.Noticed)
}

func TestCasesOverSeveralPacksAreRunOverAllOfThem(t *testing.T) {
	second := clinical.File{Name: "second.yaml", Data: []byte(`pack: second
inputs:
  k: {observation: ["loinc|2823-3"], unit: mmol/L}
rules:
  - {id: also, title: Also, severity: info, source: none but the test, when: k.last('24h') > 8}
`)}
	all := append(files(), second)
	s, err := rulestest.NewSuite(all, rules.CompileOptions{})
	require.NoError(t, err)
	cases, err := s.Parse(clinical.File{Name: "x_test.yaml", Data: []byte("cases: [{name: x, rule: also, history: {k: 9 @ -1h}, expect: {truth: {also: true, high: true}}}]")})
	require.NoError(t, err)
	m, err := Mutate(all, cases, MutateOptions{Only: func(rule string) bool { return rule == "also" }})
	require.NoError(t, err)
	require.Empty(t, m.Failing)
	require.NotZero(t, m.Tried())
}
