package render

import (
	"fmt"
	"strings"

	"github.com/vigil-cds/vigil/explain/record"
)

// missing says what would be needed for one term.
func (v *view) missing(m record.Missing) string {
	text := plain(m.Reason)
	if 0 <= m.Term && m.Term < len(v.Terms) {
		text = plain(v.Terms[m.Term].Source) + ": " + text
	}
	if m.Latest != nil {
		text += " (" + v.summary(m.Latest) + ")"
	}
	return text
}

// blocker says how a condition that kept the rule from being true would have had to be.
func (v *view) blocker(b record.Blocker) string {
	text := fmt.Sprintf("%s is %s, wanted %s", plain(b.Source), b.Truth, b.Wanted)
	if b.Op == "" || b.Value.IsZero() || b.Threshold.IsZero() {
		return text + gains(b)
	}
	text += ": " + v.stated(b.Value, b.Unit) + " against " + b.Op + " " + v.stated(b.Threshold, b.Unit)
	if b.Distance == nil {
		return text + gains(b)
	}
	text += ", " + with(short(*b.Distance), b.Unit) + " away"
	if b.Relative != nil {
		text += " (" + times(*b.Relative*100) + "%)"
	}
	return text + gains(b)
}

// change says which single change of one fact makes the rule true; "" without a miss.
func (v *view) change() string {
	if v.Miss == nil {
		return ""
	}
	c := v.Miss.Change
	if c == nil {
		return "No single change of one fact was found that makes it true."
	}
	text := "True " + plain(strings.TrimSuffix(c.Text, ".")) + "."
	if c.Kind == record.Add {
		text = "True with " + plain(strings.TrimSuffix(c.Text, ".")) + "."
	}
	if c.Fact != nil {
		text += " (" + v.summary(c.Fact) + ")"
	}
	return text
}

// next says when time alone changes an answer.
func (v *view) next() string {
	if v.Next == nil {
		return "Nothing but new data changes this."
	}
	return capital(string(v.Next.Truth)) + " from " + v.inFull(v.Next.At) + " on, if nothing new arrives."
}
