package source

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"

	"github.com/vigil-cds/vigil/internal/broker"
	"github.com/vigil-cds/vigil/internal/cdc"
	"github.com/vigil-cds/vigil/internal/fhir"
	"github.com/vigil-cds/vigil/processor"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		goleak.IgnoreTopFunction("github.com/rcrowley/go-metrics.(*meterArbiter).tick"),
		goleak.IgnoreTopFunction("github.com/IBM/sarama.(*Broker).responseReceiver"))
}

// site is a log with the topics of a database, and the role's directory.
type site struct {
	t       *testing.T
	config  Config
	mapping *cdc.Mapping
	client  *kgo.Client
}

const envelopes = "hospital"

func newSite(t *testing.T) *site {
	t.Helper()
	b, err := broker.Start(t.TempDir(), broker.Options{NoSync: true})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, b.Close()) })
	text, err := os.ReadFile("../../examples/cdc/mapping.yaml")
	require.NoError(t, err)
	s := &site{t: t, config: Config{Log: processor.Config{Brokers: []string{b.Addr()}, Partitions: 2, Clock: processor.ClockLog}.Fill(),
		Topics: []string{envelopes}, Wait: time.Hour, OpenBytes: 1 << 20, Dir: t.TempDir()}}
	s.mapping, err = cdc.Parse("mapping.yaml", text)
	require.NoError(t, err)
	require.NoError(t, s.config.Log.Topics().Ensure(t.Context(), s.config.Log))
	s.client, err = kgo.NewClient(kgo.SeedBrokers(b.Addr()), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	require.NoError(t, err)
	t.Cleanup(s.client.Close)
	_, err = kadm.NewClient(s.client).CreateTopic(t.Context(), 3, 1, nil, envelopes)
	require.NoError(t, err)
	return s
}

// start runs the role until the test ends. A crash is between a write of events and the commit.
func (s *site) start(crash func()) *Source {
	s.t.Helper()
	r, err := Start(s.config, Deps{Mapping: s.mapping, Decoder: fhir.New(fhir.Options{}), Registerer: prometheus.NewRegistry()})
	require.NoError(s.t, err)
	r.mu.Lock()
	r.crash = crash
	r.mu.Unlock()
	s.t.Cleanup(func() { require.NoError(s.t, r.Close()) })
	return r
}

// send appends envelopes to a partition.
func (s *site) send(partition int32, values ...string) {
	s.t.Helper()
	for _, v := range values {
		r := &kgo.Record{Topic: envelopes, Partition: partition, Value: []byte(v)}
		require.NoError(s.t, s.client.ProduceSync(s.t.Context(), r).FirstErr())
	}
}

// example are the envelopes of the worked example, one a line.
func example(t *testing.T) (lines []string) {
	t.Helper()
	text, err := os.ReadFile("../../examples/cdc/envelopes.ndjson")
	require.NoError(t, err)
	for _, line := range bytes.Split(bytes.TrimSpace(text), []byte("\n")) {
		lines = append(lines, string(line))
	}
	return lines
}

// read waits for n records of a topic and gives all that are there.
func (s *site) read(topic string, n int) (all []*kgo.Record) {
	s.t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(s.config.Log.Brokers...), kgo.ConsumeTopics(topic), kgo.FetchMaxWait(50*time.Millisecond))
	require.NoError(s.t, err)
	defer client.Close()
	require.Eventually(s.t, func() bool {
		client.PollFetches(s.t.Context()).EachRecord(func(r *kgo.Record) { all = append(all, r) })
		return len(all) >= n
	}, 30*time.Second, time.Millisecond)
	return all
}

func (s *site) events(n int) (told []string) {
	s.t.Helper()
	for _, r := range s.read(s.config.Log.Topics().Events.Name, n) {
		var entries []struct {
			ResourceType, ID string
			Request          struct{ Method, URL string }
		}
		require.NoError(s.t, json.Unmarshal(r.Value, &entries), string(r.Value))
		text := string(r.Key) + ":"
		for _, e := range entries {
			text += " " + e.Request.Method + e.Request.URL + e.ResourceType + "/" + e.ID
		}
		told = append(told, text)
	}
	return told
}

func TestATransactionIsOneEventForEachPatient(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	lines := example(t)
	s.send(0, lines[:3]...)
	s.start(nil)
	s.events(3)
	s.send(1, lines[3]) // the result, of which the diagnosis is to come in another partition
	s.send(2, `{"op":"r","after":{"id":3,"sex":"f"},"source":{"table":"patients","ts_ms":1}}`)
	require.Len(t, s.events(4), 4, "nothing of it is written")
	s.send(2, lines[4])
	require.Contains(t, s.events(5), "p1: Observation/lab101 Condition/dx11.1")
}

func TestAChildIsTakenAfterItsParentWhicheverPartitionIsReadFirst(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	const rows = 300
	for n := range rows {
		s.send(0, fmt.Sprintf(`{"op":"c","after":{"id":%d,"encounter_id":%d,"test":"K","value":"4.1","unit":"mmol/L","status":"final","taken":"2026-01-01T00:00:00Z"},"source":{"table":"lab_results","ts_ms":%d}}`, n, n, 1000+10*n+5))
	}
	for n := range rows {
		s.send(2, fmt.Sprintf(`{"op":"c","after":{"id":%d,"patient_id":%d,"kind":"inpatient","began":"2026-01-01T00:00:00Z"},"source":{"table":"encounters","ts_ms":%d}}`, n, n, 1000+10*n))
	}
	s.config.OpenBytes = 50_000 // less than all of the children
	r := s.start(nil)
	s.events(2 * rows)
	require.Zero(t, testutil.CollectAndCount(r.metrics.refused), "no child came before its parent")
}

func TestAStartGoesOnInTheMiddleOfTransactions(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	lines := example(t)
	s.send(0, lines[:3]...)
	s.send(1, lines[5], lines[3]) // of two transactions, neither whole
	s.send(2, lines[4])           // the second one is
	r := s.start(nil)
	s.events(3)
	require.NoError(t, r.Close())
	s.send(1, lines[7], lines[9])
	s.start(nil)
	events := s.events(5)
	require.Contains(t, events, "p1: Observation/lab101 Condition/dx11.1")
	require.Contains(t, events, "p2: Encounter/e12 Observation/lab102 MedicationRequest/rx201")
	require.Len(t, events, 5, "each once")
}

// What is written again after a crash is the same, byte for byte, though rows have changed since.
func TestACrashBeforeTheCommitWritesTheSameAgain(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	lines := example(t)
	s.send(0, lines...)
	var crashed atomic.Bool
	r := s.start(func() {
		crashed.Store(true)
		runtime.Goexit()
	})
	require.Eventually(t, crashed.Load, 30*time.Second, time.Millisecond)
	first := s.read(s.config.Log.Topics().Events.Name, 9)
	require.NoError(t, r.Close())
	s.start(nil)
	again := s.read(s.config.Log.Topics().Events.Name, 2*len(first))
	of := func(key string, all []*kgo.Record) (values []string) {
		for _, r := range all {
			if string(r.Key) == key {
				values = append(values, fmt.Sprint(r.Timestamp.UnixMilli(), string(r.Value)))
			}
		}
		return values
	}
	for _, patient := range []string{"p1", "p2"} {
		once := of(patient, first)
		require.Equal(t, append(once, once...), of(patient, again))
	}
}

func TestWhatCannotBeTakenGoesToDeadLetterWithItsReason(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.config.Wait = 100 * time.Millisecond
	s.send(0, `{"op":"c","after":{"id":5,"encounter_id":404,"test":"K","status":"final"},"source":{"table":"lab_results"},"transaction":{"id":"whole","count":2}}`,
		`{"op":"c","after":{"id":1,"patient_id":9,"kind":"inpatient"},"source":{"table":"encounters"},"transaction":{"id":"whole","count":2}}`,
		`nonsense`,
		`{"op":"c","after":{"id":2,"patient_id":9,"kind":"inpatient"},"source":{"table":"encounters"},"transaction":{"id":"half","count":2}}`,
		`{"op":"r","after":{"id":3,"sex":"f"},"source":{"table":"patients","ts_ms":1}}`)
	r := s.start(nil)
	var got []string
	for _, m := range s.read(s.config.Log.Topics().DeadLetter.Name, 4) {
		var l processor.DeadLetter
		require.NoError(t, json.Unmarshal(m.Value, &l))
		require.NotEmpty(t, l.Mend)
		got = append(got, fmt.Sprint(l.Topic, " ", l.Offset, " ", l.Reason))
	}
	require.ElementsMatch(t, []string{"hospital 0 row-not-known", "hospital 1 transaction-refused", "hospital 2 not-an-envelope", "hospital 3 incomplete-transaction"}, got)
	require.Equal(t, []string{"p3: Patient/p3"}, s.events(1), "and the rest goes on")
	require.Eventually(t, func() bool { return testutil.ToFloat64(r.metrics.lag) == 0 }, 30*time.Second, time.Millisecond)
	require.Zero(t, testutil.ToFloat64(r.metrics.open))
}

func TestTooMuchThatWaitsIsGivenUpOldestFirst(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.config.OpenBytes = 250
	for n := range 3 {
		s.send(0, fmt.Sprintf(`{"op":"c","after":{"id":%d,"sex":"f"},"source":{"table":"patients"},"transaction":{"id":"tx%d","count":2}}`, n, n))
	}
	s.start(nil)
	letters := s.read(s.config.Log.Topics().DeadLetter.Name, 1)
	require.Len(t, letters, 1)
	require.Contains(t, string(letters[0].Value), `"offset":0`)
}

func TestTheReaderIsTheOneThatHasTakenMost(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	lines := example(t)
	s.send(0, lines[:3]...)
	first := s.start(nil)
	s.events(3)
	s.config.Dir = t.TempDir()
	second := s.start(nil)
	reads := func(r *Source) bool {
		r.mu.Lock()
		defer r.mu.Unlock()
		return len(r.lanes) == 3
	}
	s.send(0, lines[3:5]...)
	s.events(4)
	require.True(t, reads(first))
	require.False(t, reads(second), "an empty one takes nothing away from one that goes on")
	require.NoError(t, first.Close())
	require.Eventually(t, func() bool { return reads(second) }, 30*time.Second, time.Millisecond)
	require.Len(t, s.events(8), 8, "it has nothing, and so begins at the beginning: the same again")
}
