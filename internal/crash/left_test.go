package crash

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/vigil-cds/vigil/internal/broker"
	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/processor"
	"github.com/vigil-cds/vigil/rules"
	"github.com/vigil-cds/vigil/store"
)

// inspect looks at what a stopped child has left in its data directory (see inspectLog).
func inspect(t *testing.T, data string, partitions int) map[string][]string {
	t.Helper()
	b, err := broker.Start(filepath.Join(data, "broker"), broker.Options{NoSync: true})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	return inspectLog(t, []string{b.Addr()}, data, partitions)
}

// inspectLog looks at what a stopped child has left in the logs and in its store. The logs must be in order,
// the state, the alerts and the rows in goka's changelog those that the facts log gives when it is played
// undisturbed. It returns the transitions of each patient, without what differs from one log to another.
func inspectLog(t *testing.T, brokers []string, data string, partitions int) map[string][]string {
	t.Helper()
	s, err := store.Open(filepath.Join(data, "store"), store.Options{Memory: store.MinMemory})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	topics := processor.Config{Partitions: partitions}.Fill().Topics()
	events, facts := read(t, brokers, topics.Events.Name), read(t, brokers, topics.Facts.Name)
	alerts, rows := read(t, brokers, topics.Alerts.Name), read(t, brokers, topics.RulesTable.Name)
	sets := processor.NewRuleSets(rules.CompileOptions{}, nil)
	byPatient := map[string][]string{}
	for n := range int32(partitions) {
		log := inOrder(t, n, facts[n], len(events[n]))
		p, err := s.Partition(n)
		if err != nil {
			t.Fatal(err)
		}
		held, err := contentsOf(p)
		if err != nil {
			t.Fatal(err)
		}
		played := 0
		r := &run{calm: new(Calm), tally: new(Tally)}
		err = play(n, sets, log, func(p *store.Partition) error {
			if played++; played < len(log) {
				return nil
			}
			want, err := contentsOf(p)
			if d := held.differs(want); err == nil && d != "" {
				err = fmt.Errorf("%w: %s", ErrDiffers, d)
			}
			if err == nil {
				r.calm.alerts, err = alertsOf(p)
			}
			return err
		})
		if err != nil {
			t.Fatalf("partition %d: %v", n, err)
		}
		for _, m := range alerts[n] {
			r.topic = append(r.topic, alertOf(t, m))
		}
		if err := r.compareAlerts(); err != nil {
			t.Fatalf("partition %d: %v", n, err)
		}
		if pending, err := p.Pending(1); err != nil || len(pending) > 0 {
			t.Fatalf("partition %d: alerts are left in the outbox: %d, %v", n, len(pending), err)
		}
		compareTable(t, n, p, rows[n])
		for _, a := range r.calm.alerts {
			byPatient[a.Patient] = append(byPatient[a.Patient], transition(t, a.Body))
		}
	}
	return byPatient
}

// inOrder decodes a partition of the facts log. Every event has its record in it once, in the order of the
// events.
func inOrder(t *testing.T, partition int32, facts []*kgo.Record, events int) (log []clinical.Record) {
	t.Helper()
	next := int64(0)
	for i, m := range facts {
		rec, err := clinical.UnmarshalRecord(m.Value)
		if err != nil || m.Offset != int64(i) {
			t.Fatalf("partition %d: facts record %d at offset %d: %v", partition, i, m.Offset, err)
		}
		if rec.EventOffset >= 0 {
			if rec.EventOffset != next {
				t.Fatalf("partition %d: facts record %d is of event %d, want %d", partition, i, rec.EventOffset, next)
			}
			next++
		}
		log = append(log, *rec)
	}
	if next != int64(events) {
		t.Fatalf("partition %d: %d of %d events have their facts record", partition, next, events)
	}
	return log
}

// compareTable holds the last rows in goka's changelog to those of the store.
func compareTable(t *testing.T, partition int32, p *store.Partition, changelog []*kgo.Record) {
	t.Helper()
	last := map[string]string{}
	for _, m := range changelog {
		last[string(m.Key)] = string(m.Value)
	}
	err := p.Contents(func(e store.Entry) error {
		if e.Family != "rows" {
			return nil
		}
		patient := string(e.Key[3 : bytes.IndexByte(e.Key[3:], 0)+3]) // see the key grammar
		if last[patient] != string(e.Value) {
			return fmt.Errorf("%w: the changelog's row of %s is not the store's", ErrDiffers, patient)
		}
		delete(last, patient)
		return nil
	})
	if err == nil && len(last) > 0 {
		err = fmt.Errorf("%w: the changelog has rows that the store lacks: %v", ErrDiffers, slices.Sorted(maps.Keys(last)))
	}
	if err != nil {
		t.Fatalf("partition %d: %v", partition, err)
	}
}

func alertOf(t *testing.T, m *kgo.Record) store.OutboxRecord {
	t.Helper()
	a := store.OutboxRecord{Patient: string(m.Key), Body: m.Value}
	for _, h := range m.Headers {
		switch h.Key {
		case "id":
			a.ID = string(h.Value)
		case "number":
			if _, err := fmt.Sscan(string(h.Value), &a.Number); err != nil {
				t.Fatal(err)
			}
		}
	}
	return a
}

// transition is what an alert says, without what differs from one log to another.
func transition(t *testing.T, body []byte) string {
	t.Helper()
	var x struct {
		Kind, Rule, Message string
		At, Since           time.Time
		Values              json.RawMessage
	}
	if err := json.Unmarshal(body, &x); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%s %s %s since %s: %s %s", x.At.Format(time.RFC3339), x.Kind, x.Rule, x.Since.Format(time.RFC3339), x.Message, x.Values)
}

// read gives all records of a topic, by partition and in order.
func read(t *testing.T, brokers []string, topic string) map[int32][]*kgo.Record {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers...), kgo.ConsumeTopics(topic), kgo.FetchMaxWait(10*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	ends, err := kadm.NewClient(client).ListEndOffsets(ctx, topic)
	if err != nil {
		t.Fatal(err)
	}
	want, missing := map[int32]int64{}, 0
	ends.Each(func(o kadm.ListedOffset) {
		if want[o.Partition] = o.Offset; o.Offset > 0 {
			missing++
		}
	})
	got := map[int32][]*kgo.Record{}
	for missing > 0 {
		fetched := client.PollFetches(ctx)
		if err := fetched.Err(); err != nil {
			t.Fatalf("reading %s: %v", topic, err)
		}
		fetched.EachRecord(func(m *kgo.Record) {
			got[m.Partition] = append(got[m.Partition], m)
			if m.Offset == want[m.Partition]-1 {
				missing--
			}
		})
	}
	return got
}
