package processor

import (
	"context"
	"errors"
	"fmt"
	"hash"
	"sync"
	"sync/atomic"
	"time"

	"github.com/IBM/sarama"
	"github.com/lovoo/goka"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"golang.org/x/sync/semaphore"

	"github.com/vigil-cds/vigil/internal/broker"
)

// ErrTooLarge is returned for a record that is larger than the log takes.
var ErrTooLarge = errors.New("larger than the log takes")

// errClosed is wrapped in ErrLogUnavailable.
var errClosed = errors.New("the producer is closed")

// inFlightBytes bounds what a producer has taken and the broker has not yet acknowledged.
const inFlightBytes = 64 << 20

const (
	// deliveryTries is how often a record is tried, with a tenth of a second between: an election of brokers
	// takes up to twenty seconds. What may have reached a broker is tried on, so that it is there once and in
	// its place.
	deliveryTries = 300
	// closeTime is how long what was taken may take to be acknowledged when a producer is closed.
	closeTime = 10 * time.Second
)

// Producer writes to the log: the records of a partition in the order in which they were given, each once,
// whatever happens to brokers and connections. That is why it is not sarama's, of which a request that must be
// sent again changes places with the next. It may be used from any goroutine.
type Producer struct {
	client   *kgo.Client
	brokers  []string
	inFlight *semaphore.Weighted
	limit    int // bytes of a record
	closed   atomic.Bool
	once     sync.Once
}

// NewProducer makes one for topics that are keyed by patient; it connects at the first write. Component is what
// it calls itself to the brokers, linger how long a record may wait for others to go with.
func NewProducer(c Config, component string, linger time.Duration) (*Producer, error) {
	limit := broker.MaxMessageBytes - 1<<10
	options := append(c.Channel.Options(),
		kgo.SeedBrokers(c.Brokers...),
		kgo.ClientID(c.Prefix+component),
		kgo.RequiredAcks(kgo.AllISRAcks()),
		kgo.RecordPartitioner(partitioner{int32(c.Partitions)}),
		kgo.ProducerBatchCompression(kgo.SnappyCompression()),
		kgo.ProducerBatchMaxBytes(int32(limit)),
		kgo.ProducerLinger(linger),
		kgo.MaxBufferedRecords(1<<20),    // inFlight bounds the bytes
		kgo.RecordRetries(deliveryTries), // not by time, which would be counted from the record's own timestamp
		kgo.UnknownTopicRetries(10),
		kgo.MetadataMinAge(100*time.Millisecond),
		kgo.RetryBackoffFn(func(int) time.Duration { return 100 * time.Millisecond }),
	)
	client, err := kgo.NewClient(options...)
	if err != nil {
		return nil, fmt.Errorf("configuring the Kafka client %s: %w", c.Prefix+component, err)
	}
	return &Producer{client: client, brokers: c.Brokers, inFlight: semaphore.NewWeighted(inFlightBytes), limit: limit}, nil
}

// batch is a group of records that are acknowledged together.
type batch struct {
	left    atomic.Int64
	failure atomic.Pointer[error]
	done    func(error)
}

func (b *batch) settle(err error) {
	if err != nil {
		b.failure.CompareAndSwap(nil, &err)
	}
	if b.left.Add(-1) > 0 {
		return
	}
	if e := b.failure.Load(); e != nil {
		err = *e
	}
	b.done(err)
}

// Write appends the records and waits until all are acknowledged; each then has its Partition and Offset.
// After an error, which wraps ErrLogUnavailable or ErrTooLarge, any of them may or may not be in the log. When
// ctx ends first the records still belong to the producer.
func (p *Producer) Write(ctx context.Context, records []kgo.Record) error {
	acknowledged := make(chan error, 1)
	p.send(ctx, records, func(err error) { acknowledged <- err })
	select {
	case err := <-acknowledged:
		return err
	case <-ctx.Done():
		return fmt.Errorf("%w: not acknowledged in time: %w", ErrLogUnavailable, context.Cause(ctx))
	}
}

// send hands the records over and returns; done is called once, from any goroutine, when all are
// acknowledged or one has failed and none is under way. It must not block. The records belong to the
// producer until then. send waits while too much is in flight.
func (p *Producer) send(ctx context.Context, records []kgo.Record, done func(error)) {
	if len(records) == 0 {
		done(nil)
		return
	}
	if p.closed.Load() {
		done(fmt.Errorf("%w: %w", ErrLogUnavailable, errClosed))
		return
	}
	size, err := p.size(records)
	if err != nil {
		done(err)
		return
	}
	size = min(size, inFlightBytes)
	if err := p.inFlight.Acquire(ctx, size); err != nil {
		done(fmt.Errorf("%w: %w", ErrLogUnavailable, context.Cause(ctx)))
		return
	}
	b := &batch{done: func(err error) {
		p.inFlight.Release(size)
		done(err)
	}}
	b.left.Store(int64(len(records)))
	// A record is not taken back when its writer has gone: those behind it must not come before it.
	ctx = context.WithoutCancel(ctx)
	for i := range records {
		p.client.Produce(ctx, &records[i], func(r *kgo.Record, err error) { b.settle(p.produced(r.Topic, err)) })
	}
}

// size is the bytes of all records, each of which must fit.
func (p *Producer) size(records []kgo.Record) (size int64, err error) {
	for i := range records {
		n := sizeOf(&records[i])
		if n > p.limit {
			return 0, fmt.Errorf("%w: record %d of %d takes %d bytes, at most %d are taken", ErrTooLarge, i+1, len(records), n, p.limit)
		}
		size += int64(n)
	}
	return size, nil
}

// recordOverhead is what a record and its batch take beside what they carry, at most.
const recordOverhead = 128

func sizeOf(r *kgo.Record) int {
	n := recordOverhead + len(r.Key) + len(r.Value)
	for _, h := range r.Headers {
		n += 10 + len(h.Key) + len(h.Value)
	}
	return n
}

// produced says what the failure of a record for the topic means.
func (p *Producer) produced(topic string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, kerr.MessageTooLarge), errors.Is(err, kerr.RecordListTooLarge):
		return fmt.Errorf("%w: %w", ErrTooLarge, err)
	case errors.Is(err, kerr.TopicAuthorizationFailed): // who was permitted at the start and is no more
		return fmt.Errorf("%w: %w (%w)", ErrLogUnavailable, notPermitted(p.brokers, []Permission{{Name: topic, Operation: kmsg.ACLOperationWrite}}), err)
	}
	return fmt.Errorf("%w: %w", ErrLogUnavailable, err)
}

// Close sends what was taken, for as long as that may take, and ends.
func (p *Producer) Close() {
	p.once.Do(func() {
		p.closed.Store(true)
		ctx, cancel := context.WithTimeout(context.Background(), closeTime)
		defer cancel()
		_ = p.client.Flush(ctx) // what is not acknowledged by then fails, and who gave it is told
		p.client.Close()
	})
}

// gokaProducer is a producer for goka.
type gokaProducer struct{ log *Producer }

// Emit implements goka.Producer.
func (p gokaProducer) Emit(topic, key string, value []byte) *goka.Promise {
	return p.EmitWithHeaders(topic, key, value, nil)
}

// EmitWithHeaders implements goka.Producer.
func (p gokaProducer) EmitWithHeaders(topic, key string, value []byte, headers goka.Headers) *goka.Promise {
	promise, finish := goka.NewPromiseWithFinisher()
	r := []kgo.Record{{Topic: topic, Key: []byte(key), Value: value}}
	for k, v := range headers {
		r[0].Headers = append(r[0].Headers, kgo.RecordHeader{Key: k, Value: v})
	}
	p.log.send(context.Background(), r, func(err error) {
		finish(&sarama.ProducerMessage{Topic: topic, Partition: r[0].Partition, Offset: r[0].Offset}, err)
	})
	return promise
}

// Close implements goka.Producer.
func (p gokaProducer) Close() error {
	p.log.Close()
	return nil
}

// producerBuilder builds goka's producers.
func producerBuilder(c Config, component string) goka.ProducerBuilder {
	return func(_ []string, _ string, _ func() hash.Hash32) (goka.Producer, error) {
		p, err := NewProducer(c, component, c.Linger)
		if err != nil {
			return nil, err
		}
		return gokaProducer{p}, nil
	}
}
