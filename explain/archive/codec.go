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

func (d *decoder) bytes() []byte {
	n := d.count()
	b := d.b[:n]
	d.b = d.b[n:]
	return b
}

func (d *decoder) string() string { return string(d.bytes()) }

// rest is all that is left.
func (d *decoder) rest() []byte {
	b := d.b
	d.b = nil
	return b
}

func appendString(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}
