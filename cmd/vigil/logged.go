package main

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/vigil-cds/vigil/internal/clinical"
)

// logged are records of a facts log that were kept in a file, such as the audit keeps of a divergence.
type logged struct {
	offsets []int64          // of the records in the log
	last    map[string]int64 // patient → the last of them
}

// addLogged takes a record of a facts log as it is, with the instant at which the log learned of it. One
// that cannot be read ends the reading: without it the others would say something else.
func (s *statements) addLogged(i item) error {
	var line struct {
		FactsOffset *int64           `json:"factsOffset"`
		Record      *clinical.Record `json:"record"`
	}
	d := json.NewDecoder(bytes.NewReader(i.body))
	d.DisallowUnknownFields()
	begun := s.logged != nil
	switch {
	case i.kind == unreadableItem, i.kind == factsItem && (d.Decode(&line) != nil || line.FactsOffset == nil || *line.FactsOffset < 0 || line.Record == nil):
		return fmt.Errorf(`%s: not a record of a facts log; write it as {"factsOffset":812,"record":{…}}`, i.place)
	case i.kind != factsItem, !begun && s.refused.accepted+s.refused.refused > 0:
		return fmt.Errorf("%s: records of a facts log and other input stand in no order to each other: read them apart", i.place)
	}
	rec := line.Record
	if fault := faultOf(rec); fault != "" {
		return fmt.Errorf("%s: the record cannot stand in a facts log: %s", i.place, fault)
	}
	if !begun {
		s.logged = &logged{last: map[string]int64{}}
	}
	if last, ok := s.logged.last[rec.Patient]; ok && *line.FactsOffset <= last {
		return fmt.Errorf("%s: factsOffset %d does not come after %d of the same patient: put the records into the order of the log", i.place, *line.FactsOffset, last)
	}
	s.logged.last[rec.Patient] = *line.FactsOffset
	s.logged.offsets = append(s.logged.offsets, *line.FactsOffset)
	s.records = append(s.records, *rec)
	s.refused.accepted++
	return nil
}

// faultOf says why no log can have a record; "" when one can.
func faultOf(r *clinical.Record) string {
	if r.Patient == "" && !r.Tick && r.Activation == nil {
		return "it names no patient"
	}
	for i := range r.Assertions {
		a := &r.Assertions[i]
		if a.Resource == "" && len(a.Facts) != 1 {
			return "without a resource an assertion states one fact"
		}
		for j := range a.Facts {
			if kind := a.Facts[j].Stream.Kind; kind == clinical.KindNone || clinical.KindOf(kind.String()) != kind {
				return "a fact is of no kind"
			}
		}
	}
	return ""
}

// offset is where a record stands in its log: of what came from other files, its place in their order.
func (s *statements) offset(i int) int64 {
	if s.logged != nil {
		return s.logged.offsets[i]
	}
	return int64(i)
}
