package pointer

import (
	"sort"

	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/rules"
)

// facts are the entries of the series that feed one input, seen through the input's filter, in order of
// (Time, Seq) over all the series.
type facts struct {
	input  *rules.Input
	series []*Series

	limit    clinical.Instant // no later fact is walked to
	plain    bool             // membership depends on the detail alone
	rejected *clinical.Detail // the last detail that a plain input refused
}

func factsOf(in *rules.Input, series []*Series) facts {
	return facts{input: in, series: series, limit: clinical.Forever, plain: in.Plain()}
}

// accept passes an entry through the filter.
func (f *facts) accept(s *Series, e *Entry) (rules.Value, bool) {
	if f.plain && e.Detail == f.rejected {
		return rules.Value{}, false
	}
	stated := s.fact(e)
	v, ok := f.input.Accept(&stated)
	if !ok && f.plain {
		f.rejected = e.Detail
	}
	return v, ok
}

// fact is what an entry of the series states.
func (s *Series) fact(e *Entry) clinical.Fact {
	return clinical.Fact{Stream: s.Stream, Time: e.Time, End: e.End, Authored: e.Authored, Number: e.Number, Detail: e.Detail}
}

// fact is an accepted entry and its value, which is missing when it has none of the input's type.
type fact struct {
	series *Series
	entry  *Entry
	value  rules.Value
}

// cursor is a place between two entries of one series.
type cursor struct {
	series      *Series
	chunk, next int // the entry after the place; chunk == len(Chunks) at the end
}

// place puts a cursor behind every entry with time <= t, or with before in front of every one with time >= t.
func place(s *Series, t clinical.Instant, before bool) cursor {
	at := func(e *Entry) bool { return e.Time > t || before && e.Time == t }
	// The last chunk whose first entry is not yet at the place may hold it; all later ones lie behind.
	i := sort.Search(len(s.Chunks), func(i int) bool { return at(&s.Chunks[i].Entries[0]) }) - 1
	if i < 0 {
		return cursor{series: s}
	}
	entries := s.Chunks[i].Entries
	c := cursor{series: s, chunk: i, next: sort.Search(len(entries), func(j int) bool { return at(&entries[j]) })}
	if c.next == len(entries) {
		c.chunk, c.next = i+1, 0
	}
	return c
}

func (c *cursor) peek() *Entry {
	if c.chunk == len(c.series.Chunks) {
		return nil
	}
	return &c.series.Chunks[c.chunk].Entries[c.next]
}

func (c *cursor) forward() {
	if c.next++; c.next == len(c.series.Chunks[c.chunk].Entries) {
		c.chunk, c.next = c.chunk+1, 0
	}
}

// back steps over the entry before the place and returns it; nil at the beginning.
func (c *cursor) back() *Entry {
	if c.next > 0 {
		c.next--
	} else if c.chunk > 0 {
		c.chunk--
		c.next = len(c.series.Chunks[c.chunk].Entries) - 1
	} else {
		return nil
	}
	return &c.series.Chunks[c.chunk].Entries[c.next]
}

// walk goes through accepted facts in order of (Time, Seq).
type walk struct {
	facts   *facts
	room    [4]cursor
	cursors []cursor
}

// from starts a walk at the first entry with time >= t, or with time > t when after is set.
func (w *walk) from(f *facts, t clinical.Instant, after bool) {
	w.facts = f
	w.cursors = w.room[:0]
	for _, s := range f.series {
		if c := place(s, t, !after); c.peek() != nil {
			w.cursors = append(w.cursors, c)
		}
	}
}

// next is the next accepted fact; false at the end.
func (w *walk) next() (fact, bool) {
	for {
		var least *cursor
		var entry *Entry
		for i := range w.cursors {
			c := &w.cursors[i]
			if e := c.peek(); e != nil && (entry == nil || e.Fence().Less(entry.Fence())) {
				least, entry = c, e
			}
		}
		if entry == nil || entry.Time > w.facts.limit {
			return fact{}, false
		}
		least.forward()
		if v, ok := w.facts.accept(least.series, entry); ok {
			return fact{least.series, entry, v}, true
		}
	}
}

// nextValued is the next accepted fact that has a value.
func (w *walk) nextValued() (fact, bool) {
	for {
		f, ok := w.next()
		if !ok || f.value.Kind != rules.Missing {
			return f, ok
		}
	}
}

// latest is the last accepted fact with lower <= time <= upper (that has a value, if valued).
func (f *facts) latest(lower, upper clinical.Instant, valued bool) (best fact, ok bool) {
	for _, s := range f.series {
		c := place(s, upper, false)
		for e := c.back(); e != nil && e.Time >= lower; e = c.back() {
			if ok && e.Fence().Less(best.entry.Fence()) {
				break
			}
			if v, in := f.accept(s, e); in && !(valued && v.Kind == rules.Missing) {
				best, ok = fact{s, e, v}, true
				break
			}
		}
	}
	return best, ok
}
