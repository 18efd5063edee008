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
	"golang.org/x/sync/semaphore"

	"github.com/vigil-cds/vigil/internal/broker"
)

// ErrTooLarge is returned for a record that is larger than the log takes.
var ErrTooLarge = errors.New("larger than the log takes")

// errClosed is wrapped in ErrLogUnavailable.
var errClosed = errors.New("the producer is closed")

// inFlightBytes bounds what a producer has taken and the broker has not yet acknowledged.
const inFlightBytes = 64 << 20

// recordFormat is what sarama calls Kafka's present format of records.
const recordFormat = 2

const (
	// deliveryTries is how often a record is tried, with a tenth of a second between: an election of brokers
	// takes up to twenty seconds. What may have reached a broker is tried on, so that it is there once and in
	// its place.
	deliveryTries = 300
	// closeTime is how long what was taken may take to be acknowledged when a producer is closed.
	closeTime = 10 * time.Second
)

// producer writes to the log: the records of a partition in the order in which they were given, each once,
// whatever happens to brokers and connections. That is why it is not sarama's, of which a request that must be
// sent again changes places with the next. It may be used from any goroutine.
type producer struct {
	client   *kgo.Client
	inFlight *semaphore.Weighted
	limit    int // bytes of a message
	closed   atomic.Bool
	once     sync.Once
}

// newProducer connects at first use.
func newProducer(c Config, component string, linger time.Duration) (*producer, error) {
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
	return &producer{client: client, inFlight: semaphore.NewWeighted(inFlightBytes), limit: limit}, nil
}

// batch is a group of messages that are acknowledged together.
type batch struct {
	left    atomic.Int64
	failure atomic.Pointer[error]
	done    func(error)
}

func (b *batch) settle(n int, err error) {
	if err != nil {
		b.failure.CompareAndSwap(nil, &err)
	}
	if b.left.Add(-int64(n)) > 0 {
		return
	}
	if e := b.failure.Load(); e != nil {
		err = *e
	}
	b.done(err)
}

// write sends the messages and waits until all are acknowledged; each then has its Partition and Offset.
// After an error any of them may or may not be in the log. When ctx ends first the messages still belong
// to the producer.
func (p *producer) write(ctx context.Context, messages []sarama.ProducerMessage) error {
	acknowledged := make(chan error, 1)
	p.send(ctx, messages, func(err error) { acknowledged <- err })
	select {
	case err := <-acknowledged:
		return err
	case <-ctx.Done():
		return fmt.Errorf("%w: not acknowledged in time: %w", ErrLogUnavailable, context.Cause(ctx))
	}
}

// send hands the messages over and returns; done is called once, from any goroutine, when all are
// acknowledged or one has failed and none is under way. It must not block. The messages belong to the
// producer until then. send waits while too much is in flight.
func (p *producer) send(ctx context.Context, messages []sarama.ProducerMessage, done func(error)) {
	if len(messages) == 0 {
		done(nil)
		return
	}
	if p.closed.Load() {
		done(fmt.Errorf("%w: %w", ErrLogUnavailable, errClosed))
		return
	}
	var size int64
	for i := range messages {
		n := messages[i].ByteSize(recordFormat)
		if n > p.limit {
			done(fmt.Errorf("%w: record %d of %d takes %d bytes, at most %d are taken", ErrTooLarge, i+1, len(messages), n, p.limit))
			return
		}
		size += int64(n)
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
	b.left.Store(int64(len(messages)))
	for i := range messages {
		m := &messages[i]
		rec, err := p.record(m)
		if err != nil {
			b.settle(1, err)
			continue
		}
		// A record is not taken back when its writer has gone: those behind it must not come before it.
		p.client.Produce(context.WithoutCancel(ctx), rec, func(r *kgo.Record, err error) {
			m.Partition, m.Offset = r.Partition, r.Offset
			b.settle(1, produced(err))
		})
	}
}

// produced says what the failure of a record means.
func produced(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, kerr.MessageTooLarge), errors.Is(err, kerr.RecordListTooLarge):
		return fmt.Errorf("%w: %w", ErrTooLarge, err)
	}
	return fmt.Errorf("%w: %w", ErrLogUnavailable, err)
}

// record is a message as the client takes it.
func (p *producer) record(m *sarama.ProducerMessage) (*kgo.Record, error) {
	rec := &kgo.Record{Topic: m.Topic, Timestamp: m.Timestamp}
	var err error
	if m.Key != nil {
		if rec.Key, err = m.Key.Encode(); err != nil {
			return nil, err
		}
	}
	if m.Value != nil {
		if rec.Value, err = m.Value.Encode(); err != nil {
			return nil, err
		}
	}
	for _, h := range m.Headers {
		rec.Headers = append(rec.Headers, kgo.RecordHeader{Key: string(h.Key), Value: h.Value})
	}
	return rec, nil
}

// close sends what was taken, for as long as that may take, and ends.
func (p *producer) close() {
	p.once.Do(func() {
		p.closed.Store(true)
		ctx, cancel := context.WithTimeout(context.Background(), closeTime)
		defer cancel()
		_ = p.client.Flush(ctx) // what is not acknowledged by then fails, and who gave it is told
		p.client.Close()
	})
}

// gokaProducer is a producer for goka.
type gokaProducer struct{ *producer }

// Emit implements goka.Producer.
func (p gokaProducer) Emit(topic, key string, value []byte) *goka.Promise {
	return p.EmitWithHeaders(topic, key, value, nil)
}

// EmitWithHeaders implements goka.Producer.
func (p gokaProducer) EmitWithHeaders(topic, key string, value []byte, headers goka.Headers) *goka.Promise {
	promise, finish := goka.NewPromiseWithFinisher()
	m := []sarama.ProducerMessage{{Topic: topic, Key: sarama.StringEncoder(key), Headers: headers.ToSarama()}}
	if value != nil {
		m[0].Value = sarama.ByteEncoder(value)
	}
	p.send(context.Background(), m, func(err error) { finish(&m[0], err) })
	return promise
}

// Close implements goka.Producer.
func (p gokaProducer) Close() error {
	p.close()
	return nil
}

// producerBuilder builds goka's producers.
func producerBuilder(c Config, component string) goka.ProducerBuilder {
	return func(_ []string, _ string, _ func() hash.Hash32) (goka.Producer, error) {
		p, err := newProducer(c, component, c.Linger)
		if err != nil {
			return nil, err
		}
		return gokaProducer{p}, nil
	}
}
