package processor

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/IBM/sarama"
	"github.com/lovoo/goka"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/semaphore"

	"github.com/vigil-cds/vigil/internal/claim"
	"github.com/vigil-cds/vigil/internal/fhir"
	"github.com/vigil-cds/vigil/processor/group"
	"github.com/vigil-cds/vigil/rules"
	"github.com/vigil-cds/vigil/store"
)

// ErrNotReady is returned by WaitReady, with the context's error.
var ErrNotReady = errors.New("the processors are not ready")

// Deps are what a Processor works with.
type Deps struct {
	Store   *store.Store  // RoleRules; closed by the caller, after the processor
	Sets    *RuleSets     // RoleRules
	RuleSet *rules.Set    // activated at the start where another one is active; nil leaves it
	Decoder *fhir.Decoder // RoleIntake

	// Medications is filled by RoleIntake, for the Decoder's Options.Medication to look into; nil: the
	// Decoder looks into none.
	Medications *Medications

	Claims *claim.Store // RoleIntake: from where it fetches what events only point to; nil: nowhere

	Logger     *slog.Logger          // nil: silent
	Registerer prometheus.Registerer // nil: nothing is measured
}

func (d Deps) validate(c Config) error {
	var faults []error
	if slices.Contains(c.Roles, RoleIntake) && d.Decoder == nil {
		faults = append(faults, errors.New("role intake needs Deps.Decoder"))
	}
	if slices.Contains(c.Roles, RoleRules) && (d.Store == nil || d.Sets == nil) {
		faults = append(faults, errors.New("role rules needs Deps.Store and Deps.Sets"))
	}
	return errors.Join(faults...)
}

// Processor runs the roles of one process. Its methods may be called from any goroutine.
type Processor struct {
	config  Config
	topics  Topics
	log     *slog.Logger
	metrics *metricSet
	client  sarama.Client
	readers []sarama.Consumer
	rules   *rulesRole
	rekey   *Producer

	intakeReady atomic.Bool

	cancel context.CancelFunc
	joined sync.WaitGroup
	once   sync.Once
	err    error
}

// Start checks or creates the topics, activates Deps.RuleSet, and starts the roles. It returns before
// they are ready (WaitReady). The processors go on until Close, also when ctx, which is for the start
// alone, has ended. Errors: every fault of the configuration, ErrTopicMismatch, ErrLogUnavailable, and
// the faults of a rule set that does not compile.
func Start(ctx context.Context, c Config, d Deps) (*Processor, error) {
	return start(ctx, c, d, func(partition int32, p *store.Partition, o Observer) (applier, error) {
		return NewMachine(partition, p, d.Sets, o)
	})
}

func start(ctx context.Context, c Config, d Deps, newMachine func(int32, *store.Partition, Observer) (applier, error)) (_ *Processor, err error) {
	c = c.Fill()
	if err := errors.Join(c.Validate(), d.validate(c)); err != nil {
		return nil, fmt.Errorf("starting the processors: %w", err)
	}
	p := &Processor{config: c, topics: c.Topics(), log: d.Logger}
	if p.log == nil {
		p.log = discard
	}
	if err := p.topics.Ensure(ctx, c); err != nil {
		return nil, err
	}
	if p.metrics, err = newMetrics(d.Registerer); err != nil {
		return nil, err
	}
	running, cancel := context.WithCancel(context.Background())
	p.cancel = cancel
	defer func() {
		if err != nil {
			err = errors.Join(err, p.Close())
		}
	}()
	config, err := c.clientConfig("reader")
	if err != nil {
		return nil, err
	}
	if p.client, err = NewClient(c.Brokers, config); err != nil {
		return nil, fmt.Errorf("starting the processors: %w: %w", ErrLogUnavailable, err)
	}
	if err := p.topics.checkKeys(ctx, c, p.client); err != nil {
		return nil, err
	}
	if slices.Contains(c.Roles, RoleRules) {
		if err := p.topics.SameLog(ctx, p.client, d.Store); err != nil {
			return nil, err
		}
		if err := p.prepareRules(d, newMachine); err != nil {
			return nil, err
		}
		if d.RuleSet != nil {
			if err := p.Activate(ctx, d.RuleSet); err != nil {
				return nil, err
			}
		}
		if err := p.metrics.register(newPartitionCollector(p.Partitions)); err != nil {
			return nil, err
		}
		p.joined.Go(func() { p.rules.directory.Run(running) })
		p.joined.Go(func() { p.rules.standbys(running) })
		warm := func() []int32 { return p.rules.warmUp(running) }
		p.supervise(running, RoleRules, p.rules.graph(), p.rules.watch(), warm, goka.WithStorageBuilder(p.rules.storageOf(running)))
	}
	if slices.Contains(c.Roles, RoleIntake) {
		in, err := p.prepareIntake(d)
		if err != nil {
			return nil, err
		}
		later, err := in.learnMedications(ctx)
		if err != nil {
			return nil, fmt.Errorf("starting the processors: %w", err)
		}
		p.joined.Go(func() { in.medications.follow(running, later) })
		watch := sessionWatch{
			started: func([]int32) { p.intakeReady.Store(true) },
			claimed: func(ctx context.Context, partition int32, committed int64, _ func() int64) error {
				return in.resume(ctx, partition, committed)
			},
		}
		p.supervise(running, RoleIntake, in.graph(), watch, func() []int32 { return nil })
	}
	return p, nil
}

// rosterEvery is how often it is looked who has which partition, besides whenever that is known to change.
const rosterEvery = time.Second

// prepareRules makes what the rules role needs beside goka.
func (p *Processor) prepareRules(d Deps, newMachine func(int32, *store.Partition, Observer) (applier, error)) error {
	c := p.config
	control, err := NewProducer(c, "control", 0)
	if err != nil {
		return err
	}
	alerts, err := NewProducer(c, "alerts", 0)
	if err != nil {
		control.Close()
		return err
	}
	copies, err := p.reader()
	if err != nil {
		return err
	}
	r := &rulesRole{config: c, copies: copies, topics: p.topics, log: p.log, metrics: p.metrics, now: time.Now, sets: d.Sets,
		client: p.client, newMachine: newMachine, tables: d.Store.GokaStorage(nil),
		control: control, alerts: alerts,
		directory: group.NewDirectory(p.client, p.topics.RulesGroup, rosterEvery), moved: make(chan struct{}, 1), again: make(chan struct{}),
		recovers: semaphore.NewWeighted(int64(runtime.GOMAXPROCS(0)))}
	p.rules = r
	for n := range int32(c.Partitions) {
		part, err := d.Store.Partition(n)
		if err != nil {
			return fmt.Errorf("starting the rules processor: %w", err)
		}
		r.owners = append(r.owners, &owner{role: r, partition: n, store: part})
	}
	return nil
}

// prepareIntake makes what the intake role needs beside goka.
func (p *Processor) prepareIntake(d Deps) (*intake, error) {
	consumer, err := p.reader()
	if err != nil {
		return nil, err
	}
	if p.rekey, err = NewProducer(p.config, "rekey", p.config.Linger); err != nil {
		return nil, err
	}
	if d.Medications == nil {
		d.Medications = NewMedications()
	}
	return &intake{config: p.config, claims: d.Claims, topics: p.topics, decoder: d.Decoder, medications: d.Medications, metrics: p.metrics, rekey: p.rekey, now: time.Now,
		client: p.client, consumer: consumer, written: make([]atomic.Pointer[offsetSet], p.config.Partitions)}, nil
}

// reader makes a consumer of single partitions. It has connections of its own: what it waits for would
// hold up other questions on the same.
func (p *Processor) reader() (sarama.Consumer, error) {
	config, err := p.config.clientConfig("follower")
	if err != nil {
		return nil, err
	}
	consumer, err := sarama.NewConsumer(p.config.Brokers, config)
	if err != nil {
		return nil, fmt.Errorf("starting the processors: %w: %w", ErrLogUnavailable, err)
	}
	p.readers = append(p.readers, consumer)
	return consumer, nil
}

// supervise runs one role until the processor is closed. warm is called before the group is joined, and
// says for which partitions this process then is.
func (p *Processor) supervise(ctx context.Context, role string, graph *goka.GroupGraph, watch sessionWatch, warm func() []int32, more ...goka.ProcessorOption) {
	// goka's builders write into what they are given, and a role that is started again must not share
	// with its predecessor: every attempt makes its own.
	build := func() (*goka.Processor, error) {
		var configs [3]*sarama.Config
		for i := range configs {
			var err error
			if configs[i], err = p.config.clientConfig(role); err != nil {
				return nil, err
			}
		}
		configs[0].Consumer.Group.Member.UserData = group.Card(p.config.member(), warm())
		tables := goka.NewTopicManagerConfig()
		tables.Table.Replication, tables.Stream.Replication = p.config.Replication, p.config.Replication
		tables.NoCreate, tables.MismatchBehavior = true, goka.TMConfigMismatchBehaviorFail
		options := append([]goka.ProcessorOption{
			goka.WithClientID(p.config.Prefix + role),
			goka.WithLogger(silent),
			goka.WithPartitionChannelSize(channelSize),
			goka.WithNilHandling(goka.NilProcess),
			goka.WithConsumerGroupBuilder(orderedGroup(configs[0], watch)),
			goka.WithConsumerSaramaBuilder(goka.SaramaConsumerBuilderWithConfig(configs[1])),
			goka.WithProducerBuilder(producerBuilder(p.config, role)),
			goka.WithTopicManagerBuilder(goka.TopicManagerBuilderWithConfig(configs[2], tables)),
		}, more...)
		return goka.NewProcessor(p.config.Brokers, graph, options...)
	}
	p.joined.Go(func() { supervise(ctx, role, p.log, p.metrics, p.config.RestartDelay, build) })
}

// Ready says whether this process owns the partition, has its state at what was the end of the log when
// it took it over, and goes on from there. It needs RoleRules.
func (p *Processor) Ready(partition int32) bool {
	return p.rules != nil && partition >= 0 && int(partition) < len(p.rules.owners) && p.rules.owners[partition].ready()
}

// Directory says who owns which partition; nil without RoleRules.
func (p *Processor) Directory() *group.Directory {
	if p.rules == nil {
		return nil
	}
	return p.rules.directory
}

// AllReady says whether every role of this process runs, and every partition that it was given is at its
// end. Once it was, the moments in which the group shares its partitions anew do not count: copies answer.
func (p *Processor) AllReady() bool {
	if slices.Contains(p.config.Roles, RoleIntake) && !p.intakeReady.Load() {
		return false
	}
	return p.rules == nil || p.rules.ready()
}

// Trouble says why this process, though it answers, does not go on; "" when nothing is known of it.
func (p *Processor) Trouble() string {
	if p.rules == nil {
		return ""
	}
	if answers, since := p.rules.directory.Reached(); !answers {
		return fmt.Sprintf("since %s no broker coordinates group %s: nothing new is processed, and reads are answered as of then; see that all brokers run",
			since.UTC().Format(time.RFC3339), p.topics.RulesGroup)
	}
	return ""
}

// Lag is how many records of the facts log this process has yet to apply, as far as it knows: of all
// partitions that it owns together.
func (p *Processor) Lag() int64 {
	if p.rules == nil {
		return 0
	}
	return p.rules.lag()
}

// WaitReady returns when AllReady is true, or ErrNotReady when ctx ends first.
func (p *Processor) WaitReady(ctx context.Context) error {
	poll := time.NewTicker(10 * time.Millisecond)
	defer poll.Stop()
	for !p.AllReady() {
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", ErrNotReady, context.Cause(ctx))
		case <-poll.C:
		}
	}
	return nil
}

// Close stops the processors, joins everything they started, and closes the producers. What was not
// finished is processed again at the next start.
func (p *Processor) Close() error {
	p.once.Do(func() {
		p.cancel()
		p.joined.Wait()
		if p.rekey != nil {
			p.rekey.Close()
		}
		var faults []error
		if r := p.rules; r != nil {
			r.control.Close()
			r.alerts.Close()
		}
		for _, r := range p.readers {
			faults = append(faults, r.Close())
		}
		if p.client != nil {
			faults = append(faults, p.client.Close())
		}
		p.metrics.close()
		if err := errors.Join(faults...); err != nil {
			p.err = fmt.Errorf("closing the processors: %w", err)
		}
	})
	return p.err
}
