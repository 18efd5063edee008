package archive

import (
	"fmt"
	"math"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"github.com/vigil-cds/vigil/internal/clinical"
)

func TestExplanationsAreReadBySequenceAndInstant(t *testing.T) {
	p := openPartition(t, open(t, Options{}), 0)
	commit(t, p, func(b *Batch) {
		for _, id := range []string{"a", "a\x01", "b"} {
			for sequence := int64(1); sequence <= 5; sequence++ {
				b.Explain(id, Entry{Sequence: sequence, At: clinical.Instant(10 * sequence), ID: fmt.Sprint(id, sequence), Data: []byte(id)})
			}
		}
	})
	cases := []struct {
		from, to clinical.Instant
		after    int64
		limit    int
		want     []int64
	}{
		{clinical.Never, clinical.Forever, 0, 10, []int64{1, 2, 3, 4, 5}},
		{clinical.Never, clinical.Forever, -7, 2, []int64{1, 2}},
		{clinical.Never, clinical.Forever, 2, 2, []int64{3, 4}},
		{clinical.Never, clinical.Forever, 5, 10, nil},
		{clinical.Never, clinical.Forever, math.MaxInt64, 10, nil},
		{clinical.Never, clinical.Forever, 0, 0, nil},
		{20, 40, 0, 10, []int64{2, 3, 4}},
		{21, 49, 0, 1, []int64{3}}, // what is left out does not count
		{40, 20, 0, 10, nil},
	}
	for _, c := range cases {
		var got []int64
		require.NoError(t, p.Explanations("a", c.from, c.to, c.after, c.limit, func(e Entry) error {
			got = append(got, e.Sequence)
			require.Equal(t, Entry{Sequence: e.Sequence, At: clinical.Instant(10 * e.Sequence), ID: fmt.Sprint("a", e.Sequence), Data: []byte("a")}, e)
			return nil
		}))
		require.Equal(t, c.want, got, "%+v", c)
	}
	e, ok, err := p.Explanation("b", "b4")
	require.NoError(t, err)
	require.True(t, ok)
	require.Equal(t, Entry{Sequence: 4, At: 40, ID: "b4", Data: []byte("b")}, e)
	_, ok, err = p.Explanation("a", "b4")
	require.NoError(t, err)
	require.False(t, ok, "an id is of one patient")

	b := p.Begin()
	b.Explain("a", Entry{Sequence: 0, ID: "a0"})
	require.ErrorContains(t, b.Commit(), "numbered from 1")
}

func TestAnIDThatHashesLikeAnotherIsNotFound(t *testing.T) {
	p := openPartition(t, open(t, Options{}), 0)
	commit(t, p, func(b *Batch) {
		b.Explain("a", Entry{Sequence: 1, ID: "one"})
		b.set(appendIDKey(nil, 0, "a", "another"), []byte{codecVersion, 1})
	})
	_, ok, err := p.Explanation("a", "another")
	require.NoError(t, err)
	require.False(t, ok)
}

func TestTheOutboxKeepsTheOrderUntilItIsSent(t *testing.T) {
	fs := vfs.NewMem()
	a := open(t, Options{FS: fs})
	p := openPartition(t, a, 0)
	explain := func(from, to int64) {
		commit(t, p, func(b *Batch) {
			for sequence := from; sequence <= to; sequence++ {
				b.Explain("a", Entry{Sequence: sequence, ID: fmt.Sprint(sequence), Data: fmt.Append(nil, "data ", sequence)})
			}
			b.SetState(State{Outbox: 99}) // not the caller's to move
		})
	}
	sent := func(through uint64) { commit(t, p, func(b *Batch) { b.Sent(through) }) }
	explain(1, 2)
	explain(3, 4)
	require.EqualValues(t, 4, p.State().Outbox)
	require.Equal(t, []string{"0 a data 1", "1 a data 2", "2 a data 3", "3 a data 4"}, outgoing(t, p, 10))
	require.Equal(t, []string{"0 a data 1", "1 a data 2"}, outgoing(t, p, 2))
	require.Empty(t, outgoing(t, p, 0))

	sent(0)
	sent(0)
	require.Equal(t, []string{"1 a data 2"}, outgoing(t, p, 1))
	b := p.Begin()
	b.Sent(3)
	b.Discard()
	commit(t, p, func(b *Batch) {
		b.Sent(1)
		b.Sent(0)
		b.Sent(2)
	})
	require.Equal(t, []string{"3 a data 4"}, outgoing(t, p, 10))

	require.NoError(t, a.Close())
	a = open(t, Options{FS: fs})
	p = openPartition(t, a, 0)
	require.Equal(t, []string{"3 a data 4"}, outgoing(t, p, 10))
	sent(math.MaxUint64)
	require.Empty(t, outgoing(t, p, 10))
	explain(5, 5)
	require.Equal(t, []string{"4 a data 5"}, outgoing(t, p, 10))

	require.NoError(t, a.Close())
	a = open(t, Options{FS: fs})
	p = openPartition(t, a, 0)
	explain(6, 5+2*deletesOneByOne)
	last := 3 + 2*uint64(deletesOneByOne)
	sent(last) // so many that a range is dropped
	require.Equal(t, []string{fmt.Sprint(last+1, " a data ", last+2)}, outgoing(t, p, 10))
	require.Len(t, entries(t, p, "a"), int(last)+2, "what was sent is kept")
}
