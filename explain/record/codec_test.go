package record_test

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/vigil-cds/vigil/explain/record"
	"github.com/vigil-cds/vigil/explain/record/recordtest"
)

func TestAnExplanationSurvivesTheRoundTrip(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for i := range 1000 {
		want := recordtest.Random(rng)
		if i < 3 {
			want = []*record.Explanation{recordtest.Example(), recordtest.Unknown(), recordtest.False()}[i]
		}
		got, err := record.Unmarshal(want.Marshal())
		require.NoError(t, err)
		require.Equal(t, want, got)
		require.Equal(t, want.Marshal(), got.Marshal())
	}
}

func TestAListThatNobodyMadeIsAnEmptyOne(t *testing.T) {
	made := &record.Explanation{Terms: []record.Term{{Uses: []record.Use{}}}, Facts: []record.Fact{{Codes: []string{}}}, Suffices: []int{},
		Miss: &record.Miss{Blockers: []record.Blocker{{Terms: []int{}}}}, Tree: &record.Node{Kids: []record.Node{}}}
	left := &record.Explanation{Terms: []record.Term{{}}, Facts: []record.Fact{{}},
		Miss: &record.Miss{Blockers: []record.Blocker{{}}}, Tree: &record.Node{}}
	require.Equal(t, made.Marshal(), left.Marshal())
}

func TestUnknownFieldsOfExplanationsAreSkipped(t *testing.T) {
	want := recordtest.Example()
	b := protowire.AppendTag(want.Marshal(), 900, protowire.BytesType)
	b = protowire.AppendString(b, "from a later release")
	b = protowire.AppendFixed32(protowire.AppendTag(b, 901, protowire.Fixed32Type), 7)
	b = protowire.AppendGroup(protowire.AppendTag(b, 902, protowire.StartGroupType), 902, nil)
	got, err := record.Unmarshal(b)
	require.NoError(t, err)
	require.Equal(t, want, got)
}

func TestMalformedExplanationsAreRefused(t *testing.T) {
	field := func(n protowire.Number, b []byte) []byte {
		return protowire.AppendBytes(protowire.AppendTag(nil, n, protowire.BytesType), b)
	}
	varint := func(n protowire.Number, v uint64) []byte {
		return protowire.AppendVarint(protowire.AppendTag(nil, n, protowire.VarintType), v)
	}
	fact := func(b []byte) []byte { return field(16, b) }
	value := func(b []byte) []byte { return fact(field(3, b)) }
	for name, b := range map[string][]byte{
		"cut inside a tag":              {0x80},
		"cut inside a string":           {0x1a, 5, 'a'},
		"field number zero":             {0x00, 0x00},
		"group without end":             {0x0b},
		"a number where text belongs":   varint(3, 1),
		"text where a number belongs":   field(1, []byte("1")),
		"a number where a list belongs": varint(17, 1),
		"a number where a fact belongs": varint(16, 1),
		"text that is not UTF-8":        field(3, []byte("\xff")),
		"a list cut inside a place":     field(17, []byte{0x80}),
		"malformed inside a fact":       fact([]byte{0x0a, 9}),
		"a partition beyond 32 bits":    fact(varint(13, 1<<33)),
		"a boolean of two":              field(14, varint(4, 2)),
		"a bound of two":                value(varint(5, protowire.EncodeZigZag(2))),
		"an instant no double holds":    value(varint(4, protowire.EncodeZigZag(math.MaxInt64-2))),
		"a double of 32 bits":           value(protowire.AppendFixed32(protowire.AppendTag(nil, 1, protowire.Fixed32Type), 1)),
	} {
		_, err := record.Unmarshal(b)
		require.ErrorIs(t, err, record.ErrMalformed, name)
	}
}

func TestNodesNestedDeeperThanAnyConditionAreRefused(t *testing.T) {
	nested := func(depth int) []byte {
		tree := &record.Node{Op: "literal", Term: -1}
		for range depth - 1 {
			tree = &record.Node{Op: "not", Term: -1, Kids: []record.Node{*tree}}
		}
		return (&record.Explanation{Tree: tree}).Marshal()
	}
	got, err := record.Unmarshal(nested(1000))
	require.NoError(t, err)
	require.Equal(t, nested(1000), got.Marshal())
	_, err = record.Unmarshal(nested(1001))
	require.ErrorIs(t, err, record.ErrMalformed)
}

func FuzzUnmarshal(f *testing.F) {
	rng := rand.New(rand.NewPCG(9, 10))
	for range 10 {
		f.Add(recordtest.Random(rng).Marshal())
	}
	f.Add(recordtest.Example().Marshal())
	f.Fuzz(func(t *testing.T, b []byte) {
		e, err := record.Unmarshal(b)
		if err != nil {
			require.ErrorIs(t, err, record.ErrMalformed)
			return
		}
		// Bytes are compared, since what others write may hold NaN.
		written := e.Marshal()
		again, err := record.Unmarshal(written)
		require.NoError(t, err)
		require.Equal(t, written, again.Marshal())
	})
}

func BenchmarkMarshal(b *testing.B) {
	e := recordtest.Example()
	b.ReportAllocs()
	for b.Loop() {
		e.Marshal()
	}
}

func BenchmarkUnmarshal(b *testing.B) {
	data := recordtest.Example().Marshal()
	b.ReportAllocs()
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		if _, err := record.Unmarshal(data); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSeal(b *testing.B) {
	e := recordtest.Example()
	b.ReportAllocs()
	for b.Loop() {
		e.Seal(1, record.Genesis)
	}
}

func BenchmarkAppendJSON(b *testing.B) {
	e := recordtest.Example()
	var buffer []byte
	b.ReportAllocs()
	for b.Loop() {
		var err error
		if buffer, err = e.AppendJSON(buffer[:0]); err != nil {
			b.Fatal(err)
		}
	}
}

func asJSON(t testing.TB, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	require.NoError(t, err)
	return string(b)
}
