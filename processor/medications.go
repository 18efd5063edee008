package processor

import (
	"context"
	"encoding/json"
	"fmt"
	"sync"

	"github.com/IBM/sarama"

	"github.com/vigil-cds/vigil/internal/clinical"
)

// medicationType is the one resource type about no patient that others cannot be understood without.
const medicationType = "Medication"

// medicationsPerGeneration is half of how many Medications are known at most: a hospital's formulary has
// some thousands, and each takes a few hundred bytes.
const medicationsPerGeneration = 1 << 16

// Medications knows what each Medication ("Medication/123") is that came into the log, for resources that
// refer to it in later requests. It holds between 65,536 and twice as many, and forgets those that were
// neither stated nor asked for longest. Each process fills its own: from what its HTTP service accepts,
// from the events that its intake processes, and from the medications topic, into which every intake
// writes. It may be used from any number of goroutines.
type Medications struct {
	mu       sync.Mutex
	now, old map[string]medication // by reference
}

// medication is what is known of one Medication, and the JSON of one record of the medications topic.
// Without codes it is gone; the record then stays, so that the end of the topic always has one.
type medication struct {
	Codes []clinical.Code `json:"codes"`
	Meta  meta            `json:"meta,omitzero"`
}

// namedMedication is what one event says of a Medication.
type namedMedication struct {
	reference string
	medication
}

// NewMedications knows none yet.
func NewMedications() *Medications {
	return &Medications{now: make(map[string]medication)}
}

// Put takes note of what a version of a Medication is; no codes mean that it was deleted or entered in
// error. A version older than the one known changes nothing. The codes must not be changed afterwards.
func (m *Medications) Put(reference string, version clinical.Version, codes []clinical.Code) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if held, ok := m.find(reference); ok {
		if v, ok := held.Meta.version(); ok && version.Compare(v) == clinical.Older {
			return
		}
	}
	m.keep(reference, medication{Codes: codes, Meta: metaOf(version)})
}

// Codes is what the Medication is; none where it is not known. They must not be changed.
func (m *Medications) Codes(reference string) []clinical.Code {
	m.mu.Lock()
	defer m.mu.Unlock()
	held, _ := m.find(reference)
	return held.Codes
}

// find moves what it finds among the old to the new, so that what is in use is not forgotten.
func (m *Medications) find(reference string) (medication, bool) {
	held, ok := m.now[reference]
	if !ok {
		if held, ok = m.old[reference]; ok {
			m.keep(reference, held)
		}
	}
	return held, ok
}

func (m *Medications) keep(reference string, held medication) {
	if _, ok := m.now[reference]; !ok && len(m.now) >= medicationsPerGeneration {
		m.old, m.now = m.now, make(map[string]medication)
	}
	m.now[reference] = held
}

// marshal writes a record of the medications topic.
func (m medication) marshal() []byte {
	b, err := json.Marshal(m)
	if err != nil { // a struct of strings
		panic(fmt.Sprintf("writing a medication: %v", err))
	}
	return b
}

// take takes note of a record of the topic. One that nobody here wrote is passed over.
func (m *Medications) take(r *sarama.ConsumerMessage) {
	var held medication
	if json.Unmarshal(r.Value, &held) != nil {
		return
	}
	if version, ok := held.Meta.version(); ok {
		m.Put(string(r.Key), version, held.Codes)
	}
}

// learnMedications reads the medications topic to its end, and returns a reader of what comes after it:
// the intakes of other processes take Medications too.
func (in *intake) learnMedications(ctx context.Context) (sarama.PartitionConsumer, error) {
	topic := in.topics.Medications.Name
	oldest, err := in.client.GetOffset(topic, 0, sarama.OffsetOldest)
	if err != nil {
		return nil, fmt.Errorf("finding the start of the medications: %w: %w", ErrLogUnavailable, err)
	}
	end, err := in.client.GetOffset(topic, 0, sarama.OffsetNewest)
	if err != nil {
		return nil, fmt.Errorf("finding the end of the medications: %w: %w", ErrLogUnavailable, err)
	}
	err = readRange(ctx, in.client, topic, 0, oldest, end, func(r *sarama.ConsumerMessage) error {
		in.medications.take(r)
		return nil
	})
	if err != nil {
		return nil, err
	}
	later, err := in.consumer.ConsumePartition(topic, 0, end)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w: %w", topic, ErrLogUnavailable, err)
	}
	return later, nil
}

// follow takes note of what comes until ctx ends.
func (m *Medications) follow(ctx context.Context, records sarama.PartitionConsumer) {
	defer func() { _ = records.Close() }() // read errors have been seen; it has nothing else to say
	for {
		select {
		case <-ctx.Done():
			return
		case <-records.Errors(): // it tries again by itself, for as long as it takes
		case r, ok := <-records.Messages():
			if !ok {
				return
			}
			m.take(r)
		}
	}
}
