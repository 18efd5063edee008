package store

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vigil-cds/vigil/internal/clinical"
)

// fillWard gives each of n patients 100 facts in 20 streams, and rows that need 3 of those.
func fillWard(b *testing.B, p *Partition, n int) {
	streams := make([]clinical.Stream, 20)
	for i := range streams {
		streams[i] = clinical.NewStream(clinical.KindObservation, clinical.Code(fmt.Sprint("loinc|", i)))
	}
	for i := range n {
		id := fmt.Sprintf("patient-%06d", i)
		var all []clinical.Assertion
		for j := range 100 {
			all = append(all, states(fmt.Sprint("Observation/", i, "-", j), version(1), at(streams[j%20], int64(j*60+i%7), float64(j%13)/10+3)))
		}
		apply(b, p, id, all...)
		put(b, p, id, func(pt *Patient) {
			row := *pt.Row
			pointers := row.Pointers[0]
			pointers.Streams = pointers.Streams[4:7]
			row.Pointers = append(row.Pointers[:0:0], pointers)
			pt.Row = &row
		})
	}
	require.NoError(b, p.store.db.Compact(b.Context(), []byte{0}, []byte{0xff, 0xff}, false))
}

func openBench(b *testing.B) *Partition {
	s, err := Open(b.TempDir(), Options{Memory: 256 << 20})
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, s.Close()) })
	return openPartition(b, s, 0)
}

func BenchmarkApplyOneFact(b *testing.B) {
	p := openBench(b)
	fillWard(b, p, 1000)
	ids := make([]string, 1000)
	for i := range ids {
		ids[i] = fmt.Sprintf("patient-%06d", i)
		_, err := p.LoadAll(ids[i])
		require.NoError(b, err)
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		state := p.State()
		state.Facts++
		batch := p.Begin()
		pt, err := batch.Patient(ids[i%len(ids)])
		if err != nil {
			b.Fatal(err)
		}
		a := states(fmt.Sprint("Observation/new-", i), version(1), at(creatinine, int64(100_000+i), float64(i%50)/10))
		if pt, _, err = batch.Assert(pt, &a, uint64(state.Facts)<<20); err != nil {
			b.Fatal(err)
		}
		next := *pt
		next.Meta.Facts = state.Facts
		batch.Put(&next)
		batch.SetState(state)
		if err := batch.Commit(); err != nil {
			b.Fatal(err)
		}
		i++
	}
}

func BenchmarkLoadCold(b *testing.B) {
	for _, complete := range []bool{false, true} {
		b.Run(map[bool]string{false: "what the row needs", true: "all"}[complete], func(b *testing.B) {
			p := openBench(b)
			fillWard(b, p, 1000)
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				if _, err := p.scan(fmt.Sprintf("patient-%06d", i*7919%1000), complete); err != nil {
					b.Fatal(err)
				}
				i++
			}
		})
	}
}

func BenchmarkLoadHot(b *testing.B) {
	p := openBench(b)
	fillWard(b, p, 10)
	_, err := p.LoadAll("patient-000003")
	require.NoError(b, err)
	b.Run("one reader", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := p.Load("patient-000003"); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("readers on every core", func(b *testing.B) {
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if _, err := p.Load("patient-000003"); err != nil {
					b.Error(err)
				}
			}
		})
	})
}

// A new resource is looked up once, in vain, in levels that hold everything.
func BenchmarkLookUpNewResource(b *testing.B) {
	p := openBench(b)
	fillWard(b, p, 1000)
	b.Run("get", func(b *testing.B) {
		i := 0
		for b.Loop() {
			key := appendResourceKey(nil, 0, fmt.Sprintf("patient-%06d", i*7919%1000), resourceHash(fmt.Sprint("new-", i)))
			if _, err := p.store.get(key, nil); err != nil {
				b.Fatal(err)
			}
			i++
		}
	})
	b.Run("find", func(b *testing.B) {
		i := 0
		for b.Loop() {
			key := appendResourceKey(nil, 0, fmt.Sprintf("patient-%06d", i*7919%1000), resourceHash(fmt.Sprint("new-", i)))
			if _, err := p.store.find(key, nil); err != nil {
				b.Fatal(err)
			}
			i++
		}
	})
}
