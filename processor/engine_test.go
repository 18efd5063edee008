package processor

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/internal/fhir"
	"github.com/vigil-cds/vigil/rules"
	"github.com/vigil-cds/vigil/store"
)

// pulse is a set with one rule: a heart rate above the limit in the last two seconds.
func pulse(limit int) *rules.Set {
	return rules.NewSet(clinical.File{Name: "pulse.yaml", Data: fmt.Appendf(nil, `
pack: pulse
inputs:
  hr: {observation: ["loinc|8867-4"], unit: /min}
rules:
  - id: fast
    title: Fast heart rate
    severity: warning
    source: a test
    when: hr.max('2s') > %d
`, limit)})
}

func runEngine(t *testing.T, c Config, s *store.Store, set *rules.Set) *Processor {
	t.Helper()
	p, err := Start(t.Context(), c, Deps{Store: s, Decoder: fhir.New(fhir.Options{}), Sets: NewRuleSets(rules.CompileOptions{}, s.RuleSet), RuleSet: set})
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	require.NoError(t, p.WaitReady(ctx))
	return p
}

func beat(t *testing.T, w *Writer, patient string, value float64, at time.Time) Position {
	t.Helper()
	positions, err := w.Write(t.Context(), []Event{{Patient: patient, Media: MediaCompact, Recorded: clinical.At(at),
		Body: compact(patient, value, at.UTC().Format("2006-01-02T15:04:05.000Z"))}})
	require.NoError(t, err)
	return positions[0]
}

// sent is a transition as the alerts topic has it.
type sent struct {
	ID, Patient, Kind string
	At                time.Time
	Cause             Cause
	Values            map[string]any
}

func transitions(t *testing.T, c Config, n int) []sent {
	t.Helper()
	var got []sent
	for _, m := range readAll(t, c, c.Topics().Alerts.Name, n) {
		var tr sent
		require.NoError(t, json.Unmarshal(m.Value, &tr))
		require.Equal(t, tr.Patient, string(m.Key))
		require.Equal(t, Partition(tr.Patient, c.Partitions), m.Partition)
		require.Equal(t, tr.ID, string(m.Headers[0].Value))
		got = append(got, tr)
	}
	return got
}

func TestAnAlertFiresOnDataAndClearsByTimeAlone(t *testing.T) {
	t.Parallel()
	c := testConfig(newBroker(t, t.TempDir()))
	s := newStore(t)
	p := runEngine(t, c, s, pulse(100))
	w := newTestWriter(t, c)
	now := time.Now().Add(500 * time.Millisecond).Truncate(time.Millisecond) // no tick of the start is later
	at := beat(t, w, "a", 120, now)
	part, err := s.Partition(at.Partition)
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	require.NoError(t, part.Wait(ctx, -1, at.Offset), "one can wait for one's own write")

	got := transitions(t, c, 2)
	require.Equal(t, Fired, got[0].Kind)
	require.Equal(t, CauseFact, got[0].Cause.Kind)
	require.Equal(t, now.UTC(), got[0].At)
	require.Equal(t, Cleared, got[1].Kind, "a tick came when the window had passed")
	require.Equal(t, CauseTime, got[1].Cause.Kind)
	require.Equal(t, now.Add(2*time.Second+time.Millisecond).UTC(), got[1].At, "at the very instant")
	require.NoError(t, p.Close())
}

func TestARuleSetIsActivatedOnce(t *testing.T) {
	t.Parallel()
	c := testConfig(newBroker(t, t.TempDir()))
	c.Clock = ClockLog
	s := newStore(t)
	p := runEngine(t, c, s, pulse(100))
	w := newTestWriter(t, c)
	at := beat(t, w, "a", 120, time.UnixMilli(1_700_000_000_000))
	part, err := s.Partition(at.Partition)
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	require.NoError(t, part.Wait(ctx, 1, at.Offset))
	require.Equal(t, pulse(100).Hash(), part.State().RuleSet)
	require.EqualValues(t, 1, part.State().Facts, "the activation and the fact")

	require.NoError(t, p.Activate(ctx, pulse(100)))
	require.ErrorIs(t, p.Activate(ctx, rules.NewSet(clinical.File{Name: "bad.yaml", Data: []byte("pack: [")})), rules.ErrInvalid)
	require.NoError(t, p.Activate(ctx, pulse(150)))
	require.NoError(t, part.Wait(ctx, 2, -1))
	require.Equal(t, pulse(150).Hash(), part.State().RuleSet)

	// The next record carries the change on to the patients.
	beat(t, w, "a", 90, time.UnixMilli(1_700_000_000_100))
	got := transitions(t, c, 2)
	require.Equal(t, []string{Fired, Cleared}, []string{got[0].Kind, got[1].Kind})
	require.Equal(t, CauseActivation, got[1].Cause.Kind)
	require.NoError(t, p.Close())

	p = runEngine(t, c, s, pulse(150))
	require.NoError(t, p.Activate(ctx, pulse(150)))
	require.NoError(t, p.Close())
	published := readAll(t, c, c.Topics().RuleSets.Name, 2) // neither the same set again, nor a faulty one, nor a start with the active one
	require.Equal(t, pulse(100).Hash(), string(published[0].Key))
	require.Equal(t, pulse(150).Hash(), string(published[1].Key))
}

func TestALostStoreSendsNoAlertAgain(t *testing.T) {
	t.Parallel()
	c := testConfig(newBroker(t, t.TempDir()))
	c.Clock = ClockLog
	p := runEngine(t, c, newStore(t), pulse(100))
	w := newTestWriter(t, c)
	start := time.UnixMilli(1_700_000_000_000)
	for i := range 20 {
		beat(t, w, "a", float64(80+40*(i%2)), start.Add(time.Duration(i)*10*time.Second))
	}
	before := transitions(t, c, 19)
	require.NoError(t, p.Close())

	s := newStore(t)
	p = runEngine(t, c, s, nil)
	part, err := s.Partition(Partition("a", 2))
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		pending, err := part.Pending(1)
		return err == nil && len(pending) == 0
	}, 5*time.Second, 5*time.Millisecond, "the outbox that was built again is known to be sent")
	beat(t, w, "a", 120, start.Add(time.Hour)) // two more: the one before clears by time, this one fires
	after := transitions(t, c, 21)
	require.Equal(t, before, after[:19])
	require.Len(t, after, 21)
	require.NoError(t, p.Close())
	ids := map[string]bool{}
	for _, tr := range after {
		require.False(t, ids[tr.ID], "sent twice: %s", tr.ID)
		ids[tr.ID] = true
	}
}

// What the disk holds at one instant is what a killed process leaves behind.
func TestWhatAKilledProcessLeavesBehindIsGoneOnFrom(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	b := newBroker(t, dir)
	c := testConfig(b)
	c.Clock = ClockLog
	p := runEngine(t, c, newStore(t), pulse(100))
	w := newTestWriter(t, c)
	start := time.UnixMilli(1_700_000_000_000)
	var last Position
	for i := range 200 {
		last = beat(t, w, "a", float64(80+40*(i%2)), start.Add(time.Duration(i)*10*time.Second))
	}
	left := t.TempDir()
	require.NoError(t, os.CopyFS(left, os.DirFS(dir)), "while the pipeline is in the middle of it")
	require.NoError(t, p.Close())

	c2 := testConfig(newBroker(t, left))
	c2.Clock = ClockLog
	s := newStore(t)
	p = runEngine(t, c2, s, nil)
	part, err := s.Partition(last.Partition)
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	require.NoError(t, part.Wait(ctx, -1, last.Offset), "no acknowledged event is lost")
	beat(t, newTestWriter(t, c2), "a", 80, start.Add(time.Hour))
	// 100 beats were fast; each fired by its own fact and cleared when its window had passed.
	kinds := map[string]string{}
	require.Eventually(t, func() bool {
		pending, err := part.Pending(1)
		return err == nil && len(pending) == 0 && part.State().Outbox == 200
	}, 5*time.Second, 5*time.Millisecond)
	for _, tr := range transitions(t, c2, 200) {
		kinds[tr.ID] = tr.Kind
	}
	require.Len(t, kinds, 200, "each transition is there")
	require.NoError(t, p.Close())
}

func TestTheSentPrefixOfAlertsHasNoGap(t *testing.T) {
	t.Parallel()
	c := testConfig(newBroker(t, t.TempDir()))
	withTopics(t, c)
	config, err := c.clientConfig("test")
	require.NoError(t, err)
	client, err := sarama.NewClient(c.Brokers, config)
	require.NoError(t, err)
	defer client.Close()
	r := &rulesRole{config: c, topics: c.Topics(), client: client}
	send := newTestProducer(t, c)
	defer send.Close()
	for _, step := range []struct {
		append []uint64
		next   uint64
	}{
		{nil, 0},
		{[]uint64{0}, 1},
		{[]uint64{1, 3, 4}, 2}, // of a batch that failed
		{[]uint64{1, 2, 3, 4}, 5},
	} {
		var records []kgo.Record
		for _, n := range step.append {
			records = append(records, kgo.Record{Topic: r.topics.Alerts.Name, Key: []byte(controlKey(1)),
				Headers: []kgo.RecordHeader{{Key: headerNumber, Value: fmt.Append(nil, n)}}})
		}
		require.NoError(t, send.Write(t.Context(), records))
		next, err := r.sentAlerts(t.Context(), 1)
		require.NoError(t, err)
		require.Equal(t, step.next, next)
	}
}
