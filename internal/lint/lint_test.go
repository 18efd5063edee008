package lint

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/internal/diagnostic"
	"github.com/vigil-cds/vigil/internal/ucum"
	"github.com/vigil-cds/vigil/rules"
	"github.com/vigil-cds/vigil/rules/packs"
)

// head declares inputs that every case may use; its own use of them keeps unused-input quiet.
const head = `pack: p
inputs:
  k: {observation: ["loinc|2823-3"], unit: mmol/L}
  egfr: {observation: ["loinc|62238-1"], unit: "mL/min/{1.73_m2}"}
  lactate: {observation: ["loinc|2524-7"], unit: mmol/L}
  group: {observation: ["loinc|883-9"], value: code}
  drug: {medication: any}
rules:
- {id: uses, title: t, severity: info, source: s, when: egfr.exists('1s') and lactate.exists('1s') and group.exists('1s') and drug.exists('1s') and k.exists('1s')}
`

func lint(t *testing.T, text string) []diagnostic.Diagnostic {
	t.Helper()
	w, err := rules.Read([]clinical.File{{Name: "p.yaml", Data: []byte(text)}}, rules.CompileOptions{})
	require.NoError(t, err)
	return Run(w)
}

// The mark ⇒ is taken out before the pack is read; the lint must be where it was.
func TestWhatAConditionCannotMeanIsFound(t *testing.T) {
	for _, c := range []struct{ when, id string }{
		{"⇒k.count('24h') >= 0", NeverFalse},
		{"⇒k.count() < 0 or drug.active()", NeverTrue},
		{"drug.active() and ⇒0 <= k.count()", NeverFalse},
		{"⇒patient.age > 150", NeverTrue},
		{"⇒patient.age >= 0", NeverFalse},
		{"⇒patient.age_months > 2000", NeverTrue},
		{"⇒k.hours_since('24h') > 30", NeverTrue},
		{"⇒k.days_since('30d..8d') >= 7", NeverFalse},
		{"⇒k.hours_since('today') > 25", NeverTrue},
		{"⇒k.hours_since('yesterday') > 50", NeverTrue},
		{"⇒k.days_since('last day') >= 0", NeverFalse},
		{"(⇒k.last() > 6 ? 2 : 0) + (lactate.last() > 2 ? 1 : 0) >= 4", NeverTrue},
		{"⇒k.last() > k.last()", NeverTrue},
		{"⇒'a' == 'b' or drug.active()", NeverTrue},
		{"⇒'a' != 'b' and drug.active()", NeverFalse},
		{"⇒1 > 2", NeverTrue},
		{"⇒patient.sex == 'M'", NeverTrue},
		{"⇒patient.sex in ['female', 'f']", NeverTrue},
		{"⇒group.last() == 'snomed|278149003'", NeverTrue},
		{"⇒group.nth(-2) in ['A', 'snomed|278149003']", NeverTrue},
		{"k.last() > 5 and ⇒k.last() < 3", Contradiction},
		{"k.last() > 5 and ⇒k.last() <= 5", Contradiction},
		{"5 < k.last() and lactate.last() > 2 and ⇒3 > k.last()", Contradiction},
		{"k.last() > 5 and (⇒k.last() < 3 or drug.active())", Contradiction},
		{"not (k.last() < 5 or ⇒k.last() > 3)", Contradiction},
		{"k.last() > 3 or ⇒k.last() < 5", NeverFalse},
		{"group.last() == 'A' and ⇒group.last() == 'B'", Contradiction},
		{"group.last() in ['A', 'B'] and ⇒group.last() == 'AB'", Contradiction},
		{"drug.exists() and not ⇒drug.exists()", Contradiction},
		{"(k.last() > 6 and ⇒k.last() < 2 ? 3 : 0) + lactate.last() > 2", Contradiction},
		{"⇒k.last() > 60", ImplausibleThreshold},
		{"⇒k.min('24h') < 0.03", ImplausibleThreshold},
		{"(⇒egfr.last() ?? 90) > 6000", ImplausibleThreshold},
		{"⇒k.exists('150y')", UnreachableWindow},
		{"⇒k.exists('190y..140y')", UnreachableWindow},
		{"k.last() > 6 and ⇒not (egfr.last() > 60)", SilencedByMissing},
		{"k.last() > 6 and ⇒not (egfr.last() > 60 or drug.active())", SilencedByMissing},
		{"drug.active() and ⇒group.last() != 'A'", SilencedByMissing},
	} {
		t.Run(c.when, func(t *testing.T) {
			before, _, marked := strings.Cut(c.when, "⇒")
			require.True(t, marked)
			got := lint(t, rule(strings.Replace(c.when, "⇒", "", 1)))
			require.Len(t, got, 1, "%v", got)
			require.Equal(t, c.id, got[0].ID, got[0].Message)
			require.Equal(t, len(`  when: "`)+len(before)+1, got[0].Col, got[0].Message)
			require.Equal(t, diagnostic.Warning, got[0].Level)
			require.NotEmpty(t, got[0].Hint)
		})
	}
}

func TestOrdinaryConditionsAreLeftAlone(t *testing.T) {
	for _, when := range []string{
		"k.count('24h') >= 1",
		"k.count('24h') == 0",
		"patient.age >= 18 and patient.age < 65",
		"k.last() > 3 and k.last() < 5",
		"k.last() < 3 or k.last() > 5",
		"k.last('1h') > 5 and k.last('2h') < 3",
		"(k.hours_since() ?? 1000) > 6",
		"k.hours_since('24h') >= 6",
		"k.hours_since('today') >= 24.5",
		"k.hours_since('yesterday') >= 48.5",
		"k.days_since('last day') > 3",
		"patient.sex in ['male', 'female']",
		"group.last() != 'A' and group.last() != 'B'",
		"not (k.last() > 5) and not (k.last() < 3)",
		"(k.last() > 6 ? 2 : k.last() > 5 ? 1 : 0) + (lactate.last() > 2 ? 2 : 0) >= 3",
		"k.last() > 6 and not drug.exists()",
		"k.last() > 6 and egfr.last() < 30",
		"k.last() > 6 and not ((egfr.last() > 60) ?? false)",
		"k.last() > 6 and egfr.exists() and not (egfr.last() > 60)",
		"k.last() > 6 and (not (egfr.last() > 60) or drug.active())",
		"not (k.last() > 5)",
		"k.last() > 6 and not (k.last('7d') < 3)",
		"k.last() > 6 and not (egfr.last() > 60 and drug.active())",
		"k.last() > 6 and not (egfr.sum('24h') > 60)",
		"k.last() > 6 and not (patient.age < 18)",
		"drug.active() and (k.last() ?? 4) >= 6",
		"k.last() / lactate.last() > 100000",
		"k.last('130y') > 6",
		"egfr.delta() > 400",
		"k.last() >= 5 and k.last() <= 5",
	} {
		require.Empty(t, lint(t, rule(when)), when)
	}
}

// rule is a pack with the inputs of head and one rule more.
func rule(when string) string {
	return head + "- {id: r, title: t, severity: info, source: s,\n" + `  when: "` + when + `"}` + "\n"
}

func TestDeclarationsAreHeldToWhatLOINCSaysAndToTheirUse(t *testing.T) {
	const rules = "\nrules:\n- {id: r, title: t, severity: info, source: s, when: a.last() > 6}\n"
	for _, c := range []struct{ name, inputs, says string }{
		{"mass for a substance concentration", "  a: {observation: [\"loinc|2823-3\"], unit: mg/dL}", "p.yaml:3:44 unit-mismatch results of loinc|2823-3 (potassium) in mmol/L cannot be converted to mg/dL and would be left out"},
		{"one code of two", "  a: {observation: [\"loinc|2345-7\", \"loinc|14749-6\"], unit: mg/dL}", "p.yaml:3:61 unit-mismatch results of loinc|14749-6 (glucose, substance concentration) in mmol/L cannot be converted to mg/dL and would be left out"},
		{"another unit of the same kind", "  a: {observation: [\"loinc|2823-3\"], unit: mol/m3}", ""},
		{"a unit that fits", "  a: {observation: [\"loinc|718-7\"], unit: g/L}", ""},
		{"a code that nobody knows", "  a: {observation: [\"loinc|99999-9\"], unit: mg/dL}", ""},
		{"an input that nothing uses", "  a: {observation: [\"loinc|2823-3\"], unit: mmol/L}\n  b: {medication: any}", "p.yaml:4:3 unused-input nothing asks about the input \"b\""},
		{"an input that only another uses", "  b: {observation: [\"loinc|2823-3\"], unit: mmol/L}\n  a: {from: b, where: value > 5}", ""},
		{"a where that nothing meets", "  a: {observation: [\"loinc|2823-3\"], unit: mmol/L, where: [value > 5, value < 3]}", "p.yaml:3:71 contradiction `value > 5` and `value < 3` are never true together"},
		{"a where beyond what is possible", "  a: {observation: [\"loinc|2823-3\"], unit: mmol/L, where: value > 500}", "p.yaml:3:59 implausible-threshold 500 mmol/L is outside what potassium can be (from 0.5 to 15)"},
		{"several codes of one fact", "  a: {observation: [\"loinc|2823-3\"], unit: mmol/L, where: category == 'x' and category == 'y'}", ""},
		{"a value set that only a where asks for", "  a: {observation: [\"loinc|2823-3\"], unit: mmol/L, where: [interpretation in valueset('v')]}\nvaluesets:\n  v: [\"loinc|1-1\"]", ""},
		{"an input whose periods alone are used", "  a: {observation: [\"loinc|2823-3\"], unit: mmol/L, during: stay}\n  stay: {encounter: [\"class|IMP\"]}", ""},
		{"an input that only a where asks", "  a: {observation: [\"loinc|2823-3\"], unit: mmol/L, where: \"not low.exists('after 5m')\"}\n  low: {from: b, where: value < 3}\n  b: {observation: [\"loinc|2823-3\"], unit: mmol/L}", ""},
		{"a where with a window beyond life", "  a: {observation: [\"loinc|2823-3\"], unit: mmol/L, where: \"drug.exists('150y')\"}\n  drug: {medication: any}", "p.yaml:3:60 unreachable-window the window '150y' is longer than any life"},
		{"a value set that nothing uses", "  a: {observation: [\"loinc|2823-3\"], unit: mmol/L}\nvaluesets:\n  v: [\"loinc|1-1\"]", "p.yaml:5:3 unused-value-set no input takes its codes from the value set \"v\""},
		{"a value set that an input uses", "  a: {observation: {valueset: v}}\nvaluesets:\n  v: [\"loinc|1-1\"]", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			var got []string
			for _, d := range lint(t, "pack: p\ninputs:\n"+c.inputs+rules) {
				got = append(got, fmt.Sprintf("%s:%d:%d %s %s", d.File, d.Line, d.Col, d.ID, d.Message))
			}
			require.Equal(t, c.says, strings.Join(got, "\n"))
		})
	}
}

func TestScoresConstantsAndOtherRulesAreLookedInto(t *testing.T) {
	const pack = `pack: p
constants: {limit: 60}
inputs:
  k: {observation: ["loinc|2823-3"], unit: mmol/L}
  egfr: {observation: ["loinc|62238-1"], unit: "mL/min/{1.73_m2}"}
rules:
- id: a
  title: t
  severity: info
  source: s
  score:
  - {when: k.last() > 6 and k.last() < 3, points: 2}
  - {term: egfr.last(), bands: [[..<30, 3], [30.., 0]]}
  when: score >= 6
- {id: b, title: t, severity: info, source: s, when: k.last() > limit and rule('a')}
- {id: c, title: t, severity: info, source: s, when: rule('a') and not rule('b')}
`
	var got []string
	for _, d := range lint(t, pack) {
		got = append(got, fmt.Sprintf("%d:%d %s", d.Line, d.Col, d.ID))
	}
	require.Equal(t, []string{"12:29 contradiction", "14:9 never-true", "15:54 implausible-threshold"}, got)
}

func TestAnImplausibleThresholdIsFoundInTheInputsOwnUnit(t *testing.T) {
	const pack = "pack: p\ninputs:\n  a: {observation: [\"loinc|8310-5\"], unit: \"[degF]\"}\nrules:\n" +
		"- {id: r, title: t, severity: info, source: s, when: a.last() > 100.4}\n"
	require.Empty(t, lint(t, pack))
	got := lint(t, strings.Replace(pack, "100.4", "38", 1))
	require.Len(t, got, 1)
	require.Equal(t, "38 [degF] is outside what body temperature can be (from 50 to 122)", got[0].Message)
	require.Contains(t, got[0].Hint, "[degF]")
}

func TestTwoRulesThatSayTheSameAreFoundInWhateverOrder(t *testing.T) {
	got := lint(t, head+`- {id: b, title: t, severity: info, source: s, when: "k.last() > 6 and drug.active()"}
- {id: a, title: t, severity: critical, source: s, when: {all: [drug.active(), k.last() > 6.0]}}
- {id: c, title: t, severity: info, source: s, when: "k.last() > 6 or drug.active()"}
`)
	require.Len(t, got, 1)
	require.Equal(t, SameRule, got[0].ID)
	require.Equal(t, 11, got[0].Line)
	require.Contains(t, got[0].Message, `the rule "a" says the same as "b" at p.yaml:10`)
}

func TestTheShippedPacksAreWithoutLints(t *testing.T) {
	w, err := rules.Read(packs.Files(), rules.CompileOptions{})
	require.NoError(t, err)
	require.Empty(t, Run(w))
	data, err := os.ReadFile("../../examples/kidney.yaml")
	require.NoError(t, err)
	require.Empty(t, lint(t, string(data)))
}

func TestTheTableOfUsualUnitsIsUCUMWithItsRangesTheRightWay(t *testing.T) {
	for code, u := range usuals {
		_, err := ucum.Parse(u.unit)
		require.NoError(t, err, code)
		require.Less(t, u.low, u.high, code)
		require.NotEmpty(t, u.name, code)
		require.Regexp(t, `^\d+-\d$`, code)
		require.True(t, luhn(code), "the check digit of %s is wrong", code)
	}
}

// luhn checks a LOINC code's last digit, which is by the mod 10 algorithm.
func luhn(code string) bool {
	digits, check, _ := strings.Cut(code, "-")
	sum := 0
	for i := range len(digits) {
		d := int(digits[len(digits)-1-i] - '0')
		if i%2 == 0 {
			d *= 2
		}
		sum += d/10 + d%10
	}
	return strconv.Itoa((10-sum%10)%10) == check
}
