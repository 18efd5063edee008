package processor

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"time"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/vigil-cds/vigil/internal/crashpoint"
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
	producer  *Producer
	log       *slog.Logger
	sent      func(n int)
	have      func(ctx context.Context, partition int32) (next uint64, err error) // what the topic has
	skipped   bool                                                                // have was asked, once
}

// run sends until ctx ends. What is under way then is waited for as long as drain would wait: given up, it
// would be sent again.
func (s *outboxSender) run(ctx context.Context) {
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(drainTime, cancel) })()
	delay := newBackoff(100*time.Millisecond, 5*time.Second)
	for {
		sent, err := s.step(work)
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

// drainTime bounds how long giving a partition up waits for its last alerts. What is not sent by then stays
// in the outbox for the next owner.
const drainTime = 2 * time.Second

// drain sends what the last records brought about, after run has ended: an orderly stop leaves nothing
// behind. A next owner that sends the same at the same time sends it in the same order.
func (s *outboxSender) drain() {
	ctx, cancel := context.WithTimeout(context.Background(), drainTime)
	defer cancel()
	for sent := 1; sent > 0; {
		var err error
		if sent, err = s.step(ctx); err != nil {
			s.log.Warn("alerts are left in the outbox until the partition is opened again", "partition", s.partition, "error", err)
		}
	}
}

// step sends some of what is pending, after what an earlier owner sent has been taken out.
func (s *outboxSender) step(ctx context.Context) (sent int, err error) {
	if !s.skipped {
		if err := s.skipSent(ctx); err != nil {
			return 0, err
		}
		s.skipped = true
	}
	return s.sendSome(ctx)
}

// skipSent takes out what the alerts topic already has. The numbers of an outbox follow from the log, so
// that a state built anew gives each transition the number it had before.
func (s *outboxSender) skipSent(ctx context.Context) error {
	next, err := s.have(ctx, s.partition)
	if err != nil || next == 0 {
		return err
	}
	if outbox := s.store.State().Outbox; next > outbox {
		s.log.Error("the alerts topic is ahead of the state: it was written from another facts log; nothing in it is taken as sent",
			"partition", s.partition, "topic", next, "state", outbox)
		return nil
	}
	return s.store.Sent(next - 1)
}

// sendSome sends what is pending, up to outboxBatch, and returns how many that were.
func (s *outboxSender) sendSome(ctx context.Context) (int, error) {
	committed := s.store.State().Outbox
	pending, err := s.store.Pending(outboxBatch)
	if err != nil {
		return 0, err
	}
	// A batch is in the database a moment before the state says so, and what the state does not know of
	// cannot be taken out. The outbox wakes us once more when it does.
	pending = slices.DeleteFunc(pending, func(r store.OutboxRecord) bool { return r.Number >= committed })
	if len(pending) == 0 {
		return 0, nil
	}
	records := make([]kgo.Record, len(pending))
	for i, p := range pending {
		records[i] = kgo.Record{Topic: s.topic, Key: []byte(p.Patient), Value: p.Body, Headers: []kgo.RecordHeader{
			{Key: headerAlert, Value: []byte(p.ID)},
			{Key: headerNumber, Value: strconv.AppendUint(nil, p.Number, 10)},
		}}
	}
	crashpoint.Pass(crashpoint.BeforeSend)
	if err := s.producer.Write(ctx, records); err != nil {
		return 0, err
	}
	crashpoint.Pass(crashpoint.AfterSend)
	s.sent(len(pending))
	return len(pending), s.store.Sent(pending[len(pending)-1].Number)
}

// sentAlerts returns the number below which every alert of a partition is in the alerts topic. The last
// record alone does not tell: of a batch whose sending failed, later records may be there and earlier ones
// not. But a batch is begun only when the one before is complete.
func (r *rulesRole) sentAlerts(ctx context.Context, partition int32) (next uint64, err error) {
	topic := r.topics.Alerts.Name
	oldest, err := r.client.GetOffset(topic, partition, sarama.OffsetOldest)
	if err != nil {
		return 0, fmt.Errorf("finding the last alerts: %w: %w", ErrLogUnavailable, err)
	}
	end, err := r.client.GetOffset(topic, partition, sarama.OffsetNewest)
	if err != nil {
		return 0, fmt.Errorf("finding the last alerts: %w: %w", ErrLogUnavailable, err)
	}
	there := make(map[uint64]bool, 2*outboxBatch)
	var last uint64
	err = readRange(ctx, r.client, topic, partition, max(oldest, end-2*outboxBatch), end, func(m *sarama.ConsumerMessage) error {
		if n, ok := alertNumber(m); ok {
			there[n], last = true, n
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	if len(there) == 0 {
		return 0, nil
	}
	next = last + 1 - min(last+1, outboxBatch)
	for there[next] {
		next++
	}
	return next, nil
}

func alertNumber(m *sarama.ConsumerMessage) (uint64, bool) {
	for _, h := range m.Headers {
		if string(h.Key) == headerNumber {
			n, err := strconv.ParseUint(string(h.Value), 10, 64)
			return n, err == nil
		}
	}
	return 0, false
}
