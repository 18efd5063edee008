package service

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/vigil-cds/vigil/explain/record"
)

const (
	// publishEvery is how often it is looked for what is to be published. The broker inside a process
	// shares its disk with live data, so that few large writes are better than many small ones.
	publishEvery = 500 * time.Millisecond
	// publishSlowly is the same while a partition is far from the log's end and nobody waits.
	publishSlowly = 4 * time.Second
	// published and publishedBytes bound what is sent at once.
	published      = 1000
	publishedBytes = 1 << 20
)

// HeaderExplanation is on each record of the explanations topic: the transition's id, by which a consumer
// drops what comes a second time.
const HeaderExplanation = "explanation"

// writer is a processor.Producer.
type writer interface {
	Write(ctx context.Context, records []kgo.Record) error
}

// publish sends what the archive's outboxes hold, in order, at least once.
func (s *Service) publish(ctx context.Context, to writer) {
	every := time.NewTicker(publishEvery)
	defer every.Stop()
	last := make(map[int32]time.Time)
	for {
		select {
		case <-ctx.Done():
			return
		case <-every.C:
		}
		for _, p := range s.partitions() {
			if p.behind() > int64(s.config.Batch) && time.Since(last[p.number]) < publishSlowly {
				continue
			}
			last[p.number] = time.Now()
			for more := true; more && ctx.Err() == nil; {
				var err error
				if more, err = s.publishSome(ctx, p, to); err != nil && ctx.Err() == nil {
					s.log.Warn("explanations could not be published; trying again", "partition", p.number, "error", err)
				}
				more = more && err == nil
			}
		}
	}
}

// publishSome sends what fits into one write; more says whether anything is left.
func (s *Service) publishSome(ctx context.Context, p *partition, to writer) (more bool, err error) {
	records, last, more, err := s.outgoing(ctx, p)
	if err != nil || len(records) == 0 {
		return false, err
	}
	if err := to.Write(ctx, records); err != nil {
		return false, err
	}
	b := p.archive.Begin()
	b.Sent(last)
	if err := b.Commit(); err != nil {
		return false, err
	}
	s.metrics.published.Add(float64(len(records)))
	return more || len(records) == published, nil
}

// outgoing is what is sent next, the number of the last of it, and whether that is not all.
func (s *Service) outgoing(ctx context.Context, p *partition) (records []kgo.Record, last uint64, more bool, err error) {
	if !s.pace.aside(ctx) {
		return nil, 0, false, nil
	}
	defer s.pace.done()
	size := 0
	err = p.archive.Outgoing(published, func(number uint64, patient string, data []byte) error {
		if size > publishedBytes {
			more = true
			return nil
		}
		e, err := record.Unmarshal(data)
		if err != nil {
			return fmt.Errorf("explanation %d of the outbox: %w", number, err)
		}
		body, err := e.AppendJSON(nil)
		if err != nil {
			return fmt.Errorf("explanation %d of the outbox: %w", number, err)
		}
		records = append(records, kgo.Record{Topic: s.topics.Explanations.Name, Key: []byte(patient), Value: body,
			Headers: []kgo.RecordHeader{{Key: HeaderExplanation, Value: []byte(e.ID)}}})
		last = number
		size += len(body)
		s.pace.yield(ctx)
		return nil
	})
	return records, last, more, err
}
