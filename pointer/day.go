package pointer

import (
	"time"

	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/rules"
)

// firstSeen is the first instant at which a window sees a fact of time t.
func firstSeen(w rules.Window, t clinical.Instant, zone *time.Location) clinical.Instant {
	switch w.Day {
	case rules.NoDay:
		return firstInstant(w.To, t, zone)
	case rules.Yesterday:
		return rules.NextDay(t, zone)
	}
	return t
}

// unseen is the first instant at which a window that has a lower end no longer sees a fact of time t; of the last
// day, if there is no later one.
func unseen(w rules.Window, t clinical.Instant, zone *time.Location) clinical.Instant {
	switch w.Day {
	case rules.NoDay:
		return firstInstant(w.From, t+1-edge, zone)
	case rules.Today:
		return rules.NextDay(t, zone)
	case rules.Yesterday:
		return rules.NextDay(rules.NextDay(t, zone), zone)
	}
	return clinical.Forever
}

// lastDay answers a question about the day of the latest fact. It stands still until a fact of a later day comes.
func (q *question) lastDay() (rules.Value, clinical.Instant) {
	now, all := q.now, q.facts
	latest, ok := q.facts.latest(clinical.Never+1, now, false)
	if !ok {
		var w walk
		w.from(&all, now, true)
		if next, more := w.next(); more {
			return empty(q.term.Op), next.entry.Time
		}
		return empty(q.term.Op), clinical.Forever
	}
	q.still = true
	q.lower, q.facts.limit = rules.StartOfDay(latest.entry.Time, q.zone), rules.NextDay(latest.entry.Time, q.zone)-1
	v, until := q.resolve()
	if q.term.Op == rules.Exists { // whichever day it is, there is something
		return v, clinical.Forever
	}
	var w walk
	w.from(&all, max(now, q.facts.limit), true)
	if next, more := w.next(); more {
		until = min(until, next.entry.Time)
	}
	return v, until
}
