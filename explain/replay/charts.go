package replay

import "container/list"

// bytesPerFact is about what one fact of a decoded patient takes, as a statement, as a member of one or
// two inputs, and with its detail.
const bytesPerFact = 640

// charts keeps the patients used last, within a budget.
type charts struct {
	budget, used int64
	byID         map[string]*list.Element
	order        *list.List // of *chart, the one used last at the front
}

func newCharts(budget int64) charts {
	return charts{budget: budget, byID: make(map[string]*list.Element), order: list.New()}
}

func (c *chart) size() int64 { return 1024 + int64(c.facts)*bytesPerFact }

// take finds a patient, and keeps it no more: it is put back when it has been brought forward.
func (cs *charts) take(id string) *chart {
	e, ok := cs.byID[id]
	if !ok {
		return nil
	}
	delete(cs.byID, id)
	c := cs.order.Remove(e).(*chart)
	cs.used -= c.size()
	return c
}

func (cs *charts) put(c *chart) {
	cs.byID[c.patient.ID] = cs.order.PushFront(c)
	cs.used += c.size()
	for cs.used > cs.budget && cs.order.Len() > 0 {
		last := cs.order.Remove(cs.order.Back()).(*chart)
		delete(cs.byID, last.patient.ID)
		cs.used -= last.size()
	}
}
