package endtoend

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/processor"
)

// fault is something bad that reaches the engine. PATIENT in its body stands for the patient it is sent
// for. Had any of it been taken, that patient would have one potassium more than what was sent in order.
type fault struct {
	name   string
	media  string
	body   string
	status int    // at HTTP
	reason string // the word that is counted
	place  string // the element at fault; "" when it is the whole body
	says   string // part of what the sender is told
	mend   string // part of how to mend it
	apart  bool   // whatever stands beside it in one request cannot be read either
}

const (
	mediaFHIR, mediaCompact = processor.MediaFHIR, processor.MediaCompact

	faultLimits = "--limits-body=64KiB --limits-depth=16 --limits-patient-id=20"
	faultPack   = `pack: faults
inputs:
  potassium: {observation: ["loinc|2823-3"], unit: mmol/L}
rules:
  - id: seen
    title: Potassium was measured
    severity: info
    source: test
    when: potassium.count() > 0
    message: "{{ potassium.count() }} results, the last {{ potassium.last() }}"
`
)

var faults = []fault{
	{name: "invalid JSON", media: mediaFHIR, body: `{"resourceType":"Observation","status":`,
		status: 400, reason: "invalid-json", place: "Observation", says: "malformed at byte 38", mend: "send one whole JSON value", apart: true},
	{name: "a resource without a patient", media: mediaFHIR, body: strings.Replace(observationOf(``), `,"subject":{"reference":"Patient/PATIENT"}`, "", 1),
		status: 422, reason: "no-patient", place: "Observation.subject", says: "names no patient", mend: `{"reference": "Patient/123"}`},
	{name: "an unreadable date", media: mediaFHIR, body: strings.Replace(observationOf(``), "2024-03-01T10:00:00Z", "01.03.2024", 1),
		status: 422, reason: "unreadable-date", place: "Observation.effectiveDateTime", mend: "write"},
	{name: "NaN", media: mediaFHIR, body: observationOf(`"value":NaN,"unit":"mmol/L"`),
		status: 422, reason: "not-a-number", place: "Observation", says: "stands at byte", mend: "dataAbsentReason", apart: true},
	{name: "a number in quotes", media: mediaFHIR, body: observationOf(`"value":"6.1","unit":"mmol/L"`),
		status: 422, reason: "not-a-number", place: "Observation.valueQuantity.value", mend: "number"},
	{name: "a number over all bounds", media: mediaFHIR, body: observationOf(`"value":1e999,"unit":"mmol/L"`),
		status: 422, reason: "not-a-number", place: "Observation.valueQuantity.value", mend: "number"},
	{name: "an unknown unit", media: mediaFHIR, body: observationOf(`"value":6.1,"unit":"furlong"`),
		status: 422, reason: "unknown-unit", place: "Observation.valueQuantity.unit", mend: "UCUM"},
	{name: "a body over the limit", media: mediaFHIR, body: observationOf(`"value":6.1,"unit":"mmol/L","display":"` + strings.Repeat("x", 64<<10) + `"`),
		status: 413, reason: "too-large", says: "larger than 65536 bytes", mend: "parts", apart: true},
	{name: "nesting over the limit", media: mediaFHIR, body: observationOf(`"value":6.1,"unit":"mmol/L","extension":` + strings.Repeat("[", 17) + strings.Repeat("]", 17)),
		status: 400, reason: "too-deep", says: "deeper than 16 levels", mend: "flatter", apart: true},
	{name: "a patient id over the limit", media: mediaFHIR, body: strings.Replace(observationOf(``), "PATIENT", strings.Repeat("7", 21), 1),
		status: 422, reason: "patient-id-too-long", place: "Observation.subject.reference", says: "longer than 20 bytes", mend: "shorter"},
	{name: "invalid UTF-8", media: mediaFHIR, body: observationOf(`"value":6.1,"unit":"` + "\xb5" + `mol/L"`),
		status: 400, reason: "invalid-utf8", says: "not valid UTF-8", mend: "UTF-8", apart: true},
	{name: "an unknown resource type", media: mediaFHIR, body: strings.Replace(observationOf(``), "Observation", "Observaton", 1),
		status: 400, reason: "unknown-type", place: "resourceType", mend: "did you mean Observation?"},

	{name: "compact: invalid JSON", media: mediaCompact, body: `{"patient":"PATIENT","code":`,
		status: 422, reason: "invalid-json", says: "byte", mend: "JSON"},
	{name: "compact: without a patient", media: mediaCompact, body: `{"code":"loinc|2823-3","time":"2024-03-01T10:00:00Z","value":6.1,"unit":"mmol/L"}`,
		status: 422, reason: "no-patient", place: "patient", mend: `add "patient"`},
	{name: "compact: an unreadable date", media: mediaCompact, body: compactOf(`"yesterday"`, `6.1`, `mmol/L`),
		status: 422, reason: "unreadable-date", place: "time", mend: "write"},
	{name: "compact: NaN", media: mediaCompact, body: compactOf(`"2024-03-01T10:00:00Z"`, `NaN`, `mmol/L`),
		status: 422, reason: "not-a-number", place: "value", mend: "leave"},
	{name: "compact: a number over all bounds", media: mediaCompact, body: compactOf(`"2024-03-01T10:00:00Z"`, `1e999`, `mmol/L`),
		status: 422, reason: "not-a-number", place: "value", mend: "number"},
	{name: "compact: an unknown unit", media: mediaCompact, body: compactOf(`"2024-03-01T10:00:00Z"`, `6.1`, `furlong`),
		status: 422, reason: "unknown-unit", place: "unit", mend: "UCUM"},
	{name: "compact: a line over the limit", media: mediaCompact, body: compactOf(`"2024-03-01T10:00:00Z"`, `6.1`, strings.Repeat("m", 64<<10)),
		status: 413, reason: "too-large", says: "larger than 65536 bytes", mend: "parts", apart: true},
	{name: "compact: nesting over the limit", media: mediaCompact, body: compactOf(`"2024-03-01T10:00:00Z","extension":`+strings.Repeat("[", 17)+strings.Repeat("]", 17), `6.1`, `mmol/L`),
		status: 422, reason: "too-deep", mend: "flat"},
	{name: "compact: a patient id over the limit", media: mediaCompact,
		body:   strings.Replace(compactOf(`"2024-03-01T10:00:00Z"`, `6.1`, `mmol/L`), "PATIENT", strings.Repeat("7", 21), 1),
		status: 422, reason: "patient-id-too-long", place: "patient", says: "longer than 20 bytes", mend: "shorter"},
	{name: "compact: invalid UTF-8", media: mediaCompact, body: compactOf(`"2024-03-01T10:00:00Z"`, `6.1`, "\xb5mol/L"),
		status: 422, reason: "invalid-utf8", says: "not valid UTF-8", mend: "UTF-8"},
}

// observationOf is an Observation of potassium with these members in its valueQuantity.
func observationOf(quantity string) string {
	return `{"resourceType":"Observation","status":"final","code":{"coding":[{"system":"http://loinc.org","code":"2823-3"}]}` +
		`,"subject":{"reference":"Patient/PATIENT"},"effectiveDateTime":"2024-03-01T10:00:00Z","valueQuantity":{` + quantity + `}}`
}

func compactOf(time, value, unit string) string {
	return `{"patient":"PATIENT","code":"loinc|2823-3","time":` + time + `,"value":` + value + `,"unit":"` + unit + `"}`
}

// good is the n-th potassium of a patient that is in order; the n-th one's value is n.
func good(media, patient string, n int) []byte {
	at := time.Date(2024, 3, 2, n, 0, 0, 0, time.UTC).Format(time.RFC3339)
	text := compactOf(`"`+at+`"`, fmt.Sprint(n), "mmol/L")
	if media == mediaFHIR {
		text = strings.Replace(observationOf(fmt.Sprintf(`"value":%d,"unit":"mmol/L"`, n)), "2024-03-01T10:00:00Z", at, 1)
	}
	return []byte(strings.ReplaceAll(text, "PATIENT", patient))
}

func (f *fault) of(patient string) []byte {
	return []byte(strings.ReplaceAll(f.body, "PATIENT", patient))
}

// path is where such a body is sent to.
func (f *fault) path() string {
	if f.media == mediaFHIR {
		return "/fhir/Observation"
	}
	return "/v1/observations"
}

// holds says that an answer about a patient knows n potassiums, the last of them the n-th.
func (s *server) holds(patient, position string, n int) {
	s.t.Helper()
	var a struct{ Alerts []struct{ Message string } }
	s.get("/v1/patients/"+patient+"/alerts?timeout=10s&min_position="+position, &a)
	require.Len(s.t, a.Alerts, 1)
	require.Equal(s.t, fmt.Sprintf("%d results, the last %d", n, n), a.Alerts[0].Message)
}

// on is the server for a subtest.
func (s *server) on(t *testing.T) *server {
	return &server{t: t, cmd: s.cmd, url: s.url, logs: s.logs}
}

// outcome is a FHIR OperationOutcome.
type outcome struct {
	ResourceType string
	Issue        []struct {
		Severity, Code, Diagnostics string
		Expression                  []string
	}
}

// tells holds an OperationOutcome to naming the fault, its place and how to mend it, and to telling
// nothing of whom it is about. within leads the place when the resource is part of something.
func (f *fault) tells(t *testing.T, body []byte, within string) {
	t.Helper()
	var o outcome
	require.NoError(t, json.Unmarshal(body, &o), "%s", body)
	require.Equal(t, "OperationOutcome", o.ResourceType)
	require.NotEmpty(t, o.Issue)
	issue := o.Issue[0]
	require.Equal(t, "error", issue.Severity)
	require.NotEmpty(t, issue.Code)
	require.Contains(t, issue.Diagnostics, f.says)
	require.Contains(t, issue.Diagnostics, f.mend)
	require.NotContains(t, string(body), "case-")
	if place := within + f.place; place != "" {
		require.Equal(t, []string{place}, issue.Expression)
	}
}

// refusedLine is what is said of a line of compact observations.
type refusedLine struct {
	Line                         int
	Reason, Place, Problem, Mend string
}

func (f *fault) tellsOfLine(t *testing.T, line int, got []refusedLine) {
	t.Helper()
	require.Len(t, got, 1)
	require.Equal(t, line, got[0].Line)
	require.Equal(t, f.reason, got[0].Reason)
	require.Equal(t, f.place, got[0].Place)
	require.Contains(t, got[0].Problem, f.says)
	require.NotEmpty(t, got[0].Problem)
	require.Contains(t, got[0].Mend, f.mend)
}

func TestWhatIsBadOverHTTPIsRefusedAndTheStreamGoesOn(t *testing.T) {
	rules := filepath.Join(t.TempDir(), "faults.yaml")
	write(t, rules, faultPack)
	shared := serve(t, t.TempDir(), append(strings.Fields(faultLimits), "--rules", rules)...)

	failed := 0
	count := func(passed bool) {
		if !passed {
			failed++
		}
		if failed == 4 { // a stream that stands still costs each case its timeout
			t.Fatal("too much fails to go on")
		}
	}
	for i, f := range faults {
		count(t.Run(f.name, func(t *testing.T) {
			s, patient := shared.on(t), fmt.Sprintf("case-%d", i)
			counted := func() float64 {
				return s.metric("vigil_http_refused_total", `reason="`+f.reason+`"`)
			}
			before := counted()
			status, _, body := s.send("POST", f.path(), f.media, f.of(patient))
			require.Equal(t, f.status, status, "%s", body)
			switch {
			case f.media == mediaFHIR:
				f.tells(t, body, "")
			case f.apart:
				var p struct{ Title, Mend string }
				require.NoError(t, json.Unmarshal(body, &p))
				require.Contains(t, p.Title, f.says)
				require.Contains(t, p.Mend, f.mend)
			default:
				var a struct{ Refused []refusedLine }
				require.NoError(t, json.Unmarshal(body, &a))
				f.tellsOfLine(t, 1, a.Refused)
			}
			require.Equal(t, 1.0, counted()-before, "refusals counted as %s", f.reason)

			status, header, body := s.send("POST", f.path(), f.media, good(f.media, patient, 1))
			require.Less(t, status, 300, "%s", body)
			s.holds(patient, position(t, header, body), 1)
		}))
	}
	for i, f := range faults {
		count(t.Run(f.name+", beside others", func(t *testing.T) {
			s, patient := shared.on(t), fmt.Sprintf("case-%d-beside", i)
			switch {
			case f.media == mediaFHIR && f.apart:
				s.refusesWhole(&f, patient)
			case f.media == mediaFHIR:
				s.refusesEntry(&f, patient)
			case !f.apart:
				s.refusesLine(&f, patient)
			}
		}))
	}
	shared.stop()
}

// refusesLine sends a bad line between two good ones, which are taken.
func (s *server) refusesLine(f *fault, patient string) {
	s.t.Helper()
	lines := bytes.Join([][]byte{good(f.media, patient, 1), f.of(patient), good(f.media, patient, 2)}, []byte{'\n'})
	status, header, body := s.send("POST", f.path(), f.media, lines)
	require.Equal(s.t, http.StatusMultiStatus, status, "%s", body)
	var a struct {
		Accepted int
		Refused  []refusedLine
	}
	require.NoError(s.t, json.Unmarshal(body, &a))
	require.Equal(s.t, 2, a.Accepted)
	f.tellsOfLine(s.t, 2, a.Refused)
	s.holds(patient, position(s.t, header, body), 2)
}

// refusesEntry sends a bad entry between two good ones: of a transaction nothing is taken, of a batch
// the good ones are.
func (s *server) refusesEntry(f *fault, patient string) {
	s.t.Helper()
	g := *f
	within := ""
	if g.place != "" {
		within, g.place = "Bundle.entry[1].resource.", strings.TrimPrefix(g.place, "Observation.")
	}
	status, _, body := s.send("POST", "/fhir", f.media,
		bundleOf("transaction", good(f.media, patient, 3), f.of(patient), good(f.media, patient, 4)))
	require.Equal(s.t, f.status, status, "%s", body)
	g.tells(s.t, body, within)

	status, header, body := s.send("POST", "/fhir", f.media,
		bundleOf("batch", good(f.media, patient, 1), f.of(patient), good(f.media, patient, 2)))
	require.Equal(s.t, http.StatusOK, status, "%s", body)
	var b struct {
		Entry []struct {
			Response struct {
				Status  string
				Outcome json.RawMessage
			}
		}
	}
	require.NoError(s.t, json.Unmarshal(body, &b))
	require.Len(s.t, b.Entry, 3)
	require.True(s.t, strings.HasPrefix(b.Entry[1].Response.Status, fmt.Sprint(f.status)), b.Entry[1].Response.Status)
	g.tells(s.t, b.Entry[1].Response.Outcome, within)
	s.holds(patient, position(s.t, header, body), 2)
}

// refusesWhole sends a Bundle that cannot be read for what one entry is: nothing of it is taken.
func (s *server) refusesWhole(f *fault, patient string) {
	s.t.Helper()
	status, _, body := s.send("POST", "/fhir", f.media,
		bundleOf("batch", good(f.media, patient, 2), f.of(patient), good(f.media, patient, 3)))
	require.Contains(s.t, []int{400, 413, 422}, status, "%s", body)
	var o outcome
	require.NoError(s.t, json.Unmarshal(body, &o), "%s", body)
	require.Equal(s.t, "OperationOutcome", o.ResourceType)
	require.NotEmpty(s.t, o.Issue)

	status, header, body := s.send("POST", f.path(), f.media, good(f.media, patient, 1))
	require.Less(s.t, status, 300, "%s", body)
	s.holds(patient, position(s.t, header, body), 1)
}

func bundleOf(kind string, resources ...[]byte) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, `{"resourceType":"Bundle","type":%q,"entry":[`, kind)
	for i, r := range resources {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"resource":%s,"request":{"method":"POST","url":"Observation"}}`, r)
	}
	b.WriteString("]}")
	return b.Bytes()
}

// position is where a write says that it went, in its header or in its body.
func position(t *testing.T, header http.Header, body []byte) string {
	t.Helper()
	if p := header.Get("Vigil-Position"); p != "" {
		return p
	}
	var a struct{ Position string }
	require.NoError(t, json.Unmarshal(body, &a))
	require.NotEmpty(t, a.Position)
	return a.Position
}

// kafkaFaults can come from Kafka alone.
var kafkaFaults = []fault{
	{name: "a media type that nobody reads", media: "text/plain", body: "potassium 6.1", reason: "unknown-media", mend: "send"},
	{name: "no body", media: mediaFHIR, body: "", reason: "invalid-json", mend: "send"},
}

// The same, written straight to the log: bad events between good ones, for each a patient of its own.
func TestWhatIsBadFromKafkaGoesToDeadLetterAndTheStreamGoesOn(t *testing.T) {
	log := newLog(t)
	rules := filepath.Join(t.TempDir(), "faults.yaml")
	write(t, rules, faultPack)
	s := serve(t, t.TempDir(), slices.Concat(strings.Fields(faultLimits), log.flags(), []string{"--rules", rules})...)

	config := processor.Config{Brokers: []string{log.broker}, Prefix: log.prefix}.Fill()
	w, err := processor.NewWriter(config)
	require.NoError(t, err)
	defer w.Close()
	all := append(faults[:len(faults):len(faults)], kafkaFaults...)
	var events []processor.Event
	for i, f := range all {
		patient := fmt.Sprintf("case-%d", i)
		kind := f.media
		if kind != mediaCompact {
			kind = mediaFHIR
		}
		events = append(events,
			processor.Event{Patient: patient, Media: kind, Body: good(kind, patient, 1)},
			processor.Event{Patient: patient, Media: f.media, Body: f.of(patient)},
			processor.Event{Patient: patient, Media: kind, Body: good(kind, patient, 2)})
	}
	positions, err := w.Write(t.Context(), events)
	require.NoError(t, err)

	letters := map[processor.Position]*kgo.Record{}
	for _, r := range consume(t, log.broker, config.Topics().DeadLetter.Name, len(all)) {
		var l processor.DeadLetter
		require.NoError(t, json.Unmarshal(r.Value, &l))
		letters[processor.Position{Log: processor.EventsLog, Partition: l.Partition, Offset: l.Offset}] = r
	}
	counts := map[string]int{}
	for i, f := range all {
		patient, bad := fmt.Sprintf("case-%d", i), positions[3*i+1]
		counts[f.reason]++
		t.Run(f.name, func(t *testing.T) {
			s.on(t).holds(patient, positions[3*i+2].String(), 2)
			r := letters[bad]
			require.NotNil(t, r, "no letter tells of position %s", bad)
			var l processor.DeadLetter
			require.NoError(t, json.Unmarshal(r.Value, &l))
			require.Equal(t, patient, string(r.Key))
			require.Equal(t, f.reason, l.Reason)
			require.Equal(t, f.place, l.Place)
			require.NotEmpty(t, l.Problem)
			require.Contains(t, l.Problem, f.says)
			require.Contains(t, l.Mend, f.mend)
			require.Equal(t, config.Topics().Events.Name, l.Topic)
			require.Equal(t, string(f.of(patient)), string(l.Body), "the letter keeps what came, byte for byte")
			require.NotContains(t, l.Problem+l.Mend+l.Place, "case-")
		})
	}
	for reason, n := range counts {
		require.Equal(t, float64(n), s.metric("vigil_dead_letters_total", `reason="`+reason+`"`), reason)
		require.Equal(t, float64(n), s.metric("vigil_intake_resources_total", `outcome="`+reason+`"`), reason)
	}

	// One facts record for each event, in its partition and order, whatever became of it.
	reasons := map[processor.Position]string{}
	for i, p := range positions {
		reasons[p] = ""
		if i%3 == 1 {
			reasons[p] = all[i/3].reason
		}
	}
	next := map[int32]int64{}
	for _, r := range consume(t, log.broker, config.Topics().Facts.Name, 0) {
		record, err := clinical.UnmarshalRecord(r.Value)
		require.NoError(t, err)
		if record.EventOffset < 0 {
			continue // of an activation or a tick
		}
		p := processor.Position{Log: processor.EventsLog, Partition: r.Partition, Offset: record.EventOffset}
		require.Equal(t, next[r.Partition], record.EventOffset)
		next[r.Partition]++
		require.Equal(t, reasons[p], record.Refusal, "at %s", p)
		delete(reasons, p)
	}
	require.Empty(t, reasons, "events without a facts record")
	s.stop()
}

// consume reads what a topic holds, once it holds at least so many records. Those of one partition are
// in its order.
func consume(t *testing.T, addr, topic string, least int) []*kgo.Record {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(addr), kgo.ConsumeTopics(topic))
	require.NoError(t, err)
	defer client.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var records []*kgo.Record
	for {
		ends, err := kadm.NewClient(client).ListEndOffsets(ctx, topic)
		require.NoError(t, err)
		held := int64(0)
		ends.Each(func(o kadm.ListedOffset) { held += o.Offset })
		if int64(len(records)) >= max(held, int64(least)) {
			return records
		}
		fetched := client.PollFetches(ctx)
		require.NoError(t, fetched.Err(), "of %s %d of at least %d records came", topic, len(records), least)
		records = append(records, fetched.Records()...)
	}
}
