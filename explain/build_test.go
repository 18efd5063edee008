package explain

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/rules"
)

// The tests build programs by hand, so that what they hold the evaluator to does not pass through the
// compiler.

const (
	second = clinical.Instant(1000)
	minute = 60 * second
	hour   = 60 * minute
)

// noon is the instant that the cases call now.
var noon = instant("2024-03-15T12:00:00Z")

func instant(s string) clinical.Instant {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		panic(err)
	}
	return clinical.At(t)
}

func zone(t *testing.T, name string) *time.Location {
	t.Helper()
	z, err := time.LoadLocation(name)
	require.NoError(t, err)
	return z
}

// result is an exact or bounded ("<5", ">5") creatinine at an instant, stated in mg/dL.
func result(at clinical.Instant, number float64, comparator ...clinical.Comparator) clinical.Fact {
	d := &clinical.Detail{Type: clinical.Number, Unit: "mg/dL"}
	if len(comparator) > 0 {
		d.Comparator = comparator[0]
	}
	return observation(at, number, d)
}

func observation(at clinical.Instant, number float64, d *clinical.Detail) clinical.Fact {
	return clinical.Fact{
		Stream: clinical.NewStream(clinical.KindObservation, "loinc|2160-0", "local|CREA"),
		Time:   at, End: at, Number: number, Detail: d,
	}
}

// period is a condition from its onset to its end.
func period(begins, ends clinical.Instant) clinical.Fact {
	return clinical.Fact{
		Stream: clinical.NewStream(clinical.KindCondition, "snomed|38341003"),
		Time:   begins, End: ends, Detail: &clinical.Detail{},
	}
}

func person(birth, death clinical.Instant, attributes ...clinical.Attribute) clinical.Fact {
	return clinical.Fact{
		Stream: clinical.NewStream(clinical.KindPatient),
		Time:   birth, End: death, Detail: &clinical.Detail{Attributes: attributes},
	}
}

func token(name string, codes ...clinical.Code) clinical.Attribute {
	return clinical.Attribute{Name: name, Codes: codes}
}

func figure(name string, number float64) clinical.Attribute {
	return clinical.Attribute{Name: name, Number: number, Numeric: true}
}

// inOrder is a History in the order in which the log stated the facts.
func inOrder(facts ...clinical.Fact) History {
	var h History
	for i, f := range facts {
		h = append(h, Statement{Fact: f, Order: uint64(i)})
	}
	return h
}

// The inputs of the program that program builds.
const (
	patientInput = iota
	creatinine
	hypertension
)

func creatinineInput(where ...rules.Expr) *rules.Input {
	return &rules.Input{
		ID: creatinine, Name: "creatinine", Kind: clinical.KindObservation, Type: clinical.Number,
		Codes: map[clinical.Code]struct{}{"loinc|2160-0": {}, "loinc|38483-4": {}}, Unit: "mg/dL", Where: where,
	}
}

func program(z *time.Location) *rules.Program {
	return &rules.Program{Zone: z, Inputs: []*rules.Input{
		{ID: patientInput, Kind: clinical.KindPatient},
		creatinineInput(),
		{ID: hypertension, Name: "hypertension", Kind: clinical.KindCondition, Type: clinical.Number},
	}}
}

func window(from, to clinical.Instant) rules.Window {
	return rules.Window{From: rules.Duration{Millis: int64(from)}, To: rules.Duration{Millis: int64(to)}}
}

func months(from int) rules.Window { return rules.Window{From: rules.Duration{Months: from}} }

var always = rules.Window{All: true}

func term(input int, op rules.Op, w rules.Window) rules.Expr {
	return &rules.TermRef{Term: &rules.Term{Input: input, Op: op, Window: w}}
}

func constant(x any) rules.Expr { return &rules.Literal{Value: value(x)} }

// attribute is a property that is a value, codings one that is compared by its codings.
func attribute(name string) rules.Expr { return &rules.AttributeRef{Name: name} }

func codings(name string) rules.Expr { return &rules.AttributeRef{Name: name, Coded: true} }

func apply(x rules.Expr, op string, y rules.Expr) rules.Expr {
	return &rules.Binary{Op: op, X: x, Y: y}
}

func not(x rules.Expr) rules.Expr { return &rules.Unary{Op: "not", X: x} }

// value writes a rules.Value as a case does: nil is missing, "<5" and ">5" are bounded numbers.
func value(x any) rules.Value {
	switch x := x.(type) {
	case nil:
		return rules.Value{}
	case int:
		return rules.NumberOf(float64(x))
	case float64:
		return rules.NumberOf(x)
	case bool:
		return rules.BoolOf(x)
	case clinical.Instant:
		return rules.TimeOf(x)
	case string:
		if number, ok := strings.CutPrefix(x, "<"); ok && number == "5" {
			return rules.Value{Kind: rules.Number, Bound: clinical.Below, Num: 5}
		}
		if number, ok := strings.CutPrefix(x, ">"); ok && number == "5" {
			return rules.Value{Kind: rules.Number, Bound: clinical.Above, Num: 5}
		}
		return rules.TextOf(x)
	}
	panic("a case has a value of another type")
}
