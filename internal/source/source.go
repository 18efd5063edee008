package source

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/vigil-cds/vigil/internal/cdc"
	"github.com/vigil-cds/vigil/internal/fhir"
	"github.com/vigil-cds/vigil/processor"
)

// Config says what is read.
type Config struct {
	Log       processor.Config // where the topics are, and the events log
	Topics    []string         // of envelopes, and of the ends of transactions
	Wait      time.Duration    // how long a transaction may wait for its parts
	OpenBytes int64            // of the transactions that wait, at most
	Dir       string           // of the state, which belongs to one process at a time
}

// Deps are what the role works with.
type Deps struct {
	Mapping    *cdc.Mapping
	Decoder    *fhir.Decoder
	Logger     *slog.Logger
	Registerer prometheus.Registerer // nil measures nothing
	Fatal      func(error)           // called when the disk fails; see disk.Watch
}

// Source is the role, running.
type Source struct {
	config  Config
	deps    Deps
	log     *slog.Logger
	metrics *metricSet
	state   *state
	writer  *processor.Writer
	letters *processor.Producer
	taken   atomic.Uint64
	crash   func() // for tests: between the write of events and the commit

	mu        sync.Mutex // what an assignment of partitions changes
	collector *cdc.Collector
	lanes     map[cdc.Lane]*reading

	cancel context.CancelFunc
	joined sync.WaitGroup
	once   sync.Once
	err    error
}

const (
	pollRecords = 10_000
	pollTime    = 500 * time.Millisecond
	again       = 2 * time.Second // after which a failed session is begun anew
)

// Start begins to read. The topics of Vigil must be there; those of envelopes may come later. Close ends it.
func Start(c Config, d Deps) (*Source, error) {
	c.Log = c.Log.Fill()
	s := &Source{config: c, deps: d, log: d.Logger}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if err := s.open(); err != nil {
		return nil, errors.Join(fmt.Errorf("starting the source role: %w", err), s.close())
	}
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	s.joined.Go(func() { s.run(ctx) })
	return s, nil
}

func (s *Source) open() (err error) {
	if s.metrics, err = newMetrics(s.deps.Registerer); err != nil {
		return err
	}
	if s.state, err = openState(s.config.Dir, s.log, s.deps.Fatal); err != nil {
		return err
	}
	taken, err := s.state.taken()
	if err != nil {
		return err
	}
	s.taken.Store(taken)
	if s.writer, err = processor.NewWriter(s.config.Log); err != nil {
		return err
	}
	s.letters, err = processor.NewProducer(s.config.Log, "source-letters", 0)
	return err
}

// Close ends the reading and joins everything that was started. What was not finished is done at the next start.
func (s *Source) Close() error {
	s.once.Do(func() {
		s.cancel()
		s.joined.Wait()
		s.err = s.close()
	})
	return s.err
}

func (s *Source) close() error {
	var faults []error
	if s.writer != nil {
		faults = append(faults, s.writer.Close())
	}
	if s.letters != nil {
		s.letters.Close()
	}
	if s.state != nil {
		faults = append(faults, s.state.close())
	}
	if s.metrics != nil {
		s.metrics.close()
	}
	return errors.Join(faults...)
}

// run reads, and begins anew from what was committed when anything fails.
func (s *Source) run(ctx context.Context) {
	for ctx.Err() == nil {
		err := s.session(ctx)
		if ctx.Err() != nil {
			return
		}
		s.log.Warn("the source's topics could not be read; beginning again", "error", err)
		select {
		case <-ctx.Done():
		case <-time.After(again):
		}
	}
}

func (s *Source) session(ctx context.Context) error {
	s.reset()
	client, err := s.client()
	if err != nil {
		return err
	}
	defer client.CloseAllowingRebalance()
	for ctx.Err() == nil {
		poll, cancel := context.WithTimeout(ctx, pollTime)
		fetches := client.PollRecords(poll, pollRecords)
		cancel()
		err := s.take(ctx, client, fetches)
		client.AllowRebalance()
		if err != nil {
			return err
		}
	}
	return nil
}

func (s *Source) client() (*kgo.Client, error) {
	c := &s.config.Log
	options := append(c.Channel.Options(),
		kgo.SeedBrokers(c.Brokers...),
		kgo.ClientID(c.Prefix+"source"),
		kgo.ConsumerGroup(c.Prefix+"source"),
		kgo.ConsumeTopics(s.config.Topics...),
		kgo.Balancers(oneReader{s.taken.Load}),
		kgo.AdjustFetchOffsetsFn(s.assigned),
		kgo.OnPartitionsRevoked(func(context.Context, *kgo.Client, map[string][]int32) { s.reset() }),
		kgo.OnPartitionsLost(func(context.Context, *kgo.Client, map[string][]int32) { s.reset() }),
		kgo.BlockRebalanceOnPoll(),
		kgo.DisableAutoCommit(),
		kgo.SessionTimeout(c.SessionTimeout),
		kgo.HeartbeatInterval(min(c.SessionTimeout/4, 500*time.Millisecond)),
		kgo.RebalanceTimeout(c.SessionTimeout), // who was killed is waited for no longer
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.KeepControlRecords(), // which can be the last of a partition
	)
	if c.InstanceID != "" {
		options = append(options, kgo.InstanceID(c.InstanceID+"-source"))
	}
	client, err := kgo.NewClient(options...)
	if err != nil {
		return nil, fmt.Errorf("configuring the Kafka client of the source role: %w", err)
	}
	return client, nil
}

// reset forgets what was read and not taken: whoever reads on begins there.
func (s *Source) reset() {
	s.mu.Lock()
	s.collector, s.lanes = new(cdc.Collector), map[cdc.Lane]*reading{}
	s.mu.Unlock()
}

// assigned begins each partition where the state says, whatever the group's offsets say: rows and progress go
// together.
func (s *Source) assigned(_ context.Context, offsets map[string]map[int32]kgo.Offset) (map[string]map[int32]kgo.Offset, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for topic, partitions := range offsets {
		for partition := range partitions {
			l := cdc.Lane{Topic: topic, Partition: partition}
			p, err := s.state.progress(l)
			if err != nil {
				return nil, err
			}
			r := &reading{progress: p, seen: -1}
			partitions[partition] = kgo.NewOffset().AtStart()
			if p != nil {
				r.seen = p.next
				partitions[partition] = kgo.NewOffset().At(p.next)
			} else {
				r.progress = new(progress)
			}
			s.lanes[l] = r
		}
	}
	return offsets, nil
}

// take brings what was fetched into transactions, and those that can be taken into the log.
func (s *Source) take(ctx context.Context, client *kgo.Client, fetches kgo.Fetches) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range fetches.Errors() {
		if !errors.Is(e.Err, context.DeadlineExceeded) && !errors.Is(e.Err, context.Canceled) {
			return fmt.Errorf("reading %s: %w", e.Topic, e.Err)
		}
	}
	step := s.state.begin()
	defer step.discard()
	w := &work{source: s, step: step, moved: map[cdc.Lane]bool{}}
	now := time.Now()
	fetches.EachRecord(func(r *kgo.Record) { w.read(r, now) })
	if open, _ := s.collector.Open(); open > 0 || len(w.moved) > 0 {
		if err := s.ask(ctx, client); err != nil {
			return err
		}
	}
	known := s.known()
	if err := w.transactions(s.collector.Ready(known)); err != nil {
		return err
	}
	w.giveUp(now)
	if err := w.transactions(s.collector.Ready(known)); err != nil { // that waited for those given up
		return err
	}
	if err := w.finish(ctx, client); err != nil {
		return err
	}
	s.hold(client)
	s.measure()
	return nil
}

func (s *Source) measure() {
	open, size := s.collector.Open()
	s.metrics.open.Set(float64(open))
	s.metrics.openBytes.Set(float64(size))
	lag, taken := int64(0), uint64(0)
	for _, r := range s.lanes {
		lag += max(0, r.end-r.progress.next-int64(len(r.progress.taken)))
		taken += uint64(r.progress.next)
	}
	s.metrics.lag.Set(float64(lag))
	s.taken.Store(max(taken, s.taken.Load()))
}
