package rules

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/vigil-cds/vigil/internal/clinical"
)

// MaxValueSet is the size of a value set file in bytes.
const MaxValueSet = 64 << 20

// codeSystems are the short names that codes begin with, for hints.
var codeSystems = []string{"loinc", "snomed", "rxnorm", "icd10", "icd10cm", "icd10pcs", "icd9cm", "cvx", "ndc", "atc", "cpt", "hcpcs"}

// cutCode parts "system|code" at its last bar.
func cutCode(s string) (system, code string, ok bool) {
	i := strings.LastIndexByte(s, '|')
	if i < 0 {
		return "", s, false
	}
	return strings.TrimSpace(s[:i]), strings.TrimSpace(s[i+1:]), true
}

// codes reads a list of codes (or a single one), sorted and each once.
func (r reader) codes(n *node, what string) []clinical.Code {
	items := []*node{n}
	if n.shape != scalar {
		if !r.is(n, list, what) {
			return nil
		}
		items = n.items
	}
	if len(items) == 0 {
		r.add(n.at(), what+" lists no codes", "list at least one, as in \"loinc|2160-0\"")
	}
	var out []clinical.Code
	for _, item := range items {
		s := r.word(item, "a code")
		if s == "" {
			continue
		}
		system, code, ok := cutCode(s)
		switch near := nearest(system, codeSystems); {
		case !ok || system == "" || code == "":
			r.add(item.at(), fmt.Sprintf("the code %q does not say its system", s), codeHint(code))
			continue
		case !slices.Contains(codeSystems, system) && near != "" && edits(strings.ToLower(system), near) <= 1 && len(system) > 3:
			r.add(item.at(), fmt.Sprintf("unknown code system %q", system), fmt.Sprintf("did you mean %q? a system of your own is better written as its URI", near))
			continue
		}
		out = append(out, clinical.NewCode(system, code))
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// codeHint shows how a code is written, with the author's own where there is one.
func codeHint(code string) string {
	if code == "" {
		code = "2160-0"
	}
	return fmt.Sprintf("write system and code, as in %q", "loinc|"+code)
}

// ValueSet is a list of codes that has a name: one of a pack's own, or one of a FHIR file.
type ValueSet struct {
	Name    string
	URL     string          // of a FHIR file
	Version string          // of a FHIR file, as its author numbers it
	Codes   []clinical.Code // ascending, each once
}

// valueSetFiles holds the value sets of FHIR files by name, id and url.
type valueSetFiles map[string]*ValueSet

type fhirValueSet struct {
	ResourceType string `json:"resourceType"`
	ID           string `json:"id"`
	Name         string `json:"name"`
	URL          string `json:"url"`
	Version      string `json:"version"`
	Compose      *struct {
		Include []fhirInclude `json:"include"`
		Exclude []fhirInclude `json:"exclude"`
	} `json:"compose"`
	Expansion *struct {
		Total    int             `json:"total"`
		Offset   int             `json:"offset"`
		Contains []fhirContained `json:"contains"`
	} `json:"expansion"`
	Entry []struct {
		Resource json.RawMessage `json:"resource"`
	} `json:"entry"`
}

type fhirInclude struct {
	System   string            `json:"system"`
	Concept  []fhirConcept     `json:"concept"`
	Filter   []json.RawMessage `json:"filter"`
	ValueSet []string          `json:"valueSet"`
}

type fhirConcept struct {
	Code string `json:"code"`
}

type fhirContained struct {
	System   string          `json:"system"`
	Code     string          `json:"code"`
	Abstract bool            `json:"abstract"`
	Contains []fhirContained `json:"contains"`
}

// read adds the value sets of one file: a ValueSet, or a Bundle of them.
func (v valueSetFiles) read(name string, data []byte, r *report) {
	at := position{name, 1, 1}
	if len(data) > MaxValueSet {
		r.add(at, fmt.Sprintf("the file is larger than %d MB", MaxValueSet>>20), "split it")
		return
	}
	var resource fhirValueSet
	if err := json.Unmarshal(data, &resource); err != nil {
		var syntax *json.SyntaxError
		var wrong *json.UnmarshalTypeError
		switch {
		case errors.As(err, &syntax):
			at = placeIn(name, data, syntax.Offset)
		case errors.As(err, &wrong):
			at = placeIn(name, data, wrong.Offset)
		}
		r.add(at, "not a FHIR resource in JSON: "+err.Error(), "")
		return
	}
	switch resource.ResourceType {
	case "ValueSet":
		v.add(&resource, at, r)
	case "Bundle":
		v.bundle(&resource, at, r)
	default:
		r.add(at, fmt.Sprintf("the resource is %q, not a ValueSet", resource.ResourceType), "a JSON file of a rule set is a FHIR ValueSet or a Bundle of them")
	}
}

func (v valueSetFiles) bundle(b *fhirValueSet, at position, r *report) {
	for i := range b.Entry {
		var inner fhirValueSet
		if err := json.Unmarshal(b.Entry[i].Resource, &inner); err != nil || inner.ResourceType != "ValueSet" {
			r.add(at, fmt.Sprintf("entry %d of the Bundle is not a ValueSet", i+1), "take it out of the rule set's file")
			continue
		}
		v.add(&inner, at, r)
	}
}

// placeIn is the line and column of a byte offset.
func placeIn(name string, data []byte, offset int64) position {
	before := data[:min(int(offset), len(data))]
	line := bytes.LastIndexByte(before, '\n') + 1
	return position{name, 1 + bytes.Count(before, []byte("\n")), max(1, len([]rune(string(before[line:]))))}
}

func (v valueSetFiles) add(s *fhirValueSet, at position, r *report) {
	label := s.Name
	for _, other := range []string{s.ID, s.URL, "without a name"} {
		if label == "" {
			label = other
		}
	}
	codes, c := s.codes()
	if c != nil {
		r.add(at, fmt.Sprintf("the value set %q %s", label, c.problem), c.hint)
	}
	set := &ValueSet{Name: label, URL: s.URL, Version: s.Version, Codes: codes}
	names := []string{s.Name, s.ID, s.URL}
	if s.URL != "" && s.Version != "" {
		names = append(names, s.URL+"|"+s.Version)
	}
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		if name == "" {
			continue
		}
		if _, twice := v[name]; twice {
			r.add(at, fmt.Sprintf("the value set %q is in the rule set twice", name), "keep one of the two")
			continue
		}
		v[name] = set
	}
}

// codes are the value set's members: its expansion, or what its compose enumerates.
func (s *fhirValueSet) codes() ([]clinical.Code, *complaint) {
	const expand = "have a terminology server expand it ($expand) and use the expansion"
	var out []clinical.Code
	switch {
	case s.Expansion != nil:
		n := collect(s.Expansion.Contains, &out)
		if s.Expansion.Offset > 0 || s.Expansion.Total > n {
			return nil, &complaint{fmt.Sprintf("holds only a page of its expansion (%d of %d)", n, s.Expansion.Total), "expand it whole"}
		}
	case s.Compose != nil:
		if len(s.Compose.Exclude) > 0 {
			return nil, &complaint{"has a compose with exclude", expand}
		}
		for i, include := range s.Compose.Include {
			switch {
			case len(include.Filter) > 0:
				return nil, &complaint{fmt.Sprintf("has a filter in include %d", i+1), expand}
			case len(include.ValueSet) > 0:
				return nil, &complaint{fmt.Sprintf("refers to the value set %s in include %d", strconv.Quote(include.ValueSet[0]), i+1), expand}
			case len(include.Concept) == 0:
				return nil, &complaint{fmt.Sprintf("takes the whole of %s in include %d", strconv.Quote(include.System), i+1), expand}
			}
			for _, concept := range include.Concept {
				out = append(out, clinical.NewCode(include.System, concept.Code))
			}
		}
	}
	if len(out) == 0 {
		return nil, &complaint{"holds no codes", expand}
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

// collect gathers an expansion's codes, nested ones too, and counts its entries.
func collect(from []fhirContained, into *[]clinical.Code) int {
	n := len(from)
	for _, c := range from {
		if c.Code != "" && !c.Abstract {
			*into = append(*into, clinical.NewCode(c.System, c.Code))
		}
		n += collect(c.Contains, into)
	}
	return n
}
