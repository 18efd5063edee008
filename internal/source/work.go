package source

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/vigil-cds/vigil/internal/cdc"
	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/internal/fhir"
	"github.com/vigil-cds/vigil/processor"
)

// work is what one fetch brings about, until it counts.
type work struct {
	source  *Source
	step    step
	events  []processor.Event
	letters []kgo.Record
	moved   map[cdc.Lane]bool // partitions that come forward
	changes int               // that were read
	whole   int               // transactions that take effect
}

// read takes one record in.
func (w *work) read(r *kgo.Record, now time.Time) {
	l := cdc.Lane{Topic: r.Topic, Partition: r.Partition}
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
	l := p.Lane()
	w.source.lanes[l].progress.take(p.Offset)
	w.moved[l] = true
}

// done notes that nothing of the transaction is to be read again.
func (w *work) done(t *cdc.Transaction) {
	for _, p := range t.Places() {
		w.taken(p)
	}
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
			effect.Refuse(cdc.TooLarge(t)...)
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
		w.done(t)
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
		w.done(t)
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
		if offsets[l.Topic] == nil {
			offsets[l.Topic] = map[int32]kgo.EpochOffset{}
		}
		offsets[l.Topic][l.Partition] = kgo.EpochOffset{Epoch: -1, Offset: s.lanes[l].progress.next}
	}
	client.CommitOffsets(ctx, offsets, nil) // for those who watch the group: the state is what counts
	return nil
}
