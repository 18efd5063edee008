package store

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/pointer"
)

var errEnded = errors.New("store: the batch was committed or discarded")

// Assert applies one assertion to a patient, and returns the patient as it is then and the streams whose
// facts changed, ascending. pt comes from Patient or Assert of this batch, or is a changed copy.
//
// An assertion whose version is older than the one held, or the same, changes nothing. One that states
// by value and in order what the resource states already changes only the version held. Any other takes
// the resource's old facts away and brings the new ones, whose sequence numbers are order, order+1, and
// so on: order must be greater than every number given before. A retraction leaves the version held
// behind, so that an older one that arrives late does not bring the facts back; so does an assertion
// without facts about a resource that was never seen. An assertion without a resource replaces the unnamed
// fact of its stream and time, and nothing is kept of it but the fact.
//
// The errors are ErrCorrupt, ErrCollision, ErrIncomplete and what Pebble says. After an error the batch
// can only be discarded.
func (b *Batch) Assert(pt *Patient, a *clinical.Assertion, order uint64) (*Patient, []clinical.StreamID, error) {
	after, changed, err := b.assert(pt, a, order)
	if err != nil {
		b.fail(err)
	}
	return after, changed, err
}

func (b *Batch) assert(pt *Patient, a *clinical.Assertion, order uint64) (*Patient, []clinical.StreamID, error) {
	s, err := b.staged(pt.ID)
	if err != nil {
		return pt, nil, err
	}
	if !pt.Complete() {
		return pt, nil, ErrIncomplete
	}
	ids, err := b.streamsOf(a.Facts)
	if err != nil {
		return pt, nil, err
	}
	next := &held{version: a.Version}
	var before []place
	if a.Resource == "" {
		before = unnamed(pt.History, ids, a.Facts)
	} else {
		ref := resourceRef{s.cur.ID, resourceHash(a.Resource)}
		old, err := b.held(ref)
		if err != nil {
			return pt, nil, err
		}
		if old != nil && a.Version.Compare(old.version) != clinical.Newer {
			return pt, nil, nil
		}
		if old != nil {
			before = old.facts
		}
		b.work.resources[ref] = next
	}
	same, err := b.same(pt.History, before, ids, a.Facts)
	if err != nil {
		return pt, nil, err
	}
	if same {
		next.facts = before
		return pt, nil, nil
	}
	changed := make([]clinical.StreamID, 0, len(before)+len(ids))
	history := pt.History
	for _, at := range before {
		series := history.Get(at.stream)
		if series == nil {
			return pt, nil, b.lost()
		}
		series, change, ok := series.Remove(at.fence)
		if !ok {
			return pt, nil, b.lost()
		}
		history = history.With(series)
		b.change(s, at.stream, change)
		changed = append(changed, at.stream)
	}
	if len(a.Facts) > 0 {
		next.facts = make([]place, len(a.Facts))
	}
	for i := range a.Facts {
		f := &a.Facts[i]
		detail, err := b.shared(f.Detail)
		if err != nil {
			return pt, nil, err
		}
		e := pointer.Entry{Time: f.Time, End: f.End, Authored: f.Authored, Seq: order + uint64(i), Number: f.Number, Detail: detail}
		series := history.Get(ids[i])
		if series == nil {
			stream, _ := b.p.stream(ids[i])
			series = &pointer.Series{ID: ids[i], Stream: stream}
		}
		series, change := series.Insert(e)
		history = history.With(series)
		b.change(s, ids[i], change)
		next.facts[i] = place{ids[i], e.Fence()}
		changed = append(changed, ids[i])
	}
	if err := b.own(s.cur.ID, a.Resource, len(before) > 0, len(a.Facts) > 0); err != nil {
		return pt, nil, err
	}
	s.cur = pt.next()
	s.cur.Known = true
	s.cur.History = history
	slices.Sort(changed)
	return s.cur, slices.Compact(changed), nil
}

// Settle stages what became of a patient's derived streams, whose history is then as given, and returns the
// patient as it is then. pt is as for Assert, and so are the errors.
func (b *Batch) Settle(pt *Patient, history *pointer.History, settlings []pointer.Settling) (*Patient, error) {
	if len(settlings) == 0 {
		return pt, nil
	}
	s, err := b.staged(pt.ID)
	if err != nil {
		return pt, err
	}
	for i := range settlings {
		id, err := b.streamOf(settlings[i].Stream)
		if err != nil {
			b.fail(err)
			return pt, err
		}
		for _, c := range settlings[i].Changes {
			b.change(s, id, c)
		}
	}
	s.cur = pt.next()
	s.cur.History = history
	return s.cur, nil
}

// unnamed finds the fact that an assertion without a resource has stated before.
func unnamed(h *pointer.History, ids []clinical.StreamID, facts []clinical.Fact) (before []place) {
	for i := range facts {
		if series := h.Get(ids[i]); series != nil {
			series.At(facts[i].Time, func(e *pointer.Entry) bool {
				at := place{ids[i], e.Fence()}
				if e.Detail.Unnamed && !slices.Contains(before, at) {
					before = append(before, at)
				}
				return true
			})
		}
	}
	return before
}

// lost reports that a resource names a fact that is not there.
func (b *Batch) lost() error { return corrupt(b.p.number, partResource, nil) }

// held reads what the store knows of a resource; nil when it has never been seen.
func (b *Batch) held(ref resourceRef) (*held, error) {
	w := b.work
	if h := w.resources[ref]; h != nil {
		return h, nil
	}
	w.key = appendResourceKey(w.key[:0], b.p.number, ref.patient, ref.hash)
	value, err := b.p.store.find(w.key, w.value[:0])
	if err != nil {
		return nil, fault("read", b.p.number, partResource, err)
	}
	if value == nil {
		return nil, nil
	}
	w.value = value
	h, ok := decodeHeld(value)
	if !ok {
		return nil, corrupt(b.p.number, partResource, nil)
	}
	return h, nil
}

// streamsOf gives the facts' streams their ids and enters those that are new into the dictionary. The
// slice is good until the next call.
func (b *Batch) streamsOf(facts []clinical.Fact) ([]clinical.StreamID, error) {
	w := b.work
	w.ids = w.ids[:0]
	for i := range facts {
		id, err := b.streamOf(facts[i].Stream)
		if err != nil {
			return nil, err
		}
		w.ids = append(w.ids, id)
	}
	return w.ids, nil
}

func (b *Batch) streamOf(s clinical.Stream) (clinical.StreamID, error) {
	id := s.ID()
	known, ok := b.p.stream(id)
	switch {
	case !ok:
		s.Codes = slices.Clone(s.Codes)
		b.work.streams[id] = s
		b.p.addStream(id, s)
	case known.Kind != s.Kind || !slices.Equal(known.Codes, s.Codes):
		return 0, fmt.Errorf("%w: partition %d", ErrCollision, b.p.number)
	}
	return id, nil
}

// same reports whether the places hold exactly these facts, in this order.
func (b *Batch) same(h *pointer.History, places []place, ids []clinical.StreamID, facts []clinical.Fact) (bool, error) {
	if len(places) != len(facts) {
		return false, nil
	}
	for i := range facts {
		f, at := &facts[i], &places[i]
		if at.stream != ids[i] || at.fence.Time != f.Time {
			return false, nil
		}
		series := h.Get(at.stream)
		if series == nil {
			return false, b.lost()
		}
		e, ok := series.Get(at.fence)
		if !ok {
			return false, b.lost()
		}
		if e.End != f.End || e.Authored != f.Authored || e.Number != f.Number || !sameDetail(e.Detail, f.Detail) {
			return false, nil
		}
	}
	return true, nil
}

var noDetail clinical.Detail

func sameDetail(x, y *clinical.Detail) bool {
	if y == nil {
		y = &noDetail
	}
	return x == y || x.Type == y.Type && x.Comparator == y.Comparator && x.Precision == y.Precision && x.Unnamed == y.Unnamed &&
		x.Unit == y.Unit && x.Text == y.Text && slices.Equal(x.Codes, y.Codes) &&
		slices.EqualFunc(x.Attributes, y.Attributes, func(x, y clinical.Attribute) bool {
			return x.Name == y.Name && x.Numeric == y.Numeric && x.Number == y.Number && slices.Equal(x.Codes, y.Codes)
		})
}

// shared is the one copy of a detail that all facts of all patients use.
func (b *Batch) shared(d *clinical.Detail) (*clinical.Detail, error) {
	if d == nil {
		d = &noDetail
	}
	w := b.work
	w.value = d.AppendTo(w.value[:0])
	shared, err := b.p.store.details.Decode(w.value)
	if err != nil {
		return nil, fmt.Errorf("store: share a detail: %w", err)
	}
	return shared, nil
}

// change stages what a series did to its chunks.
func (b *Batch) change(s *staged, id clinical.StreamID, c pointer.Change) {
	for _, f := range c.Delete {
		b.work.chunks[chunkRef{s, id, f}] = nil
	}
	for _, chunk := range c.Put {
		b.work.chunks[chunkRef{s, id, chunk.Fence}] = chunk
	}
}

// own keeps the index of which patient a resource states facts for.
func (b *Batch) own(patient, resource string, before, after bool) error {
	if before == after || !indexed(resource) {
		return nil
	}
	if after {
		b.work.owners[resource] = patient
		return nil
	}
	// The resource may have moved on to another patient, whose it stays.
	owner, ok := b.work.owners[resource]
	if !ok {
		w := b.work
		w.key = appendOwnerKey(w.key[:0], b.p.number, resource)
		value, err := b.p.store.get(w.key, nil)
		if err != nil {
			return fault("read", b.p.number, familyOwner, err)
		}
		owner = string(value)
	}
	if owner == patient {
		b.work.owners[resource] = ""
	}
	return nil
}

// indexed reports whether a resource can be deleted by its name alone: it is a type and a legal FHIR id
// (up to 64 letters, digits, '-' and '.').
func indexed(resource string) bool {
	kind, id, ok := strings.Cut(resource, "/")
	if !ok || kind == "" || id == "" || len(id) > 64 {
		return false
	}
	for i := range len(id) {
		switch c := id[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '.':
		default:
			return false
		}
	}
	return true
}
