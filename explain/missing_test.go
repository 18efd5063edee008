package explain

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/rules"
)

func TestWhatIsMissing(t *testing.T) {
	valueless := func(at clinical.Instant) clinical.Fact { return observation(at, 0, &clinical.Detail{}) }
	stated := func(at clinical.Instant, unit string, attributes ...clinical.Attribute) clinical.Fact {
		return observation(at, 90, &clinical.Detail{Type: clinical.Number, Unit: unit, Attributes: attributes})
	}
	const last7d, mean7d = "creatinine.last('7d')", "creatinine.mean('7d')"
	type want map[string]string // by term
	cases := []struct {
		name, when string
		facts      History
		want       want
	}{
		{"nothing ever", last7d + " > 2", nil, want{last7d: "no creatinine ever"}},
		{"nothing in the window", last7d + " > 2", inOrder(result(noon-9*day, 1.2)), want{last7d: "no creatinine in 7 days; the last was 1.2 mg/dL, 9 days before"}},
		{"nothing in an offset window", "creatinine.min('365d..8d') > 2", inOrder(result(noon-day, 1.2)),
			want{"creatinine.min('365d..8d')": "no creatinine between 365 and 8 days before, only after"}},
		{"nothing in a window of months", "creatinine.last('1mo') > 2", inOrder(result(noon-800*day, 1.2)),
			want{"creatinine.last('1mo')": "no creatinine in 1 month; the last was 1.2 mg/dL, 2 years before"}},
		{"only in the future", "creatinine.last() > 2", inOrder(result(noon+day, 1.2)), want{"creatinine.last()": "no creatinine yet; the first is dated later"}},
		{"no value", last7d + " > 2", inOrder(valueless(noon - day)), want{last7d: "no creatinine in 7 days has a number"}},
		{"no code", "blood_group.last() == 'A'", inOrder(measured("loinc|883-9", noon, 1, "")), want{"blood_group.last()": "no blood group has a code as its value"}},
		{"a comparator that cannot be added up", mean7d + " > 2", inOrder(result(noon-day, 5, clinical.Below), result(noon, 7)),
			want{mean7d: "creatinine in 7 days: a result <5 cannot be added up"}},
		{"a comparator that cannot be subtracted", "creatinine.delta('7d') > 2", inOrder(result(noon-day, 5, clinical.Above), result(noon, 7)),
			want{"creatinine.delta('7d')": "creatinine in 7 days: a result >5 cannot be subtracted"}},
		{"comparators that hide the least", "creatinine.min('7d') > 2", inOrder(result(noon-day, 5, clinical.Below), result(noon, 7, clinical.Above)),
			want{"creatinine.min('7d')": "of creatinine in 7 days some are below and some above what was measured, such as <5 and >7, so that the least is not known"}},
		{"a comparator in arithmetic", last7d + " * 2 > 9", inOrder(result(noon, 5, clinical.Below)), want{last7d: "creatinine is <5, with which nothing can be calculated"}},
		{"a comparator that does not tell", last7d + " > 4", inOrder(result(noon, 5, clinical.Below)), want{last7d: "creatinine is <5, which does not tell how it compares with 4"}},
		{"a comparator that does not tell, through a default", "4 < (" + last7d + " ?? 3)", inOrder(result(noon, 5, clinical.Below)),
			want{last7d: "creatinine is <5, which does not tell how it compares with 4"}},
		{"a comparator in a list", last7d + " in [3, 4]", inOrder(result(noon, 5, clinical.Below)),
			want{last7d: "creatinine is <5, which does not tell whether it is one of those asked for"}},
		{"one is no change", "creatinine.delta('7d') > 1", inOrder(result(noon, 1)), want{"creatinine.delta('7d')": "only one creatinine in 7 days, where a change takes two"}},
		{"a divisor of zero", "1 / creatinine.count('7d') > 1", nil, want{"creatinine.count('7d')": "it makes the divisor zero"}},
		{"too large", "creatinine.last() * 1e308 > 1", inOrder(result(noon, 90)), want{"creatinine.last()": "the numbers are too large to calculate with"}},
		{"a unit that does not convert", last7d + " > 2", inOrder(result(noon-9*day, 1), stated(noon-2*day, "umol/L")),
			want{last7d: "no creatinine in 7 days; the last was 1 mg/dL, 9 days before; one 48 hours before is left out: its unit \"umol/L\" cannot be converted to mg/dL"}},
		{"no unit", last7d + " > 2", inOrder(stated(noon-4*day, "")), want{last7d: "no creatinine ever; one 4 days before is left out: its number has no unit"}},
		{"left out by where", "high.last() > 2", inOrder(result(noon-hour, 1.2)),
			want{"high.last()": "no high ever; one 1 hour before is left out: its value 1.2 mg/dL is not at least 2 mg/dL"}},
		{"left out by the term's own condition", "creatinine.last('7d', value >= 2) > 3", inOrder(result(noon-hour, 1.2)),
			want{"creatinine.last('7d', value >= 2)": "no creatinine with value >= 2 ever; one 1 hour before is left out: its value 1.2 mg/dL is not at least 2 mg/dL"}},
		{"outside the window, by the term's own condition", "creatinine.last('7d', value >= 2) > 3", inOrder(result(noon-9*day, 2.5)),
			want{"creatinine.last('7d', value >= 2)": "no creatinine in 7 days with value >= 2; the last was 2.5 mg/dL, 9 days before"}},
		{"one is no spread", "creatinine.stddev('7d') > 1", inOrder(result(noon, 1)), want{"creatinine.stddev('7d')": "only one creatinine in 7 days, where a standard deviation takes two"}},
		{"a place that is not taken", "creatinine.nth(3) > 1", inOrder(result(noon, 1)), want{"creatinine.nth(3)": "only 1 creatinine, where nth(3) asks for another"}},
		{"a comparator that cannot be put in order", "creatinine.median('7d') > 2", inOrder(result(noon-day, 5, clinical.Below), result(noon, 7)),
			want{"creatinine.median('7d')": "creatinine in 7 days: a result <5 cannot be put in order"}},
		{"a comparator beside a level", "creatinine.duration_above(4, '7d') > 2", inOrder(result(noon-day, 5, clinical.Below), result(noon, 7)),
			want{"creatinine.duration_above(4, '7d')": "creatinine in 7 days: a result <5 cannot be held against the level"}},
		{"negated", last7d + " > 2", inOrder(stated(noon-5*hour, "mg/dL", token("negated", "true"))),
			want{last7d: "no creatinine ever; one 5 hours before is left out: it says that this was not so, or not done"}},
		{"absent", last7d + " > 2", inOrder(observation(noon-second, 0, &clinical.Detail{Type: clinical.AbsentValue})),
			want{last7d: "no creatinine ever; one less than a minute before is left out: it says that its value is absent"}},
		{"what is left out before the last that counts is not named", last7d + " > 2", inOrder(stated(noon-10*day, ""), result(noon-9*day, 1)),
			want{last7d: "no creatinine in 7 days; the last was 1 mg/dL, 9 days before"}},
		{"nobody", "patient.age > 2", nil, want{"patient.age": "nothing is on record about the patient's own person"}},
		{"no birth date", "patient.age > 2", inOrder(person(clinical.Never, clinical.Forever)), want{"patient.age": "no birth date is known"}},
		{"before birth", "patient.age > 2", inOrder(person(noon+day, clinical.Forever)), want{"patient.age": "it is before the birth"}},
		{"no sex", "patient.sex == 'male'", inOrder(person(noon, clinical.Forever)), want{"patient.sex": "no sex is known"}},

		{"only what makes the whole unknown", "temperature.last() > 38 and (creatinine.last() > 2 or temperature.last('1d') > 38) and dialysis.exists()",
			inOrder(result(noon, 3), dialysis(noon)), want{"temperature.last()": "no temperature ever"}},
		{"both sides of a default", "(creatinine.last() ?? temperature.last()) > 1", nil,
			want{"creatinine.last()": "no creatinine ever", "temperature.last()": "no temperature ever"}},
		{"the condition of a choice", "(temperature.last() > 38 ? creatinine.last() : creatinine.min()) > 1", nil, want{"temperature.last()": "no temperature ever"}},
		{"the branch that was taken", "(dialysis.exists() ? creatinine.last() : creatinine.min()) > 1", nil, want{"creatinine.min()": "no creatinine ever"}},
		{"the missing side of a sum", "creatinine.last() + temperature.last() > 1", inOrder(result(noon, 1)), want{"temperature.last()": "no temperature ever"}},
		{"a term asked twice is missing once", "creatinine.last() > 2 or creatinine.last() < 1", nil, want{"creatinine.last()": "no creatinine ever"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			p, rule := ruled(t, c.when)
			ref := NewReference(p)
			require.Equal(t, rules.Unknown, ref.Truth(rule, c.facts, noon))
			got := want{}
			for _, m := range ref.read(c.facts).missing(rule, noon) {
				got[m.Term.Source] = m.Reason
			}
			require.Equal(t, c.want, got)
		})
	}
}

func TestTheLatestFactBeforeAnEmptyWindowIsShown(t *testing.T) {
	p, rule := ruled(t, "creatinine.last('7d') > 2")
	h := inOrder(result(noon-9*day, 1.2), result(noon-8*day, 1.3), result(noon+day, 9))
	missing := NewReference(p).read(h).missing(rule, noon)
	require.Len(t, missing, 1)
	require.Equal(t, h[1], missing[0].Latest.Statement)
}
