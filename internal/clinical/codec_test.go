package clinical

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/bufbuild/protocompile"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"
)

func TestARecordSurvivesTheRoundTrip(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		want := randomRecord(rng)
		got, err := UnmarshalRecord(want.Marshal())
		require.NoError(t, err)
		require.Equal(t, want, got)
		require.Equal(t, want.Marshal(), got.Marshal())
	}
}

func TestADetailSurvivesTheRoundTrip(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for range 2000 {
		want := randomDetail(rng)
		b := want.AppendTo([]byte("kept"))
		require.Equal(t, "kept", string(b[:4]))
		got, err := UnmarshalDetail(b[4:])
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
}

func TestRepeatedStreamsAndDetailsAreWrittenOnce(t *testing.T) {
	record := func(facts int) *Record {
		r := &Record{Patient: "p", Assertions: []Assertion{{Resource: "Observation/1"}}}
		for i := range facts {
			r.Assertions[0].Facts = append(r.Assertions[0].Facts, Fact{
				Stream: NewStream(KindObservation, "loinc|2160-0"), Time: Instant(i + 1), End: Instant(i + 1),
				Number: 1.5, Detail: &Detail{Type: Number, Unit: "mg/dL"},
			})
		}
		return r
	}
	one, two := len(record(1).Marshal()), len(record(2).Marshal())
	require.LessOrEqual(t, two-one, 18, "a second fact costs two references, a time and a number")
	got, err := UnmarshalRecord(record(2).Marshal())
	require.NoError(t, err)
	require.Same(t, got.Assertions[0].Facts[0].Detail, got.Assertions[0].Facts[1].Detail)
}

func TestTablesMayStandBehindTheAssertions(t *testing.T) {
	want := &Record{Assertions: []Assertion{{Resource: "Condition/1", Facts: []Fact{{
		Stream: NewStream(KindCondition, "snomed|1"), Time: 1, End: Forever, Detail: &Detail{Unit: "u"}}}}}}
	var head, tail []byte
	b := want.Marshal()
	for len(b) > 0 {
		number, _, n := protowire.ConsumeField(b)
		if number == recordAssertions {
			head = append(head, b[:n]...)
		} else {
			tail = append(tail, b[:n]...)
		}
		b = b[n:]
	}
	got, err := UnmarshalRecord(append(head, tail...))
	require.NoError(t, err)
	require.Equal(t, want, got)
}

func TestUnknownFieldsAreSkipped(t *testing.T) {
	want := &Record{Patient: "p", Recorded: 5}
	b := protowire.AppendTag(want.Marshal(), 900, protowire.BytesType)
	b = protowire.AppendString(b, "from a later release")
	b = protowire.AppendFixed32(protowire.AppendTag(b, 901, protowire.Fixed32Type), 7)
	got, err := UnmarshalRecord(b)
	require.NoError(t, err)
	require.Equal(t, want, got)
}

func TestMalformedBytesAreRefused(t *testing.T) {
	fact := appendMessage(nil, assertionFacts, appendUnsigned(nil, factStream, 1))
	detail := appendMessage(nil, assertionFacts, appendUnsigned(nil, factDetail, math.MaxUint64))
	for name, b := range map[string][]byte{
		"cut inside a tag":            {0x80},
		"cut inside a string":         {0x0a, 5, 'a'},
		"field number zero":           {0x00, 0x00},
		"group without end":           {0x0b},
		"stream that is not there":    appendMessage(nil, recordAssertions, fact),
		"detail that is not there":    appendMessage(nil, recordAssertions, detail),
		"malformed inside a stream":   appendMessage(nil, recordStreams, []byte{0x12, 9}),
		"malformed inside a detail":   appendMessage(nil, recordDetails, []byte{0x3a, 2, 0x0a, 9}),
		"malformed inside activation": appendMessage(nil, recordActivation, []byte{0x12, 2, 0x0a, 9}),
	} {
		_, err := UnmarshalRecord(b)
		require.ErrorIs(t, err, ErrMalformedRecord, name)
	}
	_, err := UnmarshalDetail([]byte{0x22, 9})
	require.ErrorIs(t, err, ErrMalformedRecord)
}

// The published schema is read by a protobuf implementation that shares no code with the codec.
func TestThePublishedSchemaReadsOurBytes(t *testing.T) {
	compiler := protocompile.Compiler{Resolver: &protocompile.SourceResolver{}}
	files, err := compiler.Compile(context.Background(), "facts.proto")
	require.NoError(t, err)
	schema := files[0].Messages().ByName("Record")
	rng := rand.New(rand.NewPCG(5, 6))
	for range 500 {
		want := randomRecord(rng)
		b := want.Marshal()
		m := dynamicpb.NewMessage(schema)
		require.NoError(t, proto.Unmarshal(b, m))
		requireNoUnknown(t, m)
		require.Equal(t, want.Patient, field(m, "patient").String())
		require.Equal(t, int64(want.Recorded), field(m, "recorded").Int())
		require.Equal(t, want.EventOffset, field(m, "event_offset").Int())
		streams, details := field(m, "streams").List(), field(m, "details").List()
		assertions := field(m, "assertions").List()
		require.Equal(t, len(want.Assertions), assertions.Len())
		for i, a := range want.Assertions {
			am := assertions.Get(i).Message()
			require.Equal(t, a.Resource, field(am, "resource").String())
			require.Equal(t, a.Version.Number, field(am, "version_number").Int())
			for j, f := range a.Facts {
				fm := field(am, "facts").List().Get(j).Message()
				require.Equal(t, int64(f.Time), field(fm, "time").Int())
				require.Equal(t, f.End == Forever, field(fm, "ongoing").Bool())
				require.Equal(t, f.Number, field(fm, "number").Float())
				require.Equal(t, int64(f.Authored), field(fm, "authored").Int())
				sm := streams.Get(int(field(fm, "stream").Uint()) - 1).Message()
				require.Equal(t, uint64(f.Stream.Kind), field(sm, "kind").Uint())
				require.Equal(t, f.Stream.Codes, codesOf(sm))
				dm := details.Get(int(field(fm, "detail").Uint()) - 1).Message()
				require.Equal(t, int64(f.Detail.Comparator), field(dm, "comparator").Int())
				require.Equal(t, f.Detail.Codes, codesOf(dm))
				require.Equal(t, len(f.Detail.Attributes), field(dm, "attributes").List().Len())
			}
		}
		// And back: what that implementation writes, the codec reads.
		again, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
		require.NoError(t, err)
		got, err := UnmarshalRecord(again)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
}

func FuzzUnmarshalRecord(f *testing.F) {
	rng := rand.New(rand.NewPCG(7, 8))
	for range 20 {
		f.Add(randomRecord(rng).Marshal())
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := UnmarshalRecord(b)
		if err != nil {
			require.ErrorIs(t, err, ErrMalformedRecord)
			return
		}
		// Bytes are compared, since what others write may hold NaN.
		written := r.Marshal()
		again, err := UnmarshalRecord(written)
		require.NoError(t, err)
		require.Equal(t, written, again.Marshal())
	})
}

func BenchmarkUnmarshalRecordOfOneFact(b *testing.B) {
	data := (&Record{Patient: "p1", Recorded: 1700000000000, Assertions: []Assertion{{
		Resource: "Observation/1", Facts: []Fact{{
			Stream: NewStream(KindObservation, "loinc|8867-4"), Time: 1700000000000, End: 1700000000000, Number: 80,
			Detail: &Detail{Type: Number, Unit: "/min"}}}}}}).Marshal()
	b.ReportAllocs()
	for b.Loop() {
		if _, err := UnmarshalRecord(data); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkMarshalRecordOfOneFact(b *testing.B) {
	r := &Record{Patient: "p1", Recorded: 1700000000000, Assertions: []Assertion{{
		Resource: "Observation/1", Facts: []Fact{{
			Stream: NewStream(KindObservation, "loinc|8867-4"), Time: 1700000000000, End: 1700000000000, Number: 80,
			Detail: &Detail{Type: Number, Unit: "/min"}}}}}}
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		buf = r.AppendTo(buf[:0])
	}
}

func field(m protoreflect.Message, name protoreflect.Name) protoreflect.Value {
	return m.Get(m.Descriptor().Fields().ByName(name))
}

func codesOf(m protoreflect.Message) []Code {
	var codes []Code
	list := field(m, "codes").List()
	for i := range list.Len() {
		codes = append(codes, Code(list.Get(i).String()))
	}
	return codes
}

func requireNoUnknown(t *testing.T, m protoreflect.Message) {
	t.Helper()
	require.Empty(t, m.GetUnknown())
	m.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		switch {
		case fd.Message() == nil:
		case fd.IsList():
			for i := range v.List().Len() {
				requireNoUnknown(t, v.List().Get(i).Message())
			}
		default:
			requireNoUnknown(t, v.Message())
		}
		return true
	})
}

func randomRecord(rng *rand.Rand) *Record {
	r := &Record{Patient: pick(rng, "", "p1", "Zoë"), Recorded: randomInstant(rng), EventOffset: rng.Int64N(5) - 1}
	switch rng.IntN(10) {
	case 0:
		r.Tick = true
		return r
	case 1:
		r.Activation = &Activation{Hash: "h", Files: []File{{Name: "a.yaml", Data: []byte("x: 1")}, {Name: "empty"}}}
		return r
	case 2:
		r.Refusal = "invalid-json"
		return r
	}
	details := make([]*Detail, 1+rng.IntN(20))
	for i := range details {
		details[i] = randomDetail(rng)
	}
	for range 1 + rng.IntN(4) {
		a := Assertion{Resource: pick(rng, "Observation/1", "Condition/x"),
			Version: Version{Number: rng.Int64N(3), Updated: randomInstant(rng)}}
		for range rng.IntN(12) {
			f := Fact{Stream: NewStream(Kind(1+rng.IntN(12)), randomCodes(rng)...), Time: randomInstant(rng),
				Number: randomNumber(rng), Detail: details[rng.IntN(len(details))]}
			if len(f.Stream.Codes) == 0 {
				f.Stream.Codes = nil
			}
			f.End = f.Time
			if rng.IntN(2) == 0 {
				f.End = randomInstant(rng)
			}
			if rng.IntN(2) == 0 {
				f.Authored = randomInstant(rng)
			}
			a.Facts = append(a.Facts, f)
		}
		r.Assertions = append(r.Assertions, a)
	}
	return r
}

func randomDetail(rng *rand.Rand) *Detail {
	d := &Detail{Type: ValueType(rng.IntN(6)), Comparator: Comparator(rng.IntN(3) - 1),
		Precision: Precision(rng.IntN(6)), Unit: pick(rng, "", "mg/dL"), Text: pick(rng, "", "naïve"), Codes: randomCodes(rng)}
	for _, name := range []string{"category", "reference_low", "status"} {
		if rng.IntN(2) == 0 {
			d.Attributes = append(d.Attributes, Attribute{Name: name, Codes: randomCodes(rng),
				Number: randomNumber(rng), Numeric: rng.IntN(2) == 0})
		}
	}
	return d
}

func randomCodes(rng *rand.Rand) []Code {
	var codes []Code
	for range rng.IntN(3) {
		codes = append(codes, pick[Code](rng, "loinc|2160-0", "snomed|1", "final", "text|fever"))
	}
	slices.Sort(codes)
	return slices.Compact(codes)
}

func randomInstant(rng *rand.Rand) Instant {
	return pick(rng, 0, Forever, Never, -1, Instant(rng.Int64N(1<<41)), Instant(rng.Int64()))
}

func randomNumber(rng *rand.Rand) float64 {
	return pick(rng, 0, math.Copysign(0, -1), rng.NormFloat64(), math.MaxFloat64, 0.1, 120)
}

func pick[T any](rng *rand.Rand, from ...T) T { return from[rng.IntN(len(from))] }
