package processor

import (
	"sync/atomic"
	"testing"

	"github.com/IBM/sarama"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

func TestAnOffsetIsAskedForUntilTheNewLeaderKnowsIt(t *testing.T) {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "log"))
	require.NoError(t, err)
	defer cluster.Close()
	var asked atomic.Int32
	cluster.ControlKey(int16(kmsg.ListOffsets), func(r kmsg.Request) (kmsg.Response, error, bool) {
		cluster.KeepControl()
		if asked.Add(1) > 5 {
			return nil, nil, false
		}
		response := r.ResponseKind().(*kmsg.ListOffsetsResponse)
		partition := kmsg.NewListOffsetsResponseTopicPartition()
		partition.ErrorCode = kerr.NotLeaderForPartition.Code
		topic := kmsg.NewListOffsetsResponseTopic()
		topic.Topic, topic.Partitions = "log", []kmsg.ListOffsetsResponseTopicPartition{partition}
		response.Topics = []kmsg.ListOffsetsResponseTopic{topic}
		return response, nil, true
	})
	config, err := Config{Brokers: cluster.ListenAddrs()}.Fill().clientConfig("test")
	require.NoError(t, err)
	client, err := NewClient(cluster.ListenAddrs(), config)
	require.NoError(t, err)
	offset, err := client.GetOffset("log", 0, sarama.OffsetNewest)
	require.NoError(t, err)
	require.Zero(t, offset)
	require.Greater(t, asked.Load(), int32(5))

	require.NoError(t, client.Close())
	_, err = client.GetOffset("log", 0, sarama.OffsetNewest)
	require.ErrorIs(t, err, sarama.ErrClosedClient)
}
