package processor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/internal/fhir"
	"github.com/vigil-cds/vigil/rules"
	"github.com/vigil-cds/vigil/store"
)

func compact(patient string, value float64, at string) []byte {
	return fmt.Appendf(nil, `{"patient":%q,"code":"loinc|8867-4","time":%q,"value":%v,"unit":"/min","id":"c%v"}`, patient, at, value, value)
}

func observation(patient, id string) []byte {
	return fmt.Appendf(nil, `{"resourceType":"Observation","id":%q,"status":"final","code":{"coding":[{"system":"http://loinc.org","code":"2160-0"}]},"subject":{"reference":"Patient/%s"},"effectiveDateTime":"2026-03-01T10:00:00Z","valueQuantity":{"value":1.2,"code":"mg/dL"}}`, id, patient)
}

// run starts the processors with recorders in the machines' place.
func run(t testing.TB, c Config, s *store.Store, r *recorder, reg prometheus.Registerer) *Processor {
	t.Helper()
	p, err := start(t.Context(), c, Deps{Store: s, Decoder: fhir.New(fhir.Options{}), Sets: NewRuleSets(rules.CompileOptions{}, nil), Registerer: reg}, r.machine)
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	require.NoError(t, p.WaitReady(ctx))
	return p
}

// events are the records that stand for events, in the order in which their partitions applied them.
func events(all []applied) map[int32][]applied {
	by := map[int32][]applied{}
	for _, a := range all {
		if !a.again && a.record.EventOffset >= 0 {
			by[a.partition] = append(by[a.partition], a)
		}
	}
	return by
}

func count(n int) func([]applied) bool {
	return func(all []applied) bool {
		got := 0
		for _, of := range events(all) {
			got += len(of)
		}
		return got >= n
	}
}

func TestEachEventBecomesExactlyOneFactsRecord(t *testing.T) {
	t.Parallel()
	c := testConfig(newBroker(t, t.TempDir()))
	r, reg := &recorder{}, prometheus.NewRegistry()
	p := run(t, c, newStore(t), r, reg)
	w := newTestWriter(t, c)
	in := []struct {
		name    string
		event   Event
		refusal string
		stated  []string // resources
		letter  string   // reason of the dead letter
	}{
		{"a resource", Event{Patient: "a", Body: observation("a", "1")}, "", []string{"Observation/1"}, ""},
		{"compact lines", Event{Patient: "a", Media: MediaCompact,
			Body: append(append(compact("a", 80, "2026-03-01T10:00:00Z"), '\n'), compact("a", 81, "2026-03-01T10:00:01Z")...)}, "", []string{"Observation/c80", "Observation/c81"}, ""},
		{"a bundle", Event{Patient: "a", Media: MediaBundle, Body: BundleBody([]fhir.Entry{
			{Method: http.MethodPut, Type: "Observation", ID: "2", Body: observation("a", "2")},
			{Method: http.MethodDelete, Type: "Observation", ID: "1"},
			{Err: errors.New("bad"), Body: []byte("{")}})}, "", []string{"Observation/2", "Observation/1"}, ""},
		{"a FHIR Bundle", Event{Patient: "a", Media: MediaBundle, Body: []byte(`{"resourceType":"Bundle","type":"transaction","entry":[{"resource":` +
			string(observation("a", "4")) + `,"request":{"method":"PUT","url":"Observation/4"}}]}`)}, "", []string{"Observation/4"}, ""},
		{"a DELETE", Event{Patient: "a", Method: http.MethodDelete, Type: "Observation", ID: "2", Body: []byte{}}, "", []string{"Observation/2"}, ""},
		{"one bad line of two", Event{Patient: "a", Media: MediaCompact, Body: append([]byte("{\n"), compact("a", 82, "2026-03-01T10:00:02Z")...)}, "", []string{"Observation/c82"}, "invalid-json"},
		{"no JSON", Event{Patient: "a", Body: []byte("MSH|^~\\&")}, "invalid-json", nil, "invalid-json"},
		{"no body", Event{Patient: "a"}, "invalid-json", nil, "invalid-json"},
		{"a DELETE of nothing", Event{Patient: "a", Method: http.MethodDelete}, "missing-element", nil, "missing-element"},
		{"another method", Event{Patient: "a", Method: "PATCH", Body: []byte("{}")}, ReasonUnknownMethod, nil, ReasonUnknownMethod},
		{"another media type", Event{Patient: "a", Media: "text/plain", Body: []byte("hello")}, ReasonUnknownMedia, nil, ReasonUnknownMedia},
		{"a bundle that is no array", Event{Patient: "a", Media: MediaBundle, Body: []byte(`[1`)}, "invalid-json", nil, "invalid-json"},
	}
	letters := 0
	for _, e := range in {
		positions, err := w.Write(t.Context(), []Event{e.event})
		require.NoError(t, err)
		at := positions[0]
		var got applied
		r.await(t, e.name, func(all []applied) bool {
			for _, a := range all {
				if a.partition == at.Partition && a.record.EventOffset == at.Offset {
					got = a
					return true
				}
			}
			return false
		})
		require.Equal(t, "a", got.record.Patient, e.name)
		require.Equal(t, e.refusal, got.record.Refusal, e.name)
		require.Len(t, got.record.Assertions, len(e.stated), e.name)
		for i, a := range got.record.Assertions {
			require.Equal(t, e.stated[i], a.Resource, e.name)
		}
		if e.letter != "" {
			letters++
		}
	}
	require.Len(t, events(r.all())[Partition("a", 2)], len(in))
	var reasons []string
	for _, m := range readAll(t, c, p.topics.DeadLetter.Name, letters) {
		var l DeadLetter
		require.NoError(t, json.Unmarshal(m.Value, &l))
		require.Equal(t, "a", string(m.Key))
		require.Equal(t, p.topics.Events.Name, l.Topic)
		require.Equal(t, in[l.Offset].letter, l.Reason, "the letter says which record it is about")
		require.True(t, strings.Contains(string(in[l.Offset].event.Body), string(l.Body)), "and has what was refused")
		require.NotEmpty(t, l.Problem)
		reasons = append(reasons, l.Reason)
	}
	require.Len(t, reasons, letters)
	require.NoError(t, testutil.GatherAndCompare(reg, strings.NewReader(`
# HELP vigil_intake_resources_total Resources and compact observations that intake read, by type and by what became of them.
# TYPE vigil_intake_resources_total counter
vigil_intake_resources_total{outcome="deleted",type="other"} 2
vigil_intake_resources_total{outcome="invalid-json",type="Bundle"} 1
vigil_intake_resources_total{outcome="invalid-json",type="compact"} 1
vigil_intake_resources_total{outcome="invalid-json",type="other"} 2
vigil_intake_resources_total{outcome="missing-element",type="other"} 1
vigil_intake_resources_total{outcome="taken",type="Observation"} 3
vigil_intake_resources_total{outcome="taken",type="compact"} 3
vigil_intake_resources_total{outcome="unknown-media",type="other"} 1
vigil_intake_resources_total{outcome="unknown-method",type="other"} 1
`), "vigil_intake_resources_total"))
	require.NoError(t, p.Close())
	require.False(t, p.Ready(0))
}

func TestAnEventUnderAnothersKeyIsPutUnderItsOwn(t *testing.T) {
	t.Parallel()
	c := testConfig(newBroker(t, t.TempDir()))
	r := &recorder{}
	p := run(t, c, newStore(t), r, nil)
	// A foreign producer: its keys are its own, and so are its partitions.
	config, err := c.clientConfig("foreign")
	require.NoError(t, err)
	config.Producer.Partitioner = sarama.NewManualPartitioner
	config.Producer.Return.Successes = true
	foreign, err := sarama.NewSyncProducer(c.Brokers, config)
	require.NoError(t, err)
	defer foreign.Close()
	right := Partition("a", 2)
	for i, m := range []*sarama.ProducerMessage{
		{Key: sarama.StringEncoder("Patient/a"), Partition: right, Value: sarama.ByteEncoder(observation("a", "1"))},
		{Key: sarama.StringEncoder("a"), Partition: 1 - right, Value: sarama.ByteEncoder(observation("a", "2"))},
		{Partition: 1 - right, Value: sarama.ByteEncoder(observation("a", "3"))},
		{Key: sarama.StringEncoder("\x00x"), Partition: 1 - right, Value: sarama.ByteEncoder(observation("a", "4"))},
	} {
		m.Topic, m.Timestamp = p.topics.Events.Name, time.UnixMilli(1_700_000_000_000+int64(i))
		_, _, err := foreign.SendMessage(m)
		require.NoError(t, err)
	}
	stated := map[string]applied{}
	r.await(t, "all four under their key", func(all []applied) bool {
		clear(stated)
		for _, a := range all {
			for _, s := range a.record.Assertions {
				stated[s.Resource] = a
			}
		}
		return len(stated) == 4
	})
	for i := range 4 {
		a := stated[fmt.Sprintf("Observation/%d", i+1)]
		require.Equal(t, "a", a.record.Patient)
		require.Equal(t, right, a.partition)
		require.EqualValues(t, 1_700_000_000_000+i, a.record.Recorded, "the log learned of it when it first came")
	}
	refused := 0
	for _, of := range events(r.all()) {
		for i, a := range of {
			require.EqualValues(t, i, a.record.EventOffset, "positions are dense")
			if len(a.record.Assertions) == 0 {
				require.Equal(t, ReasonRekeyed, a.record.Refusal)
				refused++
			}
		}
	}
	require.Equal(t, 4, refused)
	require.NoError(t, p.Close())
}

func TestAProducersClockCannotPushTheFuture(t *testing.T) {
	now := time.UnixMilli(1_700_000_000_000)
	for _, test := range []struct {
		clock       string
		stamp, want int64
	}{
		{ClockWall, 1_700_000_000_000 + 4999, 1_700_000_000_000 + 4999},
		{ClockWall, 1_800_000_000_000, 1_700_000_000_000 + 5000},
		{ClockWall, 5, 5},
		{ClockWall, 0, 1_700_000_000_000},
		{ClockLog, 1_800_000_000_000, 1_800_000_000_000},
		{ClockLog, 0, 0},
	} {
		in := &intake{config: Config{Clock: test.clock}.Fill(), now: func() time.Time { return now }}
		require.EqualValues(t, test.want, in.recorded(time.UnixMilli(test.stamp)), "%+v", test)
	}
}

func TestAfterARestartNothingIsAppliedTwice(t *testing.T) {
	t.Parallel()
	c := testConfig(newBroker(t, t.TempDir()))
	s, r := newStore(t), &recorder{}
	w := newTestWriter(t, c)
	p := run(t, c, s, r, nil)
	write := func(from, to int) {
		for i := from; i < to; i++ {
			_, err := w.Write(t.Context(), []Event{{Patient: fmt.Sprint("p", i%7), Media: MediaCompact,
				Body: compact(fmt.Sprint("p", i%7), float64(i), "2026-03-01T10:00:00Z")}})
			require.NoError(t, err)
		}
	}
	write(0, 50)
	r.await(t, "the first half", count(50))
	require.NoError(t, p.Close())
	p = run(t, c, s, r, nil)
	write(50, 100)
	r.await(t, "the second half", count(100))
	require.NoError(t, p.Close())
	for partition, of := range events(r.all()) {
		for i, a := range of {
			require.EqualValues(t, i, a.offset, "partition %d: each record once, in order", partition)
			require.EqualValues(t, i, a.record.EventOffset)
		}
	}
}

// A killed process wrote the facts of some events and did not come to commit. With a gap in them, because
// sending had failed: exactly what is missing is written.
func TestIntakeWritesOnlyWhatAKilledProcessDidNot(t *testing.T) {
	t.Parallel()
	c := testConfig(newBroker(t, t.TempDir()))
	c.Partitions = 1
	topics := withTopics(t, c)
	w := newTestWriter(t, c)
	for i := range 8 {
		_, err := w.Write(t.Context(), []Event{{Patient: "a", Body: observation("a", fmt.Sprint(i))}})
		require.NoError(t, err)
	}
	before := newTestProducer(t, c)
	defer before.Close()
	var records []kgo.Record
	for _, offset := range []int64{0, 1, -1, 2, 4, 5} {
		records = append(records, kgo.Record{Topic: topics.Facts.Name, Key: []byte("a"),
			Value: (&clinical.Record{Patient: "a", EventOffset: offset}).Marshal()})
	}
	require.NoError(t, before.Write(t.Context(), records))

	p := run(t, c, newStore(t), &recorder{}, nil)
	var offsets []int64
	for _, m := range readAll(t, c, topics.Facts.Name, 9) {
		rec, err := clinical.UnmarshalRecord(m.Value)
		require.NoError(t, err)
		offsets = append(offsets, rec.EventOffset)
	}
	require.Equal(t, []int64{0, 1, -1, 2, 4, 5, 3, 6, 7}, offsets)
	require.NoError(t, p.Close())
}

func TestAnOffsetSetKnowsWhatWasAdded(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for range 50 {
		var s offsetSet
		in := map[int64]bool{}
		for range 200 {
			o := random.Int64N(150)
			s.add(o)
			in[o] = true
		}
		for o := range int64(160) {
			require.Equal(t, in[o], s.has(o), "%d in %v", o, s.runs)
		}
		for i := 1; i < len(s.runs); i++ {
			require.Less(t, s.runs[i-1].last+1, s.runs[i].first, "runs are joined")
		}
	}
}

func TestALostStoreIsBuiltAgainFromTheLog(t *testing.T) {
	t.Parallel()
	c := testConfig(newBroker(t, t.TempDir()))
	r := &recorder{}
	w := newTestWriter(t, c)
	p := run(t, c, newStore(t), r, nil)
	for i := range 20 {
		_, err := w.Write(t.Context(), []Event{{Patient: fmt.Sprint(i), Body: observation(fmt.Sprint(i), "1")}})
		require.NoError(t, err)
	}
	r.await(t, "all", count(20))
	require.NoError(t, p.Close())

	r, reg := &recorder{}, prometheus.NewRegistry()
	s := newStore(t)
	p = run(t, c, s, r, reg)
	got := events(r.all()) // before it is ready everything has been replayed
	require.Len(t, append(got[0], got[1]...), 20)
	for _, of := range got {
		for i, a := range of {
			require.EqualValues(t, i, a.offset)
			require.True(t, a.replay)
		}
	}
	require.True(t, p.Ready(0) && p.Ready(1))
	require.False(t, p.Ready(2) || p.Ready(-1))
	require.NoError(t, testutil.GatherAndCompare(reg, strings.NewReader(`
# HELP vigil_replayed_records_total Facts records replayed to bring a partition's state to the end of the log.
# TYPE vigil_replayed_records_total counter
vigil_replayed_records_total 20
`), "vigil_replayed_records_total"))
	require.NoError(t, p.Close())
}

func TestOnlyALongReplayIsToldToTheOperator(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		records int64
		took    time.Duration
		want    slog.Level
	}{
		{1, time.Millisecond, slog.LevelDebug},
		{9_999, 4999 * time.Millisecond, slog.LevelDebug},
		{10_000, time.Millisecond, slog.LevelInfo},
		{1, 5 * time.Second, slog.LevelInfo},
	} {
		require.Equal(t, c.want, replayedLevel(c.records, c.took), "%d in %s", c.records, c.took)
	}
}

func TestAStoreThatIsAheadOfTheLogIsNotUsed(t *testing.T) {
	t.Parallel()
	c := testConfig(newBroker(t, t.TempDir()))
	withTopics(t, c)
	s := newStore(t)
	part, err := s.Partition(1)
	require.NoError(t, err)
	m := &recordingMachine{&recorder{}, 1, part}
	require.NoError(t, m.Apply(&clinical.Record{EventOffset: 4}, 41, nil))
	p, err := start(t.Context(), c, Deps{Store: s, Decoder: fhir.New(fhir.Options{}), Sets: NewRuleSets(rules.CompileOptions{}, nil)}, m.to.machine)
	require.NoError(t, err)
	defer func() { require.NoError(t, p.Close()) }()
	_, _, err = p.rules.owners[1].span()
	require.ErrorIs(t, err, ErrLogLost)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, p.WaitReady(ctx), ErrNotReady)
	require.False(t, p.Ready(1))
}

func TestAPartitionThatIsBroughtBackKeepsNoOtherWaiting(t *testing.T) {
	t.Parallel()
	c := testConfig(newBroker(t, t.TempDir()))
	w := newTestWriter(t, c)
	s := newStore(t)
	p := run(t, c, s, new(recorder), nil)
	ids := [2]string{}
	for n := 0; ids[0] == "" || ids[1] == ""; n++ {
		id := fmt.Sprint("p", n)
		ids[Partition(id, 2)] = id
	}
	for range 5 {
		for _, id := range ids {
			_, err := w.Write(t.Context(), []Event{{Patient: id, Body: observation(id, "1")}})
			require.NoError(t, err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	for n := range int32(2) {
		part, err := s.Partition(n)
		require.NoError(t, err)
		require.NoError(t, part.Wait(ctx, 4, -1))
	}
	require.NoError(t, p.Close())

	lost, err := s.Partition(1)
	require.NoError(t, err)
	require.NoError(t, lost.Drop())
	held := make(chan struct{})
	r := &recorder{fail: func(a applied) error {
		if a.replay && a.offset == 2 {
			<-held
		}
		return nil
	}}
	p, err = start(t.Context(), c, Deps{Store: s, Decoder: fhir.New(fhir.Options{}), Sets: NewRuleSets(rules.CompileOptions{}, nil)}, r.machine)
	require.NoError(t, err)
	require.Eventually(t, func() bool { return p.Ready(0) }, 10*time.Second, 5*time.Millisecond)
	_, err = w.Write(t.Context(), []Event{{Patient: ids[0], Body: observation(ids[0], "2")}, {Patient: ids[1], Body: observation(ids[1], "2")}})
	require.NoError(t, err)
	r.await(t, "the other partition goes on", func(all []applied) bool {
		return slices.ContainsFunc(all, func(a applied) bool { return a.partition == 0 && a.offset == 5 && !a.replay })
	})
	require.False(t, p.Ready(1))
	require.False(t, p.AllReady())
	status := p.Partitions()
	require.Equal(t, PartitionRunning, status[0].State)
	require.Equal(t, PartitionRecovering, status[1].State)
	require.EqualValues(t, 1, status[1].At)
	require.EqualValues(t, 5, status[1].End)
	require.NotNil(t, status[1].SecondsLeft)
	require.NoError(t, testutil.CollectAndCompare(newPartitionCollector(p.Partitions), strings.NewReader(`
# HELP vigil_partitions Partitions, by how this process stands to them: running, recovering, copy, warming, resting or elsewhere.
# TYPE vigil_partitions gauge
vigil_partitions{state="copy"} 0
vigil_partitions{state="elsewhere"} 0
vigil_partitions{state="recovering"} 1
vigil_partitions{state="resting"} 0
vigil_partitions{state="running"} 1
vigil_partitions{state="warming"} 0
# HELP vigil_recovery_records_left Records of the facts log that are to be replayed before a partition is answered for, by partition.
# TYPE vigil_recovery_records_left gauge
vigil_recovery_records_left{partition="1"} 3
`), "vigil_partitions", "vigil_recovery_records_left"))
	close(held)
	require.NoError(t, p.WaitReady(ctx))
	all := r.await(t, "and then it is given what came since", func(all []applied) bool {
		return slices.ContainsFunc(all, func(a applied) bool { return a.partition == 1 && a.offset == 5 && !a.replay })
	})
	next := int64(0)
	for _, a := range all {
		if a.partition == 1 && !a.again {
			require.Equal(t, next, a.offset)
			next++
		}
	}
	require.NoError(t, p.Close())
}

func TestAProcessorThatFailsIsStartedAgain(t *testing.T) {
	t.Parallel()
	c := testConfig(newBroker(t, t.TempDir()))
	w := newTestWriter(t, c)
	var failures atomic.Int32
	r := &recorder{fail: func(a applied) error {
		if !a.replay && a.record.EventOffset == 3 && failures.Add(1) <= 2 {
			return errors.New("the disk is full")
		}
		return nil
	}}
	reg := prometheus.NewRegistry()
	p := run(t, c, newStore(t), r, reg)
	for range 10 {
		_, err := w.Write(t.Context(), []Event{{Patient: "a", Body: observation("a", "1")}})
		require.NoError(t, err)
	}
	all := r.await(t, "all ten", count(10))
	for i, a := range events(all)[Partition("a", 2)] {
		require.EqualValues(t, i, a.offset, "each once, in order, across the restarts")
	}
	require.NoError(t, p.Close())
	require.GreaterOrEqual(t, testutil.ToFloat64(p.metrics.restarts.WithLabelValues(RoleRules)), 1.0)
}

func TestBytesThatAreNoRecordDoNotStopThePartition(t *testing.T) {
	t.Parallel()
	c := testConfig(newBroker(t, t.TempDir()))
	r := &recorder{}
	p := run(t, c, newStore(t), r, nil)
	config, err := c.clientConfig("foreign")
	require.NoError(t, err)
	config.Producer.Partitioner = sarama.NewManualPartitioner
	config.Producer.Return.Successes = true
	foreign, err := sarama.NewSyncProducer(c.Brokers, config)
	require.NoError(t, err)
	defer foreign.Close()
	stray := (&clinical.Record{Patient: "a", EventOffset: 1}).Marshal()
	wrong := 1 - Partition("a", 2)
	for _, value := range []sarama.Encoder{sarama.StringEncoder("\xff\xff"), nil, sarama.ByteEncoder(stray)} {
		_, _, err := foreign.SendMessage(&sarama.ProducerMessage{Topic: p.topics.Facts.Name, Partition: wrong, Key: sarama.StringEncoder("a"), Value: value})
		require.NoError(t, err)
	}
	all := r.await(t, "three empty records", func(all []applied) bool { return len(all) >= 3 })
	for _, a := range all {
		require.Empty(t, a.record.Patient)
		require.Equal(t, clinical.Never, a.record.Recorded, "the clock stays")
	}
	var reasons []string
	for _, m := range readAll(t, c, p.topics.DeadLetter.Name, 3) {
		var l DeadLetter
		require.NoError(t, json.Unmarshal(m.Value, &l))
		reasons = append(reasons, l.Reason)
	}
	require.ElementsMatch(t, []string{ReasonNotARecord, ReasonNotARecord, ReasonWrongPatient}, reasons)
	require.NoError(t, p.Close())
}

func TestRowsGoToTheGroupTable(t *testing.T) {
	t.Parallel()
	c := testConfig(newBroker(t, t.TempDir()))
	r := &recorder{}
	p := run(t, c, newStore(t), r, nil)
	_, err := newTestWriter(t, c).Write(t.Context(), []Event{{Patient: "a", Body: observation("a", "1")}})
	require.NoError(t, err)
	m := readAll(t, c, p.topics.RulesTable.Name, 1)[0]
	require.Equal(t, "a", string(m.Key))
	require.Equal(t, "row of a", string(m.Value))
	require.NoError(t, p.Close())
}
