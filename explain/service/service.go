package service

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/IBM/sarama"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/vigil-cds/vigil/explain/archive"
	"github.com/vigil-cds/vigil/explain/replay"
	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/processor"
)

// Config says which log to explain, and how fast.
type Config struct {
	Log processor.Config // brokers, prefix, partitions; filled (processor.Config.Fill)

	Rate        int           // most facts a second; 0: no limit
	Share       float64       // of one core, that it takes at most where live rules run beside it; 0: all of it
	MaxLag      int64         // it pauses while the live rules lag more records than this; 0: 2000
	Batch       int           // most records taken together; 0: 4096
	WindowFacts int           // most facts of one window that a kept explanation holds; 0: 200
	Memory      int64         // bytes of decoded patients kept between batches, of all partitions together; 0: 64 MiB
	Grace       time.Duration // how long a transition may wait for its alert once the engine is past it; 0: 30 s

	MaxDivergenceFiles int // most divergences kept as files; 0: 100
}

func (c Config) withDefaults() Config {
	set := func(p *int, value int) {
		if *p == 0 {
			*p = value
		}
	}
	set(&c.Batch, 4096)
	set(&c.WindowFacts, 200)
	set(&c.MaxDivergenceFiles, 100)
	if c.MaxLag == 0 {
		c.MaxLag = 2000
	}
	if c.Memory == 0 {
		c.Memory = 64 << 20
	}
	if c.Grace == 0 {
		c.Grace = 30 * time.Second
	}
	return c
}

// Deps are what the role works with.
type Deps struct {
	Archive *archive.Archive // closed by the caller, after the service
	Sets    *replay.Sets
	// LiveLag is how many records of the facts log the live rules of this process have yet to apply; nil:
	// there are none here.
	LiveLag func() int64
	// Divergences is the directory under which each divergence of the engine is kept as files that `vigil
	// eval` can run again; "" keeps none.
	Divergences string

	Logger     *slog.Logger          // nil: silent
	Registerer prometheus.Registerer // nil: nothing is measured
}

// Service is the running role. Its methods may be called from any goroutine.
type Service struct {
	config       Config
	topics       processor.Topics
	deps         Deps
	log          *slog.Logger
	metrics      *metricSet
	client       sarama.Client
	explanations *processor.Producer
	pace         *pace
	charts       *replay.Charts

	mu    sync.Mutex
	owned map[int32]*partition // those that this process follows now

	joined bool // the group has been joined at least once; guarded by mu
	cancel context.CancelFunc
	wait   sync.WaitGroup
	once   sync.Once
	err    error
}

// partition is one that is being followed.
type partition struct {
	number  int32
	archive *archive.Partition
	end     atomic.Int64 // one past the last record of the facts log, as far as is known
	caught  atomic.Bool  // it has been at the end of the log
}

// behind is how many records are yet to be followed.
func (p *partition) behind() int64 { return max(0, p.end.Load()-1-p.archive.State().Facts) }

// Start joins the group and begins. The topics must be there (processor.Topics.Ensure). The service goes
// on until Close, also when ctx, which is for the start alone, has ended.
func Start(ctx context.Context, c Config, d Deps) (*Service, error) {
	return start(ctx, c, d, c.Log.Fill().Topics())
}

func start(ctx context.Context, c Config, d Deps, topics processor.Topics) (_ *Service, err error) {
	c.Log = c.Log.Fill()
	c = c.withDefaults()
	s := &Service{config: c, topics: topics, deps: d, log: d.Logger, owned: make(map[int32]*partition)}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	s.pace, s.charts = newPace(c, d.LiveLag), replay.NewCharts(c.Memory)
	running, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	if s.metrics, err = newMetrics(d.Registerer, s); err != nil {
		return nil, err
	}
	config, err := c.Log.ClientConfig("explain-reader")
	if err != nil {
		return nil, err
	}
	config.ChannelBufferSize = 16
	if s.client, err = processor.NewClient(c.Log.Brokers, config); err != nil {
		return nil, fmt.Errorf("starting the explain role: %w: %w", processor.ErrLogUnavailable, err)
	}
	if s.explanations, err = processor.NewProducer(c.Log, "explanations", 0); err != nil {
		return nil, err
	}
	if err := topics.SameLog(ctx, s.client, d.Archive); err != nil {
		return nil, err
	}
	if err := s.countKept(); err != nil {
		return nil, err
	}
	s.wait.Go(func() { s.follow(running) })
	s.wait.Go(func() { s.publish(running, s.explanations) })
	s.wait.Go(func() { s.audit(running) })
	return s, ctx.Err()
}

// countKept counts the divergences of earlier runs, so that the metric does not forget them.
func (s *Service) countKept() error {
	for n := range int32(s.config.Log.Partitions) {
		p, err := s.deps.Archive.Partition(n)
		if err != nil {
			return fmt.Errorf("starting the explain role: %w", err)
		}
		err = p.Divergences(func(d archive.Divergence) error {
			s.metrics.divergence.WithLabelValues(d.Rule).Inc()
			return nil
		})
		if err != nil {
			return fmt.Errorf("starting the explain role: %w", err)
		}
	}
	return nil
}

// Close leaves the group and joins everything that was started. What was not finished is done again at
// the next start.
func (s *Service) Close() error {
	s.once.Do(func() {
		s.cancel()
		s.wait.Wait()
		if s.explanations != nil {
			s.explanations.Close()
		}
		if s.client != nil {
			s.err = s.client.Close()
		}
		s.metrics.close()
	})
	return s.err
}

// partitions are those followed now, by number.
func (s *Service) partitions() []*partition {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []*partition
	for _, p := range s.owned {
		all = append(all, p)
	}
	slices.SortFunc(all, func(x, y *partition) int { return int(x.number - y.number) })
	return all
}

// Status is how the role stands.
type Status struct {
	Ready       bool              `json:"ready"`    // every partition has been followed to what was the end of the log
	Degraded    bool              `json:"degraded"` // the engine and the explanations differ somewhere
	Divergences int64             `json:"divergences"`
	Explained   int64             `json:"explained"` // transitions
	Matched     int64             `json:"matched"`   // of those, with the engine's alerts
	Pending     int64             `json:"pending"`   // not yet matched, either way round
	Expired     int64             `json:"expired"`   // whose alert retention had removed, since the start
	PerSecond   float64           `json:"perSecond"` // facts, lately
	SecondsLeft *float64          `json:"secondsLeft"`
	Paused      string            `json:"paused,omitempty"` // why, when it is pausing
	Partitions  []replay.Progress `json:"partitions"`
}

// Status tells how far the role is, and how the audit stands.
func (s *Service) Status() Status {
	st := Status{PerSecond: s.pace.perSecond(), Paused: s.pace.reason(), Partitions: []replay.Progress{}, Expired: s.metrics.expiredCount.Load()}
	s.mu.Lock()
	st.Ready = s.joined
	s.mu.Unlock()
	var behind int64
	for _, p := range s.partitions() {
		state := p.archive.State()
		progress := replay.Progress{Partition: p.number, Facts: state.Facts, End: p.end.Load() - 1}
		if state.Clock != clinical.Never {
			at := state.Clock.Time()
			progress.Clock = &at
		}
		progress.Pending = s.metrics.pendingOf(p.number)
		st.Ready = st.Ready && p.caught.Load()
		st.Explained += state.Explained
		st.Matched += state.Matched
		st.Pending += progress.Pending
		st.Divergences += p.archive.DivergenceCount()
		behind += p.behind()
		st.Partitions = append(st.Partitions, progress)
	}
	st.Degraded = st.Divergences > 0
	if rate := s.pace.recordsPerSecond(); behind > 0 && rate > 0 {
		left := float64(behind) / rate
		st.SecondsLeft = &left
	}
	return st
}

// Facts is how many facts were explained since the start.
func (s *Service) Facts() int64 { return s.metrics.factCount.Load() }

// Behind is how many records of the log are yet to be explained, as far as is known.
func (s *Service) Behind() int64 {
	var behind int64
	for _, p := range s.partitions() {
		behind += p.behind()
	}
	return behind
}

// Follows says whether this process follows the partition. One that it has given up stays in its archive as
// it was, and is another process's to answer for.
func (s *Service) Follows(partition int32) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.owned[partition] != nil
}

// Ready says whether every partition of this process has been followed to what was the end of the log.
func (s *Service) Ready() bool { return s.Status().Ready }

// Degraded says in words that the audit found divergences; "" when it did not.
func (s *Service) Degraded() string {
	if n := s.Status().Divergences; n > 0 {
		return fmt.Sprintf("%d transitions of the engine differ from the explanations: see the log and the divergences directory", n)
	}
	return ""
}
