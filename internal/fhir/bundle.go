package fhir

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/vigil-cds/vigil/internal/clinical"
)

// Bundle is a FHIR Bundle taken apart for the log.
type Bundle struct {
	Type    string // "transaction", "batch", "collection", …
	Entries []Entry
}

// Entry is one entry of a Bundle. Its Body stands alone: references to other entries are relative
// ("Patient/123"), it has an id, and a Medication of the same Bundle to which it refers lies in its
// `contained`, under the id by which it is referred to; so does the code of a Condition that it names as
// its reason.
type Entry struct {
	Index    int
	FullURL  string
	Method   string // as requested; where nothing is, PUT of a resource with an id and POST of one without
	Type, ID string
	Patient  string           // "" for what is about no patient, and for the DELETE of anything but a Patient
	Body     json.RawMessage  // nil for an interaction without a resource
	Version  clinical.Version // of a DELETE that its maker limits: what a newer version states stays. Bundle leaves it zero
	Err      error            // this entry alone is bad: an ErrorList
}

// Groups puts the entries of one patient together, patients in order of their first entry and each
// one's entries in the order of the Bundle. Entries of no patient are one group.
func (b *Bundle) Groups() [][]Entry {
	var groups [][]Entry
	place := map[string]int{}
	for _, e := range b.Entries {
		i, ok := place[e.Patient]
		if !ok {
			i = len(groups)
			place[e.Patient] = i
			groups = append(groups, nil)
		}
		groups[i] = append(groups[i], e)
	}
	return groups
}

type bundle struct {
	ResourceType string `json:"resourceType"`
	Type         string `json:"type"`
	Entry        []struct {
		FullURL  string          `json:"fullUrl"`
		Resource json.RawMessage `json:"resource"`
		Request  struct {
			Method      string `json:"method"`
			URL         string `json:"url"`
			IfNoneExist string `json:"ifNoneExist"`
		} `json:"request"`
	} `json:"entry"`
}

// Bundle splits a Bundle into its entries. The error, an ErrorList, is for a Bundle that cannot be
// split at all; what is wrong with one entry is in its Err. Resources are not mapped here: map each
// Body with Resource, and place its faults with InEntry.
//
// An entry's id is its resource's, else that of its request's URL, else the identifier of a conditional
// create or update, else the uuid (or last part) of its fullUrl, else a hash of its bytes. FHIR lets a
// server choose the id that a POST gets; keeping the one that the sender knows makes a Bundle that is
// sent twice one statement.
func (d *Decoder) Bundle(data []byte) (*Bundle, error) {
	if f := d.check(data); f != nil {
		return nil, ErrorList{f}
	}
	var in bundle
	if f := decode(data, "Bundle", &in); f != nil {
		return nil, ErrorList{f}
	}
	if in.ResourceType != "Bundle" {
		return nil, ErrorList{newFault(UnknownType, "resourceType", "this is not a Bundle", "send a FHIR R4 Bundle")}
	}
	out := &Bundle{Type: in.Type, Entries: make([]Entry, len(in.Entry))}
	links := links{
		byURL:    make(map[string]string, len(in.Entry)),
		patients: map[identifier]string{},
		repeated: map[string]repeated{},
		room:     d.options.MaxBytes,
	}
	seen := make(map[string]bool, len(in.Entry))
	for i := range in.Entry {
		e := &out.Entries[i]
		e.Index, e.FullURL = i, in.Entry[i].FullURL
		e.Method = strings.ToUpper(in.Entry[i].Request.Method)
		request := request{url: in.Entry[i].Request.URL, ifNoneExist: in.Entry[i].Request.IfNoneExist}
		if f := e.identify(in.Entry[i].Resource, request); f != nil {
			e.Err = InEntry(i, f)
			continue
		}
		name := e.Type + "/" + e.ID
		if in.Type == "transaction" && e.Method != http.MethodGet && e.Method != http.MethodHead {
			if seen[name] {
				e.Err = InEntry(i, newFault(Conflict, "id", "an earlier entry of this transaction has the same resource",
					"send each resource once"))
			}
			seen[name] = true
		}
		links.add(e, name)
	}
	for i := range out.Entries {
		e := &out.Entries[i]
		switch {
		case e.Err != nil:
		case e.Body == nil:
			if e.Type == "Patient" {
				e.Patient = e.ID
			}
		case e.Method != http.MethodPatch: // whose body is not a resource but what to change in one
			if f := links.rewrite(e); f != nil {
				e.Err = InEntry(i, f)
			} else if f := e.findPatient(d); f != nil {
				e.Err = InEntry(i, f)
			}
		}
	}
	return out, nil
}

// request is what an entry asks to be done.
type request struct{ url, ifNoneExist string }

// identify finds the entry's type and id, and sets its Body as it was sent.
func (e *Entry) identify(body json.RawMessage, r request) *Fault {
	target := parseReference(r.url)
	if e.Method == http.MethodPatch && target.kind == literalTarget {
		e.Type, e.ID, e.Body = target.typ, target.id, body
		return nil
	}
	if len(body) == 0 || string(body) == "null" {
		if e.Method == "" || e.Method == http.MethodPost || e.Method == http.MethodPut {
			return newFault(MissingElement, "", "the entry has no resource", "add it, or remove the entry")
		}
		e.Type, e.ID = target.typ, target.id
		if target.kind == conditionalTarget {
			e.ID = IdentifierID(target.identifier.System, target.identifier.Value)
		}
		if e.Method == http.MethodDelete && e.ID == "" {
			return newFault(InvalidReference, "request.url", "the entry's URL names no resource", "write it as Observation/123")
		}
		return nil
	}
	e.Type = resourceType(body)
	if _, known := patientElements[e.Type]; !known || e.Type == "Bundle" {
		return notAResource(body, e.Type)
	}
	var head struct {
		ID string `json:"id"`
	}
	if f := decode(body, e.Type, &head); f != nil {
		return f
	}
	e.Body, e.ID = body, head.ID
	if target.kind == literalTarget && e.Method == http.MethodPut {
		if e.ID != "" && e.ID != target.id || e.Type != target.typ {
			f := newFault(Conflict, e.Type+".id", "the resource is not the one that the request's URL names", "make them the same")
			f.Status = http.StatusBadRequest
			return f
		}
		e.ID = target.id
	}
	if e.ID == "" {
		e.ID = e.chooseID(target, r.ifNoneExist)
	}
	if e.Method == "" {
		e.Method = http.MethodPut
		if head.ID == "" {
			e.Method = http.MethodPost
		}
	}
	return nil
}

// chooseID gives a resource that has none an id that the same Bundle gives it again.
func (e *Entry) chooseID(asked target, ifNoneExist string) string {
	_, query, cut := strings.Cut(ifNoneExist, "?")
	if !cut {
		query = ifNoneExist
	}
	if i, ok := conditionalIdentifier(query); ok {
		return IdentifierID(i.System, i.Value)
	}
	if asked.kind == conditionalTarget {
		return IdentifierID(asked.identifier.System, asked.identifier.Value)
	}
	if full := parseReference(e.FullURL); (full.kind == urnTarget || full.kind == literalTarget) && full.id != "" {
		return full.id
	}
	if e.Type == "Patient" {
		var head struct {
			Identifier json.RawMessage `json:"identifier"`
		}
		if json.Unmarshal(e.Body, &head) == nil {
			if i, ok := firstIdentifier(head.Identifier); ok {
				return IdentifierID(i.System, i.Value)
			}
		}
	}
	return contentID(e.Body)
}

// findPatient sets whose entry it is. What is wrong with a reference is a fault only where the
// resource's type states facts: Resource says so again, with all the rest.
func (e *Entry) findPatient(d *Decoder) *Fault {
	if e.Type == "Patient" {
		e.Patient = e.ID
		return d.checkPatientID("Patient.id", e.ID)
	}
	element := patientElements[e.Type]
	if element == "" {
		return nil
	}
	m := &mapper{d: d, data: e.Body, root: e.Type}
	m.withoutFacts(element)
	e.Patient = m.out.Patient
	return nil
}
