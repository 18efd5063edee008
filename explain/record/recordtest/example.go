// Package recordtest has explanations for tests: three that a person would recognise, and any number of
// random ones. Each call makes a new value, which the caller may change.
package recordtest

import (
	"crypto/sha256"
	"encoding/hex"
	"time"

	"github.com/vigil-cds/vigil/explain/record"
	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/rules"
)

// Example is an acute kidney injury that fired, the first of its patient: creatinine has risen to 1.6
// times the lowest of the week. Its facts were stated to the month, the day, the minute, the second and
// the millisecond, one of them with a bound, one in another unit, and one in a corrected version.
func Example() *record.Explanation {
	const (
		when = "not dialysis.exists('90d') and (egfr.last('365d..8d') ?? 90) >= 15 and " +
			"(creatinine.last('48h') - creatinine.min('48h') >= 0.3 or creatinine.last('7d') >= 1.5 * creatinine.min('7d'))"
		at = "2026-05-06T13:02:00.412Z"
	)
	first := creatinine(1.2, "mg/dL", "2026-05-02T23:00:00Z", "day", "crea-1", 640)
	second := creatinine(144, "umol/L", "2026-05-04T16:30:00Z", "second", "crea-2", 702)
	third := creatinine(1.7, "mg/dL", "2026-05-05T07:15:12.345Z", "millisecond", "crea-3", 771)
	third.Version, third.Status = "2", "corrected"
	fourth := creatinine(1.9, "mg/dL", "2026-05-06T11:40:00Z", "minute", "crea-4", 812)
	fourth.Recorded = instant(at)
	baseline := fact("observation", "loinc|98979-8", "2026-01-01T00:00:00Z", "month", "Observation/egfr-1", 12)
	baseline.Value, baseline.Unit = record.Value{Kind: rules.Number, Num: 90, Bound: clinical.Above}, "mL/min/{1.73_m2}"

	lowest48, lowest7 := number(144/88.4), number(1.2)
	e := &record.Explanation{
		Schema: record.Schema, Kind: record.Fired,
		ID:      "p-4711/aki-kdigo-1/" + ruleSet().Hash[:12] + "/3/f812",
		Patient: "p-4711",
		Rule: record.Rule{ID: "aki-kdigo-1", Pack: "renal", Version: 3, Title: "Possible acute kidney injury (KDIGO stage 1)",
			Severity: "warning", Source: "KDIGO 2012, 2.1", When: when},
		RuleSet: ruleSet(),
		At:      instant(at), Truth: record.True, Before: record.False, Since: pointer(instant(at)),
		Cause:   &record.Cause{Kind: record.CauseFact, Position: "f3.812", Facts: []record.Fact{fourth}},
		Known:   record.Known{Position: "f3.812", Clock: instant(at)},
		Message: "Creatinine 1.9 mg/dL, lowest in 7 days 1.2.",
		Terms: []record.Term{
			{Source: "dialysis.exists('90d')", Op: "exists", Input: "dialysis", Pack: "renal",
				Window: window("90d", "2026-02-05T13:02:00.412Z", at), Value: boolean(false), Uses: []record.Use{}},
			{Source: "egfr.last('365d..8d')", Op: "last", Input: "egfr", Pack: "renal", Unit: "mL/min/{1.73_m2}",
				Window: window("365d..8d", "2025-05-06T13:02:00.412Z", "2026-04-28T13:02:00.412Z"),
				Value:  baseline.Value, Saw: 1, Uses: []record.Use{{Fact: 0, Value: baseline.Value}}},
			creatinineTerm("last", "48h", "2026-05-04T13:02:00.412Z", at, number(1.9)),
			creatinineTerm("min", "48h", "2026-05-04T13:02:00.412Z", at, lowest48),
			creatinineTerm("last", "7d", "2026-04-29T13:02:00.412Z", at, number(1.9)),
			creatinineTerm("min", "7d", "2026-04-29T13:02:00.412Z", at, lowest7),
		},
		Facts:    []record.Fact{baseline, first, second, third, fourth},
		Suffices: []int{1, 4},
	}
	uses := []record.Use{{Fact: 1, Value: number(1.2)}, {Fact: 2, Value: lowest48}, {Fact: 3, Value: number(1.7)}, {Fact: 4, Value: number(1.9)}}
	for i := range e.Terms[2:] {
		t := &e.Terms[2+i]
		t.Uses = append([]record.Use{}, uses...)
		if t.Window.Text == "48h" {
			t.Uses = t.Uses[1:]
		}
		t.Saw = len(t.Uses)
	}

	rise := condition(">=", "creatinine.last('48h') - creatinine.min('48h') >= 0.3", record.False,
		compound("-", "creatinine.last('48h') - creatinine.min('48h')", number(1.9-144/88.4), term(e, 2), term(e, 3)), literal("0.3", 0.3))
	ratio := condition(">=", "creatinine.last('7d') >= 1.5 * creatinine.min('7d')", record.True,
		term(e, 4), compound("*", "1.5 * creatinine.min('7d')", number(1.5*lowest7.Num), literal("1.5", 1.5), term(e, 5)))
	ratio.Decides = true
	either := condition("or", rise.Source+" or "+ratio.Source, record.True, rise, ratio)
	either.Decides = true
	dialysis := term(e, 0)
	dialysis.Boolean, dialysis.Truth = true, record.False
	undialysed := condition("not", "not dialysis.exists('90d')", record.True, dialysis)
	undialysed.Decides = true
	filters := condition(">=", "(egfr.last('365d..8d') ?? 90) >= 15", record.True,
		compound("??", "egfr.last('365d..8d') ?? 90", baseline.Value, term(e, 1), literal("90", 90)), literal("15", 15))
	filters.Decides = true
	both := condition("and", undialysed.Source+" and "+filters.Source, record.True, undialysed, filters)
	both.Decides = true
	whole := condition("and", when, record.True, both, either)
	whole.Decides = true
	e.Tree = &whole
	e.Seal(1, record.Genesis)
	return e
}

func creatinineTerm(op, text, from, to string, value record.Value) record.Term {
	return record.Term{Source: "creatinine." + op + "('" + text + "')", Op: op, Input: "creatinine", Pack: "renal", Unit: "mg/dL",
		Where: "value > 0", Window: window(text, from, to), Value: value}
}

func creatinine(value float64, unit, time, precision, id string, offset int64) record.Fact {
	f := fact("observation", "loinc|2160-0", time, precision, "Observation/"+id, offset)
	f.Value, f.Unit = number(value), unit
	return f
}

// fact is one of partition 3, recorded two minutes after it was true.
func fact(kind, code, time, precision, resource string, offset int64) record.Fact {
	at := instant(time)
	return record.Fact{Kind: kind, Codes: []string{code}, Status: "final", Time: &at, Precision: precision,
		Recorded: at + 120_000, Resource: resource, Version: "1", Topic: "facts", Partition: 3, Offset: offset}
}

func ruleSet() record.RuleSet {
	return record.RuleSet{
		Hash: digest("the ward's rules"), Activated: pointer(instant("2026-01-01T06:00:00Z")), Position: "f3.0", Zone: "Europe/London",
		ValueSets: []record.ValueSet{{Name: "dialysis", URL: "http://example.org/fhir/ValueSet/dialysis", Version: "2.1.0",
			Codes: 14, Hash: digest("the codes of dialysis")}},
	}
}

func condition(op, source string, truth record.Truth, kids ...record.Node) record.Node {
	n := record.Node{Op: op, Source: source, Boolean: true, Truth: truth, Term: -1, Kids: kids}
	if truth != record.Unknown {
		n.Value = boolean(truth == record.True)
	}
	return n
}

func compound(op, source string, value record.Value, kids ...record.Node) record.Node {
	return record.Node{Op: op, Source: source, Value: value, Term: -1, Kids: kids}
}

func literal(source string, value float64) record.Node {
	return record.Node{Op: "literal", Source: source, Value: number(value), Term: -1}
}

func term(e *record.Explanation, i int) record.Node {
	return record.Node{Op: "term", Source: e.Terms[i].Source, Value: e.Terms[i].Value, Term: i}
}

func window(text, from, to string) *record.Window {
	return &record.Window{Text: text, From: pointer(instant(from)), To: instant(to)}
}

func instant(s string) record.Instant {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		panic(err)
	}
	return record.Instant(clinical.At(t))
}

func number(x float64) record.Value { return record.Value(rules.NumberOf(x)) }

func boolean(b bool) record.Value { return record.Value(rules.BoolOf(b)) }

func pointer[T any](x T) *T { return &x }

func digest(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}
