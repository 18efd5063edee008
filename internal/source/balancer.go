package source

import (
	"encoding/binary"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// oneReader gives all partitions to the member that has taken most of the log, so that one with an empty
// directory is not sent back to the beginning while another goes on. It implements kgo.GroupBalancer and
// kgo.ConsumerBalancerBalance.
type oneReader struct{ taken func() uint64 }

// ProtocolName implements kgo.GroupBalancer.
func (oneReader) ProtocolName() string { return "vigil-source" }

// IsCooperative implements kgo.GroupBalancer.
func (oneReader) IsCooperative() bool { return false }

// JoinGroupMetadata implements kgo.GroupBalancer.
func (b oneReader) JoinGroupMetadata(topics []string, _ map[string][]int32, _ int32) []byte {
	meta := kmsg.NewConsumerMemberMetadata()
	meta.Topics = topics
	meta.UserData = binary.BigEndian.AppendUint64(nil, b.taken())
	return meta.AppendTo(nil)
}

// ParseSyncAssignment implements kgo.GroupBalancer.
func (oneReader) ParseSyncAssignment(b []byte) (map[string][]int32, error) {
	return kgo.ParseConsumerSyncAssignment(b)
}

// MemberBalancer implements kgo.GroupBalancer.
func (b oneReader) MemberBalancer(members []kmsg.JoinGroupResponseMember) (kgo.GroupMemberBalancer, map[string]struct{}, error) {
	c, err := kgo.NewConsumerBalancer(b, members)
	if err != nil {
		return nil, nil, err
	}
	return c, c.MemberTopics(), nil
}

// Balance implements kgo.ConsumerBalancerBalance.
func (oneReader) Balance(b *kgo.ConsumerBalancer, topics map[string]int32) kgo.IntoSyncAssignment {
	var reader *kmsg.JoinGroupResponseMember
	most := uint64(0)
	b.EachMember(func(m *kmsg.JoinGroupResponseMember, meta *kmsg.ConsumerMemberMetadata) {
		taken := uint64(0)
		if len(meta.UserData) == 8 {
			taken = binary.BigEndian.Uint64(meta.UserData)
		}
		if reader == nil || taken > most {
			reader, most = m, taken
		}
	})
	plan := b.NewPlan()
	for topic, n := range topics {
		for p := range n {
			plan.AddPartition(reader, topic, p)
		}
	}
	return plan
}
