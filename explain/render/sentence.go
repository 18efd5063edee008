package render

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/vigil-cds/vigil/explain/record"
)

// Sentence says in one sentence why the rule is as it is, for a clinician to read aloud: "Fired 14:02
// because creatinine 1.9 mg/dL (12:40) is 1.6 times the lowest in 7 days, 1.2 (3 May)." Of many reasons it
// names three and counts the rest; of alternatives that each would have been enough it names one. Of a false
// answer it names what would have had to be otherwise, where the explanation says that.
//
// It is one line without control characters, whatever the facts say.
func Sentence(e *record.Explanation, zone *time.Location) string {
	v := viewOf(e, zone)
	reasons := v.telling(v.reasons())
	lead, full := v.lead()
	if len(reasons) == 0 {
		reasons = []clause{{text: "the condition asks nothing of the patient"}}
	}
	return plain(lead + listed(reasons, full) + v.remedy() + ".")
}

// clause is one reason.
type clause struct {
	verb string // what makes the text a whole clause behind "because": "there was"
	text string
	last string // an afterthought: "the last was 2.1 (28 April)"
	rank rank
}

// rank says how much a reason tells, the most telling first.
type rank int

const (
	decisive rank = iota // what has just changed, or what would have to
	measured
	present
	personal
	absent
	grouped // several in one, which comes last since it is a list itself
)

// most is how many reasons a sentence names.
const most = 3

// telling leaves out, where it is known what would have had to be otherwise, all but that.
func (v *view) telling(reasons []clause) []clause {
	isDecisive := func(c clause) bool { return c.rank == decisive }
	if v.Miss == nil || !slices.ContainsFunc(reasons, isDecisive) {
		return reasons
	}
	return slices.DeleteFunc(reasons, func(c clause) bool { return !isDecisive(c) && c.rank != grouped })
}

// listed is reasons in a row, the most telling first and each once; each a whole clause where full is set.
func listed(reasons []clause, full bool) string {
	slices.SortStableFunc(reasons, func(x, y clause) int { return int(x.rank) - int(y.rank) })
	var once []clause
	for _, c := range reasons {
		if !slices.ContainsFunc(once, func(o clause) bool { return o.text == c.text }) {
			once = append(once, c)
		}
	}
	afterthought := ", "
	if len(once) == 1 {
		afterthought = "; "
	}
	var words []string
	for _, c := range once[:min(len(once), most)] {
		text := c.text
		if full {
			text = joined(c.verb, text)
		}
		if c.last != "" {
			text += afterthought + c.last
		}
		words = append(words, text)
	}
	if over := len(once) - most; over > 0 {
		words = append(words, strconv.Itoa(over)+" more")
	}
	return and(words)
}

// lead begins the sentence, and says whether whole clauses are to follow.
func (v *view) lead() (lead string, full bool) {
	if v.Kind == record.Answer {
		switch v.Truth {
		case record.True:
			return "True" + v.ofPeriod() + ": ", false
		case record.False:
			return "Not true" + v.ofPeriod() + ": ", false
		}
		return "Not known" + v.ofPeriod() + ": ", false
	}
	at := v.at.Format("15:04")
	if v.Since != nil && !sameDay(moment(*v.Since).In(v.zone), v.at) {
		at = v.at.Format("2 January 15:04")
	}
	lead = capital(string(v.Kind)) + " " + at + v.ofPeriod() + " because "
	switch c := v.Explanation.Cause; {
	case c == nil:
	case c.Kind == record.CauseTime:
		return lead + "time passed: ", false
	case c.Kind == record.CauseActivation:
		return lead + "the rules changed: ", false
	case len(c.Gone) > 0 && len(c.Facts) == 0:
		return lead + "a record was withdrawn: ", false
	case len(c.Gone) > 0:
		return lead + "a record was updated: ", false
	}
	if v.Truth == record.Unknown {
		return lead + "it is no longer known: ", false
	}
	return lead, true
}

// remedy says what would make a false rule true.
func (v *view) remedy() string {
	if v.Miss == nil || v.Miss.Change == nil {
		return ""
	}
	text := respelled(strings.TrimSuffix(plain(v.Miss.Change.Text), "."), v.Miss.Change.Input)
	if v.Miss.Change.Kind == record.Remove {
		return "; " + text + " it would fire"
	}
	return "; " + text + " would fire it"
}
