package processor

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"github.com/IBM/sarama"
	"github.com/lovoo/goka"
	"github.com/lovoo/goka/storage"
	"golang.org/x/sync/semaphore"

	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/processor/group"
	"github.com/vigil-cds/vigil/store"
)

// rulesRole is the processor that applies the facts log to the state. goka gives it one goroutine for
// each partition that this process owns.
type rulesRole struct {
	config  Config
	topics  Topics
	log     *slog.Logger
	metrics *metricSet
	client  sarama.Client
	alerts  *Producer // to the alerts topic
	control *Producer // ticks and activations, to the facts topic
	now     func() time.Time

	sets       *RuleSets
	newMachine func(partition int32, p *store.Partition, o Observer) (applier, error)
	tables     storage.Builder
	owners     []*owner // by partition

	directory *group.Directory
	copies    sarama.Consumer // reads for all followers together
	moved     chan struct{}   // a partition was taken over or given up
	warming   atomic.Bool
	joined    atomic.Bool         // the group was joined, once
	asked     activity            // records and reads of partitions that are answered for
	recovers  *semaphore.Weighted // partitions that are read from the log at a time
	again     chan struct{}       // takes what asks the group for a new plan
}

func (r *rulesRole) graph() *goka.GroupGraph {
	return goka.DefineGroup(goka.Group(r.topics.RulesGroup),
		goka.Input(goka.Stream(r.topics.Facts.Name), rawCodec{}, r.process),
		goka.Persist(rawCodec{}),
		goka.Output(goka.Stream(r.topics.DeadLetter.Name), rawCodec{}))
}

// process is the goka callback.
func (r *rulesRole) process(ctx goka.Context, message any) {
	o := r.owners[ctx.Partition()]
	r.asked.note()
	value, _ := message.([]byte)
	started := time.Now()
	rec, refused := o.decode(value, ctx.Key())
	var set func([]byte) error
	if rec.Patient != "" {
		set = func(row []byte) error {
			ctx.SetValue(row)
			return nil
		}
	}
	if err := o.machine.Apply(rec, ctx.Offset(), set); err != nil {
		// The data is not to blame: the disk is, or the program. The supervisor starts again from the
		// committed prefix.
		ctx.Fail(fmt.Errorf("applying record %d of partition %d: %w", ctx.Offset(), ctx.Partition(), err))
	}
	r.metrics.apply.Observe(time.Since(started).Seconds())
	if refused != "" {
		r.bury(ctx, rec, refused, "this record of the facts log was not applied", "let nothing but Vigil write to the facts topic", value)
	}
	for _, u := range o.letters {
		r.bury(ctx, rec, reasonUnconvertible, "a value has a unit that input "+u.input+" of pack "+u.pack+" cannot convert",
			"give the input a factor for the unit, or send the value in the input's unit", nil)
	}
	o.letters = o.letters[:0]
}

// reasonUnconvertible is the reason of a dead letter about one fact that one input could not take.
const reasonUnconvertible = "unconvertible-unit"

func (r *rulesRole) bury(ctx goka.Context, rec *clinical.Record, reason, problem, mend string, body []byte) {
	r.metrics.deadLetters.WithLabelValues(reason).Inc()
	l := DeadLetter{Reason: reason, Problem: problem, Mend: mend, Topic: r.topics.Facts.Name, Partition: ctx.Partition(),
		Offset: ctx.Offset(), Recorded: rec.Recorded.String(), Body: body}
	ctx.Emit(goka.Stream(r.topics.DeadLetter.Name), ctx.Key(), l.marshal())
}

// storageOf is goka's storage builder.
func (r *rulesRole) storageOf(ctx context.Context) storage.Builder {
	return func(topic string, partition int32) (storage.Storage, error) {
		if int(partition) >= len(r.owners) {
			return nil, fmt.Errorf("partition %d is not one of %d", partition, len(r.owners))
		}
		table, err := r.tables(topic, partition)
		if err != nil {
			return nil, err
		}
		return &ownedTable{Storage: table, owner: r.owners[partition], ctx: ctx}, nil
	}
}

// ready says whether the group was joined and every partition of this process is at its end.
func (r *rulesRole) ready() bool {
	return r.joined.Load() && !slices.ContainsFunc(r.owners, func(o *owner) bool { return o.claims.Load() && !o.ready() })
}

// lag is how many records the partitions that are answered for have yet to apply, as far as is known.
func (r *rulesRole) lag() (lag int64) {
	for _, o := range r.owners {
		if o.ready() {
			lag += o.lag()
		}
	}
	return lag
}

// live says whether anybody would feel a recovery now, and the lag.
func (r *rulesRole) live() (busy bool, lag int64) {
	lag = r.lag()
	return lag > 0 || r.asked.lately(time.Now()), lag
}

// watch follows the group's sessions.
func (r *rulesRole) watch() sessionWatch {
	return sessionWatch{
		again: r.again,
		started: func(partitions []int32) {
			for _, p := range partitions {
				r.owners[p].claims.Store(true)
			}
			r.joined.Store(true)
			r.directory.Ask()
		},
		ended: func() {
			for _, o := range r.owners {
				if o.ready() {
					o.rest(o.lag())
				}
				o.claims.Store(false)
			}
			r.directory.Ask()
		},
		claimed: func(ctx context.Context, p int32, _ int64, highWater func() int64) error {
			o := r.owners[p]
			o.claimed(highWater)
			select { // until then goka is given nothing of the partition
			case <-*o.caught.Load():
			case <-ctx.Done():
			}
			return nil
		},
	}
}
