package pointer

import (
	"slices"
	"sort"

	"github.com/vigil-cds/vigil/internal/clinical"
)

// Series is one stream of one patient's facts in order of (Time, Seq), cut into chunks. Each chunk holds
// the entries from its fence up to the next chunk's; no chunk is empty. A Series is immutable: Insert
// and Remove return the next one, which shares all chunks that did not change.
type Series struct {
	ID     clinical.StreamID
	Stream clinical.Stream
	Chunks []*Chunk
}

// Change is what the store must write after Insert or Remove.
type Change struct {
	Put    []*Chunk
	Delete []Fence
}

// Insert adds an entry, whose (Time, Seq) must not be there yet. An entry later than all others starts
// a new chunk when the last is full, so that a stream that only grows has full chunks; an entry into
// the midst of a full chunk halves it.
func (s *Series) Insert(e Entry) (*Series, Change) {
	if len(s.Chunks) == 0 {
		c := newChunk(first, []Entry{e})
		return s.with(0, 0, c), Change{Put: []*Chunk{c}}
	}
	at := e.Fence()
	i := s.chunkOf(at)
	if i < 0 { // before the first chunk's fence: a former first chunk is gone
		c := newChunk(first, []Entry{e})
		return s.with(0, 0, c), Change{Put: []*Chunk{c}}
	}
	old := s.Chunks[i]
	j := old.search(at)
	if len(old.Entries) < ChunkSize {
		c := newChunk(old.Fence, insertEntry(old.Entries, j, e))
		return s.with(i, i+1, c), Change{Put: []*Chunk{c}}
	}
	if j == len(old.Entries) && i == len(s.Chunks)-1 {
		c := newChunk(at, []Entry{e})
		return s.with(i+1, i+1, c), Change{Put: []*Chunk{c}}
	}
	all := insertEntry(old.Entries, j, e)
	half := len(all) / 2
	left, right := newChunk(old.Fence, all[:half:half]), newChunk(all[half].Fence(), all[half:])
	return s.with(i, i+1, left, right), Change{Put: []*Chunk{left, right}}
}

// Remove takes the entry at f out; false when there is none.
func (s *Series) Remove(f Fence) (*Series, Change, bool) {
	i := s.chunkOf(f)
	if i < 0 {
		return s, Change{}, false
	}
	old := s.Chunks[i]
	j := old.search(f)
	if j == len(old.Entries) || old.Entries[j].Fence() != f {
		return s, Change{}, false
	}
	if len(old.Entries) == 1 {
		return s.with(i, i+1), Change{Delete: []Fence{old.Fence}}, true
	}
	rest := make([]Entry, 0, len(old.Entries)-1)
	rest = append(append(rest, old.Entries[:j]...), old.Entries[j+1:]...)
	c := newChunk(old.Fence, rest)
	return s.with(i, i+1, c), Change{Put: []*Chunk{c}}, true
}

// Get finds the entry at f.
func (s *Series) Get(f Fence) (*Entry, bool) {
	if i := s.chunkOf(f); i >= 0 {
		c := s.Chunks[i]
		if j := c.search(f); j < len(c.Entries) && c.Entries[j].Fence() == f {
			return &c.Entries[j], true
		}
	}
	return nil, false
}

// At calls f for the entries of one instant, in order, until it returns false.
func (s *Series) At(t clinical.Instant, f func(*Entry) bool) {
	for c := place(s, t, true); ; c.forward() {
		if e := c.peek(); e == nil || e.Time != t || !f(e) {
			return
		}
	}
}

// Len counts the entries.
func (s *Series) Len() int {
	n := 0
	for _, c := range s.Chunks {
		n += len(c.Entries)
	}
	return n
}

func (s *Series) with(i, j int, c ...*Chunk) *Series {
	chunks := make([]*Chunk, 0, len(s.Chunks)+len(c))
	chunks = append(append(append(chunks, s.Chunks[:i]...), c...), s.Chunks[j:]...)
	return &Series{ID: s.ID, Stream: s.Stream, Chunks: chunks}
}

// chunkOf is the chunk in whose bounds f lies, or -1 when f comes before them all.
func (s *Series) chunkOf(f Fence) int {
	return sort.Search(len(s.Chunks), func(i int) bool { return f.Less(s.Chunks[i].Fence) }) - 1
}

// search is the index of the first entry at or after f.
func (c *Chunk) search(f Fence) int {
	return sort.Search(len(c.Entries), func(i int) bool { return !c.Entries[i].Fence().Less(f) })
}

func insertEntry(entries []Entry, at int, e Entry) []Entry {
	out := make([]Entry, 0, len(entries)+1)
	return append(append(append(out, entries[:at]...), e), entries[at:]...)
}

// History is the series of one patient, by ID: all of them, or as many as a read needs. It is immutable.
type History struct{ series []*Series }

// NewHistory sorts the series by ID. The slice is the History's from then on.
func NewHistory(series ...*Series) *History {
	slices.SortFunc(series, func(a, b *Series) int {
		if a.ID < b.ID {
			return -1
		}
		return 1
	})
	return &History{series}
}

// Series lists them by ID; the slice must not be changed.
func (h *History) Series() []*Series { return h.series }

// Get finds a series; nil when the patient (or this part of the history) has none.
func (h *History) Get(id clinical.StreamID) *Series {
	if i := h.search(id); i < len(h.series) && h.series[i].ID == id {
		return h.series[i]
	}
	return nil
}

// With is the history with s in place of the series of the same ID; one without chunks is dropped.
func (h *History) With(s *Series) *History {
	i := h.search(s.ID)
	j := i
	if i < len(h.series) && h.series[i].ID == s.ID {
		j++
	}
	next := make([]*Series, 0, len(h.series)+1)
	next = append(next, h.series[:i]...)
	if len(s.Chunks) > 0 {
		next = append(next, s)
	}
	return &History{append(next, h.series[j:]...)}
}

func (h *History) search(id clinical.StreamID) int {
	return sort.Search(len(h.series), func(i int) bool { return h.series[i].ID >= id })
}
