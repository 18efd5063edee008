package fhir

import (
	"time"

	"github.com/vigil-cds/vigil/internal/clinical"
)

// parseTime reads a FHIR date, dateTime or instant exactly:
//
//	YYYY  YYYY-MM  YYYY-MM-DD  YYYY-MM-DDThh:mm[:ss[.f…]][Z|±hh:mm]
//
// What is left out is its start, in zone. FHIR asks for seconds and an offset wherever there is a
// time; feeds leave them out, and then the time is in zone and to the minute. Digits finer than a
// millisecond are dropped. The leap second 60 is the last millisecond of second 59, since the clocks
// that Vigil compares with have no such second. Hour 24, year 0 and days that a month does not have
// are refused.
func parseTime(s string, zone *time.Location) (clinical.Instant, clinical.Precision, bool) {
	t, precision, ok := parseCivil(s, zone)
	if !ok {
		return 0, 0, false
	}
	return clinical.At(t), precision, true
}

func parseCivil(s string, zone *time.Location) (time.Time, clinical.Precision, bool) {
	none := time.Time{}
	year, ok := digits(s, 0, 4)
	if !ok || year < 1 {
		return none, 0, false
	}
	if len(s) == 4 {
		return time.Date(year, 1, 1, 0, 0, 0, 0, zone), clinical.ToYear, true
	}
	month, ok := digits(s, 5, 2)
	if !ok || s[4] != '-' || month < 1 || month > 12 {
		return none, 0, false
	}
	if len(s) == 7 {
		return time.Date(year, time.Month(month), 1, 0, 0, 0, 0, zone), clinical.ToMonth, true
	}
	day, ok := digits(s, 8, 2)
	if !ok || s[7] != '-' || day < 1 || day > daysIn(year, month) {
		return none, 0, false
	}
	if len(s) == 10 {
		return time.Date(year, time.Month(month), day, 0, 0, 0, 0, zone), clinical.ToDay, true
	}
	hour, ok1 := digits(s, 11, 2)
	minute, ok2 := digits(s, 14, 2)
	if !ok1 || !ok2 || s[10] != 'T' || s[13] != ':' || hour > 23 || minute > 59 {
		return none, 0, false
	}
	precision, second, milli := clinical.ToMinute, 0, 0
	at := 16
	if at < len(s) && s[at] == ':' {
		if second, ok = digits(s, at+1, 2); !ok || second > 60 {
			return none, 0, false
		}
		precision, at = clinical.ToSecond, at+3
		if at < len(s) && s[at] == '.' {
			start := at + 1
			scale := 100
			for at++; at < len(s) && s[at] >= '0' && s[at] <= '9'; at++ {
				milli += int(s[at]-'0') * scale
				scale /= 10
			}
			if at == start {
				return none, 0, false
			}
			precision = clinical.ToMillisecond
		}
		if second == 60 {
			second, milli = 59, 999
		}
	}
	switch rest := s[at:]; {
	case rest == "":
	case rest == "Z":
		zone = time.UTC
	case len(rest) == 6 && (rest[0] == '+' || rest[0] == '-') && rest[3] == ':':
		h, ok1 := digits(rest, 1, 2)
		m, ok2 := digits(rest, 4, 2)
		if !ok1 || !ok2 || m > 59 || h*60+m > 14*60 {
			return none, 0, false
		}
		if rest[0] == '+' {
			h, m = -h, -m
		}
		// The offset is taken off in minutes, so that no time.Location has to be made for it.
		zone, minute = time.UTC, minute+h*60+m
	default:
		return none, 0, false
	}
	return time.Date(year, time.Month(month), day, hour, minute, second, milli*int(time.Millisecond), zone), precision, true
}

// lastInstant is the last millisecond of the period that a partial date stands for: FHIR's Period.end
// includes all of it. A date with a time stands for itself.
func lastInstant(start clinical.Instant, precision clinical.Precision, zone *time.Location) clinical.Instant {
	t := start.Time().In(zone)
	switch precision {
	case clinical.ToDay:
		t = t.AddDate(0, 0, 1)
	case clinical.ToMonth:
		t = t.AddDate(0, 1, 0)
	case clinical.ToYear:
		t = t.AddDate(1, 0, 0)
	default:
		return start
	}
	return clinical.At(t) - 1
}

// digits reads exactly n decimal digits at i.
func digits(s string, i, n int) (int, bool) {
	if len(s) < i+n {
		return 0, false
	}
	v := 0
	for _, c := range []byte(s[i : i+n]) {
		if c < '0' || c > '9' {
			return 0, false
		}
		v = v*10 + int(c-'0')
	}
	return v, true
}

func daysIn(year, month int) int {
	switch month {
	case 4, 6, 9, 11:
		return 30
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	}
	return 31
}
