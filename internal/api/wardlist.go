package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/vigil-cds/vigil/store"
)

// mostOnList is how many patients one request may ask about.
const mostOnList = 1000

// wardQuestion is what POST /v1/patients/alerts asks.
type wardQuestion struct {
	Patients []string `json:"patients"`
}

// wardProblem stands on the list where a patient has no answer.
type wardProblem struct {
	Patient string   `json:"patient"`
	Problem *problem `json:"problem"`
}

// postPatientsAlerts answers what is active for each patient of a list: one line each, in the order of the
// list, as soon as it is known.
func (s *Server) postPatientsAlerts(w http.ResponseWriter, r *http.Request) {
	q, refused := knownQuery(r, readParameters("all")...)
	if refused != nil {
		refused.write(w, false)
		return
	}
	patients, refused := s.readWardList(w, r)
	if refused != nil {
		refused.write(w, false)
		return
	}
	noteAsked(r, patients)
	options := make([]store.ReadOptions, len(patients))
	for i, patient := range patients {
		if options[i], refused = s.readOptions(q, patient); refused != nil {
			refused.write(w, false)
			return
		}
	}
	wait, refused := s.queryWait(q)
	if refused != nil {
		refused.write(w, false)
		return
	}
	elsewhere := s.askWards(r, patients)
	ctx, cancel := context.WithTimeout(r.Context(), wait)
	defer cancel()
	w.Header().Set("Content-Type", "application/x-ndjson")
	w.WriteHeader(http.StatusOK)
	lines := json.NewEncoder(w)
	for i, patient := range patients {
		var line any = elsewhere[i]
		if elsewhere[i] == nil {
			answer, err := s.options.Reader.Active(ctx, patient, options[i])
			line = answer
			if err != nil {
				line = wardProblem{patient, &s.noAnswer(r, "reading an answer", err).problem}
			}
		}
		if err := lines.Encode(line); err != nil {
			return // the caller has gone
		}
	}
}

// readWardList reads whom a request asks about.
func (s *Server) readWardList(w http.ResponseWriter, r *http.Request) ([]string, *refusal) {
	body, refused := s.readBody(w, r, jsonMedia)
	if refused != nil {
		return nil, refused
	}
	var asked wardQuestion
	if err := json.Unmarshal(body, &asked); err != nil || len(asked.Patients) == 0 {
		return nil, refuse(http.StatusBadRequest, "bad-body", "structure", "the body is not a list of patients", `write it as {"patients": ["ada", "ben"]}`)
	}
	if len(asked.Patients) > mostOnList {
		return nil, refuse(http.StatusRequestEntityTooLarge, "too-many-patients", "too-long", fmt.Sprintf("the list has more than %d patients", mostOnList), "ask in several requests")
	}
	for i := range asked.Patients {
		if asked.Patients[i], refused = s.patient(asked.Patients[i]); refused != nil {
			refused.Detail = fmt.Sprintf("It is patient %d of the list.", i+1)
			return nil, refused
		}
	}
	return asked.Patients, nil
}

// askWards has those patients answered, by their place on the list, for whom other instances answer: each by
// the owner of its partition, or else by somebody with a copy. Who is left out is answered for here.
func (s *Server) askWards(r *http.Request, patients []string) map[int]json.RawMessage {
	if s.options.Cluster == nil || r.Header.Get(passedHeader) != "" {
		return nil
	}
	patience, refused := s.patience(r, ForRules)
	if refused != nil { // it has been read before
		return nil
	}
	got := make(map[int]json.RawMessage)
	here := make(map[int]bool)
	for began, round := time.Now(), 0; ; round++ {
		ask := make(map[string][]int)
		left := false
		for i, patient := range patients {
			if here[i] || got[i] != nil {
				continue
			}
			urls := s.peers.believed(s.options.Cluster.Answering(ForRules, s.options.Partition(patient)))
			switch {
			case len(urls) == 0:
				left = true
			case urls[round%len(urls)] == "":
				here[i] = true
			default:
				url := urls[round%len(urls)]
				ask[url] = append(ask[url], i)
			}
		}
		var joined sync.WaitGroup
		answers := make(map[string][]json.RawMessage, len(ask))
		for url, places := range ask {
			lines := make([]json.RawMessage, len(places))
			answers[url] = lines
			joined.Go(func() { s.peers.askWard(r, url, patients, places, lines, patience) })
		}
		joined.Wait()
		for url, places := range ask {
			for n, i := range places {
				if line := answers[url][n]; line != nil {
					got[i] = line
				} else {
					left = true
				}
			}
		}
		if !left || time.Since(began) > s.peers.handOver || r.Context().Err() != nil {
			return got
		}
		time.Sleep(ownersPause)
	}
}

// askWard asks another instance about the patients at some places of the list. A line stays nil where it has
// no answer at this moment.
func (p *peers) askWard(r *http.Request, url string, patients []string, places []int, lines []json.RawMessage, patience time.Duration) {
	outcome := "unreachable"
	defer func() { p.passed.WithLabelValues(outcome).Inc() }()
	asked := wardQuestion{Patients: make([]string, len(places))}
	for n, i := range places {
		asked.Patients[n] = patients[i]
	}
	body, err := json.Marshal(asked)
	if err != nil {
		return
	}
	resp, end, err := p.do(r, url, http.MethodPost, pathOf(r), body, patience)
	if err != nil {
		return
	}
	defer end()
	outcome = "unanswered"
	if resp.StatusCode != http.StatusOK {
		return
	}
	from := json.NewDecoder(resp.Body)
	for n := range lines {
		var line json.RawMessage
		if err := from.Decode(&line); err != nil {
			if !errors.Is(err, io.EOF) {
				outcome = "unreachable"
			}
			return
		}
		var said wardProblem
		if json.Unmarshal(line, &said) != nil || said.Patient != asked.Patients[n] {
			return // it speaks of something else
		}
		if said.Problem == nil || said.Problem.Status != http.StatusServiceUnavailable {
			lines[n] = line
		}
	}
	outcome = "answered"
}
