package source

import (
	"encoding/binary"
	"maps"
	"slices"
)

// progress says what of one partition was taken: everything before next, and some records after it. It is for
// one goroutine.
type progress struct {
	next  int64
	taken map[int64]bool
}

// has says whether a record was taken.
func (p *progress) has(offset int64) bool { return offset < p.next || p.taken[offset] }

// take notes that a record was.
func (p *progress) take(offset int64) {
	if p.has(offset) {
		return
	}
	if offset > p.next {
		if p.taken == nil {
			p.taken = map[int64]bool{}
		}
		p.taken[offset] = true
		return
	}
	for p.next++; p.taken[p.next]; p.next++ {
		delete(p.taken, p.next)
	}
}

// advance notes that there is nothing from one offset to another: it was compacted away, or is Kafka's own.
func (p *progress) advance(from, to int64) {
	if p.next == from && len(p.taken) == 0 {
		p.next = max(to, from)
		return
	}
	for offset := from; offset < to; offset++ {
		p.take(offset)
	}
}

func (p *progress) marshal() []byte {
	b := binary.AppendUvarint(nil, uint64(p.next))
	for _, offset := range slices.Sorted(maps.Keys(p.taken)) {
		b = binary.AppendUvarint(b, uint64(offset-p.next))
	}
	return b
}

func unmarshalProgress(b []byte) (*progress, bool) {
	next, n := binary.Uvarint(b)
	if n <= 0 {
		return nil, false
	}
	p := &progress{next: int64(next)}
	for b = b[n:]; len(b) > 0; b = b[n:] {
		after, m := binary.Uvarint(b)
		if n = m; n <= 0 {
			return nil, false
		}
		p.take(p.next + int64(after))
	}
	return p, true
}
