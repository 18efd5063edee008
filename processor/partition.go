package processor

import (
	"strconv"

	"github.com/twmb/franz-go/pkg/kgo"
)

// FNV-1a over 32 bits, which goka's DefaultHasher and sarama's hash partitioner use too.
const (
	fnvOffset = 2166136261
	fnvPrime  = 16777619
)

// controlMark begins the key of a record that is about a partition instead of a patient. No patient's id
// can begin with it: intake refuses control characters.
const controlMark = '\x00'

// Partition says in which of n partitions a key's records are. It is the one place that decides it: for
// a patient the hash that goka and sarama use, for a control key the partition that it names.
func Partition(key string, n int) int32 {
	if len(key) > 1 && key[0] == controlMark {
		if p, err := strconv.ParseInt(key[1:], 10, 32); err == nil && p >= 0 && p < int64(n) {
			return int32(p)
		}
	}
	h := uint32(fnvOffset)
	for i := range len(key) {
		h = (h ^ uint32(key[i])) * fnvPrime
	}
	p := int32(h) % int32(n)
	if p < 0 {
		p = -p
	}
	return p
}

// controlKey is the key of control records of a partition: ticks, activations, and what stands in for
// an event that belonged elsewhere.
func controlKey(partition int32) string {
	return string(controlMark) + strconv.Itoa(int(partition))
}

// partitioner gives producers Partition's choice. It implements kgo.Partitioner and kgo.TopicPartitioner.
type partitioner struct {
	// most is how many partitions a topic keyed by patient has. Further ones that somebody gives it while this
	// process runs are not written to: nobody would read them.
	most int32
}

// ForTopic implements kgo.Partitioner.
func (p partitioner) ForTopic(string) kgo.TopicPartitioner { return p }

// Partition implements kgo.TopicPartitioner.
func (p partitioner) Partition(r *kgo.Record, n int) int {
	if r.Key == nil {
		return 0
	}
	return int(Partition(string(r.Key), min(n, int(p.most))))
}

// RequiresConsistency implements kgo.TopicPartitioner: a partition that cannot be written to is waited for.
func (partitioner) RequiresConsistency(*kgo.Record) bool { return true }
