package archive

import (
	"context"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"github.com/vigil-cds/vigil/internal/clinical"
)

// open opens an archive in memory that the test closes, unless it has closed it itself.
func open(t testing.TB, o Options) *Archive {
	t.Helper()
	if o.FS == nil {
		o.FS = vfs.NewMem()
	}
	if o.Memory == 0 {
		o.Memory = 16 << 20
	}
	a, err := Open("db", o)
	require.NoError(t, err)
	t.Cleanup(func() {
		if t.Failed() {
			return // a batch may be open, which Close would wait for
		}
		if err := a.Close(); err != nil {
			require.ErrorIs(t, err, ErrClosed)
		}
	})
	return a
}

func openPartition(t testing.TB, a *Archive, n int32) *Partition {
	t.Helper()
	p, err := a.Partition(n)
	require.NoError(t, err)
	return p
}

// commit fills a batch and commits it.
func commit(t testing.TB, p *Partition, fill func(*Batch)) {
	t.Helper()
	b := p.Begin()
	defer b.Discard()
	fill(b)
	require.NoError(t, b.Commit())
}

// history is what a patient's history holds, as lines.
func history(t testing.TB, p *Partition, patient string, from, through int64) (lines []string) {
	t.Helper()
	require.NoError(t, p.HistoryFrom(patient, from, through, func(offset int64, clock clinical.Instant, value []byte) error {
		lines = append(lines, fmt.Sprintf("%d at %s: %s", offset, clock, value))
		return nil
	}))
	return lines
}

// entries is what a patient was explained.
func entries(t testing.TB, p *Partition, patient string) (all []Entry) {
	t.Helper()
	require.NoError(t, p.Explanations(patient, clinical.Never, clinical.Forever, 0, math.MaxInt, func(e Entry) error {
		e.Data = append([]byte{}, e.Data...)
		all = append(all, e)
		return nil
	}))
	return all
}

// outgoing is what is to be published, as lines.
func outgoing(t testing.TB, p *Partition, limit int) (lines []string) {
	t.Helper()
	require.NoError(t, p.Outgoing(limit, func(number uint64, patient string, data []byte) error {
		lines = append(lines, fmt.Sprintf("%d %s %s", number, patient, data))
		return nil
	}))
	return lines
}

// marks are those of one side.
func marks(t testing.TB, side func(func(Mark) error) error) (all []Mark) {
	t.Helper()
	require.NoError(t, side(func(m Mark) error {
		all = append(all, m)
		return nil
	}))
	return all
}

func divergences(t testing.TB, p *Partition) (all []Divergence) {
	t.Helper()
	require.NoError(t, p.Divergences(func(d Divergence) error {
		d.Data = append([]byte{}, d.Data...)
		all = append(all, d)
		return nil
	}))
	return all
}

func soon(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	t.Cleanup(cancel)
	return ctx
}
