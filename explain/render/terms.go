package render

import (
	"math"
	"slices"

	"github.com/vigil-cds/vigil/explain/record"
	"github.com/vigil-cds/vigil/internal/clinical"
)

// witness is the fact that a term's answer stands in, as the term saw it; nil where no single one does.
func (v *view) witness(t *record.Term) *record.Use {
	if len(t.Uses) == 0 {
		return nil
	}
	same := func(u record.Use) bool { return u.Value == t.Value }
	at := -1
	switch t.Op {
	case "last":
		for i := range t.Uses {
			if same(t.Uses[i]) {
				at = i
			}
		}
	case "first":
		at = slices.IndexFunc(t.Uses, same)
	case "min", "max":
		at = slices.IndexFunc(t.Uses, func(u record.Use) bool { return same(u) && v.enough[u.Fact] })
		if at < 0 {
			at = slices.IndexFunc(t.Uses, same)
		}
	case "nth":
		for i := range t.Uses {
			if same(t.Uses[i]) && (at < 0 || v.enough[t.Uses[i].Fact]) {
				at = i
			}
		}
	case "first_time":
		at = 0
	case "exists", "active", "overlaps":
		at = len(t.Uses) - 1
		if i := slices.IndexFunc(t.Uses, func(u record.Use) bool { return v.enough[u.Fact] }); i >= 0 {
			at = i
		}
	case "last_time", "hours_since", "days_since", "age", "age_months", "sex", "deceased":
		at = len(t.Uses) - 1
	}
	if at < 0 {
		return nil
	}
	return &t.Uses[at]
}

// noun names what a term asks for: "creatinine", "the lowest creatinine in 7 days".
func (v *view) noun(t *record.Term) string {
	input := named(t.Input)
	if words, ok := periods[t.Op]; ok {
		return words
	}
	phrase := func(words string) string { return joined(words, input, scope(t)) }
	switch t.Op {
	case "last":
		if picked(t) != "" {
			return phrase("the last")
		}
		return input
	case "exists", "active", "overlaps":
		return joined(input, picked(t))
	case "count":
		return joined("the number of", input, things(v, t)+"s", scope(t))
	case "hours_since", "days_since":
		return "the time since the last " + input
	case "last_time":
		return "the last " + input
	case "first_time":
		return phrase("the first")
	case "age", "age_months":
		return "the age"
	case "sex":
		return "the sex"
	case "birth_date":
		return "the date of birth"
	case "deceased":
		return "the death"
	}
	if text := v.extent(t); text != "" {
		return text
	}
	return phrase(adjective(t))
}

// comparedWith names a term beside another one of the same input: "the lowest in 7 days".
func (v *view) comparedWith(t, beside *record.Term) string {
	if !alike(t, beside) {
		return v.noun(t)
	}
	if t.Op == "last" {
		return joined("the last", scope(t))
	}
	return joined(adjective(t), scope(t))
}

func adjective(t *record.Term) string {
	switch t.Op {
	case "min":
		return "the lowest"
	case "max":
		return "the highest"
	case "sum":
		return "the total"
	case "mean":
		return "the mean"
	case "delta":
		return "the change of"
	case "stddev":
		return "the standard deviation"
	case "rise", "fall":
		return "the greatest " + t.Op
	case "slope":
		return "the trend"
	case "ewma":
		return "the weighted mean"
	case "nth":
		return "the " + ordinal(int(argument(t)))
	case "distinct":
		return "the number of different values"
	case "max_gap":
		return "the longest gap"
	case "duration_above", "duration_below":
		return "the time " + beyond(t)
	}
	return "the " + t.Op
}

// amount is a term's number with its unit, as it was sent where it was, and otherwise in as few digits as
// tell it from what it is compared with.
func (v *view) amount(t *record.Term, code string, against ...float64) string {
	switch {
	case !isExact(t.Value):
		return v.stated(t.Value, code)
	case isDuration(t):
		return remainder(int(t.Value.Num), "hour", int(math.Round((t.Value.Num-math.Floor(t.Value.Num))*60)))
	case t.Op == "slope":
		return with(rounded(t.Value.Num, against...), t.Unit) + " a day"
	}
	if u := v.witness(t); u != nil && v.Facts[u.Fact].Value.Num == t.Value.Num {
		return with(figure(t.Value.Num), code)
	}
	if slices.Contains([]string{"sum", "delta", "rise", "fall", "median", "distinct"}, t.Op) {
		return with(short(t.Value.Num, against...), code)
	}
	return with(rounded(t.Value.Num, against...), code)
}

// short is a number that was worked out: as it is where that is short, else rounded.
func short(x float64, against ...float64) string {
	const few = 4
	s := figure(x)
	digits := 0
	for _, r := range s {
		if '0' <= r && r <= '9' {
			digits++
		}
	}
	if digits <= few {
		return s
	}
	return rounded(x, against...)
}

// dated puts the time of the fact behind what it says: "1.9 mg/dL (12:40)".
func (v *view) dated(text string, t *record.Term) string {
	if u := v.witness(t); u != nil {
		if f := &v.Facts[u.Fact]; f.Time != nil {
			return text + " (" + v.said(*f.Time, f.Precision) + ")"
		}
	}
	return text
}

// mention is a term with its answer as one noun: "creatinine 1.9 mg/dL (12:40)".
func (v *view) mention(t *record.Term, against ...float64) string {
	if t.Value.IsZero() {
		return v.lacking(t).text
	}
	switch t.Op {
	case "last":
		if picked(t) != "" {
			break
		}
		return v.dated(v.noun(t)+" "+brief(v.amount(t, unitOf(t), against...)), t)
	case "start", "end", "hours_since_start", "hours_since_end":
		return v.noun(t)
	case "exists", "active", "overlaps", "ended", "sex", "deceased":
		return v.presence(t, t.Value).text
	case "count":
		text, _ := v.number(t)
		return text
	case "last_time", "first_time":
		return v.dated(v.noun(t), t)
	case "birth_date":
		return v.noun(t)
	case "age":
		return "an age of " + counted(int(t.Value.Num), "year")
	case "age_months":
		return "an age of " + counted(int(t.Value.Num), "month")
	case "hours_since", "days_since":
		return v.noun(t)
	}
	return v.noun(t) + " of " + v.dated(brief(v.amount(t, unitOf(t), against...)), t)
}

// things is what a count counts: results of a measurement, records of all else.
func things(v *view, t *record.Term) string {
	for _, u := range t.Uses {
		if k := v.Facts[u.Fact].Kind; k != clinical.KindObservation.String() && k != clinical.KindReport.String() {
			return "record"
		}
	}
	return "result"
}

// on is when a fact was, as an adverb: "on 28 April", "at 12:40", "in March".
func (v *view) on(i record.Instant, precision string) string {
	said := v.said(i, precision)
	switch {
	case precision == toYear || precision == toMonth:
		return "in " + said
	case precision != toDay && sameDay(moment(i).In(v.zone), v.at):
		return "at " + said
	}
	return "on " + said
}

func joined(words ...string) string {
	text := ""
	for _, w := range words {
		if w == "" {
			continue
		}
		if text != "" {
			text += " "
		}
		text += w
	}
	return text
}
