package explain

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vigil-cds/vigil/explain/record"
	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/rules"
)

const changePack = `pack: changes
zone: UTC
valuesets:
  nsaids: ["rxnorm|9", "rxnorm|5640"]
inputs:
  creatinine: {observation: ["loinc|2160-0"], unit: mg/dL}
  high: {from: creatinine, where: value >= 2}
  raised: {from: creatinine, where: value > reference_high}
  flagged: {from: creatinine, where: interpretation == 'H'}
  temperature: {observation: ["loinc|8310-5"], unit: Cel}
  excess: {observation: ["loinc|11555-0"], unit: mmol/L}
  dialysis: {procedure: ["snomed|302497006"]}
  nsaid: {medication: {valueset: nsaids}, where: "status in ['active', 'completed']"}
  finished: {medication: {valueset: nsaids}, where: status != 'active' and dose('mg') >= 400}
  blood_group: {observation: ["loinc|883-9"], value: code}
  pregnant: {observation: ["loinc|82810-3"], value: boolean}
  urine: {observation: ["loinc|5767-9"], value: text}
rules:
`

// ruled is changePack with one rule.
func ruled(t testing.TB, when string) (*rules.Program, *rules.Rule) {
	t.Helper()
	p := compiled(t, changePack+fmt.Sprintf("  - {id: it, title: It, severity: info, source: x, when: %q}\n", when))
	return p, ruleOf(t, p, "it")
}

func dialysis(at clinical.Instant) clinical.Fact {
	return clinical.Fact{Stream: clinical.NewStream(clinical.KindProcedure, "snomed|302497006"), Time: at, End: at, Detail: &clinical.Detail{}}
}

func measured(code clinical.Code, at clinical.Instant, number float64, unit string) clinical.Fact {
	return clinical.Fact{Stream: clinical.NewStream(clinical.KindObservation, code), Time: at, End: at, Number: number,
		Detail: &clinical.Detail{Type: clinical.Number, Unit: unit}}
}

func TestTheSmallestChange(t *testing.T) {
	celsius := func(at clinical.Instant, x float64) clinical.Fact { return measured("loinc|8310-5", at, x, "Cel") }
	cases := []struct {
		name, when string
		facts      History
		want       string // "" for none
		value      any
	}{
		{"up to a threshold", "creatinine.last('7d') >= 1.5", inOrder(result(noon-hour, 1.2)), "a creatinine of 1.5 mg/dL or more now", 1.5},
		{"beyond a threshold", "temperature.last('4h') > 38.3", inOrder(celsius(noon-hour, 37.9)), "a temperature of 38.4 °C or more now", 38.4},
		{"down to a threshold", "creatinine.last('7d') <= 0.9", inOrder(result(noon-hour, 1.2)), "a creatinine of 0.9 mg/dL or less now", 0.9},
		{"a multiple of the least", "creatinine.last('7d') >= 1.5 * creatinine.min('7d')", inOrder(result(noon-hour, 1.2), result(noon-2*hour, 1.3)),
			"a creatinine of 1.8 mg/dL or more now", 1.8},
		{"a multiple that takes a digit more than is stated", "creatinine.last('7d') >= 1.5 * creatinine.min('7d')", inOrder(result(noon-hour, 0.95)),
			"a creatinine of 1.43 mg/dL or more now", 1.43},
		{"a rise or a multiple, whichever is nearer", "creatinine.last('48h') - creatinine.min('48h') >= 0.3 or creatinine.last('7d') >= 1.5 * creatinine.min('7d')",
			inOrder(result(noon-hour, 1.2)), "a creatinine of 1.5 mg/dL or more now", 1.5},
		{"stated in another unit", "creatinine.last('7d') >= 1.5", inOrder(observation(noon-hour, 12, &clinical.Detail{Type: clinical.Number, Unit: "mg/L"})),
			"a creatinine of 1.5 mg/dL or more now", 1.5},
		{"between two", "temperature.last() > 38.3 and temperature.last() < 38.6", inOrder(celsius(noon-hour, 37)), "a temperature of 38.4 °C now", 38.4},
		{"in a gap narrower than a step", "temperature.last() > 38.3 and temperature.last() < 38.4", inOrder(celsius(noon-hour, 37)), "a temperature of 38.31 °C now", 38.31},
		{"nothing measured yet", "temperature.last('4h') >= 38.3 and not dialysis.exists('1d')", nil, "a temperature of 38.3 °C or more now", 38.3},
		{"the present number once more", "creatinine.count('1d') >= 3 and creatinine.last('1d') > 1", inOrder(result(noon-hour, 1.2), result(noon-2*hour, 1.3)),
			"a creatinine of 1.2 mg/dL or more now", 1.2},
		{"any number", "creatinine.count('1d') >= 3 and creatinine.max('1d') > 1", inOrder(result(noon-hour, 1.2), result(noon-2*hour, 1.3)), "a creatinine now", 1.2},
		{"a mean", "creatinine.mean('1d') >= 2", inOrder(result(noon-hour, 1), result(noon-2*hour, 2)), "a creatinine of 3 mg/dL or more now", 3},
		{"below zero only where numbers are", "excess.last() <= -2.5", inOrder(measured("loinc|11555-0", noon-hour, 1, "mmol/L")), "an excess of -2.5 mmol/L or less now", -2.5},
		{"not zero, of what never is", "creatinine.last() >= 3 * creatinine.min('7d')", inOrder(result(noon-hour, 1)), "a creatinine of 3 mg/dL or more now", 3},
		{"not below zero, though it should fall", "creatinine.delta('1d') <= -1.5", inOrder(result(noon-hour, 1)), "", nil},
		{"not below zero", "creatinine.sum() < 1", inOrder(result(noon-hour, 2)), "without the creatinine of 2 mg/dL of 11:00", nil},
		{"the nearer of two inputs", "temperature.last() > 40 or creatinine.last() >= 1.25", inOrder(celsius(noon-hour, 39.9), result(noon-hour, 1)), "a temperature of 40.1 °C or more now", 40.1},
		{"a filter that asks for the number", "high.exists('7d')", inOrder(result(noon-hour, 1.2)), "a high of 2 mg/dL or more now", 2},
		{"a filter that asks for what the last stated", "raised.exists('7d')",
			inOrder(observation(noon-hour, 1.2, &clinical.Detail{Type: clinical.Number, Unit: "mg/dL", Attributes: []clinical.Attribute{figure("reference_high", 1.3)}})),
			"a raised of 1.4 mg/dL or more now", 1.4},
		{"a filter that cannot be met", "raised.exists('7d')", inOrder(result(noon-hour, 1.2)), "", nil},
		{"an attribute", "flagged.exists('7d')", inOrder(result(noon-hour, 1.2)), "a flagged now", nil},
		{"a number before anything else", "dialysis.exists('1d') or temperature.last() > 40", inOrder(celsius(noon-hour, 37)), "a temperature of 41 °C or more now", 41},
		{"a procedure", "dialysis.exists('1d')", nil, "a dialysis now", nil},
		{"a drug that goes on", "nsaid.active()", nil, "nsaid from now on", nil},
		{"a drug that has ended", "nsaid.active()", inOrder(clinical.Fact{Stream: clinical.NewStream(clinical.KindMedication, "rxnorm|9"), Time: noon - day, End: noon - hour,
			Detail: &clinical.Detail{Attributes: []clinical.Attribute{token("status", "completed")}}}), "nsaid from now on", nil},
		{"attributes of several sorts", "finished.exists()", nil, "finished from now on", nil},
		{"where the last was refused for its unit", "creatinine.last() >= 1.5", inOrder(observation(noon-hour, 88, &clinical.Detail{Type: clinical.Number, Unit: "umol/L"})),
			"a creatinine of 1.5 mg/dL or more now", 1.5},
		{"where the last was not done", "dialysis.exists('1d')", inOrder(clinical.Fact{Stream: clinical.NewStream(clinical.KindProcedure, "snomed|302497006"), Time: noon, End: noon,
			Detail: &clinical.Detail{Attributes: []clinical.Attribute{token("negated", "true")}}}), "a dialysis now", nil},
		{"where the last states no number", "creatinine.last() >= 1.5", inOrder(result(noon-2*hour, 1.2), observation(noon-hour, 0, &clinical.Detail{})),
			"a creatinine of 1.5 mg/dL or more now", 1.5},
		{"a code", "blood_group.last() == 'A'", nil, "a blood group of 'A' now", "A"},
		{"one of several texts", "urine.last() in ['cloudy', 'red']", nil, "a urine of 'cloudy' now", "cloudy"},
		{"a truth", "pregnant.last()", nil, "a pregnant that is true now", true},
		{"one fact fewer", "not dialysis.exists('90d')", inOrder(dialysis(instant("2024-03-03T09:00:00Z"))), "without the dialysis of 3 March", nil},
		{"one fact fewer of last year", "not dialysis.exists('1y')", inOrder(dialysis(instant("2023-12-24T09:00:00Z"))), "without the dialysis of 24 December 2023", nil},
		{"one of two is not enough", "not dialysis.exists('90d')", inOrder(dialysis(noon-day), dialysis(noon-2*day)), "", nil},
		{"no change of one fact", "dialysis.exists() and nsaid.active()", nil, "", nil},
		{"no fact makes somebody older", "patient.age >= 65", inOrder(person(instant("2000-01-01T00:00:00Z"), clinical.Forever)), "", nil},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			p, rule := ruled(t, c.when)
			r := NewReference(p).read(c.facts)
			got, ok := r.remedy(rule, noon, r.miss(rule, noon))
			require.Equal(t, c.want != "", ok, got.Text)
			require.Equal(t, c.want, got.Text)
			require.Equal(t, value(c.value), got.Value)
			if ok {
				requireRemedy(t, r, rule, noon, got)
			}
		})
	}
}

// requireRemedy makes the change and evaluates.
func requireRemedy(t *testing.T, r *reading, rule *rules.Rule, now clinical.Instant, x remedy) {
	t.Helper()
	changed := append(History(nil), r.history...)
	if x.Kind == record.Add {
		changed = append(changed, Statement{Fact: x.added, Order: 1 << 60})
		require.Equal(t, now, x.added.Time)
		_, belongs := r.alone(x.Input, x.added)
		require.True(t, belongs)
	} else {
		for i, s := range changed {
			if s.Order == x.Fact.Order {
				changed = append(changed[:i:i], changed[i+1:]...)
				break
			}
		}
		require.Len(t, changed, len(r.history)-1)
	}
	require.Equal(t, rules.True, NewReference(r.program).Truth(rule, changed, now), "%s: %s", rule.When, x.Text)
}
