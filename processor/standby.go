package processor

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"
)

// follower keeps a partition that this process does not own at the end of its log: a copy that can answer
// at once and take over within moments. It applies the same records by the same machine as the owner
// does, and tells nobody: what it would send is the owner's to send.
type follower struct {
	owner  *owner
	stop   context.CancelFunc
	ended  chan struct{}
	end    atomic.Int64              // of the log, one past its last record as last heard of
	heard  atomic.Pointer[time.Time] // when it last heard of it
	caught atomic.Bool               // it has been at the end
}

// follow begins to keep the copy, if the partition is neither owned nor followed already.
func (o *owner) follow(ctx context.Context) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.opened || o.follower.Load() != nil || ctx.Err() != nil {
		return
	}
	ctx, cancel := context.WithCancel(ctx)
	f := &follower{owner: o, stop: cancel, ended: make(chan struct{})}
	f.end.Store(o.store.State().Facts + 1)
	o.follower.Store(f)
	go f.run(ctx)
}

// unfollow ends it and waits until nothing more is written.
func (o *owner) unfollow() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.unfollowLocked()
}

func (o *owner) unfollowLocked() {
	if f := o.follower.Load(); f != nil {
		if f.caught.Load() {
			o.rest(f.behind())
		}
		f.stop()
		<-f.ended
		o.follower.Store(nil)
	}
}

// behind is how many records the copy has yet to apply, as far as it has heard.
func (f *follower) behind() int64 { return max(0, f.end.Load()-1-f.owner.store.State().Facts) }

// warmEnough is how few records a copy may be behind to count as at the end of a log that goes on.
const warmEnough = 1000

// warm says whether whoever takes over from here is ready within moments.
func (f *follower) warm() bool { return f.caught.Load() && f.behind() <= warmEnough }

func (f *follower) run(ctx context.Context) {
	defer close(f.ended)
	defer f.stop()
	o := f.owner
	delay := newBackoff(o.role.config.RestartDelay, time.Minute)
	for {
		began := time.Now()
		err := f.keep(ctx)
		if ctx.Err() != nil {
			return
		}
		if time.Since(began) > healthy {
			delay.reset()
		}
		o.role.log.Warn("a warm copy is not kept up to date; trying again", "partition", o.partition, "error", err)
		if !delay.wait(ctx) {
			return
		}
	}
}

// trimEvery is how often a copy forgets the alerts that the owner has sent.
const trimEvery = 10 * time.Second

// keep follows the log until ctx ends or something fails.
func (f *follower) keep(ctx context.Context) error {
	o := f.owner
	machine, err := o.role.newMachine(o.partition, o.store, Observer{})
	if err != nil {
		return err
	}
	from, _, err := o.span()
	if err != nil {
		return err
	}
	messages, err := o.role.copies.ConsumePartition(o.role.topics.Facts.Name, o.partition, from)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrLogUnavailable, err)
	}
	defer func() { _ = messages.Close() }()
	trim := time.NewTicker(trimEvery)
	defer trim.Stop()
	look := time.NewTicker(100 * time.Millisecond)
	defer look.Stop()
	listen := func() {
		if end := messages.HighWaterMarkOffset(); end > 0 { // it is 0 before the first answer
			now := time.Now()
			f.end.Store(end)
			f.heard.Store(&now)
			if end-1 <= o.store.State().Facts {
				f.caught.Store(true)
			}
		}
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-messages.Errors():
			return fmt.Errorf("%w: %w", ErrLogUnavailable, err)
		case <-look.C:
			listen()
		case <-trim.C:
			if err := f.trim(ctx); err != nil {
				return err
			}
		case m := <-messages.Messages():
			rec, _ := o.decode(m.Value, string(m.Key))
			if err := machine.Apply(rec, m.Offset, nil); err != nil {
				return fmt.Errorf("applying record %d: %w", m.Offset, err)
			}
		}
	}
}

// trim takes out of the outbox what the owner has sent.
func (f *follower) trim(ctx context.Context) error {
	s := outboxSender{partition: f.owner.partition, store: f.owner.store, log: discard, have: f.owner.role.sentAlerts}
	return s.skipSent(ctx)
}

// standbys lets this process keep the copies that the roster gives it, until ctx ends.
func (r *rulesRole) standbys(ctx context.Context) {
	defer func() {
		for _, o := range r.owners {
			o.unfollow()
		}
	}()
	look := time.NewTicker(rosterEvery)
	defer look.Stop()
	asked := int32(-1) // the generation of the roster when this process last asked for another
	for ctx.Err() == nil {
		changed := r.directory.Changed()
		r.keepCopies(ctx)
		if roster := r.directory.Roster(); roster != nil && roster.Generation != asked && r.due(roster) {
			select {
			case r.again <- struct{}{}:
				asked = roster.Generation
			default: // there is no session to end
			}
		}
		select {
		case <-ctx.Done():
		case <-changed:
		case <-look.C:
		case <-r.moved:
		}
	}
}

// keepCopies begins what the roster says and is not under way, and ends what it says no more. What is being
// made warm before this process joins is not its business.
func (r *rulesRole) keepCopies(ctx context.Context) {
	if r.warming.Load() {
		return
	}
	roster := r.directory.Roster()
	mine := roster.Standby(r.config.Name())
	kept := make(map[int32]bool, len(mine))
	for _, n := range mine {
		kept[n] = true
	}
	for n, o := range r.owners {
		if kept[int32(n)] {
			o.follow(ctx)
			continue
		}
		o.unfollow()
		if owner, ok := roster.Owner(int32(n)); ok && owner.Name != r.config.Name() {
			o.leave()
		}
	}
}

// stir makes standbys look again.
func (r *rulesRole) stir() {
	select {
	case r.moved <- struct{}{}:
	default:
	}
}
