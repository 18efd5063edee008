package api

import (
	"encoding/json"
	"net/http"
	"strconv"

	"github.com/vigil-cds/vigil/internal/fhir"
	"github.com/vigil-cds/vigil/processor"
)

// problem is an RFC 9457 problem: what went wrong, and (mend) what the caller can do about it.
type problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail,omitempty"`
	Mend   string `json:"mend,omitempty"`
	Faults any    `json:"faults,omitempty"` // of a rule set

	Partitions []processor.PartitionStatus `json:"partitions,omitempty"` // of a service that is not ready

	Nearest  string   `json:"nearest,omitempty"`  // of a rule that is not known: the id that may have been meant
	RuleSets []string `json:"ruleSets,omitempty"` // of such a rule: hashes of other rule sets that have it
}

// newProblem names a problem by a word that never changes its meaning, such as "position-not-reached".
func newProblem(status int, word, title, detail, mend string) *problem {
	return &problem{Type: "urn:vigil:problem:" + word, Title: title, Status: status, Detail: detail, Mend: mend}
}

func (p *problem) write(w http.ResponseWriter) {
	w.Header().Set("Content-Type", "application/problem+json")
	writeJSON(w, p.Status, p)
}

// refusal is why a request is not carried out: answered as a problem, or under /fhir as an
// OperationOutcome that says the same.
type refusal struct {
	problem
	issue      string // FHIR's code for it, of the value set IssueType
	retryAfter int    // seconds; 0: none
}

func refuse(status int, word, issue, title, mend string) *refusal {
	return &refusal{problem: *newProblem(status, word, title, "", mend), issue: issue}
}

func (r *refusal) write(w http.ResponseWriter, asFHIR bool) {
	if r.retryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(r.retryAfter))
	}
	if !asFHIR {
		r.problem.write(w)
		return
	}
	text := r.Title
	if r.Mend != "" {
		text += "; " + r.Mend
	}
	w.Header().Set("Content-Type", processor.MediaFHIR)
	writeJSON(w, r.Status, map[string]any{
		"resourceType": "OperationOutcome",
		"issue":        []map[string]string{{"severity": "error", "code": r.issue, "diagnostics": text}},
	})
}

// unavailable is the answer when the log cannot be written: nothing is lost if the caller tries again.
func unavailable() *refusal {
	r := refuse(http.StatusServiceUnavailable, "log-unavailable", "transient", "the log cannot be written at this moment",
		"send the same request again; what was kept of it already is not taken twice. "+
			"If this lasts, see that all brokers run and that as many replicas are in sync as the topics ask for")
	r.retryAfter = 1
	return r
}

// writeFaults answers what is wrong with FHIR content: the status of the first fault, and all of them.
func writeFaults(w http.ResponseWriter, err error) {
	w.Header().Set("Content-Type", processor.MediaFHIR)
	w.WriteHeader(faultStatus(err))
	w.Write(fhir.OperationOutcome(err))
}

func faultStatus(err error) int {
	if faults := fhir.Faults(err); len(faults) > 0 {
		return faults[0].Status
	}
	return http.StatusInternalServerError
}

func writeJSON(w http.ResponseWriter, status int, body any) {
	data, err := json.Marshal(body)
	if err != nil {
		http.Error(w, "the answer could not be written", http.StatusInternalServerError)
		return
	}
	if w.Header().Get("Content-Type") == "" {
		w.Header().Set("Content-Type", "application/json")
	}
	w.WriteHeader(status)
	w.Write(append(data, '\n'))
}
