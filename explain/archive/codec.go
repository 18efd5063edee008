package archive

import (
	"encoding/binary"

	"github.com/vigil-cds/vigil/internal/clinical"
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

// bytes is a part of the value: it is valid as long as that is.
func (d *decoder) bytes() []byte {
	n := d.count()
	b := d.b[:n]
	d.b = d.b[n:]
	return b
}

func (d *decoder) string() string { return string(d.bytes()) }

func appendBytes[T ~string | ~[]byte](b []byte, s T) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func appendTime(b []byte, t clinical.Instant) []byte { return binary.AppendVarint(b, int64(t)) }

// appendMachine writes the machine's part of the state.
func (s *State) appendMachine(b []byte) []byte {
	b = append(b, codecVersion)
	b = binary.AppendVarint(b, s.Facts)
	b = binary.AppendVarint(b, s.Events)
	b = appendTime(b, s.Clock)
	b = binary.AppendUvarint(b, uint64(len(s.Activations)))
	for _, a := range s.Activations {
		b = binary.AppendVarint(b, a.Offset)
		b = appendTime(b, a.At)
		b = appendBytes(b, a.Hash)
	}
	sweeping := byte(0)
	if s.Sweeping {
		sweeping = 1
	}
	b = append(b, sweeping)
	b = appendBytes(b, s.Sweep)
	b = appendTime(b, s.Followed)
	b = binary.AppendUvarint(b, s.Outbox)
	return binary.AppendVarint(b, s.Explained)
}

func (s *State) decodeMachine(b []byte) bool {
	d := decode(b)
	s.Facts, s.Events, s.Clock = d.varint(), d.varint(), d.instant()
	s.Activations = nil
	for range d.count() {
		s.Activations = append(s.Activations, Activation{Offset: d.varint(), At: d.instant(), Hash: d.string()})
	}
	s.Sweeping, s.Sweep = d.byte() != 0, d.string()
	s.Followed, s.Outbox, s.Explained = d.instant(), d.uvarint(), d.varint()
	return d.done()
}

// appendAuditor writes the auditor's.
func (s *State) appendAuditor(b []byte) []byte {
	b = append(b, codecVersion)
	b = binary.AppendVarint(b, s.Alerts)
	return binary.AppendVarint(b, s.Matched)
}

func (s *State) decodeAuditor(b []byte) bool {
	d := decode(b)
	s.Alerts, s.Matched = d.varint(), d.varint()
	return d.done()
}

func (p *Patient) appendTo(b []byte) []byte {
	b = append(b, codecVersion)
	b = binary.AppendVarint(b, p.Facts)
	b = appendTime(b, p.Clock)
	b = appendBytes(b, p.RuleSet)
	b = appendTime(b, p.Due)
	b = binary.AppendVarint(b, p.Sequence)
	b = append(b, p.Head[:]...)
	b = binary.AppendVarint(b, p.Records)
	b = binary.AppendUvarint(b, uint64(len(p.Standing)))
	for _, s := range p.Standing {
		b = appendBytes(b, s.Rule)
		b = appendTime(b, s.Since)
		b = append(b, s.Severity)
		b = binary.AppendVarint(b, s.Sequence)
	}
	return b
}

func decodePatient(id string, b []byte) (*Patient, bool) {
	d := decode(b)
	p := &Patient{ID: id, Facts: d.varint(), Clock: d.instant(), RuleSet: d.string(), Due: d.instant(), Sequence: d.varint()}
	if len(d.b) < len(p.Head) {
		return nil, false
	}
	copy(p.Head[:], d.b)
	d.b = d.b[len(p.Head):]
	p.Records = d.varint()
	for range d.count() {
		p.Standing = append(p.Standing, Standing{Rule: d.string(), Since: d.instant(), Severity: d.byte(), Sequence: d.varint()})
	}
	return p, d.done()
}

func appendEntry(b []byte, e *Entry) []byte {
	b = append(b, codecVersion)
	b = appendTime(b, e.At)
	b = appendBytes(b, e.ID)
	return appendBytes(b, e.Data)
}

func decodeEntry(sequence int64, b []byte) (Entry, bool) {
	d := decode(b)
	e := Entry{Sequence: sequence, At: d.instant(), ID: d.string(), Data: d.bytes()}
	return e, d.done()
}

func appendMark(b []byte, m *Mark) []byte {
	b = append(b, codecVersion)
	b = binary.AppendVarint(b, m.Facts)
	b = appendTime(b, m.At)
	b = appendBytes(b, m.Patient)
	return appendBytes(b, m.Data)
}

func decodeMark(id string, b []byte) (Mark, bool) {
	d := decode(b)
	m := Mark{ID: id, Facts: d.varint(), At: d.instant(), Patient: d.string(), Data: d.bytes()}
	return m, d.done()
}
