package processor

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/IBM/sarama"
)

// orderedProducer writes to one partition in order, whatever happens to its brokers: the next request is
// built when the one before is acknowledged, and a request whose answer did not come is sent again as it
// was. Records can be there again, always from some record on and in the same order.
//
// sarama's producers do not keep that. Also with one request in flight they have the next one ready, and
// send it when the answer to the first says that the first has to be sent again. It is for one goroutine.
type orderedProducer struct {
	client    sarama.Client
	topic     string
	partition int32
}

// One request's limits: what a broker takes by default is a megabyte.
const (
	orderedBytes   = 512 << 10
	orderedTimeout = 10 * time.Second
	orderedPause   = 100 * time.Millisecond
)

// write returns when all messages are acknowledged, or when ctx has ended: any number of them, from the
// first on, may then be in the log.
func (p *orderedProducer) write(ctx context.Context, messages []sarama.ProducerMessage) error {
	for len(messages) > 0 {
		n, size := 0, 0
		for n < len(messages) && (n == 0 || size+messages[n].ByteSize(recordFormat) <= orderedBytes) {
			size += messages[n].ByteSize(recordFormat)
			n++
		}
		batch, err := recordBatch(messages[:n], time.Now())
		if err != nil {
			return err
		}
		if err := p.insist(ctx, batch); err != nil {
			return err
		}
		messages = messages[n:]
	}
	return nil
}

// insist sends a batch until it is acknowledged.
func (p *orderedProducer) insist(ctx context.Context, batch *sarama.RecordBatch) error {
	for {
		answered := make(chan error, 1)
		go func() { answered <- p.send(batch) }()
		var err error
		select {
		case err = <-answered:
		case <-ctx.Done():
			return fmt.Errorf("%w: not acknowledged in time: %w", ErrLogUnavailable, context.Cause(ctx))
		}
		switch {
		case err == nil:
			return nil
		case errors.Is(err, sarama.ErrMessageSizeTooLarge):
			return fmt.Errorf("%w: %w", ErrTooLarge, err)
		}
		select {
		case <-time.After(orderedPause):
		case <-ctx.Done():
			return fmt.Errorf("%w: %w", ErrLogUnavailable, err)
		}
	}
}

// send sends a batch once.
func (p *orderedProducer) send(batch *sarama.RecordBatch) error {
	leader, err := p.client.Leader(p.topic, p.partition)
	if err != nil {
		return err
	}
	request := &sarama.ProduceRequest{Version: 7, RequiredAcks: sarama.WaitForAll, Timeout: int32(orderedTimeout / time.Millisecond)}
	own := *batch // encoding writes into it
	request.AddBatch(p.topic, p.partition, &own)
	response, err := leader.Produce(request)
	if err != nil {
		_ = leader.Close() // it is opened again when it is next asked for
	} else if block := response.GetBlock(p.topic, p.partition); block == nil {
		err = sarama.ErrIncompleteResponse
	} else if block.Err != sarama.ErrNoError {
		err = block.Err
	}
	if err != nil {
		_ = p.client.RefreshMetadata(p.topic) // when it fails, so will the next send
	}
	return err
}

func recordBatch(messages []sarama.ProducerMessage, now time.Time) (*sarama.RecordBatch, error) {
	now = now.Truncate(time.Millisecond)
	batch := &sarama.RecordBatch{Version: 2, Codec: sarama.CompressionSnappy, CompressionLevel: sarama.CompressionLevelDefault,
		FirstTimestamp: now, MaxTimestamp: now, ProducerID: -1, ProducerEpoch: -1, FirstSequence: -1,
		LastOffsetDelta: int32(min(len(messages)-1, math.MaxInt32))}
	for i := range messages {
		key, err := messages[i].Key.Encode()
		if err != nil {
			return nil, err
		}
		value, err := messages[i].Value.Encode()
		if err != nil {
			return nil, err
		}
		rec := &sarama.Record{Key: key, Value: value, OffsetDelta: int64(i)}
		for j := range messages[i].Headers {
			rec.Headers = append(rec.Headers, &messages[i].Headers[j])
		}
		batch.Records = append(batch.Records, rec)
	}
	return batch, nil
}
