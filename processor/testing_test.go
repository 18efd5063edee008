package processor

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"

	"github.com/vigil-cds/vigil/internal/broker"
	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/store"
)

// Of sarama's goroutines two are let pass. Its dry run of a fetch request has no registry and falls back on
// a global one, whose meters start one goroutine for the whole process. And a client that is closed while
// it connects to a broker now and then leaves the reader of that connection behind.
func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		goleak.IgnoreTopFunction("github.com/rcrowley/go-metrics.(*meterArbiter).tick"),
		goleak.IgnoreTopFunction("github.com/IBM/sarama.(*Broker).responseReceiver"))
}

// newBroker starts an embedded broker that ends with the test.
func newBroker(t testing.TB, dir string) *broker.Broker {
	t.Helper()
	b, err := broker.Start(dir, broker.Options{NoSync: true})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, b.Close()) })
	return b
}

func testConfig(b *broker.Broker) Config {
	return Config{Brokers: []string{b.Addr()}, Partitions: 2, RestartDelay: 10 * time.Millisecond}.Fill()
}

func withTopics(t testing.TB, c Config) Topics {
	t.Helper()
	require.NoError(t, c.Topics().Ensure(t.Context(), c))
	return c.Topics()
}

func newStore(t testing.TB) *store.Store {
	t.Helper()
	s, err := store.Open(t.TempDir(), store.Options{Memory: store.MinMemory})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

func newTestWriter(t testing.TB, c Config) *Writer {
	t.Helper()
	w, err := NewWriter(c)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, w.Close()) })
	return w
}

// newTestProducer is one that ends with the test, if it was not closed before.
func newTestProducer(t testing.TB, c Config) *Producer {
	t.Helper()
	p, err := NewProducer(c, "test", 0)
	require.NoError(t, err)
	t.Cleanup(p.Close)
	return p
}

// readAll reads a topic, all partitions, until n records have come.
func readAll(t testing.TB, c Config, topic string, n int) []*sarama.ConsumerMessage {
	t.Helper()
	config, err := c.clientConfig("test")
	require.NoError(t, err)
	consumer, err := sarama.NewConsumer(c.Brokers, config)
	require.NoError(t, err)
	defer func() { require.NoError(t, consumer.Close()) }()
	partitions, err := consumer.Partitions(topic)
	require.NoError(t, err)
	all := make(chan *sarama.ConsumerMessage)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	var joined sync.WaitGroup
	defer joined.Wait()
	defer cancel()
	for _, p := range partitions {
		pc, err := consumer.ConsumePartition(topic, p, sarama.OffsetOldest)
		require.NoError(t, err)
		joined.Go(func() {
			defer pc.Close()
			for {
				select {
				case m := <-pc.Messages():
					select {
					case all <- m:
					case <-ctx.Done():
						return
					}
				case <-ctx.Done():
					return
				}
			}
		})
	}
	var got []*sarama.ConsumerMessage
	for len(got) < n {
		select {
		case m := <-all:
			got = append(got, m)
		case <-ctx.Done():
			t.Fatalf("%s: %d of %d records came", topic, len(got), n)
		}
	}
	return got
}

// applied is one call of a recorder's Apply.
type applied struct {
	partition int32
	offset    int64
	record    *clinical.Record
	again     bool // at or below the position
	replay    bool // no table to set a row in
}

// recorder stands in for the machines of all partitions: it keeps the position in the store as a Machine
// does, and remembers what it was given.
type recorder struct {
	mu      sync.Mutex
	applied []applied
	fail    func(applied) error
}

func (r *recorder) machine(partition int32, p *store.Partition, _ Observer) (applier, error) {
	return &recordingMachine{r, partition, p}, nil
}

func (r *recorder) all() []applied {
	r.mu.Lock()
	defer r.mu.Unlock()
	return append([]applied(nil), r.applied...)
}

// await waits until the recorder was given what is asked for.
func (r *recorder) await(t testing.TB, what string, enough func([]applied) bool) []applied {
	t.Helper()
	var got []applied
	require.Eventually(t, func() bool { got = r.all(); return enough(got) }, 10*time.Second, 5*time.Millisecond, what)
	return got
}

type recordingMachine struct {
	to        *recorder
	partition int32
	p         *store.Partition
}

func (m *recordingMachine) Apply(rec *clinical.Record, offset int64, set func([]byte) error) error {
	state := m.p.State()
	a := applied{m.partition, offset, rec, offset <= state.Facts, set == nil}
	if m.to.fail != nil {
		if err := m.to.fail(a); err != nil {
			return err
		}
	}
	if !a.again {
		b := m.p.Begin()
		defer b.Discard()
		state.Facts, state.Events, state.Clock = offset, max(state.Events, rec.EventOffset), max(state.Clock, rec.Recorded)
		b.SetState(state)
		if err := b.Commit(); err != nil {
			return err
		}
	}
	if set != nil {
		if err := set([]byte("row of " + rec.Patient)); err != nil {
			return err
		}
	}
	m.to.mu.Lock()
	m.to.applied = append(m.to.applied, a)
	m.to.mu.Unlock()
	return nil
}

// records are those of a topic with the keys and values of pairs.
func records(topic string, pairs ...string) (all []kgo.Record) {
	for i := 0; i < len(pairs); i += 2 {
		all = append(all, kgo.Record{Topic: topic, Key: []byte(pairs[i]), Value: []byte(pairs[i+1])})
	}
	return all
}
