package clinical

import "slices"

// Answered follows which events of a partition have had their facts record. A producer that gets no answer
// from its broker writes a batch once more, and the broker may have taken it before: of the records of one
// event the first counts, and those that come again state nothing. The zero value has seen event 0 alone;
// NoneAnswered has seen none. An Answered is not changed: Take returns the next.
type Answered struct {
	Last    int64 // the greatest event that was answered; -1 none
	Missing []Gap // events before it that were not, in order
}

// Gap is some events in a row.
type Gap struct{ First, Last int64 }

// NoneAnswered is at the start of a log.
func NoneAnswered() Answered { return Answered{Last: -1} }

// mostGaps bounds what is kept. An event is missing for a moment, when its record failed and the next did
// not; an offset at which there is no event, such as a transaction's mark, is for ever.
const mostGaps = 64

// Take notes the record of an event; again says that the event has had one. A record of no event, at -1, is
// never there again.
func (a Answered) Take(event int64) (next Answered, again bool) {
	switch {
	case event < 0:
		return a, false
	case event == a.Last+1:
		return Answered{event, a.Missing}, false
	case event > a.Last:
		kept := a.Missing[max(0, len(a.Missing)-mostGaps+1):]
		return Answered{event, append(slices.Clone(kept), Gap{a.Last + 1, event - 1})}, false
	}
	i := slices.IndexFunc(a.Missing, func(g Gap) bool { return g.First <= event && event <= g.Last })
	if i < 0 {
		return a, true
	}
	g := a.Missing[i]
	var rest []Gap
	if g.First < event {
		rest = append(rest, Gap{g.First, event - 1})
	}
	if event < g.Last {
		rest = append(rest, Gap{event + 1, g.Last})
	}
	return Answered{a.Last, slices.Concat(a.Missing[:i], rest, a.Missing[i+1:])}, false
}
