package service

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
)

// recorder is a producer that keeps what it is sent, and fails when told to.
type recorder struct {
	fail error
	sent []string // the ids
}

func (r *recorder) Write(_ context.Context, records []kgo.Record) error {
	if r.fail != nil {
		return r.fail
	}
	for _, m := range records {
		r.sent = append(r.sent, string(m.Headers[0].Value))
	}
	return nil
}

func TestExplanationsAreSentInOrderAndUntilTheyAreAcknowledged(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	var want []string
	for n := range int64(3) {
		want = append(want, b.explained("z", n+1, 2*n).ID, b.explained("a", n+1, 2*n+1).ID)
	}
	down := &recorder{fail: errors.New("down")}
	_, err := b.service.publishSome(t.Context(), b.part, down)
	require.ErrorIs(t, err, down.fail)

	up := &recorder{}
	for range 2 {
		more, err := b.service.publishSome(t.Context(), b.part, up)
		require.NoError(t, err)
		require.False(t, more)
	}
	require.Equal(t, want, up.sent, "all of them, in the order in which they were explained, and then none again")
}

func TestWhatIsSentAtOnceIsBounded(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	for n := range int64(published + 5) {
		b.explained("p", n+1, n)
	}
	to := &recorder{}
	sends := 0
	for more := true; more; sends++ {
		var err error
		before := len(to.sent)
		more, err = b.service.publishSome(t.Context(), b.part, to)
		require.NoError(t, err)
		require.LessOrEqual(t, len(to.sent)-before, published)
	}
	require.Len(t, to.sent, published+5)
	require.Greater(t, sends, 2, "the bytes count, too")
}
