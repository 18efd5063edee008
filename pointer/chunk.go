package pointer

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/vigil-cds/vigil/internal/clinical"
)

// ChunkSize is the most entries a chunk holds. It bounds what one new fact rewrites, and how much of a
// long series an aggregate reads one by one at a window's edge.
const ChunkSize = 64

// Chunk is a run of up to ChunkSize entries of one series, stored as one value. It is immutable.
type Chunk struct {
	Fence   Fence
	Entries []Entry
	summary *summary // nil unless every entry is an exact number of one detail
}

// summary lets an aggregate take a chunk that lies wholly in its window without reading its entries.
type summary struct {
	detail        *clinical.Detail
	min, max, sum float64
}

func newChunk(f Fence, entries []Entry) *Chunk {
	return &Chunk{Fence: f, Entries: entries, summary: summarise(entries)}
}

func summarise(entries []Entry) *summary {
	d := entries[0].Detail
	if d.Type != clinical.Number || d.Comparator != clinical.Exactly {
		return nil
	}
	s := summary{detail: d, min: math.Inf(1), max: math.Inf(-1)}
	for i := range entries {
		e := &entries[i]
		if e.Detail != d {
			return nil
		}
		s.min, s.max, s.sum = min(s.min, e.Number), max(s.max, e.Number), s.sum+e.Number
	}
	return &s
}

func (c *Chunk) last() *Entry { return &c.Entries[len(c.Entries)-1] }

// How a chunk is stored: flags, the count, then the columns: times (the first, then differences),
// sequence numbers (likewise), details (each distinct one once, then an index an entry), ends where any
// differs from its time, the times of writing where there are any (likewise), and numbers: as decimals scaled to whole numbers where that is exact (they
// mostly are, and near each other), else as they are.
const (
	chunkOneDetail = 1 << iota // every entry has the one detail
	chunkEnds                  // some entry has a period
	chunkNumbers               // some number is not zero
	chunkScaled                // numbers are scaled decimals; the scale is a byte
	chunkAuthored              // some entry says when it was written down
)

// maxScale is the most decimals that scaled numbers keep: results seldom have more.
const maxScale = 4

// AppendTo appends the chunk's stored form, which does not include its fence.
func (c *Chunk) AppendTo(b []byte) []byte {
	var flags byte
	var details []*clinical.Detail
	index := make(map[*clinical.Detail]int, 1)
	for i := range c.Entries {
		e := &c.Entries[i]
		if _, ok := index[e.Detail]; !ok {
			index[e.Detail] = len(details)
			details = append(details, e.Detail)
		}
		if e.End != e.Time {
			flags |= chunkEnds
		}
		if e.Number != 0 {
			flags |= chunkNumbers
		}
		if e.Authored != 0 {
			flags |= chunkAuthored
		}
	}
	if len(details) == 1 {
		flags |= chunkOneDetail
	}
	scale, scaled := 0, false
	if flags&chunkNumbers != 0 {
		if scale, scaled = decimals(c.Entries); scaled {
			flags |= chunkScaled
		}
	}
	b = append(b, flags)
	b = binary.AppendUvarint(b, uint64(len(c.Entries)))
	var at clinical.Instant
	for i := range c.Entries {
		b = binary.AppendVarint(b, int64(c.Entries[i].Time-at)) // differences wrap, and unwrap again
		at = c.Entries[i].Time
	}
	var seq uint64
	for i := range c.Entries {
		b = binary.AppendVarint(b, int64(c.Entries[i].Seq-seq))
		seq = c.Entries[i].Seq
	}
	if len(details) > 1 {
		b = binary.AppendUvarint(b, uint64(len(details)))
	}
	for _, d := range details {
		bytes := d.AppendTo(nil)
		b = binary.AppendUvarint(b, uint64(len(bytes)))
		b = append(b, bytes...)
	}
	if len(details) > 1 {
		for i := range c.Entries {
			b = binary.AppendUvarint(b, uint64(index[c.Entries[i].Detail]))
		}
	}
	if flags&chunkEnds != 0 {
		for i := range c.Entries {
			b = binary.AppendVarint(b, int64(c.Entries[i].End-c.Entries[i].Time))
		}
	}
	if flags&chunkAuthored != 0 {
		for i := range c.Entries {
			b = binary.AppendVarint(b, int64(c.Entries[i].Authored-c.Entries[i].Time))
		}
	}
	switch {
	case scaled:
		b = append(b, byte(scale))
		var prev int64
		for i := range c.Entries {
			n := int64(math.Round(c.Entries[i].Number * pow10[scale]))
			b = binary.AppendVarint(b, n-prev)
			prev = n
		}
	case flags&chunkNumbers != 0:
		for i := range c.Entries {
			b = binary.LittleEndian.AppendUint64(b, math.Float64bits(c.Entries[i].Number))
		}
	}
	return b
}

var pow10 = [maxScale + 1]float64{1, 10, 100, 1000, 10000}

// decimals finds the least scale at which every number is a whole one that divides back exactly.
func decimals(entries []Entry) (scale int, ok bool) {
	for i := range entries {
		x := entries[i].Number
		for {
			n := math.Round(x * pow10[scale])
			if math.Abs(n) < 1<<53 && n/pow10[scale] == x && (n != 0 || !math.Signbit(x)) {
				break
			}
			if scale++; scale > maxScale {
				return 0, false
			}
		}
	}
	return scale, true
}

// DecodeChunk reads a stored chunk. It keeps no part of value.
func DecodeChunk(f Fence, value []byte, details *Details) (*Chunk, error) {
	r := reader{b: value}
	flags := r.byte()
	n := r.uvarint()
	if n == 0 || n > ChunkSize {
		return nil, fmt.Errorf("%w: a chunk of %d entries", ErrMalformed, n)
	}
	entries := make([]Entry, n)
	var at clinical.Instant
	for i := range entries {
		at += clinical.Instant(r.varint())
		entries[i].Time, entries[i].End = at, at
	}
	var seq uint64
	for i := range entries {
		seq += uint64(r.varint())
		entries[i].Seq = seq
	}
	kinds := uint64(1)
	if flags&chunkOneDetail == 0 {
		if kinds = r.uvarint(); kinds == 0 || kinds > n {
			return nil, fmt.Errorf("%w: a chunk of %d details", ErrMalformed, kinds)
		}
	}
	var room [4]*clinical.Detail
	table := room[:0]
	for range kinds {
		d, err := details.Decode(r.bytes())
		if err != nil {
			return nil, fmt.Errorf("%w: a chunk's detail: %w", ErrMalformed, err)
		}
		table = append(table, d)
	}
	for i := range entries {
		k := uint64(0)
		if flags&chunkOneDetail == 0 {
			k = r.uvarint()
		}
		if k >= kinds {
			return nil, fmt.Errorf("%w: a chunk's detail index", ErrMalformed)
		}
		entries[i].Detail = table[k]
	}
	if flags&chunkEnds != 0 {
		for i := range entries {
			entries[i].End = entries[i].Time + clinical.Instant(r.varint())
		}
	}
	if flags&chunkAuthored != 0 {
		for i := range entries {
			entries[i].Authored = entries[i].Time + clinical.Instant(r.varint())
		}
	}
	switch {
	case flags&chunkScaled != 0:
		scale := r.byte()
		if scale > maxScale {
			return nil, fmt.Errorf("%w: a chunk's scale", ErrMalformed)
		}
		var x int64
		for i := range entries {
			x += r.varint()
			entries[i].Number = float64(x) / pow10[scale]
		}
	case flags&chunkNumbers != 0:
		for i := range entries {
			entries[i].Number = math.Float64frombits(r.uint64())
		}
	}
	if r.bad || len(r.b) != 0 {
		return nil, fmt.Errorf("%w: a chunk", ErrMalformed)
	}
	return newChunk(f, entries), nil
}

// reader takes varints off a slice; after the first that is not there, bad is set and all are zero.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) take(n int) []byte {
	if n < 0 || n > len(r.b) {
		r.b, r.bad = nil, true
		return nil
	}
	b := r.b[:n]
	r.b = r.b[n:]
	return b
}

func (r *reader) byte() byte {
	if b := r.take(1); b != nil {
		return b[0]
	}
	return 0
}

func (r *reader) uvarint() uint64 {
	x, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.take(-1)
		return 0
	}
	r.b = r.b[n:]
	return x
}

func (r *reader) varint() int64 {
	x, n := binary.Varint(r.b)
	if n <= 0 {
		r.take(-1)
		return 0
	}
	r.b = r.b[n:]
	return x
}

func (r *reader) uint64() uint64 {
	if b := r.take(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

func (r *reader) bytes() []byte {
	n := r.uvarint()
	if n > uint64(len(r.b)) {
		return r.take(-1)
	}
	return r.take(int(n))
}
