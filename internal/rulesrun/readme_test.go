package rulesrun

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/internal/rulestest"
	"github.com/vigil-cds/vigil/rules"
)

func guide(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile("../../rules/README.md")
	require.NoError(t, err)
	return string(data)
}

// guideSuite is that of the guide's first pack, to which a warfarin input is added for the table's sake.
func guideSuite(t *testing.T) *rulestest.Suite {
	t.Helper()
	first := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindStringSubmatch(guide(t))[1]
	first = strings.Replace(first, "inputs:\n", "inputs:\n  warfarin: {medication: [\"rxnorm|11289\"]}\n", 1)
	s, err := rulestest.NewSuite([]clinical.File{{Name: "renal.yaml", Data: []byte(first)}}, rules.CompileOptions{})
	require.NoError(t, err)
	return s
}

func TestTheCasesOfTheGuideHold(t *testing.T) {
	s := guideSuite(t)
	blocks := regexp.MustCompile("(?s)```yaml cases\n(.*?)```").FindAllStringSubmatch(guide(t), -1)
	require.Len(t, blocks, 2)
	for _, block := range blocks {
		cases, err := s.Parse(clinical.File{Name: "renal_test.yaml", Data: []byte(block[1])})
		require.NoError(t, err)
		for i := range cases {
			var b strings.Builder
			r := New(s.Program()).Run(&cases[i], nil)
			require.NoError(t, r.Text(&b))
			require.True(t, r.Passed, b.String())
		}
	}
}

func TestTheCasesOfTheGuideAtASitesLimitsHold(t *testing.T) {
	pack := regexp.MustCompile("(?s)```yaml\n(pack: site-values-by-example\n.*?)```").FindStringSubmatch(guide(t))[1]
	s, err := rulestest.NewSuite([]clinical.File{{Name: "site.yaml", Data: []byte(pack)}}, rules.CompileOptions{})
	require.NoError(t, err)
	block := regexp.MustCompile("(?s)```yaml cases of site-values-by-example\n(.*?)```").FindStringSubmatch(guide(t))[1]
	cases, err := s.Parse(clinical.File{Name: "site_test.yaml", Data: []byte(block)})
	require.NoError(t, err)
	runners := Runners{}
	for i := range cases {
		var b strings.Builder
		r := runners.Of(&cases[i]).Run(&cases[i], nil)
		require.NoError(t, r.Text(&b))
		require.True(t, r.Passed, b.String())
	}
}

func TestTheNotationsOfTheGuideAreRead(t *testing.T) {
	s := guideSuite(t)
	_, table, _ := strings.Cut(guide(t), "| written | means |")
	table, _, _ = strings.Cut(table, "\n\n")
	rows := regexp.MustCompile("(?m)^\\| `(.*)` \\|[^|]*\\|$").FindAllStringSubmatch(table, -1)
	require.Len(t, rows, strings.Count(table, "\n| "))
	for _, row := range rows {
		_, err := s.Parse(clinical.File{Name: "renal_test.yaml", Data: []byte(
			"cases:\n- name: x\n  rule: aki-kdigo-1\n  expect: {truth: unknown}\n  history:\n    " + strings.ReplaceAll(row[1], `\|`, "|") + "\n")})
		require.NoError(t, err, row[1])
	}
}

func TestTheFailureOfTheGuideIsWhatARunShows(t *testing.T) {
	s := guideSuite(t)
	cases, err := s.Parse(clinical.File{Name: "renal_test.yaml", Data: []byte(`cases:
  - name: creatinine up by 0.3 within 48 hours
    rule: aki-kdigo-1
    history:
      creatinine: 0.9 @ -40h, 1.1 @ -2h
    expect:
      - {at: now, truth: true}
`)})
	require.NoError(t, err)
	var b strings.Builder
	r := New(s.Program()).Run(&cases[0], nil)
	require.NoError(t, r.Text(&b))
	require.True(t, strings.Contains(guide(t), b.String()), b.String())
}
