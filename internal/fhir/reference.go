package fhir

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/url"
	"strconv"
	"strings"
)

type reference struct {
	Reference  string      `json:"reference"`
	Type       string      `json:"type"`
	Identifier *identifier `json:"identifier"`
	Display    string      `json:"display"`
}

type identifier struct {
	System string `json:"system"`
	Value  string `json:"value"`
}

// contained is a resource inside another. Its elements are read when something refers to them, since
// their types depend on the resource's.
type contained struct {
	ResourceType string          `json:"resourceType"`
	ID           string          `json:"id"`
	Code         json.RawMessage `json:"code"`
	Type         json.RawMessage `json:"type"`
	Identifier   json.RawMessage `json:"identifier"`
}

// IdentifierID is the id of a patient who is known by a business identifier alone: "identifier-" and
// the first 128 bits of SHA-256 over the system, a bar and the value, in hexadecimal. It does not
// depend on anything else, so that every sender of that identifier means the same patient.
func IdentifierID(system, value string) string {
	sum := sha256.Sum256([]byte(system + "|" + value))
	return "identifier-" + hex.EncodeToString(sum[:16])
}

// target is what a reference text names.
type target struct {
	kind       targetKind
	typ, id    string     // of a literal reference; typ is "" where only the id is stated
	identifier identifier // of a conditional one
}

type targetKind uint8

const (
	unreadableTarget targetKind = iota
	literalTarget               // Type/id, relative or absolute
	urnTarget                   // urn:uuid:… or urn:oid:…
	containedTarget             // #id
	conditionalTarget
)

// parseReference takes a reference apart. Of an absolute URL only the type and id count.
func parseReference(s string) target {
	switch {
	case strings.HasPrefix(s, "#"):
		return target{kind: containedTarget, id: s[1:]}
	case hasPrefixFold(s, "urn:uuid:"):
		return target{kind: urnTarget, id: strings.ToLower(s[len("urn:uuid:"):])}
	case hasPrefixFold(s, "urn:oid:"):
		return target{kind: urnTarget, id: s[len("urn:oid:"):]}
	}
	if path, query, ok := strings.Cut(s, "?"); ok {
		typ := path[strings.LastIndexByte(path, '/')+1:]
		id, ok := conditionalIdentifier(query)
		if _, known := patientElements[typ]; !known || !ok {
			return target{}
		}
		return target{kind: conditionalTarget, typ: typ, identifier: id}
	}
	if before, _, ok := strings.Cut(s, "/_history/"); ok {
		s = before
	}
	slash := strings.LastIndexByte(s, '/')
	if slash < 0 {
		return target{}
	}
	id, typ := s[slash+1:], s[:slash]
	if strings.Contains(typ, "/") && !strings.Contains(typ, "://") && typ[0] != '/' {
		return target{}
	}
	typ = typ[strings.LastIndexByte(typ, '/')+1:]
	if _, known := patientElements[typ]; !known || id == "" {
		return target{}
	}
	return target{kind: literalTarget, typ: typ, id: id}
}

// conditionalIdentifier reads the search "identifier=system|value", the one search that names the same
// thing whatever a server holds.
func conditionalIdentifier(query string) (identifier, bool) {
	values, err := url.ParseQuery(query)
	if err != nil || len(values) != 1 || len(values["identifier"]) != 1 {
		return identifier{}, false
	}
	text := values.Get("identifier")
	system, value, ok := strings.Cut(text, "|")
	if !ok {
		system, value = "", text
	}
	return identifier{System: system, Value: value}, value != "" && !strings.Contains(value, ",")
}

// patientOf finds the patient whom a reference at place means.
func (d *Decoder) patientOf(place string, ref *reference, within []contained) (string, *Fault) {
	const mend = `refer to one Patient, as in {"reference": "Patient/123"}`
	if ref == nil || ref.Reference == "" && ref.Identifier == nil {
		return "", newFault(NoPatient, place, "the resource names no patient", mend)
	}
	if ref.Type != "" && ref.Type != "Patient" && !strings.HasSuffix(ref.Type, "/Patient") {
		return "", newFault(NoPatient, place, "the reference is not to a Patient", mend)
	}
	if ref.Reference == "" {
		if ref.Identifier.Value == "" {
			return "", newFault(NoPatient, join(place, "identifier.value"), "the identifier has no value", mend)
		}
		id := IdentifierID(ref.Identifier.System, ref.Identifier.Value)
		return id, d.checkPatientID(place, id)
	}
	place = join(place, "reference")
	id := ""
	switch t := parseReference(ref.Reference); {
	case t.kind == unreadableTarget:
		return "", newFault(InvalidReference, place, "the reference cannot be read", mend)
	case t.kind == containedTarget:
		found := findContained(within, "Patient", t.id)
		if found == nil {
			return "", newFault(InvalidReference, place, "no contained Patient has this id", mend)
		}
		first, ok := firstIdentifier(found.Identifier)
		if !ok {
			return "", newFault(NoPatient, place, "the contained Patient has no identifier to be known by elsewhere", mend)
		}
		id = IdentifierID(first.System, first.Value)
	case t.kind != urnTarget && t.typ != "Patient":
		return "", newFault(NoPatient, place, "the reference is to a "+t.typ+", not to a Patient", mend)
	case t.kind == conditionalTarget:
		id = IdentifierID(t.identifier.System, t.identifier.Value)
	default:
		id = t.id
	}
	return id, d.checkPatientID(place, id)
}

// checkPatientID holds an id to the characters and the length that keys and URLs can carry.
func (d *Decoder) checkPatientID(place, id string) *Fault {
	if len(id) > d.options.MaxPatientID {
		return newFault(PatientIDTooLong, place, "the patient id is longer than "+strconv.Itoa(d.options.MaxPatientID)+" bytes",
			"use a shorter id, or raise the limit")
	}
	if !isID(id) {
		return newFault(InvalidPatientID, place, "the patient id is empty or holds a character that ids may not hold",
			"use letters, digits, '-', '.' and '_' only")
	}
	return nil
}

func isID(id string) bool {
	for _, c := range []byte(id) {
		if !isLetter(c) && (c < '0' || c > '9') && c != '-' && c != '.' && c != '_' {
			return false
		}
	}
	return id != "" && id != "." && id != ".."
}

func findContained(within []contained, typ, id string) *contained {
	for i := range within {
		if within[i].ResourceType == typ && within[i].ID == id && id != "" {
			return &within[i]
		}
	}
	return nil
}

// firstIdentifier reads the first identifier with a value of a Patient's list.
func firstIdentifier(raw json.RawMessage) (identifier, bool) {
	var all []identifier
	if json.Unmarshal(raw, &all) != nil {
		return identifier{}, false
	}
	for _, i := range all {
		if i.Value != "" {
			return i, true
		}
	}
	return identifier{}, false
}

func hasPrefixFold(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}
