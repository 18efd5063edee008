package processor

import (
	"fmt"
	"strconv"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

// The type and the outcomes that intake counts besides FHIR's types and package fhir's words.
const (
	typeCompact    = "compact"
	outcomeTaken   = "taken"
	outcomeDeleted = "deleted"
)

// metricSet is what a processor measures. No label ever carries a patient.
type metricSet struct {
	intake       *prometheus.CounterVec // by type and outcome
	compactTaken prometheus.Counter     // intake's most frequent child
	facts        prometheus.Counter
	deadLetters  *prometheus.CounterVec // by reason
	claims       *prometheus.CounterVec // by outcome
	apply        prometheus.Histogram
	timers       prometheus.Counter
	transitions  *prometheus.CounterVec // by rule and kind
	alerts       prometheus.Counter
	ticks        prometheus.Counter
	replayed     prometheus.Counter
	restarts     *prometheus.CounterVec // by role
	refusedSets  prometheus.Counter
	lag          *lagCollector

	registry   prometheus.Registerer
	registered []prometheus.Collector
}

// newMetrics makes the metrics and registers them; with a nil registerer they count for nobody.
func newMetrics(r prometheus.Registerer) (*metricSet, error) {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: "vigil_" + name, Help: help})
	}
	vector := func(name, help string, labels ...string) *prometheus.CounterVec {
		return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "vigil_" + name, Help: help}, labels)
	}
	m := &metricSet{
		intake:      vector("intake_resources_total", "Resources and compact observations that intake read, by type and by what became of them.", "type", "outcome"),
		facts:       counter("intake_facts_total", "Facts that intake wrote to the facts log."),
		claims:      vector("claims_total", "Payloads that events only pointed to: fetched, or why not.", "outcome"),
		deadLetters: vector("dead_letters_total", "Records written to the dead-letter topic, by reason.", "reason"),
		apply: prometheus.NewHistogram(prometheus.HistogramOpts{Name: "vigil_apply_seconds",
			Help:    "Time taken to apply one record of the facts log to the state.",
			Buckets: prometheus.ExponentialBuckets(5e-6, 3, 12)}),
		timers:      counter("timers_fired_total", "Timers that fired: instants at which time alone could change a rule."),
		transitions: vector("transitions_total", "Rules that fired and cleared, by rule.", "rule", "kind"),
		alerts:      counter("alerts_sent_total", "Transitions written to the alerts topic."),
		ticks:       counter("ticks_total", "Ticks that this process appended to the facts log."),
		replayed:    counter("replayed_records_total", "Facts records replayed to bring a partition's state to the end of the log."),
		restarts:    vector("processor_restarts_total", "Processors that stopped with an error and were started again, by role.", "role"),
		refusedSets: counter("refused_activations_total", "Rule-set activations in the log that did not compile here."),
		lag:         newLagCollector(),
		registry:    r,
	}
	m.compactTaken = m.intake.WithLabelValues(typeCompact, outcomeTaken)
	if r == nil {
		return m, nil
	}
	all := []prometheus.Collector{m.intake, m.facts, m.deadLetters, m.claims, m.apply, m.timers, m.transitions, m.alerts,
		m.ticks, m.replayed, m.restarts, m.refusedSets, m.lag}
	if err := m.register(all...); err != nil {
		m.close()
		return nil, err
	}
	return m, nil
}

// register adds metrics until close.
func (m *metricSet) register(all ...prometheus.Collector) error {
	for _, c := range all {
		if m.registry == nil {
			return nil
		}
		if err := m.registry.Register(c); err != nil {
			return fmt.Errorf("registering the processor's metrics: %w", err)
		}
		m.registered = append(m.registered, c)
	}
	return nil
}

func (m *metricSet) count(kind, outcome string, n int) {
	m.intake.WithLabelValues(kind, outcome).Add(float64(n))
}

func (m *metricSet) close() {
	for _, c := range m.registered {
		m.registry.Unregister(c)
	}
	m.registered = nil
}

// lagCollector says, at each scrape, how far behind the end of the facts log the partitions that are
// owned here are.
type lagCollector struct {
	description *prometheus.Desc

	mu  sync.Mutex
	lag map[int32]func() int64
}

func newLagCollector() *lagCollector {
	return &lagCollector{lag: make(map[int32]func() int64), description: prometheus.NewDesc("vigil_lag_records",
		"Records of the facts log that are not yet applied, by partition.", []string{"partition"}, nil)}
}

// set gives a partition's lag; nil takes the partition out.
func (l *lagCollector) set(partition int32, lag func() int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if lag == nil {
		delete(l.lag, partition)
		return
	}
	l.lag[partition] = lag
}

// Describe implements prometheus.Collector.
func (l *lagCollector) Describe(to chan<- *prometheus.Desc) { to <- l.description }

// Collect implements prometheus.Collector.
func (l *lagCollector) Collect(to chan<- prometheus.Metric) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for p, lag := range l.lag {
		to <- prometheus.MustNewConstMetric(l.description, prometheus.GaugeValue, float64(lag()), strconv.Itoa(int(p)))
	}
}
