package record_test

import (
	"context"
	"encoding/json"
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/bufbuild/protocompile"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/vigil-cds/vigil/explain/record"
	"github.com/vigil-cds/vigil/explain/record/recordtest"
	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/rules"
)

func TestAnExplanationSurvivesTheRoundTrip(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for i := range 2000 {
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

// Whatever a field is changed to, the stored form, the JSON and the hash are others, and no two changes
// give the same.
func TestNoFieldIsForgotten(t *testing.T) {
	e := full(t)
	e.Seal(1, record.Genesis)
	met := map[string]string{string(e.Marshal()): "the whole", asJSON(t, e): "the whole"}
	eachChange(reflect.ValueOf(e).Elem(), "explanation", func(path string) {
		for _, form := range []string{string(e.Marshal()), asJSON(t, e)} {
			require.Empty(t, met[form], "%s: the same as", path)
			met[form] = path
		}
		require.ErrorIs(t, e.Check(), record.ErrAltered, path)
	})
	require.NoError(t, e.Check())
	require.Greater(t, len(met), 500)
}

func TestRandomExplanationsUseEveryField(t *testing.T) {
	used := map[string]bool{}
	var mark func(v reflect.Value)
	mark = func(v reflect.Value) {
		switch v.Kind() {
		case reflect.Pointer:
			if !v.IsNil() {
				mark(v.Elem())
			}
		case reflect.Slice:
			for i := range v.Len() {
				mark(v.Index(i))
			}
		case reflect.Struct:
			for i := range v.NumField() {
				if !v.Field(i).IsZero() {
					used[v.Type().Name()+"."+v.Type().Field(i).Name] = true
				}
				mark(v.Field(i))
			}
		}
	}
	rng := rand.New(rand.NewPCG(5, 6))
	for range 300 {
		mark(reflect.ValueOf(recordtest.Random(rng)))
	}
	for _, s := range structs(reflect.TypeFor[record.Explanation]()) {
		for i := range s.NumField() {
			require.True(t, used[s.Name()+"."+s.Field(i).Name], "%s.%s is never set", s.Name(), s.Field(i).Name)
		}
	}
}

// The published schema is read by a protobuf implementation that shares no code with the codec.
func TestThePublishedSchemaReadsOurBytes(t *testing.T) {
	compiler := protocompile.Compiler{Resolver: &protocompile.SourceResolver{}}
	files, err := compiler.Compile(context.Background(), "explanation.proto")
	require.NoError(t, err)
	schema := files[0].Messages().ByName("Explanation")
	rng := rand.New(rand.NewPCG(7, 8))
	for range 500 {
		want := recordtest.Random(rng)
		b := want.Marshal()
		m := dynamicpb.NewMessage(schema)
		require.NoError(t, proto.Unmarshal(b, m))
		requireSame(t, reflect.ValueOf(want).Elem(), m)
		again, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
		require.NoError(t, err)
		got, err := record.Unmarshal(again)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
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

func BenchmarkMarshalJSON(b *testing.B) {
	e := recordtest.Example()
	b.ReportAllocs()
	for b.Loop() {
		asJSON(b, e)
	}
}

func asJSON(t testing.TB, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	require.NoError(t, err)
	return string(b)
}

var (
	valueType   = reflect.TypeFor[record.Value]()
	instantType = reflect.TypeFor[record.Instant]()
)

// full has every pointer and list of every type, down to the kids' kids, and no zero anywhere.
func full(t *testing.T) *record.Explanation {
	e := &record.Explanation{}
	n := int64(0)
	var fill func(v reflect.Value, depth int)
	fill = func(v reflect.Value, depth int) {
		n++
		switch {
		case v.Type() == valueType:
			v.Set(reflect.ValueOf(number(float64(n))))
		case v.Kind() == reflect.Struct:
			for i := range v.NumField() {
				require.True(t, v.Type().Field(i).IsExported())
				fill(v.Field(i), depth)
			}
		case v.Kind() == reflect.Pointer:
			v.Set(reflect.New(v.Type().Elem()))
			fill(v.Elem(), depth)
		case v.Kind() == reflect.Slice:
			if v.Type().Elem() == reflect.TypeFor[record.Node]() {
				if depth++; depth > 2 {
					return
				}
			}
			v.Set(reflect.MakeSlice(v.Type(), 2, 2))
			fill(v.Index(0), depth)
			fill(v.Index(1), depth)
		case v.Kind() == reflect.String:
			v.SetString(strings.Repeat("x", int(n%100)+1))
		case v.Kind() == reflect.Bool:
			v.SetBool(true)
		case v.Kind() == reflect.Float64:
			v.SetFloat(float64(n))
		default:
			v.SetInt(n)
		}
	}
	fill(reflect.ValueOf(e).Elem(), 0)
	return e
}

// eachChange makes every change of one thing in v, one after the other, calls changed with it made, and
// takes it back.
func eachChange(v reflect.Value, path string, changed func(path string)) {
	was := reflect.New(v.Type()).Elem()
	was.Set(v)
	to := func(how string, x reflect.Value) {
		v.Set(x)
		changed(path + how)
		v.Set(was)
	}
	switch {
	case v.Type() == valueType:
		for _, x := range otherValues() {
			to(" as "+x.String(), reflect.ValueOf(x))
		}
	case v.Type() == instantType:
		to(" later", reflect.ValueOf(record.Instant(v.Int()+1_000_000)))
		to(" ongoing", reflect.ValueOf(record.Ongoing))
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			eachChange(v.Field(i), path+"."+v.Type().Field(i).Name, changed)
		}
	case v.Kind() == reflect.Pointer:
		to(" left out", reflect.Zero(v.Type()))
		if !v.IsNil() {
			eachChange(v.Elem(), path, changed)
		}
	case v.Kind() == reflect.Slice:
		if v.Len() > 0 {
			to(" without its last", v.Slice(0, v.Len()-1))
			to(" with its last twice", reflect.Append(v.Slice3(0, v.Len(), v.Len()), v.Index(v.Len()-1)))
		}
		for i := range v.Len() {
			eachChange(v.Index(i), path+"["+string(rune('0'+i))+"]", changed)
		}
	case v.Kind() == reflect.String:
		to(" longer", reflect.ValueOf(v.String()+"y").Convert(v.Type()))
		to(" empty", reflect.Zero(v.Type()))
	case v.Kind() == reflect.Bool:
		to(" otherwise", reflect.ValueOf(!v.Bool()))
	case v.Kind() == reflect.Float64:
		to(" more", reflect.ValueOf(v.Float()+0.5))
		to(" zero", reflect.Zero(v.Type()))
	default:
		to(" more", reflect.ValueOf(v.Int()+1_000_000).Convert(v.Type()))
		to(" zero", reflect.Zero(v.Type()))
		to(" negative", reflect.ValueOf(-1).Convert(v.Type()))
	}
}

func otherValues() []record.Value {
	return []record.Value{{}, number(-0.5), number(0), {Kind: rules.Number, Bound: clinical.Below}, {Kind: rules.Number, Bound: clinical.Above},
		record.Value(rules.BoolOf(true)), record.Value(rules.BoolOf(false)), record.Value(rules.TextOf("")), record.Value(rules.TextOf("no")),
		record.Value(rules.TimeOf(0)), record.Value(rules.TimeOf(1))}
}

// structs is every type that an explanation is made of, but for what is written as one thing.
func structs(of reflect.Type) []reflect.Type {
	var found []reflect.Type
	var visit func(s reflect.Type)
	visit = func(s reflect.Type) {
		for s.Kind() == reflect.Pointer || s.Kind() == reflect.Slice {
			s = s.Elem()
		}
		if s.Kind() != reflect.Struct || s == valueType {
			return
		}
		for _, f := range found {
			if f == s {
				return
			}
		}
		found = append(found, s)
		for i := range s.NumField() {
			visit(s.Field(i).Type)
		}
	}
	visit(of)
	return found
}

// requireSame compares a Go value with a message, field by field: they have the same fields, by their
// names in JSON, and the same in them.
func requireSame(t *testing.T, v reflect.Value, m protoreflect.Message) {
	t.Helper()
	require.Empty(t, m.GetUnknown())
	if v.Type() == valueType {
		requireSameValue(t, v.Interface().(record.Value), m)
		return
	}
	fields := m.Descriptor().Fields()
	require.Equal(t, v.NumField(), fields.Len(), "fields of %s", v.Type().Name())
	for i := range v.NumField() {
		name, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("json"), ",")
		fd := fields.ByJSONName(name)
		require.NotNil(t, fd, "%s.%s", v.Type().Name(), name)
		require.Equal(t, protowire.Number(i+1), fd.Number(), "%s.%s", v.Type().Name(), name)
		x := v.Field(i)
		if x.Kind() == reflect.Pointer {
			require.Equal(t, !x.IsNil(), m.Has(fd), name)
			if x.IsNil() {
				continue
			}
			x = x.Elem()
		}
		got := m.Get(fd)
		if x.Kind() == reflect.Slice {
			require.Equal(t, x.Len(), got.List().Len(), name)
			for j := range x.Len() {
				requireSameThing(t, x.Index(j), got.List().Get(j), name)
			}
			continue
		}
		if v.Type() == reflect.TypeFor[record.Node]() && name == "term" {
			require.Equal(t, x.Int()+1, got.Int())
			continue
		}
		requireSameThing(t, x, got, name)
	}
}

func requireSameThing(t *testing.T, x reflect.Value, got protoreflect.Value, name string) {
	t.Helper()
	switch x.Kind() {
	case reflect.Struct:
		requireSame(t, x, got.Message())
	case reflect.String:
		require.Equal(t, x.String(), got.String(), name)
	case reflect.Bool:
		require.Equal(t, x.Bool(), got.Bool(), name)
	case reflect.Float64:
		require.Equal(t, x.Float(), got.Float(), name)
	default:
		require.Equal(t, x.Int(), got.Int(), name)
	}
}

func requireSameValue(t *testing.T, v record.Value, m protoreflect.Message) {
	t.Helper()
	fields := m.Descriptor().Fields()
	set := m.WhichOneof(m.Descriptor().Oneofs().ByName("kind"))
	if v.IsZero() {
		require.Nil(t, set)
		return
	}
	require.NotNil(t, set)
	switch got := m.Get(set); v.Kind {
	case rules.Number:
		require.Equal(t, "number", string(set.Name()))
		require.Equal(t, v.Num, got.Float())
	case rules.Boolean:
		require.Equal(t, "boolean", string(set.Name()))
		require.Equal(t, v.Num != 0, got.Bool())
	case rules.Text:
		require.Equal(t, "text", string(set.Name()))
		require.Equal(t, v.Str, got.String())
	case rules.Time:
		require.Equal(t, "time", string(set.Name()))
		require.Equal(t, int64(v.Num), got.Int())
	}
	require.Equal(t, int64(v.Bound), m.Get(fields.ByName("bound")).Int())
}
