package store

import (
	"fmt"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/lovoo/goka/storage"
	"github.com/stretchr/testify/require"

	"github.com/vigil-cds/vigil/pointer"
)

// TestGokaStorageContract runs one suite against goka's own memory storage and ours.
func TestGokaStorageContract(t *testing.T) {
	for name, build := range map[string]func(t *testing.T) storage.Builder{
		"goka's memory": func(*testing.T) storage.Builder { return storage.MemoryBuilder() },
		"store":         func(t *testing.T) storage.Builder { return open(t, Options{}).GokaStorage(nil) },
	} {
		t.Run(name, func(t *testing.T) {
			for behaviour, check := range map[string]func(*testing.T, storage.Storage){
				"a key that was never set is nil":        checkMissing,
				"a key reads what was set last":          checkSetGet,
				"nil cannot be set":                      checkNil,
				"an empty value is a value":              checkEmpty,
				"a deleted key is gone":                  checkDelete,
				"the offset is the default until set":    checkOffset,
				"an iterator goes through keys in order": checkIterator,
				"an iterator is of a snapshot":           checkSnapshot,
				"a range starts at its start":            checkRange,
				"seeking finds a key":                    checkSeek,
				"a released iterator has nothing":        checkRelease,
				"many may read while one writes":         checkConcurrent,
			} {
				t.Run(behaviour, func(t *testing.T) {
					st, err := build(t)("table", 3)
					require.NoError(t, err)
					require.NoError(t, st.Open())
					check(t, st)
					require.NoError(t, st.MarkRecovered())
					require.NoError(t, st.Close())
				})
			}
		})
	}
}

func checkMissing(t *testing.T, st storage.Storage) {
	has, err := st.Has("a")
	require.NoError(t, err)
	require.False(t, has)
	value, err := st.Get("a")
	require.NoError(t, err)
	require.Nil(t, value)
}

func checkSetGet(t *testing.T, st storage.Storage) {
	for _, v := range []string{"1", "22", "3"} {
		require.NoError(t, st.Set("a", []byte(v)))
		value, err := st.Get("a")
		require.NoError(t, err)
		require.Equal(t, v, string(value))
		has, err := st.Has("a")
		require.NoError(t, err)
		require.True(t, has)
	}
}

func checkNil(t *testing.T, st storage.Storage) { require.Error(t, st.Set("a", nil)) }

func checkEmpty(t *testing.T, st storage.Storage) {
	require.NoError(t, st.Set("a", []byte{}))
	has, err := st.Has("a")
	require.NoError(t, err)
	require.True(t, has)
	value, err := st.Get("a")
	require.NoError(t, err)
	require.NotNil(t, value)
	require.Empty(t, value)
}

func checkDelete(t *testing.T, st storage.Storage) {
	require.NoError(t, st.Delete("a"), "one that is not there")
	require.NoError(t, st.Set("a", []byte("1")))
	require.NoError(t, st.Delete("a"))
	checkMissing(t, st)
}

func checkOffset(t *testing.T, st storage.Storage) {
	offset, err := st.GetOffset(-3)
	require.NoError(t, err)
	require.EqualValues(t, -3, offset)
	for _, want := range []int64{0, 7, 1 << 40} {
		require.NoError(t, st.SetOffset(want))
		offset, err = st.GetOffset(-3)
		require.NoError(t, err)
		require.Equal(t, want, offset)
	}
}

func fill(t *testing.T, st storage.Storage, keys ...string) {
	t.Helper()
	for _, k := range keys {
		require.NoError(t, st.Set(k, []byte("value of "+k)))
	}
}

func drain(t *testing.T, it storage.Iterator) (keys []string) {
	t.Helper()
	for it.Next() {
		value, err := it.Value()
		require.NoError(t, err)
		require.Equal(t, "value of "+string(it.Key()), string(value))
		keys = append(keys, string(it.Key()))
	}
	require.NoError(t, it.Err())
	require.Nil(t, it.Key())
	value, err := it.Value()
	require.NoError(t, err)
	require.Nil(t, value)
	require.False(t, it.Next(), "an iterator at its end stays there")
	it.Release()
	return keys
}

func checkIterator(t *testing.T, st storage.Storage) {
	fill(t, st, "b", "ab", "a", "c", "aa")
	it, err := st.Iterator()
	require.NoError(t, err)
	require.Equal(t, []string{"a", "aa", "ab", "b", "c"}, drain(t, it))
}

func checkSnapshot(t *testing.T, st storage.Storage) {
	fill(t, st, "a", "c")
	it, err := st.Iterator()
	require.NoError(t, err)
	fill(t, st, "b")
	require.NoError(t, st.Delete("c"))
	require.Equal(t, []string{"a", "c"}, drain(t, it))
}

func checkRange(t *testing.T, st storage.Storage) {
	fill(t, st, "a", "aa", "ab", "b", "c", "cc", "e")
	for _, c := range []struct {
		start, limit string
		want         []string
	}{
		{"aa", "bb", []string{"aa", "ab", "b"}},
		{"a0", "b0", []string{"aa", "ab", "b"}},
		{"c", "", []string{"c", "cc"}}, // no limit: a prefix
		{"x", "z", nil},
	} {
		it, err := st.IteratorWithRange([]byte(c.start), []byte(c.limit))
		require.NoError(t, err)
		require.Equal(t, c.want, drain(t, it), "from %q to %q", c.start, c.limit)
	}
}

func checkSeek(t *testing.T, st storage.Storage) {
	fill(t, st, "a", "b", "c")
	it, err := st.Iterator()
	require.NoError(t, err)
	require.True(t, it.Seek([]byte("b")))
	require.Equal(t, "b", string(it.Key()))
	require.True(t, it.Next())
	require.Equal(t, "c", string(it.Key()))
	require.False(t, it.Seek([]byte("x")))
	require.Nil(t, it.Key())
	it.Release()
}

func checkRelease(t *testing.T, st storage.Storage) {
	fill(t, st, "a", "b")
	it, err := st.Iterator()
	require.NoError(t, err)
	it.Release()
	require.False(t, it.Next())
	require.False(t, it.Seek([]byte("a")))
}

func checkConcurrent(t *testing.T, st storage.Storage) {
	var wg sync.WaitGroup
	for range 3 {
		wg.Go(func() {
			for i := range 200 {
				_, err := st.Get(fmt.Sprint(i % 5))
				require.NoError(t, err)
				_, err = st.GetOffset(0)
				require.NoError(t, err)
			}
		})
	}
	wg.Go(func() {
		for i := range 200 {
			require.NoError(t, st.SetOffset(int64(i)))
		}
	})
	for i := range 200 {
		require.NoError(t, st.Set(fmt.Sprint(i%5), []byte{byte(i)}))
	}
	wg.Wait()
}

// What is ours alone.

func gokaOver(t testing.TB, p *Partition) *gokaStorage {
	t.Helper()
	st, err := p.store.GokaStorage(nil)("table", p.number)
	require.NoError(t, err)
	return st.(*gokaStorage)
}

func TestGokaRangeWithALimitLeavesTheLimitOut(t *testing.T) {
	st := gokaOver(t, openPartition(t, open(t, Options{}), 0))
	fill(t, st, "a", "b", "c")
	it, err := st.IteratorWithRange([]byte("a"), []byte("c"))
	require.NoError(t, err)
	require.Equal(t, []string{"a", "b"}, drain(t, it))
	it, err = st.IteratorWithRange([]byte("c"), []byte("a"))
	require.NoError(t, err)
	require.Empty(t, drain(t, it))
}

func TestGokaIteratorSkipsEverythingButRows(t *testing.T) {
	p := openPartition(t, open(t, Options{}), 0)
	for _, id := range []string{"a", "b"} {
		apply(t, p, id, states("Observation/1", version(1), at(creatinine, 1, 1)))
	}
	put(t, p, "aa", func(pt *Patient) {}) // known, and no row
	it, err := gokaOver(t, p).Iterator()
	require.NoError(t, err)
	var keys []string
	for it.Next() {
		value, err := it.Value()
		require.NoError(t, err)
		_, err = pointer.DecodeRow(value)
		require.NoError(t, err)
		keys = append(keys, string(it.Key()))
	}
	it.Release()
	require.Equal(t, []string{"a", "b"}, keys)
}

func TestARowSetInsideABatchIsOneWithIt(t *testing.T) {
	p := openPartition(t, open(t, Options{}), 0)
	st := gokaOver(t, p)
	row := &pointer.Row{RuleSet: "one"}
	b := p.Begin()
	require.NoError(t, st.Set("p", row.AppendTo(nil)))
	seen, err := st.Get("p")
	require.NoError(t, err)
	require.Equal(t, row.AppendTo(nil), seen, "the callback reads what it set")
	b.Discard()
	seen, err = st.Get("p")
	require.NoError(t, err)
	require.Nil(t, seen)

	rowsWritten := func(b *Batch) (n int) {
		b.stage()
		require.NoError(t, b.err)
		for r := b.pebble.Reader(); ; {
			_, key, _, ok, err := r.Next()
			require.NoError(t, err)
			if !ok {
				return n
			}
			if _, rest, ok := splitPatientKey(key); ok && key[2] == familyPatient && rest[0] == partRow {
				n++
			}
		}
	}
	b = p.Begin()
	require.NoError(t, st.Set("p", row.AppendTo(nil)))
	putIn(t, b, "p", func(pt *Patient) { pt.Row = row })
	require.Equal(t, 1, rowsWritten(b))
	b.Discard()

	b = p.Begin()
	require.NoError(t, st.Set("p", row.AppendTo(nil)))
	putIn(t, b, "p", func(pt *Patient) { pt.Row = row })
	require.NoError(t, b.Commit())
	b = p.Begin()
	require.NoError(t, st.Set("p", row.AppendTo(nil)), "the present row once more, as for a record that comes again")
	require.Equal(t, 0, rowsWritten(b))
	b.Discard()

	b = p.Begin()
	putIn(t, b, "p", func(pt *Patient) { pt.Row = &pointer.Row{RuleSet: "two"} })
	require.NoError(t, st.Set("p", row.AppendTo(nil)))
	require.ErrorIs(t, b.Commit(), ErrRow)
	seen, err = st.Get("p")
	require.NoError(t, err)
	require.Equal(t, row.AppendTo(nil), seen)
}

func TestARowFromTheChangelogDoesNotReplaceOneThatWasComputedHere(t *testing.T) {
	p := openPartition(t, open(t, Options{}), 0)
	st := gokaOver(t, p)
	apply(t, p, "p", states("Observation/1", version(1), at(creatinine, 1, 1)))
	before, err := st.Get("p")
	require.NoError(t, err)
	old := (&pointer.Row{RuleSet: "old"}).AppendTo(nil)
	require.NoError(t, st.Set("p", old))
	require.NoError(t, st.Set("q", old))
	after, err := st.Get("p")
	require.NoError(t, err)
	require.Equal(t, before, after)
	pt, err := p.Load("q")
	require.NoError(t, err)
	require.False(t, pt.Known)
	require.Equal(t, "old", pt.Row.RuleSet)
	ids, err := p.Patients("", 9)
	require.NoError(t, err)
	require.Equal(t, []string{"p"}, ids)
}

func TestGokasOffsetRidesWithCommitsAndWithClose(t *testing.T) {
	fs := vfs.NewMem()
	offset := func(s *Store) int64 {
		o, err := gokaOver(t, openPartition(t, s, 0)).GetOffset(-1)
		require.NoError(t, err)
		return o
	}
	s := open(t, Options{FS: fs})
	p := openPartition(t, s, 0)
	require.NoError(t, gokaOver(t, p).SetOffset(41))
	apply(t, p, "p", states("Observation/1", version(1), at(creatinine, 1, 1)))
	fresh := newPartition(s, 0)
	require.NoError(t, fresh.open())
	require.EqualValues(t, 41, fresh.table.offset.Load())

	require.NoError(t, gokaOver(t, p).SetOffset(42))
	require.NoError(t, s.Close())
	s = open(t, Options{FS: fs})
	require.EqualValues(t, 42, offset(s))
	st := gokaOver(t, openPartition(t, s, 0))
	require.NoError(t, st.SetOffset(43))
	require.NoError(t, st.MarkRecovered())
	require.True(t, st.Recovered())
	require.NoError(t, s.Close())
	require.NoError(t, st.Close(), "goka may close its storages after the store")
	require.EqualValues(t, 43, offset(open(t, Options{FS: fs})))
}

func TestOpenPreparesThePartition(t *testing.T) {
	s := open(t, Options{})
	var prepared []int32
	st, err := s.GokaStorage(func(p *Partition) error {
		prepared = append(prepared, p.Number())
		return nil
	})("table", 4)
	require.NoError(t, err)
	require.Empty(t, prepared)
	require.NoError(t, st.Open())
	require.Equal(t, []int32{4}, prepared)
}
