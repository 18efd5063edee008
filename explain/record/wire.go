package record

import (
	"math"
	"slices"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
)

// The append functions write a field unless it has its default value, as proto3 does.

// appendString writes what is not UTF-8 as JSON does, one replacement character for each byte, so that
// an explanation read from JSON has the bytes, and the hash, of the one that was written.
func appendString[S ~string](b []byte, n protowire.Number, s S) []byte {
	if s == "" {
		return b
	}
	return appendPresentString(b, n, string(s))
}

func appendPresentString(b []byte, n protowire.Number, s string) []byte {
	if !utf8.ValidString(s) {
		s = string([]rune(s))
	}
	return protowire.AppendString(protowire.AppendTag(b, n, protowire.BytesType), s)
}

func appendStrings(b []byte, n protowire.Number, list []string) []byte {
	for _, s := range list {
		b = appendPresentString(b, n, s)
	}
	return b
}

func appendSigned[I ~int | ~int8 | ~int32 | ~int64](b []byte, n protowire.Number, v I) []byte {
	if v == 0 {
		return b
	}
	return appendPresentSigned(b, n, v)
}

func appendPresentSigned[I ~int | ~int8 | ~int32 | ~int64](b []byte, n protowire.Number, v I) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, n, protowire.VarintType), protowire.EncodeZigZag(int64(v)))
}

func appendInstant(b []byte, n protowire.Number, i *Instant) []byte {
	if i == nil {
		return b
	}
	return appendPresentSigned(b, n, *i)
}

// appendPlaces writes a packed list.
func appendPlaces(b []byte, n protowire.Number, places []int) []byte {
	if len(places) == 0 {
		return b
	}
	b, body := open(b, n)
	for _, p := range places {
		b = protowire.AppendVarint(b, protowire.EncodeZigZag(int64(p)))
	}
	return shut(b, body)
}

func appendBool(b []byte, n protowire.Number, v bool) []byte {
	if !v {
		return b
	}
	return appendPresentBool(b, n, v)
}

func appendPresentBool(b []byte, n protowire.Number, v bool) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, n, protowire.VarintType), protowire.EncodeBool(v))
}

func appendDouble(b []byte, n protowire.Number, v *float64) []byte {
	if v == nil {
		return b
	}
	return protowire.AppendFixed64(protowire.AppendTag(b, n, protowire.Fixed64Type), math.Float64bits(*v))
}

// message is what every type of explanation.proto is behind a pointer.
type message[T any] interface {
	*T
	appendTo(b []byte) []byte
	read(in reader)
}

func appendMessage[T any, M message[T]](b []byte, n protowire.Number, m M) []byte {
	b, body := open(b, n)
	return shut(m.appendTo(b), body)
}

func appendOptional[T any, M message[T]](b []byte, n protowire.Number, m M) []byte {
	if m == nil {
		return b
	}
	return appendMessage(b, n, m)
}

func appendMessages[T any, M message[T]](b []byte, n protowire.Number, list []T) []byte {
	for i := range list {
		b = appendMessage(b, n, M(&list[i]))
	}
	return b
}

// open begins a field whose length is not known yet, with one byte kept for it. The field's contents
// begin at body.
func open(b []byte, n protowire.Number) (_ []byte, body int) {
	b = append(protowire.AppendTag(b, n, protowire.BytesType), 0)
	return b, len(b)
}

// shut writes the length of what was appended since open, and makes room where it takes more bytes.
func shut(b []byte, body int) []byte {
	size := uint64(len(b) - body)
	if more := protowire.SizeVarint(size) - 1; more > 0 {
		b = slices.Grow(b, more)[:len(b)+more]
		copy(b[body+more:], b[body:])
	}
	protowire.AppendVarint(b[:body-1], size)
	return b
}

// reader goes through the fields of one message. What is malformed ends it and every other reader of
// the same bytes, so that only the outermost has to be asked. It takes bytes for malformed that read as
// something with other bytes of its own (a boolean of 2), since a change of them would go unnoticed.
type reader struct {
	source *source
	at     int // of the next field, in source
	end    int // of the message, in source
	depth  int // how many messages it lies inside

	number protowire.Number
	kind   protowire.Type
	value  uint64 // a number's bits
	start  int    // of a length-delimited field's contents, in source
}

// source is what all readers of an explanation share. Strings are cut from one copy of all the bytes,
// so that they cost one allocation together.
type source struct {
	bytes []byte
	text  string
	bad   bool
}

func newReader(b []byte) reader {
	return reader{source: &source{bytes: b, text: string(b)}, end: len(b)}
}

// next reads one field; false at the end of the message and where the bytes are malformed.
func (r *reader) next() bool {
	if r.source.bad || r.at >= r.end {
		return false
	}
	rest := r.source.bytes[r.at:r.end]
	number, kind, n := protowire.ConsumeTag(rest)
	if n < 0 {
		r.source.bad = true
		return false
	}
	m := 0
	switch field := rest[n:]; kind {
	case protowire.VarintType:
		r.value, m = protowire.ConsumeVarint(field)
	case protowire.Fixed64Type:
		r.value, m = protowire.ConsumeFixed64(field)
	case protowire.BytesType:
		var contents []byte
		contents, m = protowire.ConsumeBytes(field)
		r.start = r.at + n + m - len(contents)
	default:
		m = protowire.ConsumeFieldValue(number, kind, field)
	}
	if m < 0 {
		r.source.bad = true
		return false
	}
	r.number, r.kind = number, kind
	r.at += n + m
	return true
}

// is says whether the field has the type that its number calls for.
func (r *reader) is(kind protowire.Type) bool {
	r.source.bad = r.source.bad || r.kind != kind
	return !r.source.bad
}

func (r *reader) string() string {
	if !r.is(protowire.BytesType) {
		return ""
	}
	s := r.source.text[r.start:r.at]
	r.source.bad = !utf8.ValidString(s)
	return s
}

func (r *reader) signed() int64 {
	if !r.is(protowire.VarintType) {
		return 0
	}
	return protowire.DecodeZigZag(r.value)
}

// between reads a signed number that has bounds.
func (r *reader) between(least, most int64) int64 {
	v := r.signed()
	r.source.bad = r.source.bad || v < least || v > most
	return v
}

func (r *reader) int() int { return int(r.between(math.MinInt, math.MaxInt)) }

func (r *reader) int32() int32 { return int32(r.between(math.MinInt32, math.MaxInt32)) }

func (r *reader) instant() *Instant { return pointer(Instant(r.signed())) }

func (r *reader) bool() bool {
	if r.is(protowire.VarintType) && r.value > 1 {
		r.source.bad = true
	}
	return r.value == 1
}

func (r *reader) double() float64 {
	if !r.is(protowire.Fixed64Type) {
		return 0
	}
	return math.Float64frombits(r.value)
}

// places reads a packed list and appends it to list.
func (r *reader) places(list []int) []int {
	if !r.is(protowire.BytesType) {
		return list
	}
	for at := r.start; at < r.at; {
		v, n := protowire.ConsumeVarint(r.source.bytes[at:r.at])
		if n < 0 {
			r.source.bad = true
			return list
		}
		list = append(list, int(protowire.DecodeZigZag(v)))
		at += n
	}
	return list
}

// message reads the field's contents as a message of its own.
func (r *reader) message() reader {
	if !r.is(protowire.BytesType) {
		return reader{source: r.source}
	}
	return reader{source: r.source, at: r.start, end: r.at, depth: r.depth + 1}
}

// more counts the fields of the present one's number in the rest of the message.
func (r reader) more() int {
	n, number := 0, r.number
	for r.next() {
		if r.number == number {
			n++
		}
	}
	return n
}

func pointer[T any](x T) *T { return &x }

// readNew reads the field's contents as a new message.
func readNew[T any, M message[T]](in *reader) *T {
	m := new(T)
	M(m).read(in.message())
	return m
}

// readInto reads the field's contents as one more message of the list.
func readInto[T any, M message[T]](list []T, in *reader) []T {
	if list == nil {
		list = make([]T, 0, 1+in.more())
	}
	list = append(list, *new(T))
	M(&list[len(list)-1]).read(in.message())
	return list
}
