package processor

import (
	"errors"
	"time"

	"github.com/IBM/sarama"
)

// How often and how long a client asks again for an offset: longer than an election takes.
const (
	offsetPause = 100 * time.Millisecond
	offsetTime  = 30 * time.Second
)

// NewClient is sarama.NewClient, of a client whose GetOffset outlasts an election.
func NewClient(brokers []string, config *sarama.Config) (sarama.Client, error) {
	client, err := sarama.NewClient(brokers, config)
	if err != nil {
		return nil, err
	}
	return patientClient{client}, nil
}

// patientClient asks for an offset until there is a leader that knows it. A cluster that just made a topic
// tells of a leader before that one has taken the office, and one that lost a broker tells of none.
type patientClient struct{ sarama.Client }

// GetOffset implements sarama.Client.
func (c patientClient) GetOffset(topic string, partition int32, at int64) (int64, error) {
	for until := time.Now().Add(offsetTime); ; time.Sleep(offsetPause) {
		offset, err := c.Client.GetOffset(topic, partition, at)
		if err == nil || errors.Is(err, sarama.ErrClosedClient) || time.Now().After(until) {
			return offset, err
		}
	}
}
