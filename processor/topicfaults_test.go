package processor

import (
	"fmt"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/vigil-cds/vigil/internal/fhir"
	"github.com/vigil-cds/vigil/rules"
)

// described is a topic whose settings are these.
type described struct {
	sarama.ClusterAdmin
	settings map[string]string
}

func (d described) DescribeConfig(r sarama.ConfigResource) (entries []sarama.ConfigEntry, _ error) {
	for _, name := range r.ConfigNames {
		if value, ok := d.settings[name]; ok {
			entries = append(entries, sarama.ConfigEntry{Name: name, Value: value})
		}
	}
	return entries, nil
}

func TestATopicIsComparedWithWhatItMustBe(t *testing.T) {
	t.Parallel()
	c := Config{Brokers: []string{"kafka-1:9092"}, Partitions: 8, Replication: 3, Tiered: true, LocalRetention: 48 * time.Hour,
		AlertsRetention: time.Hour}.Fill()
	tiered, plain := c.Topics(), Config{Brokers: c.Brokers, Partitions: 8}.Fill().Topics()
	require.Equal(t, "true", tiered.Facts.settings(3)[remoteStorage])
	require.Equal(t, "172800000", tiered.Events.settings(3)[localRetention])
	require.NotContains(t, tiered.RulesTable.settings(3), remoteStorage, "what is compacted cannot be tiered")
	require.NotContains(t, tiered.Alerts.settings(3), remoteStorage, "what is not kept for ever needs no tiers")
	require.NotContains(t, plain.Facts.settings(3), remoteStorage, "brokers that do not know the setting refuse it")

	right := func(change ...string) map[string]string {
		s := map[string]string{cleanupPolicy: "delete", retentionMS: "-1", retentionBytes: "-1", maxMessageBytes: "33554432", minInSync: "2",
			remoteStorage: "true", localRetention: "172800000"}
		for i := 0; i < len(change); i += 2 {
			s[change[i]] = change[i+1]
		}
		return s
	}
	const run = "; run kafka-configs --bootstrap-server kafka-1:9092 --alter --entity-type topics --entity-name "
	for _, c := range []struct {
		name       string
		topic      Topic
		partitions int32
		settings   map[string]string
		want       string
	}{
		{"as it must be", tiered.Facts, 8, right(), ""},
		{"more copies acknowledge, larger records, another time on the disks", tiered.Facts, 8,
			right(minInSync, "3", maxMessageBytes, "99999999", localRetention, "3600000"), ""},
		{"how long alerts are kept is somebody's choice", tiered.Alerts, 8, right(retentionMS, "7"), ""},
		{"a plain cluster", plain.Facts, 8, right(remoteStorage, "false", localRetention, "-2"), ""},
		{"too few partitions", plain.Facts, 4, right(), "vigil-facts: it has 4 partitions and 8 are configured; set the number of partitions to that with which the log began"},
		{"compacted", plain.Facts, 8, right(cleanupPolicy, "compact"),
			"vigil-facts: its cleanup.policy is compact and must be delete, or data would be lost" + run + "vigil-facts --add-config cleanup.policy=delete"},
		{"not compacted", plain.RulesTable, 8, right(), "vigil-rules-table: its cleanup.policy is delete and must be compact"},
		{"kept for a week and a gigabyte", plain.Events, 8, right(retentionMS, "604800000", retentionBytes, "1073741824"),
			"vigil-events: its retention.bytes is 1073741824 and must be -1, its retention.ms is 604800000 and must be -1, or data would be lost" +
				run + "vigil-events --add-config retention.bytes=-1,retention.ms=-1"},
		{"not tiered", tiered.Events, 8, right(remoteStorage, "false", localRetention, "-2"),
			"vigil-events: its local.retention.ms is -2 and must be 172800000, its remote.storage.enable is false and must be true, or the brokers' disks fill up" +
				run + "vigil-events --add-config local.retention.ms=172800000,remote.storage.enable=true"},
		{"no tiers to be had", tiered.Events, 8, map[string]string{retentionMS: "-1"}, "remote.log.storage.system.enable"},
	} {
		err := c.topic.compare(described{settings: c.settings}, sarama.TopicDetail{NumPartitions: c.partitions, ReplicationFactor: 3}, configsCommand([]string{"kafka-1:9092"}, sarama.NewConfig()))
		if c.want == "" {
			require.NoError(t, err, c.name)
			continue
		}
		require.ErrorIs(t, err, ErrTopicMismatch, c.name)
		require.ErrorContains(t, err, c.want, c.name)
	}
	secured := sarama.NewConfig()
	secured.Net.SASL.Enable = true
	require.Contains(t, configsCommand([]string{"a:1", "b:2"}, secured), "--bootstrap-server a:1,b:2 --command-config client.properties ")
}

func TestTopicsThatWereGivenMorePartitionsAreRefused(t *testing.T) {
	t.Parallel()
	c := testConfig(newBroker(t, t.TempDir()))
	w := newTestWriter(t, c)
	r := &recorder{}
	p := run(t, c, newStore(t), r, nil)
	for i := range 40 {
		id := string(rune('A' + i))
		_, err := w.Write(t.Context(), []Event{{Patient: id, Body: observation(id, "1")}})
		require.NoError(t, err)
	}
	r.await(t, "all", count(40))
	require.NoError(t, p.topics.checkKeys(t.Context(), c, p.client))

	config, err := c.clientConfig("test")
	require.NoError(t, err)
	admin, err := sarama.NewClusterAdmin(c.Brokers, config)
	require.NoError(t, err)
	defer admin.Close()
	require.NoError(t, p.Close())
	for _, topic := range p.topics.all() {
		if topic.Partitions == 2 {
			require.NoError(t, admin.CreatePartitions(topic.Name, 4, nil, false))
		}
	}
	require.ErrorContains(t, c.Topics().Ensure(t.Context(), c), "vigil-facts: it has 4 partitions and 2 are configured")

	c.Partitions = 4
	require.NoError(t, c.Topics().Ensure(t.Context(), c), "by its topics nothing is wrong")
	_, err = Start(t.Context(), c, Deps{Store: newStore(t), Decoder: fhir.New(fhir.Options{}), Sets: NewRuleSets(rules.CompileOptions{}, nil)})
	require.ErrorIs(t, err, ErrTopicMismatch)
	require.ErrorContains(t, err, "the topics were given more partitions since the log began")
}

// A patient's records that another producer put elsewhere are refused one by one; they do not stop a start.
func TestAFewRecordsElsewhereStopNoStart(t *testing.T) {
	t.Parallel()
	c := testConfig(newBroker(t, t.TempDir()))
	topics := withTopics(t, c)
	config, err := c.clientConfig("foreign")
	require.NoError(t, err)
	client, err := NewClient(c.Brokers, config)
	require.NoError(t, err)
	defer client.Close()
	require.NoError(t, topics.checkKeys(t.Context(), c, client), "an empty log")
	p := newTestProducer(t, c)
	defer p.Close()
	var all []kgo.Record
	for i := range 30 {
		all = append(all, records(topics.Facts.Name, fmt.Sprint("p", i), "")...)
	}
	require.NoError(t, p.Write(t.Context(), all))
	config.Producer.Partitioner = sarama.NewManualPartitioner
	config.Producer.Return.Successes = true
	foreign, err := sarama.NewSyncProducer(c.Brokers, config)
	require.NoError(t, err)
	defer foreign.Close()
	stray := func() {
		_, _, err := foreign.SendMessage(&sarama.ProducerMessage{Topic: topics.Facts.Name, Key: sarama.StringEncoder("stray"), Partition: 1 - Partition("stray", 2)})
		require.NoError(t, err)
	}
	for range 10 {
		stray()
	}
	require.NoError(t, topics.checkKeys(t.Context(), c, client))
	stray()
	require.ErrorIs(t, topics.checkKeys(t.Context(), c, client), ErrTopicMismatch)
}
