package pointer

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/rules"
)

// Both ends of a window belong to it, to the millisecond, for every question that counts or adds up.
func TestFactsAtBothEndsOfAWindowAreSeenAndNoneBeyond(t *testing.T) {
	const ms = 1.5 / 3_600_000 // a millisecond, once cut to whole ones
	facts := map[float64]float64{-48 - ms: 1000, -48: 8, -47: 4, -1: 2, 0: 6, ms: 5000}
	for term, want := range map[string]float64{
		"x.count('48h')":                                4,
		"x.sum('48h')":                                  20,
		"x.mean('48h')":                                 5,
		"x.min('48h')":                                  2,
		"x.max('48h')":                                  8,
		"x.first('48h')":                                8,
		"x.last('48h')":                                 6,
		"x.delta('48h')":                                -2,
		"x.median('48h')":                               5,
		"x.rise('48h')":                                 4,
		"x.fall('48h')":                                 6,
		"x.distinct('48h')":                             4,
		"x.max_gap('48h')":                              46,
		"x.nth(1, '48h')":                               8,
		"x.nth(-1, '48h')":                              6,
		"x.duration_above(3, '48h')":                    47,
		"x.duration_below(3, '48h')":                    1,
		"x.count('48h..0ms')":                           4,
		"x.count('47h..1h')":                            2,
		"x.sum('48h..47h')":                             12,
		"x.count('48h', value > 2)":                     3,
		"x.last('48h..1h', value > 2)":                  4,
		"x.duration_above(3, '48h', 'carry 2h')":        3,
		"(x.stddev('48h') * x.stddev('48h')) * 3":       20,
		"x.count('48h', x.exists('after 1ms..1h'))":     3,
		"x.count('48h', not x.exists('after 1ms..1h'))": 1,
	} {
		p := planOf(t, term+" == "+rules.NumberOf(want).String())
		h, _ := p.SettleWhole(history(facts))
		results := p.EvaluateFacts(nil, h, noon)
		require.Equal(t, rules.True, results[0].Truth, "%s is %g", term, want)
	}
}

func TestDistinctTellsABoundFromTheNumber(t *testing.T) {
	stream := clinical.NewStream(clinical.KindObservation, "loinc|1")
	s := &Series{ID: stream.ID(), Stream: stream}
	below := *plain
	below.Comparator = clinical.Below
	for i, d := range []*clinical.Detail{plain, &below, plain, &below} {
		s, _ = s.Insert(Entry{Time: hours(float64(-i)), End: hours(float64(-i)), Seq: uint64(i), Number: 5, Detail: d})
	}
	p := planOf(t, "x.distinct('48h') == 2")
	require.Equal(t, rules.True, p.EvaluateFacts(nil, NewHistory().With(s), noon)[0].Truth)
}
