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

// replay applies the facts from the store's position to the end of the log. With an intact disk that is
// next to nothing; without one it is everything. The group table brings rows only, which would be of no
// use without their facts.
func (o *owner) replay(ctx context.Context) error {
	topic := o.role.topics.Facts.Name
	from, end, err := o.span()
	if err != nil || from == end {
		return err
	}
	started, reported := time.Now(), time.Now()
	err = readRange(ctx, o.role.client, topic, o.partition, from, end, func(m *sarama.ConsumerMessage) error {
		rec, _ := o.decode(m.Value, string(m.Key))
		if err := o.machine.Apply(rec, m.Offset, nil); err != nil {
			return fmt.Errorf("replaying record %d: %w", m.Offset, err)
		}
		o.letters = o.letters[:0] // written when the record was first applied
		o.role.metrics.replayed.Inc()
		if now := time.Now(); now.Sub(reported) > progressEvery {
			reported = now
			o.role.log.Info("replaying the facts log", "partition", o.partition, "at", m.Offset, "end", end,
				"perSecond", int(float64(m.Offset-from)/now.Sub(started).Seconds()))
		}
		return nil
	})
	if err != nil {
		return err
	}
	took := time.Since(started)
	o.role.log.Log(ctx, replayedLevel(end-from, took), "replayed the facts log", "partition", o.partition, "records", end-from, "took", took)
	return nil
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
