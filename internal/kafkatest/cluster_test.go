//go:build kafka

package kafkatest_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/vigil-cds/vigil/internal/kafkatest"
)

func client(t *testing.T, c *kafkatest.Cluster) (*kgo.Client, context.Context) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(cancel)
	k, err := kgo.NewClient(kgo.SeedBrokers(c.Brokers()...), kgo.ConsumeTopics("log"), kgo.DefaultProduceTopic("log"))
	require.NoError(t, err)
	t.Cleanup(k.Close)
	return k, ctx
}

func produce(ctx context.Context, t *testing.T, k *kgo.Client, value string) {
	t.Helper()
	require.NoError(t, k.ProduceSync(ctx, kgo.StringRecord(value)).FirstErr())
}

func read(ctx context.Context, t *testing.T, k *kgo.Client, n int) []string {
	t.Helper()
	var values []string
	for len(values) < n {
		fetches := k.PollFetches(ctx)
		require.NoError(t, fetches.Err0())
		fetches.EachRecord(func(r *kgo.Record) { values = append(values, string(r.Value)) })
	}
	return values
}

func TestARecordComesBackFromANodeThatWasStopped(t *testing.T) {
	c := kafkatest.Start(t, kafkatest.Options{})
	k, ctx := client(t, c)
	_, err := kadm.NewClient(k).CreateTopic(ctx, 1, 1, nil, "log")
	require.NoError(t, err)
	produce(ctx, t, k, "one")
	require.NoError(t, c.Restart(0))
	produce(ctx, t, k, "two")
	require.Equal(t, []string{"one", "two"}, read(ctx, t, k, 2))
}

func TestThreeNodesOutliveTheLossAndTheStallOfOne(t *testing.T) {
	c := kafkatest.Start(t, kafkatest.Options{Nodes: 3})
	k, ctx := client(t, c)
	topic, err := kadm.NewClient(k).CreateTopic(ctx, 1, -1, nil, "log")
	require.NoError(t, err)
	require.EqualValues(t, 3, topic.ReplicationFactor)
	require.Equal(t, "2", *topic.Configs["min.insync.replicas"].Value)

	produce(ctx, t, k, "all")
	require.NoError(t, c.Kill(0))
	require.Error(t, c.Kill(0), "it is dead already")
	produce(ctx, t, k, "without the first")
	require.NoError(t, c.Restart(0))
	require.NoError(t, c.Pause(1))
	produce(ctx, t, k, "without the second")
	require.NoError(t, c.Resume(1))
	require.Equal(t, []string{"all", "without the first", "without the second"}, read(ctx, t, k, 3))
}
