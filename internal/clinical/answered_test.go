package clinical

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestOfTheRecordsOfAnEventTheFirstCounts(t *testing.T) {
	a := NoneAnswered()
	for _, step := range []struct {
		event   int64
		again   bool
		missing []Gap
	}{
		{-1, false, nil}, {0, false, nil}, {1, false, nil}, {0, true, nil}, {1, true, nil}, {-1, false, nil},
		{5, false, []Gap{{2, 4}}}, {1, true, []Gap{{2, 4}}}, {3, false, []Gap{{2, 2}, {4, 4}}}, {3, true, []Gap{{2, 2}, {4, 4}}},
		{2, false, []Gap{{4, 4}}}, {6, false, []Gap{{4, 4}}}, {4, false, nil}, {4, true, nil}, {7, false, nil},
	} {
		before, held := a, slices.Clone(a.Missing)
		next, again := a.Take(step.event)
		require.Equal(t, step.again, again, "event %d", step.event)
		require.ElementsMatch(t, step.missing, next.Missing, "after event %d", step.event)
		require.Equal(t, held, before.Missing, "what was is not changed")
		a = next
	}
	require.EqualValues(t, 7, a.Last)
}

func TestEventsInAnyOrderAreEachAnsweredOnce(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for range 200 {
		a, seen := NoneAnswered(), map[int64]bool{}
		for range 300 {
			event := random.Int64N(60)
			next, again := a.Take(event)
			require.Equal(t, seen[event], again)
			a, seen[event] = next, true
		}
	}
}

func TestOffsetsWithoutEventsAreForgottenInTime(t *testing.T) {
	a := NoneAnswered()
	for event := int64(0); event < 10_000; event += 2 { // a mark after each
		a, _ = a.Take(event)
	}
	require.LessOrEqual(t, len(a.Missing), mostGaps)
	_, again := a.Take(9_998)
	require.True(t, again)
}
