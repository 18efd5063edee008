package record_test

import (
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vigil-cds/vigil/explain/record"
	"github.com/vigil-cds/vigil/explain/record/recordtest"
	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/rules"
)

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
