package processor

import (
	"errors"
	"fmt"
	"io"
	"log"
	"time"

	"github.com/IBM/sarama"
	"github.com/rcrowley/go-metrics"

	"github.com/vigil-cds/vigil/processor/group"
)

// ErrLogUnavailable is wrapped by every error that comes of a log which cannot be reached or does not
// acknowledge. What was being written may or may not be in the log: writing it again is right, since the
// same statement taken twice changes nothing.
var ErrLogUnavailable = errors.New("the log is not available")

// channelSize is how many records may wait between two stages.
const channelSize = 1024

// ClientConfig is a fresh sarama configuration, with what every client of the log here needs, for a
// component outside of this package.
func (c Config) ClientConfig(component string) (*sarama.Config, error) {
	return c.clientConfig(component)
}

// clientConfig is a fresh sarama configuration for the component of that name. No two components may
// share one, because goka's builders write into what they are given.
func (c Config) clientConfig(component string) (*sarama.Config, error) {
	s := sarama.NewConfig()
	s.Version = sarama.V2_8_0_0
	s.ClientID = c.Prefix + component
	s.MetricRegistry = noMetrics{}
	s.ChannelBufferSize = channelSize
	s.Metadata.AllowAutoTopicCreation = false

	// An election takes seconds: a client that gives up sooner turns it into failed sends.
	s.Metadata.Retry.Max = 60
	s.Metadata.Retry.Backoff = 100 * time.Millisecond

	s.Consumer.Offsets.Initial = sarama.OffsetOldest
	s.Consumer.Offsets.AutoCommit.Interval = time.Second
	s.Consumer.Return.Errors = true
	s.Consumer.MaxWaitTime = 200 * time.Millisecond // a close waits for the fetch that is under way
	s.Consumer.Fetch.Default = 1 << 20
	s.Consumer.MaxProcessingTime = 5 * time.Second
	s.Consumer.Group.Rebalance.GroupStrategies = []sarama.BalanceStrategy{&group.Strategy{Anyone: component != RoleRules}}
	s.Consumer.Group.Member.UserData = group.Card(c.member(), nil)
	s.Consumer.Group.Session.Timeout = c.SessionTimeout
	// A heartbeat's answer is what tells a member that partitions are shared anew, and everyone waits for it.
	s.Consumer.Group.Heartbeat.Interval = min(c.SessionTimeout/4, 500*time.Millisecond)
	if c.InstanceID != "" {
		s.Consumer.Group.InstanceId = c.InstanceID + "-" + component
	}

	c.Channel.Apply(s)
	if err := s.Validate(); err != nil {
		return nil, fmt.Errorf("configuring the Kafka client %s: %w", s.ClientID, err)
	}
	return s, nil
}

// noMetrics is a registry for sarama that measures nothing: its meters would cost a lock per record and
// goroutines.
type noMetrics struct{}

func (noMetrics) Each(func(string, any))                    {}
func (noMetrics) Get(string) any                            { return nil }
func (noMetrics) GetAll() map[string]map[string]interface{} { return nil }
func (noMetrics) Register(string, any) error                { return nil }
func (noMetrics) RunHealthchecks()                          {}
func (noMetrics) Unregister(string)                         {}
func (noMetrics) UnregisterAll()                            {}

// GetOrRegister answers with the metric of the kind asked for that does nothing.
func (noMetrics) GetOrRegister(_ string, metric any) any {
	switch metric.(type) {
	case metrics.Meter, func() metrics.Meter:
		return metrics.NilMeter{}
	case metrics.Counter, func() metrics.Counter:
		return metrics.NilCounter{}
	case metrics.Histogram, func() metrics.Histogram:
		return metrics.NilHistogram{}
	case metrics.Gauge, func() metrics.Gauge:
		return metrics.NilGauge{}
	case metrics.Timer, func() metrics.Timer:
		return metrics.NilTimer{}
	}
	return metric
}

// silent keeps goka from logging: its lines carry keys, which are patients' ids. What matters in them
// comes back as errors.
var silent = log.New(io.Discard, "", 0)
