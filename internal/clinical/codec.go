package clinical

import (
	"bytes"
	"errors"
	"math"

	"google.golang.org/protobuf/encoding/protowire"
)

// ErrMalformedRecord is what UnmarshalRecord and UnmarshalDetail return for bytes that they did not
// write: cut short, or referring to a stream or detail that is not there. Such bytes cannot be
// repaired; the record has to be read again from where it was kept.
var ErrMalformedRecord = errors.New("clinical: malformed record")

// The field numbers of facts.proto, which is the published schema of these bytes.
const (
	recordPatient     protowire.Number = 1
	recordRecorded    protowire.Number = 2
	recordEventOffset protowire.Number = 3
	recordStreams     protowire.Number = 4
	recordDetails     protowire.Number = 5
	recordAssertions  protowire.Number = 6
	recordRefusal     protowire.Number = 7
	recordTick        protowire.Number = 8
	recordActivation  protowire.Number = 9

	assertionResource protowire.Number = 1
	assertionNumber   protowire.Number = 2
	assertionUpdated  protowire.Number = 3
	assertionFacts    protowire.Number = 4

	factStream   protowire.Number = 1
	factDetail   protowire.Number = 2
	factTime     protowire.Number = 3
	factLasts    protowire.Number = 4
	factOngoing  protowire.Number = 5
	factNumber   protowire.Number = 6
	factAuthored protowire.Number = 7

	streamKind  protowire.Number = 1
	streamCodes protowire.Number = 2

	detailType       protowire.Number = 1
	detailComparator protowire.Number = 2
	detailPrecision  protowire.Number = 3
	detailUnit       protowire.Number = 4
	detailText       protowire.Number = 5
	detailCodes      protowire.Number = 6
	detailAttributes protowire.Number = 7
	detailUnnamed    protowire.Number = 8

	attributeName    protowire.Number = 1
	attributeCodes   protowire.Number = 2
	attributeNumber  protowire.Number = 3
	attributeNumeric protowire.Number = 4

	activationHash  protowire.Number = 1
	activationFiles protowire.Number = 2

	fileName protowire.Number = 1
	fileData protowire.Number = 2
)

// Marshal writes the record as the Record message of facts.proto. Equal records give equal bytes.
func (r *Record) Marshal() []byte { return r.AppendTo(nil) }

// AppendTo appends what Marshal writes to b.
func (r *Record) AppendTo(b []byte) []byte {
	// A record mostly holds a few facts: these keep it off the heap.
	var space [4][256]byte
	var ends [2][fewEntries]int
	streams := table{buf: space[0][:0:128], ends: ends[0][:0]}
	details := table{buf: space[1][:0], ends: ends[1][:0]}
	body, scratch, item := space[2][:0], space[3][:0], space[0][128:128]
	for i := range r.Assertions {
		a := &r.Assertions[i]
		scratch = appendString(scratch[:0], assertionResource, a.Resource)
		scratch = appendSigned(scratch, assertionNumber, a.Version.Number)
		scratch = appendSigned(scratch, assertionUpdated, int64(a.Version.Updated))
		for j := range a.Facts {
			f := &a.Facts[j]
			var stream, detail uint64
			if f.Stream.Kind != KindNone || len(f.Stream.Codes) > 0 {
				item = f.Stream.appendTo(item[:0])
				stream = streams.place(item)
			}
			if f.Detail != nil {
				item = f.Detail.AppendTo(item[:0])
				detail = details.place(item)
			}
			item = f.appendTo(item[:0], stream, detail)
			scratch = appendMessage(scratch, assertionFacts, item)
		}
		body = appendMessage(body, recordAssertions, scratch)
	}

	b = appendString(b, recordPatient, r.Patient)
	b = appendSigned(b, recordRecorded, int64(r.Recorded))
	b = appendSigned(b, recordEventOffset, r.EventOffset)
	b = streams.appendTo(b, recordStreams)
	b = details.appendTo(b, recordDetails)
	b = append(b, body...)
	b = appendString(b, recordRefusal, r.Refusal)
	b = appendBool(b, recordTick, r.Tick)
	if r.Activation != nil {
		b = appendMessage(b, recordActivation, r.Activation.appendTo(nil))
	}
	return b
}

// AppendTo appends the detail to b as the Detail message of facts.proto. Equal details give equal
// bytes, so that the bytes can stand as a key.
func (d *Detail) AppendTo(b []byte) []byte {
	b = appendUnsigned(b, detailType, uint64(d.Type))
	b = appendSigned(b, detailComparator, int64(d.Comparator))
	b = appendUnsigned(b, detailPrecision, uint64(d.Precision))
	b = appendString(b, detailUnit, d.Unit)
	b = appendString(b, detailText, d.Text)
	b = appendCodes(b, detailCodes, d.Codes)
	for i := range d.Attributes {
		a := &d.Attributes[i]
		size := sizeString(a.Name) + sizeCodes(a.Codes) + sizeDouble(a.Number) + sizeBool(a.Numeric)
		b = protowire.AppendTag(b, detailAttributes, protowire.BytesType)
		b = protowire.AppendVarint(b, uint64(size))
		b = appendString(b, attributeName, a.Name)
		b = appendCodes(b, attributeCodes, a.Codes)
		b = appendDouble(b, attributeNumber, a.Number)
		b = appendBool(b, attributeNumeric, a.Numeric)
	}
	return appendBool(b, detailUnnamed, d.Unnamed)
}

func (s *Stream) appendTo(b []byte) []byte {
	b = appendUnsigned(b, streamKind, uint64(s.Kind))
	return appendCodes(b, streamCodes, s.Codes)
}

func (f *Fact) appendTo(b []byte, stream, detail uint64) []byte {
	b = appendUnsigned(b, factStream, stream)
	b = appendUnsigned(b, factDetail, detail)
	b = appendSigned(b, factTime, int64(f.Time))
	if f.End == Forever {
		b = appendBool(b, factOngoing, true)
	} else {
		b = appendSigned(b, factLasts, int64(f.End-f.Time))
	}
	b = appendDouble(b, factNumber, f.Number)
	return appendSigned(b, factAuthored, int64(f.Authored))
}

func (a *Activation) appendTo(b []byte) []byte {
	b = appendString(b, activationHash, a.Hash)
	for _, f := range a.Files {
		file := appendString(nil, fileName, f.Name)
		if len(f.Data) > 0 {
			file = appendMessage(file, fileData, f.Data)
		}
		b = appendMessage(b, activationFiles, file)
	}
	return b
}

// table collects encoded messages, each once, in order of first use.
type table struct {
	buf   []byte
	ends  []int             // ends[i] is where the i-th message ends in buf
	index map[string]uint64 // built once the table is too long to look through
}

// fewEntries is how many messages are compared one by one before an index pays for itself.
const fewEntries = 8

// place finds message in the table, or adds it, and counts its place from 1.
func (t *table) place(message []byte) uint64 {
	if t.index != nil {
		if n, ok := t.index[string(message)]; ok {
			return n
		}
	} else {
		for i := range t.ends {
			if bytes.Equal(t.entry(i), message) {
				return uint64(i + 1)
			}
		}
	}
	t.buf = append(t.buf, message...)
	t.ends = append(t.ends, len(t.buf))
	n := uint64(len(t.ends))
	switch {
	case t.index != nil:
		t.index[string(message)] = n
	case n > fewEntries:
		t.index = make(map[string]uint64, 4*fewEntries)
		for i := range t.ends {
			t.index[string(t.entry(i))] = uint64(i + 1)
		}
	}
	return n
}

func (t *table) entry(i int) []byte {
	start := 0
	if i > 0 {
		start = t.ends[i-1]
	}
	return t.buf[start:t.ends[i]]
}

func (t *table) appendTo(b []byte, number protowire.Number) []byte {
	for i := range t.ends {
		b = appendMessage(b, number, t.entry(i))
	}
	return b
}

// The append functions write a field unless it has its default value, as proto3 does.

func appendString(b []byte, n protowire.Number, s string) []byte {
	if s == "" {
		return b
	}
	return protowire.AppendString(protowire.AppendTag(b, n, protowire.BytesType), s)
}

func appendCodes(b []byte, n protowire.Number, codes []Code) []byte {
	for _, c := range codes {
		b = protowire.AppendString(protowire.AppendTag(b, n, protowire.BytesType), string(c))
	}
	return b
}

func appendSigned(b []byte, n protowire.Number, v int64) []byte {
	if v == 0 {
		return b
	}
	return protowire.AppendVarint(protowire.AppendTag(b, n, protowire.VarintType), protowire.EncodeZigZag(v))
}

func appendUnsigned(b []byte, n protowire.Number, v uint64) []byte {
	if v == 0 {
		return b
	}
	return protowire.AppendVarint(protowire.AppendTag(b, n, protowire.VarintType), v)
}

func appendBool(b []byte, n protowire.Number, v bool) []byte {
	return appendUnsigned(b, n, protowire.EncodeBool(v))
}

func appendDouble(b []byte, n protowire.Number, v float64) []byte {
	bits := math.Float64bits(v)
	if bits == 0 {
		return b
	}
	return protowire.AppendFixed64(protowire.AppendTag(b, n, protowire.Fixed64Type), bits)
}

func appendMessage(b []byte, n protowire.Number, message []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(b, n, protowire.BytesType), message)
}

// The sizes are those of an Attribute's fields, whose tags all take one byte.

func sizeString(s string) int {
	if s == "" {
		return 0
	}
	return 1 + protowire.SizeBytes(len(s))
}

func sizeCodes(codes []Code) int {
	n := 0
	for _, c := range codes {
		n += 1 + protowire.SizeBytes(len(c))
	}
	return n
}

func sizeDouble(v float64) int {
	if math.Float64bits(v) == 0 {
		return 0
	}
	return 1 + protowire.SizeFixed64()
}

func sizeBool(v bool) int { return int(2 * protowire.EncodeBool(v)) }

// UnmarshalRecord reads what Record.Marshal wrote. Fields it does not know are skipped. The result
// shares nothing with b; within itself, facts share the streams' codes, the details, and one backing
// array for all strings. Anything else than a record is ErrMalformedRecord.
func UnmarshalRecord(b []byte) (*Record, error) {
	whole := newReader(b)
	streams, details, assertions := whole.counts(recordStreams, recordDetails, recordAssertions)
	t := tables{streams: make([]Stream, 0, streams), details: make([]Detail, 0, details)}
	r := &Record{}
	ok := true
	in := whole
	for ok && in.next() {
		switch {
		case in.is(recordPatient, protowire.BytesType):
			r.Patient = in.string()
		case in.is(recordRecorded, protowire.VarintType):
			r.Recorded = Instant(in.signed())
		case in.is(recordEventOffset, protowire.VarintType):
			r.EventOffset = in.signed()
		case in.is(recordStreams, protowire.BytesType):
			t.streams = append(t.streams, Stream{})
			ok = t.streams[len(t.streams)-1].read(in.message())
		case in.is(recordDetails, protowire.BytesType):
			t.details = append(t.details, Detail{})
			ok = t.details[len(t.details)-1].read(in.message())
		case in.is(recordRefusal, protowire.BytesType):
			r.Refusal = in.string()
		case in.is(recordTick, protowire.VarintType):
			r.Tick = in.value != 0
		case in.is(recordActivation, protowire.BytesType):
			r.Activation = &Activation{}
			ok = r.Activation.read(in.message())
		}
	}
	ok = ok && !in.bad

	// Assertions come second, since other writers may put the tables after them.
	if ok && assertions > 0 {
		r.Assertions = make([]Assertion, 0, assertions)
		for in = whole; ok && in.next(); {
			if in.is(recordAssertions, protowire.BytesType) {
				r.Assertions = append(r.Assertions, Assertion{})
				ok = r.Assertions[len(r.Assertions)-1].read(in.message(), &t)
			}
		}
	}
	if !ok {
		return nil, ErrMalformedRecord
	}
	return r, nil
}

// UnmarshalDetail reads what Detail.AppendTo wrote, under UnmarshalRecord's terms.
func UnmarshalDetail(b []byte) (*Detail, error) {
	d := &Detail{}
	if !d.read(newReader(b)) {
		return nil, ErrMalformedRecord
	}
	return d, nil
}

// tables are a record's streams and details. Details are pointed into, never appended to once facts
// are read.
type tables struct {
	streams []Stream
	details []Detail
}

func (a *Assertion) read(in reader, t *tables) bool {
	if n := in.count(assertionFacts); n > 0 {
		a.Facts = make([]Fact, 0, n)
	}
	for in.next() {
		switch {
		case in.is(assertionResource, protowire.BytesType):
			a.Resource = in.string()
		case in.is(assertionNumber, protowire.VarintType):
			a.Version.Number = in.signed()
		case in.is(assertionUpdated, protowire.VarintType):
			a.Version.Updated = Instant(in.signed())
		case in.is(assertionFacts, protowire.BytesType):
			a.Facts = append(a.Facts, Fact{})
			if !a.Facts[len(a.Facts)-1].read(in.message(), t) {
				return false
			}
		}
	}
	return !in.bad
}

func (f *Fact) read(in reader, t *tables) bool {
	var lasts Instant
	ongoing := false
	for in.next() {
		switch {
		case in.is(factStream, protowire.VarintType) && in.value != 0:
			if in.value > uint64(len(t.streams)) {
				return false
			}
			f.Stream = t.streams[in.value-1]
		case in.is(factDetail, protowire.VarintType) && in.value != 0:
			if in.value > uint64(len(t.details)) {
				return false
			}
			f.Detail = &t.details[in.value-1]
		case in.is(factTime, protowire.VarintType):
			f.Time = Instant(in.signed())
		case in.is(factLasts, protowire.VarintType):
			lasts, ongoing = Instant(in.signed()), false
		case in.is(factOngoing, protowire.VarintType):
			lasts, ongoing = 0, in.value != 0
		case in.is(factNumber, protowire.Fixed64Type):
			f.Number = math.Float64frombits(in.value)
		case in.is(factAuthored, protowire.VarintType):
			f.Authored = Instant(in.signed())
		}
	}
	f.End = f.Time + lasts
	if ongoing {
		f.End = Forever
	}
	return !in.bad
}

func (s *Stream) read(in reader) bool {
	s.Codes = in.codeSlice(streamCodes)
	for in.next() {
		switch {
		case in.is(streamKind, protowire.VarintType):
			s.Kind = Kind(in.small())
		case in.is(streamCodes, protowire.BytesType):
			s.Codes = append(s.Codes, Code(in.string()))
		}
	}
	return !in.bad
}

func (d *Detail) read(in reader) bool {
	d.Codes = in.codeSlice(detailCodes)
	if n := in.count(detailAttributes); n > 0 {
		d.Attributes = make([]Attribute, 0, n)
	}
	for in.next() {
		switch {
		case in.is(detailType, protowire.VarintType):
			d.Type = ValueType(in.small())
		case in.is(detailComparator, protowire.VarintType):
			d.Comparator = Comparator(max(-1, min(1, in.signed())))
		case in.is(detailPrecision, protowire.VarintType):
			d.Precision = Precision(in.small())
		case in.is(detailUnit, protowire.BytesType):
			d.Unit = in.string()
		case in.is(detailText, protowire.BytesType):
			d.Text = in.string()
		case in.is(detailCodes, protowire.BytesType):
			d.Codes = append(d.Codes, Code(in.string()))
		case in.is(detailAttributes, protowire.BytesType):
			d.Attributes = append(d.Attributes, Attribute{})
			if !d.Attributes[len(d.Attributes)-1].read(in.message()) {
				return false
			}
		case in.is(detailUnnamed, protowire.VarintType):
			d.Unnamed = in.value != 0
		}
	}
	return !in.bad
}

func (a *Attribute) read(in reader) bool {
	a.Codes = in.codeSlice(attributeCodes)
	for in.next() {
		switch {
		case in.is(attributeName, protowire.BytesType):
			a.Name = in.string()
		case in.is(attributeCodes, protowire.BytesType):
			a.Codes = append(a.Codes, Code(in.string()))
		case in.is(attributeNumber, protowire.Fixed64Type):
			a.Number = math.Float64frombits(in.value)
		case in.is(attributeNumeric, protowire.VarintType):
			a.Numeric = in.value != 0
		}
	}
	return !in.bad
}

func (a *Activation) read(in reader) bool {
	for in.next() {
		switch {
		case in.is(activationHash, protowire.BytesType):
			a.Hash = in.string()
		case in.is(activationFiles, protowire.BytesType):
			var f File
			file := in.message()
			for file.next() {
				switch {
				case file.is(fileName, protowire.BytesType):
					f.Name = file.string()
				case file.is(fileData, protowire.BytesType):
					f.Data = bytes.Clone(file.span)
				}
			}
			if file.bad {
				return false
			}
			a.Files = append(a.Files, f)
		}
	}
	return !in.bad
}

// reader goes through the fields of one message. Strings are cut from one copy of all the bytes, so
// that a record costs one allocation for all of its text.
type reader struct {
	all  []byte
	text string
	at   int // of the next field, in all
	end  int // of the message, in all

	number protowire.Number
	kind   protowire.Type
	value  uint64 // a number's bits
	span   []byte // the contents of a length-delimited field
	bad    bool
}

func newReader(b []byte) reader {
	return reader{all: b, text: string(b), end: len(b)}
}

// next reads one field; false at the end of the message and where the bytes are malformed.
func (r *reader) next() bool {
	if r.at >= r.end {
		return false
	}
	rest := r.all[r.at:r.end]
	// Nearly all tags and lengths take one byte.
	number, kind, n := protowire.Number(rest[0]>>3), protowire.Type(rest[0]&7), 1
	if rest[0] >= 0x80 || number == 0 {
		if number, kind, n = protowire.ConsumeTag(rest); n < 0 {
			r.bad = true
			return false
		}
	}
	r.number, r.kind = number, kind
	r.span = nil
	field := rest[n:]
	var m int
	switch kind {
	case protowire.VarintType:
		r.value, m = protowire.ConsumeVarint(field)
	case protowire.Fixed64Type:
		r.value, m = protowire.ConsumeFixed64(field)
	case protowire.BytesType:
		if len(field) > 0 && field[0] < 0x80 && int(field[0]) < len(field) {
			m = 1 + int(field[0])
			r.span = field[1:m]
		} else {
			r.span, m = protowire.ConsumeBytes(field)
		}
	default:
		m = protowire.ConsumeFieldValue(number, kind, field)
	}
	if m < 0 {
		r.bad = true
		return false
	}
	r.at += n + m
	return true
}

func (r *reader) is(number protowire.Number, kind protowire.Type) bool {
	return r.number == number && r.kind == kind
}

func (r *reader) string() string { return r.text[r.at-len(r.span) : r.at] }

func (r *reader) signed() int64 { return protowire.DecodeZigZag(r.value) }

// small reads an enumeration that fits a byte; 255, which none of them uses, stands for a greater one.
func (r *reader) small() uint8 { return uint8(min(r.value, math.MaxUint8)) }

// message reads the field's contents as a message of its own.
func (r *reader) message() reader {
	return reader{all: r.all, text: r.text, at: r.at - len(r.span), end: r.at}
}

// count looks ahead: how many length-delimited fields of this number the rest of the message has.
func (r reader) count(number protowire.Number) int {
	n := 0
	for r.next() {
		if r.is(number, protowire.BytesType) {
			n++
		}
	}
	return n
}

// counts is count of three fields at once.
func (r reader) counts(x, y, z protowire.Number) (nx, ny, nz int) {
	for r.next() {
		switch {
		case r.is(x, protowire.BytesType):
			nx++
		case r.is(y, protowire.BytesType):
			ny++
		case r.is(z, protowire.BytesType):
			nz++
		}
	}
	return nx, ny, nz
}

// codeSlice makes room for the codes of a repeated field; nil where there are none.
func (r reader) codeSlice(number protowire.Number) []Code {
	if n := r.count(number); n > 0 {
		return make([]Code, 0, n)
	}
	return nil
}
