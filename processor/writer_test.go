package processor

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vigil-cds/vigil/internal/broker"
	"github.com/vigil-cds/vigil/internal/clinical"
)

func TestAWriteAnswersWhereEachEventIs(t *testing.T) {
	t.Parallel()
	c := testConfig(newBroker(t, t.TempDir()))
	topics := withTopics(t, c)
	w := newTestWriter(t, c)
	events := []Event{
		{Patient: "a", Body: []byte(`{"n":1}`)},
		{Patient: "b", Media: MediaCompact, Recorded: 1_700_000_000_000, Body: []byte(`{"n":2}`)},
		{Patient: "a", Method: "DELETE", Type: "Observation", ID: "7", Recorded: -5, Body: []byte{}},
	}
	before := time.Now().Add(-time.Second)
	positions, err := w.Write(t.Context(), events)
	require.NoError(t, err)
	require.Len(t, positions, 3)
	records := map[string]int{}
	for _, m := range readAll(t, c, topics.Events.Name, 3) {
		at := Position{EventsLog, m.Partition, m.Offset}
		for i, p := range positions {
			if p != at {
				continue
			}
			records[p.String()] = i
			require.Equal(t, events[i].Patient, string(m.Key))
			require.Equal(t, events[i].Body, m.Value)
			require.Equal(t, Partition(events[i].Patient, 2), m.Partition)
			headers := map[string]string{}
			for _, h := range m.Headers {
				headers[string(h.Key)] = string(h.Value)
			}
			switch i {
			case 0:
				require.Empty(t, headers)
				require.True(t, m.Timestamp.After(before))
			case 1:
				require.Equal(t, map[string]string{"media": MediaCompact}, headers)
				require.Equal(t, clinical.Instant(1_700_000_000_000), clinical.At(m.Timestamp))
			case 2:
				require.Equal(t, map[string]string{"method": "DELETE", "type": "Observation", "id": "7"}, headers)
				require.Equal(t, clinical.Instant(1), clinical.At(m.Timestamp), "Kafka holds no time before 1970")
			}
		}
	}
	require.Len(t, records, 3)
	none, err := w.Write(t.Context(), nil)
	require.NoError(t, err)
	require.Empty(t, none)
}

func TestManyWritersKeepTheOrderOfEachPatient(t *testing.T) {
	t.Parallel()
	c := testConfig(newBroker(t, t.TempDir()))
	topics := withTopics(t, c)
	w := newTestWriter(t, c)
	const writers, each = 8, 50
	var joined sync.WaitGroup
	for i := range writers {
		joined.Go(func() {
			for n := range each {
				_, err := w.Write(t.Context(), []Event{{Patient: fmt.Sprint("p", i), Body: []byte(strconv.Itoa(n))}})
				require.NoError(t, err)
			}
		})
	}
	joined.Wait()
	next := map[string]int{}
	for _, m := range readAll(t, c, topics.Events.Name, writers*each) {
		require.Equal(t, strconv.Itoa(next[string(m.Key)]), string(m.Value))
		next[string(m.Key)]++
	}
}

func TestAnEventThatNeverFitsIsRefusedAndTheNextIsTaken(t *testing.T) {
	t.Parallel()
	c := testConfig(newBroker(t, t.TempDir()))
	withTopics(t, c)
	w := newTestWriter(t, c)
	_, err := w.Write(t.Context(), []Event{{Patient: "a", Body: make([]byte, broker.MaxMessageBytes+1)}})
	require.ErrorIs(t, err, ErrTooLarge)
	_, err = w.Write(t.Context(), []Event{{Patient: "a", Body: []byte("{}")}})
	require.NoError(t, err)
}

func TestAWriterGoesOnWhenTheLogIsBack(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	b, err := broker.Start(dir, broker.Options{NoSync: true})
	require.NoError(t, err)
	c := testConfig(b)
	withTopics(t, c)
	w := newTestWriter(t, c)
	_, err = w.Write(t.Context(), []Event{{Patient: "a", Body: []byte("1")}})
	require.NoError(t, err)
	require.NoError(t, b.Close())

	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	_, err = w.Write(ctx, []Event{{Patient: "a", Body: []byte("2")}})
	require.ErrorIs(t, err, ErrLogUnavailable)

	_, port, err := net.SplitHostPort(c.Brokers[0])
	require.NoError(t, err)
	n, err := strconv.Atoi(port)
	require.NoError(t, err)
	b, err = broker.Start(dir, broker.Options{NoSync: true, Port: n})
	require.NoError(t, err)
	defer b.Close()
	positions, err := w.Write(t.Context(), []Event{{Patient: "a", Body: []byte("3")}})
	require.NoError(t, err)
	require.EqualValues(t, 2, positions[0].Offset, "what was not acknowledged in time came before it")
}

func TestAWriteEndsWithItsContext(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0") // takes connections and never answers
	require.NoError(t, err)
	defer listener.Close()
	w, err := NewWriter(Config{Brokers: []string{listener.Addr().String()}})
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err = w.Write(ctx, []Event{{Patient: "a", Body: []byte("1")}})
	require.ErrorIs(t, err, ErrLogUnavailable)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	w.producer.client.Close() // what it has is not worth waiting for
}

func TestAClosedWriterRefuses(t *testing.T) {
	t.Parallel()
	c := testConfig(newBroker(t, t.TempDir()))
	withTopics(t, c)
	w, err := NewWriter(c)
	require.NoError(t, err)
	_, err = w.Write(t.Context(), []Event{{Patient: "a", Body: []byte("1")}})
	require.NoError(t, err)
	require.NoError(t, w.Close())
	require.NoError(t, w.Close())
	_, err = w.Write(t.Context(), []Event{{Patient: "a", Body: []byte("1")}})
	require.ErrorIs(t, err, ErrLogUnavailable)
}
