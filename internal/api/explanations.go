package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/vigil-cds/vigil/explain/record"
	"github.com/vigil-cds/vigil/explain/replay"
	"github.com/vigil-cds/vigil/internal/clinical"
)

// Explanations answers why, from what the explain role has replayed. Its errors are those of package
// replay, ErrNotServed and ErrCatchingUp. It is safe for concurrent use.
type Explanations interface {
	Explain(ctx context.Context, q replay.Question) (*record.Explanation, error)
	// Compare says what changed between two questions about one patient and rule.
	Compare(ctx context.Context, earlier, later replay.Question) (*record.Difference, error)
	// Records calls f with a patient's explained transitions in order, those with from <= At <= to and
	// Sequence > after, until f returns an error, which it then returns.
	Records(ctx context.Context, patient string, from, to clinical.Instant, after int64, f func(*record.Explanation) error) error
	// Verify walks the chain of one patient, or of all when none is named.
	Verify(ctx context.Context, patient string) (record.Verification, error)
	Status() ExplanationsStatus
}

// ExplanationsStatus is how far the explanations of this process have come, and what auditing the alerts
// with them has found.
type ExplanationsStatus struct {
	Ready       bool              `json:"ready"`    // they have caught up with the log
	Degraded    bool              `json:"degraded"` // there are divergences
	Divergences int64             `json:"divergences"`
	Explained   int64             `json:"explained"` // transitions
	Matched     int64             `json:"matched"`   // of those, with an alert
	Pending     int64             `json:"pending"`   // not matched yet, either way round
	Expired     int64             `json:"expired"`   // of which the alerts topic keeps nothing any more
	PerSecond   float64           `json:"perSecond"` // facts, of late
	SecondsLeft *float64          `json:"secondsLeft"`
	Paused      string            `json:"paused"` // why, while they are
	Partitions  []replay.Progress `json:"partitions"`
}

// unserved stands in for explanations in a process that has none.
type unserved struct{}

func (unserved) Explain(context.Context, replay.Question) (*record.Explanation, error) {
	return nil, ErrNotServed
}

func (unserved) Compare(context.Context, replay.Question, replay.Question) (*record.Difference, error) {
	return nil, ErrNotServed
}

func (unserved) Records(context.Context, string, clinical.Instant, clinical.Instant, int64, func(*record.Explanation) error) error {
	return ErrNotServed
}

func (unserved) Verify(context.Context, string) (v record.Verification, err error) {
	return v, ErrNotServed
}

func (unserved) Status() ExplanationsStatus { return ExplanationsStatus{} }

// explains says whether this process has the role.
func (s *Server) explains() bool { return s.options.Explanations != Explanations(unserved{}) }

const mediaNDJSON = "application/x-ndjson"

// errPage ends a page of explanations that is full.
var errPage = errors.New("the page is full")

// getExplanations streams a patient's explained transitions, one a line. A page that is not full is the
// last. An answer that cannot be finished is cut off, so that nobody takes it for a whole one.
func (s *Server) getExplanations(w http.ResponseWriter, r *http.Request) {
	page, refused := s.explanationsPage(r)
	if refused != nil {
		refused.write(w, false)
		return
	}
	stream := http.NewResponseController(w)
	lines := 0
	err := s.options.Explanations.Records(r.Context(), page.patient, page.from, page.to, page.after, func(e *record.Explanation) error {
		data, err := json.Marshal(e)
		if err != nil {
			return fmt.Errorf("explanation %d: %w", e.Sequence, err)
		}
		if lines == 0 {
			w.Header().Set("Content-Type", mediaNDJSON)
		}
		// The timeout is for one line, not for all: who reads slowly still reads. A writer that has no
		// deadline needs none.
		_ = stream.SetWriteDeadline(time.Now().Add(s.options.WriteTimeout))
		if _, err := w.Write(append(data, '\n')); err != nil {
			return err
		}
		if lines++; lines == page.limit {
			return errPage
		}
		return nil
	})
	switch {
	case err == nil && lines == 0:
		w.Header().Set("Content-Type", mediaNDJSON)
	case err == nil, errors.Is(err, errPage):
	case lines == 0:
		s.notExplained(w, r, err)
	default:
		s.failed(r, "reading explanations", err)
		panic(http.ErrAbortHandler)
	}
}

// explanationsPage is what GET …/explanations asks.
type explanationsPage struct {
	patient  string
	from, to clinical.Instant
	after    int64 // a Sequence
	limit    int
}

func (s *Server) explanationsPage(r *http.Request) (p explanationsPage, refused *refusal) {
	p = explanationsPage{from: clinical.Never, to: clinical.Forever, limit: min(defaultPage, s.options.MaxPage)}
	if p.patient, refused = s.patient(r.PathValue("id")); refused != nil {
		return p, refused
	}
	q, refused := knownQuery(r, "from", "to", "after", "limit")
	if refused != nil {
		return p, refused
	}
	for name, to := range map[string]*clinical.Instant{"from": &p.from, "to": &p.to} {
		if at, ok, refused := queryInstant(q, name); refused != nil {
			return p, refused
		} else if ok {
			*to = at
		}
	}
	if text := q.Get("after"); text != "" {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || n < 0 {
			return p, badQuery("after", "give the sequence of the last explanation of the page before")
		}
		p.after = n
	}
	if text := q.Get("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > s.options.MaxPage {
			return p, badQuery("limit", fmt.Sprintf("use a number from 1 to %d", s.options.MaxPage))
		}
		p.limit = n
	}
	return p, nil
}

// getVerification walks the chains of explanations. A chain that is broken is a finding, not a failure.
func (s *Server) getVerification(w http.ResponseWriter, r *http.Request) {
	q, refused := knownQuery(r, "patient")
	if refused != nil {
		refused.write(w, false)
		return
	}
	patient := ""
	if q.Has("patient") {
		if patient, refused = s.patient(q.Get("patient")); refused != nil {
			refused.write(w, false)
			return
		}
	}
	// All chains take as long as there are explanations; whoever does not want to wait hangs up.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Time{})
	found, err := s.options.Explanations.Verify(r.Context(), patient)
	if err != nil {
		s.notExplained(w, r, err)
		return
	}
	writeJSON(w, http.StatusOK, found)
}

// getExplanationsStatus says how far the explanations have come.
func (s *Server) getExplanationsStatus(w http.ResponseWriter, r *http.Request) {
	if !s.explains() {
		s.notExplained(w, r, ErrNotServed)
		return
	}
	status := s.options.Explanations.Status()
	if status.Partitions == nil {
		status.Partitions = []replay.Progress{}
	}
	writeJSON(w, http.StatusOK, status)
}

// getExplanationSchema is the JSON Schema of explanations and of differences between them.
func (s *Server) getExplanationSchema(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/schema+json")
	w.Write(record.SchemaJSON)
}
