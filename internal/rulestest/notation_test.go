package rulestest

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/rules"
)

const day = 24 * hour

// told parses a case of the rule "high" with this history, indented below `history:`.
func told(t *testing.T, history string) Case {
	t.Helper()
	cases, err := parse(t, "cases:\n- name: x\n  rule: high\n  expect: {truth: unknown}\n  history:\n    "+strings.ReplaceAll(history, "\n", "\n    ")+"\n")
	require.NoError(t, err)
	return cases[0]
}

// briefly writes a case's records, one line for each assertion.
func briefly(c Case) []string {
	var lines []string
	for _, r := range c.Records {
		for _, a := range r.Assertions {
			line := fmt.Sprintf("%s %s v%d", when(r.Recorded), a.Resource, a.Version.Number)
			for _, f := range a.Facts {
				line += fmt.Sprintf(" %s %s..%s", f.Stream.Key(), when(f.Time), when(f.End))
				if f.Detail.Type == clinical.Number {
					line += fmt.Sprintf(" %s%g %s", map[clinical.Comparator]string{clinical.Below: "<", clinical.Above: ">"}[f.Detail.Comparator], f.Number, f.Detail.Unit)
				}
				for _, a := range f.Detail.Attributes {
					line += fmt.Sprintf(" %s=%v", a.Name, a.Codes)
				}
			}
			lines = append(lines, line)
		}
	}
	return lines
}

func when(i clinical.Instant) string {
	switch i {
	case clinical.Forever:
		return "forever"
	case clinical.Never:
		return "never"
	}
	return fmt.Sprintf("%+gh", float64(i-now)/float64(hour))
}

func TestTheShortNotationOfAHistory(t *testing.T) {
	for _, c := range []struct {
		history string
		want    []string
	}{
		{"creatinine: 0.9 @ -5d, 1.4 @ -2h", []string{
			"-120h Observation/1 v1 observation:loinc|2160-0 -120h..-120h 0.9 mg/dL",
			"-2h Observation/2 v1 observation:loinc|2160-0 -2h..-2h 1.4 mg/dL"}},
		{"creatinine: [0.9 @ -5d, 1.4 @ -2h]", []string{
			"-120h Observation/1 v1 observation:loinc|2160-0 -120h..-120h 0.9 mg/dL",
			"-2h Observation/2 v1 observation:loinc|2160-0 -2h..-2h 1.4 mg/dL"}},
		{"creatinine: loinc|38483-4 = <80 umol/L @ -1h", []string{"-1h Observation/1 v1 observation:loinc|38483-4 -1h..-1h <80 umol/L"}},
		{"creatinine: 98% @ -1h", []string{"-1h Observation/1 v1 observation:loinc|2160-0 -1h..-1h 98 %"}},
		{"creatinine: 1.0 @ 2026-03-01T10:00", []string{"-2h Observation/1 v1 observation:loinc|2160-0 -2h..-2h 1 mg/dL"}},
		{"creatinine: '0.9 @ -1h {status: final, category: [laboratory, chemistry]}'", []string{
			"-1h Observation/1 v1 observation:loinc|2160-0 -1h..-1h 0.9 mg/dL category=[laboratory chemistry] status=[final]"}},
		{"warfarin: active @ -3d.., completed @ -9d..-5d", []string{
			"-216h Medication/2 v1 medication:rxnorm|11289 -216h..-120h status=[completed]",
			"-72h Medication/1 v1 medication:rxnorm|11289 -72h..forever status=[active]"}},
		{"warfarin: not-taken @ -1d", []string{"-24h Medication/1 v1 medication:rxnorm|11289 -24h..-24h negated=[true] status=[not-taken]"}},
		{"anything: 'snomed|80146002 = @ -2d'", []string{"-48h Procedure/1 v1 procedure:snomed|80146002 -48h..-48h"}},
		{"condition snomed|38341003: active @ -1y..", []string{"-8760h Condition/1 v1 condition:snomed|38341003 -8760h..forever clinical_status=[active]"}},
		{"loinc|2823-3: 4.1 mmol/L @ -1h", []string{"-1h Observation/1 v1 observation:loinc|2823-3 -1h..-1h 4.1 mmol/L"}},
		{"creatinine: 0.9 @ -5d known -1d -> 1.9 known -1h -> retracted known +1h", []string{
			"-24h Observation/1 v1 observation:loinc|2160-0 -120h..-120h 0.9 mg/dL",
			"-1h Observation/1 v2 observation:loinc|2160-0 -120h..-120h 1.9 mg/dL",
			"+1h Observation/1 v3"}},
		{"warfarin: active @ -3d.. -> completed @ -3d..-1d known -2h", []string{
			"-72h Medication/1 v1 medication:rxnorm|11289 -72h..forever status=[active]",
			"-2h Medication/1 v2 medication:rxnorm|11289 -72h..-24h status=[completed]"}},
	} {
		t.Run(c.history, func(t *testing.T) { require.Equal(t, c.want, briefly(told(t, c.history))) })
	}
}

func TestTextsAndCodesAreValuesOfInputsThatTakeThem(t *testing.T) {
	require.Equal(t, []clinical.Code{"LA9340-6"}, told(t, "state: LA9340-6 @ -1h").Facts[0].Detail.Codes)
	require.Equal(t, "fell, twice @ home", told(t, `note: '"fell, twice @ home" @ -1h'`).Facts[0].Detail.Text)
	require.Equal(t, 1.0, told(t, "ventilated: true @ -1h").Facts[0].Number)
}

func TestNumericAttributesAreNumbersAndOthersAreCodes(t *testing.T) {
	f := told(t, "warfarin: 'active @ -1d.. {dose: 5, dose_unit: mg, reason: 49436004, authored: -1h}'").Facts[0]
	d := f.Detail
	require.Equal(t, 5.0, d.Attribute("dose").Number)
	require.True(t, d.Attribute("dose").Numeric)
	require.Equal(t, []clinical.Code{"49436004"}, d.Attribute("reason").Codes)
	require.Equal(t, now-hour, f.Authored)
}

func TestWhatIsKnownAtOneInstantIsOneRecordInTheOrderWritten(t *testing.T) {
	c := told(t, "creatinine: 0.9 @ -1h, 1.4 @ -1h")
	require.Len(t, c.Records, 1)
	require.Len(t, c.Records[0].Assertions, 2)
	require.Equal(t, 1.4, c.Records[0].Assertions[1].Facts[0].Number)
}

func TestAnAgeIsHalfAYearPastTheBirthday(t *testing.T) {
	for written, born := range map[string]time.Time{
		"age: 76":  time.Date(1949, 9, 1, 12, 0, 0, 0, time.UTC),
		"age: 8mo": time.Date(2025, 6, 16, 12, 0, 0, 0, time.UTC),
	} {
		cases, err := parse(t, "cases: [{name: x, rule: high, patient: {"+written+"}, expect: {truth: unknown}}]")
		require.NoError(t, err)
		require.Equal(t, clinical.At(born), cases[0].Facts[0].Time, written)
	}
}

func TestTimesWithoutAZoneAreInThePacksOwn(t *testing.T) {
	s, err := NewSuite([]clinical.File{{Name: "demo.yaml", Data: []byte("zone: Europe/Berlin\n" + pack)}}, rules.CompileOptions{})
	require.NoError(t, err)
	cases, err := s.Parse(clinical.File{Name: "demo_test.yaml", Data: []byte(
		"cases: [{name: x, rule: high, now: 2026-03-01, history: {creatinine: 1 @ 2026-07-01T10:00}, expect: {truth: unknown}}]")})
	require.NoError(t, err)
	require.Equal(t, now-13*hour, cases[0].Now)
	require.Equal(t, clinical.At(time.Date(2026, 7, 1, 8, 0, 0, 0, time.UTC)), cases[0].Facts[0].Time)
}

func TestExpectationsOfSeveralRulesValuesMessagesAndTurns(t *testing.T) {
	cases, err := parse(t, `now: 2026-03-01T12:00:00Z
cases:
- name: x
  rule: high
  expect:
    - {truth: {high: true, low: unknown}}
    - at: +6h
      values: {'creatinine.last("2d")': <0.4, "warfarin.active()": true}
      message: {contains: [a, b]}
    - {at: +7h, rule: low, message: the whole}
  fired: [-2h, +6h]
  cleared: {high: +1h, low: never}
  until: +9d
`)
	require.NoError(t, err)
	c := cases[0]
	require.Equal(t, []ExpectedTruth{{"high", rules.True, 6}, {"low", rules.Unknown, 6}}, c.Expect[0].Truths)
	below := rules.NumberOf(0.4)
	below.Bound = clinical.Below
	require.Equal(t, []ExpectedValue{{"creatinine.last('48h')", below, 8}, {"warfarin.active()", rules.BoolOf(true), 8}}, c.Expect[1].Values)
	require.Equal(t, []string{"a", "b"}, c.Expect[1].Message.Contains)
	require.Equal(t, "the whole", c.Expect[2].Message.Equal)
	require.Equal(t, []Turns{
		{Rule: "high", Fired: true, At: []clinical.Instant{now - 2*hour, now + 6*hour}, Written: []string{"-2h", "+6h"}, Line: 11},
		{Rule: "high", At: []clinical.Instant{now + hour}, Written: []string{"+1h"}, Line: 12},
		{Rule: "low", Line: 12},
	}, c.Turns)
	require.Equal(t, now+9*day, c.Until)
	require.Equal(t, []string{"high", "low"}, c.Rules())
}

const bundle = `{"resourceType":"Bundle","type":"collection","entry":[
 {"resource":{"resourceType":"Patient","id":"ada","birthDate":"1950-02-01","gender":"female"}},
 {"resource":{"resourceType":"Observation","id":"o1","status":"final","subject":{"reference":"Patient/ada"},
  "code":{"coding":[{"system":"http://loinc.org","code":"2160-0"}]},"effectiveDateTime":"2026-03-01T09:00:00Z",
  "valueQuantity":{"value":1.6,"code":"mg/dL","system":"http://unitsofmeasure.org"},"meta":{"lastUpdated":"2026-05-01T00:00:00Z"}}}]}`

func TestAHistoryMayBeAFHIRFileBesideTheCases(t *testing.T) {
	files := map[string]string{"ada.json": bundle, "two.ndjson": strings.ReplaceAll(bundle, "\n", "") + "\n" +
		`{"resourceType":"Patient","id":"bob"}` + "\n"}
	open := func(name string) ([]byte, error) {
		if data, ok := files[name]; ok {
			return []byte(data), nil
		}
		return nil, errors.New("no such file")
	}
	read := func(rest string) ([]Case, error) {
		return newSuite(t).ParseBeside(clinical.File{Name: "demo_test.yaml", Data: []byte("cases: [{name: x, rule: high, expect: {truth: unknown}, " + rest + "}]")}, open)
	}
	cases, err := read("now: 2026-03-01T12:00:00Z, fhir: ada.json, history: {warfarin: active @ -2d..}")
	require.NoError(t, err)
	require.Equal(t, []string{
		"never Patient/ada v0 patient " + when(cases[0].Facts[1].Time) + "..forever sex=[female]",
		"-48h Medication/1 v1 medication:rxnorm|11289 -48h..forever status=[active]",
		"+0h Observation/o1 v0 observation:loinc|2160-0 -3h..-3h 1.6 mg/dL status=[final]",
	}, briefly(cases[0]))

	cases, err = read("now: 2026-03-01T12:00:00Z, fhir: [two.ndjson], patient: {id: bob}")
	require.NoError(t, err)
	require.Len(t, cases[0].Facts, 1)

	for rest, want := range map[string]string{
		"fhir: ada.json": "the case does not say when now is",
		"now: 2026-03-01T12:00:00Z, fhir: bob.json":                        "the FHIR file bob.json cannot be read: no such file",
		"now: 2026-03-01T12:00:00Z, fhir: two.ndjson":                      "the FHIR files are about 2 patients; say which",
		"now: 2026-03-01T12:00:00Z, fhir: two.ndjson, patient: {id: boob}": `say nothing about the patient "boob"; did you mean "bob"?`,
	} {
		_, err := read(rest)
		require.ErrorContains(t, err, want)
	}
}

func TestFaultsOfTheNotationNameTheStatementAndWhatToWrite(t *testing.T) {
	begin := "cases:\n- name: x\n  rule: high\n"
	for _, c := range []struct{ name, rest, want string }{
		{"the second statement", "  history:\n    creatinine: 1 @ -2h, x @ -1h\n  expect: {truth: true}", `demo_test.yaml:5:26: "x" is not a number`},
		{"a code of another input", "  history:\n    creatinine: loinc|2160-1 = 1 @ now\n  expect: {truth: true}", `the input "creatinine" does not take the code "loinc|2160-1"; did you mean "loinc|2160-0"?`},
		{"an active instant", "  history:\n    warfarin: active @ -1d\n  expect: {truth: true}", "what is active has a period, and here is an instant; write `active @ -1d..`"},
		{"a number of a drug", "  history:\n    warfarin: 5 @ -1d\n  expect: {truth: true}", `a medication has no value, and "5" is no status`},
		{"an amendment at no time", "  history:\n    creatinine: 1 @ -1d -> 2\n  expect: {truth: true}", "does not say since when it is known"},
		{"an amendment too early", "  history:\n    creatinine: 1 @ -1d -> 2 known -1d\n  expect: {truth: true}", "is not known later than what it amends"},
		{"an attribute twice", "  history:\n    creatinine: '1 @ -1d {status: a, status: b}'\n  expect: {truth: true}", "the attribute status is here twice"},
		{"an attribute near another", "  history:\n    creatinine: '1 @ -1d {statsu: a}'\n  expect: {truth: true}", `a fact has no attribute "statsu"; did you mean "status"?`},
		{"no attribute", "  history:\n    creatinine: '1 @ -1d {status}'\n  expect: {truth: true}", `"status" is not an attribute`},
		{"a key near another", "  histroy: {}\n  expect: {truth: true}", `has no key "histroy"; did you mean "history"?`},
		{"an input near another", "  history: {creatinin: 1 @ now}\n  expect: {truth: true}", `no input "creatinin"; did you mean "creatinine"?`},
		{"an empty expectation", "  expect: [{at: +1h}]", "demo_test.yaml:4:12: the expectation expects nothing"},
		{"a term of no rule", "  expect: {values: {\"creatinine.last('24h')\": 1}}", "neither the rule high nor its message asks creatinine.last('24h'); did you mean \"creatinine.last('48h')\"?"},
		{"a rule near another", "  fired: {hihg: now}", `there is no rule "hihg"; did you mean "high"?`},
		{"an age and a birthday", "  patient: {age: 3, born: 2020-01-01}\n  expect: {truth: true}", "both an age and a date of birth"},
		{"no age", "  patient: {age: old}\n  expect: {truth: true}", `"old" is not an age`},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := parse(t, begin+c.rest+"\n")
			require.ErrorIs(t, err, rules.ErrInvalid)
			require.ErrorContains(t, err, c.want)
		})
	}
}

func TestEveryKeyOfTheReaderIsUnderstood(t *testing.T) {
	_, err := parse(t, `now: 2026-03-01T12:00:00Z
cases:
- name: x
  rule: high
  now: 2026-03-02T12:00:00Z
  patient: {id: ada, age: 3, sex: female, died: +1d}
  history: {creatinine: 1 @ -1h}
  facts:
    - {code: "loinc|1", codes: ["loinc|2"], kind: observation, value: 1, unit: mg, at: -1h, until: open, authored: -1h, known: now, attributes: {status: final}}
    - {code: "loinc|1", text: x}
  expect: {at: now, rule: high, truth: true, values: {"warfarin.active()": true}, message: {contains: x}}
  fired: never
  cleared: never
  until: +1d
`)
	require.NoError(t, err)
	_, err = parse(t, "cases: [{name: x, rule: high, patient: {born: 1950-01-01}, expect: {truth: true}}]")
	require.NoError(t, err)
}
