package archive

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/prometheus/client_golang/prometheus"
)

// metrics counts what the archive does. Its counters are plain atomics, read at scrape; what Pebble counts
// itself is asked of Pebble then.
type metrics struct {
	batches, batchBytes atomic.Int64
	stalls              atomic.Int64
	stalled             atomic.Int64 // nanoseconds of stalls that are over

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

// collector reads the metrics of one archive.
type collector struct {
	archive *Archive
	all     []reading
}

type reading struct {
	desc *prometheus.Desc
	kind prometheus.ValueType
	read func(*pebble.Metrics) float64
}

func newCollector(a *Archive) *collector {
	c := &collector{archive: a}
	add := func(kind prometheus.ValueType, name, help string, read func(*pebble.Metrics) float64) {
		c.all = append(c.all, reading{prometheus.NewDesc("vigil_explain_archive_"+name, help, nil, nil), kind, read})
	}
	const counter, gauge = prometheus.CounterValue, prometheus.GaugeValue
	m := &a.metrics
	add(counter, "batches_total", "Batches committed.",
		func(*pebble.Metrics) float64 { return float64(m.batches.Load()) })
	add(counter, "batch_bytes_total", "Bytes of the batches committed.",
		func(*pebble.Metrics) float64 { return float64(m.batchBytes.Load()) })
	add(counter, "write_stalls_total", "Times that Pebble made writes wait.",
		func(*pebble.Metrics) float64 { return float64(m.stalls.Load()) })
	add(counter, "write_stall_seconds_total", "How long Pebble made writes wait.",
		func(*pebble.Metrics) float64 { return time.Duration(m.stalled.Load()).Seconds() })
	add(gauge, "disk_bytes", "Bytes on disk.",
		func(p *pebble.Metrics) float64 { return float64(p.DiskSpaceUsage()) })
	add(counter, "compactions_total", "Compactions that Pebble has done.",
		func(p *pebble.Metrics) float64 { return float64(p.Compact.Count) })
	add(gauge, "compaction_debt_bytes", "Bytes that Pebble has yet to compact, estimated.",
		func(p *pebble.Metrics) float64 { return float64(p.Compact.EstimatedDebt) })
	add(gauge, "read_amplification", "Files that a read of Pebble may have to look into.",
		func(p *pebble.Metrics) float64 { return float64(p.ReadAmp()) })
	add(gauge, "memtable_bytes", "Bytes of Pebble's memtables.",
		func(p *pebble.Metrics) float64 { return float64(p.MemTable.Size) })
	add(counter, "block_cache_hits_total", "Blocks that Pebble found in its cache.",
		func(p *pebble.Metrics) float64 { return float64(p.BlockCache.Hits) })
	add(counter, "block_cache_misses_total", "Blocks that Pebble read from disk.",
		func(p *pebble.Metrics) float64 { return float64(p.BlockCache.Misses) })
	return c
}

func (c *collector) Describe(to chan<- *prometheus.Desc) {
	for i := range c.all {
		to <- c.all[i].desc
	}
}

func (c *collector) Collect(to chan<- prometheus.Metric) {
	if c.archive.gate.enter() != nil {
		return
	}
	defer c.archive.gate.leave()
	p := c.archive.db.Metrics()
	for i := range c.all {
		r := &c.all[i]
		to <- prometheus.MustNewConstMetric(r.desc, r.kind, r.read(p))
	}
}

// register makes the archive's metrics known, and says what to do when another archive's are already.
func (a *Archive) register(r prometheus.Registerer) error {
	if r == nil {
		return nil
	}
	c := newCollector(a)
	if err := r.Register(c); err != nil {
		var twice prometheus.AlreadyRegisteredError
		if errors.As(err, &twice) {
			return fmt.Errorf("archive: another archive has registered its metrics; set Options.Registerer to prometheus.WrapRegistererWith labels that differ: %w", err)
		}
		return fmt.Errorf("archive: register metrics: %w", err)
	}
	a.unregister = func() { r.Unregister(c) }
	return nil
}
