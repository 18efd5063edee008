package record_test

import (
	"context"
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
	"github.com/vigil-cds/vigil/rules"
)

// The published schema is read by a protobuf implementation that shares no code with the codec.
func TestThePublishedSchemaReadsOurBytes(t *testing.T) {
	compiler := protocompile.Compiler{Resolver: &protocompile.SourceResolver{}}
	files, err := compiler.Compile(context.Background(), "explanation.proto")
	require.NoError(t, err)
	schema := files[0].Messages().ByName("Explanation")
	rng := rand.New(rand.NewPCG(7, 8))
	for range 250 {
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
