package processor

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/IBM/sarama"
)

// How a range is read: how much is asked for at a time, how long the broker may wait for it, and how often
// an answer may be none before the reader gives up.
const (
	rangeBytes    = 1 << 20
	rangeWait     = 500 * time.Millisecond
	rangePause    = 100 * time.Millisecond
	rangeAttempts = 60
)

// errNothing is what a broker answers with that has no record where its log goes on.
var errNothing = errors.New("the broker gave no records, though its log goes on")

// readRange gives f the records of a partition from one offset up to another, in order.
//
// The end is known and what comes after it is not waited for, which is why no sarama.Consumer is used: it
// collects subscriptions for a tenth of a second before it asks for anything, and closes when its question
// for what comes next is answered. A start reads three ranges of each partition.
func readRange(ctx context.Context, client sarama.Client, topic string, partition int32, from, end int64, f func(*sarama.ConsumerMessage) error) error {
	return readRangeBy(ctx, func() int32 { return rangeBytes }, client, topic, partition, from, end, f)
}

// readRangeBy is readRange that asks for as many bytes as it is told before each time.
func readRangeBy(ctx context.Context, bytes func() int32, client sarama.Client, topic string, partition int32, from, end int64, f func(*sarama.ConsumerMessage) error) error {
	if from >= end {
		return nil
	}
	r := &rangeReader{client: client, topic: topic, partition: partition, next: from, end: end, bytes: bytes}
	ctx, cancel := context.WithCancel(ctx)
	fetched := make(chan []*sarama.ConsumerMessage, 1)
	failed := make(chan error, 1)
	go func() { // one fetch ahead of f
		defer close(fetched)
		failed <- r.run(ctx, fetched)
	}()
	defer func() {
		cancel()
		for range fetched { // until the reader has ended
		}
	}()
	for messages := range fetched {
		for _, m := range messages {
			if err := f(m); err != nil {
				return err
			}
		}
	}
	return <-failed
}

// rangeReader asks a partition's leader for what lies between two offsets.
type rangeReader struct {
	client    sarama.Client
	topic     string
	partition int32
	next, end int64
	bytes     func() int32 // that are asked for at a time
	least     int32        // of them, since a batch is as large
}

// run sends everything up to the end. A leader that fails or has moved is looked for again.
func (r *rangeReader) run(ctx context.Context, to chan<- []*sarama.ConsumerMessage) error {
	failures := 0
	for r.next < r.end {
		messages, err := r.fetch()
		switch {
		case err == nil:
			failures = 0
		case errors.Is(err, sarama.ErrOffsetOutOfRange):
			return fmt.Errorf("reading %s: %w: offset %d is not in the log", r.topic, ErrLogTruncated, r.next)
		default:
			if failures++; failures == rangeAttempts {
				return fmt.Errorf("reading %s: %w: %w", r.topic, ErrLogUnavailable, err)
			}
			select {
			case <-ctx.Done():
			case <-time.After(rangePause):
			}
			_ = r.client.RefreshMetadata(r.topic) // when it fails, so will the fetch
		}
		if len(messages) == 0 {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			continue
		}
		select {
		case to <- messages:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// fetch asks once, and moves next behind what it returns.
func (r *rangeReader) fetch() ([]*sarama.ConsumerMessage, error) {
	leader, err := r.client.Leader(r.topic, r.partition)
	if err != nil {
		return nil, err
	}
	request := &sarama.FetchRequest{Version: 11, MinBytes: 1, MaxBytes: math.MaxInt32, MaxWaitTime: int32(rangeWait / time.Millisecond),
		SessionEpoch: -1} // no session
	bytes := max(r.least, r.bytes())
	request.AddBlock(r.topic, r.partition, r.next, bytes, -1)
	response, err := leader.Fetch(request)
	if err != nil {
		_ = leader.Close() // it is opened again when it is next asked for
		return nil, err
	}
	block := response.GetBlock(r.topic, r.partition)
	switch {
	case block == nil:
		return nil, sarama.ErrIncompleteResponse
	case block.Err != sarama.ErrNoError:
		return nil, block.Err
	}
	var messages []*sarama.ConsumerMessage
	from := r.next
	for _, records := range block.RecordsSet {
		batch := records.RecordBatch
		if batch == nil {
			return nil, fmt.Errorf("a record before offset %d is in a format that Kafka gave up with version 0.11", r.end)
		}
		for _, rec := range batch.Records {
			offset := batch.FirstOffset + rec.OffsetDelta
			if batch.Control || offset < from || offset >= r.end {
				continue
			}
			messages = append(messages, &sarama.ConsumerMessage{Topic: r.topic, Partition: r.partition, Offset: offset,
				Key: rec.Key, Value: rec.Value, Headers: rec.Headers, Timestamp: timestamp(batch, rec)})
		}
		if !batch.PartialTrailingRecord {
			r.next = max(r.next, batch.LastOffset()+1)
		}
	}
	if r.next > from {
		return messages, nil
	}
	r.least = min(2*bytes, math.MaxInt32/2) // a batch that is larger than what was asked for
	return nil, errNothing
}

func timestamp(batch *sarama.RecordBatch, rec *sarama.Record) time.Time {
	if batch.LogAppendTime {
		return batch.MaxTimestamp
	}
	return batch.FirstTimestamp.Add(rec.TimestampDelta)
}
