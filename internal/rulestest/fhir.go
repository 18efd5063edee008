package rulestest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/internal/fhir"
)

// fhir reads files of FHIR beside the file of cases.
func (h *history) fhir(n node) {
	f := fhirHistory{h: h, medications: map[string][]clinical.Code{}}
	f.decoder = fhir.New(fhir.Options{Zone: h.when.zone, Medication: func(reference string) []clinical.Code { return f.medications[reference] }})
	for _, name := range h.texts(n, "a FHIR file") {
		data, err := h.open(name)
		if err != nil {
			h.fault(n, "its place is told from the file of cases", "the FHIR file %s cannot be read: %v", name, err)
			continue
		}
		for _, resource := range resources(data) {
			f.read(n, name, resource)
		}
	}
	slices.Sort(f.patients)
	switch patients := slices.Compact(f.patients); {
	case h.patient == "" && len(patients) > 1:
		h.fault(n, "say which, as in `patient: {id: "+patients[0]+"}`", "the FHIR files are about %d patients", len(patients))
	case h.patient != "" && !slices.Contains(patients, h.patient):
		h.fault(n, nearestOr(h.patient, patients, "they are about"), "the FHIR files say nothing about the patient %q", h.patient)
	}
}

// resources is the one resource of a file, or that of each line.
func resources(data []byte) [][]byte {
	lines := bytes.Split(data, []byte("\n"))
	if !json.Valid(lines[0]) {
		return [][]byte{data}
	}
	return slices.DeleteFunc(lines, func(line []byte) bool { return len(bytes.TrimSpace(line)) == 0 })
}

type fhirHistory struct {
	h           *history
	decoder     *fhir.Decoder
	medications map[string][]clinical.Code
	patients    []string
}

func (f *fhirHistory) read(n node, name string, data []byte) {
	var head struct {
		ResourceType string `json:"resourceType"`
	}
	// What is no object at all is reported by the decoder.
	if json.Unmarshal(data, &head) != nil || head.ResourceType != "Bundle" {
		f.resource(n, name, data)
		return
	}
	bundle, err := f.decoder.Bundle(data)
	if err != nil {
		f.refuse(n, name, err)
		return
	}
	for _, e := range bundle.Entries {
		switch {
		case e.Err != nil:
			f.refuse(n, name, e.Err)
		case e.Body != nil:
			f.resource(n, name, e.Body)
		}
	}
}

func (f *fhirHistory) refuse(n node, name string, err error) {
	hint := ""
	if faults := fhir.Faults(err); len(faults) > 0 {
		hint = faults[0].Mend
		err = fmt.Errorf("%s: %s", faults[0].Place, faults[0].Problem)
	}
	f.h.fault(n, hint, "%s: %v", name, err)
}

func (f *fhirHistory) resource(n node, name string, data []byte) {
	m, err := f.decoder.Resource(data)
	if err != nil {
		f.refuse(n, name, err)
		return
	}
	m.DateUndated(f.h.when.now)
	if m.Type == "Medication" {
		f.medications[m.Assertion.Resource] = fhir.MedicationCodes(data)
	}
	if m.Patient == "" {
		return
	}
	f.patients = append(f.patients, m.Patient)
	if f.h.patient == "" || f.h.patient == m.Patient {
		f.h.learned = append(f.h.learned, learned{f.known(&m.Assertion), m.Assertion})
	}
}

// known is when the log learned of a statement: at the latest time that it states or was updated, and of
// what is not dated after now at the latest now. What it says of the person is known from the beginning.
func (f *fhirHistory) known(a *clinical.Assertion) clinical.Instant {
	now := f.h.when.now
	if len(a.Facts) == 0 {
		return now
	}
	latest := clinical.Never
	for _, fact := range a.Facts {
		if fact.Stream.Kind == clinical.KindPatient {
			return clinical.Never
		}
		latest = max(latest, fact.Time)
	}
	return max(latest, min(a.Version.Updated, now))
}
