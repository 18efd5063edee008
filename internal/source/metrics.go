package source

import (
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

// metricSet is what the role measures. No label ever carries a value of a row.
type metricSet struct {
	changes, transactions, events prometheus.Counter
	refused                       *prometheus.CounterVec // by reason
	open, openBytes, lag          prometheus.Gauge

	registry   prometheus.Registerer
	registered []prometheus.Collector
}

func newMetrics(r prometheus.Registerer) (*metricSet, error) {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: "vigil_source_" + name, Help: help})
	}
	gauge := func(name, help string) prometheus.Gauge {
		return prometheus.NewGauge(prometheus.GaugeOpts{Name: "vigil_source_" + name, Help: help})
	}
	m := &metricSet{
		changes:      counter("changes_total", "Changes of rows that were read."),
		transactions: counter("transactions_total", "Transactions that took effect."),
		events:       counter("events_total", "Events that transactions gave, one for each patient."),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "vigil_source_refused_total",
			Help: "Changes that went to the dead-letter topic, by reason."}, []string{"reason"}),
		open:      gauge("open_transactions", "Transactions of which parts are missing, or which wait for such."),
		openBytes: gauge("open_bytes", "Bytes of the changes that wait."),
		lag:       gauge("lag_records", "Records of the source's topics that are yet to be taken."),
		registry:  r,
	}
	if r == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{m.changes, m.transactions, m.events, m.refused, m.open, m.openBytes, m.lag} {
		if err := r.Register(c); err != nil {
			m.close()
			return nil, fmt.Errorf("registering the source role's metrics: %w", err)
		}
		m.registered = append(m.registered, c)
	}
	return m, nil
}

func (m *metricSet) close() {
	for _, c := range m.registered {
		m.registry.Unregister(c)
	}
	m.registered = nil
}
