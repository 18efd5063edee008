package pointer

import (
	"math"

	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/rules"
)

// extreme is min and max. Without comparators it holds until the last fact of that value has left, or
// one beyond it enters; with them, until anything enters or leaves.
func (q *question) extreme() (rules.Value, clinical.Instant) {
	sign := 1.0 // of max; min is max of the negated
	if q.term.Op == rules.Min {
		sign = -1
	}
	var best float64
	var bounds struct{ toward, away, atBest bool } // Above and Below values for max, the other way round for min
	var firstAt, bestAt clinical.Instant
	n := 0
	q.scan(func(e *Entry, v rules.Value) {
		x := sign * v.Num
		if n == 0 || x > best {
			best, bounds.atBest = x, false
		}
		if x == best {
			bestAt = e.Time
		}
		switch clinical.Comparator(sign) * v.Bound {
		case clinical.Above:
			bounds.toward = true
		case clinical.Below:
			bounds.away = true
			bounds.atBest = bounds.atBest || x == best
		}
		if n == 0 {
			firstAt = e.Time
		}
		n++
	}, func(c *Chunk) {
		x := c.summary.max
		if q.term.Op == rules.Min {
			x = -c.summary.min
		}
		if n == 0 || x > best {
			best, bounds.atBest = x, false
		}
		if x == best {
			for i := len(c.Entries) - 1; i >= 0; i-- {
				if sign*c.Entries[i].Number == best {
					bestAt = c.Entries[i].Time
					break
				}
			}
		}
		if n == 0 {
			firstAt = c.Entries[0].Time
		}
		n += len(c.Entries)
	})
	var w walk
	w.from(&q.facts, q.upper, true)
	if n == 0 {
		if next, ok := w.nextValued(); ok {
			return rules.Value{}, q.enters(next.entry.Time)
		}
		return rules.Value{}, clinical.Forever
	}
	v := rules.NumberOf(sign * best)
	if bounds.toward || bounds.away {
		switch {
		case bounds.toward && bounds.away:
			v = rules.Value{}
		case bounds.toward:
			v.Bound = clinical.Above * clinical.Comparator(sign)
		case bounds.atBest:
			v.Bound = clinical.Below * clinical.Comparator(sign)
		}
		until := q.leaves(firstAt)
		if next, ok := w.nextValued(); ok {
			until = min(until, q.enters(next.entry.Time))
		}
		return v, until
	}
	until := q.leaves(bestAt)
	for {
		next, ok := w.nextValued()
		if !ok || q.enters(next.entry.Time) >= until && sign*next.value.Num != best {
			return v, until
		}
		in := q.enters(next.entry.Time)
		switch x := sign * next.value.Num; {
		case in > until:
			return v, until
		case next.value.Bound != clinical.Exactly || x > best:
			return v, min(until, in)
		case x == best:
			until = q.leaves(next.entry.Time)
		}
	}
}

// aggregate is count, sum, mean and delta: each may change whenever a fact enters or leaves.
func (q *question) aggregate() (rules.Value, clinical.Instant) {
	counting := q.term.Op == rules.Count
	n, sum, bounded := 0, 0.0, false
	var firstAt clinical.Instant
	var firstValue, lastValue float64
	each := func(e *Entry, v rules.Value) {
		if n == 0 {
			firstAt, firstValue = e.Time, v.Num
		}
		n++
		sum, lastValue = sum+v.Num, v.Num
		bounded = bounded || v.Bound != clinical.Exactly
	}
	whole := func(c *Chunk) {
		if n == 0 {
			firstAt, firstValue = c.Entries[0].Time, c.Entries[0].Number
		}
		n += len(c.Entries)
		sum, lastValue = sum+c.summary.sum, c.last().Number
	}
	if counting {
		q.scanAll(each, whole)
	} else {
		q.scan(each, whole)
	}
	until := clinical.Forever
	if n > 0 {
		until = q.leaves(firstAt)
	}
	var w walk
	w.from(&q.facts, q.upper, true)
	next := w.nextValued
	if counting {
		next = w.next
	}
	if f, ok := next(); ok {
		until = min(until, q.enters(f.entry.Time))
	}
	switch {
	case counting:
		return rules.NumberOf(float64(n)), until
	case bounded, q.term.Op == rules.Mean && n == 0, q.term.Op == rules.Delta && n < 2:
		return rules.Value{}, until
	case q.term.Op == rules.Mean:
		return finite(sum / float64(n)), until
	case q.term.Op == rules.Delta:
		return finite(lastValue - firstValue), until
	}
	return finite(sum), until
}

func finite(x float64) rules.Value {
	if math.IsInf(x, 0) || math.IsNaN(x) {
		return rules.Value{}
	}
	return rules.NumberOf(x)
}

// scan gives each valued fact in the window, in order; a chunk that lies wholly in the window and whose
// summary speaks for the input is given whole. With several series it merges them and takes no chunk whole.
func (q *question) scan(each func(*Entry, rules.Value), whole func(*Chunk)) {
	q.scanAll(func(e *Entry, v rules.Value) {
		if v.Kind != rules.Missing {
			each(e, v)
		}
	}, whole)
}

func (q *question) scanAll(each func(*Entry, rules.Value), whole func(*Chunk)) {
	if len(q.facts.series) > 1 {
		var w walk
		w.from(&q.facts, q.lower, false)
		for {
			f, ok := w.next()
			if !ok || f.entry.Time > q.upper {
				return
			}
			each(f.entry, f.value)
		}
	}
	for c := place(q.facts.series[0], q.lower, true); c.peek() != nil; {
		chunk := c.series.Chunks[c.chunk]
		if c.next == 0 && chunk.last().Time <= q.upper && q.facts.takesWhole(c.series, chunk) {
			whole(chunk)
			c.chunk++
			continue
		}
		e := c.peek()
		if e.Time > q.upper {
			return
		}
		if v, ok := q.facts.accept(c.series, e); ok {
			each(e, v)
		}
		c.forward()
	}
}

// takesWhole reports whether every entry of the chunk belongs to the input with its number as it is.
func (f *facts) takesWhole(s *Series, c *Chunk) bool {
	if c.summary == nil || !f.plain || f.input.Type != clinical.Number ||
		f.input.Unit != "" && f.input.Unit != c.summary.detail.Unit {
		return false
	}
	v, ok := f.accept(s, &c.Entries[0])
	return ok && v.Kind == rules.Number
}
