package explain

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vigil-cds/vigil/internal/clinical"
)

const tenThousandPack = `pack: many
inputs:
  creatinine: {observation: ["loinc|2160-0"], unit: mg/dL}
  temperature: {observation: ["loinc|8310-5"], unit: Cel}
  high: {from: creatinine, where: value >= 5}
rules:
  - {id: ratio, title: t, severity: info, source: s, when: creatinine.last('7d') >= 1.5 * creatinine.min() and creatinine.max('1y') > 3 and temperature.last() > 38}
  - {id: count, title: t, severity: info, source: s, when: creatinine.count('1y') > 20000}
  - {id: mean, title: t, severity: info, source: s, when: creatinine.mean('1y') >= 1.5 and temperature.last('1y') > 30}
  - {id: mean-rise, title: t, severity: info, source: s, when: creatinine.mean('1y') - creatinine.mean('6mo') > 1 or creatinine.sum('1y') < 10}
  - {id: filtered, title: t, severity: info, source: s, when: high.exists('1y')}
  - {id: never, title: t, severity: info, source: s, when: creatinine.max('1y') < 0}
  - {id: elapsed, title: t, severity: info, source: s, when: creatinine.count('1mo') >= 3 and creatinine.hours_since('1y') > 1000}
`

// tenThousand is facts of one patient over half a year, up to an hour before noon.
func tenThousand() History {
	facts := make([]clinical.Fact, 10_000)
	for i := range facts {
		at := noon - hour - clinical.Instant(len(facts)-1-i)*25*minute
		facts[i] = result(at, 0.9+float64(i*7919%40)/100)
		if i%5 == 0 {
			facts[i] = measured("loinc|8310-5", at, 36+float64(i%17)/10, "Cel")
		}
	}
	return inOrder(facts...)
}

func TestAnAnswerOverTenThousandFactsIsConfirmed(t *testing.T) {
	p := compiled(t, tenThousandPack)
	ref := NewReference(p)
	h := tenThousand()
	// Of the others some part is false for ever, or as long as a part is unknown.
	turns := map[string]bool{"mean": true, "mean-rise": true, "never": true}
	for _, rule := range p.Rules {
		t.Run(rule.ID, func(t *testing.T) {
			r := ref.read(h)
			began := ref.Truth(rule, h, noon)
			next, ok := r.next(rule.When, noon, noon+10*366*day)
			require.Equal(t, turns[rule.ID], ok)
			if ok {
				require.Equal(t, began, ref.Truth(rule, h, next.At-1))
				require.Equal(t, next.Truth, ref.Truth(rule, h, next.At))
				require.NotEqual(t, began, next.Truth)
			}
			if x, ok := r.remedy(rule, noon, r.miss(rule, noon)); ok {
				requireRemedy(t, r, rule, noon, x)
			}
		})
	}
}

// BenchmarkAnswer explains a rule with all that goes with it, and then does each part of what goes with it by
// itself, after the reading that all share.
func BenchmarkAnswer(b *testing.B) {
	p := compiled(b, tenThousandPack)
	ref := NewReference(p)
	until := noon + 10*366*day
	for _, size := range []int{100, 10_000} {
		h := tenThousand()
		h = h[len(h)-size:]
		for _, rule := range p.Rules {
			run := func(name string, do func(*reading)) {
				b.Run(fmt.Sprintf("%d/%s/%s", size, rule.ID, name), func(b *testing.B) {
					r := ref.read(h)
					r.expr(rule.When, noon)
					for b.Loop() {
						do(r)
					}
				})
			}
			run("whole", func(*reading) { ref.Answer(rule, h, noon, until, frame) })
			run("next", func(r *reading) { r.next(rule.When, noon, until) })
			run("miss", func(r *reading) { r.miss(rule, noon) })
			run("remedy", func(r *reading) { r.remedy(rule, noon, r.miss(rule, noon)) })
		}
	}
}
