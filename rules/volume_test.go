package rules_test

import (
	"math"
	"runtime"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vigil-cds/vigil/internal/bench/volume"
	"github.com/vigil-cds/vigil/rules"
)

// Work is counted in what is allocated, which does not depend on the machine.
func TestCompilingGrowsNoFasterThanNLogN(t *testing.T) {
	work := func(n int) (allocations, bytes float64) {
		files := volume.Packs(n)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		p, err := rules.Compile(files, rules.CompileOptions{})
		runtime.ReadMemStats(&after)
		require.NoError(t, err)
		require.Len(t, p.Rules, n)
		return float64(after.Mallocs - before.Mallocs), float64(after.TotalAlloc - before.TotalAlloc)
	}
	fewAllocations, fewBytes := work(1000)
	manyAllocations, manyBytes := work(10_000)
	most := 10 * math.Log(10_000) / math.Log(1000)
	require.Less(t, manyAllocations/fewAllocations, most)
	require.Less(t, manyBytes/fewBytes, most)
}

func BenchmarkCompile(b *testing.B) {
	for _, n := range []int{100, 1000, 10_000} {
		files := volume.Packs(n)
		b.Run(strconv.Itoa(n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := rules.Compile(files, rules.CompileOptions{}); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/float64(n), "µs/rule")
		})
	}
}
