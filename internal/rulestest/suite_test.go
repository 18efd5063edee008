package rulestest

import (
	"errors"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/rules"
)

const pack = `pack: demo
inputs:
  creatinine: {observation: ["loinc|2160-0", "loinc|38483-4"], unit: mg/dL}
  warfarin: {medication: ["rxnorm|11289"]}
  state: {observation: ["loinc|67775-7"], value: code}
  ventilated: {observation: ["local|vent"], value: boolean}
  note: {observation: ["loinc|34109-9"], value: text}
  anything: {procedure: any}
rules:
  - id: high
    title: High creatinine
    severity: info
    source: none but the test
    when: creatinine.last('48h') > 1.5 and warfarin.active() and state.exists() and ventilated.exists() and anything.exists()
`

// twin declares the same creatinine under another name.
const twin = `pack: twin
inputs:
  crea: {observation: ["loinc|2160-0", "loinc|38483-4"], unit: mg/dL}
rules:
  - {id: low, title: Low creatinine, severity: info, source: none but the test, when: crea.last('48h') < 0.4}
`

var now = clinical.At(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))

const hour = clinical.Instant(3_600_000)

func newSuite(t *testing.T) *Suite {
	t.Helper()
	s, err := NewSuite([]clinical.File{{Name: "demo.yaml", Data: []byte(pack)}, {Name: "twin.yaml", Data: []byte(twin)}}, rules.CompileOptions{})
	require.NoError(t, err)
	return s
}

func parse(t *testing.T, cases string) ([]Case, error) {
	t.Helper()
	return newSuite(t).Parse(clinical.File{Name: "demo_test.yaml", Data: []byte(cases)})
}

func TestTheNotationOfFacts(t *testing.T) {
	number := func(unit string, c clinical.Comparator) *clinical.Detail {
		return &clinical.Detail{Type: clinical.Number, Unit: unit, Comparator: c, Precision: clinical.ToMinute}
	}
	creatinine := clinical.NewStream(clinical.KindObservation, "loinc|2160-0")
	warfarin := clinical.NewStream(clinical.KindMedication, "rxnorm|11289")
	cases := []struct {
		written string
		want    clinical.Fact
	}{
		{"creatinine: 0.9 @ -40h", clinical.Fact{Stream: creatinine, Time: now - 40*hour, End: now - 40*hour, Number: 0.9, Detail: number("mg/dL", 0)}},
		{"creatinine: <0.2 @ now", clinical.Fact{Stream: creatinine, Time: now, End: now, Number: 0.2, Detail: number("mg/dL", clinical.Below)}},
		{"creatinine: '>=20 mg/L @ +1d12h'", clinical.Fact{Stream: creatinine, Time: now + 36*hour, End: now + 36*hour, Number: 20, Detail: number("mg/L", clinical.Above)}},
		{"warfarin: '@ -2d ..'", clinical.Fact{Stream: warfarin, Time: now - 48*hour, End: clinical.Forever, Detail: &clinical.Detail{Precision: clinical.ToMinute}}},
		{"warfarin: '@ -2d .. +1h'", clinical.Fact{Stream: warfarin, Time: now - 48*hour, End: now + hour, Detail: &clinical.Detail{Precision: clinical.ToMinute}}},
		{"warfarin: '@ 2026-02-01'", clinical.Fact{Stream: warfarin, Time: now - 28*24*hour - 12*hour, End: now - 28*24*hour - 12*hour, Detail: &clinical.Detail{Precision: clinical.ToDay}}},
		{"warfarin: '@ -1mo'", clinical.Fact{Stream: warfarin, Time: now - 28*24*hour, End: now - 28*24*hour, Detail: &clinical.Detail{Precision: clinical.ToMinute}}},
		{"state: LA9340-6 @ now", clinical.Fact{Stream: clinical.NewStream(clinical.KindObservation, "loinc|67775-7"), Time: now, End: now,
			Detail: &clinical.Detail{Type: clinical.Coded, Codes: []clinical.Code{"LA9340-6"}, Precision: clinical.ToMinute}}},
		{"ventilated: true @ now", clinical.Fact{Stream: clinical.NewStream(clinical.KindObservation, "local|vent"), Time: now, End: now, Number: 1,
			Detail: &clinical.Detail{Type: clinical.Boolean, Precision: clinical.ToMinute}}},
		{`{code: "loinc|2160-0", value: 1.3, unit: mg/dL, at: -2h, attributes: {status: final, category: [a, b], dose: 5}}`,
			clinical.Fact{Stream: creatinine, Time: now - 2*hour, End: now - 2*hour, Number: 1.3, Detail: &clinical.Detail{Type: clinical.Number, Unit: "mg/dL", Precision: clinical.ToMinute,
				Attributes: []clinical.Attribute{{Name: "category", Codes: []clinical.Code{"a", "b"}}, {Name: "dose", Number: 5, Numeric: true}, {Name: "status", Codes: []clinical.Code{"final"}}}}}},
		{`{kind: order, code: "loinc|2160-0", at: -2h, authored: -3h}`,
			clinical.Fact{Stream: clinical.NewStream(clinical.KindOrder, "loinc|2160-0"), Time: now - 2*hour, End: now - 2*hour, Authored: now - 3*hour, Detail: &clinical.Detail{Precision: clinical.ToMinute}}},
		{`{kind: procedure, codes: ["snomed|2", "cpt|1"], at: -2h, until: open}`,
			clinical.Fact{Stream: clinical.NewStream(clinical.KindProcedure, "cpt|1", "snomed|2"), Time: now - 2*hour, End: clinical.Forever, Detail: &clinical.Detail{Precision: clinical.ToMinute}}},
	}
	for _, c := range cases {
		t.Run(c.written, func(t *testing.T) {
			parsed, err := parse(t, "cases:\n  - name: x\n    rule: high\n    now: 2026-03-01T12:00:00Z\n    facts:\n      - "+c.written+"\n    expect: [{at: +0h, truth: true}]\n")
			require.NoError(t, err)
			require.Equal(t, []clinical.Fact{c.want}, parsed[0].Facts)
		})
	}
}

func TestThePatientIsAFact(t *testing.T) {
	parsed, err := parse(t, "cases:\n- {name: x, rule: low, now: 2026-03-01T12:00:00Z, patient: {born: 1950-02-01, sex: female, died: -2h}, expect: [{at: now, truth: unknown}]}")
	require.NoError(t, err)
	f := parsed[0].Facts[0]
	require.Equal(t, clinical.KindPatient, f.Stream.Kind)
	require.Equal(t, clinical.At(time.Date(1950, 2, 1, 0, 0, 0, 0, time.UTC)), f.Time)
	require.Equal(t, now-2*hour, f.End)
	require.Equal(t, []clinical.Code{"female"}, f.Detail.Attribute(clinical.AttrSex).Codes)
	require.NotNil(t, f.Detail.Attribute(clinical.AttrDeceased))
}

func TestAnInputIsFoundByTheNameItsOwnPackGivesIt(t *testing.T) {
	for rule, input := range map[string]string{"high": "creatinine", "low": "crea"} {
		_, err := parse(t, "cases:\n- {name: x, rule: "+rule+", now: 2026-03-01T12:00:00Z, facts: [{"+input+": 1 @ now}], expect: [{at: now, truth: true}]}")
		require.NoError(t, err, rule)
	}
}

func TestFaultsNameFileLineAndColumn(t *testing.T) {
	begin := "cases:\n  - name: x\n    rule: high\n    now: 2026-03-01T12:00:00Z\n"
	end := "    expect: [{at: +0h, truth: true}]\n"
	cases := []struct{ name, cases, want string }{
		{"no cases", "cases: []\n", "demo_test.yaml:1:1: the file has no test cases"},
		{"not YAML", "cases: [\n", "demo_test.yaml:1:8: this is not YAML"},
		{"expects nothing", begin, "demo_test.yaml:2:5: the case expects nothing"},
		{"unknown rule", "cases:\n  - name: x\n    rule: hihg\n    now: 2026-03-01T12:00:00Z\n" + end, `demo_test.yaml:3:11: there is no rule "hihg"`},
		{"unknown key", begin + "    fact: []\n" + end, `demo_test.yaml:5:5: a test case has no key "fact"`},
		{"unknown input", begin + "    facts:\n      - crea: 1 @ now\n" + end, `demo_test.yaml:6:9: the pack of the rule has no input "crea"; the pack's inputs are`},
		{"input of every code", begin + "    facts:\n      - anything: '@ now'\n" + end, `demo_test.yaml:6:19: the input "anything" takes every code`},
		{"no time", begin + "    facts:\n      - creatinine: 1.3\n" + end, "demo_test.yaml:6:21: the fact has no time"},
		{"not a number", begin + "    facts:\n      - creatinine: high @ now\n" + end, `demo_test.yaml:6:21: "high" is not a number`},
		{"not finite", begin + "    facts:\n      - creatinine: inf @ now\n" + end, `demo_test.yaml:6:21: "inf" is not a number`},
		{"not a time", begin + "    facts:\n      - creatinine: 1 @ yesterday\n" + end, `demo_test.yaml:6:21: "yesterday" is not a time`},
		{"backward period", begin + "    facts:\n      - warfarin: '@ -1h .. -2h'\n" + end, "demo_test.yaml:6:19: the period ends before it starts"},
		{"two at signs", begin + "    facts:\n      - creatinine: 1 @ -2h 2 @ -1h\n" + end, "demo_test.yaml:6:21: \"1 @ -2h 2 @ -1h\" has more than one @; put a comma"},
		{"no code", begin + "    facts:\n      - {value: 3, at: now}\n" + end, "demo_test.yaml:6:9: the fact has no code"},
		{"not a kind", begin + "    facts:\n      - {code: a, kind: drug}\n" + end, `demo_test.yaml:6:25: "drug" is not a kind of fact`},
		{"not a truth", begin + "    expect: [{at: +0h, truth: maybe}]\n", `demo_test.yaml:5:31: "maybe" is not a truth value`},
		{"an anchor", begin + "    facts: &a []\n" + end, "anchors, aliases and tags have no place"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := parse(t, c.cases)
			require.ErrorIs(t, err, rules.ErrInvalid)
			require.ErrorContains(t, err, c.want)
		})
	}
}

func TestEveryFaultIsReportedAtOnceInOrder(t *testing.T) {
	_, err := parse(t, "cases:\n  - name: x\n    rule: nope\n    now: noon\n  - rule: high\n    now: 2026-03-01T12:00:00Z\n    expect: [{at: soon, truth: true}]\n")
	var faults rules.Faults
	require.True(t, errors.As(err, &faults))
	require.Len(t, faults, 5)
	for i := 1; i < len(faults); i++ {
		require.LessOrEqual(t, faults[i-1].Line, faults[i].Line)
	}
}

func TestASetWithFaultsHasNoSuite(t *testing.T) {
	_, err := NewSuite([]clinical.File{{Name: "a.yaml", Data: []byte("pack: a\nrules: [{id: x}]")}}, rules.CompileOptions{})
	require.ErrorIs(t, err, rules.ErrInvalid)
}

func FuzzParse(f *testing.F) {
	f.Add("cases:\n  - {name: x, rule: high, now: 2026-03-01T12:00:00Z, facts: [{creatinine: 1 @ -1h}], expect: [{at: now, truth: true}]}")
	f.Add("cases: {a: [1, {b: ~}]}")
	s, err := NewSuite([]clinical.File{{Name: "demo.yaml", Data: []byte(pack)}}, rules.CompileOptions{})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text string) {
		cases, err := s.Parse(clinical.File{Name: "f.yaml", Data: []byte(text)})
		if err != nil {
			require.ErrorIs(t, err, rules.ErrInvalid)
			return
		}
		for _, c := range cases {
			require.NotZero(t, len(c.Expect)+len(c.Turns))
			for _, fact := range c.Facts {
				require.False(t, math.IsNaN(fact.Number))
			}
		}
	})
}
