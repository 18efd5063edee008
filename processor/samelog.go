package processor

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/IBM/sarama"
)

// ErrOtherLog means that a database was made from another facts log than the one that is there: its
// positions say nothing about this one.
var ErrOtherLog = errors.New("the state was made from another log")

// MadeFromLog is a database that remembers of which log it is made; "" before it was told.
type MadeFromLog interface {
	Log() (string, error)
	SetLog(id string) error
}

// SameLog tells a new database which facts log it is made from, and is ErrOtherLog for one that was made
// from another: the topic was removed and made anew, or these are other brokers. The log's length alone
// would not show it once the new one has grown.
func (t Topics) SameLog(ctx context.Context, client sarama.Client, of MadeFromLog) error {
	here, err := t.LogID(ctx, client)
	if err != nil || here == "" {
		return err
	}
	made, err := of.Log()
	switch {
	case err != nil:
		return err
	case made == "":
		return of.SetLog(here)
	case made != here:
		return fmt.Errorf("%w: topic %s has the id %s and the state is of %s: name the brokers and the topic prefix that it belongs to, or start with an empty directory in its place, which is filled from this log",
			ErrOtherLog, t.Facts.Name, here, made)
	}
	return nil
}

// LogID is the id that the brokers gave the facts topic when it was made; "" of brokers before Kafka 2.8,
// which give none.
func (t Topics) LogID(ctx context.Context, client sarama.Client) (string, error) {
	for until := time.Now().Add(offsetTime); ; {
		id, err := topicID(client, t.Facts.Name)
		if err == nil || time.Now().After(until) {
			return id, err
		}
		select {
		case <-ctx.Done():
			return "", fmt.Errorf("%w (%w)", err, context.Cause(ctx))
		case <-time.After(offsetPause):
		}
	}
}

func topicID(client sarama.Client, topic string) (string, error) {
	failed := func(err error) (string, error) {
		return "", fmt.Errorf("asking which log topic %s is: %w: %w", topic, ErrLogUnavailable, err)
	}
	controller, err := client.Controller()
	if err != nil {
		return failed(err)
	}
	answer, err := controller.GetMetadata(sarama.NewMetadataRequest(client.Config().Version, []string{topic}))
	if err != nil {
		_, _ = client.RefreshController() // when it fails, so will the next request
		return failed(err)
	}
	for _, of := range answer.Topics {
		if of.Name != topic {
			continue
		}
		if of.Err != sarama.ErrNoError && of.Err != sarama.ErrLeaderNotAvailable {
			return failed(of.Err)
		}
		if of.Uuid == (sarama.Uuid{}) {
			return "", nil
		}
		return of.Uuid.String(), nil
	}
	return failed(sarama.ErrUnknownTopicOrPartition)
}
