package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/vigil-cds/vigil/store"
)

// defaultWait is how long a read waits for min_position when it does not say.
const defaultWait = 5 * time.Second

// patientID is what intake admits as a patient's id.
var patientID = regexp.MustCompile(`^[A-Za-z0-9._-]+$`)

// getPatientAlerts answers what is active for a patient.
func (s *Server) getPatientAlerts(w http.ResponseWriter, r *http.Request) {
	patient, options, wait, refused := s.patientRead(r, "all", "max_age")
	if refused != nil {
		refused.write(w, false)
		return
	}
	fresh, refused := s.queryFreshness(r.URL.Query())
	if refused != nil {
		refused.write(w, false)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), wait)
	defer cancel()
	answer, err := s.options.Reader.Active(ctx, patient, options)
	if err != nil {
		s.notAnswered(w, r, "reading an answer", err)
		return
	}
	s.writeAnswer(w, r, answer, fresh)
}

// patientRead reads whom a read is about, of when, and what it must have seen, besides parameters of its own.
func (s *Server) patientRead(r *http.Request, own ...string) (patient string, o store.ReadOptions, wait time.Duration, refused *refusal) {
	if patient, refused = s.patient(r.PathValue("id")); refused != nil {
		return "", o, 0, refused
	}
	q, refused := knownQuery(r, readParameters(own...)...)
	if refused != nil {
		return "", o, 0, refused
	}
	if o, refused = s.readOptions(q, patient); refused != nil {
		return "", o, 0, refused
	}
	wait, refused = s.queryWait(q)
	return patient, o, wait, refused
}

// readParameters are those of every read, and its own.
func readParameters(own ...string) []string {
	return append([]string{"now", "min_position", "timeout"}, own...)
}

// readOptions reads of when a read about a patient is, and what it must have seen.
func (s *Server) readOptions(q url.Values, patient string) (o store.ReadOptions, refused *refusal) {
	if o.Now, _, refused = queryInstant(q, "now"); refused != nil {
		return o, refused
	}
	if text := q.Get("all"); text != "" {
		all, err := strconv.ParseBool(text)
		if err != nil {
			return o, badQuery("all", "write true or false")
		}
		o.All = all
	}
	o.MinEvents, o.MinFacts, refused = s.queryPosition(q, patient)
	return o, refused
}

// knownQuery reads the query. A parameter that is not known is refused: to leave out a misspelt `now`
// would be to answer another question than the one asked.
func knownQuery(r *http.Request, known ...string) (url.Values, *refusal) {
	q, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, badQuery("the query", "escape what is not a letter or digit")
	}
	for name := range q {
		if !slices.Contains(known, name) {
			if len(known) == 0 {
				return nil, refuse(http.StatusBadRequest, "unknown-parameter", "not-supported", "this path takes no parameters", "leave the query out")
			}
			return nil, refuse(http.StatusBadRequest, "unknown-parameter", "not-supported", "the query has a parameter that is not known",
				"use "+strings.Join(known, ", "))
		}
	}
	return q, nil
}

func badQuery(name, mend string) *refusal {
	return refuse(http.StatusBadRequest, "bad-parameter", "value", name+" cannot be read", mend)
}

// notAnswered says why a read has no answer.
func (s *Server) notAnswered(w http.ResponseWriter, r *http.Request, doing string, err error) {
	s.noAnswer(r, doing, err).write(w, false)
}

// noAnswer is why a read has none.
func (s *Server) noAnswer(r *http.Request, doing string, err error) (why *refusal) {
	later := func(word, issue, title, mend string) *refusal {
		why := refuse(http.StatusServiceUnavailable, word, issue, title, mend)
		why.retryAfter = 1
		return why
	}
	switch {
	case errors.Is(err, ErrCopyBehind):
		return later("copy-behind", "transient", "nobody owns the patient's partition at this moment, and the copy that could answer has not reached the position",
			"ask again in a moment, or without min_position for an answer that says how far behind it is")
	case errors.Is(err, store.ErrNotReached):
		return refuse(http.StatusGatewayTimeout, "position-not-reached", "timeout", "the position was not reached in time",
			"ask again, or with a longer timeout")
	case errors.Is(err, ErrNotServed):
		return refuse(http.StatusServiceUnavailable, "not-served", "not-supported", "this process does not answer reads",
			"ask one that has the role rules")
	case errors.Is(err, ErrCatchingUp):
		return later("catching-up", "transient", "the service is still reading what the log has", "ask again in a moment")
	}
	s.failed(r, doing, err)
	return later("not-readable", "transient", "the answer cannot be read at this moment", "ask again")
}

// WorklistQuery asks for a page of what is active across patients. Rule and Severity narrow it when they
// are not empty; Cursor is WorklistPage.Next of the page before.
type WorklistQuery struct {
	Rule, Severity, Cursor string
	Limit                  int

	// Here asks for the partitions alone that this process owns. Otherwise Ask gets the page of each other
	// instance, given its URL.
	Here bool
	Ask  func(url string) (WorklistPage, error)
}

// WorklistPage is one page, the most severe first, then by rule and patient. Next is empty on the last.
type WorklistPage struct {
	Alerts []WorklistAlert `json:"alerts"`
	Next   string          `json:"next,omitempty"`
	// MissingPartitions are those of which nobody could say anything at this moment: their patients are not
	// on the page.
	MissingPartitions []int32 `json:"missingPartitions,omitempty"`
	Partitions        []int32 `json:"partitions,omitempty"` // that the page is about, to another instance
}

// WorklistAlert is one rule that is true of one patient.
type WorklistAlert struct {
	Patient  string    `json:"patient"`
	Rule     string    `json:"rule"`
	Title    string    `json:"title"`
	Severity string    `json:"severity"`
	Since    time.Time `json:"since"`
	// Period is when the one begins that it is about, of a rule that holds for each period of an input.
	Period *time.Time `json:"period,omitempty"`
}

// ErrBadCursor is returned by a Worklist for a cursor that it did not give.
var ErrBadCursor = errors.New("api: not a cursor of this worklist")

const defaultPage = 100

// getWorklist answers what is active across patients.
func (s *Server) getWorklist(w http.ResponseWriter, r *http.Request) {
	query, refused := knownQuery(r, "rule", "severity", "cursor", "limit")
	if refused != nil {
		refused.write(w, false)
		return
	}
	q := WorklistQuery{Rule: query.Get("rule"), Severity: query.Get("severity"), Cursor: query.Get("cursor"),
		Limit: min(defaultPage, s.options.MaxPage)}
	if !slices.Contains([]string{"", "info", "warning", "critical"}, q.Severity) {
		badQuery("severity", "use info, warning or critical").write(w, false)
		return
	}
	if text := query.Get("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > s.options.MaxPage {
			badQuery("limit", fmt.Sprintf("use a number from 1 to %d", s.options.MaxPage)).write(w, false)
			return
		}
		q.Limit = n
	}
	q.Here = r.Header.Get(passedHeader) != ""
	q.Ask = func(url string) (page WorklistPage, err error) {
		err = s.peers.ask(r, url, http.MethodGet, pathOf(r), nil, &page)
		return page, err
	}
	page, err := s.options.Worklist.Worklist(r.Context(), q)
	if errors.Is(err, ErrBadCursor) {
		badQuery("cursor", "give `next` of the page before, with the same filter").write(w, false)
		return
	}
	if err != nil {
		s.notAnswered(w, r, "reading the worklist", err)
		return
	}
	if page.Alerts == nil {
		page.Alerts = []WorklistAlert{}
	}
	writeJSON(w, http.StatusOK, page)
}
