package processor

import (
	"fmt"
	"testing"

	"github.com/IBM/sarama"
	"github.com/lovoo/goka"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
)

func TestPartitionIsTheChoiceOfGokaAndSarama(t *testing.T) {
	for _, n := range []int32{1, 2, 7, 8, 100} {
		theirs := sarama.NewHashPartitioner("events")
		gokas := sarama.NewCustomHashPartitioner(goka.DefaultHasher())("events")
		ours := partitioner{n}
		for i := range 2000 {
			key := fmt.Sprintf("patient-%d-é", i*7919)
			m := &sarama.ProducerMessage{Key: sarama.StringEncoder(key)}
			want, err := theirs.Partition(m, n)
			require.NoError(t, err)
			require.Equal(t, want, Partition(key, int(n)))
			alsoWant, err := gokas.Partition(m, n)
			require.NoError(t, err)
			require.Equal(t, want, alsoWant)
			require.EqualValues(t, want, ours.Partition(&kgo.Record{Key: []byte(key)}, int(n)))
		}
	}
	require.True(t, partitioner{}.RequiresConsistency(nil))
	require.Zero(t, partitioner{4}.Partition(new(kgo.Record), 4))
}

func TestPartitionsThatATopicWasGivenSinceAreNotWrittenTo(t *testing.T) {
	for i := range 200 {
		key := fmt.Sprint("patient-", i)
		require.EqualValues(t, Partition(key, 4), partitioner{4}.Partition(&kgo.Record{Key: []byte(key)}, 16))
	}
}

func TestAControlKeyNamesItsPartition(t *testing.T) {
	for p := range int32(12) {
		require.Equal(t, p, Partition(controlKey(p), 12))
	}
	require.False(t, legalKey(controlKey(3)), "no patient can have it")
	for _, key := range []string{"\x0012", "\x00-1", "\x00x", "\x00"} {
		require.Less(t, Partition(key, 12), int32(12), "a key that names no partition is hashed")
	}
}

func BenchmarkPartition(b *testing.B) {
	for b.Loop() {
		Partition("4f1f9f42-0e3a-4c1c-b9f2-3f1d1c9b7e55", 8)
	}
}
