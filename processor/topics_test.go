package processor

import (
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
)

func TestTopicsAreCreatedToKeepTheirRecords(t *testing.T) {
	t.Parallel()
	c := testConfig(newBroker(t, t.TempDir()))
	c.AlertsRetention = 48 * time.Hour
	topics := withTopics(t, c)
	require.NoError(t, topics.Ensure(t.Context(), c), "what exists as it must is left alone")

	config, err := c.clientConfig("test")
	require.NoError(t, err)
	admin, err := sarama.NewClusterAdmin(c.Brokers, config)
	require.NoError(t, err)
	defer admin.Close()
	existing, err := admin.ListTopics()
	require.NoError(t, err)
	require.Len(t, existing, 8)
	for name, want := range map[string]struct {
		partitions        int32
		cleanup, retained string
	}{
		"vigil-events": {2, "delete", "-1"}, "vigil-facts": {2, "delete", "-1"}, "vigil-rules-table": {2, "compact", "-1"},
		"vigil-medications": {1, "compact", "-1"}, "vigil-rulesets": {1, "compact", "-1"}, "vigil-alerts": {2, "delete", "172800000"}, "vigil-explanations": {2, "delete", "-1"}, "vigil-dead-letter": {2, "delete", "-1"},
	} {
		require.Equal(t, want.partitions, existing[name].NumPartitions, name)
		entries, err := admin.DescribeConfig(sarama.ConfigResource{Type: sarama.TopicResource, Name: name})
		require.NoError(t, err)
		settings := map[string]string{}
		for _, e := range entries {
			settings[e.Name] = e.Value
		}
		require.Equal(t, want.cleanup, settings[cleanupPolicy], name)
		require.Equal(t, want.retained, settings[retentionMS], name)
		require.Equal(t, "-1", settings[retentionBytes], name)
		require.Equal(t, "33554432", settings[maxMessageBytes], name)
		require.Equal(t, "1", settings[minInSync], name)
	}
}

func TestOfThreeCopiesTwoAcknowledge(t *testing.T) {
	t.Parallel()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(3))
	require.NoError(t, err)
	t.Cleanup(cluster.Close)
	c := Config{Brokers: cluster.ListenAddrs(), Replication: 3, Partitions: 1}.Fill()
	require.NoError(t, c.Topics().Ensure(t.Context(), c))
	config, err := c.clientConfig("test")
	require.NoError(t, err)
	admin, err := sarama.NewClusterAdmin(c.Brokers, config)
	require.NoError(t, err)
	defer admin.Close()
	entries, err := admin.DescribeConfig(sarama.ConfigResource{Type: sarama.TopicResource, Name: "vigil-facts", ConfigNames: []string{minInSync}})
	require.NoError(t, err)
	require.Len(t, entries, 1)
	require.Equal(t, "2", entries[0].Value)

	one, three, forever, large := "1", "3", forever, "33554432"
	require.NoError(t, admin.AlterConfig(sarama.TopicResource, "vigil-facts", map[string]*string{minInSync: &one, retentionMS: &forever, retentionBytes: &forever, maxMessageBytes: &large}, false))
	require.ErrorContains(t, c.Topics().Ensure(t.Context(), c), "vigil-facts: its min.insync.replicas is 1 and must be 2, or data would be lost")
	require.NoError(t, admin.AlterConfig(sarama.TopicResource, "vigil-facts", map[string]*string{minInSync: &three, retentionMS: &forever, retentionBytes: &forever, maxMessageBytes: &large}, false))
	require.NoError(t, c.Topics().Ensure(t.Context(), c), "more is left to whoever wants it")

	c.Prefix, c.Replication = "many-", 4
	require.ErrorContains(t, c.Topics().Ensure(t.Context(), c), "fewer than 4 brokers")
}

func TestATopicThatWouldLoseDataIsRefused(t *testing.T) {
	t.Parallel()
	c := testConfig(newBroker(t, t.TempDir()))
	config, err := c.clientConfig("test")
	require.NoError(t, err)
	admin, err := sarama.NewClusterAdmin(c.Brokers, config)
	require.NoError(t, err)
	defer admin.Close()
	hour := "3600000"
	require.NoError(t, admin.CreateTopic("vigil-events", &sarama.TopicDetail{NumPartitions: 3, ReplicationFactor: 1,
		ConfigEntries: map[string]*string{retentionMS: &hour}}, false))

	err = c.Topics().Ensure(t.Context(), c)
	require.ErrorIs(t, err, ErrTopicMismatch)
	require.Contains(t, err.Error(), "vigil-events: it has 3 partitions and 2 are configured")
	require.Contains(t, err.Error(), "vigil-events: its max.message.bytes is 1048588 and must be 33554432, its retention.ms is 3600000 and must be -1, or data would be lost; "+
		"run kafka-configs --bootstrap-server "+c.Brokers[0]+" --alter --entity-type topics --entity-name vigil-events --add-config max.message.bytes=33554432,retention.ms=-1")
}

func TestAConfigurationReportsEveryFault(t *testing.T) {
	err := Config{Prefix: "no spaces", Partitions: -1, Replication: -1, Clock: "sundial", Roles: []string{"cook"}, Skew: -1}.Fill().Validate()
	for _, fault := range []string{"no brokers", "prefix", "partitions", "replication", "sundial", "cook", "skew"} {
		require.ErrorContains(t, err, fault)
	}
	require.NoError(t, Config{Brokers: []string{"localhost:9092"}}.Fill().Validate())
}
