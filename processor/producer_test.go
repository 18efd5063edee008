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

// Whatever brokers answer, the records are there in the order in which they were given, each once.
func TestAProducerKeepsItsOrderAndWritesOnce(t *testing.T) {
	t.Parallel()
	cluster, client := ranged(t, 0, small)
	p := newTestProducer(t, Config{Brokers: cluster.ListenAddrs(), Partitions: 1}.Fill())
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
	settled := make(chan error, 200)
	written := 0
	for i := range 200 {
		if i%5 == 0 {
			troubles[i/5%len(troubles)]()
		}
		var pairs []string
		for range 1 + i%4 {
			pairs = append(pairs, fmt.Sprint("key ", written), fmt.Sprint(written))
			written++
		}
		p.send(t.Context(), records("log", pairs...), func(err error) { settled <- err })
	}
	for range 200 {
		require.NoError(t, <-settled)
	}
	end, err := client.GetOffset("log", 0, sarama.OffsetNewest)
	require.NoError(t, err)
	require.EqualValues(t, written, end, "each is there once")
	next := 0
	require.NoError(t, readRange(t.Context(), client, "log", 0, 0, end, func(m *sarama.ConsumerMessage) error {
		n, err := strconv.Atoi(string(m.Value))
		require.NoError(t, err)
		require.Equal(t, next, n)
		next++
		return nil
	}))
}
