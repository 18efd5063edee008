package service

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestTheRateHolds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPace(Config{Rate: 1000}.withDefaults(), nil)
		began := time.Now()
		for range 20 {
			require.True(t, p.wait(t.Context()))
			p.did(50, 500, time.Millisecond)
		}
		require.InDelta(t, 9.5, time.Since(began).Seconds(), 0.01, "10,000 facts, of which the last batch is yet to be paid for")
		require.InDelta(t, 1000, p.perSecond(), 60)
	})
}

func TestWithoutARateNothingWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPace(Config{}.withDefaults(), nil)
		began := time.Now()
		for range 20 {
			require.True(t, p.wait(t.Context()))
			p.did(50, 500, time.Millisecond)
		}
		require.Zero(t, time.Since(began))
	})
}

func TestItWaitsWhileTheLiveRulesLagAndSaysWhy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var lag atomic.Int64
		p := newPace(Config{MaxLag: 10}.withDefaults(), lag.Load)
		require.True(t, p.wait(t.Context()))
		require.Empty(t, p.reason())
		lag.Store(11)
		var wait sync.WaitGroup
		for range 3 { // partitions
			wait.Go(func() { p.wait(t.Context()) })
		}
		time.Sleep(time.Second)
		require.NotEmpty(t, p.reason())
		require.InDelta(t, 1, p.pausedSeconds(), 0.01, "also while it lasts, and once for all of them")
		lag.Store(10)
		wait.Wait()
		require.Empty(t, p.reason())
		require.InDelta(t, 1, p.pausedSeconds(), 0.1)

		lag.Store(11)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.False(t, p.wait(ctx))
	})
}

func TestItTakesItsShareOfACoreWhereLiveRulesRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for share, rested := range map[float64]bool{0.25: true, 0: false, 1: false} {
			p := newPace(Config{Share: share}.withDefaults(), func() int64 { return 0 })
			require.True(t, p.begin(t.Context(), 0))
			time.Sleep(stretch) // its work
			began := time.Now()
			p.yield(t.Context())
			require.Equal(t, rested, time.Since(began) == 3*stretch, "share %v", share)
			p.end(false)
		}
	})
}

func TestBatchesFitTheTimeTheyTake(t *testing.T) {
	t.Parallel()
	p := newPace(Config{Batch: 2048}.withDefaults(), nil)
	for range 20 {
		p.did(p.batch(), 1, time.Millisecond)
	}
	require.Equal(t, 2048, p.batch(), "quick ones grow, as far as is allowed")
	p.did(10, 1, time.Millisecond)
	require.Equal(t, 2048, p.batch())
	for range 20 {
		p.did(p.batch(), 1, time.Second)
	}
	require.Equal(t, least, p.batch(), "slow ones shrink")
}

func TestOnePartitionHasTheTurnAndWhoIsBehindKeepsItForAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPace(Config{}.withDefaults(), nil)
		require.True(t, p.begin(t.Context(), 1))
		got := make(chan time.Duration)
		began := time.Now()
		go func() {
			p.begin(t.Context(), 2)
			got <- time.Since(began)
		}()
		time.Sleep(time.Second)
		p.end(true)
		require.True(t, p.begin(t.Context(), 1), "it is behind, and takes the next turn")
		time.Sleep(time.Second)
		p.end(true)
		require.Equal(t, 2*time.Second+soon, <-got, "it did not want the one after")
		p.end(false)

		require.True(t, p.begin(t.Context(), 3))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.False(t, p.begin(ctx, 4))
		p.end(false)
	})
}
