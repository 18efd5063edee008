package pointer

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/rules"
)

// Row is one patient's folded state under one rule set. A rule that it does not list is settled at the
// plan's baseline: what the rule is for a patient without any fact. A Row is immutable.
type Row struct {
	RuleSet  string      // the program's hash; indices below are into that program
	Rules    []RuleState // by rule index
	Atoms    []AtomState // of live rules, by atom index
	Pointers []Pointer   // of live atoms' terms, by term index
}

// RuleState is one rule that is live, or settled at something other than the baseline.
type RuleState struct {
	Rule  int32
	Live  bool
	Truth rules.Truth // when not Live
}

// AtomState is one atom of a live rule: settled at Truth, or Live.
type AtomState struct {
	Atom  int32
	Live  bool
	Truth rules.Truth
}

// Pointer is a term of a live atom: its settled value, or where its facts lie.
type Pointer struct {
	Term    int32
	Settled bool
	Value   rules.Value         // when Settled
	Streams []clinical.StreamID // when not: the series that hold facts for its input, ascending
}

// Streams are the series that the row's live pointers need, ascending.
func (r *Row) Streams() []clinical.StreamID {
	var all []clinical.StreamID
	for i := range r.Pointers {
		all = append(all, r.Pointers[i].Streams...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

const rowVersion = 1

// stateBits packs two bits: false, true, unknown, live.
func stateBits(live bool, t rules.Truth) uint64 {
	if live {
		return 3
	}
	return uint64(t)
}

// AppendTo appends the row's stored form: the version, the rule set, then each list with its count,
// indices as differences with the two state bits below them, and each stream once.
func (r *Row) AppendTo(b []byte) []byte {
	b = append(b, rowVersion)
	b = appendString(b, r.RuleSet)
	b = binary.AppendUvarint(b, uint64(len(r.Rules)))
	prev := int32(0)
	for _, s := range r.Rules {
		b = binary.AppendUvarint(b, uint64(s.Rule-prev)<<2|stateBits(s.Live, s.Truth))
		prev = s.Rule
	}
	b = binary.AppendUvarint(b, uint64(len(r.Atoms)))
	prev = 0
	for _, s := range r.Atoms {
		b = binary.AppendUvarint(b, uint64(s.Atom-prev)<<2|stateBits(s.Live, s.Truth))
		prev = s.Atom
	}
	streams := r.Streams()
	b = binary.AppendUvarint(b, uint64(len(streams)))
	for _, id := range streams {
		b = binary.BigEndian.AppendUint64(b, uint64(id))
	}
	b = binary.AppendUvarint(b, uint64(len(r.Pointers)))
	prev = 0
	for i := range r.Pointers {
		p := &r.Pointers[i]
		settled := uint64(0)
		if p.Settled {
			settled = 1
		}
		b = binary.AppendUvarint(b, uint64(p.Term-prev)<<1|settled)
		prev = p.Term
		if p.Settled {
			b = appendValue(b, p.Value)
			continue
		}
		b = binary.AppendUvarint(b, uint64(len(p.Streams)))
		for _, id := range p.Streams {
			at, _ := slices.BinarySearch(streams, id)
			b = binary.AppendUvarint(b, uint64(at))
		}
	}
	return b
}

// DecodeRow reads a stored row. It keeps no part of b.
func DecodeRow(b []byte) (*Row, error) {
	r := reader{b: b}
	if v := r.byte(); v != rowVersion {
		return nil, fmt.Errorf("%w: a row of version %d", ErrMalformed, v)
	}
	row := &Row{RuleSet: string(r.bytes())}
	if n := r.count(); n > 0 {
		row.Rules = make([]RuleState, n)
		at := int32(0)
		for i := range row.Rules {
			x := r.uvarint()
			at += int32(x >> 2)
			row.Rules[i] = RuleState{Rule: at, Live: x&3 == 3, Truth: settledTruth(x & 3)}
		}
	}
	if n := r.count(); n > 0 {
		row.Atoms = make([]AtomState, n)
		at := int32(0)
		for i := range row.Atoms {
			x := r.uvarint()
			at += int32(x >> 2)
			row.Atoms[i] = AtomState{Atom: at, Live: x&3 == 3, Truth: settledTruth(x & 3)}
		}
	}
	streams := make([]clinical.StreamID, r.count())
	for i := range streams {
		if b := r.take(8); b != nil {
			streams[i] = clinical.StreamID(binary.BigEndian.Uint64(b))
		}
	}
	if n := r.count(); n > 0 {
		row.Pointers = make([]Pointer, n)
		at := int32(0)
		for i := range row.Pointers {
			x := r.uvarint()
			at += int32(x >> 1)
			p := &row.Pointers[i]
			p.Term = at
			if p.Settled = x&1 == 1; p.Settled {
				p.Value = r.value()
				continue
			}
			p.Streams = make([]clinical.StreamID, r.count())
			for j := range p.Streams {
				k := r.uvarint()
				if k >= uint64(len(streams)) {
					return nil, fmt.Errorf("%w: a row's stream index", ErrMalformed)
				}
				p.Streams[j] = streams[k]
			}
		}
	}
	if r.bad || len(r.b) != 0 {
		return nil, fmt.Errorf("%w: a row", ErrMalformed)
	}
	return row, nil
}

func settledTruth(bits uint64) rules.Truth {
	if bits == 3 {
		return rules.False
	}
	return rules.Truth(bits)
}

// count reads a length, which can be no more than the bytes that are left.
func (r *reader) count() int {
	n := r.uvarint()
	if n > uint64(len(r.b)) {
		r.take(-1)
		return 0
	}
	return int(n)
}

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func appendValue(b []byte, v rules.Value) []byte {
	b = append(b, byte(v.Kind)<<2|byte(v.Bound+1))
	switch v.Kind {
	case rules.Missing:
	case rules.Text:
		b = appendString(b, v.Str)
	default:
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(v.Num))
	}
	return b
}

func (r *reader) value() rules.Value {
	x := r.byte()
	v := rules.Value{Kind: rules.ValueKind(x >> 2), Bound: clinical.Comparator(x&3) - 1}
	switch v.Kind {
	case rules.Missing:
	case rules.Text:
		v.Str = string(r.bytes())
	default:
		v.Num = math.Float64frombits(r.uint64())
	}
	return v
}
