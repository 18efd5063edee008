package record_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"maps"
	"math/rand/v2"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"

	"github.com/vigil-cds/vigil/explain/record"
	"github.com/vigil-cds/vigil/explain/record/recordtest"
)

var update = flag.Bool("update", false, "write testdata/example.json anew")

func TestTheExampleIsWrittenAsItAlwaysWas(t *testing.T) {
	const file = "testdata/example.json"
	var now bytes.Buffer
	require.NoError(t, json.Indent(&now, []byte(asJSON(t, recordtest.Example())), "", "  "))
	now.WriteByte('\n')
	if *update {
		require.NoError(t, os.WriteFile(file, now.Bytes(), 0o644))
	}
	kept, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, string(kept), now.String(), "explanations that are kept would no longer verify: see record.Schema")
	requireValid(t, schema(t, "Explanation"), string(kept))
	e := &record.Explanation{}
	require.NoError(t, json.Unmarshal(kept, e))
	require.NoError(t, e.Check())
}

func TestWhatIsWrittenIsAsTheSchemaSays(t *testing.T) {
	rng := rand.New(rand.NewPCG(11, 12))
	explanation, difference := schema(t, "Explanation"), schema(t, "Difference")
	kinds := []string{"rule", "atom", "term", "entered", "left", "added", "retracted"}
	for range 300 {
		x, y := recordtest.Random(rng), recordtest.Random(rng)
		requireValid(t, explanation, asJSON(t, x))
		d := record.Difference{Earlier: *x, Later: *y}
		for _, what := range kinds[:rng.IntN(len(kinds)+1)] {
			delta := record.Delta{What: what, Source: x.Tree.Source, Before: x.Tree.Value, After: y.Tree.Value}
			if len(y.Facts) > 0 {
				delta.Fact = &y.Facts[0]
			}
			d.Changes = append(d.Changes, delta)
		}
		requireValid(t, difference, asJSON(t, d))
	}
	for _, e := range []*record.Explanation{recordtest.Unknown(), recordtest.False(), {Schema: record.Schema, Kind: record.Answer,
		Rule: record.Rule{Severity: "info"}, Truth: record.True, Tree: &record.Node{}, Known: record.Known{Position: "f0.0"}}} {
		requireValid(t, explanation, asJSON(t, e))
	}
}

func TestWhatIsOtherwiseIsNotAsTheSchemaSays(t *testing.T) {
	explanation := schema(t, "Explanation")
	whole := asJSON(t, recordtest.Example())
	for was, is := range map[string]string{
		`"kind":"fired"`:                  `"kind":"heated"`,
		`"truth":"true"`:                  `"truth":true`,
		`"schema":1`:                      `"schema":2`,
		`"precision":"month"`:             `"precision":"fortnight"`,
		`"at":"2026-05-06T13:02:00.412Z"`: `"at":"2026-05-06T13:02:00.412+00:00"`,
		`"position":"f3.812"`:             `"position":"812"`,
		`"suffices":[1,4]`:                `"suffices":[1,-4]`,
		`"comparator":"\u003e"`:           `"comparator":"\u003e="`,
		`"title":`:                        `"subtitle":`,
		`"terms":`:                        `"terms":null,"note":`,
	} {
		changed := strings.Replace(whole, was, is, 1)
		require.NotEqual(t, whole, changed, was)
		require.Error(t, validate(t, explanation, changed), is)
	}
}

func TestTheSchemaHasTheFieldsOfTheTypes(t *testing.T) {
	var document struct {
		Defs map[string]struct {
			Description string
			Type        any
			Required    []string
			Properties  map[string]struct{ Description string }
		} `json:"$defs"`
	}
	require.NoError(t, json.Unmarshal(record.SchemaJSON, &document))
	types := append(structs(reflect.TypeFor[record.Difference]()), valueType)
	for _, s := range types {
		def, ok := document.Defs[s.Name()]
		require.True(t, ok, s.Name())
		if s == valueType {
			continue
		}
		var names, required []string
		for i := range s.NumField() {
			name, options, _ := strings.Cut(s.Field(i).Tag.Get("json"), ",")
			names = append(names, name)
			if options == "" {
				required = append(required, name)
			}
		}
		require.ElementsMatch(t, names, slices.Collect(maps.Keys(def.Properties)), s.Name())
		require.ElementsMatch(t, required, def.Required, s.Name())
	}
	for _, name := range []string{"Instant", "Ending", "Truth", "Place", "Position", "Digest"} {
		require.NotEmpty(t, document.Defs[name].Description, name)
		delete(document.Defs, name)
	}
	require.Len(t, document.Defs, len(types), "a definition without a type")
}

func schema(t *testing.T, name string) *jsonschema.Schema {
	t.Helper()
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(record.SchemaJSON))
	require.NoError(t, err)
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	require.NoError(t, c.AddResource("urn:vigil:explanation:1", document))
	whole, err := c.Compile("urn:vigil:explanation:1")
	require.NoError(t, err)
	if name == "Explanation" {
		return whole
	}
	part, err := c.Compile("urn:vigil:explanation:1#/$defs/" + name)
	require.NoError(t, err)
	return part
}

func validate(t *testing.T, s *jsonschema.Schema, text string) error {
	t.Helper()
	document, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	require.NoError(t, err)
	return s.Validate(document)
}

func requireValid(t *testing.T, s *jsonschema.Schema, text string) {
	t.Helper()
	require.NoError(t, validate(t, s, text))
}
