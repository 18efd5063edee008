package render

import (
	"cmp"
	"fmt"
	"math"
	"strings"

	"github.com/vigil-cds/vigil/explain/record"
	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/rules"
)

// mirrored is the comparison with its sides swapped.
var mirrored = map[string]string{"==": "==", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}

// holdWords say of a number that a comparison with another one holds.
var holdWords = map[string]string{"==": "exactly", "!=": "not", "<": "below", "<=": "at most", ">": "above", ">=": "at least"}

// countWords say the same of how many or how long.
var countWords = map[string]string{"==": "exactly", "!=": "not", "<": "fewer than", "<=": "at most", ">": "more than", ">=": "at least"}

// comparison says how two sides stand to each other.
func (v *view) comparison(n *record.Node) clause {
	op := n.Op
	left, right := &n.Kids[0], &n.Kids[1]
	if constant(left) && !constant(right) {
		left, right, op = right, left, mirrored[op]
	}
	x, missing := v.taken(left)
	y, _ := v.taken(right)
	holds := n.Truth == record.True
	if missing != nil && constant(x) && constant(y) {
		return v.assumed(missing, "taken as "+v.stated(x.Value, "")+", which is "+standing(op, holds, x.Value, y.Value))
	}
	t := v.term(x)
	switch {
	case x.Op == "score" && constant(y) && isExact(y.Value):
		return v.scored(x, op, holds, y.Value)
	case t != nil && constant(y) && isText(y.Value):
		return v.textual(t, y.Value)
	case t != nil && constant(y) && isExact(y.Value):
		return v.threshold(t, op, holds, y.Value)
	case constant(y) && isExact(y.Value):
		return v.computed(x, op, holds, y.Value)
	case t != nil:
		if factor, other := v.multiple(y); other != nil {
			return v.ratio(t, op, holds, factor, other)
		}
	}
	return v.generic(n)
}

// standing is where a number stands to a threshold, as a comparison of them turned out, with how far it is
// off, to follow "is": "at least 6", "below 6, by 0.8".
func standing(op string, holds bool, x, threshold record.Value) string {
	words, apart := stands(op, holds, x, threshold)
	if apart != "" {
		return words + ", by " + apart
	}
	return words
}

// off is the same to follow a comma: "below 6 by 0.8".
func off(op string, holds bool, x, threshold record.Value) string {
	words, apart := stands(op, holds, x, threshold)
	if apart != "" {
		return words + " by " + apart
	}
	return words
}

// stands gives the two halves of both: where the number stands, and how far off.
func stands(op string, holds bool, x, threshold record.Value) (words, apart string) {
	k := figure(threshold.Num)
	if holds {
		return holdWords[op] + " " + k, ""
	}
	if !isExact(x) {
		if x.Bound == clinical.Below {
			return "below " + k, ""
		}
		return "above " + k, ""
	}
	apart = short(math.Abs(x.Num - threshold.Num))
	switch rules.Compare(x.Num, threshold.Num) {
	case -1:
		return "below " + k, apart
	case 1:
		return "above " + k, apart
	}
	if op == "!=" {
		return "exactly " + k, ""
	}
	return "exactly " + k + ", not " + holdWords[op] + " it", ""
}

// textual is a text that is, or is not, another.
func (v *view) textual(t *record.Term, wanted record.Value) clause {
	not := ""
	if t.Value != wanted {
		not = ", not " + brief(wanted.Str)
	}
	if t.Op == "sex" {
		return clause{text: "the patient is " + brief(t.Value.Str) + not, rank: personal}
	}
	return clause{text: v.dated(v.noun(t)+" is "+brief(t.Value.Str), t) + not, rank: measured}
}

// threshold is a term compared with a number.
func (v *view) threshold(t *record.Term, op string, holds bool, k record.Value) clause {
	switch t.Op {
	case "last":
		return clause{text: v.mention(t, k.Num) + " is " + standing(op, holds, t.Value, k), rank: measured}
	case "count":
		text, verb := v.number(t)
		return clause{verb: verb, text: text + ", " + ranking(countWords, op, holds, t.Value.Num, k.Num), rank: measured}
	case "age", "age_months":
		unit := "year"
		if t.Op == "age_months" {
			unit = "month"
		}
		return clause{text: "the patient is " + counted(int(t.Value.Num), unit) + " old, " + ranking(holdWords, op, holds, t.Value.Num, k.Num), rank: personal}
	case "hours_since", "days_since", "hours_since_start", "hours_since_end":
		return v.elapsed(t, op, holds, k.Num)
	case "delta":
		return v.delta(t, op, holds, k.Num)
	case "rise", "fall":
		return v.climb(t, op, holds, k)
	case "slope":
		return v.trend(t, op, holds, k.Num)
	case "distinct":
		return v.different(t, op, holds, k.Num)
	case "max_gap", "duration_above", "duration_below":
		return v.duration(t, op, holds, k.Num)
	}
	return clause{text: v.noun(t) + " is " + v.dated(v.amount(t, unitOf(t), k.Num), t) + ", " + off(op, holds, t.Value, k), rank: measured}
}

// ranking is where a number that is counted stands to another: "at least 3", "fewer than 3".
func ranking(words map[string]string, op string, holds bool, x, k float64) string {
	if !holds {
		switch rules.Compare(x, k) {
		case -1:
			op = "<"
		case 1:
			op = ">"
		default:
			return "not " + words[op] + " " + figure(k)
		}
	}
	return words[op] + " " + figure(k)
}

// number is how many facts there were, with the verb that goes with it.
func (v *view) number(t *record.Term) (text, verb string) {
	n := int(t.Value.Num)
	switch n {
	case 0:
		return joined("no", named(t.Input), things(v, t)+"s", scope(t)), "there were"
	case 1:
		return joined("1", named(t.Input), things(v, t), scope(t)), "there was"
	}
	return joined(fmt.Sprint(n), named(t.Input), things(v, t)+"s", scope(t)), "there were"
}

// elapsed is how long ago the last fact was, in whole units as far as these tell it from the threshold.
func (v *view) elapsed(t *record.Term, op string, holds bool, k float64) clause {
	unit, minutes := "hour", 60.0
	if t.Op == "days_since" {
		unit, minutes = "day", 24*60
	}
	long, relation := lengthOf(t.Value.Num, unit, minutes, op, holds, k)
	since := v.dated(long+" since the last "+named(t.Input), t)
	if _, of := periods[t.Op]; of {
		since = long + strings.TrimPrefix(v.noun(t), "the time")
	}
	return clause{verb: "it is", text: since + relation, rank: measured}
}

// lengthOf is a length of time in whole units as far as these tell it from the threshold, and where it stands
// to that; minutes is how many of them a unit has.
func lengthOf(x float64, unit string, minutes float64, op string, holds bool, k float64) (long, relation string) {
	const tiny = 1e-6 // of a minute: less than a millisecond, more than division leaves
	whole := math.Floor(x + tiny/minutes)
	part := math.Floor((x-whole)*minutes + tiny)
	long = counted(int(whole), unit)
	relation = ", " + strings.Replace(ranking(countWords, op, holds, x, k), "fewer", "less", 1)
	tells := func(shown float64) bool { return rules.Compare(shown, k) == rules.Compare(x, k) }
	switch {
	case whole > 0 && tells(whole):
	case part > 0 && tells(whole+part/minutes):
		long = remainder(int(whole), unit, int(part))
	case rules.Compare(x, k) > 0:
		long, relation = "just over "+measure(k, unit), ""
	case whole == 0:
		long = "less than a minute"
	}
	return long, relation
}

// remainder is a length of time in whole units and what is left in smaller ones.
func remainder(whole int, unit string, minutes int) string {
	var words []string
	if whole > 0 {
		words = append(words, counted(whole, unit))
	}
	if h := minutes / 60; h > 0 {
		words = append(words, counted(h, "hour"))
	}
	if m := minutes % 60; m > 0 {
		words = append(words, counted(m, "minute"))
	}
	return strings.Join(words, " ")
}

// measure is a number of units of time, which need not be whole.
func measure(x float64, unit string) string {
	if x == 1 {
		return "1 " + unit
	}
	return figure(x) + " " + unit + "s"
}

// multiple takes `1.5 * creatinine.min('7d')` apart, written either way round; a term alone is one times
// itself. nil for everything else.
func (v *view) multiple(n *record.Node) (float64, *record.Term) {
	n, _ = v.taken(n)
	if t := v.term(n); t != nil {
		return 1, t
	}
	if len(n.Kids) != 2 {
		return 0, nil
	}
	x, _ := v.taken(&n.Kids[0])
	y, _ := v.taken(&n.Kids[1])
	if n.Op == "*" && constant(x) {
		x, y = y, x
	}
	t := v.term(x)
	if t == nil || !constant(y) || !isExact(y.Value) || y.Value.Num <= 0 {
		return 0, nil
	}
	switch n.Op {
	case "*":
		return y.Value.Num, t
	case "/":
		return 1 / y.Value.Num, t
	}
	return 0, nil
}

// instants compares two times.
func (v *view) instants(x, y *record.Term) clause {
	words := [...]string{"before", "at the same time as", "after"}[cmp.Compare(x.Value.Num, y.Value.Num)+1]
	return clause{text: v.mention(x) + " is " + words + " " + v.mention(y), rank: measured}
}
