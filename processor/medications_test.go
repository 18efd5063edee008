package processor

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/internal/fhir"
	"github.com/vigil-cds/vigil/rules"
)

const ibuprofen = `{"resourceType":"Medication","id":"m1",%s"code":{"coding":[{"system":"http://www.nlm.nih.gov/research/umls/rxnorm","code":"5640"},{"system":"http://www.whocc.no/atc","code":"M01AE01"}]}}`

func order(patient, id string) []byte {
	return fmt.Appendf(nil, `{"resourceType":"MedicationRequest","id":%q,"status":"active","intent":"order","subject":{"reference":"Patient/%s"},"authoredOn":"2026-03-01","medicationReference":{"reference":"Medication/m1"}}`, id, patient)
}

// pharmacy is a process whose intake knows Medications.
type pharmacy struct {
	t *testing.T
	*Processor
	*recorder
	known *Medications
}

func openPharmacy(t *testing.T, c Config) *pharmacy {
	t.Helper()
	r, known := &recorder{}, NewMedications()
	p, err := start(t.Context(), c, Deps{Store: newStore(t), Sets: NewRuleSets(rules.CompileOptions{}, nil), Medications: known,
		Decoder: fhir.New(fhir.Options{Medication: known.Codes})}, r.machine)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, p.Close()) })
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	require.NoError(t, p.WaitReady(ctx))
	return &pharmacy{t, p, r, known}
}

// stated waits for what a resource states, and returns its codes.
func (p *pharmacy) stated(resource string) (codes []clinical.Code) {
	p.t.Helper()
	p.await(p.t, resource, func(all []applied) bool {
		for _, a := range all {
			for _, s := range a.record.Assertions {
				if s.Resource == resource {
					codes = s.Facts[0].Stream.Codes
					return true
				}
			}
		}
		return false
	})
	return codes
}

// taken waits until the event at a position is processed.
func (p *pharmacy) taken(at Position) {
	p.t.Helper()
	p.await(p.t, at.String(), func(all []applied) bool {
		for _, a := range all {
			if a.partition == at.Partition && a.record.EventOffset == at.Offset {
				return true
			}
		}
		return false
	})
}

func TestARequestHasTheCodesOfAMedicationThatCameEarlierAlsoAfterARestart(t *testing.T) {
	t.Parallel()
	c := testConfig(newBroker(t, t.TempDir()))
	w := newTestWriter(t, c)
	write := func(e Event) Position {
		t.Helper()
		positions, err := w.Write(t.Context(), []Event{e})
		require.NoError(t, err)
		return positions[0]
	}
	unknown := []clinical.Code{"reference|Medication/m1"}
	known := []clinical.Code{"atc|M01AE01", "reference|Medication/m1", "rxnorm|5640"}

	p := openPharmacy(t, c)
	write(Event{Patient: "a", Body: order("a", "too-early")})
	require.Equal(t, unknown, p.stated("MedicationRequest/too-early"))
	p.taken(write(Event{Body: fmt.Appendf(nil, ibuprofen, "")}))
	write(Event{Patient: "a", Body: order("a", "after-it")})
	require.Equal(t, known, p.stated("MedicationRequest/after-it"))
	require.NoError(t, p.Close())

	p = openPharmacy(t, c)
	write(Event{Patient: "a", Body: order("a", "after-a-restart")})
	require.Equal(t, known, p.stated("MedicationRequest/after-a-restart"))
	p.taken(write(Event{Method: http.MethodDelete, Type: "Medication", ID: "m1", Body: []byte{}}))
	write(Event{Patient: "a", Body: order("a", "after-its-delete")})
	require.Equal(t, unknown, p.stated("MedicationRequest/after-its-delete"))
	// Within what is said of a patient at once.
	write(Event{Patient: "a", Media: MediaBundle, Body: BundleBody([]fhir.Entry{
		{Body: fmt.Appendf(nil, ibuprofen, "")}, {Body: order("a", "beside-it")}})})
	require.Equal(t, known, p.stated("MedicationRequest/beside-it"))
	p.taken(write(Event{Body: fmt.Appendf(nil, ibuprofen, `"status":"entered-in-error",`)}))
	require.NoError(t, p.Close())

	p = openPharmacy(t, c)
	write(Event{Patient: "a", Body: order("a", "after-the-error")})
	require.Equal(t, unknown, p.stated("MedicationRequest/after-the-error"))
	topic := readAll(t, c, p.topics.Medications.Name, 4)
	for i, want := range []string{`{"codes":["rxnorm|5640","atc|M01AE01"]}`, `{"codes":null}`, `{"codes":["rxnorm|5640","atc|M01AE01"]}`, `{"codes":null}`} {
		require.Equal(t, "Medication/m1", string(topic[i].Key))
		require.Equal(t, want, string(topic[i].Value))
	}
}

func TestAnIntakeLearnsOfMedicationsThatAnotherProcessTook(t *testing.T) {
	t.Parallel()
	c := testConfig(newBroker(t, t.TempDir()))
	p := openPharmacy(t, c)
	other := newTestProducer(t, c)
	defer other.Close()
	require.NoError(t, other.Write(t.Context(), records(p.topics.Medications.Name,
		"Medication/m0", "not JSON", "Medication/m1", `{"codes":["rxnorm|5640"],"meta":{"versionId":"3"}}`,
		"Medication/m1", `{"codes":["rxnorm|1"],"meta":{"versionId":"2"}}`, "Medication/m2", `{"codes":["rxnorm|2"]}`)))
	require.Eventually(t, func() bool { return p.known.Codes("Medication/m2") != nil }, 10*time.Second, 5*time.Millisecond)
	require.Equal(t, []clinical.Code{"rxnorm|5640"}, p.known.Codes("Medication/m1"), "an older version changes nothing")
	require.Nil(t, p.known.Codes("Medication/m0"))
}

func TestAKilledIntakesMedicationsAreWrittenAgain(t *testing.T) {
	t.Parallel()
	c := testConfig(newBroker(t, t.TempDir()))
	c.Partitions = 1
	topics := withTopics(t, c)
	_, err := newTestWriter(t, c).Write(t.Context(), []Event{{Body: fmt.Appendf(nil, ibuprofen, "")}})
	require.NoError(t, err)
	before := newTestProducer(t, c)
	defer before.Close()
	// It came as far as the facts record.
	require.NoError(t, before.Write(t.Context(), records(topics.Facts.Name,
		controlKey(0), string((&clinical.Record{EventOffset: 0}).Marshal()))))

	openPharmacy(t, c)
	m := readAll(t, c, topics.Medications.Name, 1)[0]
	require.Equal(t, "Medication/m1", string(m.Key))
}

func TestMedicationsInUseAreNotForgotten(t *testing.T) {
	t.Parallel()
	m := NewMedications()
	m.Put("Medication/used", clinical.Version{}, []clinical.Code{"a"})
	m.Put("Medication/unused", clinical.Version{}, []clinical.Code{"a"})
	for i := range 2 * medicationsPerGeneration {
		m.Put(fmt.Sprint("Medication/", i), clinical.Version{}, nil)
		if i%1000 == 0 {
			require.NotNil(t, m.Codes("Medication/used"))
		}
	}
	require.Nil(t, m.Codes("Medication/unused"))
	require.LessOrEqual(t, len(m.now)+len(m.old), 2*medicationsPerGeneration)
}

// A DELETE up to a version takes that version's facts away and leaves those of a newer one.
func TestADeleteCarriesTheVersionThatItIsLimitedTo(t *testing.T) {
	t.Parallel()
	c := testConfig(newBroker(t, t.TempDir()))
	p := openPharmacy(t, c)
	updated := clinical.At(time.Date(2026, 3, 1, 10, 0, 0, 5e6, time.UTC))
	versions := []clinical.Version{{}, {Number: 3}, {Updated: updated}, {Number: 4, Updated: updated}}
	var events []Event
	for i, v := range versions {
		id := fmt.Sprint(i)
		events = append(events, Event{Patient: "a", Method: http.MethodDelete, Type: "Observation", ID: "alone" + id, Version: v, Body: []byte{}},
			Event{Patient: "a", Media: MediaBundle, Body: BundleBody([]fhir.Entry{{Method: http.MethodDelete, Type: "Observation", ID: "within" + id, Version: v}})})
	}
	_, err := newTestWriter(t, c).Write(t.Context(), events)
	require.NoError(t, err)
	got := map[string]clinical.Version{}
	for _, a := range p.await(t, "all", count(len(events))) {
		for _, s := range a.record.Assertions {
			require.Empty(t, s.Facts)
			got[s.Resource] = s.Version
		}
	}
	for i, v := range versions {
		require.Equal(t, v, got[fmt.Sprint("Observation/alone", i)])
		require.Equal(t, v, got[fmt.Sprint("Observation/within", i)])
	}
}
