package rules

import (
	"time"

	"github.com/vigil-cds/vigil/internal/clinical"
)

// Day is a calendar day in the pack's zone that a window is, in place of a length of time.
type Day uint8

const (
	NoDay     Day = iota
	Today         // from the start of the day of now, up to now
	Yesterday     // the whole of the day before
	LastDay       // from the start of the day of the input's latest fact with time <= now, up to now
)

var dayNames = [...]string{Today: "today", Yesterday: "yesterday", LastDay: "last day"}

// String is the window as packs write it: "last day".
func (d Day) String() string { return dayNames[d] }

// noCalendar is beyond every date that a calendar is asked for: the year 11476, and as long before 1970. Days out
// there, as of an instant that is not known, are instants.
const noCalendar = clinical.Instant(300_000_000_000_000)

// StartOfDay is the first instant of the day that t lies in, in zone: midnight, or where clocks skip that, the
// instant to which they go on. It never decreases as t grows.
func StartOfDay(t clinical.Instant, zone *time.Location) clinical.Instant {
	if t < -noCalendar || t > noCalendar {
		return t
	}
	y, m, d := t.Time().In(zone).Date()
	if next := dayBegins(y, m, d+1, zone); next <= t { // clocks were put back over a midnight
		return next
	}
	for ; ; d-- {
		if start := dayBegins(y, m, d, zone); start <= t {
			return start
		}
	}
}

// NextDay is the first instant of the day after the one that t lies in, in zone.
func NextDay(t clinical.Instant, zone *time.Location) clinical.Instant {
	if t < -noCalendar || t > noCalendar {
		return clinical.Forever
	}
	start := StartOfDay(t, zone)
	y, m, d := start.Time().In(zone).Date()
	for {
		if d++; dayBegins(y, m, d, zone) > start {
			return dayBegins(y, m, d, zone)
		}
	}
}

// dayBegins is when a date begins. Where there is no midnight, package time gives an instant on either side of the
// change, and the date begins with the change; so does one that a zone left out when it moved across the date line.
func dayBegins(y int, m time.Month, d int, zone *time.Location) clinical.Instant {
	at := time.Date(y, m, d, 0, 0, 0, 0, zone)
	want := time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
	date := func(t time.Time) time.Time {
		y, m, d := t.Date()
		return time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
	}
	if date(at).Equal(want) {
		return clinical.At(at)
	}
	for !date(at).Before(want) {
		at = at.Add(-time.Hour)
	}
	lo := clinical.At(at)
	for date(at).Before(want) {
		at = at.Add(time.Hour)
	}
	hi := clinical.At(at)
	for lo+1 < hi {
		if mid := lo + (hi-lo)/2; date(mid.Time().In(zone)).Before(want) {
			lo = mid
		} else {
			hi = mid
		}
	}
	return hi
}
