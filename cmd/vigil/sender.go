package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"

	"github.com/vigil-cds/vigil/processor"
)

// Requests are large enough that their number does not matter, and small against any limit.
const (
	mostResources    = 200
	mostObservations = 5000
	mostBytes        = 1 << 20
)

// notAnObject is the problem of an unreadable item.
const notAnObject = "not a JSON object; send FHIR resources or compact observations as JSON"

// notToSend is the problem of a record of the facts log, which the service itself makes of what it is sent.
const notToSend = "a record of the facts log, which no service takes; give it to vigil eval or vigil replay"

// sender sends items in their order: Bundles as they are, resources and compact observations many at once.
type sender struct {
	client  *client
	tally   *tally
	sent    func([]item) error // called with what has been answered
	pending []item
	size    int
	failed  bool // the service could not be sent to: nothing more is tried
}

// add takes one item; it is sent at the latest by flush.
func (s *sender) add(ctx context.Context, i item) error {
	if len(s.pending) > 0 && s.pending[0].kind != i.kind {
		if err := s.flush(ctx); err != nil {
			return err
		}
	}
	s.pending = append(s.pending, i)
	s.size += len(i.body)
	most := map[itemKind]int{resourceItem: mostResources, compactItem: mostObservations}[i.kind]
	if len(s.pending) >= most || s.size >= mostBytes {
		return s.flush(ctx)
	}
	return nil
}

// flush sends what is pending.
func (s *sender) flush(ctx context.Context) error {
	if len(s.pending) == 0 || s.failed {
		return nil
	}
	if err := s.send(ctx, s.pending); err != nil {
		s.failed = true
		return err
	}
	err := s.sent(s.pending)
	s.pending, s.size = s.pending[:0], 0
	return err
}

func (s *sender) send(ctx context.Context, items []item) error {
	switch items[0].kind {
	case unreadableItem:
		for _, i := range items {
			s.tally.refuse(1, notAnObject, i.place)
		}
		return nil
	case factsItem:
		for _, i := range items {
			s.tally.refuse(1, notToSend, i.place)
		}
		return nil
	case compactItem:
		return s.sendObservations(ctx, items)
	case bundleItem:
		for _, i := range items {
			if err := s.sendBundle(ctx, i.body, []item{i}); err != nil {
				return err
			}
		}
		return nil
	}
	return s.sendBundle(ctx, batchOf(items), items)
}

// batchOf makes a Bundle of type batch.
func batchOf(items []item) []byte {
	var b bytes.Buffer
	b.WriteString(`{"resourceType":"Bundle","type":"batch","entry":[`)
	for n, i := range items {
		if n > 0 {
			b.WriteByte(',')
		}
		b.WriteString(`{"resource":`)
		b.Write(i.body)
		b.WriteByte('}')
	}
	b.WriteString(`]}`)
	return b.Bytes()
}

// outcome is the part of an OperationOutcome that a person reads.
type outcome struct {
	Issue []struct {
		Diagnostics string
		Expression  []string
	}
}

// sendBundle sends a Bundle made of these items: one item that is a Bundle itself, or many resources.
func (s *sender) sendBundle(ctx context.Context, body []byte, items []item) error {
	got, err := s.client.send(ctx, http.MethodPost, "/fhir", processor.MediaFHIR, body)
	if err != nil {
		return err
	}
	switch {
	case got.status == http.StatusRequestEntityTooLarge && len(items) > 1:
		half := len(items) / 2
		if err := s.sendBundle(ctx, batchOf(items[:half]), items[:half]); err != nil {
			return err
		}
		return s.sendBundle(ctx, batchOf(items[half:]), items[half:])
	case got.status >= http.StatusInternalServerError:
		return stopped(got)
	case got.status != http.StatusOK:
		n := len(items)
		if items[0].kind == bundleItem {
			n = entries(items[0].body)
		}
		s.refuseOutcome(n, got.body, got.status, items[0])
		return nil
	}
	s.tally.at(got.header.Get("Vigil-Position"))
	var response struct {
		Entry []struct {
			Response struct {
				Status  string
				Outcome json.RawMessage
			}
		}
	}
	if err := json.Unmarshal(got.body, &response); err != nil {
		return fmt.Errorf("reading the service's answer: %w", err)
	}
	for n, e := range response.Entry {
		of := items[0]
		if of.kind != bundleItem && n < len(items) {
			of = items[n]
		}
		if strings.HasPrefix(e.Response.Status, "2") {
			s.tally.accepted++
			continue
		}
		status, _ := strconv.Atoi(strings.SplitN(e.Response.Status, " ", 2)[0])
		s.refuseOutcome(1, e.Response.Outcome, status, of)
	}
	return nil
}

// refuseOutcome counts n refused resources of an item, by the first thing that is wrong.
func (s *sender) refuseOutcome(n int, body []byte, status int, of item) {
	place := of.place
	var o outcome
	if json.Unmarshal(body, &o) != nil || len(o.Issue) == 0 {
		s.tally.refuse(n, fmt.Sprintf("the service answered %d %s", status, http.StatusText(status)), place)
		return
	}
	problem := o.Issue[0].Diagnostics
	if len(o.Issue[0].Expression) > 0 {
		where := o.Issue[0].Expression[0]
		problem = strings.TrimPrefix(problem, where+": ")
		if of.kind != bundleItem {
			where = inEntry.ReplaceAllString(where, "")
		}
		place = strings.TrimSuffix(place+" "+where, " ")
	}
	s.tally.refuse(n, problem, place)
}

// inEntry begins a place in a Bundle that the sender made, which the person has never seen.
var inEntry = regexp.MustCompile(`^Bundle\.entry\[\d+\](\.resource(\.|$))?`)

func entries(bundle []byte) int {
	var b struct{ Entry []struct{} }
	if json.Unmarshal(bundle, &b) != nil {
		return 1
	}
	return max(1, len(b.Entry))
}

func (s *sender) sendObservations(ctx context.Context, items []item) error {
	var body bytes.Buffer
	for _, i := range items {
		body.Write(i.body)
		body.WriteByte('\n')
	}
	got, err := s.client.send(ctx, http.MethodPost, "/v1/observations", processor.MediaCompact, body.Bytes())
	if err != nil {
		return err
	}
	var answered struct {
		Accepted int
		Refused  []struct {
			Line          int
			Problem, Mend string
		}
	}
	switch {
	case got.status == http.StatusRequestEntityTooLarge && len(items) > 1:
		half := len(items) / 2
		if err := s.sendObservations(ctx, items[:half]); err != nil {
			return err
		}
		return s.sendObservations(ctx, items[half:])
	case got.status >= http.StatusInternalServerError:
		return stopped(got)
	}
	if json.Unmarshal(got.body, &answered) != nil || answered.Accepted == 0 && len(answered.Refused) == 0 {
		s.tally.refuse(len(items), got.refused().Error(), items[0].place)
		return nil
	}
	s.tally.at(got.header.Get("Vigil-Position"))
	s.tally.accepted += answered.Accepted
	last := 0
	for _, r := range answered.Refused {
		if r.Line == last || r.Line < 1 || r.Line > len(items) {
			continue // a second fault of the same line
		}
		last = r.Line
		problem := r.Problem
		if r.Mend != "" {
			problem += "; " + r.Mend
		}
		s.tally.refuse(1, problem, items[r.Line-1].place)
	}
	return nil
}

// stopped says that the service cannot go on.
func stopped(got *answer) error {
	return fmt.Errorf("%w; what was accepted before is kept: run the same command again, with --state to go on where it stopped", got.refused())
}
