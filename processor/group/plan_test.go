package group

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/IBM/sarama"
	"github.com/stretchr/testify/require"
)

func member(name string, warm ...int32) candidate {
	return candidate{Member: Member{Name: name, URL: "http://" + name, Standby: 1}, warm: warm}
}

func names(r *Roster) []string {
	var out []string
	for p := range r.Owners {
		owner, _ := r.Owner(int32(p))
		standing := "-"
		if s := r.Standing(int32(p)); len(s) > 0 {
			standing = s[0].Name
		}
		out = append(out, owner.Name+standing)
	}
	return out
}

func TestMembersShareWhatNobodyHad(t *testing.T) {
	r := plan(6, []candidate{member("c"), member("a"), member("b")}, nil)
	require.Equal(t, []int32{0, 3}, r.Owned("a"))
	require.Equal(t, []int32{1, 4}, r.Owned("b"))
	require.Equal(t, []int32{2, 5}, r.Owned("c"))
}

func TestAfterAnOutageEachGetsWhatItHasOnDisk(t *testing.T) {
	r := plan(4, []candidate{member("a", 2, 3), member("b", 0, 1)}, nil)
	require.Equal(t, []string{"ba", "ba", "ab", "ab"}, names(r))
}

func TestAStandbyTakesOverWhatItsOwnerLeaves(t *testing.T) {
	before := plan(6, []candidate{member("a"), member("b"), member("c")}, nil)
	after := plan(6, []candidate{member("a"), member("c")}, before)
	for _, p := range before.Owned("b") {
		owner, ok := after.Owner(p)
		require.True(t, ok)
		require.Equal(t, before.Standing(p)[0].Name, owner.Name, "partition %d", p)
	}
	for _, stays := range []string{"a", "c"} {
		require.Subset(t, after.Owned(stays), before.Owned(stays))
	}
}

func TestANewMemberThatIsColdTakesNothingFromOneThatGoesOn(t *testing.T) {
	before := plan(4, []candidate{member("a")}, nil)
	cold := plan(4, []candidate{member("a"), member("b")}, before)
	require.Empty(t, cold.Owned("b"))
	require.Equal(t, []int32{0, 1, 2, 3}, cold.Standby("b"), "but it becomes warm for all of it")
	later := plan(4, []candidate{member("a"), member("b")}, cold)
	require.Len(t, later.Owned("b"), 2)
}

func TestAMemberMakesWarmWhatItIsThenGiven(t *testing.T) {
	before := plan(8, []candidate{member("a"), member("b")}, nil)
	joins := Member{Name: "c", Standby: 1}
	warm := before.Joining(joins, nil)
	require.NotEmpty(t, warm)
	after := plan(8, []candidate{member("a"), member("b"), {Member: joins, warm: warm}}, before)
	require.Equal(t, warm, after.Owned("c"))
	require.Equal(t, []int32{2, 7}, before.Joining(joins, []int32{2, 7}))
}

func TestAMemberThatComesBackIsGivenItsOwnAgain(t *testing.T) {
	before := plan(6, []candidate{member("a"), member("b"), member("c")}, nil)
	again := plan(6, []candidate{member("b"), member("c"), member("a")}, before)
	require.Equal(t, before.Owners, again.Owners)
	require.Equal(t, before.Standbys, again.Standbys)
}

// TestWhateverComesAndGoes lets members come and go at random, and holds every plan to what a roster
// promises.
func TestWhateverComesAndGoes(t *testing.T) {
	for seed := range uint64(300) {
		random := rand.New(rand.NewPCG(seed, 1))
		n := 1 + random.IntN(40)
		present := map[string]bool{"m0": true}
		var before *Roster
		for step := range 25 {
			name := fmt.Sprintf("m%d", random.IntN(7))
			came := !present[name]
			if came || len(present) > 1 {
				present[name] = came
				if !came {
					delete(present, name)
				}
			}
			var members []candidate
			for m := range present {
				c := candidate{Member: Member{Name: m, Standby: random.IntN(3)}}
				if came && m == name {
					c.warm = before.Joining(c.Member, nil)
				}
				members = append(members, c)
			}
			r := plan(n, members, before)
			require.NoError(t, r.check())
			r.hold(t, len(present), members)
			if before != nil {
				for p, owner := range r.Owners {
					was, _ := before.Owner(int32(p))
					is := r.Members[owner]
					if !present[was.Name] || was.Name == is.Name {
						continue
					}
					warm := slices.ContainsFunc(before.Standing(int32(p)), func(m Member) bool { return m.Name == is.Name }) ||
						slices.ContainsFunc(members, func(c candidate) bool { return c.Name == is.Name && slices.Contains(c.warm, int32(p)) })
					require.True(t, warm, "seed %d step %d: partition %d went from %s, which goes on, to %s, which is cold", seed, step, p, was.Name, is.Name)
				}
			}
			r.Generation = int32(step)
			before = r
		}
		// When nobody comes or goes any more, plans come to rest.
		var members []candidate
		for m := range present {
			members = append(members, candidate{Member: Member{Name: m, Standby: 1}})
		}
		rested := func() bool {
			next := plan(n, slices.Clone(members), before)
			same := slices.Equal(next.Owners, before.Owners) && fmt.Sprint(next.Standbys) == fmt.Sprint(before.Standbys)
			before = next
			return same
		}
		rounds := 0
		for ; !rested(); rounds++ {
			require.Less(t, rounds, 2*n+3, "seed %d", seed)
		}
		share := n / len(present)
		for m := range present {
			owned := len(before.Owned(m))
			require.True(t, owned == share || owned == share+1, "seed %d: %s has %d of %d", seed, m, owned, n)
		}
	}
}

// hold says what is true of every roster.
func (r *Roster) hold(t *testing.T, members int, of []candidate) {
	t.Helper()
	want := 0
	for _, c := range of {
		want = max(want, c.Standby)
	}
	want = min(want, members-1)
	for p := range r.Owners {
		_, ok := r.Owner(int32(p))
		require.True(t, ok, "partition %d has an owner", p)
		require.GreaterOrEqual(t, len(r.Standbys[p]), want, "partition %d has its copies", p)
		require.NotContains(t, r.Standbys[p], r.Owners[p], "partition %d has its copies elsewhere", p)
		sorted := slices.Sorted(slices.Values(r.Standbys[p]))
		require.Len(t, slices.Compact(sorted), len(r.Standbys[p]))
	}
}

func TestWithoutStateThePartitionsAreLevelAtOnce(t *testing.T) {
	s := &Strategy{Anyone: true}
	members := map[string]sarama.ConsumerGroupMemberMetadata{}
	for i, id := range []string{"x", "y", "z"} {
		members[id] = sarama.ConsumerGroupMemberMetadata{Topics: []string{"t"}, UserData: Card(Member{}, nil)}
		shared, err := s.Plan(members, map[string][]int32{"t": {0, 1, 2, 3, 4, 5}})
		require.NoError(t, err)
		require.Len(t, shared, i+1)
		for id, topics := range shared {
			require.Len(t, topics["t"], 6/(i+1))
			data, err := s.AssignmentData(id, topics, int32(i))
			require.NoError(t, err)
			members[id] = sarama.ConsumerGroupMemberMetadata{Topics: []string{"t"}, UserData: data}
		}
	}
	_, err := s.Plan(members, map[string][]int32{"t": {0, 1}, "u": {0}})
	require.ErrorContains(t, err, "different partitions")
	members["x"] = sarama.ConsumerGroupMemberMetadata{Topics: []string{"t"}, UserData: []byte("another program's")}
	_, err = s.Plan(members, map[string][]int32{"t": {0, 1}})
	require.ErrorIs(t, err, errNotACard)
}

func TestACardGoesThroughTheProtocolAndBack(t *testing.T) {
	s := new(Strategy)
	data := Card(Member{Name: "a", URL: "http://a", Standby: 1}, []int32{1})
	c, err := unmarshalCard(data)
	require.NoError(t, err)
	require.Equal(t, Member{Name: "a", URL: "http://a", Standby: 1}, c.Member)
	require.Equal(t, []int32{1}, c.Warm)
	require.Equal(t, "vigil", s.Name())
	for _, bad := range []string{"", "[]", `{"roster":{"owners":[0],"standbys":[[]]}}`, `{"roster":{"members":[{"name":"a"}],"owners":[0],"standbys":[[3]]}}`,
		`{"roster":{"members":[{"name":"a"}],"owners":[0]}}`} {
		_, err := unmarshalCard([]byte(bad))
		require.ErrorIs(t, err, errNotACard, bad)
	}
}
