package store

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

func snapshot(id string, facts int64) *Patient {
	pt := unknown(id)
	pt.Known, pt.Meta.Facts = true, facts
	return pt
}

func TestAReaderCannotPutBackWhatACommitMadeOld(t *testing.T) {
	key := cacheKey{1, "p"}
	for name, after := range map[string]func(*cache){
		"the commit's snapshot is there":         func(*cache) {},
		"the commit's snapshot has been evicted": func(c *cache) { s := c.shard(key); c.remove(s, s.byKey[key]) },
	} {
		t.Run(name, func(t *testing.T) {
			c := newCache(1 << 20)
			_, commits := c.get(key) // a reader misses, and reads Pebble
			old := snapshot("p", 1)
			c.publish(key, snapshot("p", 2)) // meanwhile
			after(c)
			require.False(t, c.put(key, old, commits))
			if pt, _ := c.get(key); pt != nil {
				require.EqualValues(t, 2, pt.Meta.Facts)
			}
		})
	}
}

func TestAPartialSnapshotDoesNotReplaceACompleteOne(t *testing.T) {
	c := newCache(1 << 20)
	key := cacheKey{1, "p"}
	_, commits := c.get(key)
	whole, part := snapshot("p", 1), snapshot("p", 1)
	part.partial = true
	require.True(t, c.put(key, part, commits))
	require.True(t, c.put(key, whole, commits))
	require.True(t, c.put(key, part, commits))
	pt, _ := c.get(key)
	require.Same(t, whole, pt)
}

func TestTheCacheKeepsItsBudgetAndWhatIsUsed(t *testing.T) {
	one := snapshot("patient-000", 1).size()
	c := newCache(100 * one)
	used := cacheKey{0, "used"}
	c.publish(used, snapshot("used", 1))
	for i := range 5000 {
		id := fmt.Sprintf("patient-%03d", i)
		c.publish(cacheKey{0, id}, snapshot(id, 1))
		require.LessOrEqual(t, c.bytes.Load(), c.limit)
		pt, _ := c.get(used)
		require.NotNil(t, pt, "after %d others", i)
	}
	require.Greater(t, c.count.Load(), int64(90))
	c.drop(0)
	require.Zero(t, c.bytes.Load())
	require.Zero(t, c.count.Load())
}

func TestAPatientTooLargeForTheCacheIsNotKept(t *testing.T) {
	c := newCache(1000)
	key := cacheKey{0, "p"}
	c.publish(key, snapshot("p", 1))
	pt, _ := c.get(key)
	require.Nil(t, pt)
	require.Zero(t, c.bytes.Load())
}

// Every record states the number of the record in two resources, so that a reader can see whether what it
// has read is of one position, and not older than what was published before it asked.
func TestReadersSeeOnePositionWhileAWriterCommits(t *testing.T) {
	s := open(t, Options{Memory: MinMemory, CachePatients: 20 << 10}) // a handful of patients at a time
	p := openPartition(t, s, 0)
	const patients, records = 40, 1500
	var done atomic.Bool
	var last [patients]atomic.Int64
	var wg sync.WaitGroup
	for reader := range 4 {
		wg.Go(func() {
			for i := 0; !done.Load(); i++ {
				n := (i*7 + reader) % patients
				published := last[n].Load()
				load := s.Load
				if i%3 == 0 {
					load = s.LoadAll
				}
				pt, state, err := load(0, fmt.Sprint(n))
				if err != nil {
					t.Error(err)
					return
				}
				if published == 0 && !pt.Known {
					continue
				}
				x, y := numbers(pt.History, creatinine), numbers(pt.History, heartRate)
				if len(x) != 1 || len(y) != 1 || x[0] != y[0] {
					t.Errorf("facts of two positions: %v and %v", x, y)
					return
				}
				if int64(x[0]) != pt.Meta.Facts || pt.Meta.Facts > state.Facts {
					t.Errorf("facts of %v with the meta of %d at position %d", x[0], pt.Meta.Facts, state.Facts)
					return
				}
				if pt.Meta.Facts < published {
					t.Errorf("read position %d after %d was published", pt.Meta.Facts, published)
					return
				}
			}
		})
	}
	apply(t, p, "somebody else") // offset 0, so that 0 can mean nothing published
	for i := 1; i <= records; i++ {
		n := i * 3 % patients
		apply(t, p, fmt.Sprint(n),
			states("Observation/1", version(0), at(creatinine, 1, float64(i))),
			states("Observation/2", version(0), at(heartRate, 1, float64(i))))
		last[n].Store(int64(i))
	}
	done.Store(true)
	wg.Wait()
	require.Positive(t, s.metrics.misses.Load())
}
