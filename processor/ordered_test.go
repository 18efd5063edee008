package processor

import (
	"fmt"
	"strconv"
	"testing"

	"github.com/IBM/sarama"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// Whatever brokers answer, the first of each record is in the order in which they were written.
func TestAnOrderedProducerKeepsItsOrder(t *testing.T) {
	t.Parallel()
	cluster, client := ranged(t, 0, small)
	p := &orderedProducer{client: client, topic: "log"}
	troubles := []func(){
		func() {},
		cluster.ShufflePartitionLeaders,
		func() {
			cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.NotEnoughReplicas, Count: 2})
		},
		func() {
			cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.NotEnoughReplicasAfterAppend})
		},
		func() { cluster.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.RequestTimedOut}) },
	}
	written := 0
	for i := range 40 {
		troubles[i%len(troubles)]()
		var pairs []string
		for range 1 + i%4 {
			pairs = append(pairs, fmt.Sprint("key ", written), fmt.Sprint(written))
			written++
		}
		require.NoError(t, p.write(t.Context(), topicMessages("log", pairs...)))
	}
	end, err := client.GetOffset("log", 0, sarama.OffsetNewest)
	require.NoError(t, err)
	require.Greater(t, end, int64(written), "some are there again")
	next := 0
	require.NoError(t, readRange(t.Context(), client, "log", 0, 0, end, func(m *sarama.ConsumerMessage) error {
		n, err := strconv.Atoi(string(m.Value))
		require.NoError(t, err)
		require.LessOrEqual(t, n, next, "one was written before the one that it follows")
		next = max(next, n+1)
		return nil
	}))
	require.Equal(t, written, next)
}
