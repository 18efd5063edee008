package record

import "encoding/json"

// A list that is always there is written as [] when it is empty, whether or not whoever made the value
// made the list. The types without methods keep these from calling themselves.
type (
	plainExplanation Explanation
	plainTerm        Term
	plainFact        Fact
	plainMiss        Miss
	plainBlocker     Blocker
	plainDifference  Difference
)

// MarshalJSON writes the explanation as schema.json says.
func (e Explanation) MarshalJSON() ([]byte, error) {
	e.Terms, e.Facts, e.Suffices = list(e.Terms), list(e.Facts), list(e.Suffices)
	return json.Marshal(plainExplanation(e))
}

// MarshalJSON writes the term as schema.json says.
func (t Term) MarshalJSON() ([]byte, error) {
	t.Uses = list(t.Uses)
	return json.Marshal(plainTerm(t))
}

// MarshalJSON writes the fact as schema.json says.
func (f Fact) MarshalJSON() ([]byte, error) {
	f.Codes = list(f.Codes)
	return json.Marshal(plainFact(f))
}

// MarshalJSON writes the miss as schema.json says.
func (m Miss) MarshalJSON() ([]byte, error) {
	m.Blockers = list(m.Blockers)
	return json.Marshal(plainMiss(m))
}

// MarshalJSON writes the blocker as schema.json says.
func (b Blocker) MarshalJSON() ([]byte, error) {
	b.Terms = list(b.Terms)
	return json.Marshal(plainBlocker(b))
}

// MarshalJSON writes the difference as schema.json says.
func (d Difference) MarshalJSON() ([]byte, error) {
	d.Changes = list(d.Changes)
	return json.Marshal(plainDifference(d))
}

// list is a list that is not nil.
func list[T any](x []T) []T {
	if x == nil {
		return []T{}
	}
	return x
}
