package fhir

import (
	"bytes"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
)

// links is what references inside a Bundle can mean.
type links struct {
	byURL    map[string]string     // fullUrl → Type/id
	patients map[identifier]string // a Patient's identifier → id
	repeated map[string]repeated   // Type/id → what is repeated where it is referred to
	room     int                   // bytes that may yet be added by repeating
}

func (l *links) add(e *Entry, name string) {
	if e.Body == nil || e.Method == http.MethodPatch {
		return
	}
	if e.FullURL != "" {
		l.byURL[linkKey(e.FullURL)] = name
	}
	switch e.Type {
	case "Patient":
		var head struct {
			Identifier []identifier `json:"identifier"`
		}
		if json.Unmarshal(e.Body, &head) != nil {
			return
		}
		for _, i := range head.Identifier {
			if i.Value != "" {
				l.patients[i] = e.ID
			}
		}
	case medicationType:
		l.repeated[name] = repeated{e.Type, e.ID, withID(e.Body, e.ID)}
	case conditionType:
		if brief, ok := briefCondition(e.Body, e.ID); ok {
			l.repeated[name] = repeated{e.Type, e.ID, brief}
		}
	}
}

// repeated is a resource of the Bundle that is put into those that refer to it, so that each stands alone:
// a Medication, or what a Condition is that is the reason for something.
type repeated struct {
	typ, id string
	body    json.RawMessage
}

// briefCondition is no more of a Condition than what it is; nothing of one that was entered in error.
func briefCondition(body []byte, id string) (json.RawMessage, bool) {
	var r struct {
		Code               json.RawMessage `json:"code"`
		VerificationStatus *concept        `json:"verificationStatus"`
	}
	if json.Unmarshal(body, &r) != nil || len(r.Code) == 0 || r.VerificationStatus.is(EnteredInError) {
		return nil, false
	}
	return json.RawMessage(`{"resourceType":"Condition","id":` + quote(id) + `,"code":` + string(r.Code) + "}"), true
}

// linkKey compares urns without regard to case, as RFC 8141 does for urn:uuid.
func linkKey(url string) string {
	if hasPrefixFold(url, "urn:") {
		return strings.ToLower(url)
	}
	return url
}

// edit puts text in the place of the bytes from at to end.
type edit struct {
	at, end int
	text    string
}

// rewrite makes the entry's body stand alone. Everything but the references it resolves, the id and
// what it adds to `contained` stays byte for byte as it was sent.
func (l *links) rewrite(e *Entry) *Fault {
	edits := idEdits(e.Body, e.ID)
	var referred []string // what it refers to that is to be repeated in it
	containedAt := -1
	element := patientElements[e.Type]
	var subject *edit // where a reference would go into a patient element that has only an identifier
	subjectHasReference := false
	inSubject, inReasons := false, false
	walk(e.Body, func(m member) {
		if m.depth == 1 {
			inSubject, inReasons = false, false
			switch string(m.key) {
			case reasonReference:
				inReasons = true
			case diagnosisElement:
				inReasons = e.Type == "Encounter"
			case "contained":
				if m.value[0] == '[' {
					containedAt = m.at + 1
				}
			case element:
				if m.value[0] == '{' {
					inSubject, subject, subjectHasReference = true, &edit{m.at + 1, m.at + 1, ""}, false
				}
			}
		}
		if string(m.key) != "reference" || m.value[0] != '"' {
			return
		}
		if inSubject && m.depth == 2 {
			subjectHasReference = true
		}
		text := unquote(m.value)
		if name, ok := l.resolve(text); ok {
			edits = append(edits, edit{m.at, m.at + len(m.value), quote(name)})
			text = name
		}
		if to, ok := l.repeated[text]; ok && (to.typ == medicationType || inReasons) {
			referred = append(referred, text)
		}
	})
	if subject != nil && !subjectHasReference {
		if id, ok := l.patientByIdentifier(e.Body, element); ok {
			subject.text = `"reference":` + quote("Patient/"+id) + ","
			edits = append(edits, *subject)
		}
	}
	if e.Type != medicationType {
		add, ok := l.inlined(referred, e.Body, containedAt)
		if !ok {
			return newFault(TooLarge, "", "the Bundle's medications and reasons, repeated where they are referred to, are larger than the limit",
				"send the entry in a Bundle of its own, or raise the limit")
		}
		if add != "" {
			if containedAt < 0 {
				first := afterBrace(e.Body)
				edits = append(edits, edit{first, first, `"contained":[` + add + "],"})
			} else {
				edits = append(edits, edit{containedAt, containedAt, add})
			}
		}
	}
	e.Body = applyEdits(e.Body, edits)
	return nil
}

// resolve is the relative reference that text means in this Bundle.
func (l *links) resolve(text string) (string, bool) {
	if name, ok := l.byURL[linkKey(text)]; ok {
		return name, true
	}
	if t := parseReference(text); t.kind == conditionalTarget && t.typ == "Patient" {
		if id, ok := l.patients[t.identifier]; ok {
			return "Patient/" + id, true
		}
	}
	return "", false
}

// patientByIdentifier finds the Bundle's Patient whom the element names by identifier.
func (l *links) patientByIdentifier(body []byte, element string) (string, bool) {
	var r map[string]json.RawMessage
	var ref reference
	if json.Unmarshal(body, &r) != nil || json.Unmarshal(r[element], &ref) != nil || ref.Identifier == nil {
		return "", false
	}
	id, ok := l.patients[*ref.Identifier]
	return id, ok
}

// inlined is what to add of these to the contained resources of body, which open at containedAt if there
// are any, with the commas that go between; false when there is no room for it.
func (l *links) inlined(names []string, body []byte, containedAt int) (string, bool) {
	var held struct {
		Contained []contained `json:"contained"`
	}
	if len(names) == 0 || containedAt >= 0 && json.Unmarshal(body, &held) != nil {
		return "", true
	}
	var add []string
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		r := l.repeated[name]
		if findContained(held.Contained, r.typ, r.id) == nil {
			if l.room -= len(r.body); l.room < 0 {
				return "", false
			}
			add = append(add, string(r.body))
		}
	}
	text := strings.Join(add, ",")
	if text != "" && len(held.Contained) > 0 {
		text += ","
	}
	return text, true
}

// withID gives a resource the id under which it is referred to.
func withID(body []byte, id string) []byte {
	var head struct {
		ID string `json:"id"`
	}
	if json.Unmarshal(body, &head) == nil && head.ID == id {
		return body
	}
	return applyEdits(body, idEdits(body, id))
}

// idEdits states the id in a resource, whether it has one or not.
func idEdits(body []byte, id string) []edit {
	var edits []edit
	found := false
	walk(body, func(m member) {
		if m.depth == 1 && string(m.key) == "id" {
			found = true
			if unquote(m.value) != id {
				edits = append(edits, edit{m.at, m.at + len(m.value), quote(id)})
			}
		}
	})
	if !found {
		first := afterBrace(body)
		edits = append(edits, edit{first, first, `"id":` + quote(id) + ","})
	}
	return edits
}

// afterBrace is where the members of the outermost object begin.
func afterBrace(body []byte) int { return bytes.IndexByte(body, '{') + 1 }

// applyEdits makes a new body; edits at one place keep their order.
func applyEdits(body []byte, edits []edit) []byte {
	if len(edits) == 0 {
		return body
	}
	slices.SortStableFunc(edits, func(a, b edit) int { return a.at - b.at })
	out := make([]byte, 0, len(body)+64*len(edits))
	at := 0
	for _, e := range edits {
		out = append(append(out, body[at:e.at]...), e.text...)
		at = e.end
	}
	return append(out, body[at:]...)
}

// quote writes s as a JSON string.
func quote(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		// A string cannot fail to marshal.
		panic(err)
	}
	return string(b)
}
