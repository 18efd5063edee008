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
}

// History is every fact that holds of one patient as known at some position of the log, in any order.
type History []Statement

// Ledger turns one patient's assertions, in the order of the log, into the History as known after
// them. The zero Ledger knows nothing yet. It is not safe for concurrent use.
type Ledger struct {
	resources map[string]*stated
}

// stated is what one resource states now. A retracted resource stays, with its version and without
// facts, so that an older version arriving late does not revive it.
type stated struct {
	version clinical.Version
	facts   []Statement
}

// Apply asserts everything that the record at this offset of the facts log says. Control records and
// refusals say nothing.
func (l *Ledger) Apply(r clinical.Record, offset int64) {
	first := 0
	for _, a := range r.Assertions {
		l.Assert(a, offset, first)
		first += len(a.Facts)
	}
}

// Assert takes one assertion of the record at offset; first is the index within that record of the
// assertion's first fact. A fact's Order is offset<<16 plus its index within the record, so that a
// record may state up to 65,536 facts.
//
// An assertion whose version is older than the one held, or the same, changes nothing. One that states
// what the resource states already changes only the version held: the facts keep their Order. Any other
// replaces all facts of the resource. The Ledger keeps the Details that the facts point to and never
// changes them.
func (l *Ledger) Assert(a clinical.Assertion, offset int64, first int) {
	if l.resources == nil {
		l.resources = map[string]*stated{}
	}
	name := a.Resource
	if name == "" { // identified by its one fact's stream and time
		name = a.Facts[0].Stream.Key() + " at " + a.Facts[0].Time.String()
	}
	held, known := l.resources[name]
	if !known {
		held = &stated{}
		l.resources[name] = held
	} else if a.Version.Compare(held.version) != clinical.Newer {
		return
	}
	held.version = a.Version
	if slices.EqualFunc(held.facts, a.Facts, func(s Statement, f clinical.Fact) bool { return sameFact(s.Fact, f) }) {
		return
	}
	held.facts = nil
	for i, f := range a.Facts {
		held.facts = append(held.facts, Statement{Fact: f, Order: uint64(offset)<<16 + uint64(first+i)})
	}
}

// History is every fact that holds now, in the order of the log. The caller owns it.
func (l *Ledger) History() History {
	var h History
	for _, r := range l.resources {
		h = append(h, r.facts...)
	}
	slices.SortFunc(h, func(x, y Statement) int { return cmp.Compare(x.Order, y.Order) })
	return h
}

// sameFact compares what two facts say; Details are compared by what is in them.
func sameFact(x, y clinical.Fact) bool {
	return x.Stream.Kind == y.Stream.Kind && slices.Equal(x.Stream.Codes, y.Stream.Codes) &&
		x.Time == y.Time && x.End == y.End && x.Number == y.Number && sameDetail(detailOf(x), detailOf(y))
}

func sameDetail(x, y clinical.Detail) bool {
	return x.Type == y.Type && x.Comparator == y.Comparator && x.Precision == y.Precision && x.Unnamed == y.Unnamed &&
		x.Unit == y.Unit && x.Text == y.Text && slices.Equal(x.Codes, y.Codes) &&
		slices.EqualFunc(x.Attributes, y.Attributes, sameAttribute)
}

func sameAttribute(x, y clinical.Attribute) bool {
	return x.Name == y.Name && x.Numeric == y.Numeric && x.Number == y.Number && slices.Equal(x.Codes, y.Codes)
}

// detailOf is the fact's Detail; a fact without one says nothing besides when.
func detailOf(f clinical.Fact) clinical.Detail {
	if f.Detail == nil {
		return clinical.Detail{}
	}
	return *f.Detail
}
