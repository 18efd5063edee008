package processor

import (
	"context"
	"sync/atomic"
	"time"
)

// gentle keeps a partition that is brought back from the log from slowing those that this process answers for
// already: it works in short stretches and rests between them, longer while these have a record in hand. While
// nobody writes to them or reads them it does not rest. It is for one goroutine.
type gentle struct {
	share  float64                       // of the time, that it works at most beside the others
	live   func() (busy bool, lag int64) // whether anybody would feel it, and how many records the others have yet to apply
	worked time.Time                     // since when there was no rest
}

const (
	// gentleStretch is how long is worked between two rests: whoever waits for the core hardly notices.
	gentleStretch = time.Millisecond
	// gentleWait is how many milliseconds longer a rest is at most while a live record is in hand: a stream that
	// never ends must not keep the partition from coming back.
	gentleWait = 4
)

func newGentle(share float64, live func() (busy bool, lag int64)) *gentle {
	return &gentle{share: share, live: live, worked: time.Now()}
}

// yield is called between two records. It returns how long it rested at least.
func (g *gentle) yield(ctx context.Context) (rested time.Duration) {
	worked := time.Since(g.worked)
	if worked < gentleStretch || g.share >= 1 {
		return 0
	}
	if busy, _ := g.live(); busy {
		rested = time.Duration(float64(worked) * (1/g.share - 1))
		pauseFor(ctx, rested)
		for range gentleWait {
			if _, lag := g.live(); lag == 0 || ctx.Err() != nil {
				break
			}
			pauseFor(ctx, time.Millisecond)
			rested += time.Millisecond
		}
	}
	g.worked = time.Now()
	return rested
}

// pauseFor returns after the time, or when ctx ends.
func pauseFor(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// activity knows whether something was done lately. Noting it costs next to nothing. It may be used from any
// goroutine.
type activity struct {
	fresh atomic.Bool  // noted since it was last looked at
	seen  atomic.Int64 // when it was last found so, in nanoseconds
}

// activityTime is how long what was noted counts.
const activityTime = time.Second

func (a *activity) note() {
	if !a.fresh.Load() {
		a.fresh.Store(true)
	}
}

func (a *activity) lately(now time.Time) bool {
	if a.fresh.Load() && a.fresh.Swap(false) {
		a.seen.Store(now.UnixNano())
	}
	return now.UnixNano()-a.seen.Load() < int64(activityTime)
}
