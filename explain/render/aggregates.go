package render

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/vigil-cds/vigil/explain/record"
	"github.com/vigil-cds/vigil/rules"
)

// arguments are what stands between a term's brackets, as a pack writes it.
func arguments(t *record.Term) []string {
	_, inner, ok := strings.Cut(t.Source, "."+t.Op+"(")
	if !ok {
		return nil
	}
	var all []string
	depth, from, quoted := 0, 0, false
	for i, c := range inner {
		switch {
		case c == '\'':
			quoted = !quoted
		case quoted:
		case c == '(' || c == '[':
			depth++
		case depth > 0 && (c == ')' || c == ']'):
			depth--
		case depth == 0 && (c == ',' || c == ')'):
			if arg := strings.TrimSpace(inner[from:i]); arg != "" {
				all = append(all, arg)
			}
			if from = i + 1; c == ')' {
				return all
			}
		}
	}
	return all
}

// argument is the number that nth, duration_above and duration_below take first; 0 of what takes none.
func argument(t *record.Term) float64 {
	all := arguments(t)
	if len(all) == 0 {
		return 0
	}
	x, err := strconv.ParseFloat(all[0], 64)
	if err != nil {
		return 0
	}
	return x
}

// picked says by which condition a term picks from the facts of its input, to follow a noun: "with value >= 1.5".
func picked(t *record.Term) string {
	all := arguments(t)
	if len(all) == 0 {
		return ""
	}
	last := all[len(all)-1]
	_, err := strconv.ParseFloat(last, 64)
	if text, quoted := strings.CutPrefix(last, "'"); err == nil || quoted && strings.IndexByte(text, '\'') == len(text)-1 {
		return ""
	}
	return "with " + brief(last)
}

// scope says which of an input's facts a term is about: "in 7 days", "in 48 hours with value >= 1.5".
func scope(t *record.Term) string { return joined(within(t.Window), picked(t)) }

// lengthIn is the length of time in one of a term's texts: of '12h', or of 'carry 4h' after that word.
func lengthIn(t *record.Term, word string) string {
	for _, a := range arguments(t) {
		if text, ok := strings.CutPrefix(strings.Trim(a, "'"), word); ok && a[0] == '\'' && (word != "" || !strings.Contains(text, " ")) {
			return span(text)
		}
	}
	return ""
}

var ordinals = [...]string{"", "first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth"}

// ordinal is a place as people say it, counted from the latest where it is negative: "third", "second last".
func ordinal(n int) string {
	last := ""
	if n < 0 {
		if n = -n; n == 1 {
			return "last"
		}
		last = " last"
	}
	if n < len(ordinals) {
		return ordinals[n] + last
	}
	suffix := "th"
	if tens := n / 10 % 10; tens != 1 {
		switch n % 10 {
		case 1:
			suffix = "st"
		case 2:
			suffix = "nd"
		case 3:
			suffix = "rd"
		}
	}
	return strconv.Itoa(n) + suffix + last
}

// beyond says on which side of which level duration_above and duration_below count: "above 180 mg/dL".
func beyond(t *record.Term) string {
	return strings.TrimPrefix(t.Op, "duration_") + " " + with(figure(argument(t)), t.Unit)
}

// isDuration says that a term's answer is a length of time in hours.
func isDuration(t *record.Term) bool {
	return t.Op == "max_gap" || t.Op == "duration_above" || t.Op == "duration_below"
}

// extent names what an aggregate asks for that is not one of the values; "" of others.
func (v *view) extent(t *record.Term) string {
	input := named(t.Input)
	switch t.Op {
	case "stddev":
		return joined("the standard deviation of", input, scope(t))
	case "rise", "fall":
		return joined("the greatest", t.Op, "of", input, scope(t))
	case "slope":
		return joined("the trend of", input, scope(t))
	case "ewma":
		return joined("the weighted mean", input, scope(t)) + " (half-life " + lengthIn(t, "") + ")"
	case "distinct":
		return joined("the number of different", input, variety(v, t)+"s", scope(t))
	case "max_gap":
		return joined("the longest time between two", input, things(v, t)+"s", scope(t))
	case "duration_above", "duration_below":
		return joined("the time with", input, beyond(t), scope(t))
	}
	return ""
}

// variety is what distinct tells apart: the values of a measurement, and of all else what it was.
func variety(v *view, t *record.Term) string {
	if things(v, t) == "result" {
		return "value"
	}
	return "kind"
}

// climb is the greatest rise or fall within a window.
func (v *view) climb(t *record.Term, op string, holds bool, k record.Value) clause {
	if t.Value.Num == 0 && !holds && (op == ">" || op == ">=") {
		moved := map[string]string{"rise": "has not risen", "fall": "has not fallen"}[t.Op]
		return clause{text: joined(named(t.Input), moved, scope(t)), rank: measured}
	}
	text := v.extent(t) + " is " + v.amount(t, t.Unit, k.Num)
	if i, j, ok := v.ends(t); ok {
		text += ", from " + v.point(t, i) + " to " + v.point(t, j)
	}
	return clause{text: text + ", " + off(op, holds, t.Value, k), rank: measured}
}

// ends is the two values between which the greatest rise or fall lies.
func (v *view) ends(t *record.Term) (i, j int, ok bool) {
	sign := 1.0
	if t.Op == "fall" {
		sign = -1
	}
	for j := range t.Uses {
		for i := range j {
			x, y := t.Uses[i].Value, t.Uses[j].Value
			if isNumber(x) && isNumber(y) && t.Value.Num > 0 && rules.Compare(sign*(y.Num-x.Num), t.Value.Num) == 0 {
				return i, j, true
			}
		}
	}
	return 0, 0, false
}

// trend is how fast values have gone up or down.
func (v *view) trend(t *record.Term, op string, holds bool, k float64) clause {
	x := t.Value.Num
	moved := "has not changed"
	if by := with(rounded(math.Abs(x), math.Abs(k)), t.Unit) + " a day"; rules.Compare(x, 0) > 0 {
		moved = "has risen by " + by
	} else if rules.Compare(x, 0) < 0 {
		moved = "has fallen by " + by
	}
	return clause{text: joined(named(t.Input), moved, scope(t)) + shortfall("risen", "fallen", op, holds, x, k), rank: measured}
}

// different is how many values, or sets of codes, there are.
func (v *view) different(t *record.Term, op string, holds bool, k float64) clause {
	n := int(t.Value.Num)
	what := variety(v, t)
	text, verb := joined("no", named(t.Input), what+"s", scope(t)), "there were"
	switch {
	case n == 0:
	case what == "kind":
		text = joined(counted(n, what), "of", named(t.Input), scope(t))
	case n == 1:
		text = joined(counted(n, joined(named(t.Input), what)), scope(t))
	default:
		text = joined(strconv.Itoa(n), "different", named(t.Input), what+"s", scope(t))
	}
	if n == 1 {
		verb = "there was"
	}
	return clause{verb: verb, text: text + ", " + ranking(countWords, op, holds, t.Value.Num, k), rank: measured}
}

// duration is a length of time that a term answers with.
func (v *view) duration(t *record.Term, op string, holds bool, k float64) clause {
	long, relation := lengthOf(t.Value.Num, "hour", 60, op, holds, k)
	if t.Op == "max_gap" {
		text := v.extent(t) + " is " + long
		if i, ok := v.gap(t); ok {
			text += " (from " + v.moment(t, i) + " to " + v.moment(t, i+1) + ")"
		}
		return clause{text: text + relation, rank: measured}
	}
	if t.Value.Num == 0 {
		return clause{text: joined(named(t.Input), "was at no time known to be", beyond(t), scope(t)), rank: measured}
	}
	text := joined(named(t.Input), "was", beyond(t), "for", long, scope(t))
	if carry := lengthIn(t, "carry "); carry != "" {
		text += ", a value counting for at most " + carry
	}
	return clause{text: text + relation, rank: measured}
}

// gap is after which of the facts the longest time without another begins.
func (v *view) gap(t *record.Term) (int, bool) {
	const hour = 60 * 60 * 1000
	for i := 1; i < len(t.Uses); i++ {
		a, b := v.Facts[t.Uses[i-1].Fact].Time, v.Facts[t.Uses[i].Fact].Time
		if a != nil && b != nil && rules.Compare(float64(*b-*a)/hour, t.Value.Num) == 0 {
			return i - 1, true
		}
	}
	return 0, false
}

// moment is when one of the facts was that a term saw.
func (v *view) moment(t *record.Term, use int) string {
	f := &v.Facts[t.Uses[use].Fact]
	return v.said(*f.Time, f.Precision)
}

// tooFew says of an aggregate that takes more values than there are how many there are; "" of others.
func (v *view) tooFew(t *record.Term) string {
	n := 0
	for _, u := range t.Uses {
		if isNumber(u.Value) || t.Op == "max_gap" || t.Op == "nth" && !u.Value.IsZero() {
			n++
		}
	}
	takes := map[string]string{"delta": "a change takes two", "stddev": "a standard deviation takes two", "rise": "a rise takes two",
		"fall": "a fall takes two", "slope": "a trend takes two", "max_gap": "a gap lies between two"}[t.Op]
	few := joined("only", counted(n, joined(named(t.Input), things(v, t))), scope(t))
	switch {
	case n == 0:
		return ""
	case t.Op == "nth":
		return few + ", and the " + ordinal(int(argument(t))) + " is asked for"
	case takes != "" && n == 1:
		return few + ", and " + takes
	case t.Op == "slope" && t.Saw == len(t.Uses) && v.together(t):
		return fmt.Sprintf("the %d %s %ss %s are of one instant, and a trend takes two", n, named(t.Input), things(v, t), scope(t))
	}
	return ""
}

// together says that all values that a term saw are of one instant.
func (v *view) together(t *record.Term) bool {
	var at *record.Instant
	for _, u := range t.Uses {
		switch when := v.Facts[u.Fact].Time; {
		case !isNumber(u.Value):
		case when == nil || at != nil && *at != *when:
			return false
		default:
			at = when
		}
	}
	return at != nil
}
