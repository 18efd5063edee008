package source

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/vigil-cds/vigil/internal/cdc"
	"github.com/vigil-cds/vigil/internal/clinical"
)

// reading is how far a partition is read.
type reading struct {
	progress *progress
	seen     int64            // one past the last record; -1 before the first one when nothing is known of the partition
	start    int64            // the first record that the partition had when it was last asked
	end      int64            // one past its last
	last     clinical.Instant // of the latest change that was read
	paused   bool
}

// behind says whether the partition had more than was read.
func (r *reading) behind() bool { return r.end > max(r.start, r.seen) }

// ask finds where each partition ends, after what was read of all.
func (s *Source) ask(ctx context.Context, client *kgo.Client) error {
	topics := map[string]bool{}
	for l := range s.lanes {
		topics[l.Topic] = true
	}
	names := slices.Collect(maps.Keys(topics))
	admin := kadm.NewClient(client)
	ends, err := admin.ListEndOffsets(ctx, names...)
	starts := kadm.ListedOffsets{}
	if err == nil {
		starts, err = admin.ListStartOffsets(ctx, names...)
	}
	if err = cmp.Or(err, ends.Error(), starts.Error()); err != nil {
		return fmt.Errorf("finding the ends of the source's topics: %w", err)
	}
	for l, r := range s.lanes {
		if end, ok := ends.Lookup(l.Topic, l.Partition); ok {
			r.end = end.Offset
		}
		if start, ok := starts.Lookup(l.Topic, l.Partition); ok {
			r.start = start.Offset
		}
	}
	return nil
}

// known says of a transaction whether everything before it has been read: a parent's row can be in another topic
// than its child's. A partition tells nothing earlier once it was read beyond that time, or to its end.
func (s *Source) known() func(*cdc.Transaction) bool {
	until := s.until()
	return func(t *cdc.Transaction) bool { return t.At() < until }
}

// until is the time of which, and after which, something may still be unread.
func (s *Source) until() clinical.Instant {
	until := clinical.Forever
	for _, r := range s.lanes {
		if r.behind() {
			until = min(until, r.last)
		}
	}
	return until
}

// hold keeps partitions that are ahead of others from filling the memory until the others have come up.
func (s *Source) hold(client *kgo.Client) {
	_, size := s.collector.Open()
	until := s.until()
	for l, r := range s.lanes {
		ahead := size > s.config.OpenBytes/2 && r.last > until
		switch partition := map[string][]int32{l.Topic: {l.Partition}}; {
		case ahead && !r.paused:
			client.PauseFetchPartitions(partition)
		case !ahead && r.paused:
			client.ResumeFetchPartitions(partition)
		}
		r.paused = ahead
	}
}
