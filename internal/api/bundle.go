package api

import (
	"cmp"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"

	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/internal/fhir"
	"github.com/vigil-cds/vigil/processor"
)

// postBundle takes a FHIR Bundle: a transaction whole or not at all, any other kind entry by entry.
func (s *Server) postBundle(w http.ResponseWriter, r *http.Request) {
	recorded, refused := s.recorded(r)
	if refused != nil {
		refused.write(w, true)
		return
	}
	body, refused := s.readBody(w, r, fhirMedia)
	if refused != nil {
		refused.write(w, true)
		return
	}
	bundle, err := s.options.Decoder.Bundle(body)
	if err != nil {
		s.observer.refuse(err)
		writeFaults(w, err)
		return
	}
	items := s.mapEntries(bundle.Entries)
	err = s.findOwners(r, items)
	if err != nil {
		s.failed(r, "finding whose a resource is", err)
		unavailable().write(w, true)
		return
	}
	var faults []error
	for i := range items {
		if err := items[i].Err; err != nil {
			s.observer.refuse(err)
			faults = append(faults, err)
		}
	}
	whole := bundle.Type == "transaction"
	if whole && len(faults) > 0 {
		writeFaults(w, errors.Join(faults...))
		return
	}
	var events []processor.Event
	var of []int // entry → its event; -1 for one that was refused
	if whole {
		events, of = s.together(items, recorded)
	} else {
		events, of = s.oneByOne(items, recorded)
	}
	var positions []processor.Position
	if len(events) > 0 {
		var ok bool
		if positions, ok = s.write(w, r, events, true); !ok {
			return
		}
	}
	response := bundleResponse{ResourceType: "Bundle", Type: "batch-response", Entry: make([]entryResponse, len(items))}
	if whole {
		response.Type = "transaction-response"
	}
	for i := range items {
		e := &items[i]
		if of[i] < 0 {
			response.Entry[i].Response = responseItem{Status: statusText(faultStatus(e.Err)), Outcome: fhir.OperationOutcome(e.Err)}
			continue
		}
		response.Entry[i].Response = accepted(r, e, positions[of[i]])
		if e.Method != http.MethodDelete {
			s.remember(e.Type, e.ID, e.Patient, e.version)
		}
		s.learn(e.Type, e.ID, e.version, e.Body)
	}
	w.Header().Set("Content-Type", processor.MediaFHIR)
	writeJSON(w, http.StatusOK, response)
}

type bundleResponse struct {
	ResourceType string          `json:"resourceType"`
	Type         string          `json:"type"`
	Entry        []entryResponse `json:"entry"`
}

type entryResponse struct {
	Response responseItem `json:"response"`
}

type responseItem struct {
	Status   string          `json:"status"`
	Location string          `json:"location,omitempty"`
	ETag     string          `json:"etag,omitempty"`
	Outcome  json.RawMessage `json:"outcome,omitempty"`
}

func statusText(status int) string { return strconv.Itoa(status) + " " + http.StatusText(status) }

func accepted(r *http.Request, e *item, p processor.Position) responseItem {
	response := responseItem{Status: statusText(http.StatusOK), Location: location(r, e.Type, e.ID), ETag: etag(e.version, p)}
	switch e.Method {
	case http.MethodPost:
		response.Status = statusText(http.StatusCreated)
	case http.MethodDelete:
		response = responseItem{Status: statusText(http.StatusNoContent)}
	}
	return response
}

// item is an entry with what its resource says of itself.
type item struct {
	fhir.Entry
	version clinical.Version
	stated  clinical.Instant // statedTime
	moves   bool             // its resource states facts, and could have stated them for another patient before
	former  []string         // patients for whom it did
}

// mapEntries reads the resource of each entry, and gives a fault to each entry that cannot be taken.
func (s *Server) mapEntries(entries []fhir.Entry) []item {
	items := make([]item, len(entries))
	for i := range entries {
		e := &items[i]
		e.Entry, e.stated = entries[i], unmoved
		if e.Err != nil {
			continue
		}
		switch e.Method {
		case http.MethodPost, http.MethodPut:
			m, err := s.options.Decoder.Resource(e.Body)
			if err != nil {
				e.Err = fhir.InEntry(e.Index, err)
				continue
			}
			e.Patient, e.version, e.stated = m.Patient, m.Assertion.Version, statedTime(&m.Assertion)
			e.moves = m.Counted != fhir.NoFactsForType
		case http.MethodDelete:
		default:
			e.Err = requestFault(e.Index, "method", fhir.UnknownType, http.StatusUnprocessableEntity,
				"entries are written, not read or patched", "use POST, PUT or DELETE")
		}
	}
	return items
}

// requestFault is a fault in what an entry asks for.
func requestFault(index int, element string, reason fhir.Reason, status int, problem, mend string) error {
	return &fhir.Fault{Reason: reason, Place: "Bundle.entry[" + strconv.Itoa(index) + "].request." + element,
		Problem: problem, Mend: mend, Status: status}
}

// findOwners finds the patients for whom the entries' resources stated facts before, and the patient of each
// entry that deletes: the one for whom the Bundle itself states the resource, or whom the service or a store
// knows. An entry that deletes what nobody has gets a fault. The error says that it cannot be known.
func (s *Server) findOwners(r *http.Request, items []item) error {
	stated := make(map[string]string) // resource → the patient whom its first entry names
	var asked []string
	for i := range items {
		e := &items[i]
		if e.Err != nil {
			continue
		}
		name := e.Type + "/" + e.ID
		if e.Patient != "" && stated[name] == "" {
			stated[name] = e.Patient
		}
		if e.moves || e.Method == http.MethodDelete && e.Type != medicationType {
			asked = append(asked, name)
		}
	}
	known, certain, err := s.whose(r, asked)
	if err != nil {
		return err
	}
	last := make(map[string]string) // resource → the patient whom its latest entry names
	for i := range items {
		e := &items[i]
		name := e.Type + "/" + e.ID
		switch {
		case e.Err != nil:
		case e.moves:
			e.former = s.former(name, e.Patient, known)
			if p := last[name]; p != "" && p != e.Patient && !slices.Contains(e.former, p) {
				e.former = append(e.former, p)
			}
			last[name] = e.Patient
		case e.Method == http.MethodDelete && e.Patient == "" && e.Type != medicationType:
			if e.Patient = cmp.Or(stated[name], s.owner(name, known)); e.Patient == "" {
				if !certain {
					return errUncertain
				}
				e.Err = requestFault(e.Index, "url", fhir.InvalidReference, http.StatusNotFound,
					"no resource of this type and id states anything", "leave the entry out; there is nothing to delete")
			}
		}
	}
	return nil
}

// oneByOne makes one event of each entry that is in order.
func (s *Server) oneByOne(items []item, recorded clinical.Instant) ([]processor.Event, []int) {
	var events []processor.Event
	of := make([]int, len(items))
	for i := range items {
		e := &items[i]
		if of[i] = -1; e.Err != nil {
			continue
		}
		event := processor.Event{Patient: e.Patient, Media: processor.MediaFHIR, Method: e.Method,
			Recorded: s.recordedOf(recorded, e), Body: e.Body}
		for _, patient := range e.former {
			events = append(events, processor.Event{Patient: patient, Media: processor.MediaFHIR, Method: http.MethodDelete,
				Type: e.Type, ID: e.ID, Version: e.version, Recorded: event.Recorded})
		}
		of[i] = len(events)
		if e.Method == http.MethodDelete {
			event.Type, event.ID = e.Type, e.ID
		}
		events = append(events, event)
	}
	return events, of
}

// together makes one event of all entries about one patient, so that they take effect at once. What is
// about no patient goes with the first of them.
func (s *Server) together(items []item, recorded clinical.Instant) ([]processor.Event, []int) {
	var patients []string
	for i := range items {
		for _, p := range append([]string{items[i].Patient}, items[i].former...) {
			if p != "" && !slices.Contains(patients, p) {
				patients = append(patients, p)
			}
		}
	}
	if len(patients) == 0 {
		return s.oneByOne(items, recorded)
	}
	events := make([]processor.Event, len(patients))
	entries := make([][]fhir.Entry, len(patients))
	of := make([]int, len(items))
	for i, p := range patients {
		events[i] = processor.Event{Patient: p, Media: processor.MediaBundle, Method: http.MethodPost, Recorded: recorded}
	}
	for i := range items {
		e := &items[i]
		of[i] = max(0, slices.Index(patients, e.Patient))
		add := func(to int, entry fhir.Entry) {
			entries[to] = append(entries[to], entry)
			if event := &events[to]; recorded == 0 && s.options.Simulated {
				event.Recorded = max(event.Recorded, e.stated)
			}
		}
		for _, patient := range e.former {
			add(slices.Index(patients, patient), fhir.Entry{Method: http.MethodDelete, Type: e.Type, ID: e.ID, Version: e.version})
		}
		add(of[i], e.Entry)
	}
	for i := range events {
		events[i].Body = processor.BundleBody(entries[i])
	}
	return events, of
}

// recordedOf is when the log learns of an entry: in simulated time without the header, the time it states.
func (s *Server) recordedOf(recorded clinical.Instant, e *item) clinical.Instant {
	if recorded != 0 || !s.options.Simulated {
		return recorded
	}
	return e.stated
}
