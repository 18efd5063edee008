package group

import (
	"fmt"
	"slices"

	"github.com/IBM/sarama"
)

// Strategy shares a group's partitions by plan. One belongs to one sarama consumer group, which calls it
// on one goroutine.
type Strategy struct {
	// Anyone says that anyone can go on with a partition at once, or that no member keeps copies to go on
	// from: partitions are shared level at once.
	Anyone bool

	cards map[string]*card // of the last plan, by sarama's member id
	next  *Roster
}

// Name implements sarama.BalanceStrategy. Members agree on a strategy by its name.
func (s *Strategy) Name() string { return "vigil" }

// Card is what a member puts into sarama's Consumer.Group.Member.UserData: who it is, and for which
// partitions it is warm already.
func Card(m Member, warm []int32) []byte {
	// Strings and numbers cannot fail to marshal.
	data, _ := (&card{Member: m, Warm: warm}).marshal()
	return data
}

// Plan implements sarama.BalanceStrategy. All topics must have the same partitions.
func (s *Strategy) Plan(members map[string]sarama.ConsumerGroupMemberMetadata, topics map[string][]int32) (sarama.BalanceStrategyPlan, error) {
	partitions, err := copartitioned(topics)
	if err != nil {
		return nil, err
	}
	s.cards = make(map[string]*card, len(members))
	ids := make(map[string]string, len(members)) // by name
	var before *Roster
	var candidates []candidate
	for id, meta := range members {
		c, err := unmarshalCard(meta.UserData)
		if err != nil {
			return nil, fmt.Errorf("sharing the partitions with %s: %w: let nothing but Vigil join its groups", id, err)
		}
		if _, taken := ids[c.Name]; taken || c.Name == "" {
			c.Name = id // two of one name are two all the same
		}
		s.cards[id], ids[c.Name] = c, id
		if s.Anyone {
			c.Warm = partitions
		}
		candidates = append(candidates, candidate{Member: c.Member, warm: c.Warm})
		if c.Roster != nil && len(c.Roster.Owners) == len(partitions) && (before == nil || c.Roster.Generation > before.Generation) {
			before = c.Roster
		}
	}
	s.next = plan(len(partitions), candidates, before)
	shared := make(sarama.BalanceStrategyPlan, len(members))
	for id, c := range s.cards {
		shared[id] = map[string][]int32{} // AssignmentData is asked about all that are in the plan
		if owned := s.next.Owned(c.Name); len(owned) > 0 {
			for _, topic := range members[id].Topics {
				shared[id][topic] = owned
			}
		}
	}
	return shared, nil
}

// AssignmentData implements sarama.BalanceStrategy: what each member is told, and brings to the next plan.
func (s *Strategy) AssignmentData(memberID string, _ map[string][]int32, generation int32) ([]byte, error) {
	s.next.Generation = generation
	c := &card{Roster: s.next}
	if known := s.cards[memberID]; known != nil {
		c.Member = known.Member
	}
	return c.marshal()
}

func copartitioned(topics map[string][]int32) ([]int32, error) {
	var first string
	var partitions []int32
	for topic, p := range topics {
		p = slices.Sorted(slices.Values(p))
		if first == "" {
			first, partitions = topic, p
			continue
		}
		if !slices.Equal(p, partitions) {
			return nil, fmt.Errorf("topics %s and %s have different partitions", first, topic)
		}
	}
	for i, p := range partitions {
		if p != int32(i) {
			return nil, fmt.Errorf("topic %s has no partition %d", first, i)
		}
	}
	return partitions, nil
}
