package processor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/IBM/sarama"

	"github.com/vigil-cds/vigil/internal/clinical"
)

var (
	// ErrLogLost means that the facts log ends before what the store has already applied: the log lost
	// records, or the store belongs to another log.
	ErrLogLost = errors.New("the facts log is shorter than the state made from it")
	// ErrLogTruncated means that the facts log no longer has the records that the store needs next.
	ErrLogTruncated = errors.New("the facts log no longer has the records that the state needs")
)

// progressEvery is how often a long replay says how far it is.
const progressEvery = 10 * time.Second

// replayedLevel is the level at which the end of a replay is logged: a short one is part of every start,
// and nothing to tell an operator.
func replayedLevel(records int64, took time.Duration) slog.Level {
	if records < 10_000 && took < 5*time.Second {
		return slog.LevelDebug
	}
	return slog.LevelInfo
}

// gentleBytes are read at a time while somebody would feel it: what is decoded at once keeps a core from others.
const gentleBytes = 128 << 10

// recovery is a partition that is being brought to the end of its log.
type recovery struct {
	from, end int64 // offsets of the facts log: the first to apply, and one past the last
	began     time.Time
}

// recover applies the facts from the store's position to the end of the log: all of them without a disk,
// next to none with an intact one. The group table would bring rows only, which are of no use without their
// facts. What fails is tried again, until ctx ends: then it is false.
func (o *owner) recover(ctx context.Context, from, end int64) bool {
	o.recovery.Store(&recovery{from: from, end: end, began: time.Now()})
	defer o.recovery.Store(nil)
	delay := newBackoff(o.role.config.RestartDelay, time.Minute)
	for {
		err := o.replay(ctx, end)
		switch {
		case ctx.Err() != nil:
			return false
		case err == nil:
			return true
		}
		o.role.log.Error("a partition cannot be brought to the end of its log; trying again", "partition", o.partition, "in", delay.next, "error", err)
		if !delay.wait(ctx) {
			return false
		}
	}
}

// replay applies the facts from the store's position up to an offset.
func (o *owner) replay(ctx context.Context, end int64) error {
	from := o.store.State().Facts + 1
	if from >= end {
		return nil
	}
	// As many partitions at a time as there is memory and disk for; who waits costs nothing.
	if err := o.role.recovers.Acquire(ctx, 1); err != nil {
		return err
	}
	defer o.role.recovers.Release(1)
	pace := newGentle(o.role.config.RecoveryShare, o.role.live)
	bytes := func() int32 {
		if busy, _ := o.role.live(); busy {
			return gentleBytes
		}
		return rangeBytes
	}
	started, reported := time.Now(), time.Now()
	err := readRangeBy(ctx, bytes, o.role.client, o.role.topics.Facts.Name, o.partition, from, end, func(m *sarama.ConsumerMessage) error {
		rec, _ := o.decode(m.Value, string(m.Key))
		if err := o.machine.Apply(rec, m.Offset, nil); err != nil {
			return fmt.Errorf("replaying record %d: %w", m.Offset, err)
		}
		o.letters = o.letters[:0] // written when the record was first applied
		o.role.metrics.replayed.Inc()
		if now := time.Now(); now.Sub(reported) > progressEvery {
			reported = now
			rate := float64(m.Offset-from) / now.Sub(started).Seconds()
			o.role.log.Info("bringing a partition to the end of its log", "partition", o.partition, "at", m.Offset, "end", end-1,
				"recordsPerSecond", int(rate), "left", time.Duration(float64(end-m.Offset)/max(rate, 1)*float64(time.Second)).Round(time.Second))
		}
		pace.yield(ctx)
		return ctx.Err()
	})
	if err != nil {
		return err
	}
	took := time.Since(started)
	o.role.log.Log(ctx, replayedLevel(end-from, took), "replayed the facts log", "partition", o.partition, "records", end-from, "took", took)
	return nil
}

// The states of a partition, as this process sees it.
const (
	PartitionRunning    = "running"    // owned here, and answered for
	PartitionRecovering = "recovering" // owned here, and being brought to the end of its log
	PartitionCopy       = "copy"       // another's, of which a warm copy is kept here
	PartitionWarming    = "warming"    // another's, of which a copy is being made
	PartitionResting    = "resting"    // owned here until nobody could say who owns it; answered for as it was then
	PartitionElsewhere  = "elsewhere"  // another's
)

// PartitionStatus is how this process stands to one partition.
type PartitionStatus struct {
	Partition int32  `json:"partition"`
	State     string `json:"state"`
	At        int64  `json:"at"`            // offset of the last facts record that is applied here; -1 none
	End       int64  `json:"end,omitempty"` // one past the last record, as last heard of
	// Of one that is recovering:
	PerSecond   float64  `json:"perSecond,omitempty"`   // records
	SecondsLeft *float64 `json:"secondsLeft,omitempty"` // nil: not known yet
}

// Partitions says how this process stands to each partition, by number; nil without RoleRules.
func (p *Processor) Partitions() []PartitionStatus {
	if p.rules == nil {
		return nil
	}
	all := make([]PartitionStatus, len(p.rules.owners))
	for i, o := range p.rules.owners {
		all[i] = o.status()
	}
	return all
}

func (o *owner) status() PartitionStatus {
	s := PartitionStatus{Partition: o.partition, State: PartitionElsewhere, At: o.store.State().Facts}
	f := o.follower.Load()
	switch r := o.recovery.Load(); {
	case r != nil:
		s.State, s.End = PartitionRecovering, r.end
		if seconds := time.Since(r.began).Seconds(); s.At >= r.from && seconds > 0 {
			s.PerSecond = float64(s.At+1-r.from) / seconds
			left := float64(r.end-1-s.At) / s.PerSecond
			s.SecondsLeft = &left
		}
	case o.ready():
		s.State, s.End = PartitionRunning, s.At+1+o.lag()
	case f != nil && f.caught.Load():
		s.State, s.End = PartitionCopy, f.end.Load()
	case f != nil:
		s.State, s.End = PartitionWarming, f.end.Load()
	default:
		if rested, ok := o.resting(); ok {
			s.State, s.End = PartitionResting, s.At+1+rested.Behind
		}
	}
	return s
}

// decode reads a record of the facts log. One that is none, or that lies where it does not belong, is
// given as an empty record with the reason, so that the position goes on.
func (o *owner) decode(value []byte, key string) (rec *clinical.Record, refused string) {
	empty := func() *clinical.Record { return &clinical.Record{Recorded: clinical.Never, EventOffset: -1} }
	if value == nil {
		return empty(), ReasonNotARecord
	}
	rec, err := clinical.UnmarshalRecord(value)
	if err != nil {
		return empty(), ReasonNotARecord
	}
	control := rec.Tick || rec.Activation != nil || rec.Patient == ""
	if !control && (rec.Patient != key || Partition(key, o.role.config.Partitions) != o.partition) {
		return empty(), ReasonWrongPatient
	}
	return rec, ""
}

// span is what of the facts log the store has yet to apply: from one offset up to another.
func (o *owner) span() (from, end int64, err error) {
	topic := o.role.topics.Facts.Name
	from = o.store.State().Facts + 1
	oldest, err := o.role.client.GetOffset(topic, o.partition, sarama.OffsetOldest)
	if err != nil {
		return 0, 0, fmt.Errorf("finding the start of the facts log: %w: %w", ErrLogUnavailable, err)
	}
	if end, err = o.role.client.GetOffset(topic, o.partition, sarama.OffsetNewest); err != nil {
		return 0, 0, fmt.Errorf("finding the end of the facts log: %w: %w", ErrLogUnavailable, err)
	}
	switch {
	case from > end:
		return 0, 0, fmt.Errorf("%w: the store has applied %d, the log ends at %d: bring the log back, or start with an empty store directory",
			ErrLogLost, from-1, end-1)
	case from < oldest:
		return 0, 0, fmt.Errorf("%w: the store needs %d, the log starts at %d: bring a backup of the store that is newer, and set retention.ms=-1 on the topic",
			ErrLogTruncated, from, oldest)
	}
	return from, end, nil
}
