package processor

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/internal/crashpoint"
)

// The media types of an events record's body.
const (
	MediaFHIR    = "application/fhir+json"             // one resource; also the meaning of none stated
	MediaCompact = "application/x-ndjson"              // compact observations of one patient, one a line
	MediaClaim   = "application/vnd.vigil.claim+json"  // where the body is, of which of the other types (package claim)
	MediaBundle  = "application/vnd.vigil.bundle+json" // several resources of one patient that take effect together
)

// The headers of an events record. One that is empty is left out.
const (
	HeaderMedia  = "media"
	HeaderMethod = "method" // PUT (the usual), POST or DELETE
	HeaderType   = "type"   // of a DELETE: the resource's type
	HeaderID     = "id"     // of a DELETE: the resource's id

	// Of a DELETE that a newer version of the resource is not to feel: the version, as FHIR's meta has it.
	HeaderVersionID   = "versionId"
	HeaderLastUpdated = "lastUpdated" // RFC 3339
)

// headerAlert is on each record of the alerts topic: the transition's id, by which a consumer drops
// repeats; headerNumber is its number in the partition's outbox.
const (
	headerAlert  = "id"
	headerNumber = "number"
)

// Event is one entry for the events log, about one patient.
type Event struct {
	Patient  string           // the record's key
	Media    string           // "" means MediaFHIR
	Method   string           // "" means PUT
	Type, ID string           // of what a DELETE deletes
	Version  clinical.Version // of a DELETE: what a newer version states stays; zero: nothing does
	Recorded clinical.Instant // the record's timestamp; 0 means now. Kafka holds none before 1970: an earlier one becomes its first
	Body     []byte           // not to be changed until the write has returned without ctx ending
}

// Writer is the way into the events log. It may be used from any number of goroutines.
type Writer struct {
	topic    Topic
	producer *Producer
	now      func() time.Time
	refused  atomic.Pointer[time.Time] // when the log last did not take a write; nil: it took the last one
}

// Trouble says that the log took no write lately; "" when nothing is known of it.
func (w *Writer) Trouble() string {
	if at := w.refused.Load(); at != nil && w.now().Sub(*at) < refusedTime {
		return "the log acknowledges no writes, which are refused: see that all brokers run and that as many replicas are in sync as the topics ask for"
	}
	return ""
}

// refusedTime is how long a write that was refused says something of the log, when nobody tries again.
const refusedTime = time.Minute

// NewWriter makes a writer to the events log; it connects at the first write.
func NewWriter(c Config) (*Writer, error) {
	c = c.Fill()
	if err := c.Validate(); err != nil {
		return nil, err
	}
	producer, err := NewProducer(c, "writer", 0)
	if err != nil {
		return nil, err
	}
	return &Writer{topic: c.Topics().Events, producer: producer, now: time.Now}, nil
}

// Write appends the events and returns their positions, in the same order, once all are acknowledged.
// The error wraps ErrLogUnavailable when they are not all known to be in the log, which also happens
// when ctx ends first, and ErrTooLarge for an event that will never fit. Events of one patient in one
// call, or in calls that follow each other, keep their order.
func (w *Writer) Write(ctx context.Context, events []Event) ([]Position, error) {
	records := w.records(events)
	if err := w.producer.Write(ctx, records); err != nil {
		if errors.Is(err, ErrLogUnavailable) && !errors.Is(err, context.Canceled) {
			now := w.now()
			w.refused.Store(&now)
		}
		return nil, fmt.Errorf("writing %d events: %w", len(events), err)
	}
	w.refused.Store(nil)
	crashpoint.Pass(crashpoint.AfterLogWrite)
	positions := make([]Position, len(records))
	for i := range records {
		positions[i] = Position{Log: EventsLog, Partition: records[i].Partition, Offset: records[i].Offset}
	}
	return positions, nil
}

// Fits says whether each of the events fits into a record of the log; the error wraps ErrTooLarge.
func (w *Writer) Fits(events []Event) error {
	_, err := w.producer.size(w.records(events))
	return err
}

func (w *Writer) records(events []Event) []kgo.Record {
	records := make([]kgo.Record, len(events))
	now := w.now()
	var headers []kgo.RecordHeader // of the event before, which usually has the same
	for i := range events {
		e := &events[i]
		if i == 0 || !sameHeaders(e, &events[i-1]) {
			headers = e.headers()
		}
		records[i] = kgo.Record{Topic: w.topic.Name, Key: []byte(e.Patient), Value: e.Body, Headers: headers, Timestamp: now}
		if e.Recorded != 0 {
			records[i].Timestamp = max(e.Recorded, 1).Time()
		}
	}
	return records
}

func sameHeaders(a, b *Event) bool {
	return a.Media == b.Media && a.Method == b.Method && a.Type == b.Type && a.ID == b.ID && a.Version == b.Version
}

func (e *Event) headers() []kgo.RecordHeader {
	var headers []kgo.RecordHeader
	version := metaOf(e.Version)
	for _, h := range [...][2]string{{HeaderMedia, e.Media}, {HeaderMethod, e.Method}, {HeaderType, e.Type}, {HeaderID, e.ID},
		{HeaderVersionID, version.VersionID}, {HeaderLastUpdated, version.LastUpdated}} {
		if h[1] != "" {
			headers = append(headers, kgo.RecordHeader{Key: h[0], Value: []byte(h[1])})
		}
	}
	return headers
}

// Close sends what was taken and joins the writer's goroutines. A write after it fails.
func (w *Writer) Close() error {
	w.producer.Close()
	return nil
}
