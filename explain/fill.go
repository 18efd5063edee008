package explain

import (
	"slices"

	"github.com/vigil-cds/vigil/explain/record"
	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/rules"
)

// answerTo completes an explanation of the rule at now, whose terms are written down already, as an answer to
// somebody who asked: with what is missing where the rule is unknown, what kept it from being true where it
// is false, and when time alone changes it, up to the instant until. It is for a reading of a whole history.
func (r *reading) answerTo(e *record.Explanation, rule *rules.Rule, now, until clinical.Instant, factOf func(Statement) record.Fact) {
	place := func(t *rules.Term) int {
		return slices.IndexFunc(e.Terms, func(x record.Term) bool { return x.Source == t.Source })
	}
	switch r.truth(rule, now) {
	case rules.Unknown:
		for _, m := range r.missing(rule, now) {
			out := record.Missing{Term: place(m.Term), Reason: m.Reason}
			if m.Latest != nil {
				latest := factOf(m.Latest.Statement)
				out.Latest = &latest
			}
			e.Missing = append(e.Missing, out)
		}
	case rules.False:
		blockers := r.miss(rule, now)
		e.Miss = &record.Miss{Blockers: make([]record.Blocker, len(blockers))}
		for i, b := range blockers {
			e.Miss.Blockers[i] = b.record(place)
		}
		if change, ok := r.remedy(rule, now, blockers); ok {
			e.Miss.Change = change.record(factOf)
		}
	}
	if next, ok := r.nextOf(rule, now, until); ok {
		e.Next = &record.Next{At: record.Instant(next.At), Truth: record.TruthOf(next.Truth)}
	}
}

func (b *blocker) record(place func(*rules.Term) int) record.Blocker {
	out := record.Blocker{Source: b.Expr.String(), Truth: record.TruthOf(b.Truth), Wanted: record.TruthOf(b.Wanted), Terms: []int{}}
	for _, t := range termsOf(b.Expr) {
		if i := place(t); !slices.Contains(out.Terms, i) {
			out.Terms = append(out.Terms, i)
		}
	}
	for _, g := range b.Gains {
		out.Gains = append(out.Gains, record.Gain{Source: g.Item.String(), Points: g.Points})
	}
	if s := b.Sides; s != nil {
		out.Value, out.Op, out.Threshold = record.Value(s.Left), s.Op, record.Value(s.Right)
		out.Distance, out.Relative, out.Unit = s.Distance, s.Relative, s.Unit
	}
	return out
}

func (x *remedy) record(factOf func(Statement) record.Fact) *record.Change {
	out := &record.Change{Kind: x.Kind, Input: x.Input.Name, Value: record.Value(x.Value), Text: x.Text}
	if x.Value.Kind == rules.Number {
		out.Unit = x.Input.Unit
	}
	if x.Fact != nil {
		fact := factOf(*x.Fact)
		out.Fact = &fact
	}
	return out
}
