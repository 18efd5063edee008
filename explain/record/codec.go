package record

import "errors"

// ErrMalformed is what Unmarshal returns for bytes that Marshal did not write: cut short, changed, or
// nested deeper than any condition. They cannot be repaired; the explanation has to be found again from
// the facts log.
var ErrMalformed = errors.New("record: malformed explanation")

// maxDepth is how deep nodes may lie in nodes, so that hostile bytes cannot exhaust the stack. No
// condition of a pack comes near it.
const maxDepth = 1000

// Marshal writes the explanation as the Explanation message of explanation.proto. Equal explanations
// give equal bytes, where a list that is nil is equal to an empty one.
//
// The field numbers here and in the other appendTo and read methods are those of explanation.proto.
func (e *Explanation) Marshal() []byte {
	return e.appendTo(make([]byte, 0, 4096))
}

// Unmarshal reads what Marshal wrote. Fields it does not know are skipped. The result shares nothing
// with b; its strings share one backing array. Lists that JSON always writes are not nil. Anything else
// than an explanation is ErrMalformed.
func Unmarshal(b []byte) (*Explanation, error) {
	in := newReader(b)
	e := &Explanation{}
	e.read(in)
	if in.source.bad {
		return nil, ErrMalformed
	}
	return e, nil
}

func (e *Explanation) appendTo(b []byte) []byte {
	b = appendSigned(b, 1, e.Schema)
	b = appendString(b, 2, e.Kind)
	b = appendString(b, 3, e.ID)
	b = appendString(b, 4, e.Patient)
	b = appendMessage(b, 5, &e.Rule)
	b = appendMessage(b, 6, &e.RuleSet)
	b = appendSigned(b, 7, e.At)
	b = appendString(b, 8, e.Truth)
	b = appendString(b, 9, e.Before)
	b = appendInstant(b, 10, e.Since)
	b = appendOptional(b, 11, e.Cause)
	b = appendMessage(b, 12, &e.Known)
	b = appendString(b, 13, e.Message)
	b = appendOptional(b, 14, e.Tree)
	b = appendMessages(b, 15, e.Terms)
	b = appendMessages(b, 16, e.Facts)
	b = appendPlaces(b, 17, e.Suffices)
	b = appendMessages(b, 18, e.Missing)
	b = appendOptional(b, 19, e.Miss)
	b = appendOptional(b, 20, e.Next)
	b = appendSigned(b, 21, e.Sequence)
	b = appendString(b, 22, e.Previous)
	b = appendOptional(b, 23, e.Period)
	return e.appendHash(b)
}

// appendHash comes last, so that what is hashed is what stands before it.
func (e *Explanation) appendHash(b []byte) []byte { return appendString(b, 24, e.Hash) }

func (e *Explanation) read(in reader) {
	for in.next() {
		switch in.number {
		case 1:
			e.Schema = in.int()
		case 2:
			e.Kind = Kind(in.string())
		case 3:
			e.ID = in.string()
		case 4:
			e.Patient = in.string()
		case 5:
			e.Rule.read(in.message())
		case 6:
			e.RuleSet.read(in.message())
		case 7:
			e.At = Instant(in.signed())
		case 8:
			e.Truth = Truth(in.string())
		case 9:
			e.Before = Truth(in.string())
		case 10:
			e.Since = in.instant()
		case 11:
			e.Cause = readNew[Cause](&in)
		case 12:
			e.Known.read(in.message())
		case 13:
			e.Message = in.string()
		case 14:
			e.Tree = readNew[Node](&in)
		case 15:
			e.Terms = readInto(e.Terms, &in)
		case 16:
			e.Facts = readInto(e.Facts, &in)
		case 17:
			e.Suffices = in.places(e.Suffices)
		case 18:
			e.Missing = readInto(e.Missing, &in)
		case 19:
			e.Miss = readNew[Miss](&in)
		case 20:
			e.Next = readNew[Next](&in)
		case 21:
			e.Sequence = in.signed()
		case 22:
			e.Previous = in.string()
		case 23:
			e.Period = readNew[Period](&in)
		case 24:
			e.Hash = in.string()
		}
	}
	e.Terms, e.Facts, e.Suffices = list(e.Terms), list(e.Facts), list(e.Suffices)
}

func (r *Rule) appendTo(b []byte) []byte {
	b = appendString(b, 1, r.ID)
	b = appendString(b, 2, r.Pack)
	b = appendSigned(b, 3, r.Version)
	b = appendString(b, 4, r.Title)
	b = appendString(b, 5, r.Severity)
	b = appendString(b, 6, r.Source)
	return appendString(b, 7, r.When)
}

func (r *Rule) read(in reader) {
	for in.next() {
		switch in.number {
		case 1:
			r.ID = in.string()
		case 2:
			r.Pack = in.string()
		case 3:
			r.Version = in.int()
		case 4:
			r.Title = in.string()
		case 5:
			r.Severity = in.string()
		case 6:
			r.Source = in.string()
		case 7:
			r.When = in.string()
		}
	}
}

func (s *RuleSet) appendTo(b []byte) []byte {
	b = appendString(b, 1, s.Hash)
	b = appendInstant(b, 2, s.Activated)
	b = appendString(b, 3, s.Position)
	b = appendString(b, 4, s.Zone)
	b = appendMessages(b, 5, s.ValueSets)
	return appendMessages(b, 6, s.Parameters)
}

func (s *RuleSet) read(in reader) {
	for in.next() {
		switch in.number {
		case 1:
			s.Hash = in.string()
		case 2:
			s.Activated = in.instant()
		case 3:
			s.Position = in.string()
		case 4:
			s.Zone = in.string()
		case 5:
			s.ValueSets = readInto(s.ValueSets, &in)
		case 6:
			s.Parameters = readInto(s.Parameters, &in)
		}
	}
}

func (p *Parameter) appendTo(b []byte) []byte {
	b = appendString(b, 1, p.Name)
	b = appendString(b, 2, p.Pack)
	b = appendString(b, 3, p.Title)
	b = appendValue(b, 4, &p.Value)
	b = appendValue(b, 5, &p.Default)
	b = appendString(b, 6, p.Unit)
	return appendBool(b, 7, p.Site)
}

func (p *Parameter) read(in reader) {
	for in.next() {
		switch in.number {
		case 1:
			p.Name = in.string()
		case 2:
			p.Pack = in.string()
		case 3:
			p.Title = in.string()
		case 4:
			p.Value.read(in.message())
		case 5:
			p.Default.read(in.message())
		case 6:
			p.Unit = in.string()
		case 7:
			p.Site = in.bool()
		}
	}
}

func (v *ValueSet) appendTo(b []byte) []byte {
	b = appendString(b, 1, v.Name)
	b = appendString(b, 2, v.URL)
	b = appendString(b, 3, v.Version)
	b = appendSigned(b, 4, v.Codes)
	return appendString(b, 5, v.Hash)
}

func (v *ValueSet) read(in reader) {
	for in.next() {
		switch in.number {
		case 1:
			v.Name = in.string()
		case 2:
			v.URL = in.string()
		case 3:
			v.Version = in.string()
		case 4:
			v.Codes = in.int()
		case 5:
			v.Hash = in.string()
		}
	}
}

func (c *Cause) appendTo(b []byte) []byte {
	b = appendString(b, 1, c.Kind)
	b = appendString(b, 2, c.Position)
	b = appendMessages(b, 3, c.Facts)
	return appendMessages(b, 4, c.Gone)
}

func (c *Cause) read(in reader) {
	for in.next() {
		switch in.number {
		case 1:
			c.Kind = CauseKind(in.string())
		case 2:
			c.Position = in.string()
		case 3:
			c.Facts = readInto(c.Facts, &in)
		case 4:
			c.Gone = readInto(c.Gone, &in)
		}
	}
}

func (p *Period) appendTo(b []byte) []byte {
	b = appendString(b, 1, p.Input)
	b = appendString(b, 2, p.Pack)
	b = appendSigned(b, 3, p.Start)
	b = appendSigned(b, 4, p.End)
	return appendPlaces(b, 5, p.Facts)
}

func (p *Period) read(in reader) {
	for in.next() {
		switch in.number {
		case 1:
			p.Input = in.string()
		case 2:
			p.Pack = in.string()
		case 3:
			p.Start = Instant(in.signed())
		case 4:
			p.End = Instant(in.signed())
		case 5:
			p.Facts = in.places(p.Facts)
		}
	}
	p.Facts = list(p.Facts)
}

func (k *Known) appendTo(b []byte) []byte {
	b = appendString(b, 1, k.Position)
	return appendSigned(b, 2, k.Clock)
}

func (k *Known) read(in reader) {
	for in.next() {
		switch in.number {
		case 1:
			k.Position = in.string()
		case 2:
			k.Clock = Instant(in.signed())
		}
	}
}
