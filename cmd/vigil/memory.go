package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/internal/fhir"
	"github.com/vigil-cds/vigil/processor"
	"github.com/vigil-cds/vigil/rules"
	"github.com/vigil-cds/vigil/store"
)

// memory is the engine's state machine over a store in memory: no log, no broker, no clock.
type memory struct {
	store     *store.Store
	sets      *processor.RuleSets
	partition *store.Partition
	machine   *processor.Machine
	offset    int64
}

const memoryStore = 64 << 20

// newMemory starts empty, with a set active unless it is nil.
func newMemory(own site, set *rules.Set, o processor.Observer) (*memory, error) {
	s, err := store.Open("", store.Options{FS: vfs.NewMem(), Memory: memoryStore})
	if err != nil {
		return nil, err
	}
	m := &memory{store: s, sets: processor.NewRuleSets(own.options(), s.RuleSet)}
	if m.partition, err = s.Partition(0); err == nil {
		m.machine, err = processor.NewMachine(0, m.partition, m.sets, o)
	}
	if err == nil && set != nil {
		err = m.activate(set)
	}
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return m, nil
}

func (m *memory) close() error { return m.store.Close() }

// activate makes a set the one that is used from here on. A set with faults is its rules.Faults.
func (m *memory) activate(set *rules.Set) error {
	a := &clinical.Activation{Hash: set.Hash(), Files: set.Files}
	if _, err := m.sets.Add(a); err != nil {
		return err
	}
	return m.apply(&clinical.Record{Recorded: clinical.Never, EventOffset: -1, Activation: a})
}

// betweenSent is how many records are applied before their alerts, which nobody waits for, are dropped.
const betweenSent = 1000

// apply applies a record at the next offset.
func (m *memory) apply(rec *clinical.Record) error {
	if err := m.machine.Apply(rec, m.offset, nil); err != nil {
		return err
	}
	m.offset++
	if next := m.partition.State().Outbox; next > 0 && m.offset%betweenSent == 0 {
		return m.partition.Sent(next - 1)
	}
	return nil
}

// reader answers from the memory.
func (m *memory) reader() *store.Reader {
	return store.NewReader(m.store, store.ReaderOptions{Plan: m.sets.Plan, Partition: func(string) int32 { return 0 }})
}

// statements are resources and observations read from files, as records of a facts log; or records of a
// facts log as they were.
type statements struct {
	decoder     *fhir.Decoder
	now         clinical.Instant // when the log learned of what states no time
	records     []clinical.Record
	logged      *logged           // nil: the files hold no records of a facts log
	owners      map[string]string // resource → patient, for what deletes
	medications *processor.Medications
	refused     *tally
}

func newStatements(own site, now clinical.Instant) *statements {
	medications := processor.NewMedications()
	return &statements{
		decoder: fhir.New(fhir.Options{Zone: own.zone, MaxBytes: 1 << 30, MaxDepth: 64, KnownUnit: knownUnits(own.units), Medication: medications.Codes}),
		now:     now, owners: map[string]string{}, medications: medications, refused: newTally(),
	}
}

// read reads files and puts what they state into the order of time; records of a facts log stay in theirs.
func (s *statements) read(names []string, stdin io.Reader) error {
	files, passedOver, err := expand(names)
	if err != nil {
		return err
	}
	read := 0
	each := func(i item) error {
		read++
		return s.add(i)
	}
	for _, name := range files {
		passed, err := readFile(name, stdin, func(r io.Reader) io.Reader { return r }, each)
		if err != nil {
			return err
		}
		passedOver += passed
	}
	if read == 0 {
		return nothing("read", names, passedOver)
	}
	if s.logged != nil {
		return nil // in the order of the log
	}
	slices.SortStableFunc(s.records, func(x, y clinical.Record) int { return int(min(max(x.Recorded-y.Recorded, -1), 1)) })
	return nil
}

func (s *statements) add(i item) error {
	if i.kind == factsItem || s.logged != nil {
		return s.addLogged(i)
	}
	switch i.kind {
	case compactItem:
		patient, a, err := s.decoder.Compact(i.body)
		s.take(patient, a, err, i.place)
	case resourceItem:
		s.resource(i.body, i.place, -1)
	case bundleItem:
		b, err := s.decoder.Bundle(i.body)
		if err != nil {
			s.take("", clinical.Assertion{}, err, i.place)
			return nil
		}
		for n := range b.Entries {
			e := &b.Entries[n]
			switch {
			case e.Err != nil:
				s.take("", clinical.Assertion{}, e.Err, i.place)
			case e.Method == http.MethodDelete:
				name := e.Type + "/" + e.ID
				if e.Type == "Medication" {
					s.medications.Put(name, clinical.Version{}, nil)
				}
				if patient := s.owners[name]; patient != "" {
					s.take(patient, clinical.Assertion{Resource: name}, nil, i.place)
				}
			case e.Body != nil:
				s.resource(e.Body, i.place, e.Index)
			}
		}
	default:
		s.refused.refuse(1, notAnObject, i.place)
	}
	return nil
}

// resource takes one resource; entry is its index in a Bundle, or -1.
func (s *statements) resource(body []byte, place string, entry int) {
	m, err := s.decoder.Resource(body)
	if err != nil && entry >= 0 {
		err = fhir.InEntry(entry, err)
	}
	m.DateUndated(s.now)
	if err == nil && m.Type == "Medication" {
		s.medications.Put(m.Assertion.Resource, m.Assertion.Version, fhir.MedicationCodes(body))
	}
	if err == nil {
		s.owners[m.Assertion.Resource] = m.Patient
	}
	s.take(m.Patient, m.Assertion, err, place)
}

func (s *statements) take(patient string, a clinical.Assertion, err error, place string) {
	if faults := fhir.Faults(err); len(faults) > 0 {
		f := faults[0]
		s.refused.refuse(1, fmt.Sprintf("%s; %s", f.Problem, f.Mend), place+" "+f.Place)
		return
	}
	s.refused.accepted++
	if patient != "" {
		s.records = append(s.records, clinical.Record{Patient: patient, Recorded: s.learned(&a), EventOffset: -1, Assertions: []clinical.Assertion{a}})
	}
}

// learned is when the log would have learned of a statement: at the latest time that it states, never
// after now. What retracts comes last.
func (s *statements) learned(a *clinical.Assertion) clinical.Instant {
	if len(a.Facts) == 0 {
		return s.now
	}
	latest := a.Version.Updated
	for i := range a.Facts {
		if f := &a.Facts[i]; f.Stream.Kind != clinical.KindPatient && f.Time != clinical.Forever {
			latest = max(latest, f.Time)
		}
	}
	return min(latest, s.now)
}
