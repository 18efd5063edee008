package processor

import (
	"bytes"
	"encoding/json"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/IBM/sarama"
	"github.com/lovoo/goka"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/vigil-cds/vigil/internal/claim"
	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/internal/fhir"
)

// intake turns each record of the events log into exactly one record of the facts log, so that a place
// in one can be waited for in the other. What it does with an event depends on the event alone, on whether
// its record is there already, and on the Medications that came before. What is bad goes to dead-letter and
// the rest goes on.
type intake struct {
	config      Config
	topics      Topics
	decoder     *fhir.Decoder
	claims      *claim.Store
	medications *Medications
	metrics     *metricSet
	rekey       *Producer // puts events back under their right key
	now         func() time.Time

	client   sarama.Client
	consumer sarama.Consumer
	written  []atomic.Pointer[offsetSet] // by partition: events whose facts record a killed process wrote
}

func (in *intake) graph() *goka.GroupGraph {
	return goka.DefineGroup(goka.Group(in.topics.IntakeGroup),
		goka.Input(goka.Stream(in.topics.Events.Name), rawCodec{}, in.process),
		goka.Output(goka.Stream(in.topics.Facts.Name), recordCodec{}),
		goka.Output(goka.Stream(in.topics.Medications.Name), rawCodec{}),
		goka.Output(goka.Stream(in.topics.DeadLetter.Name), rawCodec{}))
}

// process is the goka callback.
func (in *intake) process(ctx goka.Context, message any) {
	body, _ := message.([]byte)
	headers := ctx.Headers()
	e := &event{
		in: in, key: ctx.Key(), media: string(headers[HeaderMedia]), method: string(headers[HeaderMethod]),
		kind: string(headers[HeaderType]), id: string(headers[HeaderID]), body: body,
		meta: meta{VersionID: string(headers[HeaderVersionID]), LastUpdated: string(headers[HeaderLastUpdated])},
		source: source{topic: in.topics.Events.Name, partition: ctx.Partition(), offset: ctx.Offset(),
			recorded: in.recorded(ctx.Timestamp()), media: string(headers[HeaderMedia])},
	}
	e.record.Recorded, e.record.EventOffset = e.source.recorded, ctx.Offset()
	e.here = legalKey(e.key) && Partition(e.key, in.config.Partitions) == ctx.Partition()
	if e.media == MediaClaim {
		e.redeem(ctx)
	} else {
		e.read()
	}
	for _, m := range e.medications {
		ctx.Emit(goka.Stream(in.topics.Medications.Name), m.reference, m.marshal())
	}
	if in.done(ctx.Partition(), ctx.Offset()) { // which says nothing of its medications: they are written again
		return
	}
	if len(e.record.Assertions) > 0 {
		e.record.Refusal = ""
	}

	key := controlKey(ctx.Partition()) // what is not about this key's patient must still be in this partition
	if e.here {
		key, e.record.Patient = e.key, e.key
	}
	ctx.Emit(goka.Stream(in.topics.Facts.Name), key, &e.record)
	for i := range e.letters {
		in.metrics.deadLetters.WithLabelValues(e.letters[i].Reason).Inc()
		ctx.Emit(goka.Stream(in.topics.DeadLetter.Name), e.key, e.letters[i].marshal())
	}
	if len(e.elsewhere) > 0 {
		in.rekey.send(ctx.Context(), e.elsewhere, ctx.DeferCommit())
	}
	in.metrics.facts.Add(float64(e.facts))
}

// recorded is the instant at which the log learned of an event. A producer whose clock is ahead cannot
// push the partition's clock into the future.
func (in *intake) recorded(stamp time.Time) clinical.Instant {
	if !in.config.wall() {
		return clinical.At(stamp)
	}
	now := in.now()
	if latest := now.Add(in.config.Skew); stamp.After(latest) {
		return clinical.At(latest)
	}
	if stamp.UnixMilli() <= 0 { // none was given
		return clinical.At(now)
	}
	return clinical.At(stamp)
}

// legalKey says whether a key can be a patient's id as far as the log cares. The decoder is stricter.
func legalKey(key string) bool {
	for i := range len(key) {
		if key[i] < ' ' || key[i] == 0x7f {
			return false
		}
	}
	return key != ""
}

// event is one events record on its way to a facts record.
type event struct {
	in                           *intake
	key, media, method, kind, id string
	meta                         meta // of what a DELETE deletes
	body                         []byte
	source                       source
	here                         bool // the key is a patient's, and this is that patient's partition

	claim []byte // the body as it came, when it only pointed to what is in body now

	record      clinical.Record
	facts       int
	medications []namedMedication
	letters     []DeadLetter
	elsewhere   []kgo.Record // what is about other patients, under their keys
}

func (e *event) read() {
	switch e.method {
	case "", http.MethodPut, http.MethodPost:
	case http.MethodDelete:
		e.remove(e.kind, e.id, e.meta)
		return
	default:
		e.refuse(&fhir.Fault{Reason: ReasonUnknownMethod, Problem: "the method header is none that intake knows",
			Mend: "send PUT, POST or DELETE"}, e.body, "other")
		return
	}
	switch media, _, _ := strings.Cut(e.media, ";"); media {
	case "", MediaFHIR, "application/json":
		e.resource(e.body)
	case MediaCompact:
		e.compact()
	case MediaBundle:
		e.bundle()
	default:
		e.refuse(&fhir.Fault{Reason: ReasonUnknownMedia, Problem: "the media header names no type that intake reads",
			Mend: "send " + MediaFHIR + ", " + MediaCompact + " or " + MediaBundle}, e.body, "other")
	}
}

// resource takes one FHIR resource.
func (e *event) resource(body []byte) {
	m, err := e.in.decoder.Resource(body)
	kind := m.Type
	if kind == "" {
		kind = "other"
	}
	if err != nil {
		e.refuse(err, body, kind)
		return
	}
	if kind == medicationType {
		e.medication(m.Assertion.Resource, m.Assertion.Version, fhir.MedicationCodes(body))
	}
	if m.Patient == "" {
		e.in.metrics.count(kind, m.Counted, 1)
		return
	}
	if !e.about(m.Patient) {
		e.move(Event{Patient: m.Patient, Media: MediaFHIR, Body: body}, kind)
		return
	}
	m.DateUndated(e.source.recorded)
	e.take(m.Assertion, kind, m.Counted)
}

// compact takes compact observations, one a line.
func (e *event) compact() {
	taken := 0
	for line := range bytes.SplitSeq(e.body, []byte{'\n'}) {
		if line = bytes.TrimSpace(line); len(line) == 0 {
			continue
		}
		patient, assertion, err := e.in.decoder.Compact(line)
		switch {
		case err != nil:
			e.refuse(err, line, typeCompact)
		case !e.about(patient):
			e.move(Event{Patient: patient, Media: MediaCompact, Body: line}, typeCompact)
		default:
			e.record.Assertions = append(e.record.Assertions, assertion)
			e.facts += len(assertion.Facts)
			taken++
		}
	}
	if taken > 0 {
		e.in.metrics.compactTaken.Add(float64(taken))
	}
}

// bundle takes several resources that take effect together: an array as BundleBody writes it, or a FHIR
// Bundle.
func (e *event) bundle() {
	if trimmed := bytes.TrimSpace(e.body); len(trimmed) > 0 && trimmed[0] == '{' {
		b, err := e.in.decoder.Bundle(e.body)
		if err != nil {
			e.refuse(err, e.body, "Bundle")
			return
		}
		for i := range b.Entries {
			entry := &b.Entries[i]
			switch {
			case entry.Err != nil:
				e.refuse(entry.Err, entry.Body, "Bundle")
			case entry.Method == http.MethodDelete:
				e.remove(entry.Type, entry.ID, meta{})
			case entry.Body != nil:
				e.resource(entry.Body)
			}
		}
		return
	}
	var elements []json.RawMessage
	if err := json.Unmarshal(e.body, &elements); err != nil {
		e.refuse(&fhir.Fault{Reason: fhir.InvalidJSON, Problem: "this is not a JSON array of resources"}, e.body, "Bundle")
		return
	}
	for _, element := range elements {
		if !bytes.HasPrefix(element, requestPrefix) {
			e.resource(element)
			continue
		}
		var d deletion
		kind, id, ok := "", "", json.Unmarshal(element, &d) == nil && d.Request.Method == http.MethodDelete
		if ok {
			kind, id, ok = strings.Cut(d.Request.URL, "/")
		}
		if !ok {
			e.refuse(&fhir.Fault{Reason: fhir.InvalidReference, Place: "request", Problem: "this names no resource to delete",
				Mend: `write {"request":{"method":"DELETE","url":"Type/id"}}`}, element, "Bundle")
			continue
		}
		e.remove(kind, id, d.Meta)
	}
}

// requestPrefix begins an element of a bundle that is an interaction instead of a resource.
var requestPrefix = []byte(`{"request":`)

type deletion struct {
	Request deletionRequest `json:"request"`
	Meta    meta            `json:"meta,omitzero"`
}

type deletionRequest struct {
	Method string `json:"method"`
	URL    string `json:"url"`
}

// BundleBody writes entries of one patient as the body of a MediaBundle event. Entries with an Err, and
// those that neither bring nor delete a resource, are left out.
func BundleBody(entries []fhir.Entry) []byte {
	elements := make([]json.RawMessage, 0, len(entries))
	for i := range entries {
		switch e := &entries[i]; {
		case e.Err != nil:
		case e.Method == http.MethodDelete:
			d, err := json.Marshal(deletion{deletionRequest{http.MethodDelete, e.Type + "/" + e.ID}, metaOf(e.Version)})
			if err != nil { // strings always marshal
				panic(err)
			}
			elements = append(elements, d)
		case e.Body != nil:
			elements = append(elements, e.Body)
		}
	}
	body := []byte{'['}
	for i, e := range elements {
		if i > 0 {
			body = append(body, ',')
		}
		body = append(body, e...)
	}
	return append(body, ']')
}

// remove retracts what the resource stated, up to a version if one is given.
func (e *event) remove(kind, id string, m meta) {
	if kind == "" || id == "" {
		e.refuse(&fhir.Fault{Reason: fhir.MissingElement, Place: "headers", Problem: "this DELETE names no resource",
			Mend: "send the headers type and id"}, e.body, "other")
		return
	}
	version, ok := m.version()
	if !ok {
		e.refuse(&fhir.Fault{Reason: fhir.UnreadableDate, Place: "headers." + HeaderLastUpdated, Problem: "this is not a time",
			Mend: "write it as 2026-03-01T10:00:00Z"}, e.body, "other")
		return
	}
	if kind == medicationType {
		e.medication(kind+"/"+id, version, nil)
		e.in.metrics.count(kind, outcomeDeleted, 1)
		return
	}
	if !e.here {
		if !legalKey(e.key) {
			e.refuse(&fhir.Fault{Reason: fhir.NoPatient, Place: "key", Problem: "the record's key is no patient's id",
				Mend: "key each record by its patient's id"}, e.body, kind)
			return
		}
		e.move(Event{Patient: e.key, Method: http.MethodDelete, Type: kind, ID: id, Version: version, Body: []byte{}}, "other")
		return
	}
	e.take(clinical.Assertion{Resource: kind + "/" + id, Version: version}, "other", outcomeDeleted)
}

// medication takes note of what a Medication is, here at once and for the topic.
func (e *event) medication(reference string, version clinical.Version, codes []clinical.Code) {
	e.in.medications.Put(reference, version, codes)
	e.medications = append(e.medications, namedMedication{reference, medication{Codes: codes, Meta: metaOf(version)}})
}

// about says whether a statement about this patient belongs into this event's record.
func (e *event) about(patient string) bool { return e.here && patient == e.key }

func (e *event) take(a clinical.Assertion, kind, counted string) {
	if counted == "" {
		counted = outcomeTaken
	}
	e.in.metrics.count(kind, counted, 1)
	e.facts += len(a.Facts)
	e.record.Assertions = append(e.record.Assertions, a)
}

// move puts a statement about another patient into the log once more, under its right key.
func (e *event) move(to Event, kind string) {
	r := kgo.Record{Topic: e.in.topics.Events.Name, Key: []byte(to.Patient), Value: to.Body, Headers: to.headers(), Timestamp: e.source.recorded.Time()}
	if e.claim != nil && sizeOf(&r) > e.in.rekey.limit {
		e.refuse(&fhir.Fault{Reason: fhir.NoPatient, Place: "key", Problem: "the payload is about another patient than the key, and too large to be put under that",
			Mend: "key each record by its patient's id"}, to.Body, kind)
		return
	}
	e.in.metrics.count(kind, ReasonRekeyed, 1)
	e.refusal(ReasonRekeyed)
	e.elsewhere = append(e.elsewhere, r)
}

// refuse writes a dead letter for part of the event, or for all of it.
func (e *event) refuse(err error, body []byte, kind string) {
	if e.claim != nil { // what it points to may be too large for a letter
		body = e.claim
	}
	l := e.source.letter(err, body)
	e.in.metrics.count(kind, l.Reason, 1)
	e.refusal(l.Reason)
	e.letters = append(e.letters, l)
}

// refusal keeps the first reason. It counts only when nothing of the event was taken.
func (e *event) refusal(reason string) {
	if e.record.Refusal == "" {
		e.record.Refusal = reason
	}
}
