package explain

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vigil-cds/vigil/explain/record"
	"github.com/vigil-cds/vigil/internal/clinical"
)

const hypoglycaemiaPack = `pack: harm
inputs:
  glucose: {observation: ["loinc|2345-7"], unit: mg/dL}
  insulin: {medication: ["rxnorm|5856"]}
  recovered: {from: glucose, where: value >= 80}
  lows: {from: glucose, where: ["value < 40", "insulin.exists('24h')", "not recovered.exists('after 5m')"]}
rules:
  - {id: harm, title: Severe hypoglycaemia, severity: critical, source: CMS816, when: lows.exists('7d')}
`

func glucose(at clinical.Instant, number float64) clinical.Fact {
	return clinical.Fact{Stream: clinical.NewStream(clinical.KindObservation, "loinc|2345-7"), Time: at, End: at, Number: number,
		Detail: &clinical.Detail{Type: clinical.Number, Unit: "mg/dL"}}
}

func insulin(at clinical.Instant) clinical.Fact {
	return clinical.Fact{Stream: clinical.NewStream(clinical.KindMedication, "rxnorm|5856"), Time: at, End: at, Detail: &clinical.Detail{}}
}

func TestWhatMakesAFactBelongIsPartOfWhatSuffices(t *testing.T) {
	p := compiled(t, hypoglycaemiaPack)
	h := inOrder(insulin(noon-20*hour), insulin(noon-3*hour), glucose(noon-2*hour, 35), glucose(noon-hour, 90))
	e := NewReference(p).Answer(ruleOf(t, p, "harm"), h, noon, horizon, frame)
	require.Equal(t, record.True, e.Truth)
	require.Len(t, e.Suffices, 2, "the low, and one dose of insulin in the day before")
	kinds := map[string]bool{}
	for _, i := range e.Suffices {
		kinds[e.Facts[i].Kind] = true
	}
	require.Equal(t, map[string]bool{"observation": true, "medication": true}, kinds)
	require.Equal(t, "value < 40 and insulin.exists('24h') and not recovered.exists('after 5m')", e.Terms[0].Where)
}

func TestAFactThatOthersKeepOutIsNamedWithWhatKeepsItOut(t *testing.T) {
	p := compiled(t, hypoglycaemiaPack)
	h := inOrder(insulin(noon-3*hour), glucose(noon-2*hour, 35), glucose(noon-2*hour+4*minute, 90))
	r := NewReference(p)
	e := r.Answer(ruleOf(t, p, "harm"), h, noon, horizon, frame)
	require.Equal(t, record.False, e.Truth)
	require.NotNil(t, e.Miss)
	require.NotNil(t, e.Miss.Change)

	// Without the recovery it would have fired: the change found is one of those that do so.
	rest := append(History(nil), h[:2]...)
	require.Equal(t, "true", r.Truth(ruleOf(t, p, "harm"), rest, noon).String())
	require.Equal(t, "a lows of 39 mg/dL or less now", e.Miss.Change.Text)
}

func TestACourseSettlesAsRecordsArriveInAnyOrder(t *testing.T) {
	p := compiled(t, hypoglycaemiaPack)
	for _, order := range [][]int{{0, 1, 2}, {2, 1, 0}, {1, 2, 0}, {1, 0, 2}, {0, 2, 1}, {2, 0, 1}} {
		facts := []clinical.Fact{insulin(noon - 3*hour), glucose(noon-2*hour, 35), glucose(noon-2*hour+4*minute, 90)}
		r := NewReference(p)
		c := r.Course(new(Ledger), false, noon)
		var stated History
		for i, at := range order {
			rec := &clinical.Record{Patient: "p1", Recorded: noon, Assertions: []clinical.Assertion{{Resource: string(rune('a' + at)), Facts: facts[at : at+1]}}}
			c.State(rec, int64(i), noon, func(Turn, []Statement, []Statement) {})
			stated = append(stated, Statement{Fact: facts[at], Order: uint64(i) << orderBits})
			rule := ruleOf(t, p, "harm")
			require.Equal(t, r.Truth(rule, stated, noon), c.Truth(rule, clinical.Never), "%v after %d", order, i)
		}
	}
}
