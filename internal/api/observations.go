package api

import (
	"bytes"
	"fmt"
	"net/http"

	"github.com/vigil-cds/vigil/internal/fhir"
	"github.com/vigil-cds/vigil/processor"
)

// observationsAnswer says what became of the lines of a request.
type observationsAnswer struct {
	Accepted int           `json:"accepted"`
	Refused  []refusedLine `json:"refused"`
	Position string        `json:"position"`
}

// refusedLine is one line that was not taken; Line counts from 1.
type refusedLine struct {
	Line    int    `json:"line"`
	Reason  string `json:"reason"`
	Place   string `json:"place,omitempty"`
	Problem string `json:"problem"`
	Mend    string `json:"mend,omitempty"`
}

// postObservations takes compact observations, one a line. The good lines are taken, whatever the others
// are; those of one patient become one event, in the order in which they came.
func (s *Server) postObservations(w http.ResponseWriter, r *http.Request) {
	recorded, refused := s.recorded(r)
	if refused != nil {
		refused.write(w, false)
		return
	}
	body, refused := s.readBody(w, r, observationMedia)
	if refused != nil {
		refused.write(w, false)
		return
	}
	answer := observationsAnswer{Refused: []refusedLine{}}
	var events []processor.Event
	of := map[string]int{} // patient → event
	number, lines := 0, 0
	for line := range bytes.Lines(body) {
		number++
		line = bytes.TrimSpace(line)
		if len(line) == 0 {
			continue
		}
		if lines++; lines > s.options.MaxObservations {
			refuse(http.StatusRequestEntityTooLarge, "too-many-lines", "too-long",
				fmt.Sprintf("the request has more than %d lines", s.options.MaxObservations), "send them in several requests; none of these was taken").write(w, false)
			return
		}
		patient, assertion, err := s.options.Decoder.Compact(line)
		if err != nil {
			s.observer.refuse(err)
			answer.Refused = append(answer.Refused, refusedLines(number, err)...)
			continue
		}
		i, ok := of[patient]
		if !ok {
			i = len(events)
			of[patient] = i
			events = append(events, processor.Event{Patient: patient, Media: processor.MediaCompact, Method: http.MethodPost, Recorded: recorded})
		}
		e := &events[i]
		if recorded == 0 && s.options.Simulated {
			e.Recorded = max(e.Recorded, statedTime(&assertion))
		}
		e.Body = append(append(e.Body, line...), '\n')
		answer.Accepted++
	}
	status := http.StatusOK
	switch {
	case len(events) > 0:
		positions, ok := s.write(w, r, events, false)
		if !ok {
			return
		}
		answer.Position = joinPositions(positions)
		if len(answer.Refused) > 0 {
			status = http.StatusMultiStatus
		}
	case len(answer.Refused) > 0:
		status = http.StatusUnprocessableEntity
	}
	writeJSON(w, status, answer)
}

func refusedLines(number int, err error) []refusedLine {
	faults := fhir.Faults(err)
	out := make([]refusedLine, len(faults))
	for i, f := range faults {
		out[i] = refusedLine{Line: number, Reason: string(f.Reason), Place: f.Place, Problem: f.Problem, Mend: f.Mend}
	}
	if len(out) == 0 {
		out = append(out, refusedLine{Line: number, Reason: string(fhir.InvalidJSON), Problem: "the line could not be read"})
	}
	return out
}
