package render

import (
	"slices"

	"github.com/vigil-cds/vigil/explain/record"
)

// ages are the operators that ask how old the patient was, with what they count.
var ages = map[string]string{"age_at": "year", "age_months_at": "month"}

// aged is the patient's age at some time, compared with a number; false of anything else, and where there is no
// answer.
func (v *view) aged(x *record.Node, op string, holds bool, k float64) (clause, bool) {
	unit, ok := ages[x.Op]
	terms := slices.Collect(v.termsIn(x))
	if !ok || len(terms) == 0 {
		return clause{}, false
	}
	return clause{text: "the patient was " + counted(int(x.Value.Num), unit) + " old at " + v.mention(terms[len(terms)-1]) + ", " +
		ranking(holdWords, op, holds, x.Value.Num, k), rank: personal}, true
}

// sameDay says whether two times lie in one day; false of anything else, and where there is no answer.
func (v *view) sameDay(n *record.Node) (clause, bool) {
	terms := slices.Collect(v.termsIn(n))
	if n.Op != "same_day" || len(terms) != 2 || n.Truth == record.Unknown {
		return clause{}, false
	}
	are := " are of the same day"
	if n.Truth == record.False {
		are = " are not of the same day"
	}
	return clause{text: v.mention(terms[0]) + " and " + v.mention(terms[1]) + are, rank: measured}, true
}
