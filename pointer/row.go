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
	RuleSet string // the program's hash; indices below are into that program
	Scope          // about the patient
	Periods []PeriodRow
}

// Scope is rules, and what they rest on: about the patient, or about one period.
type Scope struct {
	Rules    []RuleState // by rule index
	Atoms    []AtomState // of live rules, by atom index
	Pointers []Pointer   // of live atoms' terms, by term index
}

// PeriodRow is the rules that are live, or settled at something other than false, for one period of an input.
// What they rest on that is not about the period is in the Row's own Scope. Rows list them by input and start.
type PeriodRow struct {
	Input int32
	rules.Period
	Facts []uint64 // the Seq of those that make the period
	Scope
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
	all := r.Scope.streams(nil)
	for i := range r.Periods {
		all = r.Periods[i].streams(all)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func (s *Scope) streams(all []clinical.StreamID) []clinical.StreamID {
	for i := range s.Pointers {
		all = append(all, s.Pointers[i].Streams...)
	}
	return all
}

const rowVersion = 2

// stateBits packs two bits: false, true, unknown, live.
func stateBits(live bool, t rules.Truth) uint64 {
	if live {
		return 3
	}
	return uint64(t)
}

// AppendTo appends the row's stored form: the version, the rule set, each stream once, the scope of the
// patient and then those of the periods.
func (r *Row) AppendTo(b []byte) []byte {
	b = append(b, rowVersion)
	b = appendString(b, r.RuleSet)
	streams := r.Streams()
	b = binary.AppendUvarint(b, uint64(len(streams)))
	for _, id := range streams {
		b = binary.BigEndian.AppendUint64(b, uint64(id))
	}
	b = r.Scope.appendTo(b, streams)
	b = binary.AppendUvarint(b, uint64(len(r.Periods)))
	for i := range r.Periods {
		p := &r.Periods[i]
		b = binary.AppendUvarint(b, uint64(p.Input))
		b = binary.AppendVarint(b, int64(p.Start))
		b = binary.AppendVarint(b, int64(p.End))
		b = binary.AppendUvarint(b, uint64(len(p.Facts)))
		for _, seq := range p.Facts {
			b = binary.AppendUvarint(b, seq)
		}
		b = p.appendTo(b, streams)
	}
	return b
}

// appendTo appends each list with its count, indices as differences with the two state bits below them.
func (s *Scope) appendTo(b []byte, streams []clinical.StreamID) []byte {
	b = binary.AppendUvarint(b, uint64(len(s.Rules)))
	prev := int32(0)
	for _, s := range s.Rules {
		b = binary.AppendUvarint(b, uint64(s.Rule-prev)<<2|stateBits(s.Live, s.Truth))
		prev = s.Rule
	}
	b = binary.AppendUvarint(b, uint64(len(s.Atoms)))
	prev = 0
	for _, s := range s.Atoms {
		b = binary.AppendUvarint(b, uint64(s.Atom-prev)<<2|stateBits(s.Live, s.Truth))
		prev = s.Atom
	}
	b = binary.AppendUvarint(b, uint64(len(s.Pointers)))
	prev = 0
	for i := range s.Pointers {
		p := &s.Pointers[i]
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
	streams := make([]clinical.StreamID, r.count())
	for i := range streams {
		if b := r.take(8); b != nil {
			streams[i] = clinical.StreamID(binary.BigEndian.Uint64(b))
		}
	}
	row.Scope = r.scope(streams)
	if n := r.count(); n > 0 {
		row.Periods = make([]PeriodRow, n)
		for i := range row.Periods {
			p := &row.Periods[i]
			p.Input, p.Start, p.End = int32(r.uvarint()), clinical.Instant(r.varint()), clinical.Instant(r.varint())
			if n := r.count(); n > 0 {
				p.Facts = make([]uint64, n)
				for j := range p.Facts {
					p.Facts[j] = r.uvarint()
				}
			}
			p.Scope = r.scope(streams)
		}
	}
	if r.bad || len(r.b) != 0 {
		return nil, fmt.Errorf("%w: a row", ErrMalformed)
	}
	return row, nil
}

func (r *reader) scope(streams []clinical.StreamID) Scope {
	var s Scope
	if n := r.count(); n > 0 {
		s.Rules = make([]RuleState, n)
		at := int32(0)
		for i := range s.Rules {
			x := r.uvarint()
			at += int32(x >> 2)
			s.Rules[i] = RuleState{Rule: at, Live: x&3 == 3, Truth: settledTruth(x & 3)}
		}
	}
	if n := r.count(); n > 0 {
		s.Atoms = make([]AtomState, n)
		at := int32(0)
		for i := range s.Atoms {
			x := r.uvarint()
			at += int32(x >> 2)
			s.Atoms[i] = AtomState{Atom: at, Live: x&3 == 3, Truth: settledTruth(x & 3)}
		}
	}
	if n := r.count(); n > 0 {
		s.Pointers = make([]Pointer, n)
		at := int32(0)
		for i := range s.Pointers {
			x := r.uvarint()
			at += int32(x >> 1)
			p := &s.Pointers[i]
			p.Term = at
			if p.Settled = x&1 == 1; p.Settled {
				p.Value = r.value()
				continue
			}
			p.Streams = make([]clinical.StreamID, r.count())
			for j := range p.Streams {
				k := r.uvarint()
				if k >= uint64(len(streams)) {
					r.take(-1)
					break
				}
				p.Streams[j] = streams[k]
			}
		}
	}
	return s
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
