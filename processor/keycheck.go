package processor

import (
	"context"
	"fmt"
	"sync"

	"github.com/IBM/sarama"
	"golang.org/x/sync/errgroup"
)

// How much of a log is looked at to see by which number of partitions it was keyed: so many records of each
// partition, of which so few in a hundred may lie elsewhere, as another producer may have put them there.
const (
	lookedAt  = 64
	strangers = 25
)

// checkKeys looks whether patients of the facts log are where the number of partitions puts them. It is
// ErrTopicMismatch when they are not: then the topics were given more partitions since the log began, and
// half of the patients or more would be without their history, which nothing else would tell.
func (t Topics) checkKeys(ctx context.Context, c Config, client sarama.Client) error {
	var mu sync.Mutex
	seen, elsewhere := 0, 0
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(8)
	for partition := range int32(c.Partitions) {
		group.Go(func() error {
			oldest, err := client.GetOffset(t.Facts.Name, partition, sarama.OffsetOldest)
			if err != nil {
				return fmt.Errorf("looking at the facts log: %w: %w", ErrLogUnavailable, err)
			}
			newest, err := client.GetOffset(t.Facts.Name, partition, sarama.OffsetNewest)
			if err != nil {
				return fmt.Errorf("looking at the facts log: %w: %w", ErrLogUnavailable, err)
			}
			end := min(newest, oldest+lookedAt)
			err = readRange(ctx, client, t.Facts.Name, partition, oldest, end, func(m *sarama.ConsumerMessage) error {
				if !legalKey(string(m.Key)) { // of a control record
					return nil
				}
				mu.Lock()
				defer mu.Unlock()
				seen++
				if Partition(string(m.Key), c.Partitions) != partition {
					elsewhere++
				}
				return nil
			})
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	if elsewhere*100 <= seen*strangers {
		return nil
	}
	return fmt.Errorf("%w: %s: of %d records that were looked at %d lie in another partition than %d partitions put their patients in: the topics were given more partitions since the log began; "+
		"set the number of partitions and another topic prefix, and send the events of the old topic %s to the new one by their keys", ErrTopicMismatch, t.Facts.Name, seen, elsewhere, c.Partitions, t.Events.Name)
}
