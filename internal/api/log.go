package api

import (
	"context"

	"github.com/vigil-cds/vigil/processor"
)

// Log is the way into the events log; processor.Writer is one. Write returns, in the order of the events,
// where they are kept, after all of them are safe. On an error some of them may have been kept: the caller
// writes all again, which changes nothing for those. An event that can never be kept is
// processor.ErrTooLarge. It is safe for concurrent use.
type Log interface {
	Write(ctx context.Context, events []processor.Event) ([]processor.Position, error)
}

// joinPositions writes the last position of every partition, which is all that a reader has to wait for.
func joinPositions(positions []processor.Position) string {
	return processor.FormatPositions(processor.Latest(positions))
}
