package processor

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/vigil-cds/vigil/internal/clinical"
)

const (
	// tickEvery is the least time between two ticks that say that time has passed.
	tickEvery = time.Second
	// sweepEvery is the least time between two ticks that carry a sweep on, which moves some patients to
	// the active rule set with each record.
	sweepEvery = 20 * time.Millisecond
)

// tick appends a control record to the partition's log when timers are due, or a sweep is pending, and
// no other record comes that would do. In simulated time it says nothing of the time, and timers are left
// to the feeder's records.
func (o *owner) tick(ctx context.Context) {
	wait := time.NewTimer(tickEvery)
	defer wait.Stop()
	delay := newBackoff(tickEvery, time.Minute)
	mine := int64(-1) // offset of the last tick
	for {
		select {
		case <-ctx.Done():
			return
		case <-wait.C:
		}
		state := o.store.State()
		now, timers := clinical.Never, false
		if o.role.config.wall() {
			now = clinical.At(o.role.now())
			due, any := o.store.NextDue()
			timers = any && due <= now && state.Clock < now
		}
		switch {
		case o.highWater.Load() == nil || state.Facts < mine || o.lag() > 0 || !timers && !state.Sweeping:
			// A record is on its way, or nothing is to be done.
		default:
			offset, err := o.role.append(ctx, o.partition, &clinical.Record{Recorded: now, EventOffset: -1, Tick: true})
			if err != nil {
				o.role.log.Warn("a tick could not be written; trying again", "partition", o.partition, "error", err)
				if !delay.wait(ctx) {
					return
				}
				break
			}
			delay.reset()
			o.role.metrics.ticks.Inc()
			mine = offset
		}
		next := tickEvery
		if state.Sweeping {
			next = sweepEvery
		}
		wait.Reset(next)
	}
}

// append writes a control record to a partition of the facts log and returns its offset.
func (r *rulesRole) append(ctx context.Context, partition int32, rec *clinical.Record) (int64, error) {
	control := []kgo.Record{{Topic: r.topics.Facts.Name, Key: []byte(controlKey(partition)), Value: rec.Marshal()}}
	if err := r.control.Write(ctx, control); err != nil {
		return 0, err
	}
	return control[0].Offset, nil
}
