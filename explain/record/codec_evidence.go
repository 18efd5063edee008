package record

import (
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/rules"
)

func (n *Node) appendTo(b []byte) []byte {
	b = appendString(b, 1, n.Op)
	b = appendString(b, 2, n.Source)
	b = appendSigned(b, 3, n.N)
	b = appendBool(b, 4, n.Boolean)
	b = appendString(b, 5, n.Truth)
	b = appendValue(b, 6, &n.Value)
	b = appendSigned(b, 7, n.Term+1)
	b = appendBool(b, 8, n.Decides)
	b = appendMessages(b, 9, n.Kids)
	b = appendDouble(b, 10, n.Least)
	return appendDouble(b, 11, n.Greatest)
}

func (n *Node) read(in reader) {
	if in.depth > maxDepth {
		in.source.bad = true
	}
	n.Term = -1
	for in.next() {
		switch in.number {
		case 1:
			n.Op = in.string()
		case 2:
			n.Source = in.string()
		case 3:
			n.N = in.int()
		case 4:
			n.Boolean = in.bool()
		case 5:
			n.Truth = Truth(in.string())
		case 6:
			n.Value.read(in.message())
		case 7:
			n.Term = in.int() - 1
		case 8:
			n.Decides = in.bool()
		case 9:
			n.Kids = readInto(n.Kids, &in)
		case 10:
			n.Least = pointer(in.double())
		case 11:
			n.Greatest = pointer(in.double())
		}
	}
}

func (t *Term) appendTo(b []byte) []byte {
	b = appendString(b, 1, t.Source)
	b = appendString(b, 2, t.Op)
	b = appendString(b, 3, t.Input)
	b = appendString(b, 4, t.Pack)
	b = appendString(b, 5, t.Unit)
	b = appendString(b, 6, t.Where)
	b = appendOptional(b, 7, t.Window)
	b = appendValue(b, 8, &t.Value)
	b = appendSigned(b, 9, t.Saw)
	b = appendMessages(b, 10, t.Uses)
	return appendOptional(b, 11, t.Latest)
}

func (t *Term) read(in reader) {
	for in.next() {
		switch in.number {
		case 1:
			t.Source = in.string()
		case 2:
			t.Op = in.string()
		case 3:
			t.Input = in.string()
		case 4:
			t.Pack = in.string()
		case 5:
			t.Unit = in.string()
		case 6:
			t.Where = in.string()
		case 7:
			t.Window = readNew[Window](&in)
		case 8:
			t.Value.read(in.message())
		case 9:
			t.Saw = in.int()
		case 10:
			t.Uses = readInto(t.Uses, &in)
		case 11:
			t.Latest = readNew[Use](&in)
		}
	}
	t.Uses = list(t.Uses)
}

func (w *Window) appendTo(b []byte) []byte {
	b = appendString(b, 1, w.Text)
	b = appendInstant(b, 2, w.From)
	return appendSigned(b, 3, w.To)
}

func (w *Window) read(in reader) {
	for in.next() {
		switch in.number {
		case 1:
			w.Text = in.string()
		case 2:
			w.From = in.instant()
		case 3:
			w.To = Instant(in.signed())
		}
	}
}

func (u *Use) appendTo(b []byte) []byte {
	b = appendSigned(b, 1, u.Fact)
	return appendValue(b, 2, &u.Value)
}

func (u *Use) read(in reader) {
	for in.next() {
		switch in.number {
		case 1:
			u.Fact = in.int()
		case 2:
			u.Value.read(in.message())
		}
	}
}

func (f *Fact) appendTo(b []byte) []byte {
	b = appendString(b, 1, f.Kind)
	b = appendStrings(b, 2, f.Codes)
	b = appendValue(b, 3, &f.Value)
	b = appendString(b, 4, f.Unit)
	b = appendString(b, 5, f.Status)
	b = appendInstant(b, 6, f.Time)
	b = appendInstant(b, 7, f.End)
	b = appendString(b, 8, f.Precision)
	b = appendSigned(b, 9, f.Recorded)
	b = appendString(b, 10, f.Resource)
	b = appendString(b, 11, f.Version)
	b = appendString(b, 12, f.Topic)
	b = appendSigned(b, 13, f.Partition)
	b = appendSigned(b, 14, f.Offset)
	return appendSigned(b, 15, f.Index)
}

func (f *Fact) read(in reader) {
	for in.next() {
		switch in.number {
		case 1:
			f.Kind = in.string()
		case 2:
			f.Codes = append(f.Codes, in.string())
		case 3:
			f.Value.read(in.message())
		case 4:
			f.Unit = in.string()
		case 5:
			f.Status = in.string()
		case 6:
			f.Time = in.instant()
		case 7:
			f.End = in.instant()
		case 8:
			f.Precision = in.string()
		case 9:
			f.Recorded = Instant(in.signed())
		case 10:
			f.Resource = in.string()
		case 11:
			f.Version = in.string()
		case 12:
			f.Topic = in.string()
		case 13:
			f.Partition = in.int32()
		case 14:
			f.Offset = in.signed()
		case 15:
			f.Index = in.int()
		}
	}
	f.Codes = list(f.Codes)
}

// appendValue leaves a missing value out, since an empty message says the same.
func appendValue(b []byte, n protowire.Number, v *Value) []byte {
	if v.IsZero() {
		return b
	}
	return appendMessage(b, n, v)
}

func (v *Value) appendTo(b []byte) []byte {
	switch v.Kind {
	case rules.Number:
		b = appendDouble(b, 1, &v.Num)
		b = appendSigned(b, 5, v.Bound)
	case rules.Boolean:
		b = appendPresentBool(b, 2, v.Num != 0)
	case rules.Text:
		b = appendPresentString(b, 3, v.Str)
	case rules.Time:
		b = appendPresentSigned(b, 4, v.instant())
	}
	return b
}

func (v *Value) read(in reader) {
	var bound clinical.Comparator
	for in.next() {
		switch in.number {
		case 1:
			*v = Value(rules.NumberOf(in.double()))
		case 2:
			*v = Value(rules.BoolOf(in.bool()))
		case 3:
			*v = Value(rules.TextOf(in.string()))
		case 4:
			at := in.signed()
			*v = Value(rules.TimeOf(clinical.Instant(at)))
			in.source.bad = in.source.bad || v.instant() != Instant(at)
		case 5:
			bound = clinical.Comparator(in.between(int64(clinical.Below), int64(clinical.Above)))
		}
	}
	if v.Kind == rules.Number {
		v.Bound = bound
	}
}
