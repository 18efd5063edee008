package service

import (
	"fmt"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metricSet is what the role measures. No label ever carries a patient.
type metricSet struct {
	facts, records, published, matched, expired, restarts prometheus.Counter
	explained                                             *prometheus.CounterVec // by rule and kind
	divergence                                            *prometheus.CounterVec // by rule
	batch                                                 prometheus.Histogram
	state                                                 *stateCollector

	expiredCount, factCount atomic.Int64
	mu                      sync.Mutex
	pending                 map[int32]int64 // by partition: marks of either side

	registry   prometheus.Registerer
	registered []prometheus.Collector
}

func newMetrics(r prometheus.Registerer, s *Service) (*metricSet, error) {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: "vigil_explain_" + name, Help: help})
	}
	vector := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "vigil_explain_" + name, Help: help}, labels)
	}
	m := &metricSet{
		facts:      counter("facts_total", "Facts that were explained."),
		records:    counter("records_total", "Records of the facts log that were explained."),
		published:  counter("published_total", "Explanations written to the explanations topic."),
		matched:    counter("matched_total", "Transitions on which the engine and the explanations agree."),
		expired:    counter("expired_total", "Explained transitions whose alerts retention had removed before they could be compared."),
		restarts:   counter("restarts_total", "Times that explaining stopped with an error and was started again."),
		explained:  vector("transitions_total", "Transitions that were found and explained, by rule and kind.", "rule", "kind"),
		divergence: vector("divergence_total", "Transitions on which the engine and the explanations differ, by rule.", "rule"),
		batch: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "vigil_explain_batch_seconds",
			Help: "Time taken to explain one batch of records.", Buckets: prometheus.ExponentialBuckets(1e-4, 3, 10)}),
		state: &stateCollector{service: s}, pending: make(map[int32]int64), registry: r,
	}
	if r == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{m.facts, m.records, m.published, m.matched, m.expired, m.restarts, m.explained, m.divergence, m.batch, m.state} {
		if err := r.Register(c); err != nil {
			m.close()
			return m, fmt.Errorf("registering the explain role's metrics: %w", err)
		}
		m.registered = append(m.registered, c)
	}
	return m, nil
}

func (m *metricSet) close() {
	if m == nil {
		return
	}
	for _, c := range m.registered {
		m.registry.Unregister(c)
	}
	m.registered = nil
}

func (m *metricSet) took(records, facts int, took time.Duration) {
	m.records.Add(float64(records))
	m.facts.Add(float64(facts))
	m.factCount.Add(int64(facts))
	m.batch.Observe(took.Seconds())
}

func (m *metricSet) setPending(partition int32, n int64) {
	m.mu.Lock()
	m.pending[partition] = n
	m.mu.Unlock()
}

func (m *metricSet) pendingOf(partition int32) int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.pending[partition]
}

// stateCollector shows how far each partition is.
type stateCollector struct{ service *Service }

var (
	lagDesc     = prometheus.NewDesc("vigil_explain_lag_records", "Records of the facts log that are yet to be explained, by partition.", []string{"partition"}, nil)
	pendingDesc = prometheus.NewDesc("vigil_explain_pending", "Transitions that are not yet matched with the engine's alerts, either way round, by partition.", []string{"partition"}, nil)
	pausedDesc  = prometheus.NewDesc("vigil_explain_paused_seconds_total", "Time spent waiting, so that nothing else is slowed.", nil, nil)
)

// Describe implements prometheus.Collector.
func (c *stateCollector) Describe(to chan<- *prometheus.Desc) {
	to <- lagDesc
	to <- pendingDesc
	to <- pausedDesc
}

// Collect implements prometheus.Collector.
func (c *stateCollector) Collect(to chan<- prometheus.Metric) {
	for _, p := range c.service.partitions() {
		label := strconv.Itoa(int(p.number))
		to <- prometheus.MustNewConstMetric(lagDesc, prometheus.GaugeValue, float64(p.behind()), label)
		to <- prometheus.MustNewConstMetric(pendingDesc, prometheus.GaugeValue, float64(c.service.metrics.pendingOf(p.number)), label)
	}
	to <- prometheus.MustNewConstMetric(pausedDesc, prometheus.CounterValue, c.service.pace.pausedSeconds())
}
