package explain

import (
	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/rules"
)

// tally is the numbers of one input added up from the first on, so that a sum over any of its windows takes
// two steps. It says where a truth may change; whether it does, the terms themselves say.
type tally struct {
	// Of each, the place i is about the facts before the ith. What the sums have lost in rounding is kept
	// beside them: the sum of few small numbers after many great ones would be lost in it.
	sums, lost []float64
	valued     []int
	bounded    []int
}

func newTally(facts []member) *tally {
	n := len(facts) + 1
	t := &tally{sums: make([]float64, n), lost: make([]float64, n), valued: make([]int, n), bounded: make([]int, n)}
	for i, m := range facts {
		t.sums[i+1], t.lost[i+1], t.valued[i+1], t.bounded[i+1] = t.sums[i], t.lost[i], t.valued[i], t.bounded[i]
		if !hasValue(m) {
			continue
		}
		t.valued[i+1]++
		if m.value.Bound != clinical.Exactly {
			t.bounded[i+1]++
		}
		sum := t.sums[i] + m.value.Num
		part := sum - t.sums[i]
		t.lost[i+1] += (t.sums[i] - (sum - part)) + (m.value.Num - part)
		t.sums[i+1] = sum
	}
	return t
}

// reply is the term's answer now, but for rounding.
func (l *outlook) reply(t *rules.Term) rules.Value {
	switch t.Op {
	case rules.Sum, rules.Mean, rules.Delta:
	default:
		return l.reading.term(t, l.now)
	}
	sums := l.tallies[t.Input]
	if sums == nil {
		sums = newTally(l.input(t.Input))
		l.tallies[t.Input] = sums
	}
	facts := l.input(t.Input)
	earliest, latest := l.bounds(t, l.now)
	from, to := since(facts, earliest), since(facts, latest+1)
	if from >= to {
		return l.reading.term(t, l.now)
	}
	n := sums.valued[to] - sums.valued[from]
	sum := (sums.sums[to] - sums.sums[from]) + (sums.lost[to] - sums.lost[from])
	switch {
	case sums.bounded[to] > sums.bounded[from]:
		return rules.Value{}
	case t.Op == rules.Sum:
		return finite(sum)
	case t.Op == rules.Mean && n > 0:
		return finite(sum / float64(n))
	case t.Op == rules.Delta && n > 1:
		return finite(ends(rules.Last, facts[from:to]).Num - ends(rules.First, facts[from:to]).Num)
	}
	return rules.Value{}
}
