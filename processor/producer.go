package processor

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/IBM/sarama"
	"golang.org/x/sync/semaphore"
)

// ErrTooLarge is returned for a record that is larger than the log takes.
var ErrTooLarge = errors.New("larger than the log takes")

// errClosed is wrapped in ErrLogUnavailable.
var errClosed = errors.New("the producer is closed")

// inFlightBytes bounds what a producer has taken and the broker has not yet acknowledged.
const inFlightBytes = 64 << 20

// recordFormat is what sarama calls Kafka's present format of records.
const recordFormat = 2

// producer sends batches of messages and tells when the whole of a batch is acknowledged. A failed send
// is an ordinary event: the producer behind it is replaced when next used. It may be used from any
// goroutine.
type producer struct {
	connect  func() (sarama.AsyncProducer, error)
	inFlight *semaphore.Weighted
	limit    int // bytes of a message

	mu       sync.Mutex
	current  *connection
	building chan struct{} // closed when the attempt that is under way ends; nil when none is
	failure  error         // of the last attempt
	closed   bool

	joined sync.WaitGroup
}

// newProducer connects at first use.
func newProducer(brokers []string, config *sarama.Config) *producer {
	return &producer{
		inFlight: semaphore.NewWeighted(inFlightBytes),
		limit:    config.Producer.MaxMessageBytes,
		connect: func() (sarama.AsyncProducer, error) {
			fresh := *config
			return sarama.NewAsyncProducer(brokers, &fresh)
		},
	}
}

// batch is a group of messages that are acknowledged together.
type batch struct {
	messages []sarama.ProducerMessage
	left     atomic.Int64
	failure  atomic.Pointer[error]
	done     func(error)
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
	b := &batch{messages: messages, done: func(err error) {
		p.inFlight.Release(size)
		done(err)
	}}
	b.left.Store(int64(len(messages)))
	c, err := p.connection(ctx)
	if err != nil {
		b.settle(len(messages), err)
		return
	}
	c.enqueue(ctx, b)
}

// connection returns one that works as far as is known, connecting anew if need be.
func (p *producer) connection(ctx context.Context) (*connection, error) {
	p.mu.Lock()
	for {
		if p.closed {
			p.mu.Unlock()
			return nil, fmt.Errorf("%w: %w", ErrLogUnavailable, errClosed)
		}
		if p.current != nil && !p.current.broken.Load() {
			c := p.current
			p.mu.Unlock()
			return c, nil
		}
		mine := p.building == nil
		if mine {
			p.building = make(chan struct{})
			p.joined.Go(func() { p.build(p.building) })
		}
		attempt := p.building
		p.mu.Unlock()
		select {
		case <-attempt:
		case <-ctx.Done():
			return nil, fmt.Errorf("%w: %w", ErrLogUnavailable, context.Cause(ctx))
		}
		p.mu.Lock()
		if p.failure != nil && p.building == nil {
			err := p.failure
			p.mu.Unlock()
			return nil, fmt.Errorf("%w: %w", ErrLogUnavailable, err)
		}
	}
}

func (p *producer) build(attempt chan struct{}) {
	p.mu.Lock()
	old := p.current
	p.current = nil
	p.mu.Unlock()
	if old != nil {
		old.retire()
	}
	async, err := p.connect()
	var fresh *connection
	if err == nil {
		fresh = newConnection(async, &p.joined)
	}
	p.mu.Lock()
	p.current, p.failure, p.building = fresh, err, nil
	late := p.closed
	close(attempt)
	p.mu.Unlock()
	if late && fresh != nil {
		fresh.retire()
	}
}

// close sends what is in flight and joins every goroutine.
func (p *producer) close() {
	p.mu.Lock()
	p.closed = true
	c := p.current
	p.mu.Unlock()
	if c != nil {
		c.retire()
	}
	p.joined.Wait()
}

// connection is one sarama producer and the two goroutines that take its answers.
type connection struct {
	async  sarama.AsyncProducer
	broken atomic.Bool

	closing chan struct{}
	once    sync.Once
	mu      sync.RWMutex // held for reading while sending: sarama panics on a send after its close
	closed  bool
}

func newConnection(async sarama.AsyncProducer, joined *sync.WaitGroup) *connection {
	c := &connection{async: async, closing: make(chan struct{})}
	joined.Go(func() {
		for m := range async.Successes() {
			m.Metadata.(*batch).settle(1, nil)
		}
	})
	joined.Go(func() {
		for e := range async.Errors() {
			b := e.Msg.Metadata.(*batch)
			if errors.Is(e.Err, sarama.ErrMessageSizeTooLarge) { // the broker's limit is below ours
				b.settle(1, fmt.Errorf("%w: %w", ErrTooLarge, e.Err))
				continue
			}
			c.broken.Store(true)
			b.settle(1, fmt.Errorf("%w: %w", ErrLogUnavailable, e.Err))
		}
	})
	return c
}

func (c *connection) enqueue(ctx context.Context, b *batch) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	n := len(b.messages)
	if c.closed {
		b.settle(n, fmt.Errorf("%w: %w", ErrLogUnavailable, errClosed))
		return
	}
	input := c.async.Input()
	for i := range n {
		m := &b.messages[i]
		m.Metadata = b
		select {
		case input <- m:
		case <-ctx.Done():
			b.settle(n-i, fmt.Errorf("%w: %w", ErrLogUnavailable, context.Cause(ctx)))
			return
		case <-c.closing:
			b.settle(n-i, fmt.Errorf("%w: %w", ErrLogUnavailable, errClosed))
			return
		}
	}
}

// retire sends what was taken, takes no more, and lets the goroutines end.
func (c *connection) retire() {
	c.once.Do(func() {
		close(c.closing)
		c.mu.Lock()
		c.closed = true
		c.mu.Unlock()
		c.async.AsyncClose()
	})
}
