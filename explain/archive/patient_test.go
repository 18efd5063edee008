package archive

import (
	"math"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/stretchr/testify/require"

	"github.com/vigil-cds/vigil/internal/clinical"
)

func TestAPatientIsReadBackAsItWasPut(t *testing.T) {
	fs := vfs.NewMem()
	a := open(t, Options{FS: fs})
	p := openPartition(t, a, 0)
	patients := []*Patient{
		{ID: "new", Facts: -1, Clock: clinical.Never, Due: clinical.Forever},
		{ID: "full", Facts: 812, Clock: 1_770_000_000_000, RuleSet: strings.Repeat("ab", 32), Due: -5, Sequence: 3, Head: [32]byte{31: 1}, Records: 40,
			Standing: []Standing{{Rule: "aki", Since: -1, Severity: 2, Sequence: 1}, {Rule: "sepsis", Since: 5, Severity: 255, Sequence: 3}}},
		{ID: "extreme", Facts: math.MaxInt64, Clock: clinical.Forever, Due: clinical.Never, Sequence: math.MaxInt64, Records: math.MinInt64},
	}
	commit(t, p, func(b *Batch) {
		for _, pt := range patients {
			own := *pt
			b.Put(&own)
			own.Records, own.Due = 0, 0 // the caller may change it afterwards
		}
	})
	for range 2 {
		for _, want := range patients {
			got, known, err := p.Patient(want.ID)
			require.NoError(t, err)
			require.True(t, known)
			require.Equal(t, want, got)
		}
		require.NoError(t, a.Close())
		a = open(t, Options{FS: fs})
		p = openPartition(t, a, 0)
	}
}

func TestPatientsAreListedInPages(t *testing.T) {
	a := open(t, Options{})
	p := openPartition(t, a, 1)
	ids := []string{"a", "a\x01", "aa", "b", "\xff\xff"}
	for _, n := range []int32{0, 1, 2} {
		commit(t, openPartition(t, a, n), func(b *Batch) {
			for _, id := range ids {
				b.Put(&Patient{ID: id})
				b.History(id, 1, 1, []byte("record"))
			}
		})
	}
	for limit := 1; limit <= len(ids)+1; limit++ {
		var all []string
		for after := ""; ; after = all[len(all)-1] {
			page, err := p.Patients(after, limit)
			require.NoError(t, err)
			all = append(all, page...)
			if len(page) < limit {
				break
			}
		}
		require.Equal(t, ids, all)
	}
	none, err := p.Patients("", 0)
	require.NoError(t, err)
	require.Empty(t, none)
}

func TestHistoriesAreBoundedByOffsets(t *testing.T) {
	p := openPartition(t, open(t, Options{}), 0)
	commit(t, p, func(b *Batch) {
		for _, id := range []string{"a", "a\x01", "aa"} { // neighbours of whom nothing must be seen
			for _, offset := range []int64{0, 3, 4, 255, 256, math.MaxInt64} {
				b.History(id, offset, clinical.Instant(offset), []byte(id))
			}
		}
	})
	cases := []struct {
		from, through int64
		want          []int64
	}{
		{0, math.MaxInt64, []int64{0, 3, 4, 255, 256, math.MaxInt64}},
		{math.MinInt64, 0, []int64{0}},
		{0, -1, nil},
		{1, 2, nil},
		{3, 3, []int64{3}},
		{4, 255, []int64{4, 255}},
		{256, math.MaxInt64 - 1, []int64{256}},
		{math.MaxInt64, math.MaxInt64, []int64{math.MaxInt64}},
		{5, 4, nil},
	}
	for _, c := range cases {
		var got []int64
		require.NoError(t, p.HistoryFrom("a", c.from, c.through, func(offset int64, clock clinical.Instant, value []byte) error {
			got = append(got, offset)
			require.EqualValues(t, offset, clock)
			require.Equal(t, "a", string(value))
			return nil
		}))
		require.Equal(t, c.want, got, "from %d through %d", c.from, c.through)
	}
}

func TestAnErrorOfACallbackEndsTheRead(t *testing.T) {
	p := openPartition(t, open(t, Options{}), 0)
	for range 2 {
		commit(t, p, writeOfEverything)
	}
	commit(t, p, func(b *Batch) {
		b.History("patient-of-everything", 8, 80, nil)
		b.Explain("patient-of-everything", Entry{Sequence: 2, ID: "id-3"})
	})
	for name, read := range map[string]func(func() error) error{
		"History": func(f func() error) error {
			return p.History("patient-of-everything", math.MaxInt64, func(int64, clinical.Instant, []byte) error { return f() })
		},
		"Explanations": func(f func() error) error {
			return p.Explanations("patient-of-everything", clinical.Never, clinical.Forever, 0, 10, func(Entry) error { return f() })
		},
		"Outgoing": func(f func() error) error {
			return p.Outgoing(10, func(uint64, string, []byte) error { return f() })
		},
		"Expected":    func(f func() error) error { return p.Expected(func(Mark) error { return f() }) },
		"Divergences": func(f func() error) error { return p.Divergences(func(Divergence) error { return f() }) },
	} {
		t.Run(name, func(t *testing.T) {
			calls := 0
			require.ErrorIs(t, read(func() error { calls++; return errEnded }), errEnded)
			require.Equal(t, 1, calls)
			calls = 0
			require.NoError(t, read(func() error { calls++; return nil }))
			require.Greater(t, calls, 1)
		})
	}
}
