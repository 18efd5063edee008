package cdc

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vigil-cds/vigil/internal/clinical"
)

func part(topic string, offset int64, tx string, count int) Part {
	return Part{Place: Place{Topic: topic, Offset: offset}, Change: &Envelope{Op: Create, Transaction: tx, Count: count}, Value: []byte("0123456789")}
}

// always is for who reads the log as one.
func always(*Transaction) bool { return true }

func ids(all []*Transaction) (ids []string) {
	for _, t := range all {
		ids = append(ids, t.ID)
	}
	return ids
}

func TestATransactionIsTakenWhenAllOfItIsThere(t *testing.T) {
	c := new(Collector)
	c.Add(part("a", 0, "1", 2), 5)
	require.Empty(t, c.Ready(always))
	open, bytes := c.Open()
	require.Equal(t, 1, open)
	require.EqualValues(t, 10, bytes)
	require.Equal(t, "1", c.Oldest().ID)
	c.Add(part("b", 0, "1", 2), 6)
	require.Equal(t, []string{"1"}, ids(c.Ready(always)))
	open, bytes = c.Open()
	require.Zero(t, open)
	require.Zero(t, bytes)
}

func TestTheEndOfATransactionSaysHowManyPartsItHas(t *testing.T) {
	for _, endFirst := range []bool{true, false} {
		c := new(Collector)
		end := func() {
			c.Add(Part{Place: Place{Topic: "transactions"}, Change: &Envelope{Transaction: "1", Count: 2}}, 0)
		}
		if endFirst {
			end()
		}
		c.Add(part("a", 0, "1", 0), 0)
		c.Add(part("a", 1, "1", 0), 0)
		if !endFirst {
			require.Empty(t, c.Ready(always))
			end()
		}
		ready := c.Ready(always)
		require.Len(t, ready, 1)
		require.Len(t, ready[0].Places(), 3, "its end is part of what is taken")
	}
}

func TestALaterTransactionWaitsForTheOneBeforeItInItsPartition(t *testing.T) {
	c := new(Collector)
	c.Add(part("a", 0, "1", 2), 1)
	c.Add(part("a", 1, "2", 1), 2)
	c.Add(part("c", 0, "3", 1), 3)
	require.Equal(t, []string{"3"}, ids(c.Ready(always)), "another partition waits for nothing")
	c.Add(part("b", 0, "1", 2), 4)
	require.Equal(t, []string{"1", "2"}, ids(c.Ready(always)))
}

func TestWhatIsGivenUpKeepsNobodyWaiting(t *testing.T) {
	c := new(Collector)
	c.Add(part("a", 0, "1", 2), 1)
	c.Add(part("a", 1, "2", 1), 2)
	require.Empty(t, c.Ready(always))
	c.Drop(c.Oldest())
	require.Equal(t, []string{"2"}, ids(c.Ready(always)))
	require.Nil(t, c.Oldest())
}

func TestTransactionsThatWaitForEachOtherAreTakenAsTheyBegan(t *testing.T) {
	c := new(Collector)
	first, second := part("a", 0, "1", 2), part("a", 1, "2", 2)
	first.Change.Version.Number, second.Change.Version.Number = 1, 2
	c.Add(first, 0)
	c.Add(second, 0)
	c.Add(part("b", 0, "2", 2), 0)
	c.Add(part("b", 1, "1", 2), 0)
	require.Equal(t, []string{"1", "2"}, ids(c.Ready(always)))
}

// However the partitions are read, transactions are taken as they were committed where they share a partition,
// each once.
func TestTheOrderOfCommitsIsKeptHoweverPartitionsAreRead(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		lanes := make([][]Part, 3)
		touched := map[string][]int{}
		for n := range 12 {
			id := fmt.Sprint(n)
			size := 1 + random.IntN(4)
			for range size {
				l := random.IntN(len(lanes))
				lanes[l] = append(lanes[l], part(fmt.Sprint(l), int64(len(lanes[l])), id, size))
				touched[id] = append(touched[id], l)
			}
		}
		c := new(Collector)
		var taken []string
		for left := 1; left > 0; {
			left = 0
			l := random.IntN(len(lanes))
			n := min(len(lanes[l]), 1+random.IntN(5))
			for _, p := range lanes[l][:n] {
				c.Add(p, 0)
			}
			lanes[l] = lanes[l][n:]
			taken = append(taken, ids(c.Ready(always))...)
			for _, rest := range lanes {
				left += len(rest)
			}
		}
		require.Len(t, taken, 12)
		for i, x := range taken {
			for _, y := range taken[i+1:] {
				shared := slices.ContainsFunc(touched[x], func(l int) bool { return slices.Contains(touched[y], l) })
				if shared {
					var nx, ny int
					fmt.Sscan(x, &nx)
					fmt.Sscan(y, &ny)
					require.Less(t, nx, ny)
				}
			}
		}
	}
}

func TestATransactionWaitsUntilAllBeforeItIsKnown(t *testing.T) {
	c := new(Collector)
	for i, at := range []clinical.Instant{30, 10, 20} {
		p := part(fmt.Sprint("table", i), 0, "", 0)
		p.Change.Version.Updated = at
		c.Add(p, 0)
	}
	until := func(at clinical.Instant) (taken []clinical.Instant) {
		for _, tx := range c.Ready(func(t *Transaction) bool { return t.At() < at }) {
			taken = append(taken, tx.At())
		}
		return taken
	}
	require.Empty(t, until(10))
	require.Equal(t, []clinical.Instant{10, 20}, until(25))
	require.Equal(t, []clinical.Instant{30}, until(99))
}
