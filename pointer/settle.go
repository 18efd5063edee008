package pointer

import (
	"cmp"
	"slices"

	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/rules"
)

// Settling is what became of the stream of a derived input: which facts belong to it now that did not, and
// which no longer do. The changes are in the order in which they were made.
type Settling struct {
	Stream  clinical.Stream
	Changes []Change
}

// Settle decides which facts belong to the program's derived inputs after the facts of some streams have
// changed. before is the history as it was settled last, which may be empty, and after the same with those
// streams as they are now. Only facts are judged anew whose time is one at which a changed fact can be seen
// by what the input asks.
func (p *Plan) Settle(before, after *History, streams []clinical.StreamID) (*History, []Settling) {
	if len(p.Program.Derived()) == 0 {
		return after, nil
	}
	s := p.settlement(after)
	defer p.end(s.evaluation)
	for _, id := range streams {
		s.compare(before.Get(id), after.Get(id))
	}
	return s.settle()
}

// SettleWhole decides it for a history that was never settled, or under another rule set, of whose derived
// streams nothing is left.
func (p *Plan) SettleWhole(h *History) (*History, []Settling) {
	var gone []Settling
	for _, series := range h.Series() {
		if series.Stream.Kind != clinical.KindDerived {
			continue
		}
		var all Change
		for _, c := range series.Chunks {
			all.Delete = append(all.Delete, c.Fence)
		}
		gone = append(gone, Settling{series.Stream, []Change{all}})
		h = h.With(&Series{ID: series.ID})
	}
	if len(p.Program.Derived()) == 0 {
		return h, gone
	}
	s := p.settlement(h)
	defer p.end(s.evaluation)
	for _, id := range p.Program.Derived() {
		s.dirty[id] = []span{{clinical.Never, clinical.Forever}}
	}
	h, settled := s.settle()
	return h, append(gone, settled...)
}

// span is a stretch of time, both ends inside.
type span struct{ from, to clinical.Instant }

// settlement judges facts. An evaluation holds which series feed which inputs, the derived ones as soon as
// they are settled.
type settlement struct {
	*evaluation
	history    *History
	candidates map[int32][]*Series
	settled    map[int32]map[clinical.StreamID]*Series // by derived input: its own streams
	changed    map[int32][]Entry                       // by input: facts that came or went
	dirty      map[int32][]span                        // by derived input: the times of the facts to judge
	answers    []rules.Value                           // scratch
}

func (p *Plan) settlement(h *History) *settlement {
	s := &settlement{evaluation: p.begin(clinical.Never), history: h, candidates: map[int32][]*Series{}, settled: map[int32]map[clinical.StreamID]*Series{},
		changed: map[int32][]Entry{}, dirty: map[int32][]span{}}
	for _, series := range h.Series() {
		fed := p.fedBy(series.ID, series.Stream)
		if series.Stream.Kind == clinical.KindDerived {
			for _, in := range fed.inputs { // none, if they are another rule set's
				if s.settled[in] == nil {
					s.settled[in] = map[clinical.StreamID]*Series{}
				}
				s.settled[in][series.ID] = series
			}
			continue
		}
		for _, in := range fed.inputs {
			s.feed(in, series)
		}
		for _, in := range fed.candidates {
			s.candidates[in] = append(s.candidates[in], series)
		}
	}
	return s
}

// compare notes the facts in which two versions of a series differ. They share the chunks that do not.
func (s *settlement) compare(before, after *Series) {
	var was, is []*Chunk
	stream := clinical.Stream{}
	if before != nil {
		was, stream = before.Chunks, before.Stream
	}
	if after != nil {
		is, stream = after.Chunks, after.Stream
	}
	gone := entriesBeside(was, is)
	came := entriesBeside(is, was)
	var differ []Entry
	for _, side := range [][2][]Entry{{gone, came}, {came, gone}} {
		for _, e := range side[0] {
			if _, both := slices.BinarySearchFunc(side[1], e.Fence(), byFence); !both {
				differ = append(differ, e)
			}
		}
	}
	fed := s.plan.fedBy(stream.ID(), stream)
	for _, in := range fed.inputs {
		s.changed[in] = append(s.changed[in], differ...)
	}
	for _, in := range fed.candidates {
		for _, e := range differ {
			s.dirty[in] = append(s.dirty[in], span{e.Time, e.Time})
		}
	}
}

// entriesBeside is the entries of the chunks that others do not have, in order.
func entriesBeside(chunks, others []*Chunk) []Entry {
	var entries []Entry
	for _, c := range chunks {
		if !slices.Contains(others, c) {
			entries = append(entries, c.Entries...)
		}
	}
	return entries
}

func byFence(e Entry, f Fence) int {
	return cmp.Or(cmp.Compare(e.Time, f.Time), cmp.Compare(e.Seq, f.Seq))
}

func (s *settlement) settle() (*History, []Settling) {
	var all []Settling
	for _, id := range s.plan.Program.Derived() {
		in := s.plan.Program.Inputs[id]
		for _, t := range in.Terms {
			for i := range s.changed[int32(t.Input)] {
				if from, to := s.seenFrom(t, &s.changed[int32(t.Input)][i]); from <= to {
					s.dirty[id] = append(s.dirty[id], span{from, to})
				}
			}
		}
		dirty := merged(s.dirty[id])
		settled := s.settled[id]
		if len(dirty) > 0 {
			for _, source := range s.candidates[id] {
				stream := in.SettledIn(source.Stream)
				series := settled[stream.ID()]
				if series == nil {
					series = &Series{ID: stream.ID(), Stream: stream}
				}
				delete(settled, series.ID)
				all = s.judge(all, in, source, series, dirty)
			}
			for _, series := range settled { // of whose source nothing is left
				all = s.judge(all, in, &Series{}, series, dirty)
			}
			continue
		}
		for _, series := range settled {
			s.feed(id, series)
		}
	}
	return s.history, all
}

// judge settles the facts of a stream at the times that are dirty, and lets the input have them.
func (s *settlement) judge(all []Settling, in *rules.Input, source, series *Series, dirty []span) []Settling {
	id := int32(in.ID)
	out := Settling{Stream: series.Stream}
	for _, at := range dirty {
		belong := s.belonging(in, source, at)
		for _, e := range within(series, at) {
			if _, still := slices.BinarySearchFunc(belong, e.Fence(), byFence); !still {
				next, change, _ := series.Remove(e.Fence())
				series, out.Changes = next, append(out.Changes, change)
				s.changed[id] = append(s.changed[id], e)
			}
		}
		for _, e := range belong {
			if _, held := series.Get(e.Fence()); !held {
				next, change := series.Insert(e)
				series, out.Changes = next, append(out.Changes, change)
				s.changed[id] = append(s.changed[id], e)
			}
		}
	}
	if len(out.Changes) > 0 {
		s.history = s.history.With(series)
		all = append(all, out)
	}
	if len(series.Chunks) > 0 {
		s.feed(id, series)
	}
	return all
}

// belonging is the facts of a source that belong to a derived input in a stretch of time, in order.
func (s *settlement) belonging(in *rules.Input, source *Series, at span) []Entry {
	var belong []Entry
	for c := place(source, at.from, true); ; c.forward() {
		e := c.peek()
		if e == nil || e.Time > at.to {
			return belong
		}
		fact := source.fact(e)
		if in.Candidate(&fact) && in.Admits(&fact, s.anchored(in, e)) {
			belong = append(belong, *e)
		}
	}
}

func within(s *Series, at span) []Entry {
	var entries []Entry
	for c := place(s, at.from, true); ; c.forward() {
		e := c.peek()
		if e == nil || e.Time > at.to {
			return entries
		}
		entries = append(entries, *e)
	}
}

// anchored answers what a derived input asks, as of a fact. The answers are good until the next call.
func (s *settlement) anchored(in *rules.Input, e *Entry) []rules.Value {
	s.answers = s.answers[:0]
	program := s.plan.Program
	for _, t := range in.Terms {
		q := ask(t, program.Inputs[t.Input], program.Zone, s.series[t.Input], e.Time)
		var v rules.Value
		switch {
		case t.Op == rules.Overlaps:
			v = q.overlaps(e)
		case t.Window.During:
			q.lower, q.upper = e.Time, e.End
			v, _ = q.resolve()
		default:
			v, _ = q.resolve()
		}
		s.answers = append(s.answers, v)
	}
	return s.answers
}

// overlaps says whether another fact's period shares an instant with this one's.
func (q *question) overlaps(with *Entry) rules.Value {
	if len(q.facts.series) == 0 {
		return rules.BoolOf(false)
	}
	var w walk
	w.from(&q.facts, clinical.Never, false)
	for {
		f, ok := w.next()
		if !ok || f.entry.Time > with.End {
			return rules.BoolOf(false)
		}
		if f.entry.End >= with.Time && f.entry.Seq != with.Seq {
			return rules.BoolOf(true)
		}
	}
}

// seenFrom is the stretch of times from which the term can see the fact, or for a period another whose
// own time says nothing of how long it is.
func (s *settlement) seenFrom(t *rules.Term, e *Entry) (from, to clinical.Instant) {
	zone := s.plan.Program.Zone
	switch {
	case t.Op.OfPatient():
		return clinical.Never, clinical.Forever
	case t.Window.Day != rules.NoDay && e.Time == clinical.Never && t.Op != rules.Active:
		return clinical.Forever, clinical.Never
	case t.Window.Day == rules.LastDay:
		return e.Time, clinical.Forever
	case t.Op == rules.Active && t.Window.All:
		return e.Time, e.End
	case t.Op == rules.Overlaps, t.Op == rules.Active && t.Window.During:
		return clinical.Never, e.End
	case t.Op == rules.Active && e.End == clinical.Forever:
		return firstSeen(t.Window, e.Time, zone), clinical.Forever
	case t.Op == rules.Active:
		return firstSeen(t.Window, e.Time, zone), unseen(t.Window, e.End+edge, zone) - 1
	case t.Window.During:
		return clinical.Never, e.Time
	case t.Window.All:
		return e.Time, clinical.Forever
	}
	return firstSeen(t.Window, e.Time, zone), unseen(t.Window, e.Time+edge, zone) - 1
}

// merged is the spans in order, those that meet made one.
func merged(spans []span) []span {
	slices.SortFunc(spans, func(x, y span) int { return cmp.Compare(x.from, y.from) })
	var out []span
	for _, s := range spans {
		if n := len(out); n > 0 && s.from <= out[n-1].to {
			out[n-1].to = max(out[n-1].to, s.to)
			continue
		}
		out = append(out, s)
	}
	return out
}
