package group

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

// Member is one instance as the others know it.
type Member struct {
	Name    string `json:"name"`              // the same after a restart, another for each instance
	URL     string `json:"url,omitempty"`     // where it answers, as http://10.0.0.7:8080; "" nowhere
	Standby int    `json:"standby,omitempty"` // how many warm copies of each partition it wants there to be
}

// Roster says who has which partition. It is a value: nobody changes one that is shared.
type Roster struct {
	Generation int32    `json:"generation"` // of the group; a greater one is newer
	Members    []Member `json:"members"`    // by name
	// Owners and Standbys hold places in Members, by partition. No owner is -1.
	Owners   []int   `json:"owners"`
	Standbys [][]int `json:"standbys"`
}

// nobody owns a partition.
const nobody = -1

// Owner is who owns the partition, if anybody does.
func (r *Roster) Owner(partition int32) (Member, bool) {
	if r == nil || partition < 0 || int(partition) >= len(r.Owners) || r.Owners[partition] == nobody {
		return Member{}, false
	}
	return r.Members[r.Owners[partition]], true
}

// Standing is who keeps a warm copy of the partition without owning it, the best first.
func (r *Roster) Standing(partition int32) []Member {
	if r == nil || partition < 0 || int(partition) >= len(r.Standbys) {
		return nil
	}
	var out []Member
	for _, i := range r.Standbys[partition] {
		out = append(out, r.Members[i])
	}
	return out
}

// Owned lists the partitions that the member of that name owns, in order.
func (r *Roster) Owned(name string) []int32 {
	return r.list(name, func(p, i int) bool { return r.Owners[p] == i })
}

// Standby lists the partitions of which the member of that name keeps a warm copy, in order.
func (r *Roster) Standby(name string) []int32 {
	return r.list(name, func(p, i int) bool { return slices.Contains(r.Standbys[p], i) })
}

func (r *Roster) list(name string, has func(partition, member int) bool) []int32 {
	if r == nil {
		return nil
	}
	i := r.place(name)
	if i == nobody {
		return nil
	}
	var out []int32
	for p := range r.Owners {
		if has(p, i) {
			out = append(out, int32(p))
		}
	}
	return out
}

func (r *Roster) place(name string) int {
	return slices.IndexFunc(r.Members, func(m Member) bool { return m.Name == name })
}

// card is what a member carries through the group's protocol: who it is, what it is warm for without
// having been told to, and the newest roster that it has seen.
type card struct {
	Member
	Warm   []int32 `json:"warm,omitempty"`
	Roster *Roster `json:"roster,omitempty"`
}

// errNotACard is what a member brings that is no Vigil, or a much older one.
var errNotACard = errors.New("not written by Vigil")

func (c *card) marshal() ([]byte, error) { return json.Marshal(c) }

func unmarshalCard(data []byte) (*card, error) {
	c := new(card)
	if err := json.Unmarshal(data, c); err != nil {
		return nil, fmt.Errorf("%w: %w", errNotACard, err)
	}
	if r := c.Roster; r != nil {
		if err := r.check(); err != nil {
			return nil, fmt.Errorf("%w: %w", errNotACard, err)
		}
	}
	return c, nil
}

// check keeps what came over the wire from being indexed with.
func (r *Roster) check() error {
	if len(r.Owners) != len(r.Standbys) {
		return errors.New("owners and standbys are not of the same partitions")
	}
	for p, owner := range r.Owners {
		if owner < nobody || owner >= len(r.Members) {
			return fmt.Errorf("partition %d has an owner that is not there", p)
		}
		for _, s := range r.Standbys[p] {
			if s < 0 || s >= len(r.Members) {
				return fmt.Errorf("partition %d has a standby that is not there", p)
			}
		}
	}
	return nil
}
