package processor

import (
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
)

// partitionCollector says, at each scrape, how this process stands to the partitions, and how long those
// take that are brought back from the log.
type partitionCollector struct {
	status func() []PartitionStatus

	states, left, seconds *prometheus.Desc
}

func newPartitionCollector(status func() []PartitionStatus) *partitionCollector {
	return &partitionCollector{status: status,
		states: prometheus.NewDesc("vigil_partitions", "Partitions, by how this process stands to them: "+
			"running, recovering, copy, warming, resting or elsewhere.", []string{"state"}, nil),
		left: prometheus.NewDesc("vigil_recovery_records_left", "Records of the facts log that are to be replayed before a partition is answered for, by partition.",
			[]string{"partition"}, nil),
		seconds: prometheus.NewDesc("vigil_recovery_seconds_left", "About how long that will take, by partition.", []string{"partition"}, nil)}
}

// Describe implements prometheus.Collector.
func (c *partitionCollector) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.states, c.left, c.seconds} {
		to <- d
	}
}

// Collect implements prometheus.Collector.
func (c *partitionCollector) Collect(to chan<- prometheus.Metric) {
	count := map[string]int{PartitionRunning: 0, PartitionRecovering: 0, PartitionCopy: 0, PartitionWarming: 0, PartitionResting: 0, PartitionElsewhere: 0}
	for _, s := range c.status() {
		count[s.State]++
		if s.State != PartitionRecovering {
			continue
		}
		partition := strconv.Itoa(int(s.Partition))
		to <- prometheus.MustNewConstMetric(c.left, prometheus.GaugeValue, float64(s.End-1-s.At), partition)
		if s.SecondsLeft != nil {
			to <- prometheus.MustNewConstMetric(c.seconds, prometheus.GaugeValue, *s.SecondsLeft, partition)
		}
	}
	for state, n := range count {
		to <- prometheus.MustNewConstMetric(c.states, prometheus.GaugeValue, float64(n), state)
	}
}
