package processor

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestARecoveryRestsOnlyWhileSomebodyWouldFeelIt(t *testing.T) {
	for _, c := range []struct {
		name  string
		share float64
		busy  bool
		lag   int64
		least time.Duration // that it rests after ten milliseconds of work
	}{
		{"nobody asks", 0.5, false, 0, 0},
		{"others are asked", 0.5, true, 0, 10 * time.Millisecond},
		{"others have a record in hand", 0.5, true, 1, 14 * time.Millisecond},
		{"all of the time is its own", 1, true, 1, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := newGentle(c.share, func() (bool, int64) { return c.busy, c.lag })
			g.worked = time.Now().Add(-10 * time.Millisecond)
			rested := g.yield(t.Context())
			require.GreaterOrEqual(t, rested, c.least)
			require.Equal(t, c.least > 0, rested > 0)
		})
	}
}

func TestActivityIsForgottenAfterAWhile(t *testing.T) {
	var a activity
	now := time.Now()
	require.False(t, a.lately(now))
	a.note()
	a.note()
	require.True(t, a.lately(now))
	require.True(t, a.lately(now.Add(activityTime/2)), "also when another looked before")
	require.False(t, a.lately(now.Add(2*activityTime)))
}
