package processor

import (
	"context"
	"log/slog"
	"strconv"
	"time"

	"github.com/IBM/sarama"

	"github.com/vigil-cds/vigil/store"
)

// outboxBatch is how many alerts are sent at a time.
const outboxBatch = 256

// outboxSender writes a partition's transitions from the outbox to the alerts topic, in order, and takes
// them out once they are acknowledged: each at least once.
type outboxSender struct {
	partition int32
	store     *store.Partition
	topic     string
	producer  *producer
	log       *slog.Logger
	sent      func(n int)
	last      func(ctx context.Context, partition int32) (number uint64, found bool, err error)
}

// run sends until ctx ends.
func (s *outboxSender) run(ctx context.Context) {
	delay := newBackoff(100*time.Millisecond, 5*time.Second)
	skipped := false
	for {
		var err error
		if !skipped {
			err = s.skipSent(ctx)
			skipped = err == nil
		}
		sent := 0
		if err == nil {
			sent, err = s.sendSome(ctx)
		}
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			s.log.Warn("alerts could not be sent; trying again", "partition", s.partition, "error", err)
			if !delay.wait(ctx) {
				return
			}
			continue
		case sent > 0:
			delay.reset()
			continue
		}
		select {
		case <-ctx.Done():
			return
		case <-s.store.OutboxC():
		}
	}
}

// skipSent takes out what the alerts topic already has. The numbers of an outbox follow from the log, so
// that a state built anew gives each transition the number it had before.
func (s *outboxSender) skipSent(ctx context.Context) error {
	last, found, err := s.last(ctx, s.partition)
	if err != nil || !found {
		return err
	}
	if last >= s.store.State().Outbox {
		s.log.Error("the alerts topic is ahead of the state: it was written from another facts log; alerts are sent as if it were empty",
			"partition", s.partition, "last", last, "next", s.store.State().Outbox)
		return nil
	}
	return s.store.Sent(last)
}

// sendSome sends what is pending, up to outboxBatch, and returns how many that were.
func (s *outboxSender) sendSome(ctx context.Context) (int, error) {
	pending, err := s.store.Pending(outboxBatch)
	if err != nil || len(pending) == 0 {
		return 0, err
	}
	messages := make([]sarama.ProducerMessage, len(pending))
	for i, p := range pending {
		messages[i] = sarama.ProducerMessage{Topic: s.topic, Key: sarama.StringEncoder(p.Patient), Value: sarama.ByteEncoder(p.Body),
			Headers: []sarama.RecordHeader{
				{Key: []byte(headerAlert), Value: []byte(p.ID)},
				{Key: []byte(headerNumber), Value: strconv.AppendUint(nil, p.Number, 10)},
			}}
	}
	if err := s.producer.write(ctx, messages); err != nil {
		return 0, err
	}
	s.sent(len(pending))
	return len(pending), s.store.Sent(pending[len(pending)-1].Number)
}

// lastAlert reads the number of the last record of a partition of the alerts topic.
func (r *rulesRole) lastAlert(ctx context.Context, partition int32) (uint64, bool, error) {
	oldest, err := r.client.GetOffset(r.topics.Alerts.Name, partition, sarama.OffsetOldest)
	if err != nil {
		return 0, false, err
	}
	end, err := r.client.GetOffset(r.topics.Alerts.Name, partition, sarama.OffsetNewest)
	if err != nil || end <= oldest {
		return 0, false, err
	}
	messages, err := r.consumer.ConsumePartition(r.topics.Alerts.Name, partition, end-1)
	if err != nil {
		return 0, false, err
	}
	defer func() { _ = messages.Close() }()
	select {
	case <-ctx.Done():
		return 0, false, context.Cause(ctx)
	case err := <-messages.Errors():
		return 0, false, err
	case m := <-messages.Messages():
		for _, h := range m.Headers {
			if string(h.Key) == headerNumber {
				n, err := strconv.ParseUint(string(h.Value), 10, 64)
				return n, err == nil, nil
			}
		}
	}
	return 0, false, nil
}
