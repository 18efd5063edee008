package processor

import (
	"errors"
	"fmt"
	"time"

	"github.com/lovoo/goka"

	"github.com/vigil-cds/vigil/internal/claim"
	"github.com/vigil-cds/vigil/internal/fhir"
)

const (
	firstFetch = 100 * time.Millisecond // after a failed one
	laterFetch = 5 * time.Second
)

// redeem fetches what the event points to and reads it as if it had been in the record. What may pass is tried
// again, while the partition waits: its order is kept.
func (e *event) redeem(ctx goka.Context) {
	e.claim = e.body
	c, err := claim.Parse(e.body)
	if err != nil {
		e.unredeemed(err)
		return
	}
	began, delay := time.Now(), newBackoff(firstFetch, laterFetch)
	for {
		body, err := e.in.claims.Fetch(ctx.Context(), c)
		var fault *fhir.Fault
		switch {
		case err == nil:
			e.in.metrics.claims.WithLabelValues(claimFetched).Inc()
			e.media, e.source.media, e.body = c.ContentType, c.ContentType, body
			e.read()
			return
		case errors.As(err, &fault):
			e.unredeemed(err)
			return
		case time.Since(began) >= e.in.config.ClaimWait:
			e.unredeemed(claim.Unavailable(e.in.config.ClaimWait))
			return
		}
		if !delay.wait(ctx.Context()) { // the partition is given up: whoever has it next fetches
			ctx.Fail(fmt.Errorf("fetching what event %d of partition %d points to: %w", ctx.Offset(), ctx.Partition(), ctx.Context().Err()))
		}
	}
}

// claimFetched is the outcome of a claim that is counted when nothing was wrong.
const claimFetched = "fetched"

func (e *event) unredeemed(err error) {
	var fault *fhir.Fault
	if errors.As(err, &fault) {
		e.in.metrics.claims.WithLabelValues(string(fault.Reason)).Inc()
	}
	e.refuse(err, e.body, "other")
}
