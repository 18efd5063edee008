package store

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vigil-cds/vigil/internal/clinical"
)

func arm(t testing.TB, p *Partition, patient string, due clinical.Instant) {
	t.Helper()
	put(t, p, patient, func(pt *Patient) { pt.Meta.Due = due })
}

// fire lists what Due calls, and moves each timer to where then says.
func fire(t testing.TB, b *Batch, upTo clinical.Instant, then func(timer) clinical.Instant) (fired []timer) {
	t.Helper()
	require.NoError(t, b.Due(upTo, func(due clinical.Instant, id string) error {
		fired = append(fired, timer{due, id})
		putIn(t, b, id, func(pt *Patient) { pt.Meta.Due = then(timer{due, id}) })
		return nil
	}))
	return fired
}

func disarm(timer) clinical.Instant { return clinical.Forever }

func nextDue(p *Partition) clinical.Instant {
	due, ok := p.NextDue()
	if !ok {
		return clinical.Forever
	}
	return due
}

func TestTimersFireInOrderOfTimeThenPatient(t *testing.T) {
	p := openPartition(t, open(t, Options{}), 0)
	arm(t, p, "c", 10)
	arm(t, p, "b", -5)
	arm(t, p, "a", 10)
	arm(t, p, "d", 11)
	require.EqualValues(t, -5, nextDue(p))

	b := p.Begin()
	defer b.Discard()
	require.Equal(t, []timer{{-5, "b"}, {10, "a"}, {10, "c"}}, fire(t, b, 10, disarm))
	require.EqualValues(t, -5, nextDue(p), "nothing is published before the commit")
	require.NoError(t, b.Commit())
	require.EqualValues(t, 11, nextDue(p))
}

func TestATimerArmedAgainBeforeTheLimitComesAgainInItsOrder(t *testing.T) {
	p := openPartition(t, open(t, Options{}), 0)
	arm(t, p, "a", 1)
	arm(t, p, "b", 3)
	b := p.Begin()
	defer b.Discard()
	fired := fire(t, b, 4, func(at timer) clinical.Instant { return at.due + 2 })
	require.Equal(t, []timer{{1, "a"}, {3, "a"}, {3, "b"}}, fired)
	require.NoError(t, b.Commit())
	require.EqualValues(t, 5, nextDue(p))
}

func TestATimerThatFiresWithoutBeingMovedIsAnError(t *testing.T) {
	p := openPartition(t, open(t, Options{}), 0)
	arm(t, p, "a", 1)
	b := p.Begin()
	defer b.Discard()
	require.ErrorIs(t, b.Due(4, func(clinical.Instant, string) error { return nil }), ErrTimerStuck)
}

func TestDueStopsAtAnErrorAndTheBatchCanStillBeCommitted(t *testing.T) {
	p := openPartition(t, open(t, Options{}), 0)
	for i := range 5 {
		arm(t, p, fmt.Sprint(i), clinical.Instant(i))
	}
	full := errors.New("full")
	b := p.Begin()
	n := 0
	require.ErrorIs(t, b.Due(9, func(_ clinical.Instant, id string) error {
		if n++; n == 3 {
			return full
		}
		putIn(t, b, id, func(pt *Patient) { pt.Meta.Due = clinical.Forever })
		return nil
	}), full)
	require.NoError(t, b.Commit())
	require.EqualValues(t, 2, nextDue(p))
}

func TestADiscardedBatchLeavesTimersAsTheyWere(t *testing.T) {
	p := openPartition(t, open(t, Options{}), 0)
	arm(t, p, "a", 7)
	b := p.Begin()
	require.Len(t, fire(t, b, 7, disarm), 1)
	putIn(t, b, "b", func(pt *Patient) { pt.Meta.Due = 1 })
	b.Discard()
	require.EqualValues(t, 7, nextDue(p))
	b = p.Begin()
	defer b.Discard()
	require.Equal(t, []timer{{7, "a"}}, fire(t, b, 7, disarm))
}

func TestTimersAgreeWithAModelUnderRandomChanges(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	s := open(t, Options{})
	p := openPartition(t, s, 2)
	model := map[string]clinical.Instant{}
	first := func() timer {
		next := noTimer
		for id, due := range model {
			if t := (timer{due, id}); due != clinical.Forever && t.before(next) {
				next = t
			}
		}
		return next
	}
	for step := range 400 {
		b := p.Begin()
		before := map[string]clinical.Instant{}
		for range 1 + r.IntN(4) {
			id, due := fmt.Sprint(r.IntN(12)), clinical.Instant(step+r.IntN(40))
			if r.IntN(4) == 0 {
				due = clinical.Forever
			}
			if _, ok := before[id]; !ok {
				before[id] = clinical.Forever
				if was, ok := model[id]; ok {
					before[id] = was
				}
			}
			putIn(t, b, id, func(pt *Patient) { pt.Meta.Due = due })
			model[id] = due
		}
		if r.IntN(5) == 0 {
			b.Discard()
			for id, due := range before {
				model[id] = due
			}
		} else {
			if r.IntN(2) == 0 {
				limit := clinical.Instant(step + r.IntN(10))
				var want []timer
				after := func(at timer) clinical.Instant { return at.due + clinical.Instant(1+len(at.patient)*3) }
				for at := first(); at.due <= limit; at = first() {
					want = append(want, at)
					model[at.patient] = after(at)
				}
				require.Equal(t, want, fire(t, b, limit, after), "step %d", step)
			}
			require.NoError(t, b.Commit())
		}
		require.Equal(t, first().due, nextDue(p), "step %d", step)
		if r.IntN(50) == 0 {
			require.NoError(t, s.db.Flush())
		}
	}
	// What is stored is the same.
	fresh := newPartition(s, 2)
	require.NoError(t, fresh.open())
	require.Equal(t, first(), fresh.next)
	var want, stored []timer
	for id, due := range model {
		if due != clinical.Forever {
			want = append(want, timer{due, id})
		}
	}
	slices.SortFunc(want, func(x, y timer) int {
		if x.before(y) {
			return -1
		}
		return 1
	})
	b := p.Begin()
	defer b.Discard()
	stored = fire(t, b, clinical.Forever-1, disarm)
	require.Equal(t, want, stored)
}
