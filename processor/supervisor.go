package processor

import (
	"context"
	"log/slog"
	"time"

	"github.com/lovoo/goka"
)

// backoff doubles the pause between attempts up to a limit. It is for one goroutine.
type backoff struct{ first, limit, next time.Duration }

func newBackoff(first, limit time.Duration) *backoff {
	return &backoff{first: first, limit: limit, next: first}
}

// wait pauses; false when ctx ended first.
func (b *backoff) wait(ctx context.Context) bool {
	t := time.NewTimer(b.next)
	defer t.Stop()
	b.next = min(2*b.next, b.limit)
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

func (b *backoff) reset() { b.next = b.first }

// healthy is how long a processor must have run for its next failure to count as the first.
const healthy = time.Minute

// supervise runs a goka processor, and runs a new one when it stops with an error. The new one starts
// from the committed prefix; what is processed again changes nothing. It returns when ctx ends.
func supervise(ctx context.Context, role string, log *slog.Logger, m *metricSet, delay time.Duration, build func() (*goka.Processor, error)) {
	pause := newBackoff(delay, 60*delay)
	for ctx.Err() == nil {
		started := time.Now()
		p, err := build()
		if err == nil {
			err = p.Run(ctx)
		}
		if ctx.Err() != nil {
			return
		}
		if time.Since(started) > healthy {
			pause.reset()
		}
		m.restarts.WithLabelValues(role).Inc()
		log.Error("a processor stopped; starting it again", "role", role, "in", pause.next, "error", err)
		if !pause.wait(ctx) {
			return
		}
	}
}
