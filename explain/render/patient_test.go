package render

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vigil-cds/vigil/explain"
	"github.com/vigil-cds/vigil/explain/record"
	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/internal/rulestest"
	"github.com/vigil-cds/vigil/rules"
)

// ward is a pack with inputs of every kind. The conditions of the cases are its rules.
const ward = `pack: ward
version: "1"
valuesets:
  nsaids: ["rxnorm|5640"]
inputs:
  creatinine: {observation: ["loinc|2160-0"], unit: mg/dL}
  potassium: {observation: ["loinc|2823-3"], unit: mmol/L}
  inr: {observation: ["loinc|6301-6"]}
  egfr: {observation: ["loinc|98979-8"], unit: "mL/min/{1.73_m2}"}
  lactate: {observation: ["loinc|2524-7"], unit: mmol/L}
  heart_rate: {observation: ["loinc|8867-4"], unit: /min}
  resp_rate: {observation: ["loinc|9279-1"], unit: /min}
  systolic: {observation: ["loinc|8480-6"], unit: "mm[Hg]"}
  diastolic: {observation: ["loinc|8462-4"], unit: "mm[Hg]"}
  spo2: {observation: ["loinc|59408-5"], unit: "%%"}
  pao2: {observation: ["loinc|2703-7"], unit: "mm[Hg]"}
  fio2: {observation: ["loinc|3150-0"]}
  base_excess: {observation: ["loinc|11555-0"], unit: mmol/L}
  urine_output: {observation: ["loinc|9187-6"], unit: mL}
  troponin: {observation: ["loinc|6598-7"], unit: ng/mL}
  consciousness: {observation: ["snomed|1104441000000107"], value: code}
  note: {observation: ["loinc|34109-9"], value: text}
  ventilated: {observation: ["loinc|19835-8"], value: boolean}
  ecg: {procedure: ["snomed|29303009"]}
  dialysis: {procedure: ["snomed|302497006"]}
  nsaid: {medication: {valueset: nsaids}}
  warfarin: {medication: ["rxnorm|11289"]}
  low_glucose: {observation: ["loinc|2345-7"], unit: mg/dL, where: value < 70}
rules:
  - id: case
    version: 3
    title: %s
    severity: warning
    source: Local guideline 7
    when: %s
`

// situation is a patient of whom a condition is asked.
type situation struct {
	title   string
	when    string
	now     string // 6 May 2026 14:02 where it is not said
	patient string // {born: 1955-02-01, sex: female}
	facts   []string
	kind    record.Kind // an answer where it is not said
	cause   record.Cause
	most    int // facts shown of a window; all where it is not said
}

// said is the number of the record that each of a situation's facts is in: the second is in f3.2.
const partition = 3

// explained evaluates the situation with the reference evaluator, whose explanation is what is rendered
// in earnest. A date that a case writes without a time is stated to the day, everything else to the minute.
func (s situation) explained(t testing.TB) *record.Explanation {
	t.Helper()
	if s.now == "" {
		s.now = "2026-05-06T14:02:00Z"
	}
	if s.title == "" {
		s.title = "A case"
	}
	pack := clinical.File{Name: "ward.yaml", Data: fmt.Appendf(nil, ward, quoted(s.title), quoted(s.when))}
	suite, err := rulestest.NewSuite([]clinical.File{pack}, rules.CompileOptions{Zone: time.UTC})
	require.NoError(t, err)
	cases, err := suite.Parse(clinical.File{Name: "case.yaml", Data: []byte(s.yaml())})
	require.NoError(t, err)

	var history explain.History
	for i, f := range cases[0].Facts {
		detail := *f.Detail
		detail.Precision = clinical.ToMinute
		if f.Time%86_400_000 == 0 {
			detail.Precision = clinical.ToDay
		}
		f.Detail = &detail
		kind := f.Stream.Kind.String()
		history = append(history, explain.Statement{Fact: f, Order: uint64(i+1) << 20, Recorded: max(f.Time, 0) + 120_000,
			Resource: fmt.Sprintf("%s%s/%d", strings.ToUpper(kind[:1]), kind[1:], i+1), Version: clinical.Version{Number: 1}})
	}
	rule, ok := suite.Program().Rule("case")
	require.True(t, ok)
	most := 1000
	if s.most > 0 {
		most = s.most
	}
	now := cases[0].Now
	e := explain.NewReference(suite.Program()).Answer(rule, history, now, now+86_400_000, explain.Frame{
		Patient: "p-4711", Topic: "facts", Partition: partition, Facts: most,
		RuleSet: record.RuleSet{Hash: strings.Repeat("5e", 32), Zone: "UTC", Position: "f3.0"},
		Known:   record.Known{Position: fmt.Sprintf("f3.%d", len(history)), Clock: record.Instant(now)},
	})
	e.Missing, e.Miss, e.Next = nil, nil, nil // each case writes its own
	if s.kind != "" {
		e.Kind = s.kind
		since := e.At
		e.Since, e.Cause = &since, &s.cause
	}
	return e
}

func (s situation) yaml() string {
	var b strings.Builder
	fmt.Fprintf(&b, "cases:\n  - name: case\n    rule: case\n    now: %s\n", s.now)
	if s.patient != "" {
		fmt.Fprintf(&b, "    patient: %s\n", s.patient)
	}
	if len(s.facts) > 0 {
		b.WriteString("    facts:\n")
	}
	for _, f := range s.facts {
		fmt.Fprintf(&b, "      - %s\n", f)
	}
	b.WriteString("    expect:\n      - {at: +0h, truth: true}\n")
	return b.String()
}

func quoted(s string) string { return `"` + strings.ReplaceAll(s, `"`, `\"`) + `"` }
