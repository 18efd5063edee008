package processor

import (
	"context"
	"fmt"
	"slices"

	"github.com/IBM/sarama"

	"github.com/vigil-cds/vigil/internal/clinical"
)

// resumeSpan is how much of the facts log's end is looked at first when intake takes a partition over. It
// is more than is usually under way when a process is killed.
const resumeSpan = 4096

// resume finds which events from the committed offset on have their facts record already: a killed
// process wrote them and did not come to commit. Taking such an event a second time would let an old
// statement of it replace a newer one.
//
// The records looked for lie at the end of the facts log, after the last one of an event before the
// committed offset; the look goes back until it meets such a one.
func (in *intake) resume(ctx context.Context, partition int32, committed int64) error {
	topic := in.topics.Facts.Name
	oldest, err := in.client.GetOffset(topic, partition, sarama.OffsetOldest)
	if err != nil {
		return fmt.Errorf("finding the start of the facts log: %w: %w", ErrLogUnavailable, err)
	}
	end, err := in.client.GetOffset(topic, partition, sarama.OffsetNewest)
	if err != nil {
		return fmt.Errorf("finding the end of the facts log: %w: %w", ErrLogUnavailable, err)
	}
	for span := int64(resumeSpan); ; span *= 8 {
		from := max(oldest, end-span)
		written := new(offsetSet)
		met := from == oldest
		err := readRange(ctx, in.client, topic, partition, from, end, func(m *sarama.ConsumerMessage) error {
			rec, err := clinical.UnmarshalRecord(m.Value)
			switch {
			case err != nil || rec.EventOffset < 0:
			case rec.EventOffset < committed:
				met = true
			default:
				written.add(rec.EventOffset)
			}
			return nil
		})
		if err != nil {
			return err
		}
		if met {
			in.written[partition].Store(written)
			return nil
		}
	}
}

// done says whether the event has its facts record already.
func (in *intake) done(partition int32, offset int64) bool {
	written := in.written[partition].Load()
	return written != nil && written.has(offset)
}

// offsetSet is a set of offsets that mostly follow each other. It is not changed once it is shared.
type offsetSet struct{ runs []offsetRun }

type offsetRun struct{ first, last int64 }

// find is the place of the first run that ends at offset or later.
func (s *offsetSet) find(offset int64) int {
	i, _ := slices.BinarySearchFunc(s.runs, offset, func(r offsetRun, o int64) int {
		if r.last < o {
			return -1
		}
		return 1
	})
	return i
}

func (s *offsetSet) has(offset int64) bool {
	i := s.find(offset)
	return i < len(s.runs) && s.runs[i].first <= offset
}

func (s *offsetSet) add(offset int64) {
	i := s.find(offset)
	if i < len(s.runs) && s.runs[i].first <= offset {
		return
	}
	after := i > 0 && s.runs[i-1].last == offset-1
	before := i < len(s.runs) && s.runs[i].first == offset+1
	switch {
	case after && before:
		s.runs[i-1].last = s.runs[i].last
		s.runs = slices.Delete(s.runs, i, i+1)
	case after:
		s.runs[i-1].last = offset
	case before:
		s.runs[i].first = offset
	default:
		s.runs = slices.Insert(s.runs, i, offsetRun{offset, offset})
	}
}
