package pointer

import (
	"strings"
	"testing"
	"time"

	"github.com/vigil-cds/vigil/internal/clinical"
)

// BenchmarkCostOfTerms reads each question of the busy patient that rules.Cost supposes, and fails where of two
// questions whose estimates are far apart the one that was to cost less took longer.
func BenchmarkCostOfTerms(b *testing.B) {
	conditions := []string{"x.exists('7d')", "x.last('7d') > 1e9", "x.last('7d', value > 98) > 1e9", "x.hours_since('7d') > 1e9", "x.max('7d') > 1e9", "x.max('1y') > 1e9",
		"x.mean('6h') > 1e9", "x.mean('1y') > 1e9", "x.max('7d', value > 3) > 1e9", "x.count('7d') > 5000", "x.count('1y') > 20000",
		"x.slope('7d') > 1e9", "x.stddev('1y') > 1e9", "x.median('6h') > 1e9", "x.median('7d') > 1e9", "x.median('1y') > 1e9", "x.rise('1y') > 1e9",
		"x.distinct('1y') > 1e9", "x.nth(2, '1y') > 1e9", "x.ewma('12h', '1y') > 1e9", "x.max_gap('1y') > 1e9", "x.duration_above(3, '1y') > 1e9", "x.active()"}
	plan := planOf(b, conditions...)
	at := map[float64]float64{}
	for i := range 10_000 {
		at[-float64(i)/12] = float64(i * 7919 % 100)
	}
	h := history(at)
	type read struct {
		term  string
		facts int
		took  time.Duration
	}
	var reads []read
	for _, rule := range plan.Program.Rules {
		cost := plan.Program.Cost(rule)
		b.Run(strings.ReplaceAll(rule.When.String(), " ", ""), func(b *testing.B) {
			for b.Loop() {
				plan.Look(rule, clinical.Never, h, noon)
			}
			b.ReportMetric(float64(cost.Facts), "facts")
			reads = append(reads, read{rule.When.String(), cost.Facts, b.Elapsed() / time.Duration(b.N)})
		})
	}
	for _, x := range reads {
		for _, y := range reads {
			if x.facts*20 <= y.facts && x.took > y.took {
				b.Errorf("%s was to cost %d facts and took %s, %s was to cost %d and took %s", x.term, x.facts, x.took, y.term, y.facts, y.took)
			}
		}
	}
}
