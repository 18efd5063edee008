package source

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/vigil-cds/vigil/internal/cdc"
	"github.com/vigil-cds/vigil/internal/clinical"
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
	lanes     map[lane]*reading

	cancel context.CancelFunc
	joined sync.WaitGroup
	once   sync.Once
	err    error
}

// reading is how far a partition is read.
type reading struct {
	progress *progress
	seen     int64            // one past the last record; -1 before the first one when nothing is known of the partition
	start    int64            // the first record that the partition had when it was last asked
	end      int64            // one past its last
	last     clinical.Instant // of the latest change that was read
	paused   bool
}

// behind says whether the partition had more than was read.
func (r *reading) behind() bool { return r.end > max(r.start, r.seen) }

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
	s.collector, s.lanes = new(cdc.Collector), map[lane]*reading{}
	s.mu.Unlock()
}

// assigned begins each partition where the state says, whatever the group's offsets say: rows and progress go
// together.
func (s *Source) assigned(_ context.Context, offsets map[string]map[int32]kgo.Offset) (map[string]map[int32]kgo.Offset, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for topic, partitions := range offsets {
		for partition := range partitions {
			l := lane{topic, partition}
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
	w := &work{source: s, step: step, moved: map[lane]bool{}}
	now := time.Now()
	fetches.EachRecord(func(r *kgo.Record) { w.read(r, now) })
	if open, _ := s.collector.Open(); open > 0 || len(w.moved) > 0 {
		if err := s.ask(ctx, client); err != nil {
			return err
		}
	}
	if err := w.transactions(s.collector.Ready(s.known())); err != nil {
		return err
	}
	w.giveUp(now)
	if err := w.transactions(s.collector.Ready(s.known())); err != nil { // that waited for those given up
		return err
	}
	if err := w.finish(ctx, client); err != nil {
		return err
	}
	s.hold(client)
	s.measure()
	return nil
}

// ask finds where each partition ends, after what was read of all.
func (s *Source) ask(ctx context.Context, client *kgo.Client) error {
	topics := map[string]bool{}
	for l := range s.lanes {
		topics[l.topic] = true
	}
	names := slices.Collect(maps.Keys(topics))
	admin := kadm.NewClient(client)
	ends, err := admin.ListEndOffsets(ctx, names...)
	starts := kadm.ListedOffsets{}
	if err == nil {
		starts, err = admin.ListStartOffsets(ctx, names...)
	}
	if err = cmp.Or(err, ends.Error(), starts.Error()); err != nil {
		return fmt.Errorf("finding the ends of the source's topics: %w", err)
	}
	for l, r := range s.lanes {
		if end, ok := ends.Lookup(l.topic, l.partition); ok {
			r.end = end.Offset
		}
		if start, ok := starts.Lookup(l.topic, l.partition); ok {
			r.start = start.Offset
		}
	}
	return nil
}

// known says of a transaction whether everything before it has been read: a parent's row can be in another topic
// than its child's. A partition tells nothing earlier once it was read beyond that time, or to its end.
func (s *Source) known() func(*cdc.Transaction) bool {
	until := s.until()
	return func(t *cdc.Transaction) bool { return t.At() < until }
}

// until is the time of which, and after which, something may still be unread.
func (s *Source) until() clinical.Instant {
	until := clinical.Forever
	for _, r := range s.lanes {
		if r.behind() {
			until = min(until, r.last)
		}
	}
	return until
}

// hold keeps partitions that are ahead of others from filling the memory until the others have come up.
func (s *Source) hold(client *kgo.Client) {
	_, size := s.collector.Open()
	until := s.until()
	for l, r := range s.lanes {
		ahead := size > s.config.OpenBytes/2 && r.last > until
		switch partition := map[string][]int32{l.topic: {l.partition}}; {
		case ahead && !r.paused:
			client.PauseFetchPartitions(partition)
		case !ahead && r.paused:
			client.ResumeFetchPartitions(partition)
		}
		r.paused = ahead
	}
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

// work is what one fetch brings about, until it counts.
type work struct {
	source  *Source
	step    step
	events  []processor.Event
	letters []kgo.Record
	moved   map[lane]bool // partitions that come forward
	changes int           // that were read
	whole   int           // transactions that take effect
}

// read takes one record in.
func (w *work) read(r *kgo.Record, now time.Time) {
	l := lane{r.Topic, r.Partition}
	lane := w.source.lanes[l]
	if lane == nil {
		return
	}
	if lane.seen < 0 {
		lane.seen, lane.progress.next = r.Offset, r.Offset
	}
	if lane.seen < r.Offset {
		lane.progress.advance(lane.seen, r.Offset)
	}
	lane.seen = r.Offset + 1
	if lane.progress.has(r.Offset) {
		return
	}
	place := cdc.Place{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset}
	if r.Attrs.IsControl() { // the end of a transaction of Kafka's own, whose records the fetch has let through
		w.taken(place)
		return
	}
	e, err := cdc.Decode(r.Value)
	switch {
	case err != nil:
		part := cdc.Part{Place: place, Value: r.Value}
		w.letter(cdc.Refusal{Part: &part, Fault: &fhir.Fault{Reason: cdc.ReasonEnvelope, Place: "value", Problem: err.Error(),
			Mend: "have the connector write envelopes as JSON, with op, before, after and source", Status: http.StatusUnprocessableEntity}}, r.Timestamp)
		w.taken(place)
	case e == nil:
		w.taken(place)
	default:
		w.changes++
		part := cdc.Part{Place: place, Change: e, Value: r.Value, Written: clinical.At(r.Timestamp)}
		if e.Op != "" {
			lane.last = max(lane.last, part.At())
		}
		w.source.collector.Add(part, now.UnixNano())
	}
}

func (w *work) taken(p cdc.Place) {
	l := laneOf(p)
	w.source.lanes[l].progress.take(p.Offset)
	w.moved[l] = true
}

// transactions finds what complete transactions state.
func (w *work) transactions(ready []*cdc.Transaction) error {
	for _, t := range ready {
		effect, err := w.source.deps.Mapping.Apply(t, w.step.row, w.source.deps.Decoder)
		if err != nil {
			return err
		}
		events := w.eventsOf(effect)
		if err := w.source.writer.Fits(events); err != nil {
			var all []cdc.Refusal
			for i := range t.Parts {
				all = append(all, cdc.Refusal{Part: &t.Parts[i], Fault: &fhir.Fault{Reason: fhir.TooLarge, Place: "transaction",
					Problem: "what it states about one patient is more than a record of the log can hold", Mend: "commit in smaller transactions"}})
			}
			effect.Refuse(all...)
			events = nil
		}
		for name, row := range effect.Rows {
			if err := w.step.setRow(name, row); err != nil {
				return err
			}
		}
		if len(effect.Refusals) > 0 {
			w.refuse(t, effect.Refusals)
		} else {
			w.whole++
		}
		w.events = append(w.events, events...)
		for _, p := range t.Places() {
			w.taken(p)
		}
	}
	return nil
}

// eventsOf makes one event of all that is stated about a patient. What is about none goes with the first.
func (w *work) eventsOf(e *cdc.Effect) []processor.Event {
	patients := e.Patients
	if i := slices.IndexFunc(patients, func(p cdc.PatientEntries) bool { return p.Patient == "" }); i >= 0 && len(patients) > 1 {
		none := patients[i]
		patients = slices.Delete(slices.Clone(patients), i, i+1)
		patients[0].Entries = append(slices.Clone(none.Entries), patients[0].Entries...)
	}
	var recorded clinical.Instant // the log's own clock
	if w.source.config.Log.Clock == processor.ClockLog {
		recorded = e.Stated
	}
	var events []processor.Event
	for _, p := range patients {
		if p.Patient == "" {
			for _, entry := range p.Entries {
				events = append(events, processor.Event{Media: processor.MediaFHIR, Method: entry.Method, Type: entry.Type, ID: entry.ID,
					Version: entry.Version, Recorded: recorded, Body: entry.Body})
			}
			continue
		}
		events = append(events, processor.Event{Patient: p.Patient, Media: processor.MediaBundle, Method: http.MethodPost, Recorded: recorded, Body: processor.BundleBody(p.Entries)})
	}
	return events
}

// giveUp refuses what has waited too long for its parts, and what is too much to hold.
func (w *work) giveUp(now time.Time) {
	s := w.source
	for {
		t := s.collector.Oldest()
		_, size := s.collector.Open()
		if t == nil || now.UnixNano()-t.Began < int64(s.config.Wait) && size <= s.config.OpenBytes {
			return
		}
		s.collector.Drop(t)
		w.refuse(t, cdc.Incomplete(t))
		for _, p := range t.Places() {
			w.taken(p)
		}
	}
}

// refuse writes a dead letter for every part: those that are in order, too, have not taken effect.
func (w *work) refuse(t *cdc.Transaction, why []cdc.Refusal) {
	for i := range t.Parts {
		p := &t.Parts[i]
		r := cdc.Refusal{Part: p, Fault: &fhir.Fault{Reason: cdc.ReasonTransaction, Place: "transaction",
			Problem: "another change of the same transaction was refused, so that none took effect", Mend: "mend that one and send all again"}}
		if n := slices.IndexFunc(why, func(r cdc.Refusal) bool { return r.Part.Place == p.Place }); n >= 0 {
			r = why[n]
		}
		w.letter(r, p.Change.Version.Updated.Time())
	}
}

func (w *work) letter(r cdc.Refusal, recorded time.Time) {
	w.source.metrics.refused.WithLabelValues(string(r.Fault.Reason)).Inc()
	l := processor.DeadLetter{Reason: string(r.Fault.Reason), Place: r.Fault.Place, Problem: r.Fault.Problem, Mend: r.Fault.Mend,
		Topic: r.Part.Topic, Partition: r.Part.Partition, Offset: r.Part.Offset, Recorded: recorded.UTC().Format(time.RFC3339Nano),
		Media: "application/json", Body: r.Part.Value}
	w.letters = append(w.letters, l.Record(w.source.config.Log.Topics().DeadLetter, nil))
}

// finish writes, commits, and tells the group, in this order.
func (w *work) finish(ctx context.Context, client *kgo.Client) error {
	s := w.source
	if len(w.moved) == 0 {
		return nil
	}
	if len(w.events) > 0 {
		if _, err := s.writer.Write(ctx, w.events); err != nil {
			return err
		}
	}
	if err := s.letters.Write(ctx, w.letters); err != nil {
		return err
	}
	if s.crash != nil {
		s.crash()
	}
	for l := range w.moved {
		if err := w.step.setProgress(l, s.lanes[l].progress); err != nil {
			return err
		}
	}
	if err := w.step.commit(); err != nil {
		return fmt.Errorf("keeping the state of the source: %w", err)
	}
	s.metrics.changes.Add(float64(w.changes))
	s.metrics.transactions.Add(float64(w.whole))
	s.metrics.events.Add(float64(len(w.events)))
	offsets := map[string]map[int32]kgo.EpochOffset{}
	for l := range w.moved {
		if offsets[l.topic] == nil {
			offsets[l.topic] = map[int32]kgo.EpochOffset{}
		}
		offsets[l.topic][l.partition] = kgo.EpochOffset{Epoch: -1, Offset: s.lanes[l].progress.next}
	}
	client.CommitOffsets(ctx, offsets, nil) // for those who watch the group: the state is what counts
	return nil
}
