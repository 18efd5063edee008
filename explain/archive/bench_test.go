package archive

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vigil-cds/vigil/internal/clinical"
)

const (
	benchPatients = 10_000
	benchRecords  = 100_000
	benchBatch    = 1_000
)

// benchValue is about as large, and as repetitive, as a facts record with one observation.
func benchValue(r *rand.Rand, offset int) []byte {
	return fmt.Appendf(nil, "\x0a\x24%08x-0000-4000-8000-%012x observation loinc|%d-0 mg/dL final %g http://terminology.hl7.org laboratory Observation/%016x",
		r.Uint32(), r.Uint64()>>16, 2000+r.IntN(40), float64(r.IntN(2000))/100, uint64(offset))
}

func benchPatient(n int) string { return fmt.Sprintf("patient-%028d", n) }

// benchValues draws a record for every offset, with the patient that it is about.
func benchValues(records, patients int) (ids []string, values [][]byte) {
	r := rand.New(rand.NewPCG(1, 1))
	ids, values = make([]string, records), make([][]byte, records)
	for i := range values {
		ids[i], values[i] = benchPatient(r.IntN(patients)), benchValue(r, i)
	}
	return ids, values
}

// writeBatch writes records the way that a machine does: history, patient, state, and 1 in 50 explained.
func writeBatch(b testing.TB, p *Partition, ids []string, values [][]byte, from, to int) {
	batch := p.Begin()
	defer batch.Discard()
	for i := from; i < to; i++ {
		pt := Patient{ID: ids[i], Facts: int64(i), Clock: clinical.Instant(i), RuleSet: "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
			Due: clinical.Instant(i + 1_000_000), Records: 1}
		batch.History(ids[i], int64(i), clinical.Instant(i), values[i])
		if i%50 == 0 {
			batch.Explain(ids[i], Entry{Sequence: int64(i) + 1, At: clinical.Instant(i), ID: fmt.Sprintf("%s/rule/%d", ids[i], i), Data: values[i]})
		}
		batch.Put(&pt)
	}
	batch.SetState(State{Facts: int64(to - 1), Clock: clinical.Instant(to)})
	if err := batch.Commit(); err != nil {
		b.Fatal(err)
	}
}

func benchArchive(b *testing.B) *Archive {
	a, err := Open(b.TempDir(), Options{})
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, a.Close()) })
	return a
}

// One operation is 100,000 records of 10,000 patients.
func BenchmarkWriteHistories(b *testing.B) {
	ids, values := benchValues(benchRecords, benchPatients)
	a := benchArchive(b)
	b.ReportAllocs()
	partition := int32(0)
	for b.Loop() {
		p, err := a.Partition(partition)
		require.NoError(b, err)
		partition++
		for from := 0; from < benchRecords; from += benchBatch {
			writeBatch(b, p, ids, values, from, from+benchBatch)
		}
	}
	b.ReportMetric(benchRecords*float64(b.N)/b.Elapsed().Seconds(), "records/s")
}

// One operation is one patient with its history of about 100 records.
func BenchmarkReadPatientsOf100Records(b *testing.B) {
	const patients = benchRecords / 100
	ids, values := benchValues(benchRecords, patients)
	a := benchArchive(b)
	p, err := a.Partition(0)
	require.NoError(b, err)
	for from := 0; from < benchRecords; from += benchBatch {
		writeBatch(b, p, ids, values, from, from+benchBatch)
	}
	require.NoError(b, a.db.Flush())
	r := rand.New(rand.NewPCG(2, 2))
	names := make([]string, patients)
	for i := range names {
		names[i] = benchPatient(i)
	}
	b.ReportAllocs()
	records, bytes := 0, 0
	for b.Loop() {
		id := names[r.IntN(patients)]
		if _, ok, err := p.Patient(id); err != nil || !ok {
			b.Fatal(ok, err)
		}
		err := p.History(id, math.MaxInt64, func(_ int64, _ clinical.Instant, value []byte) error {
			records++
			bytes += len(value)
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(records)/float64(b.N), "records/op")
	b.ReportMetric(float64(bytes)/float64(b.N), "read-bytes/op")
}

// One operation is a look for who is due, after 100,000 patients have been due and were moved.
func BenchmarkDuePastManyThatWereMoved(b *testing.B) {
	a := benchArchive(b)
	p, err := a.Partition(0)
	require.NoError(b, err)
	for _, due := range []clinical.Instant{0, 1 << 40} {
		for from := 0; from < 100_000; from += benchBatch {
			batch := p.Begin()
			for i := from; i < from+benchBatch; i++ {
				batch.Put(&Patient{ID: benchPatient(i), Due: due + clinical.Instant(i)})
			}
			require.NoError(b, batch.Commit())
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		ids, err := p.Due(1<<39, 100)
		if err != nil || len(ids) > 0 {
			b.Fatal(ids, err)
		}
	}
}

// One operation is a look at the marks of a partition in which 100,000 were settled and none is left.
func BenchmarkMarksPastManyThatWereSettled(b *testing.B) {
	a := benchArchive(b)
	p, err := a.Partition(0)
	require.NoError(b, err)
	for settle := range 2 {
		for from := 0; from < 100_000; from += benchBatch {
			batch := p.Begin()
			for i := from; i < from+benchBatch; i++ {
				id := fmt.Sprintf("%s/rule/0123456789ab/0/f%d", benchPatient(i), i)
				if settle == 0 {
					batch.await(&Mark{ID: id, Facts: int64(i)})
				} else {
					batch.Settle(id)
				}
			}
			require.NoError(b, batch.Commit())
		}
	}
	b.ReportAllocs()
	for b.Loop() {
		if err := p.Expected(func(Mark) error { return errEnded }); err != nil {
			b.Fatal(err)
		}
	}
}
