package recordtest

import (
	"github.com/vigil-cds/vigil/explain/record"
)

// Unknown answers why it is not known whether a patient on warfarin has too high an INR: the last INR
// is from nine days before.
func Unknown() *record.Explanation {
	const at = "2026-05-06T14:00:00Z"
	last := fact("observation", "loinc|6301-6", "2026-04-27T08:30:00Z", "minute", "Observation/inr-1", 590)
	last.Value, last.Unit = number(2.1), "{INR}"
	warfarin := fact("medication", "rxnorm|11289", "2023-03-01T00:00:00Z", "month", "MedicationStatement/w-1", 7)
	warfarin.Status, warfarin.End = "active", pointer(record.Ongoing)

	e := answer(at, record.Unknown, record.Rule{ID: "inr-high", Pack: "anticoagulation", Version: 1, Title: "INR too high on warfarin",
		Severity: "critical", When: "warfarin.active() and inr.last('48h') >= 4.5"})
	e.Facts = []record.Fact{warfarin, last}
	e.Suffices = []int{}
	e.Terms = []record.Term{
		{Source: "warfarin.active()", Op: "active", Input: "warfarin", Pack: "anticoagulation", Value: boolean(true),
			Saw: 1, Uses: []record.Use{{Fact: 0}}},
		{Source: "inr.last('48h')", Op: "last", Input: "inr", Pack: "anticoagulation", Unit: "{INR}",
			Window: window("48h", "2026-05-04T14:00:00Z", at), Uses: []record.Use{}, Latest: &record.Use{Fact: 1, Value: number(2.1)}},
	}
	taken := term(e, 0)
	taken.Boolean, taken.Truth = true, record.True
	high := condition(">=", "inr.last('48h') >= 4.5", record.Unknown, term(e, 1), literal("4.5", 4.5))
	high.Decides, high.Kids[0].Decides = true, true
	whole := condition("and", e.Rule.When, record.Unknown, taken, high)
	whole.Decides = true
	e.Tree = &whole
	e.Missing = []record.Missing{{Term: 1, Reason: "no inr in 48 hours; the last is 9 days old", Latest: &last}}
	return e
}

// False answers why a potassium of 5.2 mmol/L is not called high: it is below 6, by 0.8. When it is a
// day old, time alone makes the rule unknown.
func False() *record.Explanation {
	const at = "2026-05-06T14:00:00Z"
	potassium := fact("observation", "loinc|2823-3", "2026-05-06T11:40:00Z", "minute", "Observation/k-1", 815)
	potassium.Value, potassium.Unit = number(5.2), "mmol/L"

	e := answer(at, record.False, record.Rule{ID: "hyperkalaemia", Pack: "renal", Version: 2, Title: "High potassium",
		Severity: "critical", Source: "UK Kidney Association 2023", When: "potassium.last('24h') >= 6"})
	e.Facts = []record.Fact{potassium}
	e.Suffices = []int{0}
	e.Terms = []record.Term{{Source: "potassium.last('24h')", Op: "last", Input: "potassium", Pack: "renal", Unit: "mmol/L",
		Window: window("24h", "2026-05-05T14:00:00Z", at), Value: number(5.2), Saw: 1, Uses: []record.Use{{Fact: 0, Value: number(5.2)}}}}
	whole := condition(">=", e.Rule.When, record.False, term(e, 0), literal("6", 6))
	whole.Decides = true
	e.Tree = &whole
	e.Miss = &record.Miss{
		Blockers: []record.Blocker{{Source: e.Rule.When, Truth: record.False, Wanted: record.True, Value: number(5.2), Op: ">=",
			Threshold: number(6), Distance: pointer(0.8), Relative: pointer(0.8 / 6), Unit: "mmol/L", Terms: []int{0}}},
		Change: &record.Change{Kind: record.Add, Input: "potassium", Value: number(6), Unit: "mmol/L",
			Text: "a potassium of 6 mmol/L or more now"},
	}
	e.Next = &record.Next{At: instant("2026-05-07T11:40:00.001Z"), Truth: record.Unknown}
	return e
}

// answer is one to somebody who asked at the given instant, with everything known up to five minutes
// before.
func answer(at string, truth record.Truth, rule record.Rule) *record.Explanation {
	return &record.Explanation{Schema: record.Schema, Kind: record.Answer, Patient: "p-4711", Rule: rule, RuleSet: ruleSet(),
		At: instant(at), Truth: truth, Known: record.Known{Position: "f3.820", Clock: instant(at) - 300_000}}
}
