package processor

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/IBM/sarama"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// ranged is a cluster of three with a topic of one partition that has so many records, and a client of it.
func ranged(t *testing.T, n int, value func(i int) string) (*kfake.Cluster, sarama.Client) {
	t.Helper()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(3), kfake.SeedTopics(1, "log"),
		kfake.BrokerConfigs(map[string]string{"message.max.bytes": fmt.Sprint(32 << 20)}))
	require.NoError(t, err)
	t.Cleanup(cluster.Close)
	c := Config{Brokers: cluster.ListenAddrs(), Partitions: 1}.Fill()
	config, err := c.clientConfig("test")
	require.NoError(t, err)
	client, err := sarama.NewClient(c.Brokers, config)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, client.Close()) })
	p := newTestProducer(t, c)
	defer p.Close()
	for i := range n {
		require.NoError(t, p.Write(t.Context(), records("log", fmt.Sprint("key ", i), value(i))))
	}
	return cluster, client
}

func small(i int) string { return fmt.Sprint("value ", i) }

// offsets reads a range and returns the offsets that came, once each is seen to be what was written.
func offsets(t *testing.T, client sarama.Client, from, end int64, value func(i int) string) (got []int64, err error) {
	t.Helper()
	err = readRange(t.Context(), client, "log", 0, from, end, func(m *sarama.ConsumerMessage) error {
		require.Equal(t, fmt.Sprint("key ", m.Offset), string(m.Key))
		require.Equal(t, value(int(m.Offset)), string(m.Value))
		got = append(got, m.Offset)
		return nil
	})
	return got, err
}

func TestARangeIsReadFromItsStartToItsEnd(t *testing.T) {
	t.Parallel()
	_, client := ranged(t, 8, small)
	for _, c := range []struct {
		from, end int64
		want      []int64
	}{{0, 8, []int64{0, 1, 2, 3, 4, 5, 6, 7}}, {3, 5, []int64{3, 4}}, {7, 8, []int64{7}}, {4, 4, nil}, {5, 2, nil}} {
		got, err := offsets(t, client, c.from, c.end, small)
		require.NoError(t, err)
		require.Equal(t, c.want, got)
	}
}

func TestARecordLargerThanWhatIsAskedForIsRead(t *testing.T) {
	t.Parallel()
	large := func(i int) string { return strings.Repeat("x", 3*rangeBytes+i) }
	_, client := ranged(t, 2, large)
	got, err := offsets(t, client, 0, 2, large)
	require.NoError(t, err)
	require.Equal(t, []int64{0, 1}, got)
}

func TestARangeIsReadThoughItsLeaderMovesAndFails(t *testing.T) {
	t.Parallel()
	cluster, client := ranged(t, 6, small)
	cluster.ControlKey(int16(kmsg.Fetch), func(kmsg.Request) (kmsg.Response, error, bool) {
		return nil, errors.New("the connection is lost"), true
	})
	moving := cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Topic: "log", Err: kerr.NotLeaderForPartition, Count: 2})
	require.NoError(t, cluster.MoveTopicPartition("log", 0, (cluster.LeaderFor("log", 0)+1)%3))
	got, err := offsets(t, client, 1, 6, small)
	require.NoError(t, err)
	require.Equal(t, []int64{1, 2, 3, 4, 5}, got)
	require.Equal(t, 2, moving.Hits())
}

func TestARangeThatTheLogNoLongerHasIsAFault(t *testing.T) {
	t.Parallel()
	cluster, client := ranged(t, 4, small)
	require.NoError(t, cluster.DeleteRecords("log", 0, 2))
	_, err := offsets(t, client, 0, 4, small)
	require.ErrorIs(t, err, ErrLogTruncated)
}

func TestReadingARangeEndsWithItsContextAndItsReader(t *testing.T) {
	t.Parallel()
	_, client := ranged(t, 4, small)
	enough := errors.New("enough")
	require.ErrorIs(t, readRange(t.Context(), client, "log", 0, 0, 4, func(*sarama.ConsumerMessage) error { return enough }), enough)
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(enough)
	// The end lies where the log does not reach: nothing more comes.
	require.ErrorIs(t, readRange(ctx, client, "log", 0, 0, 100, func(*sarama.ConsumerMessage) error { return nil }), enough)
}
