package explain

import (
	"time"

	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/rules"
)

const day = clinical.Instant(24 * 60 * 60 * 1000)

// ago is the instant d before t, or after it where d is negative: the calendar months first, then the
// milliseconds.
//
// n months before is the same day of the month and the same time since the start of that day. In a
// month that is too short for the day it is the month's last millisecond, on a day that is too short
// for the time the day's last millisecond.
func ago(d rules.Duration, t clinical.Instant, zone *time.Location) clinical.Instant {
	if d.Months != 0 {
		t = monthsAgo(d.Months, t, zone)
	}
	return t - clinical.Instant(d.Millis)
}

func monthsAgo(n int, t clinical.Instant, zone *time.Location) clinical.Instant {
	year, month, dayOfMonth := t.Time().In(zone).Date()
	sinceMidnight := t - midnight(year, month, dayOfMonth, zone)
	year, month = year-n/12, month-time.Month(n%12)
	switch {
	case month < time.January:
		year, month = year-1, month+12
	case month > time.December:
		year, month = year+1, month-12
	}
	if dayOfMonth > daysIn(year, month) {
		return midnight(year, month+1, 1, zone) - 1
	}
	start, end := midnight(year, month, dayOfMonth, zone), midnight(year, month, dayOfMonth+1, zone)
	if start+sinceMidnight >= end {
		return end - 1
	}
	return start + sinceMidnight
}

// birthday is the start of the day on which the given number of months since birth is completed: the
// day of the month of birth, or the last of a month that is too short for it.
func birthday(birth clinical.Instant, months int, zone *time.Location) clinical.Instant {
	year, month, dayOfMonth := birth.Time().In(zone).Date()
	year, month = year+months/12, month+time.Month(months%12)
	if month > time.December {
		year, month = year+1, month-12
	}
	return midnight(year, month, min(dayOfMonth, daysIn(year, month)), zone)
}

// completed is how many whole steps of so many months lie between birth and now. It counts from the
// year before last, up to which all are.
func completed(step int, birth, now clinical.Instant, zone *time.Location) int {
	years := now.Time().In(zone).Year() - birth.Time().In(zone).Year()
	n := max(0, years-1) * 12 / step
	for birthday(birth, (n+1)*step, zone) <= now {
		n++
	}
	return n
}

// midnight is the start of a day in zone. A day or month past the last counts on into the next.
func midnight(year int, month time.Month, dayOfMonth int, zone *time.Location) clinical.Instant {
	return clinical.At(time.Date(year, month, dayOfMonth, 0, 0, 0, 0, zone))
}

func daysIn(year int, month time.Month) int {
	switch month {
	case time.April, time.June, time.September, time.November:
		return 30
	case time.February:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	}
	return 31
}

// reaches is the first instant from which d ago is t or later. It is searched for, since months have no
// fixed length; ago never decreases, so there is one such instant.
func reaches(d rules.Duration, t clinical.Instant, zone *time.Location) clinical.Instant {
	exact := t + clinical.Instant(d.Millis)
	if d.Months == 0 {
		return exact
	}
	early, late := exact, exact+clinical.Instant(31*d.Months+31)*day
	return firstTrue(early, late, func(now clinical.Instant) bool { return ago(d, now, zone) >= t })
}

// firstTrue is the first instant after early at which holds is true, where it is false up to some
// instant and true from there to late.
func firstTrue(early, late clinical.Instant, holds func(clinical.Instant) bool) clinical.Instant {
	for late-early > 1 {
		if middle := early + (late-early)/2; holds(middle) {
			late = middle
		} else {
			early = middle
		}
	}
	return late
}
