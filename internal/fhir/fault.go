package fhir

import (
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"strings"
)

// Reason says in one fixed word what kind of fault an input has. It is the label of metrics and the
// reason of dead letters, so its values are few and never change their meaning.
type Reason string

const (
	InvalidJSON      Reason = "invalid-json" // not JSON, or an element of the wrong JSON type
	InvalidUTF8      Reason = "invalid-utf8" //
	TooLarge         Reason = "too-large"    // more bytes than Options.MaxBytes
	TooDeep          Reason = "too-deep"     // nested deeper than Options.MaxDepth
	UnknownType      Reason = "unknown-type" // resourceType missing or not one of R4
	NoPatient        Reason = "no-patient"   // nobody whose record it could go to
	PatientIDTooLong Reason = "patient-id-too-long"
	InvalidPatientID Reason = "invalid-patient-id" // holds other than letters, digits, '-', '.' and '_'
	UnreadableDate   Reason = "unreadable-date"
	NotANumber       Reason = "not-a-number"
	UnknownUnit      Reason = "unknown-unit"
	InvalidReference Reason = "invalid-reference"
	MissingElement   Reason = "missing-element"
	UnknownModifier  Reason = "unknown-modifier" // a modifierExtension that may turn the meaning around
	Conflict         Reason = "conflict"         // two statements in one input contradict each other
)

// Reasons lists every reason, for whoever must know them beforehand, such as a metric.
func Reasons() []Reason {
	return []Reason{InvalidJSON, InvalidUTF8, TooLarge, TooDeep, UnknownType, NoPatient, PatientIDTooLong,
		InvalidPatientID, UnreadableDate, NotANumber, UnknownUnit, InvalidReference, MissingElement, UnknownModifier, Conflict}
}

// issueTypes gives each reason its code in FHIR R4's value set IssueType.
var issueTypes = map[Reason]string{
	InvalidJSON:      "structure",
	InvalidUTF8:      "structure",
	TooLarge:         "too-long",
	TooDeep:          "too-costly",
	UnknownType:      "not-supported",
	NoPatient:        "required",
	PatientIDTooLong: "too-long",
	InvalidPatientID: "value",
	UnreadableDate:   "value",
	NotANumber:       "value",
	UnknownUnit:      "code-invalid",
	InvalidReference: "value",
	MissingElement:   "required",
	UnknownModifier:  "extension",
	Conflict:         "conflict",
}

// Fault is one thing wrong with an input. Its texts name places and elements only, never a value or
// an id, so that they may be logged and kept anywhere. Find it in an error with errors.As.
type Fault struct {
	Reason  Reason
	Place   string // where, as in "Observation.component[1].valueQuantity.value"
	Problem string // what is wrong there
	Mend    string // what the sender can do about it
	Status  int    // the HTTP status that answers it
}

// Error says where, what, and how to mend it.
func (f *Fault) Error() string {
	var b strings.Builder
	if f.Place != "" {
		b.WriteString(f.Place)
		b.WriteString(": ")
	}
	b.WriteString(f.Problem)
	if f.Mend != "" {
		b.WriteString("; ")
		b.WriteString(f.Mend)
	}
	return b.String()
}

// newFault fills in the HTTP status that goes with the reason.
func newFault(reason Reason, place, problem, mend string) *Fault {
	status := http.StatusUnprocessableEntity
	switch reason {
	case InvalidJSON, InvalidUTF8, TooDeep, UnknownType:
		status = http.StatusBadRequest
	case TooLarge:
		status = http.StatusRequestEntityTooLarge
	case Conflict:
		status = http.StatusConflict
	}
	return &Fault{Reason: reason, Place: place, Problem: problem, Mend: mend, Status: status}
}

// ErrorList is every fault of one input, in the order in which they were met.
type ErrorList []*Fault

// Error writes one fault a line.
func (l ErrorList) Error() string {
	lines := make([]string, len(l))
	for i, f := range l {
		lines[i] = f.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap lets errors.Is and errors.As see each fault.
func (l ErrorList) Unwrap() []error {
	errs := make([]error, len(l))
	for i, f := range l {
		errs[i] = f
	}
	return errs
}

// Faults collects every Fault in err, as far down as errors wrap each other.
func Faults(err error) ErrorList {
	switch e := err.(type) {
	case nil:
		return nil
	case *Fault:
		return ErrorList{e}
	case ErrorList:
		return e
	case interface{ Unwrap() []error }:
		var all ErrorList
		for _, inner := range e.Unwrap() {
			all = append(all, Faults(inner)...)
		}
		return all
	}
	return Faults(errors.Unwrap(err))
}

// InEntry moves the places of err's faults under the Bundle entry of that index, as in
// "Bundle.entry[3].resource.subject". An error without faults is returned as it is.
func InEntry(index int, err error) error {
	faults := Faults(err)
	if len(faults) == 0 {
		return err
	}
	moved := make(ErrorList, len(faults))
	for i, f := range faults {
		g := *f
		g.Place = "Bundle.entry[" + strconv.Itoa(index) + "]"
		root, below, _ := strings.Cut(f.Place, ".")
		switch _, isType := patientElements[root]; {
		case root == "request":
			g.Place += "." + f.Place
		case isType || root == "":
			g.Place = strings.TrimSuffix(g.Place+".resource."+below, ".")
		default:
			g.Place += ".resource." + f.Place
		}
		moved[i] = &g
	}
	return moved
}

// OperationOutcome writes err as the JSON of a FHIR R4 OperationOutcome, one issue for each fault. An
// error without faults becomes one issue of type "exception" that tells nothing about its inside, and
// nil one of type "informational".
func OperationOutcome(err error) []byte {
	type issue struct {
		Severity    string   `json:"severity"`
		Code        string   `json:"code"`
		Diagnostics string   `json:"diagnostics,omitempty"`
		Expression  []string `json:"expression,omitempty"`
	}
	outcome := struct {
		ResourceType string  `json:"resourceType"`
		Issue        []issue `json:"issue"`
	}{ResourceType: "OperationOutcome"}
	for _, f := range Faults(err) {
		i := issue{Severity: "error", Code: issueTypes[f.Reason], Diagnostics: f.Error()}
		if f.Place != "" {
			i.Expression = []string{f.Place}
		}
		outcome.Issue = append(outcome.Issue, i)
	}
	switch {
	case err == nil:
		outcome.Issue = []issue{{Severity: "information", Code: "informational", Diagnostics: "All is well."}}
	case len(outcome.Issue) == 0:
		outcome.Issue = []issue{{Severity: "error", Code: "exception",
			Diagnostics: "The server could not do this; its log says why."}}
	}
	b, marshalErr := json.Marshal(outcome)
	if marshalErr != nil {
		// Strings alone cannot fail to marshal.
		panic(marshalErr)
	}
	return b
}
