package store

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vigil-cds/vigil/internal/clinical"
)

func TestAssertions(t *testing.T) {
	const obs = "Observation/1"
	updated := func(t clinical.Instant) clinical.Version { return clinical.Version{Updated: t} }
	k, c := potassium.ID(), creatinine.ID()
	both := []clinical.StreamID{k, c}
	if c < k {
		both = []clinical.StreamID{c, k}
	}
	type step struct {
		assert  clinical.Assertion
		changed []clinical.StreamID
	}
	for name, test := range map[string]struct {
		steps      []step
		creatinine []float64
		potassium  []float64
	}{
		"a new resource states its facts": {
			steps:      []step{{states(obs, version(1), at(creatinine, 5, 1.1)), []clinical.StreamID{c}}},
			creatinine: []float64{1.1}},
		"a newer version replaces the facts": {
			steps: []step{
				{states(obs, version(1), at(creatinine, 5, 1.1)), []clinical.StreamID{c}},
				{states(obs, version(2), at(creatinine, 5, 1.4)), []clinical.StreamID{c}}},
			creatinine: []float64{1.4}},
		"a newer version may move to another stream, and both have changed": {
			steps: []step{
				{states(obs, version(1), at(creatinine, 5, 1.1)), []clinical.StreamID{c}},
				{states(obs, version(2), at(potassium, 5, 4)), both}},
			potassium: []float64{4}},
		"an older version arriving late changes nothing": {
			steps: []step{
				{states(obs, version(2), at(creatinine, 5, 1.4)), []clinical.StreamID{c}},
				{states(obs, version(1), at(creatinine, 5, 1.1)), nil}},
			creatinine: []float64{1.4}},
		"the same version changes nothing": {
			steps: []step{
				{states(obs, version(2), at(creatinine, 5, 1.4)), []clinical.StreamID{c}},
				{states(obs, version(2), at(creatinine, 5, 9)), nil}},
			creatinine: []float64{1.4}},
		"an older lastUpdated changes nothing": {
			steps: []step{
				{states(obs, updated(20), at(creatinine, 5, 1.4)), []clinical.StreamID{c}},
				{states(obs, updated(10), at(creatinine, 5, 1.1)), nil}},
			creatinine: []float64{1.4}},
		"without versions the later in the log is the newer": {
			steps: []step{
				{states(obs, version(0), at(creatinine, 5, 1.4)), []clinical.StreamID{c}},
				{states(obs, version(0), at(creatinine, 5, 1.1)), []clinical.StreamID{c}}},
			creatinine: []float64{1.1}},
		"identical content changes only the version held": {
			steps: []step{
				{states(obs, version(1), at(creatinine, 5, 1.4)), []clinical.StreamID{c}},
				{states(obs, version(5), at(creatinine, 5, 1.4)), nil},
				{states(obs, version(4), at(creatinine, 5, 9)), nil}},
			creatinine: []float64{1.4}},
		"another author time is another statement": {
			steps: []step{
				{states(obs, version(1), at(creatinine, 5, 1.4)), []clinical.StreamID{c}},
				{states(obs, version(2), authored(at(creatinine, 5, 1.4), 9)), []clinical.StreamID{c}},
				{states(obs, version(3), authored(at(creatinine, 5, 1.4), 9)), nil}},
			creatinine: []float64{1.4}},
		"the same facts in another order are not identical": {
			steps: []step{
				{states(obs, version(1), at(creatinine, 5, 1), at(creatinine, 5, 2)), []clinical.StreamID{c}},
				{states(obs, version(2), at(creatinine, 5, 2), at(creatinine, 5, 1)), []clinical.StreamID{c}}},
			creatinine: []float64{2, 1}},
		"no facts retract the resource": {
			steps: []step{
				{states(obs, version(1), at(creatinine, 5, 1.4), at(potassium, 5, 4)), both},
				{states(obs, version(2)), both}}},
		"a retracted resource is not revived by an older version": {
			steps: []step{
				{states(obs, version(1), at(creatinine, 5, 1.4)), []clinical.StreamID{c}},
				{states(obs, version(3)), []clinical.StreamID{c}},
				{states(obs, version(2), at(creatinine, 5, 1.1)), nil}}},
		"a retracted resource is revived by a newer version": {
			steps: []step{
				{states(obs, version(1), at(creatinine, 5, 1.4)), []clinical.StreamID{c}},
				{states(obs, version(2)), []clinical.StreamID{c}},
				{states(obs, version(3), at(creatinine, 5, 1.1)), []clinical.StreamID{c}}},
			creatinine: []float64{1.1}},
		"a resource first seen as retracted is not revived by an older version": {
			steps: []step{
				{states(obs, version(3)), nil},
				{states(obs, version(2), at(creatinine, 5, 1.1)), nil}}},
		"an unnamed fact replaces the unnamed fact of its stream and time": {
			steps: []step{
				{states("", version(0), monitored(creatinine, 5, 1)), []clinical.StreamID{c}},
				{states("", version(0), monitored(creatinine, 6, 2)), []clinical.StreamID{c}},
				{states("", version(0), monitored(creatinine, 5, 1)), nil},
				{states("", version(0), monitored(creatinine, 5, 3)), []clinical.StreamID{c}}},
			creatinine: []float64{3, 2}},
		"an unnamed fact leaves a resource's fact of its stream and time alone": {
			steps: []step{
				{states(obs, version(1), at(creatinine, 5, 1)), []clinical.StreamID{c}},
				{states("", version(0), monitored(creatinine, 5, 2)), []clinical.StreamID{c}},
				{states(obs, version(2)), []clinical.StreamID{c}}},
			creatinine: []float64{2}},
		"resources do not touch each other's facts": {
			steps: []step{
				{states("Observation/1", version(1), at(creatinine, 5, 1)), []clinical.StreamID{c}},
				{states("Observation/2", version(1), at(creatinine, 5, 2)), []clinical.StreamID{c}},
				{states("Observation/1", version(2)), []clinical.StreamID{c}}},
			creatinine: []float64{2}},
	} {
		t.Run(name, func(t *testing.T) {
			// Once with each assertion in a record of its own, once with all in one record.
			p := openPartition(t, open(t, Options{}), 0)
			var all []clinical.Assertion
			for i, s := range test.steps {
				changed := apply(t, p, "one by one", s.assert)
				require.Equal(t, s.changed, changed[0], "step %d", i)
				all = append(all, s.assert)
			}
			for i, changed := range apply(t, p, "at once", all...) {
				require.Equal(t, test.steps[i].changed, changed, "step %d", i)
			}
			for _, id := range []string{"one by one", "at once"} {
				for _, cold := range []bool{false, true} {
					if cold {
						p.store.cache.drop(0)
					}
					pt, err := p.LoadAll(id)
					require.NoError(t, err)
					require.Equal(t, test.creatinine, numbers(pt.History, creatinine))
					require.Equal(t, test.potassium, numbers(pt.History, potassium))
				}
			}
		})
	}
}

func TestFactsOfARecordAreNumberedInItsOrder(t *testing.T) {
	p := openPartition(t, open(t, Options{}), 0)
	apply(t, p, "p", states("Observation/0", version(1), at(heartRate, 1, 60)))
	apply(t, p, "p",
		states("Observation/1", version(1), at(heartRate, 1, 61), at(heartRate, 1, 62)),
		states("Observation/2", version(1), at(heartRate, 1, 63)))
	p.store.cache.drop(0)
	pt, err := p.LoadAll("p")
	require.NoError(t, err)
	var seqs []uint64
	for _, e := range pt.History.Get(heartRate.ID()).Chunks[0].Entries {
		seqs = append(seqs, e.Seq)
	}
	require.Equal(t, []uint64{0, 1 << 16, 1<<16 + 1, 1<<16 + 2}, seqs)
	require.Equal(t, []float64{60, 61, 62, 63}, numbers(pt.History, heartRate))
}

func TestAFactWithoutADetailIsStored(t *testing.T) {
	p := openPartition(t, open(t, Options{}), 0)
	f := at(creatinine, 1, 0)
	f.Detail = nil
	apply(t, p, "p", states("Condition/1", version(1), f))
	require.Equal(t, [][]clinical.StreamID{nil}, apply(t, p, "p", states("Condition/1", version(2), f)))
	p.store.cache.drop(0)
	pt, err := p.LoadAll("p")
	require.NoError(t, err)
	require.Len(t, show(pt.History), 1)
}

func TestOwnerFindsThePatientOfAResource(t *testing.T) {
	s := open(t, Options{})
	p0, p7 := openPartition(t, s, 0), openPartition(t, s, 7)
	fact := at(creatinine, 1, 1)
	apply(t, p0, "anna", states("Observation/1", version(1), fact), states("Observation/x~y", version(1), fact))
	apply(t, p7, "bert", states("Observation/2", version(1), fact))
	owner := func(resource string) string {
		found := ""
		for _, partition := range []int32{0, 7} {
			id, ok, err := s.Owner(partition, resource)
			require.NoError(t, err)
			require.Equal(t, id != "", ok)
			found += id
		}
		return found
	}
	require.Equal(t, "anna", owner("Observation/1"))
	require.Equal(t, "bert", owner("Observation/2"))
	require.Equal(t, "", owner("Observation/x~y"), "an id that is not FHIR's is not indexed")
	require.Equal(t, "", owner("Observation/3"))

	apply(t, p0, "carl", states("Observation/1", version(2), fact))
	require.Equal(t, "carl", owner("Observation/1"), "a resource that moved")
	apply(t, p0, "anna", states("Observation/1", version(3)))
	require.Equal(t, "carl", owner("Observation/1"), "is not lost when its former patient's is retracted")
	apply(t, p0, "carl", states("Observation/1", version(4)))
	require.Equal(t, "", owner("Observation/1"), "a retracted resource")
}

func TestTwoStreamsWithOneIdAreNotMixed(t *testing.T) {
	p := openPartition(t, open(t, Options{}), 0)
	p.addStream(creatinine.ID(), potassium) // as though their hashes were the same
	_, err := tryApply(p, "p", states("Observation/1", version(1), at(creatinine, 1, 1)))
	require.ErrorIs(t, err, ErrCollision)
}

func authored(f clinical.Fact, at clinical.Instant) clinical.Fact {
	f.Authored = at
	return f
}
