package explain

import (
	"time"

	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/rules"
)

// date is a day of the calendar.
type date struct {
	year  int
	month time.Month
	day   int
}

func dateOf(t clinical.Instant, zone *time.Location) date {
	year, month, day := t.Time().In(zone).Date()
	return date{year, month, day}
}

func (d date) number() int { return (d.year*16+int(d.month))*32 + d.day }

// begins is the first instant of a date: its midnight, or where clocks skip that, the instant of the change.
func (d date) begins(zone *time.Location) clinical.Instant {
	at := midnight(d.year, d.month, d.day, zone)
	if dateOf(at, zone).number() == d.number() {
		return at
	}
	const far = 2 * day // a zone that moved across the date line left out a day
	return firstTrue(at-far, at+far, func(t clinical.Instant) bool { return dateOf(t, zone).number() >= d.number() })
}

// on is the date some days later, or earlier.
func (d date) on(days int) date {
	t := time.Date(d.year, d.month, d.day+days, 12, 0, 0, 0, time.UTC)
	return date{t.Year(), t.Month(), t.Day()}
}

// dayOf is the day that an instant lies in: the latest of those that have begun by then. Where clocks are put back
// over a midnight that is not always the date that they show.
func dayOf(t clinical.Instant, zone *time.Location) date {
	d := dateOf(min(max(t, -horizon), horizon), zone).on(2)
	for d.begins(zone) > max(t, -horizon) {
		d = d.on(-1)
	}
	return d
}

// dayAfter is when the day after the one of an instant begins. A date that was left out is none.
func dayAfter(t clinical.Instant, zone *time.Location) clinical.Instant {
	d := dayOf(t, zone)
	for next := d.on(1); ; next = next.on(1) {
		if at := next.begins(zone); at > d.begins(zone) {
			return at
		}
	}
}

// dayBounds are the ends of a window that is a day: nothing lies between them where there is no such day.
func (r *reading) dayBounds(t *rules.Term, now clinical.Instant) (earliest, latest clinical.Instant) {
	zone := r.program.Zone
	switch t.Window.Day {
	case rules.Today:
		return dayOf(now, zone).begins(zone), now
	case rules.Yesterday:
		midnight := dayOf(now, zone).begins(zone)
		return dayOf(midnight-1, zone).begins(zone), midnight - 1
	}
	facts := r.input(t.Input)
	if i := since(facts, now+1); i > 0 && facts[i-1].Fact.Time != clinical.Never {
		return dayOf(facts[i-1].Fact.Time, zone).begins(zone), now
	}
	return clinical.Forever, now
}

// comesIn is the first instant at which the term's window sees a fact of time t.
func (r *reading) comesIn(w rules.Window, t clinical.Instant) clinical.Instant {
	zone := r.program.Zone
	switch w.Day {
	case rules.NoDay:
		return reaches(w.To, t, zone)
	case rules.Yesterday:
		return dayAfter(t, zone)
	}
	return t
}

// goesOut is the first instant at which the term's window no longer sees a fact of time t; of the last day, where
// only a later fact changes that, never.
func (r *reading) goesOut(w rules.Window, t clinical.Instant) clinical.Instant {
	zone := r.program.Zone
	switch w.Day {
	case rules.NoDay:
		return reaches(w.From, t+1, zone)
	case rules.Today:
		return dayAfter(t, zone)
	case rules.Yesterday:
		return dayAfter(dayAfter(t, zone), zone)
	}
	return clinical.Forever
}

// dates is what a function of two times answers.
func dates(e *rules.Dates, x, y rules.Value) rules.Value {
	if x.Kind == rules.Missing || y.Kind == rules.Missing {
		return rules.Value{}
	}
	ongoing := func(v rules.Value) bool { return v.Num >= float64(clinical.Forever) }
	if e.Func == rules.SameDay {
		if ongoing(x) || ongoing(y) {
			return rules.BoolOf(false)
		}
		return rules.BoolOf(dayOf(clinical.Instant(x.Num), e.Zone).begins(e.Zone) == dayOf(clinical.Instant(y.Num), e.Zone).begins(e.Zone))
	}
	if ongoing(y) || y.Num < x.Num {
		return rules.Value{}
	}
	step := 1
	if e.Func == rules.AgeAt {
		step = 12
	}
	return rules.NumberOf(float64(completed(step, clinical.Instant(x.Num), clinical.Instant(y.Num), e.Zone)))
}
