package processor

import (
	"context"
	"time"

	"github.com/IBM/sarama"

	"github.com/vigil-cds/vigil/processor/group"
)

// due says whether another plan would give this process more, and it is warm for all of that.
func (r *rulesRole) due(roster *group.Roster) bool {
	more := false
	for _, n := range roster.Joining(r.config.member(), nil) {
		if has, _ := roster.Owner(n); has.Name == r.config.Name() {
			continue
		}
		if int(n) >= len(r.owners) {
			return false
		}
		if f := r.owners[n].follower.Load(); f == nil || !f.warm() {
			return false
		}
		more = true
	}
	return more && !r.warming.Load()
}

// warmUp makes warm what this process will own, before it joins the group: until then those who own it
// go on. It returns the partitions that it is warm for.
func (r *rulesRole) warmUp(ctx context.Context) []int32 {
	r.warming.Store(true)
	defer func() {
		r.warming.Store(false)
		r.stir()
	}()
	began, said, disk := time.Now(), time.Now(), r.onDisk()
	poll := time.NewTicker(20 * time.Millisecond)
	defer poll.Stop()
	for ctx.Err() == nil {
		members, err := r.directory.Describe()
		if err != nil || members == 0 || r.directory.Roster() == nil {
			return disk // nobody is there to go on
		}
		cold := r.cold(ctx, disk)
		if len(cold) == 0 {
			break
		}
		if now := time.Now(); now.Sub(said) > progressEvery {
			said = now
			var behind int64
			for _, f := range cold {
				behind += f.behind()
			}
			r.log.Info("making partitions warm before joining the others", "partitions", len(cold), "recordsLeft", behind, "since", now.Sub(began).Round(time.Second))
		}
		for again := time.Now().Add(r.directory.Every()); time.Now().Before(again) && len(r.cold(ctx, disk)) > 0; {
			select {
			case <-ctx.Done():
				return nil
			case <-poll.C:
			}
		}
	}
	var warm []int32
	for _, o := range r.owners {
		if f := o.follower.Load(); f != nil && f.warm() {
			warm = append(warm, o.partition)
		}
	}
	return warm
}

// cold lists what this process will be given of others' and is not yet warm for, and follows it. It takes
// what it has on disk already, where it can choose.
func (r *rulesRole) cold(ctx context.Context, disk []int32) []*follower {
	roster := r.directory.Roster()
	var cold []*follower
	for _, n := range roster.Joining(r.config.member(), disk) {
		if has, ok := roster.Owner(n); !ok || has.Name == r.config.Name() || int(n) >= len(r.owners) {
			continue
		}
		r.owners[n].follow(ctx)
		if f := r.owners[n].follower.Load(); f != nil && !f.warm() {
			cold = append(cold, f)
		}
	}
	return cold
}

// onDisk lists the partitions of which this process has most already: the disk is a warm copy, too.
func (r *rulesRole) onDisk() []int32 {
	var warm []int32
	for _, o := range r.owners {
		at := o.store.State().Facts + 1
		end, err := r.client.GetOffset(r.topics.Facts.Name, o.partition, sarama.OffsetNewest)
		if err == nil && at > 0 && at >= end-end/10 {
			warm = append(warm, o.partition)
		}
	}
	return warm
}
