package store

import (
	"sync"
	"sync/atomic"

	"github.com/cespare/xxhash/v2"
)

// cache keeps decoded patients, within a budget of bytes for all of its shards together. Each shard
// evicts by CLOCK: a patient that was used again since the hand passed it last stays for another round.
//
// A cold reader reads Pebble while the writer may commit, and must not put back what the commit made
// old, not even after the commit's own snapshot has been evicted again. So each shard counts the commits
// to it: a reader notes the count (get) before it opens its iterator, and put refuses the snapshot when
// the count has moved. The writer counts after its batch is visible in Pebble, so a reader who noted the
// new count reads the new state.
type cache struct {
	limit  int64
	bytes  atomic.Int64
	count  atomic.Int64
	hand   atomic.Uint64 // the shard to evict from next
	shards []shard
}

type shard struct {
	mu      sync.RWMutex
	commits uint64
	byKey   map[cacheKey]*slot
	clock   []*slot
	hand    int

	_ [64]byte // the next shard's lock is on another cache line
}

type cacheKey struct {
	partition int32
	patient   string
}

type slot struct {
	key     cacheKey
	patient *Patient
	size    int64
	place   int // in the shard's clock
	used    atomic.Bool
}

// cacheShards is a power of two; more than there are cores, so that readers seldom meet.
const cacheShards = 64

func newCache(limit int64) *cache {
	c := &cache{limit: limit, shards: make([]shard, cacheShards)}
	for i := range c.shards {
		c.shards[i].byKey = make(map[cacheKey]*slot)
	}
	return c
}

func (c *cache) shard(k cacheKey) *shard {
	h := xxhash.Sum64String(k.patient) + uint64(k.partition)
	return &c.shards[h&(cacheShards-1)]
}

// get finds a patient. When it is not there, put takes the count that get returned.
func (c *cache) get(k cacheKey) (*Patient, uint64) {
	s := c.shard(k)
	s.mu.RLock()
	e := s.byKey[k]
	if e == nil {
		n := s.commits
		s.mu.RUnlock()
		return nil, n
	}
	pt, n := e.patient, s.commits
	s.mu.RUnlock()
	if !e.used.Load() {
		e.used.Store(true)
	}
	return pt, n
}

// put keeps what a reader loaded since get, unless a commit came in between. It reports whether it did.
func (c *cache) put(k cacheKey, pt *Patient, commits uint64) bool {
	s := c.shard(k)
	s.mu.Lock()
	ok := s.commits == commits
	if ok {
		// Another reader may have been here with more of the history.
		if e := s.byKey[k]; e == nil || pt.Complete() || !e.patient.Complete() {
			c.set(s, k, pt)
		}
	}
	s.mu.Unlock()
	c.trim()
	return ok
}

// publish replaces a patient by what the writer has just committed. A nil patient only forgets the old.
func (c *cache) publish(k cacheKey, pt *Patient) {
	s := c.shard(k)
	s.mu.Lock()
	s.commits++
	if pt != nil {
		c.set(s, k, pt)
	} else if e := s.byKey[k]; e != nil {
		c.remove(s, e)
	}
	s.mu.Unlock()
	c.trim()
}

// drop forgets every patient of a partition.
func (c *cache) drop(partition int32) {
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		s.commits++
		for k, e := range s.byKey {
			if k.partition == partition {
				c.remove(s, e)
			}
		}
		s.mu.Unlock()
	}
}

// set is called with the shard locked.
func (c *cache) set(s *shard, k cacheKey, pt *Patient) {
	size := pt.size()
	e := s.byKey[k]
	if size > c.limit/2 {
		if e != nil {
			c.remove(s, e)
		}
		return
	}
	if e == nil {
		e = &slot{key: k, place: len(s.clock)}
		s.byKey[k] = e
		s.clock = append(s.clock, e)
		c.count.Add(1)
	} else {
		e.used.Store(true)
	}
	c.bytes.Add(size - e.size)
	e.patient, e.size = pt, size
}

// remove is called with the shard locked.
func (c *cache) remove(s *shard, e *slot) {
	last := len(s.clock) - 1
	s.clock[e.place] = s.clock[last]
	s.clock[e.place].place = e.place
	s.clock[last] = nil
	s.clock = s.clock[:last]
	delete(s.byKey, e.key)
	c.bytes.Add(-e.size)
	c.count.Add(-1)
}

// trim evicts from one shard after another until the budget holds. After one round without finding an
// unused patient all are unused, so the second finds one.
func (c *cache) trim() {
	for vain := 0; c.bytes.Load() > c.limit && vain < 2*cacheShards; vain++ {
		s := &c.shards[c.hand.Add(1)&(cacheShards-1)]
		s.mu.Lock()
		if c.evict(s) {
			vain = 0
		}
		s.mu.Unlock()
	}
}

// evict takes out the first patient from the hand on that was not used since the hand passed it last;
// false when there is none. It is called with the shard locked.
func (c *cache) evict(s *shard) bool {
	for range len(s.clock) {
		if s.hand >= len(s.clock) {
			s.hand = 0
		}
		if e := s.clock[s.hand]; !e.used.Swap(false) {
			c.remove(s, e)
			return true
		}
		s.hand++
	}
	return false
}
