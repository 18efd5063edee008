package clinical

import (
	"math"
	"slices"
	"strings"
	"time"

	"github.com/cespare/xxhash/v2"
)

// Instant is a point in time in milliseconds since 1970-01-01T00:00:00Z, the resolution of every
// comparison Vigil makes.
type Instant int64

const (
	// Forever is later than every instant; as the end of a period it means "not yet ended", as a
	// horizon "nothing but new data can change this".
	Forever Instant = math.MaxInt64
	// Never is earlier than every instant.
	Never Instant = math.MinInt64
)

// At converts a time.Time, dropping what is finer than a millisecond.
func At(t time.Time) Instant { return Instant(t.UnixMilli()) }

// Time converts back, in UTC.
func (i Instant) Time() time.Time { return time.UnixMilli(int64(i)).UTC() }

// String writes the instant as RFC 3339 with milliseconds where there are any.
func (i Instant) String() string {
	switch i {
	case Forever:
		return "forever"
	case Never:
		return "never"
	}
	if i%1000 == 0 {
		return i.Time().Format("2006-01-02T15:04:05Z")
	}
	return i.Time().Format("2006-01-02T15:04:05.000Z")
}

// Precision is how finely a clinical time was stated. The instant kept is always the start of it.
type Precision uint8

const (
	ToMillisecond Precision = iota
	ToSecond
	ToMinute
	ToDay
	ToMonth
	ToYear
)

// Kind says which clinical statement a fact is. The four medication resources are one kind, told
// apart by the attribute "resource_type".
type Kind uint8

const (
	KindNone Kind = iota
	KindPatient
	KindObservation
	KindCondition
	KindMedication
	KindImmunization
	KindProcedure
	KindEncounter
	KindAllergy
	KindReport
	KindOrder
	KindCarePlan
	KindDevice
	// KindDerived is the stream of an input whose facts a program picks from other streams: it is Vigil's
	// own and never in the log.
	KindDerived
)

var kindNames = [...]string{"none", "patient", "observation", "condition", "medication", "immunization",
	"procedure", "encounter", "allergy", "report", "order", "care_plan", "device", "derived"}

// String is the name that packs use: "observation", "care_plan".
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return "unknown"
}

// KindOf finds a kind by the name that packs use; KindNone where there is none. KindDerived has none.
func KindOf(name string) Kind {
	if i := slices.Index(kindNames[:], name); i > 0 && Kind(i) != KindDerived {
		return Kind(i)
	}
	return KindNone
}

// ValueType says what a fact's value is.
type ValueType uint8

const (
	NoValue     ValueType = iota // a statement without a value: a condition, a panel
	Number                       // Fact.Number, in Detail.Unit
	Coded                        // Detail.Codes
	Boolean                      // Fact.Number is 0 or 1
	Text                         // Detail.Text
	AbsentValue                  // the resource says that there is no value (dataAbsentReason)
)

// Comparator says that the true value lies beyond the number stated, as in "<5".
type Comparator int8

const (
	Below   Comparator = -1 // "<" or "<="
	Exactly Comparator = 0
	Above   Comparator = 1 // ">" or ">="
)

// Attribute is one named property of a fact that a pack's `where` can ask about: a number, or one or
// more codes (a plain token such as a status is a code without a system).
type Attribute struct {
	Name    string
	Codes   []Code
	Number  float64
	Numeric bool
}

// Detail is what a fact says besides when and how much. Facts of one stream mostly agree in it, so it
// is shared between them and never changed once built.
type Detail struct {
	Type       ValueType
	Comparator Comparator
	Precision  Precision
	Unnamed    bool        // stated by an assertion without a resource: stream and time are all that identifies it
	Unit       string      // as sent (a UCUM code wherever the sender gave one), "" when none
	Text       string      // Type Text
	Codes      []Code      // Type Coded: every coding of the value
	Attributes []Attribute // sorted by Name, names unique
}

// Attribute finds a property by name; nil when the fact does not have it.
func (d *Detail) Attribute(name string) *Attribute {
	for i := range d.Attributes {
		if d.Attributes[i].Name == name {
			return &d.Attributes[i]
		}
	}
	return nil
}

// Fact is one normalised clinical statement about one patient.
//
// Time is the clinical time; a fact with a period has its start in Time and its last instant in End
// (Forever while it goes on). A fact at an instant has End == Time. A KindPatient fact has the birth
// date in Time (Never when unknown) and the instant of death in End (Forever while alive).
// A course that is known to be over without a stated end has End == Time: it is never guessed to have
// lasted.
//
// Authored is when the resource itself says that it was written down (authoredOn, issued, recordedDate);
// it stands here rather than in the detail, which facts share.
type Fact struct {
	Stream   Stream
	Time     Instant
	End      Instant
	Authored Instant // 0 when the resource does not say
	Number   float64 // Detail.Type Number (in Detail.Unit) or Boolean (0 or 1)
	Detail   *Detail
}

// Stream names one physical stream of facts: a kind and the codings that its facts all carry.
// A fact lies in exactly one stream however many codings it has, so that it is counted once.
type Stream struct {
	Kind  Kind
	Codes []Code // sorted, unique
}

// NewStream sorts the codes and drops repeats.
func NewStream(kind Kind, codes ...Code) Stream {
	codes = slices.Clone(codes)
	slices.Sort(codes)
	return Stream{Kind: kind, Codes: slices.Compact(codes)}
}

// StreamID is a stream's name in keys and rows: a 64-bit hash of Key. It does not depend on the order
// in which streams were first seen, so it means the same on every instance.
type StreamID uint64

// Key writes the stream as "observation:loinc|2160-0,local|CREA".
func (s Stream) Key() string {
	kind := s.Kind.String()
	size := len(kind)
	for _, c := range s.Codes {
		size += 1 + len(c)
	}
	var b strings.Builder
	b.Grow(size)
	b.WriteString(kind)
	for i, c := range s.Codes {
		b.WriteByte(":,"[min(i, 1)])
		b.WriteString(string(c))
	}
	return b.String()
}

// ID hashes Key.
func (s Stream) ID() StreamID { return StreamID(xxhash.Sum64String(s.Key())) }
