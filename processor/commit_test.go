package processor

import (
	"context"
	"errors"
	"hash"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/lovoo/goka"
	"github.com/stretchr/testify/require"
)

// slowProducer is a goka producer whose emits are acknowledged, or fail, when the test says so.
type slowProducer struct {
	mu      sync.Mutex
	pending []goka.PromiseFinisher
	ack     bool // at once
}

func (p *slowProducer) Emit(topic, key string, value []byte) *goka.Promise {
	return p.EmitWithHeaders(topic, key, value, nil)
}

func (p *slowProducer) EmitWithHeaders(string, string, []byte, goka.Headers) *goka.Promise {
	promise, finish := goka.NewPromiseWithFinisher()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ack {
		return finish(&sarama.ProducerMessage{}, nil)
	}
	p.pending = append(p.pending, finish)
	return promise
}

func (p *slowProducer) Close() error { return nil }

func (p *slowProducer) fail(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, finish := range p.pending {
		finish(nil, err)
	}
	p.pending = nil
}

// A message whose emit is pending is followed by one without emits; then the process ends. Plain goka has
// committed past the first one, which is lost. The test holds both: the loss, so that it is known to
// exist, and the cure.
func TestAMessageWhoseEmitIsPendingIsNotLost(t *testing.T) {
	t.Parallel()
	for name, lost := range map[string]bool{"the prefix is committed": false, "plain goka": true} {
		t.Run(name, func(t *testing.T) {
			c := testConfig(newBroker(t, t.TempDir()))
			c.Partitions = 1
			topics := withTopics(t, c)
			w := newTestWriter(t, c)
			_, err := w.Write(t.Context(), []Event{{Patient: "a", Body: []byte("emits")}, {Patient: "a", Body: []byte("does not")}})
			require.NoError(t, err)

			run := func(producer *slowProducer, seen func(body string)) (stop func() error) {
				graph := goka.DefineGroup("group",
					goka.Input(goka.Stream(topics.Events.Name), rawCodec{}, func(ctx goka.Context, message any) {
						body := string(message.([]byte))
						if body == "emits" {
							ctx.Emit(goka.Stream(topics.Facts.Name), "a", []byte("x"))
						}
						seen(body)
					}),
					goka.Output(goka.Stream(topics.Facts.Name), rawCodec{}))
				config, err := c.clientConfig("group")
				require.NoError(t, err)
				config.Consumer.Offsets.AutoCommit.Interval = 10 * time.Millisecond
				builder := orderedGroup(config, sessionWatch{})
				if lost {
					builder = goka.ConsumerGroupBuilderWithConfig(config)
				}
				others, err := c.clientConfig("others")
				require.NoError(t, err)
				p, err := goka.NewProcessor(c.Brokers, graph, goka.WithLogger(silent), goka.WithConsumerGroupBuilder(builder),
					goka.WithProducerBuilder(func([]string, string, func() hash.Hash32) (goka.Producer, error) { return producer, nil }),
					goka.WithConsumerSaramaBuilder(goka.SaramaConsumerBuilderWithConfig(others)),
					goka.WithTopicManagerBuilder(goka.TopicManagerBuilderWithConfig(others, goka.NewTopicManagerConfig())))
				require.NoError(t, err)
				ctx, cancel := context.WithCancel(t.Context())
				ended := make(chan error, 1)
				go func() { ended <- p.Run(ctx) }()
				return func() error { cancel(); return <-ended }
			}

			producer := &slowProducer{}
			both := make(chan struct{})
			stop := run(producer, func(body string) {
				if body == "does not" {
					close(both)
				}
			})
			<-both
			time.Sleep(100 * time.Millisecond) // commits happen meanwhile
			producer.fail(errors.New("the process ends here"))
			require.Error(t, stop())

			_, err = w.Write(t.Context(), []Event{{Patient: "a", Body: []byte("last")}})
			require.NoError(t, err)
			var again []string
			last := make(chan struct{})
			stop = run(&slowProducer{ack: true}, func(body string) {
				again = append(again, body)
				if body == "last" {
					close(last)
				}
			})
			<-last
			require.NoError(t, stop())
			if lost {
				require.NotContains(t, again, "emits", "goka does better than it did: the wrapper may not be needed any more")
			} else {
				require.Contains(t, again, "emits")
			}
		})
	}
}

func TestOnlyTheContiguousPrefixIsMarked(t *testing.T) {
	var p prefix
	for _, offset := range []int64{3, 4, 7, 8} { // 5 and 6 are no messages
		p.begin(offset)
	}
	steps := []struct {
		finish, next int64
		moved        bool
	}{{4, 0, false}, {8, 0, false}, {99, 0, false}, {5, 0, false}, {3, 5, true}, {3, 0, false}, {7, 9, true}}
	for _, s := range steps {
		next, moved := p.finish(s.finish)
		require.Equal(t, s.moved, moved, "after %d", s.finish)
		require.Equal(t, s.next, next, "after %d", s.finish)
	}
}

func TestThePrefixIsRightInAnyOrder(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var p prefix
	var open []int64
	done := map[int64]bool{}
	marked := int64(0)
	for offset := int64(0); offset < 20_000; offset++ {
		p.begin(offset)
		open = append(open, offset)
		for len(open) > 50 || len(open) > 0 && random.IntN(2) == 0 {
			i := random.IntN(len(open))
			o := open[i]
			open[i] = open[len(open)-1]
			open = open[:len(open)-1]
			done[o] = true
			next, moved := p.finish(o)
			want := marked
			for done[want] {
				want++
			}
			require.Equal(t, want > marked, moved)
			if moved {
				require.Equal(t, want, next)
				marked = want
			}
		}
	}
	require.Less(t, cap(p.pending), 20_000, "what is marked is forgotten")
}

func BenchmarkPrefix(b *testing.B) {
	var p prefix
	for i := range int64(b.N) {
		p.begin(i)
		if i >= 1000 {
			p.finish(i - 1000)
		}
	}
}
