package archive

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vigil-cds/vigil/internal/clinical"
)

func TestDuePatientsComeInOrderAndMove(t *testing.T) {
	p := openPartition(t, open(t, Options{}), 0)
	put := func(dues map[string]clinical.Instant) {
		commit(t, p, func(b *Batch) {
			for id, at := range dues {
				b.Put(&Patient{ID: id, Due: at})
			}
		})
	}
	due := func(until clinical.Instant, limit int) []string {
		ids, err := p.Due(until, limit)
		require.NoError(t, err)
		return ids
	}
	next := func() clinical.Instant {
		at, ok, err := p.NextDue()
		require.NoError(t, err)
		require.Equal(t, ok, at != 0)
		return at
	}
	put(map[string]clinical.Instant{"c": 20, "b": 20, "a": 30, "old": -10, "never": clinical.Forever, "first": clinical.Never})
	require.Equal(t, []string{"first", "old", "b", "c", "a"}, due(clinical.Forever, 10))
	require.Equal(t, []string{"first", "old", "b", "c"}, due(20, 10))
	require.Equal(t, []string{"first", "old", "b"}, due(20, 3))
	require.Equal(t, []string{"first", "old"}, due(19, 10))
	require.Empty(t, due(20, 0))
	require.Equal(t, clinical.Never, next())

	put(map[string]clinical.Instant{"first": clinical.Forever, "old": 40, "b": 25})
	require.Equal(t, []string{"c", "b", "a", "old"}, due(40, 10))
	require.EqualValues(t, 20, next())
	put(map[string]clinical.Instant{"late": 10}) // before all that were seen
	require.Equal(t, []string{"late"}, due(10, 10))
	require.EqualValues(t, 10, next())

	commit(t, p, func(b *Batch) { // the last of several moves in one batch counts
		for _, at := range []clinical.Instant{1, clinical.Forever, 2, 50} {
			b.Put(&Patient{ID: "late", Due: at})
			b.Put(&Patient{ID: "b", Due: at})
		}
		b.Put(&Patient{ID: "b", Due: 25})
	})
	require.Equal(t, []string{"c", "b", "a", "old", "late"}, due(clinical.Forever, 10))

	b := p.Begin()
	b.Put(&Patient{ID: "c", Due: 1})
	b.Discard()
	require.EqualValues(t, 20, next())
	put(map[string]clinical.Instant{"a": clinical.Forever, "b": clinical.Forever, "c": clinical.Forever, "old": clinical.Forever, "late": clinical.Forever})
	require.Empty(t, due(clinical.Forever, 10))
	require.Zero(t, next())
	put(map[string]clinical.Instant{"a": 5})
	require.Equal(t, []string{"a"}, due(5, 10))
}

// A look for who is due remembers where they begin; one that raced with a commit must not forget whom the
// commit brought.
func TestABoundThatWasOvertakenIsNotRemembered(t *testing.T) {
	p := openPartition(t, open(t, Options{}), 0)
	commit(t, p, func(b *Batch) { b.Put(&Patient{ID: "b", Due: 20}) })
	require.NoError(t, p.eachDue(func(due) bool {
		commit(t, p, func(b *Batch) { b.Put(&Patient{ID: "a", Due: 10}) })
		return true
	}))
	ids, err := p.Due(20, 10)
	require.NoError(t, err)
	require.Equal(t, []string{"a", "b"}, ids)
	first, _ := p.dues.bound()
	require.Equal(t, due{10, "a"}, first, "the next look begins at the first")
}

func TestRandomMovesKeepTheOrderOfTheDue(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	a := open(t, Options{Memory: MinMemory})
	p := openPartition(t, a, 0)
	held := map[string]clinical.Instant{}
	for range 300 {
		commit(t, p, func(b *Batch) {
			for range r.IntN(6) {
				id := string(rune('a' + r.IntN(20)))
				held[id] = clinical.Instant(r.IntN(50))
				if r.IntN(5) == 0 {
					held[id] = clinical.Forever
				}
				b.Put(&Patient{ID: id, Due: held[id]})
			}
		})
		until := clinical.Instant(r.IntN(50))
		var want []due
		for id, at := range held {
			if at <= until {
				want = append(want, due{at, id})
			}
		}
		slices.SortFunc(want, func(x, y due) int {
			if x.before(y) {
				return -1
			}
			return 1
		})
		ids, err := p.Due(until, 100)
		require.NoError(t, err)
		require.Len(t, ids, len(want))
		for i := range want {
			require.Equal(t, want[i].patient, ids[i])
		}
		if r.IntN(40) == 0 {
			require.NoError(t, a.db.Flush())
		}
	}
}
