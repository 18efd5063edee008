package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/internal/fhir"
	"github.com/vigil-cds/vigil/processor"
)

// positionHeader tells where in the log a write is, to be given as min_position to a read, and of an answer
// about one patient how much of the log it has seen.
const positionHeader = "Vigil-Position"

// postResource takes one resource. One without an id is known by its content, so that the same one sent
// again after a failure is the same resource.
func (s *Server) postResource(w http.ResponseWriter, r *http.Request) {
	s.writeResource(w, r, http.MethodPost, "")
}

// putResource takes one resource under the id in the path.
func (s *Server) putResource(w http.ResponseWriter, r *http.Request) {
	s.writeResource(w, r, http.MethodPut, r.PathValue("id"))
}

func (s *Server) writeResource(w http.ResponseWriter, r *http.Request, method, id string) {
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
	m, err := s.options.Decoder.Resource(body)
	if err == nil {
		err = matchPath(&m, body, r.PathValue("type"), id)
	}
	if err != nil {
		s.observer.refuse(err)
		writeFaults(w, err)
		return
	}
	if recorded == 0 && s.options.Simulated {
		recorded = statedTime(&m.Assertion)
	}
	var former []string
	if m.Counted != fhir.NoFactsForType {
		name := m.Type + "/" + m.ID
		known, _, err := s.whose(r, []string{name})
		if err != nil {
			s.failed(r, "finding whose a resource is", err)
			unavailable().write(w, true)
			return
		}
		former = s.former(name, m.Patient, known)
	}
	var events []processor.Event
	for _, patient := range former {
		events = append(events, processor.Event{Patient: patient, Media: processor.MediaFHIR, Method: http.MethodDelete,
			Type: m.Type, ID: m.ID, Version: m.Assertion.Version, Recorded: recorded})
	}
	events = append(events, processor.Event{Patient: m.Patient, Media: processor.MediaFHIR, Method: method, Recorded: recorded, Body: body})
	positions, ok := s.write(w, r, events, true)
	if !ok {
		return
	}
	s.remember(m.Type, m.ID, m.Patient, m.Assertion.Version)
	s.learn(m.Type, m.ID, m.Assertion.Version, body)
	w.Header().Set("Location", location(r, m.Type, m.ID))
	w.Header().Set("ETag", etag(m.Assertion.Version, positions[len(positions)-1]))
	w.Header().Set("Content-Type", processor.MediaFHIR)
	status := http.StatusOK
	if method == http.MethodPost {
		status = http.StatusCreated
	}
	w.WriteHeader(status)
	w.Write(fhir.OperationOutcome(nil))
}

// matchPath holds a resource to the type, and a PUT to the id, that the path names.
func matchPath(m *fhir.Mapped, body []byte, typ, id string) error {
	fault := func(place, problem, mend string) error {
		return &fhir.Fault{Reason: fhir.Conflict, Place: place, Problem: problem, Mend: mend, Status: http.StatusBadRequest}
	}
	if m.Type != typ {
		return fault(m.Type, "the body is of another type than the path names", "send it to /fhir/"+m.Type)
	}
	if id == "" {
		return nil
	}
	switch stated := statedID(body); {
	case stated == "":
		return fault(m.Type+".id", "the resource states no id", "state the id of the path in it")
	case stated != id:
		return fault(m.Type+".id", "the resource states another id than the path", "send it to the path of its own id")
	}
	return nil
}

// deleteResource retracts what a resource states. Whose it is says the service's memory of what it wrote
// lately, or the store.
func (s *Server) deleteResource(w http.ResponseWriter, r *http.Request) {
	recorded, refused := s.recorded(r)
	if refused != nil {
		refused.write(w, true)
		return
	}
	typ, id := r.PathValue("type"), r.PathValue("id")
	patient := ""
	if typ != medicationType {
		known, certain, err := s.whose(r, []string{typ + "/" + id})
		if patient = s.owner(typ+"/"+id, known); err == nil && patient == "" && !certain {
			err = errUncertain
		}
		if err != nil {
			s.failed(r, "finding whose a resource is", err)
			unavailable().write(w, true)
			return
		}
		if patient == "" {
			refuse(http.StatusNotFound, "no-such-resource", "not-found", "no resource of this type and id states anything",
				"check the id; what was deleted before needs no deleting").write(w, true)
			return
		}
	}
	event := processor.Event{Patient: patient, Media: processor.MediaFHIR, Method: http.MethodDelete, Type: typ, ID: id, Recorded: recorded}
	if _, ok := s.write(w, r, []processor.Event{event}, true); ok {
		s.learn(typ, id, clinical.Version{}, nil)
		w.WriteHeader(http.StatusNoContent)
	}
}

// medicationType is about no patient: its DELETE stands under no key, and needs no owner to be found.
const medicationType = "Medication"

// learn tells what a Medication is that the log has just taken; one without a body was deleted.
func (s *Server) learn(typ, id string, version clinical.Version, body []byte) {
	if typ == medicationType && s.options.Medications != nil {
		s.options.Medications.Put(typ+"/"+id, version, fhir.MedicationCodes(body))
	}
}

// remember keeps whose a resource is that the log has just taken.
func (s *Server) remember(typ, id, patient string, version clinical.Version) {
	if patient != "" {
		s.recent.put(typ+"/"+id, patient, version)
	}
}

// write puts the events into the log and their positions into the answer's header. It is false when the
// log did not take them; that is answered then.
func (s *Server) write(w http.ResponseWriter, r *http.Request, events []processor.Event, asFHIR bool) ([]processor.Position, bool) {
	ctx, cancel := context.WithTimeout(r.Context(), s.options.MaxLogWait)
	defer cancel()
	positions, err := s.options.Log.Write(ctx, events)
	switch {
	case errors.Is(err, processor.ErrTooLarge):
		refuse(http.StatusRequestEntityTooLarge, "too-large", "too-long", "what it says of one patient is larger than the log takes at once",
			"send it in several parts").write(w, asFHIR)
		return nil, false
	case err != nil:
		s.failed(r, "writing to the log", err)
		unavailable().write(w, asFHIR)
		return nil, false
	}
	if len(positions) > 0 {
		w.Header().Set(positionHeader, joinPositions(positions))
	}
	return positions, true
}

// failed logs what the service could not do for a reason of its own.
func (s *Server) failed(r *http.Request, doing string, err error) {
	if r.Context().Err() == nil {
		s.options.Logger.Error(doing+" failed", "error", err)
	}
}

func location(r *http.Request, typ, id string) string {
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	return fmt.Sprintf("%s://%s/fhir/%s/%s", scheme, r.Host, typ, id)
}

// etag is the version that orders the resource: its own, or else where the log has it.
func etag(v clinical.Version, p processor.Position) string {
	if v.Number != 0 {
		return fmt.Sprintf(`W/"%d"`, v.Number)
	}
	return `W/"` + p.String() + `"`
}

// unmoved is an instant so early that no clock is moved by it.
const unmoved clinical.Instant = 1

// statedTime is the latest clinical time that a resource states, for simulated time: that is when the
// log learned of it. One that states none leaves the clock where it is.
func statedTime(a *clinical.Assertion) clinical.Instant {
	latest := max(unmoved, a.Version.Updated)
	for i := range a.Facts {
		if f := &a.Facts[i]; f.Stream.Kind != clinical.KindPatient && f.Time != clinical.Forever {
			latest = max(latest, f.Time)
		}
	}
	return latest
}

// statedID is the id that a resource states, "" when it states none.
func statedID(body []byte) string {
	var r struct {
		ID string `json:"id"`
	}
	if json.Unmarshal(body, &r) != nil {
		return ""
	}
	return r.ID
}
