package rules

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vigil-cds/vigil/internal/clinical"
)

func coded(name string, codes ...clinical.Code) clinical.Attribute {
	return clinical.Attribute{Name: name, Codes: codes}
}

func numeric(name string, x float64) clinical.Attribute {
	return clinical.Attribute{Name: name, Numeric: true, Number: x}
}

func inputsOf(t testing.TB, yaml string, opts CompileOptions) (*Program, map[string]*Input) {
	t.Helper()
	p, err := Compile([]clinical.File{{Name: "p.yaml", Data: []byte("pack: p\ninputs:\n" + yaml)}}, opts)
	require.NoError(t, err)
	named := map[string]*Input{}
	for _, in := range p.Inputs {
		named[in.Name] = in
	}
	return p, named
}

func TestAFactBelongsWhenEveryConditionIsTrueOfIt(t *testing.T) {
	_, in := inputsOf(t, `
  any: {observation: any}
  mgdl: {observation: any, unit: mg/dL}
  celsius: {observation: any, unit: Cel}
  fever: {from: celsius, where: value >= 38.3}
  high: {from: mgdl, where: value > reference_high}
  final: {observation: any, where: "status in ['final', 'amended']"}
  vital: {observation: any, where: category == 'vital-signs'}
  whole: {observation: any, where: "category == 'http://snomed.info/sct|1'"}
  lab: {observation: any, where: category != 'vital-signs'}
  strong: {medication: any, where: "dose('mg') > 100"}
  refused: {medication: any, where: negated == 'true'}
  maybe: {medication: any, where: "(negated == 'true') ?? true"}
  absent: {observation: any, where: absent_reason == 'unknown'}
  group: {observation: any, value: code}
  diabetic: {observation: any, value: code, where: "value in ['44054006', 'snomed|73211009']"}
  smoker: {observation: any, value: boolean, where: value}
  note: {observation: any, value: text, where: value != 'none'}
`, CompileOptions{})
	num := func(unit string, attrs ...clinical.Attribute) clinical.Detail {
		return clinical.Detail{Type: clinical.Number, Unit: unit, Attributes: attrs}
	}
	below := num("g/L")
	below.Comparator = clinical.Below
	none := clinical.Detail{}
	with := func(attrs ...clinical.Attribute) clinical.Detail { return clinical.Detail{Attributes: attrs} }
	codes := func(c ...clinical.Code) clinical.Detail { return clinical.Detail{Type: clinical.Coded, Codes: c} }
	for i, c := range []struct {
		input  string
		number float64
		detail clinical.Detail
		want   any // nil: does not belong; "": belongs without a value
	}{
		{"any", 7, num("anything"), 7.0},
		{"any", 7, num(""), 7.0},
		{"any", 0, none, ""},
		{"any", 0, clinical.Detail{Type: clinical.Text, Text: "x"}, ""},
		{"any", 0, clinical.Detail{Type: clinical.AbsentValue}, nil},
		{"any", 7, num("", coded("negated", "true")), nil},
		{"any", 7, num("", coded("negated", "false")), 7.0},
		{"mgdl", 1, num("mg/dL"), 1.0},
		{"mgdl", 1, num("g/L"), 100.0},
		{"mgdl", 1, num(""), nil},
		{"mgdl", 1, num("mmol"), nil},
		{"mgdl", 1, num("no unit"), nil},
		{"mgdl", 0, none, ""},
		{"mgdl", 0, clinical.Detail{Type: clinical.Text, Unit: "x"}, ""},
		{"mgdl", 0.05, below, "<5"},
		{"celsius", 104, num("[degF]"), 40.0},
		{"fever", 101, num("[degF]"), 38.333333333333336},
		{"fever", 100, num("[degF]"), nil},
		{"fever", 38.3, num("Cel"), 38.3},
		{"fever", 0, none, nil},
		{"high", 2, num("g/L", numeric("reference_high", 1.5)), 200.0},
		{"high", 1, num("g/L", numeric("reference_high", 1.5)), nil},
		{"high", 1, num("g/L"), nil},
		{"final", 1, num("", coded("status", "amended")), 1.0},
		{"final", 1, num("", coded("status", "preliminary")), nil},
		{"final", 1, num(""), nil},
		{"vital", 0, with(coded("category", "local|x", "sys|vital-signs")), ""},
		{"vital", 0, with(coded("category", "local|x")), nil},
		{"vital", 0, with(numeric("category", 1)), nil},
		{"whole", 0, with(coded("category", "snomed|1")), ""},
		{"whole", 0, with(coded("category", "other|1")), nil},
		{"lab", 0, with(coded("category", "local|x", "sys|vital-signs")), nil},
		{"lab", 0, with(coded("category", "local|x")), ""},
		{"lab", 0, none, nil},
		{"strong", 0, with(numeric("dose", 200), coded("dose_unit", "mg")), ""},
		{"strong", 0, with(numeric("dose", 200), coded("dose_unit", "g")), ""},
		{"strong", 0, with(numeric("dose", 200), coded("dose_unit", "ug")), nil},
		{"strong", 0, with(numeric("dose", 200), coded("dose_unit", "mL")), nil},
		{"strong", 0, with(numeric("dose", 200), coded("dose_unit", "tablet")), nil},
		{"strong", 0, with(numeric("dose", 200)), nil},
		{"strong", 0, with(numeric("dose", 20), coded("dose_unit", "mg")), nil},
		{"strong", 0, with(coded("dose", "200"), coded("dose_unit", "mg")), nil},
		{"refused", 0, with(coded("negated", "true")), ""},
		{"refused", 0, none, nil},
		{"maybe", 0, with(coded("negated", "false")), nil},
		{"maybe", 0, none, ""},
		{"absent", 0, clinical.Detail{Type: clinical.AbsentValue, Attributes: []clinical.Attribute{coded("absent_reason", "unknown")}}, ""},
		{"absent", 0, clinical.Detail{Type: clinical.AbsentValue, Attributes: []clinical.Attribute{coded("absent_reason", "masked")}}, nil},
		{"group", 0, codes("snomed|112144000", "local|A"), "112144000"},
		{"group", 0, codes(), ""},
		{"diabetic", 0, codes("local|9", "snomed|73211009"), "9"},
		{"diabetic", 0, codes("other|73211009"), nil},
		{"diabetic", 0, codes("other|44054006"), "44054006"},
		{"diabetic", 0, none, nil},
		{"smoker", 1, clinical.Detail{Type: clinical.Boolean}, true},
		{"smoker", 0, clinical.Detail{Type: clinical.Boolean}, nil},
		{"note", 0, clinical.Detail{Type: clinical.Text, Text: "cold"}, "cold"},
		{"note", 0, clinical.Detail{Type: clinical.Text, Text: "none"}, nil},
	} {
		t.Run(fmt.Sprint(i, " ", c.input), func(t *testing.T) {
			v, ok := in[c.input].Accept(&clinical.Fact{Number: c.number, Detail: &c.detail})
			require.Equal(t, c.want != nil, ok)
			switch want := c.want.(type) {
			case nil:
				require.Equal(t, Value{}, v)
			case float64:
				require.Zero(t, Compare(want, v.Num), "%v", v)
				require.Equal(t, Number, v.Kind)
			case bool:
				require.Equal(t, BoolOf(want), v)
			case string:
				if want == "" {
					want = "–"
				}
				require.Equal(t, want, v.String())
			}
		})
	}
	plain := map[string]bool{}
	for name, in := range in {
		plain[name] = in.Plain()
	}
	for name, want := range map[string]bool{"any": true, "fever": false, "high": false, "final": true, "diabetic": true, "smoker": false, "note": true, "patient": true} {
		require.Equal(t, want, plain[name], name)
	}
}

func TestASitesOwnUnitSpellingsCount(t *testing.T) {
	p, in := inputsOf(t, "  k: {observation: any, unit: mmol/L}\n", CompileOptions{Units: map[string]string{"MILLIMOL": "mmol/L"}})
	v, ok := in["k"].Accept(&clinical.Fact{Number: 4, Detail: &clinical.Detail{Type: clinical.Number, Unit: "MILLIMOL"}})
	require.True(t, ok)
	require.Equal(t, NumberOf(4), v)
	require.Equal(t, "mmol/L", p.Units["MILLIMOL"])
}

func TestMassAmountAndEquivalentsConvertByTheSubstanceDeclared(t *testing.T) {
	_, in := inputsOf(t, `
  creatinine: {observation: any, unit: mg/dL, molar_mass: 113.12 g/mol}
  high: {from: creatinine, where: value > reference_high}
  calcium: {observation: any, unit: mmol/L, molar_mass: 40.078 mg/mmol, valence: 2}
  sodium: {observation: any, unit: mmol/L, valence: 1}
  undeclared: {observation: any, unit: mg/dL}
`, CompileOptions{})
	for _, c := range []struct {
		input  string
		number float64
		unit   string
		want   float64 // 0: does not belong
	}{
		{"creatinine", 1.2, "mg/dL", 1.2},
		{"creatinine", 88.4, "umol/L", 0.99998080},
		{"creatinine", 88.4, "UMOLL", 0.99998080},
		{"creatinine", 88.4, "µmol/l", 0.99998080},
		{"creatinine", 0.0884, "mmol/L", 0.99998080},
		{"creatinine", 2, "meq/L", 0},
		{"creatinine", 2, "mmol", 0},
		{"high", 88.4, "umol/L", 0},
		{"high", 106, "umol/L", 1.199072},
		{"calcium", 10, "mg/dL", 2.49513448774889},
		{"calcium", 5, "meq/L", 2.5},
		{"calcium", 5, "mEq/L", 2.5},
		{"sodium", 140, "meq/L", 140},
		{"sodium", 140, "mg/dL", 0},
		{"undeclared", 88.4, "umol/L", 0},
	} {
		v, ok := in[c.input].Accept(&clinical.Fact{Number: c.number, Detail: &clinical.Detail{Type: clinical.Number, Unit: c.unit, Attributes: []clinical.Attribute{numeric("reference_high", 100)}}})
		require.Equal(t, c.want != 0, ok, "%v", c)
		require.Zero(t, Compare(c.want, v.Num), "%v: %v", c, v)
	}
	require.Equal(t, "113.12 g/mol", in["high"].Substance.String())
}

func TestInputsOfAnotherSubstanceAreOthers(t *testing.T) {
	p, err := Compile([]clinical.File{
		{Name: "a.yaml", Data: []byte("pack: a\ninputs: {k: {observation: any, unit: mg/dL, molar_mass: 113.12 g/mol}}")},
		{Name: "b.yaml", Data: []byte("pack: b\ninputs: {k: {observation: any, unit: mg/dL, molar_mass: 0.11312 kg/mol}}")},
		{Name: "c.yaml", Data: []byte("pack: c\ninputs: {k: {observation: any, unit: mg/dL, molar_mass: 113 g/mol}}")},
		{Name: "d.yaml", Data: []byte("pack: d\ninputs: {k: {observation: any, unit: mg/dL}}")},
	}, CompileOptions{})
	require.NoError(t, err)
	require.Len(t, p.Inputs, 1+3)
}

func TestUnconvertibleNamesTheInputsThatWouldTakeTheFactButForItsUnit(t *testing.T) {
	p, in := inputsOf(t, `
  plain: {observation: ["loinc|1-1"]}
  mgdl: {observation: ["loinc|1-1"], unit: mg/dL}
  high: {observation: ["loinc|1-1"], unit: mg/dL, where: value > 3}
  final: {observation: ["loinc|1-1"], unit: mg/dL, where: status == 'final'}
  kg: {observation: ["loinc|1-1"], unit: kg}
  other: {observation: ["loinc|2-2"], unit: mg/dL}
`, CompileOptions{})
	fact := func(unit, status string) *clinical.Fact {
		return &clinical.Fact{Stream: clinical.NewStream(clinical.KindObservation, "loinc|1-1"),
			Detail: &clinical.Detail{Type: clinical.Number, Unit: unit, Attributes: []clinical.Attribute{coded("status", clinical.Code(status))}}}
	}
	ids := func(names ...string) (out []int32) {
		for _, name := range names {
			out = append(out, int32(in[name].ID))
		}
		return out
	}
	require.Equal(t, ids("mgdl", "high", "kg"), p.Unconvertible(fact("furlong", "draft")))
	require.Equal(t, ids("mgdl", "high", "final", "kg"), p.Unconvertible(fact("", "final")))
	require.Equal(t, ids("kg"), p.Unconvertible(fact("g/L", "final")))
	require.Empty(t, p.Unconvertible(&clinical.Fact{Stream: fact("", "").Stream, Detail: &clinical.Detail{Type: clinical.Text}}))
}

func TestTheMemoryForUnitsIsBounded(t *testing.T) {
	_, in := inputsOf(t, "  k: {observation: any, unit: mmol/L}\n", CompileOptions{})
	for i := range 3 * maxConversions {
		_, ok := in["k"].Accept(&clinical.Fact{Number: 1, Detail: &clinical.Detail{Type: clinical.Number, Unit: fmt.Sprintf("%d.mmol/L", i+2)}})
		require.True(t, ok)
	}
	require.Len(t, *in["k"].accept.unit.known.Load(), maxConversions)
	v, _ := in["k"].Accept(&clinical.Fact{Number: 1, Detail: &clinical.Detail{Type: clinical.Number, Unit: "150.mmol/L"}})
	require.Equal(t, 150.0, v.Num)
}

func TestValueSetsOfFilesAreFoundByNameIDAndURL(t *testing.T) {
	set := `{"resourceType":"Bundle","entry":[{"resource":{"resourceType":"ValueSet","id":"vs-1","name":"Statins","url":"https://example.org/vs","version":"2",
	 "compose":{"include":[{"system":"http://www.whocc.no/atc","concept":[{"code":"C10AA01"},{"code":"C10AA05"}]}]}}}]}`
	for _, name := range []string{"Statins", "vs-1", "https://example.org/vs", "https://example.org/vs|2"} {
		p, err := Compile([]clinical.File{{Name: "vs.json", Data: []byte(set)},
			{Name: "p.yaml", Data: []byte("pack: p\ninputs: {statin: {medication: {valueset: \"" + name + "\"}}}")}}, CompileOptions{})
		require.NoError(t, err)
		require.Equal(t, map[clinical.Code]struct{}{"atc|C10AA01": {}, "atc|C10AA05": {}}, p.Inputs[1].Codes)
	}
}

func TestTheLimitsAreFaultsToo(t *testing.T) {
	rule := func(when string) []byte {
		return []byte("pack: p\ninputs: {k: {observation: any}}\nrules:\n- {id: r, title: t, severity: info, source: s, when: " + when + "}\n")
	}
	deep := strings.Repeat("k.last() + (", MaxStack) + "1" + strings.Repeat(")", MaxStack) + " > 1"
	terms := make([]string, MaxTerms+1)
	for i := range terms {
		terms[i] = fmt.Sprintf("k.exists('%dh')", i+1)
	}
	nested := strings.Repeat("{all: [", MaxNesting+1) + "true" + strings.Repeat("]}", MaxNesting+1)
	for want, data := range map[string][]byte{
		"longer than":       rule(strings.Repeat("k.exists() or ", MaxExpression/14) + "k.exists()"),
		"parts":             rule("k.last() > 1" + strings.Repeat("+1", MaxNodes)),
		"nested too deeply": rule(deep),
		"questions":         rule(strings.Join(terms, " or ")),
		"nested more than":  rule(nested),
		"larger than":       make([]byte, MaxPack+1),
	} {
		_, err := Compile([]clinical.File{{Name: "p.yaml", Data: data}}, CompileOptions{})
		require.ErrorIs(t, err, ErrInvalid, want)
		require.ErrorContains(t, err, want)
	}
}

func TestAnInputSaysWhichValueSetItsCodesAreFrom(t *testing.T) {
	program, err := Compile([]clinical.File{
		{Name: "p.yaml", Data: []byte(`pack: p
valuesets:
  nsaids: ["rxnorm|5640"]
inputs:
  nsaid: {medication: {valueset: nsaids}}
  recent: {from: nsaid, where: status == 'active'}
  dialysis: {procedure: {valueset: "http://example.org/dialysis|2"}}
  listed: {procedure: ["snomed|1"]}
rules:
  - {id: r, title: r, severity: info, source: s, when: recent.exists() and nsaid.exists() and dialysis.exists() and listed.exists()}
`)},
		{Name: "d.json", Data: []byte(`{"resourceType":"ValueSet","url":"http://example.org/dialysis","name":"Dialysis","version":"2",
			"compose":{"include":[{"system":"http://snomed.info/sct","concept":[{"code":"302497006"}]}]}}`)},
	}, CompileOptions{})
	require.NoError(t, err)
	sets := map[string]*ValueSet{}
	for _, in := range program.Inputs {
		if len(in.ValueSets) > 0 {
			sets[in.Name] = in.ValueSets[0]
		}
	}
	require.Equal(t, "nsaids", sets["nsaid"].Name)
	require.Equal(t, sets["nsaid"], sets["recent"])
	digest := sha256.Sum256([]byte("snomed|302497006\n"))
	require.Equal(t, &ValueSet{Name: "Dialysis", URL: "http://example.org/dialysis", Version: "2", Codes: []clinical.Code{"snomed|302497006"},
		Digest: hex.EncodeToString(digest[:]), File: "d.json", Line: 1, UsedBy: []string{"p/dialysis"}}, sets["dialysis"])
	require.Equal(t, []*ValueSet{sets["dialysis"], sets["nsaid"]}, program.ValueSets)
	require.Nil(t, sets["listed"])
}
