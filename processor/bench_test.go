package processor

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vigil-cds/vigil/internal/broker"
	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/internal/fhir"
	"github.com/vigil-cds/vigil/rules"
	"github.com/vigil-cds/vigil/store"
)

// trivial is a machine that applies nothing: what is left is the cost of the way there.
type trivial struct{ observations *atomic.Int64 }

func (m trivial) Apply(rec *clinical.Record, _ int64, _ func([]byte) error) error {
	m.observations.Add(int64(len(rec.Assertions)))
	return nil
}

// BenchmarkPipeline takes compact observations from the writer to the rules callback over the embedded
// broker, which syncs to the disk: an op is one events record of so many lines, obs/s are observations
// from end to end.
func BenchmarkPipeline(b *testing.B) {
	for _, lines := range []int{1, 10, 100} {
		b.Run(fmt.Sprintf("lines=%d", lines), func(b *testing.B) {
			kafka, err := broker.Start(b.TempDir(), broker.Options{})
			require.NoError(b, err)
			defer kafka.Close()
			c := Config{Brokers: []string{kafka.Addr()}}.Fill()
			var observations atomic.Int64
			s := newStore(b)
			p, err := start(b.Context(), c, Deps{Store: s, Decoder: fhir.New(fhir.Options{}), Sets: NewRuleSets(rules.CompileOptions{}, nil)},
				func(int32, *store.Partition, Observer) (applier, error) { return trivial{&observations}, nil })
			require.NoError(b, err)
			defer p.Close()
			ctx, cancel := context.WithTimeout(b.Context(), 10*time.Second)
			defer cancel()
			require.NoError(b, p.WaitReady(ctx))
			w := newTestWriter(b, c)
			const writers, perWrite = 8, 500
			bodies := make([][]byte, 1000)
			for i := range bodies {
				for n := range lines {
					bodies[i] = append(append(bodies[i], compact(fmt.Sprint("patient-", i), float64(60+n%40), fmt.Sprintf("2026-03-01T10:%02d:%02dZ", n/60, n%60))...), '\n')
				}
			}
			b.ResetTimer()
			var next atomic.Int64
			var joined sync.WaitGroup
			for range writers {
				joined.Go(func() {
					for {
						from := int(next.Add(perWrite)) - perWrite
						n := min(perWrite, b.N-from)
						if n <= 0 {
							return
						}
						events := make([]Event, n)
						for i := range events {
							at := (from + i) % len(bodies)
							events[i] = Event{Patient: fmt.Sprint("patient-", at), Media: MediaCompact, Body: bodies[at]}
						}
						if _, err := w.Write(b.Context(), events); err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			joined.Wait()
			written := b.Elapsed()
			for want := int64(b.N) * int64(lines); observations.Load() < want; {
				time.Sleep(time.Millisecond)
			}
			b.StopTimer()
			b.ReportMetric(float64(b.N)/written.Seconds(), "written/s")
			b.ReportMetric(float64(b.N*lines)/b.Elapsed().Seconds(), "obs/s")
		})
	}
}
