package explain

import (
	"cmp"
	"slices"

	"github.com/vigil-cds/vigil/internal/clinical"
)

// Statement is one fact as the log stated it.
type Statement struct {
	Fact clinical.Fact
	// Order breaks ties between facts at one instant: the one stated later in the log is the later, and
	// has the greater Order. No two statements of a History share one.
	Order uint64

	Resource string           // "Observation/123", in this Version; "" for a monitor's
	Version  clinical.Version //
	Recorded clinical.Instant // when the log learned of it
}

// orderBits leave room for a million facts in one record.
const orderBits = 20

// Offset is the place in the facts log of the record that stated it, Index its place among that record's
// facts.
func (s Statement) Offset() int64 { return int64(s.Order >> orderBits) }

// Index is documented at Offset.
func (s Statement) Index() int { return int(s.Order & (1<<orderBits - 1)) }

// History is every fact that holds of one patient as known at some position of the log, in any order.
type History []Statement

// Ledger turns one patient's assertions, in the order of the log, into the History as known after
// them. The zero Ledger knows nothing yet. It is not safe for concurrent use.
type Ledger struct {
	resources map[source]*stated
}

// source is what states facts: a resource, or for an assertion without one its fact's stream and time.
type source struct {
	name string
	at   clinical.Instant
}

// stated is what one resource states now. A retracted resource stays, with its version and without
// facts, so that an older version arriving late does not revive it.
type stated struct {
	version clinical.Version
	facts   []Statement
}

// Grow makes room for so many resources, of a Ledger that knows nothing yet.
func (l *Ledger) Grow(resources int) { l.resources = make(map[source]*stated, resources) }

// Apply asserts everything that the record at this offset of the facts log says, and returns what holds
// no more and what holds newly, both only to be read. Control records and refusals say nothing.
func (l *Ledger) Apply(r *clinical.Record, offset int64) (gone, added []Statement) {
	if len(r.Assertions) == 1 {
		return l.assert(&r.Assertions[0], r.Recorded, offset, 0)
	}
	facts := 0
	for i := range r.Assertions {
		facts += len(r.Assertions[i].Facts)
	}
	added = make([]Statement, 0, facts)
	first := 0
	for i := range r.Assertions {
		a := &r.Assertions[i]
		g, n := l.assert(a, r.Recorded, offset, first)
		// What one record states and replaces again was never there for anybody.
		for _, s := range g {
			if i := slices.IndexFunc(added, func(x Statement) bool { return x.Order == s.Order }); i >= 0 {
				added = slices.Delete(added, i, i+1)
			} else {
				gone = append(gone, s)
			}
		}
		added = append(added, n...)
		first += len(a.Facts)
	}
	return gone, added
}

// assert takes one assertion of the record at offset; first is the index within that record of the
// assertion's first fact. A fact's Order is its record's offset and then its index within the record.
//
// An assertion whose version is older than the one held, or the same, changes nothing. One that states
// what the resource states already changes only the version held: the facts keep their Order. Any other
// replaces all facts of the resource. The Ledger keeps the Details that the facts point to and never
// changes them.
func (l *Ledger) assert(a *clinical.Assertion, recorded clinical.Instant, offset int64, first int) (gone, added []Statement) {
	if l.resources == nil {
		l.resources = map[source]*stated{}
	}
	from := source{name: a.Resource}
	if a.Resource == "" {
		from = source{name: a.Facts[0].Stream.Key(), at: a.Facts[0].Time}
	}
	held, known := l.resources[from]
	if !known {
		held = &stated{}
		l.resources[from] = held
	} else if a.Version.Compare(held.version) != clinical.Newer {
		return nil, nil
	}
	held.version = a.Version
	if slices.EqualFunc(held.facts, a.Facts, func(s Statement, f clinical.Fact) bool { return sameFact(s.Fact, f) }) {
		return nil, nil
	}
	gone, held.facts = held.facts, make([]Statement, 0, len(a.Facts))
	for i, f := range a.Facts {
		held.facts = append(held.facts, Statement{Fact: f, Order: uint64(offset)<<orderBits + uint64(first+i),
			Resource: a.Resource, Version: a.Version, Recorded: recorded})
	}
	return gone, held.facts
}

// History is every fact that holds now, in the order of the log. The caller owns it.
func (l *Ledger) History() History {
	n := 0
	for _, r := range l.resources {
		n += len(r.facts)
	}
	stated := make([]*Statement, 0, n) // statements are large, and sorting moves them about
	for _, r := range l.resources {
		for i := range r.facts {
			stated = append(stated, &r.facts[i])
		}
	}
	slices.SortFunc(stated, func(x, y *Statement) int { return cmp.Compare(x.Order, y.Order) })
	h := make(History, n)
	for i, s := range stated {
		h[i] = *s
	}
	return h
}

// sameFact compares what two facts say; Details are compared by what is in them.
func sameFact(x, y clinical.Fact) bool {
	return x.Stream.Kind == y.Stream.Kind && slices.Equal(x.Stream.Codes, y.Stream.Codes) &&
		x.Time == y.Time && x.End == y.End && x.Authored == y.Authored && x.Number == y.Number &&
		sameDetail(detailOf(x), detailOf(y))
}

func sameDetail(x, y *clinical.Detail) bool {
	return x.Type == y.Type && x.Comparator == y.Comparator && x.Precision == y.Precision && x.Unnamed == y.Unnamed &&
		x.Unit == y.Unit && x.Text == y.Text && slices.Equal(x.Codes, y.Codes) &&
		slices.EqualFunc(x.Attributes, y.Attributes, sameAttribute)
}

func sameAttribute(x, y clinical.Attribute) bool {
	return x.Name == y.Name && x.Numeric == y.Numeric && x.Number == y.Number && slices.Equal(x.Codes, y.Codes)
}

// nothing is the Detail of a fact that says nothing besides when.
var nothing = new(clinical.Detail)

// detailOf is the fact's Detail, which is only to be read.
func detailOf(f clinical.Fact) *clinical.Detail {
	if f.Detail == nil {
		return nothing
	}
	return f.Detail
}
