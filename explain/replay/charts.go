package replay

import (
	"container/list"
	"sync"
)

// bytesPerFact is about what one fact of a decoded patient takes, as a statement, as a member of one or
// two inputs, and with its detail.
const bytesPerFact = 640

// Charts keeps decoded patients between the batches of several machines, those that were used last,
// within a budget. It is safe for concurrent use.
type Charts struct {
	mu     sync.Mutex
	budget int64
	used   int64
	byID   map[chartID]*list.Element
	order  *list.List // of *chart, the one used last at the front
}

type chartID struct {
	machine *Machine
	patient string
}

// NewCharts keeps about so many bytes.
func NewCharts(budget int64) *Charts {
	return &Charts{budget: budget, byID: make(map[chartID]*list.Element), order: list.New()}
}

func (c *chart) size() int64 { return 1024 + int64(c.facts)*bytesPerFact }

func (c *chart) id() chartID { return chartID{c.machine, c.patient.ID} }

// take finds a patient of a machine, and keeps it no more: it is put back when it has been brought
// forward.
func (cs *Charts) take(m *Machine, patient string) *chart {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	id := chartID{m, patient}
	e, ok := cs.byID[id]
	if !ok {
		return nil
	}
	delete(cs.byID, id)
	c := cs.order.Remove(e).(*chart)
	cs.used -= c.size()
	return c
}

func (cs *Charts) put(c *chart) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	cs.byID[c.id()] = cs.order.PushFront(c)
	cs.used += c.size()
	for cs.used > cs.budget && cs.order.Len() > 0 {
		last := cs.order.Remove(cs.order.Back()).(*chart)
		delete(cs.byID, last.id())
		cs.used -= last.size()
	}
}
