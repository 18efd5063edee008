package packs

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/internal/rulesrun"
	"github.com/vigil-cds/vigil/internal/rulestest"
	"github.com/vigil-cds/vigil/rules"
)

func suite(t *testing.T) *rulestest.Suite {
	t.Helper()
	s, err := rulestest.NewSuite(Files(), rules.CompileOptions{})
	require.NoError(t, err)
	return s
}

func cases(t *testing.T, s *rulestest.Suite) []rulestest.Case {
	t.Helper()
	var all []rulestest.Case
	for _, f := range Cases() {
		some, err := s.Parse(f)
		require.NoError(t, err)
		all = append(all, some...)
	}
	return all
}

func TestEveryCaseHoldsAndTogetherTheySeeEveryAtomTrueAndFalse(t *testing.T) {
	s := suite(t)
	runners, seen := rulesrun.Runners{}, rulesrun.NewCoverage(s.Program())
	for _, c := range cases(t, s) {
		if r := runners.Of(&c).Run(&c, seen); !r.Passed {
			var b strings.Builder
			require.NoError(t, r.Text(&b))
			t.Error(b.String())
		}
	}
	for _, rule := range seen.Rules() {
		require.NotZero(t, rule.Cases, rule.Rule)
		for _, a := range rule.Atoms {
			require.True(t, a.True, "%s: %s is never true in its cases", rule.Rule, a.Atom)
			require.True(t, a.False, "%s: %s is never false in its cases", rule.Rule, a.Atom)
		}
	}
}

func TestEveryRuleIsShownTrueAndFalseAndChangingWithTimeOrUnknown(t *testing.T) {
	s := suite(t)
	shown := map[string]map[rules.Truth]bool{}
	settles := map[string]bool{} // unknown, or another truth by time alone
	for _, c := range cases(t, s) {
		var latest clinical.Instant
		for _, f := range c.Facts {
			if f.Stream.Kind != clinical.KindPatient {
				latest = max(latest, f.Time)
			}
		}
		after := map[string]map[rules.Truth]bool{}
		for _, e := range c.Expect {
			for _, expected := range e.Truths {
				if shown[expected.Rule] == nil {
					shown[expected.Rule] = map[rules.Truth]bool{}
				}
				shown[expected.Rule][expected.Truth] = true
				if e.At >= latest {
					if after[expected.Rule] == nil {
						after[expected.Rule] = map[rules.Truth]bool{}
					}
					after[expected.Rule][expected.Truth] = true
				}
			}
		}
		for id, truths := range after {
			settles[id] = settles[id] || len(truths) > 1 || truths[rules.Unknown]
		}
	}
	for _, r := range s.Program().Rules {
		require.True(t, shown[r.ID][rules.True], "%s is never true in its cases", r.ID)
		require.True(t, shown[r.ID][rules.False], "%s is never false in its cases", r.ID)
		require.True(t, settles[r.ID], "no case of %s shows it unknown or changed by time alone", r.ID)
	}
}

func TestEveryPackHasItsCasesBesideIt(t *testing.T) {
	names := map[string]bool{}
	for _, f := range Cases() {
		names[f.Name] = true
	}
	for _, f := range Files() {
		if pack, ok := strings.CutSuffix(f.Name, ".yaml"); ok {
			require.True(t, names[pack+caseSuffix], f.Name)
		}
	}
}

func TestEveryRuleNamesItsSourceWithAYear(t *testing.T) {
	p := suite(t).Program()
	require.GreaterOrEqual(t, len(p.Rules), 14)
	for _, r := range p.Rules {
		require.Regexp(t, `(19|20)\d\d|Lanoxin|SEP-1`, r.Source, r.ID)
		require.NotEmpty(t, r.Message.Terms, r.ID)
	}
}
