package processor

import (
	"context"
	"sync"
	"time"

	"github.com/IBM/sarama"
	"github.com/lovoo/goka"

	"github.com/vigil-cds/vigil/internal/crashpoint"
)

// rejoinDelay is the pause between two sessions of a group. goka's own is five seconds, in which nothing
// is processed.
const rejoinDelay = 100 * time.Millisecond

// sessionWatch is told of a consumer group's sessions. Nil functions are not called.
type sessionWatch struct {
	started func(partitions []int32) // set up: the partitions are being processed
	ended   func()
	// claimed is called before the first message of a partition, with the offset from which the group goes
	// on and the log's end as last heard of. An error ends the session, and the group is joined again.
	claimed func(ctx context.Context, partition int32, committed int64, highWater func() int64) error
	again   <-chan struct{} // ends the session, so that the group makes a new plan
}

// orderedGroup builds consumer groups that commit only the contiguous prefix of what was processed.
//
// goka marks each message when the emits of its own callback are acknowledged, and sarama commits the
// greatest offset marked. A message without emits overtakes an earlier one whose emits are pending, and
// a crash then loses the earlier one. The group built here is between the two: it sees every message
// that goka is given, and passes a mark on only when all messages before it are marked.
func orderedGroup(config *sarama.Config, watch sessionWatch) goka.ConsumerGroupBuilder {
	plain := goka.ConsumerGroupBuilderWithConfig(config)
	return func(brokers []string, group, clientID string) (sarama.ConsumerGroup, error) {
		inner, err := plain(brokers, group, clientID)
		if err != nil {
			return nil, err
		}
		return &prefixGroup{ConsumerGroup: inner, watch: watch}, nil
	}
}

type prefixGroup struct {
	sarama.ConsumerGroup
	watch sessionWatch
}

// Consume joins the group again and again until ctx ends or something fails.
func (g *prefixGroup) Consume(ctx context.Context, topics []string, handler sarama.ConsumerGroupHandler) error {
	for {
		if err := g.session(ctx, topics, handler); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(rejoinDelay):
		}
	}
}

// session takes part in the group until its partitions are shared anew.
func (g *prefixGroup) session(ctx context.Context, topics []string, handler sarama.ConsumerGroupHandler) error {
	ctx, cancel := context.WithCancel(ctx)
	var joined sync.WaitGroup
	joined.Go(func() {
		select {
		case <-ctx.Done():
		case <-g.watch.again:
			cancel()
		}
	})
	defer joined.Wait()
	defer cancel()
	return g.ConsumerGroup.Consume(ctx, topics, &prefixHandler{inner: handler, watch: g.watch})
}

// prefixHandler wraps the session that goka sees. It lives for one session.
type prefixHandler struct {
	inner   sarama.ConsumerGroupHandler
	watch   sessionWatch
	session *prefixSession
}

// Setup implements sarama.ConsumerGroupHandler.
func (h *prefixHandler) Setup(s sarama.ConsumerGroupSession) error {
	h.session = &prefixSession{ConsumerGroupSession: s, prefixes: make(map[topicPartition]*prefix)}
	var partitions []int32
	for topic, claimed := range s.Claims() {
		for _, p := range claimed {
			h.session.prefixes[topicPartition{topic, p}] = new(prefix)
			partitions = append(partitions, p)
		}
	}
	if err := h.inner.Setup(h.session); err != nil {
		return err
	}
	if h.watch.started != nil {
		h.watch.started(partitions)
	}
	return nil
}

// Cleanup implements sarama.ConsumerGroupHandler.
func (h *prefixHandler) Cleanup(sarama.ConsumerGroupSession) error {
	if h.watch.ended != nil {
		h.watch.ended()
	}
	return h.inner.Cleanup(h.session)
}

// ConsumeClaim implements sarama.ConsumerGroupHandler: it notes each message before goka has it.
func (h *prefixHandler) ConsumeClaim(s sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	if h.watch.claimed != nil {
		if err := h.watch.claimed(s.Context(), claim.Partition(), claim.InitialOffset(), claim.HighWaterMarkOffset); err != nil {
			return err
		}
	}
	p := h.session.prefixes[topicPartition{claim.Topic(), claim.Partition()}]
	noted := make(chan *sarama.ConsumerMessage, channelSize)
	stop := make(chan struct{})
	var joined sync.WaitGroup
	joined.Go(func() {
		defer close(noted)
		for {
			select {
			case m, ok := <-claim.Messages():
				if !ok {
					return
				}
				p.begin(m.Offset)
				select {
				case noted <- m:
				case <-stop:
					return
				}
			case <-stop:
				return
			}
		}
	})
	err := h.inner.ConsumeClaim(h.session, notedClaim{claim, noted})
	close(stop)
	joined.Wait()
	return err
}

type notedClaim struct {
	sarama.ConsumerGroupClaim
	messages <-chan *sarama.ConsumerMessage
}

// Messages implements sarama.ConsumerGroupClaim.
func (c notedClaim) Messages() <-chan *sarama.ConsumerMessage { return c.messages }

type topicPartition struct {
	topic     string
	partition int32
}

// prefixSession holds marks back until everything before them is marked, too.
type prefixSession struct {
	sarama.ConsumerGroupSession
	prefixes map[topicPartition]*prefix
}

// MarkOffset implements sarama.ConsumerGroupSession: the message before offset is done.
func (s *prefixSession) MarkOffset(topic string, partition int32, offset int64, metadata string) {
	p := s.prefixes[topicPartition{topic, partition}]
	if p == nil {
		return
	}
	if next, moved := p.finish(offset - 1); moved {
		crashpoint.Pass(crashpoint.BeforeCommit)
		s.ConsumerGroupSession.MarkOffset(topic, partition, next, metadata)
	}
}

// MarkMessage implements sarama.ConsumerGroupSession.
func (s *prefixSession) MarkMessage(m *sarama.ConsumerMessage, metadata string) {
	s.MarkOffset(m.Topic, m.Partition, m.Offset+1, metadata)
}

// prefix follows the messages of one partition that are being processed. Offsets rise but may have gaps
// (transaction markers, compaction), hence the list. It may be used from any goroutine.
type prefix struct {
	mu      sync.Mutex
	pending []offsetState // from head on: begun, in order
	head    int
}

type offsetState struct {
	offset int64
	done   bool
}

// begin notes a message that is handed out. Offsets come in rising order.
func (p *prefix) begin(offset int64) {
	p.mu.Lock()
	if p.head > 0 && len(p.pending) == cap(p.pending) {
		p.pending = p.pending[:copy(p.pending, p.pending[p.head:])]
		p.head = 0
	}
	p.pending = append(p.pending, offsetState{offset: offset})
	p.mu.Unlock()
}

// finish notes that a message is done, and returns the offset to commit when the prefix has grown.
func (p *prefix) finish(offset int64) (next int64, moved bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	lo, hi := p.head, len(p.pending)
	for lo < hi {
		if mid := (lo + hi) / 2; p.pending[mid].offset < offset {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	if lo == len(p.pending) || p.pending[lo].offset != offset {
		return 0, false
	}
	p.pending[lo].done = true
	for p.head < len(p.pending) && p.pending[p.head].done {
		next, moved = p.pending[p.head].offset+1, true
		p.head++
	}
	if p.head == len(p.pending) {
		p.pending, p.head = p.pending[:0], 0
	}
	return next, moved
}
