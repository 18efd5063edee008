package store

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/prometheus/client_golang/prometheus"
)

// metrics counts what the store does. Its counters are plain atomics, read at scrape; what Pebble counts
// itself is asked of Pebble then.
type metrics struct {
	hits, misses, refused atomic.Int64
	batches, batchBytes   atomic.Int64
	stalls                atomic.Int64
	stalled               atomic.Int64 // nanoseconds of stalls that are over

	mu    sync.Mutex
	since time.Time // when the present stall began
}

func (m *metrics) stallBegin() {
	m.stalls.Add(1)
	m.mu.Lock()
	m.since = time.Now()
	m.mu.Unlock()
}

func (m *metrics) stallEnd() {
	m.mu.Lock()
	m.stalled.Add(int64(time.Since(m.since)))
	m.mu.Unlock()
}

// collector reads the metrics of one store.
type collector struct {
	store *Store
	all   []reading
}

type reading struct {
	desc *prometheus.Desc
	kind prometheus.ValueType
	read func(*Store, *pebble.Metrics) float64
}

func newCollector(s *Store) *collector {
	c := &collector{store: s}
	add := func(kind prometheus.ValueType, name, help string, read func(*Store, *pebble.Metrics) float64) {
		c.all = append(c.all, reading{prometheus.NewDesc("vigil_store_"+name, help, nil, nil), kind, read})
	}
	own := func(x *atomic.Int64) func(*Store, *pebble.Metrics) float64 {
		return func(*Store, *pebble.Metrics) float64 { return float64(x.Load()) }
	}
	const counter, gauge = prometheus.CounterValue, prometheus.GaugeValue
	m := &s.metrics
	add(counter, "cache_hits_total", "Patients that were read from memory.", own(&m.hits))
	add(counter, "cache_misses_total", "Patients that were read from Pebble.", own(&m.misses))
	add(counter, "cache_refused_total", "Patients read from Pebble that were not kept, since a commit came in between.", own(&m.refused))
	add(gauge, "cache_bytes", "Bytes of decoded patients in memory, estimated.",
		func(s *Store, _ *pebble.Metrics) float64 { return float64(s.cache.bytes.Load()) })
	add(gauge, "cache_patients", "Decoded patients in memory.",
		func(s *Store, _ *pebble.Metrics) float64 { return float64(s.cache.count.Load()) })
	add(counter, "batches_total", "Batches committed.", own(&m.batches))
	add(counter, "batch_bytes_total", "Bytes of the batches committed.", own(&m.batchBytes))
	add(counter, "write_stalls_total", "Times that Pebble made writes wait.", own(&m.stalls))
	add(counter, "write_stall_seconds_total", "How long Pebble made writes wait.",
		func(*Store, *pebble.Metrics) float64 { return time.Duration(m.stalled.Load()).Seconds() })
	add(gauge, "disk_bytes", "Bytes on disk.",
		func(_ *Store, p *pebble.Metrics) float64 { return float64(p.DiskSpaceUsage()) })
	add(counter, "compactions_total", "Compactions that Pebble has done.",
		func(_ *Store, p *pebble.Metrics) float64 { return float64(p.Compact.Count) })
	add(gauge, "compaction_debt_bytes", "Bytes that Pebble has yet to compact, estimated.",
		func(_ *Store, p *pebble.Metrics) float64 { return float64(p.Compact.EstimatedDebt) })
	add(gauge, "l0_files", "Files in Pebble's level 0.",
		func(_ *Store, p *pebble.Metrics) float64 { return float64(p.Levels[0].TablesCount) })
	add(gauge, "read_amplification", "Files that a read of Pebble may have to look into.",
		func(_ *Store, p *pebble.Metrics) float64 { return float64(p.ReadAmp()) })
	add(gauge, "memtable_bytes", "Bytes of Pebble's memtables.",
		func(_ *Store, p *pebble.Metrics) float64 { return float64(p.MemTable.Size) })
	add(counter, "block_cache_hits_total", "Blocks that Pebble found in its cache.",
		func(_ *Store, p *pebble.Metrics) float64 { return float64(p.BlockCache.Hits) })
	add(counter, "block_cache_misses_total", "Blocks that Pebble read from disk.",
		func(_ *Store, p *pebble.Metrics) float64 { return float64(p.BlockCache.Misses) })
	return c
}

func (c *collector) Describe(to chan<- *prometheus.Desc) {
	for i := range c.all {
		to <- c.all[i].desc
	}
}

func (c *collector) Collect(to chan<- prometheus.Metric) {
	if c.store.gate.enter() != nil {
		return
	}
	defer c.store.gate.leave()
	p := c.store.db.Metrics()
	for i := range c.all {
		r := &c.all[i]
		to <- prometheus.MustNewConstMetric(r.desc, r.kind, r.read(c.store, p))
	}
}

// register makes the store's metrics known, and says what to do when another store's are already.
func (s *Store) register(r prometheus.Registerer) error {
	if r == nil {
		return nil
	}
	c := newCollector(s)
	if err := r.Register(c); err != nil {
		var twice prometheus.AlreadyRegisteredError
		if errors.As(err, &twice) {
			return fmt.Errorf("store: another store has registered its metrics; set Options.Registerer to prometheus.WrapRegistererWith labels that differ: %w", err)
		}
		return fmt.Errorf("store: register metrics: %w", err)
	}
	s.unregister = func() { r.Unregister(c) }
	return nil
}
