package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/vigil-cds/vigil/processor"
)

// tally is what became of the input so far.
type tally struct {
	began     time.Time
	accepted  int
	refused   int
	reasons   map[string]*reason
	positions []processor.Position
}

// reason is one way of being refused.
type reason struct {
	Problem string   `json:"problem"`
	Count   int      `json:"count"`
	Places  []string `json:"places"` // the first few
}

const fewPlaces = 3

func newTally() *tally { return &tally{began: time.Now(), reasons: map[string]*reason{}} }

func (t *tally) refuse(n int, problem, place string) {
	t.refused += n
	r := t.reasons[problem]
	if r == nil {
		r = &reason{Problem: problem}
		t.reasons[problem] = r
	}
	r.Count += n
	if len(r.Places) < fewPlaces {
		r.Places = append(r.Places, place)
	}
}

// at takes note of the positions that a write returned.
func (t *tally) at(header string) {
	if positions, err := processor.ParsePositions(header); err == nil {
		t.positions = processor.Latest(append(t.positions, positions...))
	}
}

// summary is the tally as it is printed.
type summary struct {
	Accepted   int       `json:"accepted"`
	Refused    int       `json:"refused"`
	Skipped    int       `json:"skipped,omitempty"`    // accepted in an earlier run
	PassedOver int       `json:"passedOver,omitempty"` // files that are none to read, by their names
	Seconds    float64   `json:"seconds"`
	PerSecond  float64   `json:"perSecond"` // accepted
	Position   string    `json:"position"`
	Reasons    []*reason `json:"reasons"`
}

func (t *tally) summary(skipped int) summary {
	s := summary{Accepted: t.accepted, Refused: t.refused, Skipped: skipped, Seconds: time.Since(t.began).Seconds(),
		Position: processor.FormatPositions(t.positions), Reasons: []*reason{}}
	s.PerSecond = float64(t.accepted) / max(s.Seconds, 1e-9)
	for _, r := range t.reasons {
		s.Reasons = append(s.Reasons, r)
	}
	slices.SortFunc(s.Reasons, func(x, y *reason) int { return cmp.Or(y.Count-x.Count, cmp.Compare(x.Problem, y.Problem)) })
	return s
}

func (s *summary) print(w io.Writer) {
	fmt.Fprintf(w, "accepted %d", s.Accepted)
	if s.Accepted > 0 {
		fmt.Fprintf(w, " in %.1fs (%.0f/s)", s.Seconds, s.PerSecond)
	}
	fmt.Fprintln(w)
	if s.Skipped > 0 {
		fmt.Fprintf(w, "skipped %d that an earlier run sent\n", s.Skipped)
	}
	if s.PassedOver > 0 {
		fmt.Fprintf(w, "passed over %s that %s\n", plural(s.PassedOver, "file"), notInput(s.PassedOver))
	}
	if s.Position != "" {
		fmt.Fprintf(w, "position %s\n", s.Position)
	}
	if s.Refused == 0 {
		return
	}
	fmt.Fprintf(w, "refused %d:\n", s.Refused)
	for _, r := range s.Reasons {
		fmt.Fprintf(w, "  %6d  %s\n", r.Count, r.Problem)
		for _, place := range r.Places {
			fmt.Fprintf(w, "          at %s\n", place)
		}
		if r.Count > len(r.Places) {
			fmt.Fprintln(w, "          …")
		}
	}
}
