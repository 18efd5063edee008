package pointer

import (
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/rules"
)

var (
	plain  = &clinical.Detail{Type: clinical.Number, Unit: "mg/dL"}
	high   = &clinical.Detail{Type: clinical.Number, Unit: "mg/dL", Attributes: []clinical.Attribute{{Name: "interpretation", Codes: []clinical.Code{"H"}}}}
	course = &clinical.Detail{}
)

func randomEntry(r *rand.Rand, seq uint64) Entry {
	t := clinical.Instant(r.Int64N(50)) * 3_600_000
	e := Entry{Time: t, End: t, Seq: seq, Detail: plain, Number: float64(r.IntN(2000)) / 100}
	if r.IntN(3) == 0 {
		e.Authored = t + clinical.Instant(r.IntN(9)-4)*3_600_000
	}
	switch r.IntN(10) {
	case 0:
		e.Detail = high
	case 1:
		e.Detail, e.Number, e.End = course, 0, clinical.Forever
	case 2:
		e.Detail, e.Number, e.End = course, 0, t+5
	case 3:
		e.Number = r.NormFloat64()
	case 4:
		e.Time, e.End = clinical.Never, clinical.Forever
	}
	return e
}

func order(a, b Entry) int {
	if a.Fence().Less(b.Fence()) {
		return -1
	}
	return 1
}

// A series behaves as a sorted list, its changes are what a store must write to hold the same, and what
// is written reads back as it was.
func TestASeriesIsASortedListHoweverItIsCut(t *testing.T) {
	for seed := range uint64(30) {
		r := rand.New(rand.NewPCG(seed, 1))
		s := &Series{ID: 7}
		var model []Entry
		stored := map[Fence][]byte{}
		details := NewDetails(10)
		for seq := range uint64(600) {
			var change Change
			if len(model) > 0 && r.IntN(3) == 0 {
				i := r.IntN(len(model))
				var found bool
				if s, change, found = s.Remove(model[i].Fence()); !found {
					t.Fatalf("seed %d: an entry is not found", seed)
				}
				model = slices.Delete(model, i, i+1)
			} else {
				e := randomEntry(r, seq)
				s, change = s.Insert(e)
				model = append(model, e)
				slices.SortFunc(model, order)
			}
			for _, f := range change.Delete {
				delete(stored, f)
			}
			for _, c := range change.Put {
				stored[c.Fence] = c.AppendTo(nil)
			}
		}
		if got := entriesOf(s); !reflect.DeepEqual(got, model) {
			t.Fatalf("seed %d: the series holds\n%v\nwant\n%v", seed, got, model)
		}
		if len(stored) != len(s.Chunks) {
			t.Fatalf("seed %d: %d chunks are stored, the series has %d", seed, len(stored), len(s.Chunks))
		}
		back := &Series{ID: 7}
		for _, c := range s.Chunks {
			read, err := DecodeChunk(c.Fence, stored[c.Fence], details)
			if err != nil {
				t.Fatal(err)
			}
			back.Chunks = append(back.Chunks, read)
		}
		if got := entriesOf(back); !slices.EqualFunc(got, model, sameEntry) {
			t.Fatalf("seed %d: read back\n%v\nwant\n%v", seed, got, model)
		}
	}
}

func sameEntry(a, b Entry) bool {
	return a.Time == b.Time && a.End == b.End && a.Seq == b.Seq && a.Number == b.Number && reflect.DeepEqual(a.Detail, b.Detail)
}

func entriesOf(s *Series) []Entry {
	var all []Entry
	for _, c := range s.Chunks {
		all = append(all, c.Entries...)
	}
	return all
}

func TestAGrowingStreamFillsItsChunks(t *testing.T) {
	s := &Series{}
	for i := range 10 * ChunkSize {
		s, _ = s.Insert(Entry{Time: clinical.Instant(i), End: clinical.Instant(i), Seq: uint64(i), Detail: plain})
	}
	if len(s.Chunks) != 10 {
		t.Errorf("%d entries take %d chunks", s.Len(), len(s.Chunks))
	}
}

func TestOneVitalSignAMinuteIsStoredInAFewBytes(t *testing.T) {
	s := &Series{}
	for i := range ChunkSize {
		at := clinical.Instant(1_767_225_600_000 + i*60_000)
		s, _ = s.Insert(Entry{Time: at, End: at, Seq: uint64(i*7) << 20, Detail: plain, Number: 80 + float64(i%9)/10})
	}
	if size := len(s.Chunks[0].AppendTo(nil)); size > 12*ChunkSize {
		t.Errorf("a chunk of %d vital signs takes %d bytes", ChunkSize, size)
	}
}

func TestNumbersComeBackExactly(t *testing.T) {
	numbers := []float64{0, 0.1, 1.9, -1.9, 120, 1e-9, 1e300, 12345.6789, math.Copysign(0, -1), 0.30000000000000004, 1 << 60}
	for _, x := range numbers {
		c := newChunk(first, []Entry{{Detail: plain, Number: x}, {Seq: 1, Detail: plain, Number: 1.5}})
		back, err := DecodeChunk(first, c.AppendTo(nil), NewDetails(1))
		if err != nil {
			t.Fatal(err)
		}
		if got := back.Entries[0].Number; math.Float64bits(got) != math.Float64bits(x) {
			t.Errorf("%v came back as %v", x, got)
		}
	}
}

func TestARowComesBackAsItWas(t *testing.T) {
	row := &Row{
		RuleSet: "abc",
		Scope: Scope{
			Rules: []RuleState{{Rule: 0, Live: true}, {Rule: 3, Truth: rules.True}, {Rule: 900, Truth: rules.Unknown}},
			Atoms: []AtomState{{Atom: 2, Live: true}, {Atom: 3, Truth: rules.False}, {Atom: 4, Truth: rules.Unknown}},
			Pointers: []Pointer{
				{Term: 1, Settled: true, Value: rules.Value{Kind: rules.Number, Num: 1.5, Bound: clinical.Below}},
				{Term: 2, Settled: true, Value: rules.TextOf("a")}, {Term: 5, Settled: true},
				{Term: 7, Streams: []clinical.StreamID{1, 1 << 63}}, {Term: 9, Streams: []clinical.StreamID{1}},
			},
		},
		Periods: []PeriodRow{
			{Input: 4, Period: rules.Period{Start: -5, End: clinical.Forever}, Facts: []uint64{7, 1 << 40},
				Scope: Scope{Rules: []RuleState{{Rule: 5, Live: true}}, Pointers: []Pointer{{Term: 8, Streams: []clinical.StreamID{1 << 63}}}}},
			{Input: 4, Period: rules.Period{Start: 9, End: 9}, Facts: []uint64{8}, Scope: Scope{Rules: []RuleState{{Rule: 5, Truth: rules.True}}}},
		},
	}
	back, err := DecodeRow(row.AppendTo(nil))
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(back, row) {
		t.Errorf("came back as\n%+v\nwant\n%+v", back, row)
	}
	if got := row.Streams(); !slices.Equal(got, []clinical.StreamID{1, 1 << 63}) {
		t.Errorf("streams %v", got)
	}
}

func FuzzDecodeChunk(f *testing.F) {
	c := newChunk(first, []Entry{{Time: 5, End: clinical.Forever, Seq: 9, Detail: high, Number: 1.25}, {Time: 6, End: 6, Authored: 8, Seq: 10, Detail: plain, Number: 3}})
	f.Add(c.AppendTo(nil))
	details := NewDetails(100)
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := DecodeChunk(first, b, details)
		if err != nil {
			return
		}
		if _, err := DecodeChunk(first, c.AppendTo(nil), details); err != nil {
			t.Errorf("what was decoded does not encode: %v", err)
		}
	})
}

func FuzzDecodeRow(f *testing.F) {
	f.Add((&Row{RuleSet: "x", Scope: Scope{Rules: []RuleState{{Rule: 2, Live: true}}, Pointers: []Pointer{{Term: 1, Streams: []clinical.StreamID{4}}}}}).AppendTo(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		row, err := DecodeRow(b)
		if err != nil {
			return
		}
		if _, err := DecodeRow(row.AppendTo(nil)); err != nil {
			t.Errorf("what was decoded does not encode: %v", err)
		}
	})
}
