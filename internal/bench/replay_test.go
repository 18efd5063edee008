package bench

import (
	"context"
	"testing"

	"github.com/vigil-cds/vigil/explain/archive"
	"github.com/vigil-cds/vigil/explain/replay"
	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/rules"
)

// BenchmarkExplain explains an eighth of the common workload, as one partition of it comes: facts are
// those a second on one core, the disk included.
func BenchmarkExplain(b *testing.B) {
	for _, c := range []struct {
		name  string
		lines int // of a request, over all patients
	}{{"tens", 12_500}, {"singles", 1}} {
		b.Run(c.name, func(b *testing.B) {
			entries, facts := partition(1250, 100, c.lines)
			for b.Loop() {
				explain(b, entries)
			}
			b.ReportMetric(float64(facts*b.N)/b.Elapsed().Seconds(), "facts/s")
		})
	}
}

// partition is the workload as the facts log has it.
func partition(patients, each, lines int) (entries []replay.Entry, facts int) {
	w := NewWorkload(patients, each, 1)
	files := []clinical.File{{Name: "ward.yaml", Data: []byte(Pack(1))}}
	add := func(key string, rec clinical.Record) {
		entries = append(entries, replay.Entry{Offset: int64(len(entries)), Key: key, Value: rec.Marshal()})
	}
	add("", clinical.Record{Recorded: clinical.Never, EventOffset: -1,
		Activation: &clinical.Activation{Hash: rules.NewSet(files...).Hash(), Files: files}})
	for from := 0; from < len(w.Facts); from += lines {
		by := map[int32]*clinical.Record{}
		var order []int32
		for _, f := range w.Facts[from:min(from+lines, len(w.Facts))] {
			rec := by[f.Patient]
			if rec == nil {
				rec = &clinical.Record{Patient: PatientID(f.Patient), EventOffset: int64(len(entries))}
				by[f.Patient], order = rec, append(order, f.Patient)
			}
			rec.Recorded = f.Time
			rec.Assertions = append(rec.Assertions, clinical.Assertion{Facts: []clinical.Fact{{
				Stream: clinical.NewStream(clinical.KindObservation, clinical.Code(Codes[f.Code])), Time: f.Time, End: f.Time, Number: f.Value,
				Detail: &clinical.Detail{Type: clinical.Number, Unnamed: true}}}})
			facts++
		}
		for _, p := range order {
			add(PatientID(p), *by[p])
		}
	}
	return entries, facts
}

func explain(b *testing.B, entries []replay.Entry) {
	b.Helper()
	a, err := archive.Open(b.TempDir(), archive.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer a.Close()
	machine, err := replay.NewMachine(0, a, replay.Options{Sets: replay.NewSets(a, rules.CompileOptions{}), Topic: "vigil-facts",
		Partition: func(string) int32 { return 0 }, Charts: replay.NewCharts(64 << 20)})
	if err != nil {
		b.Fatal(err)
	}
	for from := 0; from < len(entries); from += 4096 {
		if _, err := machine.Apply(context.Background(), entries[from:min(from+4096, len(entries))]); err != nil {
			b.Fatal(err)
		}
		for more := true; more; {
			if more, err = machine.Follow(context.Background(), 4096); err != nil {
				b.Fatal(err)
			}
		}
	}
	p, err := a.Partition(0)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(p.State().Explained), "explained")
}
