package explain

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vigil-cds/vigil/internal/clinical"
)

const behindPack = `pack: behind
inputs:
  glucose: {observation: ["loinc|2345-7"], unit: mg/dL}
  creatinine: {observation: ["loinc|2160-0"], unit: mg/dL}
  insulin: {medication: ["rxnorm|5856"]}
  dialysis: {procedure: ["snomed|302497006"]}
  triage: {observation: ["loinc|54094-8"], value: code}
  low: {from: glucose, where: value < 40}
  treated: {from: low, where: insulin.exists('after 1h')}
  untreated: {from: low, where: not insulin.exists('after 1h')}
  injured: {from: dialysis, where: creatinine.max('after 1h') >= 2}
  doubled: {from: dialysis, where: creatinine.last('after 1h') >= 2 * creatinine.min('7d')}
  sorted: {from: dialysis, where: triage.last('after 1h') == 'red'}
  again: {from: dialysis, where: treated.exists('2h')}
rules:
  - {id: treated, title: t, severity: info, source: s, when: treated.exists('2h')}
  - {id: untreated, title: t, severity: info, source: s, when: untreated.exists('2h..20m')}
  - {id: injured, title: t, severity: info, source: s, when: injured.exists('1d')}
  - {id: doubled, title: t, severity: info, source: s, when: doubled.exists('1d')}
  - {id: sorted, title: t, severity: info, source: s, when: sorted.exists('1d')}
  - {id: again, title: t, severity: info, source: s, when: again.exists('1d')}
  - {id: not-treated, title: t, severity: info, source: s, when: not treated.exists('2h') and low.exists('2h')}
`

func TestTheSmallestChangeBehindADerivedInput(t *testing.T) {
	const minute = hour / 60
	glucose := func(at clinical.Instant, x float64) clinical.Fact { return measured("loinc|2345-7", at, x, "mg/dL") }
	insulin := func(at clinical.Instant) clinical.Fact {
		return clinical.Fact{Stream: clinical.NewStream(clinical.KindMedication, "rxnorm|5856"), Time: at, End: at,
			Detail: &clinical.Detail{Attributes: []clinical.Attribute{token("status", "completed")}}}
	}
	p := compiled(t, behindPack)
	for _, c := range []struct {
		name, rule string
		facts      History
		want       string // "" for none
	}{
		{"a fact that what was found waits for", "treated", inOrder(glucose(noon-30*minute, 35)), "insulin from now on"},
		{"too late for it", "treated", inOrder(glucose(noon-90*minute, 35)), ""},
		{"a fact without which what was found would belong", "untreated", inOrder(glucose(noon-40*minute, 35), insulin(noon-10*minute)), "without the insulin of 11:50"},
		{"one of two such facts is not enough", "untreated", inOrder(glucose(noon-40*minute, 35), insulin(noon-10*minute), insulin(noon-20*minute)), ""},
		{"a number that it asks", "injured", inOrder(dialysis(noon-30*minute), result(noon-hour, 1.2)), "a creatinine of 2 mg/dL or more now"},
		{"a number by a multiple", "doubled", inOrder(dialysis(noon-30*minute), result(noon-hour, 1.2)), "a creatinine of 2.4 mg/dL or more now"},
		{"a code that it asks", "sorted", inOrder(dialysis(noon - 30*minute)), "a triage of 'red' now"},
		{"two inputs behind", "again", inOrder(glucose(noon-50*minute, 35), dialysis(noon-30*minute)), "insulin from now on"},
		{"a fact taken from behind what is denied", "not-treated", inOrder(glucose(noon-50*minute, 35), insulin(noon-40*minute)), "without the insulin of 11:20"},
	} {
		t.Run(c.name, func(t *testing.T) {
			rule := ruleOf(t, p, c.rule)
			r := NewReference(p).read(c.facts)
			got, ok := r.remedy(rule, noon, r.miss(rule, noon))
			require.Equal(t, c.want, got.Text)
			require.Equal(t, c.want != "", ok)
			if ok {
				requireRemedy(t, r, rule, noon, got)
			}
		})
	}
}
