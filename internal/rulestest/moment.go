package rulestest

import (
	"strconv"
	"strings"
	"time"

	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/rules"
)

// clock is what times in a case are read against.
type clock struct {
	now  clinical.Instant
	zone *time.Location
}

// units are the lengths that an offset is a sum of; months are calendar months.
var units = map[string]rules.Duration{
	"ms": {Millis: 1},
	"s":  {Millis: 1000},
	"m":  {Millis: 60_000},
	"h":  {Millis: 3_600_000},
	"d":  {Millis: 86_400_000},
	"w":  {Millis: 7 * 86_400_000},
	"mo": {Months: 1},
	"y":  {Months: 12},
}

// moment is a time and how finely it was written.
type moment struct {
	at        clinical.Instant
	precision clinical.Precision
}

// time reads a time of a case: now, an offset, a date or an instant.
func (r *reader) time(n node, s string, when clock) clinical.Instant {
	return r.moment(n, s, when).at
}

func (r *reader) moment(n node, s string, when clock) moment {
	if s == "now" {
		return finely(when.now)
	}
	if t, ok := parseInstant(s, when.zone); ok {
		return t
	}
	if d, ok := parseOffset(s); ok {
		// Before goes back, so the offset is turned round.
		return finely(rules.Duration{Months: -d.Months, Millis: -d.Millis}.Before(when.now, when.zone))
	}
	r.fault(n, "write now, an offset such as -40h or +1d12h, a date, or 2026-03-01T12:00:00Z", "%q is not a time", s)
	return finely(when.now)
}

// finely is an instant that is taken to be stated as finely as it has to be, from minutes on.
func finely(t clinical.Instant) moment {
	switch {
	case t%60_000 == 0:
		return moment{t, clinical.ToMinute}
	case t%1000 == 0:
		return moment{t, clinical.ToSecond}
	}
	return moment{t, clinical.ToMillisecond}
}

// parseOffset reads a sign and a sum of whole numbers with units. Later is positive.
func parseOffset(s string) (rules.Duration, bool) {
	if len(s) < 2 || s[0] != '+' && s[0] != '-' {
		return rules.Duration{}, false
	}
	d, ok := parseLength(s[1:])
	if s[0] == '-' {
		d.Months, d.Millis = -d.Months, -d.Millis
	}
	return d, ok
}

// parseLength reads a sum of whole numbers with units.
func parseLength(rest string) (rules.Duration, bool) {
	var sum rules.Duration
	for rest != "" {
		word := strings.TrimLeft(rest, "0123456789")
		n, err := strconv.ParseInt(rest[:len(rest)-len(word)], 10, 32)
		if err != nil {
			return rules.Duration{}, false
		}
		rest = strings.TrimLeft(word, "abcdefghijklmnopqrstuvwxyz")
		unit, ok := units[word[:len(word)-len(rest)]]
		if !ok {
			return rules.Duration{}, false
		}
		sum.Months += int(n) * unit.Months
		sum.Millis += n * unit.Millis
	}
	return sum, true
}

// parseInstant reads an instant, with or without its offset from UTC, or a date, which is its first
// instant; the zone is that of what has none.
func parseInstant(s string, zone *time.Location) (moment, bool) {
	if t, err := time.Parse(time.RFC3339, s); err == nil {
		return finely(clinical.At(t)), true
	}
	if t, err := time.ParseInLocation(time.DateOnly, s, zone); err == nil {
		return moment{clinical.At(t), clinical.ToDay}, true
	}
	for _, layout := range []string{"2006-01-02T15:04", "2006-01-02T15:04:05"} {
		if t, err := time.ParseInLocation(layout, s, zone); err == nil {
			return finely(clinical.At(t)), true
		}
	}
	return moment{}, false
}
