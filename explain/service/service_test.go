package service

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/vigil-cds/vigil/explain/archive"
	"github.com/vigil-cds/vigil/explain/record"
	"github.com/vigil-cds/vigil/explain/replay"
	"github.com/vigil-cds/vigil/internal/broker"
	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/internal/fhir"
	"github.com/vigil-cds/vigil/processor"
	"github.com/vigil-cds/vigil/rules"
	"github.com/vigil-cds/vigil/store"
)

const pack = `pack: ward
inputs:
  pulse: {observation: ["loinc|8867-4"]}
rules:
  - {id: tachycardia, title: Fast, severity: warning, source: x, when: pulse.last('2h') > 120, message: "Pulse {{ pulse.last('2h') }}"}
  - {id: unwatched, title: Unwatched, severity: info, source: x, when: pulse.hours_since() > 6}
`

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// site is a broker, the engine in simulated time, and an explain role over both.
type site struct {
	t        *testing.T
	config   processor.Config
	writer   *processor.Writer
	engine   *processor.Processor
	archive  *archive.Archive
	service  *Service
	registry *prometheus.Registry
	dir      string
	alerts   string // the topic that the audit reads
}

func newSite(t *testing.T) *site {
	t.Helper()
	b, err := broker.Start(t.TempDir(), broker.Options{NoSync: true})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, b.Close()) })
	s := &site{t: t, dir: t.TempDir(), config: processor.Config{Brokers: []string{b.Addr()}, Partitions: 2, Clock: processor.ClockLog, RestartDelay: 50 * time.Millisecond}.Fill()}
	require.NoError(t, s.config.Topics().Ensure(t.Context(), s.config))
	s.alerts = s.config.Topics().Alerts.Name
	s.writer, err = processor.NewWriter(s.config)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.writer.Close()) })
	s.archive = openArchive(t)
	return s
}

// run starts the engine with the pack.
func (s *site) run() {
	s.t.Helper()
	kept, err := store.Open("store", store.Options{FS: vfs.NewMem()})
	require.NoError(s.t, err)
	s.t.Cleanup(func() { require.NoError(s.t, kept.Close()) })
	s.engine, err = processor.Start(s.t.Context(), s.config, processor.Deps{Store: kept, Decoder: fhir.New(fhir.Options{}),
		Sets:    processor.NewRuleSets(rules.CompileOptions{}, kept.RuleSet),
		RuleSet: rules.NewSet(clinical.File{Name: "ward.yaml", Data: []byte(pack)})})
	require.NoError(s.t, err)
	s.t.Cleanup(func() { require.NoError(s.t, s.engine.Close()) })
	ctx, cancel := context.WithTimeout(s.t.Context(), 30*time.Second)
	defer cancel()
	require.NoError(s.t, s.engine.WaitReady(ctx))
}

func (s *site) explain(edit func(*Config, *Deps)) {
	s.t.Helper()
	s.registry = prometheus.NewRegistry()
	c := Config{Log: s.config, Grace: 50 * time.Millisecond}
	d := Deps{Archive: s.archive, Sets: replay.NewSets(s.archive, rules.CompileOptions{}), Divergences: filepath.Join(s.dir, "divergences"), Registerer: s.registry}
	if edit != nil {
		edit(&c, &d)
	}
	topics := s.config.Topics()
	topics.Alerts.Name = s.alerts
	var err error
	s.service, err = start(s.t.Context(), c, d, topics)
	require.NoError(s.t, err)
	running := s.service
	s.t.Cleanup(func() { require.NoError(s.t, running.Close()) })
}

// beat states a pulse.
func (s *site) beat(patient string, at time.Time, value float64) {
	s.t.Helper()
	line := fmt.Sprintf(`{"patient":%q,"code":"loinc|8867-4","time":%q,"value":%g}`+"\n", patient, at.Format(time.RFC3339), value)
	_, err := s.writer.Write(s.t.Context(), []processor.Event{{Patient: patient, Media: processor.MediaCompact, Method: "POST",
		Recorded: clinical.At(at), Body: []byte(line)}})
	require.NoError(s.t, err)
}

func (s *site) until(what string, holds func(Status) bool) Status {
	s.t.Helper()
	var st Status
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		if st = s.service.Status(); holds(st) {
			return st
		}
	}
	s.t.Fatalf("%s never was: %+v", what, st)
	return st
}

// day is a day of some patients: each fires and clears both rules.
func (s *site) day(patients int) (transitions int64) {
	for i := range 4 {
		for p := range patients {
			s.beat(fmt.Sprint("p", p), noon.Add(time.Duration(i)*8*time.Hour), []float64{130, 80, 140, 90}[i])
		}
	}
	// tachycardia fires twice and is cleared by time twice; unwatched fires thrice by time, and is cleared
	// by the next beat each time.
	return int64(patients) * (4 + 6)
}

func TestEveryAlertIsMatchedAndEveryExplanationPublished(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.run()
	s.explain(nil)
	want := s.day(6)
	st := s.until("everything matched", func(st Status) bool { return st.Ready && st.Matched == want && st.Pending == 0 })
	require.Equal(t, want, st.Explained)
	require.Zero(t, st.Divergences)
	require.False(t, st.Degraded)
	require.Empty(t, s.service.Degraded())

	seen := map[string]bool{}
	for _, m := range s.read(s.config.Topics().Explanations.Name, int(want)) {
		var e record.Explanation
		require.NoError(t, json.Unmarshal(m.Value, &e))
		require.NoError(t, e.Check(), "what is published proves itself")
		require.Equal(t, string(m.Key), e.Patient)
		require.Equal(t, HeaderExplanation, string(m.Headers[0].Key))
		require.Equal(t, e.ID, string(m.Headers[0].Value))
		seen[e.ID] = true
	}
	require.Len(t, seen, int(want))
	require.EqualValues(t, want, testutil.ToFloat64(s.service.metrics.matched))
}

// read reads n records of a topic.
func (s *site) read(topic string, n int) (all []*sarama.ConsumerMessage) {
	s.t.Helper()
	config, err := s.config.ClientConfig("test")
	require.NoError(s.t, err)
	consumer, err := sarama.NewConsumer(s.config.Brokers, config)
	require.NoError(s.t, err)
	defer consumer.Close()
	messages := make(chan *sarama.ConsumerMessage)
	done := make(chan struct{})
	defer close(done)
	for p := range int32(s.config.Partitions) {
		pc, err := consumer.ConsumePartition(topic, p, sarama.OffsetOldest)
		require.NoError(s.t, err)
		go func() {
			defer pc.AsyncClose()
			for {
				select {
				case m := <-pc.Messages():
					select {
					case messages <- m:
					case <-done:
						return
					}
				case <-done:
					return
				}
			}
		}()
	}
	for len(all) < n {
		select {
		case m := <-messages:
			all = append(all, m)
		case <-time.After(20 * time.Second):
			s.t.Fatalf("%d of %d records of %s", len(all), n, topic)
		}
	}
	return all
}

func TestItGoesOnWhereTheArchiveStands(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.run()
	s.explain(nil)
	first := s.day(2)
	s.until("the first day", func(st Status) bool { return st.Explained == first })
	require.NoError(t, s.service.Close())
	before := s.states()
	s.beat("p0", noon.Add(72*time.Hour), 150)
	s.explain(nil)
	s.until("the rest", func(st Status) bool { return st.Ready && st.Explained > first && st.Explained == st.Matched })
	require.Less(t, testutil.ToFloat64(s.service.metrics.records), 8.0, "not from the beginning: %v", before)
}

func (s *site) states() (states []archive.State) {
	for p := range int32(s.config.Partitions) {
		part, err := s.archive.Partition(p)
		require.NoError(s.t, err)
		states = append(states, part.State())
	}
	return states
}

// The engine is not running: alerts are written by the test, so that every way to differ can be shown.
func TestTheAuditTellsEveryWayToDiffer(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.run()
	want := s.day(1)
	alerts := s.read(s.config.Topics().Alerts.Name, int(want))
	// A second alerts topic stands in for an engine that is wrong.
	wrong := s.config
	wrong.Prefix = "wrong-"
	topics := wrong.Topics()
	require.NoError(t, topics.Ensure(t.Context(), wrong))
	producer, err := processor.NewProducer(s.config, "test", 0)
	require.NoError(t, err)
	defer producer.Close()
	send := func(edit func(map[string]any), m *sarama.ConsumerMessage) {
		var body map[string]any
		require.NoError(t, json.Unmarshal(m.Value, &body))
		edit(body)
		text, err := json.Marshal(body)
		require.NoError(t, err)
		require.NoError(t, producer.Write(t.Context(), []kgo.Record{{Topic: topics.Alerts.Name, Key: m.Key, Value: text}}))
	}
	same := func(map[string]any) {}
	send(same, alerts[0])
	send(same, alerts[0]) // again
	send(func(b map[string]any) { b["message"] = "Pulse 99"; b["since"] = noon.Add(time.Hour) }, alerts[2])
	send(func(b map[string]any) { b["id"] = b["id"].(string) + "9" }, alerts[3]) // an instant that is none
	for _, m := range alerts[4:] {
		send(same, m)
	}
	// alerts[1] is missing.
	s.alerts = topics.Alerts.Name
	s.explain(nil)
	st := s.until("four divergences", func(st Status) bool { return st.Divergences >= 4 })
	require.EqualValues(t, 4, st.Divergences, "the missing one, the differing one, the one that is none, and the one that it should have been")
	require.EqualValues(t, want-3, st.Matched)
	require.True(t, st.Degraded)
	require.Contains(t, s.service.Degraded(), "4 transitions")
	kinds := map[string]int{}
	for p := range int32(s.config.Partitions) {
		part, err := s.archive.Partition(p)
		require.NoError(t, err)
		require.NoError(t, part.Divergences(func(d archive.Divergence) error {
			var v divergence
			require.NoError(t, json.Unmarshal(d.Data, &v))
			kinds[v.Kind]++
			if v.Kind == differs {
				require.Equal(t, []string{"message", "since"}, v.Fields)
			}
			return nil
		}))
	}
	require.Equal(t, map[string]int{differs: 1, alertOnly: 1, explanationOnly: 2}, kinds)
	var files []string
	require.Eventually(t, func() bool { // they are written when the archive has the divergence
		files, _ = filepath.Glob(filepath.Join(s.dir, "divergences", "*", "*"))
		return len(files) == 4*4
	}, 20*time.Second, 20*time.Millisecond, "rules, facts, what each side says, and how to run it")
	info, err := os.Stat(files[0])
	require.NoError(t, err)
	require.Zero(t, info.Mode().Perm()&0o077, "data of a patient is for its owner")

	// The next start does not forget.
	require.NoError(t, s.service.Close())
	s.explain(nil)
	require.EqualValues(t, 4, testutil.ToFloat64(s.service.metrics.divergence.WithLabelValues("tachycardia"))+
		testutil.ToFloat64(s.service.metrics.divergence.WithLabelValues("unwatched")))
}

func TestItPausesWhileTheLiveRulesLag(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.run()
	want := s.day(2)
	lagging := make(chan struct{})
	s.explain(func(_ *Config, d *Deps) {
		d.LiveLag = func() int64 {
			select {
			case <-lagging:
				return 0
			default:
				return 1 << 20
			}
		}
	})
	s.until("the pause", func(st Status) bool { return st.Paused != "" })
	require.Zero(t, s.service.Status().Explained)
	close(lagging)
	s.until("the rest", func(st Status) bool { return st.Explained == want && st.Paused == "" })
}

func TestALogThatIsNotTheArchivesIsRefused(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	p, err := s.archive.Partition(0)
	require.NoError(t, err)
	b := p.Begin()
	state := p.State()
	state.Facts = 1000
	b.SetState(state)
	require.NoError(t, b.Commit())
	s.explain(nil)
	require.Eventually(t, func() bool { return testutil.ToFloat64(s.service.metrics.restarts) > 0 }, 20*time.Second, 50*time.Millisecond)
	require.False(t, s.service.Ready())
}
