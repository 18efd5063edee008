package rules

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vigil-cds/vigil/internal/clinical"
)

// valueSetFile writes a ValueSet resource: rest is what follows its url, such as a compose.
func valueSetFile(url, rest string) clinical.File {
	name := strings.NewReplacer("|", "-", "/", "-").Replace(url) + ".json"
	url, version, _ := strings.Cut(url, "|")
	head := fmt.Sprintf(`{"resourceType":"ValueSet","url":%q,`, url)
	if version != "" {
		head += fmt.Sprintf(`"version":%q,`, version)
	}
	return clinical.File{Name: name, Data: []byte(head + rest + "}")}
}

// naming is a pack whose one input takes its codes from the value set of this name.
func naming(name string) clinical.File {
	return clinical.File{Name: "p.yaml", Data: []byte(fmt.Sprintf("pack: p\ninputs:\n  it: {condition: {valueset: %q}}\n", name))}
}

func TestAValueSetHoldsWhatFHIRSaysItHolds(t *testing.T) {
	others := []clinical.File{
		valueSetFile("abc", `"compose":{"include":[{"system":"s","concept":[{"code":"a"},{"code":"b"},{"code":"c"}]}]}`),
		valueSetFile("bcd", `"compose":{"include":[{"system":"s","concept":[{"code":"b"},{"code":"c"},{"code":"d"}]},{"system":"t","concept":[{"code":"b"}]}]}`),
		valueSetFile("old|1", `"compose":{"include":[{"system":"s","concept":[{"code":"one"}]}]}`),
		valueSetFile("old|2", `"compose":{"include":[{"system":"s","concept":[{"code":"two"}]}]}`),
		valueSetFile("deep", `"compose":{"include":[{"valueSet":["abc"]},{"valueSet":["old|2"]}]}`),
	}
	for name, c := range map[string]struct{ definition, want string }{
		"an expansion": {`"expansion":{"total":2,"contains":[{"system":"s","code":"b"},{"system":"s","code":"a"}]}`, "s|a s|b"},
		"an expansion wins over its compose": {`"compose":{"include":[{"system":"s","filter":[{"property":"concept"}]}]},
			"expansion":{"contains":[{"system":"s","code":"a"}]}`, "s|a"},
		"codes in codes, without those that only group": {`"expansion":{"total":5,"contains":[{"system":"s","code":"g","abstract":true,"contains":[{"system":"s","code":"a"},
			{"contains":[{"system":"s","code":"b"}]}]},{"system":"s","code":"c","inactive":true}]}`, "s|a s|b s|c"},
		"an expansion as large as was asked for at most": {`"expansion":{"total":1,"parameter":[{"name":"count","valueInteger":1},{"name":"offset","valueInteger":0}],
			"contains":[{"system":"s","code":"a"}]}`, "s|a"},
		"an extension that says no": {`"expansion":{"extension":[{"url":"http://hl7.org/fhir/StructureDefinition/valueset-toocostly","valueBoolean":false}],
			"contains":[{"system":"s","code":"a"}]}`, "s|a"},
		"includes unite":             {`"compose":{"include":[{"system":"s","concept":[{"code":"b"}]},{"system":"t","concept":[{"code":"a"},{"code":"a"}]}]}`, "s|b t|a"},
		"a system after its codes":   {`"compose":{"include":[{"concept":[{"display":"A","code":"a"}],"system":"http://loinc.org"}]}`, "loinc|a"},
		"exclude subtracts":          {`"compose":{"include":[{"valueSet":["abc"]}],"exclude":[{"system":"s","concept":[{"code":"b"},{"code":"x"}]}]}`, "s|a s|c"},
		"exclude of a system":        {`"compose":{"include":[{"valueSet":["bcd"]}],"exclude":[{"system":"s"}]}`, "t|b"},
		"exclude of a value set":     {`"compose":{"include":[{"valueSet":["bcd"]}],"exclude":[{"valueSet":["abc"]}]}`, "s|d t|b"},
		"exclude where two meet":     {`"compose":{"include":[{"valueSet":["bcd"]}],"exclude":[{"valueSet":["abc"],"system":"s","concept":[{"code":"b"},{"code":"d"}]}]}`, "s|c s|d t|b"},
		"value sets intersect":       {`"compose":{"include":[{"valueSet":["abc","bcd"]}]}`, "s|b s|c"},
		"a system within value sets": {`"compose":{"include":[{"system":"t","valueSet":["bcd"]}]}`, "t|b"},
		"concepts within value sets": {`"compose":{"include":[{"system":"s","concept":[{"code":"a"},{"code":"b"}],"valueSet":["bcd"]}]}`, "s|b"},
		"a version of two":           {`"compose":{"include":[{"valueSet":["old|1"]}]}`, "s|one"},
		"sets of sets":               {`"compose":{"include":[{"valueSet":["deep"]}]}`, "s|a s|b s|c s|two"},
		"an empty filter is none":    {`"compose":{"include":[{"system":"s","filter":[],"concept":[{"code":"a"}]}]}`, "s|a"},
		"what is not read is free":   {`"status":"active","compose":{"lockedDate":"2024","include":[{"system":"s","version":"9","concept":[{"code":"a","designation":[{"value":"x"}]}]}]},"extension":[[{}],1]`, "s|a"},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := Compile(append(others, valueSetFile("it", c.definition), naming("it")), CompileOptions{})
			require.NoError(t, err)
			var got []string
			for _, code := range p.Inputs[1].ValueSets[0].Codes {
				got = append(got, string(code))
			}
			require.Equal(t, c.want, strings.Join(got, " "))
			require.Len(t, p.Inputs[1].Codes, len(got))
		})
	}
}

func TestAValueSetThatCannotBeWorkedOutIsAFaultAtItsPlace(t *testing.T) {
	for name, c := range map[string]struct{ definition, want string }{
		"a page, by its total":     {`"expansion":{"total":3,"contains":[{"system":"s","code":"a"}]}`, "it.json:1:51: the value set \"it\" holds only a page of its expansion (1 of 3); expand it whole"},
		"a page, by its offset":    {`"expansion":{"offset":1,"contains":[{"system":"s","code":"a"}]}`, "only a page"},
		"a page, by its parameter": {`"expansion":{"parameter":[{"name":"offset","valueInteger":1}],"contains":[{"system":"s","code":"a"}]}`, "only a page"},
		"a page, by its count":     {`"expansion":{"parameter":[{"name":"count","valueInteger":1}],"contains":[{"system":"s","code":"a"}]}`, "only a page"},
		"a page, by its next":      {`"expansion":{"next":"http://next","contains":[{"system":"s","code":"a"}]}`, "only a page"},
		"what matched a text":      {`"expansion":{"parameter":[{"name":"filter","valueString":"heart"}],"contains":[{"system":"s","code":"a"}]}`, "matched a text"},
		"limited":                  {`"expansion":{"parameter":[{"name":"limitedExpansion","valueBoolean":true}],"contains":[{"system":"s","code":"a"}]}`, "limited"},
		"too costly": {`"expansion":{"extension":[{"url":"http://hl7.org/fhir/StructureDefinition/valueset-toocostly","valueBoolean":true}],
			"contains":[{"system":"s","code":"a"}]}`, "too large for the server"},
		"unclosed": {`"expansion":{"extension":[{"url":"http://hl7.org/fhir/StructureDefinition/valueset-unclosed","valueBoolean":true}],
			"contains":[{"system":"s","code":"a"}]}`, "no end"},
		"a filter":                {`"compose":{"include":[{"system":"http://snomed.info/sct","filter":[{"property":"concept","op":"is-a","value":"1"}]}]}`, "it.json:1:105: the value set \"it\" has a filter, which takes the whole code system to work out; have a terminology server expand it"},
		"a filter in an exclude":  {`"compose":{"include":[{"valueSet":["other"]}],"exclude":[{"system":"s","filter":[{"op":"is-a"}]}]}`, "has a filter"},
		"the whole of a system":   {`"compose":{"include":[{"system":"http://loinc.org"}]}`, `takes the whole of "http://loinc.org"`},
		"an include of nothing":   {`"compose":{"include":[{}]}`, "neither a system nor a value set"},
		"concepts without system": {`"compose":{"include":[{"concept":[{"code":"a"}]}]}`, "without their system"},
		"a code without system":   {`"expansion":{"contains":[{"code":"a"}]}`, `it.json:1:64: the code "a" does not say its system`},
		"a concept without code":  {`"compose":{"include":[{"system":"s","concept":[{"display":"x"}]}]}`, "a concept has no code"},
		"nothing":                 {`"compose":{"include":[]}`, "holds no codes"},
		"nothing left":            {`"compose":{"include":[{"valueSet":["other"]}],"exclude":[{"system":"s"}]}`, "excludes all that it includes"},
		"import":                  {`"compose":{"import":["other"]}`, "DSTU2"},
		"itself":                  {`"compose":{"include":[{"valueSet":["it"]}]}`, `the value set "it" is made from itself: it includes "it"; break the circle`},
		"a circle":                {`"compose":{"include":[{"valueSet":["round"]}]}`, "made from itself"},
		"an unknown one":          {`"compose":{"include":[{"valueSet":["http://example.org/vs/nothing"]}]}`, `it.json:1:74: the value set "it" includes "http://example.org/vs/nothing", which is not in the rule set; add its FHIR file`},
		"one nearly known":        {`"compose":{"include":[{"valueSet":["othr"]}]}`, `did you mean "other"?`},
		"one of two versions":     {`"compose":{"include":[{"valueSet":["old"]}]}`, `includes "old", of which the rule set has 2; say which: "old|1" (old-1.json:1), "old|2" (old-2.json:1)`},
		"an unknown version":      {`"compose":{"include":[{"valueSet":["old|3"]}]}`, `did you mean "old|1"?`},
		"a list for an object":    {`"compose":[]`, "it.json:1:49: compose is an object in FHIR, and here is a list"},
		"an object for a list":    {`"compose":{"include":{"system":"s"}}`, "include is a list in FHIR, and here is an object"},
		"a number for a text":     {`"name":7,"compose":{"include":[{"valueSet":["other"]}]}`, "the name of a ValueSet is a text in FHIR, and here is a number"},
		"a text for a number":     {`"expansion":{"total":"3","contains":[{"system":"s","code":"a"}]}`, "a whole number in FHIR, and here is a text"},
		"a fraction":              {`"expansion":{"total":1.5,"contains":[{"system":"s","code":"a"}]}`, "a whole number"},
		"null for a boolean":      {`"expansion":{"contains":[{"system":"s","code":"a","abstract":null}]}`, "true or false in FHIR, and here is nothing"},
		"a field twice":           {`"version":"1","version":"2","compose":{"include":[{"valueSet":["other"]}]}`, `a ValueSet has "version" twice; keep one of the two`},
		"too deep":                {`"expansion":{"contains":` + strings.Repeat(`[{"contains":`, maxValueSetNesting+1) + `[]` + strings.Repeat(`}]`, maxValueSetNesting+1) + `}`, "contain codes more than"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Compile([]clinical.File{
				valueSetFile("it", c.definition), naming("it"),
				valueSetFile("other", `"compose":{"include":[{"system":"s","concept":[{"code":"a"}]}]}`),
				valueSetFile("round", `"compose":{"include":[{"valueSet":["it"]},{"valueSet":["other"]}]}`),
				valueSetFile("old|1", `"compose":{"include":[{"system":"s","concept":[{"code":"one"}]}]}`),
				valueSetFile("old|2", `"compose":{"include":[{"system":"s","concept":[{"code":"two"}]}]}`),
			}, CompileOptions{})
			var faults Faults
			require.ErrorAs(t, err, &faults)
			require.Contains(t, err.Error(), c.want)
			for _, f := range faults {
				require.NotEqual(t, "p.yaml", f.File, "the pack is not to blame: %v", f)
			}
		})
	}
}

func TestAFileThatIsNoCollectionOfValueSetsIsAFault(t *testing.T) {
	const set = `{"resourceType":"ValueSet","name":"x","compose":{"include":[{"system":"s","concept":[{"code":"a"}]}]}}`
	for data, want := range map[string]string{
		`[]`:                                     `the resource is "", not a ValueSet`,
		`{"resourceType":"Patient","name":[{}]}`: `the resource is "Patient"`,
		set + set:                                "not a FHIR resource in JSON: invalid character '{' after top-level value",
		"{\n \"resourceType\": \"ValueSet\",\n \"name\": x}":                                                                                         "v.json:3:10: not a FHIR resource",
		`{"resourceType":"Bundle","type":"history","entry":[{"resource":` + set + `}]}`:                                                              `a Bundle of type "history"`,
		`{"resourceType":"Bundle","type":"transaction","entry":[{"request":{"method":"DELETE"}},{"resource":` + set + `}]}`:                          "entry 1 of the Bundle has no resource",
		`{"resourceType":"Bundle","type":"searchset","link":[{"relation":"self"},{"relation":"next","url":"x"}],"entry":[{"resource":` + set + `}]}`: "only a page",
		`{"resourceType":"Bundle","type":"collection","entry":[{"resource":{"resourceType":"Patient"}}]}`:                                            `entry 1 of the Bundle is "Patient"`,
	} {
		_, err := Compile([]clinical.File{{Name: "v.json", Data: []byte(data)}, {Name: "p.yaml", Data: []byte("pack: p\n")}}, CompileOptions{})
		require.ErrorIs(t, err, ErrInvalid, data)
		require.ErrorContains(t, err, want)
	}
	for _, kind := range bundleTypes {
		data := `{"entry":[{"fullUrl":"x","resource":` + set + `},{"resource":{"resourceType":"OperationOutcome"},"search":{"mode":"outcome"}}],"type":"` + kind + `","resourceType":"Bundle"}`
		p, err := Compile([]clinical.File{{Name: "v.json", Data: []byte("\ufeff" + data)}, naming("x")}, CompileOptions{})
		require.NoError(t, err)
		require.Equal(t, []clinical.Code{"s|a"}, p.ValueSets[0].Codes)
	}
}

func TestANameThatSeveralValueSetsHaveIsAFaultWhereItIsUsed(t *testing.T) {
	codes := func(code string) string {
		return `"name":"Statins","id":"` + code + `","compose":{"include":[{"system":"s","concept":[{"code":"` + code + `"}]}]}`
	}
	files := []clinical.File{valueSetFile("u|1", codes("a")), valueSetFile("u|2", codes("b")), valueSetFile("v", codes("c")),
		{Name: "again.json", Data: valueSetFile("u|1", codes("a")).Data}}
	for name, want := range map[string]string{
		"u|1": "s|a", "u|2": "s|b", "v": "s|c", "c": "s|c", "a": "s|a", "b": "s|b",
		"u":       `p.yaml:3:30: 2 value sets are called "u"; name one of them: "u|1" (again.json:1), "u|2" (u-2.json:1)`,
		"Statins": `3 value sets are called "Statins"; name one of them: "u|1" (again.json:1), "u|2" (u-2.json:1), "v" (v.json:1)`,
		"u|3":     `unknown value set "u|3"; did you mean "u|1"?`,
		"Statin":  `unknown value set "Statin"; did you mean "Statins"?`,
	} {
		p, err := Compile(append(files, naming(name)), CompileOptions{})
		if err != nil {
			require.ErrorContains(t, err, want)
			continue
		}
		require.Equal(t, want, string(p.Inputs[1].ValueSets[0].Codes[0]))
		require.Len(t, p.ValueSets, 3, "the one that is there twice counts once")
	}
	files[3].Data = valueSetFile("u|1", codes("x")).Data
	_, err := Compile(append(files, naming("u|1")), CompileOptions{})
	require.ErrorContains(t, err, `u-1.json:1:1: the value set "u|1" is in the rule set twice, with different codes; keep one of the two, or give it a version of its own; the other is again.json:1`)
}

func TestAValueSetThatCannotBeUsedHindersOnlyThoseThatUseIt(t *testing.T) {
	files := func(name string) []clinical.File {
		return []clinical.File{
			{Name: "measure.json", Data: []byte(`{"resourceType":"Bundle","type":"transaction","entry":[{"resource":{"resourceType":"Measure"}},{"resource":{"resourceType":"Library"}},
				{"resource":{"resourceType":"ValueSet","name":"page","url":"page","expansion":{"total":9,"contains":[{"system":"s","code":"a"}]}}},
				{"resource":{"resourceType":"ValueSet","name":"filtered","compose":{"include":[{"system":"s","filter":[{"op":"is-a"}]}]}}},
				{"resource":{"resourceType":"ValueSet","name":"outer","compose":{"include":[{"valueSet":["page"]}]}}},
				{"resource":{"resourceType":"ValueSet","name":"whole","expansion":{"contains":[{"system":"s","code":"b"}]}}}]}`)},
			naming(name)}
	}
	p, err := Compile(files("whole"), CompileOptions{})
	require.NoError(t, err)
	require.Len(t, p.ValueSets, 1, "those that can be used")
	for name, want := range map[string]string{
		"page":     `measure.json:2:83: the value set "page" holds only a page`,
		"outer":    `measure.json:2:83: the value set "page" holds only a page`,
		"filtered": `measure.json:3:107: the value set "filtered" has a filter`,
	} {
		_, err := Compile(files(name), CompileOptions{})
		require.ErrorContains(t, err, want)
		var faults Faults
		require.ErrorAs(t, err, &faults)
		require.Len(t, faults, 1, "what nothing uses is not reported")
	}
}

func TestTheRuleSetsHashPinsEveryValueSet(t *testing.T) {
	definition := func(version, code string) []clinical.File {
		return []clinical.File{valueSetFile("u|"+version, `"name":"it","compose":{"include":[{"system":"s","concept":[{"code":"`+code+`"}]}]}`), naming("it")}
	}
	hashes, digests := map[string]bool{}, map[string]bool{}
	for _, files := range [][]clinical.File{definition("1", "a"), definition("2", "a"), definition("1", "b")} {
		files[0].Name = "v.json"
		p, err := Compile(files, CompileOptions{})
		require.NoError(t, err)
		hashes[p.Hash], digests[p.ValueSets[0].Digest] = true, true
	}
	require.Len(t, hashes, 3)
	require.Len(t, digests, 2)
}

func TestAnInputAddsUpSeveralValueSetsAndCodes(t *testing.T) {
	p, err := Compile([]clinical.File{
		valueSetFile("one", `"name":"One","compose":{"include":[{"system":"s","concept":[{"code":"a"},{"code":"b"}]}]}`),
		{Name: "p.yaml", Data: []byte(`pack: p
valuesets: {own: ["s|b", "s|c"]}
inputs:
  x: {condition: {valueset: [One, own], codes: "s|d"}}
  y: {condition: {valueset: own, codes: ["s|e"]}}
`)},
	}, CompileOptions{})
	require.NoError(t, err)
	x, y := p.Inputs[1], p.Inputs[2]
	require.Equal(t, map[clinical.Code]struct{}{"s|a": {}, "s|b": {}, "s|c": {}, "s|d": {}}, x.Codes)
	require.Equal(t, []*ValueSet{p.ValueSets[0], p.ValueSets[1]}, x.ValueSets)
	require.Equal(t, map[clinical.Code]struct{}{"s|b": {}, "s|c": {}, "s|e": {}}, y.Codes)
	require.Equal(t, []string{"p/x", "p/y"}, p.ValueSets[1].UsedBy)
}

func TestAValueSetTellsWhoUsesIt(t *testing.T) {
	p, err := Compile([]clinical.File{
		valueSetFile("inner", `"compose":{"include":[{"system":"s","concept":[{"code":"a"}]}]}`),
		valueSetFile("outer", `"compose":{"include":[{"valueSet":["inner"]}]}`),
		{Name: "p.yaml", Data: []byte("pack: p\nvaluesets: {own: [\"s|b\"], idle: [\"s|c\"]}\ninputs:\n  x: {condition: {valueset: outer}}\n  y: {condition: {valueset: own}}\n  z: {procedure: {valueset: outer}}\n")},
	}, CompileOptions{})
	require.NoError(t, err)
	used := map[string][]string{}
	for _, s := range p.ValueSets {
		used[s.Name] = s.UsedBy
	}
	require.Equal(t, map[string][]string{"inner": {"outer"}, "outer": {"p/x", "p/z"}, "own": {"p/y"}, "idle": nil}, used)
}

func TestTheSizeOfValueSetsIsBounded(t *testing.T) {
	const three = `"compose":{"include":[{"system":"s","concept":[{"code":"a"},{"code":"b"},{"code":"c"}]}]}`
	faults := func(limits valueSetLimits) string {
		var r report
		var sets []*fhirValueSet
		for _, f := range []clinical.File{valueSetFile("base", three), valueSetFile("copy", `"compose":{"include":[{"valueSet":["base"]},{"valueSet":["base"]},{"valueSet":["base"]}]}`)} {
			sets = append(sets, readValueSets(f.Name, f.Data, &r)...)
		}
		l := newValueSetLibrary(sets, limits, &r)
		for _, s := range sets {
			l.demand(s)
		}
		return fmt.Sprint(r.err())
	}
	require.Equal(t, "<nil>", faults(valueSetLimits{3, 6}))
	require.Contains(t, faults(valueSetLimits{2, 6}), `base.json:1:1: the value set "base" holds 3 codes, more than 2`)
	require.Contains(t, faults(valueSetLimits{3, 5}), `copy.json:1:1: the value sets of the rule set hold more than 5 codes together`)

	_, err := Compile([]clinical.File{{Name: "v.json", Data: make([]byte, MaxValueSet+1)}}, CompileOptions{})
	require.ErrorContains(t, err, "larger than")
	wrong := valueSetFile("w", `"expansion":{"contains":[`+strings.Repeat(`{"code":"x"},`, 1000)+`{}]}`)
	_, err = Compile([]clinical.File{wrong}, CompileOptions{})
	var many Faults
	require.ErrorAs(t, err, &many)
	require.Len(t, many, maxFileFaults+1)
	require.Contains(t, many[maxFileFaults].Problem, "more faults")
}

// FuzzValueSets holds the reader of value sets to its promise: value sets with codes, or faults that say
// where; never a panic.
func FuzzValueSets(f *testing.F) {
	for _, file := range readFiles(f, glob(f, "testdata/faults/*/*.json")...) {
		f.Add(string(file.Data))
	}
	f.Add(string(valueSetFile("u|1", `"compose":{"include":[{"valueSet":["u|1","u"]}],"exclude":[{"system":"s"}]}`).Data))
	f.Add(string(valueSetFile("u|1", `"expansion":{"total":2,"parameter":[{"name":"count","valueInteger":2}],"contains":[{"contains":[{"system":"s","code":"a"}]}]}`).Data))
	f.Add(`{"type":"searchset","link":[{"relation":"next"}],"entry":[{"resource":{"url":"a","resourceType":"ValueSet","compose":{"include":[{"valueSet":["b"]}]}}},{"resource":{"resourceType":"ValueSet","url":"b","compose":{"include":[{"valueSet":["a"]}]}}}],"resourceType":"Bundle"}`)
	f.Fuzz(func(t *testing.T, data string) {
		p, err := Compile([]clinical.File{{Name: "v.json", Data: []byte(data)}}, CompileOptions{})
		var faults Faults
		if (p == nil) != errors.As(err, &faults) {
			t.Fatalf("%v, %v", p, err)
		}
		for _, fault := range faults {
			if fault.Line < 1 || fault.Col < 1 || fault.Problem == "" {
				t.Fatalf("a fault without a place or a reason: %+v", fault)
			}
		}
		if p == nil {
			return
		}
		for _, set := range p.ValueSets {
			if len(set.Codes) == 0 || set.Digest == "" || set.Line < 1 {
				t.Fatalf("a value set without codes, digest or place: %+v", set)
			}
		}
	})
}
