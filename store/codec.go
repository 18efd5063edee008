package store

import (
	"encoding/binary"

	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/pointer"
	"github.com/vigil-cds/vigil/rules"
)

// Stored values are varints and length-prefixed strings in the order of the fields; each starts with a
// version, so that a later one can be told apart.
const codecVersion = 1

// decoder takes fields off a value; after the first that is not there, bad is set and all are zero.
type decoder struct {
	b   []byte
	bad bool
}

func decode(b []byte) decoder {
	d := decoder{b: b}
	if d.byte() != codecVersion {
		d.fail()
	}
	return d
}

func (d *decoder) fail() { d.b, d.bad = nil, true }

// done reports whether every field was there and nothing is left.
func (d *decoder) done() bool { return !d.bad && len(d.b) == 0 }

func (d *decoder) byte() byte {
	if len(d.b) == 0 {
		d.fail()
		return 0
	}
	x := d.b[0]
	d.b = d.b[1:]
	return x
}

func (d *decoder) uvarint() uint64 {
	x, n := binary.Uvarint(d.b)
	if n <= 0 {
		d.fail()
		return 0
	}
	d.b = d.b[n:]
	return x
}

func (d *decoder) varint() int64 {
	x, n := binary.Varint(d.b)
	if n <= 0 {
		d.fail()
		return 0
	}
	d.b = d.b[n:]
	return x
}

func (d *decoder) instant() clinical.Instant { return clinical.Instant(d.varint()) }

// count reads a length of a list whose elements take at least one byte each.
func (d *decoder) count() int {
	n := d.uvarint()
	if n > uint64(len(d.b)) {
		d.fail()
		return 0
	}
	return int(n)
}

func (d *decoder) bytes() []byte {
	n := d.count()
	b := d.b[:n]
	d.b = d.b[n:]
	return b
}

func (d *decoder) string() string { return string(d.bytes()) }

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func (s *State) appendTo(b []byte) []byte {
	b = append(b, codecVersion)
	b = binary.AppendVarint(b, s.Facts)
	b = binary.AppendVarint(b, s.Events)
	b = binary.AppendVarint(b, int64(s.Clock))
	b = appendString(b, s.RuleSet)
	b = binary.AppendVarint(b, int64(s.Activated))
	b = binary.AppendVarint(b, s.ActivationOffset)
	sweeping := byte(0)
	if s.Sweeping {
		sweeping = 1
	}
	b = append(b, sweeping)
	b = appendString(b, s.Sweep)
	b = binary.AppendUvarint(b, s.Outbox)
	for _, g := range s.Missing { // hardly ever any
		b = binary.AppendVarint(b, g.First)
		b = binary.AppendVarint(b, g.Last)
	}
	return b
}

func decodeState(b []byte) (State, bool) {
	d := decode(b)
	s := State{Facts: d.varint(), Events: d.varint(), Clock: d.instant(), RuleSet: d.string(),
		Activated: d.instant(), ActivationOffset: d.varint(), Sweeping: d.byte() != 0,
		Sweep: d.string(), Outbox: d.uvarint()}
	for len(d.b) > 0 && !d.bad {
		s.Missing = append(s.Missing, clinical.Gap{First: d.varint(), Last: d.varint()})
	}
	return s, d.done()
}

func (m *Meta) appendTo(b []byte) []byte {
	b = append(b, codecVersion)
	b = binary.AppendVarint(b, int64(m.Changed))
	b = binary.AppendVarint(b, m.Facts)
	b = binary.AppendVarint(b, int64(m.Due))
	b = binary.AppendUvarint(b, uint64(len(m.Standing)))
	for i := range m.Standing {
		s := &m.Standing[i]
		b = appendString(b, s.Rule)
		b = appendPeriod(b, s.Period)
		b = binary.AppendVarint(b, int64(s.Since))
		b = append(b, byte(s.Severity))
	}
	return b
}

func decodeMeta(b []byte) (Meta, bool) {
	d := decode(b)
	m := Meta{Changed: d.instant(), Facts: d.varint(), Due: d.instant()}
	if n := d.count(); n > 0 {
		m.Standing = make([]Standing, n)
		for i := range m.Standing {
			m.Standing[i] = Standing{Rule: d.string(), Period: d.period(), Since: d.instant(), Severity: rules.Severity(d.byte())}
		}
	}
	return m, d.done()
}

// appendPeriod writes the start of a period, in one byte where it is of the patient.
func appendPeriod(b []byte, start clinical.Instant) []byte {
	if start == clinical.Never {
		return append(b, 0)
	}
	return binary.AppendVarint(append(b, 1), int64(start))
}

func (d *decoder) period() clinical.Instant {
	switch d.byte() {
	case 0:
		return clinical.Never
	case 1:
		return d.instant()
	}
	d.fail()
	return clinical.Never
}

func appendStream(b []byte, s clinical.Stream) []byte {
	b = append(b, codecVersion, byte(s.Kind))
	b = binary.AppendUvarint(b, uint64(len(s.Codes)))
	for _, c := range s.Codes {
		b = appendString(b, string(c))
	}
	return b
}

func decodeStream(b []byte) (clinical.Stream, bool) {
	d := decode(b)
	s := clinical.Stream{Kind: clinical.Kind(d.byte())}
	if n := d.count(); n > 0 {
		s.Codes = make([]clinical.Code, n)
		for i := range s.Codes {
			s.Codes[i] = clinical.Code(d.string())
		}
	}
	return s, d.done()
}

// held is what the store knows of one resource: the version it took last and where the facts lie that
// the resource states, in the order in which it states them. No facts is a tombstone.
type held struct {
	version clinical.Version
	facts   []place
}

// place is where one fact lies.
type place struct {
	stream clinical.StreamID
	fence  pointer.Fence
}

func (h *held) appendTo(b []byte) []byte {
	b = append(b, codecVersion)
	b = binary.AppendVarint(b, h.version.Number)
	b = binary.AppendVarint(b, int64(h.version.Updated))
	b = binary.AppendUvarint(b, uint64(len(h.facts)))
	var seq uint64
	for i := range h.facts {
		p := &h.facts[i]
		b = binary.BigEndian.AppendUint64(b, uint64(p.stream))
		b = binary.AppendVarint(b, int64(p.fence.Time))
		b = binary.AppendUvarint(b, p.fence.Seq-seq) // differences wrap, and unwrap again
		seq = p.fence.Seq
	}
	return b
}

func decodeHeld(b []byte) (*held, bool) {
	d := decode(b)
	h := &held{version: clinical.Version{Number: d.varint(), Updated: d.instant()}}
	if n := d.count(); n > 0 {
		h.facts = make([]place, n)
		var seq uint64
		for i := range h.facts {
			if len(d.b) < 8 {
				d.fail()
				break
			}
			id := clinical.StreamID(binary.BigEndian.Uint64(d.b))
			d.b = d.b[8:]
			t := d.instant()
			seq += d.uvarint()
			h.facts[i] = place{stream: id, fence: pointer.Fence{Time: t, Seq: seq}}
		}
	}
	return h, d.done()
}
