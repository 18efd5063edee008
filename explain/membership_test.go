package explain

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/rules"
)

func TestAFactBelongsToAnInput(t *testing.T) {
	numeric := func(unit string, attributes ...clinical.Attribute) *clinical.Detail {
		return &clinical.Detail{Type: clinical.Number, Unit: unit, Attributes: attributes}
	}
	negated, absent := token("negated", "true"), token("absent_reason", "unknown")
	is := func(name, text string) rules.Expr { return apply(codings(name), "==", constant(text)) }
	status := token("status", "final")
	site := &rules.Program{Units: map[string]string{"milligrams": "mg/dL"}}
	category := token("category", "local|labs", "http://hl7.org/cat|laboratory")

	cases := []struct {
		name    string
		input   *rules.Input
		fact    clinical.Fact
		belongs bool
		value   any
	}{
		{name: "kind and one of its codings are the input's", input: creatinineInput(),
			fact: result(noon, 1.2), belongs: true, value: 1.2},
		{name: "another kind with the same code", input: creatinineInput(),
			fact: clinical.Fact{Stream: clinical.NewStream(clinical.KindReport, "loinc|2160-0"), Detail: numeric("mg/dL")}},
		{name: "no coding in common", input: creatinineInput(),
			fact: clinical.Fact{Stream: clinical.NewStream(clinical.KindObservation, "local|CREA"), Detail: numeric("mg/dL")}},
		{name: "an input without codes takes every code of its kind", input: &rules.Input{Kind: clinical.KindObservation, Type: clinical.Number},
			fact: result(noon, 1.2), belongs: true, value: 1.2},
		{name: "an input without codes takes no other kind", input: &rules.Input{Kind: clinical.KindCondition, Type: clinical.Number},
			fact: result(noon, 1.2)},

		{name: "negated", input: creatinineInput(), fact: observation(noon, 1, numeric("mg/dL", negated))},
		{name: "negated, and where asks for it", input: creatinineInput(is("negated", "true")),
			fact: observation(noon, 1, numeric("mg/dL", negated)), belongs: true, value: 1},
		{name: "negated, and where asks for it deep inside",
			input: creatinineInput(not(apply(is("status", "draft"), "and", is("negated", "true")))),
			fact:  observation(noon, 1, numeric("mg/dL", negated, status)), belongs: true, value: 1},
		{name: "negated, and where asks for absent_reason only", input: creatinineInput(apply(is("absent_reason", "unknown"), "??", constant(true))),
			fact: observation(noon, 1, numeric("mg/dL", negated))},
		{name: "value absent", input: creatinineInput(),
			fact: observation(noon, 0, &clinical.Detail{Type: clinical.AbsentValue, Attributes: []clinical.Attribute{absent}})},
		{name: "value absent, and where asks for absent_reason", input: creatinineInput(is("absent_reason", "unknown")),
			fact:    observation(noon, 0, &clinical.Detail{Type: clinical.AbsentValue, Attributes: []clinical.Attribute{absent}}),
			belongs: true},

		{name: "every condition is true", input: creatinineInput(is("status", "final"), apply(attribute("value"), ">=", constant(1))),
			fact: observation(noon, 1, numeric("mg/dL", status)), belongs: true, value: 1},
		{name: "a condition of the input it is made from is false", input: creatinineInput(is("status", "amended"), apply(attribute("value"), ">=", constant(1))),
			fact: observation(noon, 1, numeric("mg/dL", status))},
		{name: "unknown is not enough", input: creatinineInput(is("method", "x")), fact: result(noon, 1)},
		{name: "the negation of unknown is not enough either", input: creatinineInput(not(is("method", "x"))), fact: result(noon, 1)},
		{name: "value is in the input's unit", input: creatinineInput(apply(attribute("value"), ">=", constant(1.5))),
			fact: observation(noon, 20, numeric("mg/L")), belongs: true, value: 2},
		{name: "value compares as decimals do", input: creatinineInput(apply(attribute("value"), ">=", apply(constant(1.2), "-", constant(0.9)))),
			fact: result(noon, 0.3), belongs: true, value: 0.3},
		{name: "a bounded value compares as far as it is known", input: creatinineInput(apply(attribute("value"), "<", constant(6))),
			fact: result(noon, 5, clinical.Below), belongs: true, value: "<5"},
		{name: "a bounded value whose comparison is unknown", input: creatinineInput(apply(attribute("value"), "<", constant(4))),
			fact: result(noon, 5, clinical.Below)},
		{name: "a number attribute is a number", input: creatinineInput(apply(attribute("value"), ">", attribute("reference_high"))),
			fact: observation(noon, 1.4, numeric("mg/dL", figure("reference_high", 1.3))), belongs: true, value: 1.4},
		{name: "a reference limit is converted as the value is", input: creatinineInput(apply(attribute("value"), ">", attribute("reference_high"))),
			fact: observation(noon, 14, numeric("mg/L", figure("reference_high", 13))), belongs: true, value: 1.4},
		{name: "a reference limit is in the input's unit", input: creatinineInput(apply(attribute("reference_low"), "==", constant(0.6))),
			fact: observation(noon, 14, numeric("mg/L", figure("reference_low", 6))), belongs: true, value: 1.4},
		{name: "a reference limit beside no number is as sent", input: creatinineInput(apply(attribute("reference_low"), "==", constant(6))),
			fact: observation(noon, 0, &clinical.Detail{Attributes: []clinical.Attribute{figure("reference_low", 6)}}), belongs: true},
		{name: "other numbers are as sent", input: creatinineInput(apply(attribute("dose"), "==", constant(13))),
			fact: observation(noon, 14, numeric("mg/L", figure("dose", 13))), belongs: true, value: 1.4},
		{name: "a coded property where a number is asked for is missing", input: creatinineInput(apply(apply(attribute("dose"), "??", constant(1)), "==", constant(1))),
			fact: observation(noon, 1, numeric("mg/dL", token("dose", "x"))), belongs: true, value: 1},
		{name: "a number where a coded property is asked for is missing", input: creatinineInput(not(is("dose", "13"))),
			fact: observation(noon, 1, numeric("mg/dL", figure("dose", 13)))},
		{name: "in a list, of a property that the fact does not have",
			input: creatinineInput(not(&rules.In{X: codings("category"), List: []rules.Value{value("laboratory")}})), fact: result(noon, 1)},
		{name: "any of its codings may match, by code", input: creatinineInput(is("category", "laboratory")),
			fact: observation(noon, 1, numeric("mg/dL", category)), belongs: true, value: 1},
		{name: "any of its codings may match, whole", input: creatinineInput(is("category", "local|labs")),
			fact: observation(noon, 1, numeric("mg/dL", category)), belongs: true, value: 1},
		{name: "another system's code is another", input: creatinineInput(is("category", "local|laboratory")),
			fact: observation(noon, 1, numeric("mg/dL", category))},
		{name: "not equal means that none matches", input: creatinineInput(apply(codings("category"), "!=", constant("laboratory"))),
			fact: observation(noon, 1, numeric("mg/dL", category))},
		{name: "a text stands on either side", input: creatinineInput(apply(constant("laboratory"), "==", codings("category"))),
			fact: observation(noon, 1, numeric("mg/dL", category)), belongs: true, value: 1},
		{name: "in a list, any of its codings",
			input: creatinineInput(&rules.In{X: codings("category"), List: []rules.Value{value("vital-signs"), value("laboratory")}}),
			fact:  observation(noon, 1, numeric("mg/dL", category)), belongs: true, value: 1},
		{name: "in a list that has none of them",
			input: creatinineInput(&rules.In{X: codings("category"), List: []rules.Value{value("vital-signs")}}),
			fact:  observation(noon, 1, numeric("mg/dL", category))},

		{name: "a number without a unit is not guessed", input: creatinineInput(), fact: observation(noon, 1, numeric(""))},
		{name: "a unit that measures something else", input: creatinineInput(), fact: observation(noon, 88, numeric("umol/L"))},
		{name: "a unit that is none", input: creatinineInput(), fact: observation(noon, 1, numeric("no such unit"))},
		{name: "a unit as the site spells it", input: creatinineInput(), fact: observation(noon, 1, numeric("milligrams")), belongs: true, value: 1},
		{name: "an input without a unit takes numbers as they are", input: &rules.Input{Kind: clinical.KindObservation, Type: clinical.Number},
			fact: observation(noon, 88, numeric("no such unit")), belongs: true, value: 88},
		{name: "a fact that carries no number has no unit to convert", input: creatinineInput(),
			fact: observation(noon, 0, &clinical.Detail{}), belongs: true},
		{name: "a fact without any detail", input: creatinineInput(), fact: observation(noon, 0, nil), belongs: true},

		{name: "a code where numbers are wanted has no value", input: creatinineInput(),
			fact: observation(noon, 0, &clinical.Detail{Type: clinical.Coded, Codes: []clinical.Code{"snomed|1"}}), belongs: true},
		{name: "a number where codes are wanted has no value, whatever its unit",
			input: &rules.Input{Kind: clinical.KindObservation, Type: clinical.Coded, Unit: "mg/dL"},
			fact:  observation(noon, 1, numeric("")), belongs: true},
		{name: "value: code is the first coding without its system", input: &rules.Input{Kind: clinical.KindObservation, Type: clinical.Coded},
			fact:    observation(noon, 0, &clinical.Detail{Type: clinical.Coded, Codes: []clinical.Code{"snomed|112144000", "local|A"}}),
			belongs: true, value: "112144000"},
		{name: "in where, a coded value is any of its codings", input: &rules.Input{Kind: clinical.KindObservation, Type: clinical.Coded, Where: []rules.Expr{is("value", "A")}},
			fact:    observation(noon, 0, &clinical.Detail{Type: clinical.Coded, Codes: []clinical.Code{"snomed|112144000", "local|A"}}),
			belongs: true, value: "112144000"},
		{name: "value: boolean", input: &rules.Input{Kind: clinical.KindObservation, Type: clinical.Boolean},
			fact: observation(noon, 1, &clinical.Detail{Type: clinical.Boolean}), belongs: true, value: true},
		{name: "value: text", input: &rules.Input{Kind: clinical.KindObservation, Type: clinical.Text},
			fact: observation(noon, 0, &clinical.Detail{Type: clinical.Text, Text: "cloudy"}), belongs: true, value: "cloudy"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			in := *c.input
			in.ID = 0
			r := NewReference(&rules.Program{Units: site.Units, Inputs: []*rules.Input{&in}})
			got, ok := r.alone(&in, c.fact)
			require.Equal(t, c.belongs, ok)
			require.Equal(t, value(c.value), got)
		})
	}
}
