package service

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/IBM/sarama"

	"github.com/vigil-cds/vigil/explain/replay"
	"github.com/vigil-cds/vigil/processor"
)

const (
	// batchBytes ends a batch early: records can be large.
	batchBytes = 8 << 20
	// followed is how many patients are brought forward together when their time has come.
	followed = 256
	// quiet is how long the log may say nothing before it is looked whether a patient's time has come.
	quiet = 250 * time.Millisecond
	// progressEvery is how often a catch-up tells how far it is.
	progressEvery = 10 * time.Second
)

// follow joins the group again and again until ctx ends.
func (s *Service) follow(ctx context.Context) {
	for delay := s.config.Log.RestartDelay; ctx.Err() == nil; delay = min(2*delay, time.Minute) {
		began := time.Now()
		err := s.member(ctx)
		if ctx.Err() != nil {
			return
		}
		if err == nil || time.Since(began) > time.Minute {
			delay = s.config.Log.RestartDelay
		}
		if err != nil {
			s.metrics.restarts.Inc()
			s.log.Error("explaining stopped; starting it again", "in", delay, "error", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(delay):
		}
	}
}

// member is in the group until ctx ends or something fails.
func (s *Service) member(ctx context.Context) error {
	config, err := s.config.Log.ClientConfig("explain")
	if err != nil {
		return err
	}
	config.ChannelBufferSize = 256
	config.Consumer.Fetch.Default = 128 << 10 // a broker in this process answers one request at a time: a short one keeps nobody waiting
	config.Consumer.Return.Errors = false
	group, err := sarama.NewConsumerGroup(s.config.Log.Brokers, s.topics.ExplainGroup, config)
	if err != nil {
		return fmt.Errorf("joining the group: %w: %w", processor.ErrLogUnavailable, err)
	}
	// One membership lasts for many sessions: who left at the end of each would make the others begin anew.
	for err == nil && ctx.Err() == nil {
		began := time.Now()
		h := &handler{service: s, failed: make(chan error, 1)}
		err = group.Consume(ctx, []string{s.topics.Facts.Name}, h)
		s.mu.Lock()
		clear(s.owned)
		s.joined = false
		s.mu.Unlock()
		select {
		case failed := <-h.failed:
			err = errors.Join(err, failed)
		default:
		}
		if rest := s.config.Log.RestartDelay - time.Since(began); err == nil && rest > 0 {
			select { // a claim that could not be read ends a session at once, and without a word
			case <-ctx.Done():
			case <-time.After(rest):
			}
		}
	}
	return errors.Join(err, group.Close())
}

// handler is one session of the group.
type handler struct {
	service *Service
	failed  chan error // the first failure of a claim
}

// Setup implements sarama.ConsumerGroupHandler: every partition goes on where the archive stands, wherever
// the group stood.
func (h *handler) Setup(session sarama.ConsumerGroupSession) error {
	s := h.service
	owned := make(map[int32]*partition)
	for _, n := range session.Claims()[s.topics.Facts.Name] {
		kept, err := s.deps.Archive.Partition(n)
		if err != nil {
			return err
		}
		p := &partition{number: n, archive: kept}
		next := kept.State().Facts + 1
		oldest, err := s.client.GetOffset(s.topics.Facts.Name, n, sarama.OffsetOldest)
		if err != nil {
			return fmt.Errorf("finding the start of the facts log: %w: %w", processor.ErrLogUnavailable, err)
		}
		end, err := s.client.GetOffset(s.topics.Facts.Name, n, sarama.OffsetNewest)
		if err != nil {
			return fmt.Errorf("finding the end of the facts log: %w: %w", processor.ErrLogUnavailable, err)
		}
		switch {
		case next > end:
			return fmt.Errorf("%w: partition %d is explained up to %d, the log ends at %d: bring the log back, or remove the explain directory",
				processor.ErrLogLost, n, next-1, end-1)
		case next < oldest:
			return fmt.Errorf("%w: partition %d is explained up to %d, the log starts at %d: explanations need the whole log; set retention.ms=-1 on the topic",
				processor.ErrLogTruncated, n, next-1, oldest)
		}
		// Of the two, the one takes an offset back and the other forward.
		session.ResetOffset(s.topics.Facts.Name, n, next, "")
		session.MarkOffset(s.topics.Facts.Name, n, next, "")
		p.end.Store(end)
		p.caught.Store(next == end)
		owned[n] = p
	}
	s.mu.Lock()
	s.owned, s.joined = owned, true
	s.mu.Unlock()
	return nil
}

func (h *handler) fail(err error) error {
	select {
	case h.failed <- err:
	default:
	}
	return err
}

// Cleanup implements sarama.ConsumerGroupHandler.
func (h *handler) Cleanup(sarama.ConsumerGroupSession) error { return nil }

// ConsumeClaim implements sarama.ConsumerGroupHandler. Claims run beside each other and take turns.
func (h *handler) ConsumeClaim(session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	s := h.service
	s.mu.Lock()
	p := s.owned[claim.Partition()]
	s.mu.Unlock()
	if p == nil {
		return nil // the session is over
	}
	f := &follower{service: s, partition: p, began: time.Now(), reported: time.Now(), from: p.archive.State().Facts}
	var err error
	f.machine, err = replay.NewMachine(p.number, s.deps.Archive, replay.Options{
		Sets: s.deps.Sets, Topic: s.topics.Facts.Name, Facts: s.config.WindowFacts,
		Charts: s.charts, Yield: func() { s.pace.yield(session.Context()) },
		Partition: func(patient string) int32 { return processor.Partition(patient, s.config.Log.Partitions) },
		Explained: func(rule, kind string) { s.metrics.explained.WithLabelValues(rule, kind).Inc() },
		RefusedActivation: func(hash string, err error) {
			s.log.Error("a rule set in the log does not compile here; the one before is explained on", "partition", p.number, "ruleSet", hash, "error", err)
		},
	})
	if err == nil {
		err = f.run(session, claim)
	}
	if err != nil && session.Context().Err() == nil {
		return h.fail(err)
	}
	return nil
}

// follower follows one partition for one session.
type follower struct {
	service   *Service
	partition *partition
	machine   *replay.Machine

	began, reported time.Time
	from            int64 // offset at which it began
}

func (f *follower) run(session sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	ctx := session.Context()
	idle := time.NewTicker(quiet)
	defer idle.Stop()
	for {
		var batch []replay.Entry
		select {
		case <-ctx.Done():
			return nil
		case <-idle.C:
		case m, ok := <-claim.Messages():
			if !ok {
				return nil
			}
			batch = f.collect(m, claim)
		}
		if len(batch) > 0 && !f.service.pace.wait(ctx) {
			return nil
		}
		f.partition.end.Store(max(claim.HighWaterMarkOffset(), f.partition.archive.State().Facts+1))
		if err := f.take(ctx, batch); err != nil {
			return err
		}
		if n := len(batch); n > 0 {
			session.MarkOffset(claim.Topic(), claim.Partition(), batch[n-1].Offset+1, "")
		}
		if f.partition.behind() == 0 {
			f.partition.caught.Store(true)
		}
		f.report()
	}
}

// collect takes what has arrived, up to a batch.
func (f *follower) collect(first *sarama.ConsumerMessage, claim sarama.ConsumerGroupClaim) []replay.Entry {
	most := f.service.pace.batch()
	size := 0
	var batch []replay.Entry
	for m := first; ; {
		batch = append(batch, replay.Entry{Offset: m.Offset, Key: string(m.Key), Value: m.Value})
		size += len(m.Value)
		if len(batch) == most || size > batchBytes {
			return batch
		}
		// What the log has and the client has not yet brought is worth waiting for: patients are read and
		// written once a batch.
		wait := time.Duration(0)
		if m.Offset+1 < claim.HighWaterMarkOffset() {
			wait = look
		}
		next, ok := receive(claim.Messages(), wait)
		if !ok {
			return batch
		}
		m = next
	}
}

// receive takes a message that is there, or comes soon.
func receive(from <-chan *sarama.ConsumerMessage, wait time.Duration) (*sarama.ConsumerMessage, bool) {
	select {
	case m, ok := <-from:
		return m, ok
	default:
	}
	if wait == 0 {
		return nil, false
	}
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case m, ok := <-from:
		return m, ok
	case <-t.C:
		return nil, false
	}
}

// take explains a batch, and brings patients forward whose time has come.
func (f *follower) take(ctx context.Context, batch []replay.Entry) error {
	pace := f.service.pace
	if !pace.begin(ctx, f.partition.number) {
		return context.Cause(ctx)
	}
	defer func() { pace.end(f.partition.behind() > 0) }()
	if len(batch) > 0 {
		began := time.Now()
		facts, err := f.machine.Apply(ctx, batch)
		if err != nil {
			return err
		}
		took := time.Since(began)
		pace.did(len(batch), facts, took)
		f.service.metrics.took(len(batch), facts, took)
	}
	for more := true; more && ctx.Err() == nil; {
		var err error
		if more, err = f.machine.Follow(ctx, followed); err != nil {
			return err
		}
	}
	return nil
}

// report tells how far a catch-up is.
func (f *follower) report() {
	now := time.Now()
	behind := f.partition.behind()
	if behind == 0 || now.Sub(f.reported) < progressEvery {
		return
	}
	f.reported = now
	at := f.partition.archive.State().Facts
	rate := float64(at-f.from) / now.Sub(f.began).Seconds()
	f.service.log.Info("explaining the facts log", "partition", f.partition.number, "at", at, "end", f.partition.end.Load()-1,
		"recordsPerSecond", int(rate), "left", time.Duration(float64(behind)/max(rate, 1)*float64(time.Second)).Round(time.Second))
}
