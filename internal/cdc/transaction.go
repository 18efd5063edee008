package cdc

import (
	"cmp"
	"slices"

	"github.com/vigil-cds/vigil/internal/clinical"
)

// Place is where a record stands in the log of envelopes.
type Place struct {
	Topic     string
	Partition int32
	Offset    int64
}

// Lane is a partition of a topic: its records come in their order.
type Lane struct {
	Topic     string
	Partition int32
}

// Lane is where the place is.
func (p Place) Lane() Lane { return Lane{p.Topic, p.Partition} }

// Part is one change with where it was read.
type Part struct {
	Place
	Change  *Envelope
	Value   []byte           // the record's, as it came
	Written clinical.Instant // the record's own time
}

// At is when the source says that it changed the row; the record's own time when it does not say.
func (p *Part) At() clinical.Instant { return cmp.Or(p.Change.Version.Updated, p.Written) }

// Transaction is what takes effect together.
type Transaction struct {
	ID      string
	Parts   []Part  // the changes, in the order of the source as far as it says, else as they came
	Markers []Place // records that said nothing but how many parts there are
	Began   int64   // when the first of it was added, in the unit of Add

	want  int // parts; 0 while unknown
	bytes int64
	lanes []Lane
}

// Complete says whether all parts are there.
func (t *Transaction) Complete() bool { return t.want > 0 && len(t.Parts) >= t.want }

// At is when the latest part of the transaction was changed.
func (t *Transaction) At() (at clinical.Instant) {
	for i := range t.Parts {
		at = max(at, t.Parts[i].At())
	}
	return at
}

// Places are all records of the transaction.
func (t *Transaction) Places() []Place {
	places := slices.Clone(t.Markers)
	for i := range t.Parts {
		places = append(places, t.Parts[i].Place)
	}
	return places
}

// Collector brings the parts of transactions together and says which can be taken, in which order. It is for
// one goroutine. The zero value is empty.
//
// Each partition of the log has the transactions in the order in which they were committed, or, when several
// write at the same time, in which they began. That order is kept: a transaction is taken after all whose first
// part in some partition stands before its own there, and so only when these are complete too. Of those that share
// no partition the earlier is taken first, as far as it is there: who reads says until when it must be.
type Collector struct {
	open  map[string]*Transaction
	lanes map[Lane][]*Transaction // by first part
	count int
	bytes int64
}

// Add takes a part, or a marker. Now is any clock's reading.
func (c *Collector) Add(p Part, now int64) {
	if c.open == nil {
		c.open, c.lanes = map[string]*Transaction{}, map[Lane][]*Transaction{}
	}
	t := c.open[p.Change.Transaction]
	if t == nil || p.Change.Transaction == "" {
		t = &Transaction{ID: p.Change.Transaction, Began: now}
		c.count++
		if t.ID == "" {
			t.want = 1
		} else {
			c.open[t.ID] = t
		}
	}
	t.want = max(t.want, p.Change.Count)
	if p.Change.Op == "" {
		t.Markers = append(t.Markers, p.Place)
		return
	}
	l := p.Lane()
	if !slices.Contains(t.lanes, l) {
		t.lanes = append(t.lanes, l)
		c.lanes[l] = append(c.lanes[l], t)
	}
	t.Parts = append(t.Parts, p)
	t.bytes += int64(len(p.Value))
	c.bytes += int64(len(p.Value))
}

// Open is how many transactions wait and how many bytes their parts have.
func (c *Collector) Open() (transactions int, bytes int64) { return c.count, c.bytes }

// Oldest is the transaction that has waited longest for a part; nil when none waits.
func (c *Collector) Oldest() *Transaction {
	var oldest *Transaction
	for _, t := range c.open {
		if !t.Complete() && (oldest == nil || cmp.Or(cmp.Compare(t.Began, oldest.Began), cmp.Compare(t.ID, oldest.ID)) < 0) {
			oldest = t
		}
	}
	return oldest
}

// Drop forgets a transaction, which keeps others waiting no longer.
func (c *Collector) Drop(t *Transaction) {
	if t.ID != "" {
		delete(c.open, t.ID)
	}
	c.count--
	c.bytes -= t.bytes
	for _, l := range t.lanes {
		queue := c.lanes[l]
		if i := slices.Index(queue, t); i == 0 {
			queue = queue[1:] // the usual case, at no cost however many wait
		} else {
			queue = slices.Delete(queue, i, i+1)
		}
		if c.lanes[l] = queue; len(queue) == 0 {
			delete(c.lanes, l)
		}
	}
}

// Ready takes out what can be taken, in order. Of all that happened before a transaction for which known is true
// everything has been added.
func (c *Collector) Ready(known func(*Transaction) bool) []*Transaction {
	free := c.free(known)
	var ready []*Transaction
	for len(free) > 0 {
		t := c.next(free)
		slices.SortStableFunc(t.Parts, func(x, y Part) int { return cmp.Compare(x.Change.Order, y.Change.Order) })
		c.Drop(t)
		delete(free, t)
		ready = append(ready, t)
	}
	return ready
}

// free are the complete transactions that wait for none that is not.
func (c *Collector) free(known func(*Transaction) bool) map[*Transaction]bool {
	stuck := map[*Transaction]bool{}
	for _, queue := range c.lanes {
		for _, t := range queue {
			if !stuck[t] && (!t.Complete() || !known(t)) {
				stuck[t] = true
			}
		}
	}
	for changed := true; changed; {
		changed = false
		for _, queue := range c.lanes {
			blocked := false
			for _, t := range queue {
				blocked = blocked || stuck[t]
				if blocked && !stuck[t] {
					stuck[t], changed = true, true
				}
			}
		}
	}
	free := map[*Transaction]bool{}
	for _, queue := range c.lanes {
		for _, t := range queue {
			if !stuck[t] {
				free[t] = true
			}
		}
	}
	return free
}

// next is one that stands first wherever it has parts. Of several it is
// the one that happened first, and so it is when all wait for each other in a ring, as only those can that wrote at
// the same time.
func (c *Collector) next(free map[*Transaction]bool) *Transaction {
	var best *Transaction
	first := false
	for _, queue := range c.lanes {
		t := queue[0]
		if !free[t] {
			continue
		}
		f := c.first(t)
		if best == nil || f && !first || f == first && t.before(best) {
			best, first = t, f
		}
	}
	return best
}

func (c *Collector) first(t *Transaction) bool {
	return !slices.ContainsFunc(t.lanes, func(l Lane) bool { return c.lanes[l][0] != t })
}

func (t *Transaction) before(u *Transaction) bool {
	x, y := &t.Parts[0], &u.Parts[0]
	return cmp.Or(cmp.Compare(t.At(), u.At()), cmp.Compare(x.Written, y.Written), cmp.Compare(x.Change.Version.Number, y.Change.Version.Number),
		cmp.Compare(x.Topic, y.Topic), cmp.Compare(x.Partition, y.Partition), cmp.Compare(x.Offset, y.Offset)) < 0
}
