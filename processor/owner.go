package processor

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/IBM/sarama"
	"github.com/lovoo/goka/storage"

	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/rules"
	"github.com/vigil-cds/vigil/store"
)

// applier is what the rules processor needs of a Machine.
type applier interface {
	Apply(rec *clinical.Record, offset int64, set func(row []byte) error) error
}

// owner is one partition of the facts log as far as this process owns it: its state machine, and what
// runs beside it. It lives as long as the processor; ownership comes and goes with open and close, which
// goka calls in turn.
type owner struct {
	role      *rulesRole
	partition int32
	store     *store.Partition

	machine applier
	sender  *outboxSender
	letters []unconvertible // of the record that is being applied
	stop    context.CancelFunc
	joined  sync.WaitGroup

	mu       sync.Mutex // guards opened, and who of goka and the standbys may write to the partition
	opened   bool
	follower atomic.Pointer[follower] // of a partition that is not owned here

	claims    atomic.Bool                   // the group has given it to this process
	caught    atomic.Pointer[chan struct{}] // closed once the state was at the end of the log; set before claims
	recovery  atomic.Pointer[recovery]      // under way; nil else
	rested    atomic.Pointer[Copy]          // when it last ceased to be ready with its session
	highWater atomic.Pointer[func() int64]  // the log's end as the consumer last heard of it
}

// unconvertible is a fact that an input would have taken but for its unit.
type unconvertible struct{ pack, input string }

// open takes the partition over and returns: beside goka's start the state is brought to the end of the log,
// and then alerts are sent and ticks appended. Records that follow are given to process after that
// (rulesRole.watch), so that no partition waits for another.
func (o *owner) open(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	o.mu.Lock()
	o.unfollowLocked()
	o.opened = true
	o.mu.Unlock()
	machine, err := o.role.newMachine(o.partition, o.store, o.observer())
	if err != nil {
		return fmt.Errorf("opening partition %d: %w", o.partition, err)
	}
	o.machine = machine
	from, end, err := o.span()
	if err != nil {
		return fmt.Errorf("opening partition %d: %w", o.partition, err)
	}
	o.highWater.Store(nil)
	o.sender = nil
	caught := make(chan struct{})
	o.caught.Store(&caught)
	ctx, o.stop = context.WithCancel(ctx)
	sender := &outboxSender{partition: o.partition, store: o.store, topic: o.role.topics.Alerts.Name, producer: o.role.alerts,
		log: o.role.log, sent: func(n int) { o.role.metrics.alerts.Add(float64(n)) }, have: o.role.sentAlerts}
	o.joined.Go(func() {
		if !o.recover(ctx, from, end) {
			return
		}
		o.sender = sender
		close(caught)
		o.joined.Go(func() { o.tick(ctx) })
		sender.run(ctx)
	})
	return nil
}

// ready says whether the partition is processed, from its end on.
func (o *owner) ready() bool {
	if !o.claims.Load() {
		return false
	}
	caught := o.caught.Load()
	select {
	case <-*caught:
		return true
	default:
		return false
	}
}

// close gives the partition up, joins what ran beside it, and sends the last alerts.
func (o *owner) close() {
	o.claims.Store(false)
	if o.stop != nil {
		o.stop()
		o.stop = nil
	}
	o.joined.Wait()
	if o.sender != nil {
		o.sender.drain()
		o.sender = nil
	}
	o.role.metrics.lag.set(o.partition, nil)
	o.mu.Lock()
	o.opened = false
	o.mu.Unlock()
	o.role.stir()
}

// claimed is told where to ask for the log's end.
func (o *owner) claimed(highWater func() int64) {
	o.highWater.Store(&highWater)
	o.role.metrics.lag.set(o.partition, o.lag)
}

// lag is how many records of the log are not yet applied, as far as is known.
func (o *owner) lag() int64 {
	f := o.highWater.Load()
	if f == nil {
		return 0
	}
	return max(0, (*f)()-1-o.store.State().Facts)
}

func (o *owner) observer() Observer {
	m := o.role.metrics
	return Observer{
		Transition: func(t *Transition) { m.transitions.WithLabelValues(t.Rule, t.Kind).Inc() },
		Timers:     func(n int) { m.timers.Add(float64(n)) },
		Unconvertible: func(in *rules.Input, _ string, _ *clinical.Record, _ int64) {
			o.letters = append(o.letters, unconvertible{in.Pack, in.Name})
		},
		RefusedActivation: func(hash string, err error) {
			m.refusedSets.Inc()
			o.role.log.Error("a rule set in the log does not compile here; the one before stays active",
				"partition", o.partition, "ruleSet", hash, "error", err)
		},
	}
}

// ownedTable is the partition's group table as goka sees it. Opening and closing it is taking the
// partition over and giving it up.
type ownedTable struct {
	storage.Storage
	owner *owner
	ctx   context.Context
}

// Open implements storage.Storage.
func (t *ownedTable) Open() error {
	if err := t.Storage.Open(); err != nil {
		return err
	}
	// The rows come from the facts, here. What goka would read of its changelog is what has been, or is about
	// to be, computed from the log.
	end, err := t.owner.role.client.GetOffset(t.owner.role.topics.RulesTable.Name, t.owner.partition, sarama.OffsetNewest)
	if err != nil {
		return fmt.Errorf("finding the end of the rows' changelog: %w: %w", ErrLogUnavailable, err)
	}
	if end > 0 {
		if err := t.Storage.SetOffset(end - 1); err != nil {
			return err
		}
	}
	return t.owner.open(t.ctx)
}

// Close implements storage.Storage.
func (t *ownedTable) Close() error {
	t.owner.close()
	return t.Storage.Close()
}

// discard is a logger for those who want none.
var discard = slog.New(slog.DiscardHandler)
