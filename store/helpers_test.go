package store

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/pointer"
)

// open opens a store in memory that the test closes, unless it has closed it itself.
func open(t testing.TB, o Options) *Store {
	t.Helper()
	if o.FS == nil {
		o.FS = vfs.NewMem()
	}
	if o.Memory == 0 {
		o.Memory = 16 << 20
	}
	s, err := Open("db", o)
	require.NoError(t, err)
	t.Cleanup(func() {
		if t.Failed() {
			return // a batch may be open, which Close would wait for
		}
		if err := s.Close(); err != nil {
			require.ErrorIs(t, err, ErrClosed)
		}
	})
	return s
}

func openPartition(t testing.TB, s *Store, n int32) *Partition {
	t.Helper()
	p, err := s.Partition(n)
	require.NoError(t, err)
	return p
}

var (
	creatinine = clinical.NewStream(clinical.KindObservation, "loinc|2160-0")
	potassium  = clinical.NewStream(clinical.KindObservation, "loinc|2823-3", "local|K")
	heartRate  = clinical.NewStream(clinical.KindObservation, "loinc|8867-4")
	milligrams = &clinical.Detail{Type: clinical.Number, Unit: "mg/dL"}
)

// at is a number of one stream at a minute.
func at(s clinical.Stream, minute int64, x float64) clinical.Fact {
	t := clinical.Instant(minute * 60_000)
	return clinical.Fact{Stream: s, Time: t, End: t, Number: x, Detail: milligrams}
}

// monitored is what a monitor states without a resource.
func monitored(s clinical.Stream, minute int64, x float64) clinical.Fact {
	f := at(s, minute, x)
	f.Detail = &clinical.Detail{Type: clinical.Number, Unit: "mg/dL", Unnamed: true}
	return f
}

func version(n int64) clinical.Version { return clinical.Version{Number: n} }

func states(resource string, v clinical.Version, facts ...clinical.Fact) clinical.Assertion {
	return clinical.Assertion{Resource: resource, Version: v, Facts: facts}
}

// apply commits one record about one patient, the way that the machine does.
func apply(t testing.TB, p *Partition, patient string, assertions ...clinical.Assertion) [][]clinical.StreamID {
	t.Helper()
	changed, err := tryApply(p, patient, assertions...)
	require.NoError(t, err)
	return changed
}

func tryApply(p *Partition, patient string, assertions ...clinical.Assertion) ([][]clinical.StreamID, error) {
	state := p.State()
	state.Facts++
	state.Events++
	state.Clock = clinical.Instant(state.Facts * 1000)
	b := p.Begin()
	defer b.Discard()
	pt, err := b.Patient(patient)
	if err != nil {
		return nil, err
	}
	var all [][]clinical.StreamID
	order := uint64(state.Facts) << 16
	for i := range assertions {
		var changed []clinical.StreamID
		if pt, changed, err = b.Assert(pt, &assertions[i], order); err != nil {
			return nil, err
		}
		order += uint64(len(assertions[i].Facts))
		all = append(all, changed)
	}
	next := *pt
	next.Meta.Changed, next.Meta.Facts = state.Clock, state.Facts
	next.Row = rowOver(next.History)
	b.Put(&next)
	b.SetState(state)
	return all, b.Commit()
}

// rowOver is a row with one live pointer to every series.
func rowOver(h *pointer.History) *pointer.Row {
	r := &pointer.Row{RuleSet: "set"}
	p := pointer.Pointer{}
	for _, s := range h.Series() {
		p.Streams = append(p.Streams, s.ID)
	}
	if len(p.Streams) > 0 {
		r.Pointers = []pointer.Pointer{p}
	}
	return r
}

// put changes one patient in a batch of its own.
func put(t testing.TB, p *Partition, patient string, change func(*Patient)) {
	t.Helper()
	b := p.Begin()
	defer b.Discard()
	putIn(t, b, patient, change)
	require.NoError(t, b.Commit())
}

func putIn(t testing.TB, b *Batch, patient string, change func(*Patient)) {
	t.Helper()
	pt, err := b.Patient(patient)
	require.NoError(t, err)
	next := *pt
	change(&next)
	b.Put(&next)
}

// show writes a history as lines of "stream time number seq".
func show(h *pointer.History) (lines []string) {
	for _, s := range h.Series() {
		for _, c := range s.Chunks {
			for i := range c.Entries {
				lines = append(lines, showEntry(s.Stream, &c.Entries[i]))
			}
		}
	}
	return lines
}

func showEntry(s clinical.Stream, e *pointer.Entry) string {
	return fmt.Sprintf("%s %d..%d %g %s #%d", s.Key(), e.Time, e.End, e.Number, e.Detail.Unit, e.Seq)
}

func numbers(h *pointer.History, s clinical.Stream) (xs []float64) {
	series := h.Get(s.ID())
	if series == nil {
		return nil
	}
	for _, c := range series.Chunks {
		for i := range c.Entries {
			xs = append(xs, c.Entries[i].Number)
		}
	}
	return xs
}

func soon(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	t.Cleanup(cancel)
	return ctx
}
