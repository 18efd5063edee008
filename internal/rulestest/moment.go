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

// time reads a time of a case: now, an offset, a date or an instant.
func (r *reader) time(n node, s string, when clock) clinical.Instant {
	if s == "now" {
		return when.now
	}
	if t, ok := parseInstant(s); ok {
		return t
	}
	if d, ok := parseOffset(s); ok {
		// Before goes back, so the offset is turned round.
		return rules.Duration{Months: -d.Months, Millis: -d.Millis}.Before(when.now, when.zone)
	}
	r.fault(n, "write now, an offset such as -40h or +1d12h, a date, or 2026-03-01T12:00:00Z", "%q is not a time", s)
	return when.now
}

// parseOffset reads a sign and a sum of whole numbers with units. Later is positive.
func parseOffset(s string) (rules.Duration, bool) {
	if len(s) < 2 || s[0] != '+' && s[0] != '-' {
		return rules.Duration{}, false
	}
	sign, rest := 1, s[1:]
	if s[0] == '-' {
		sign = -1
	}
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
		sum.Months += sign * int(n) * unit.Months
		sum.Millis += int64(sign) * n * unit.Millis
	}
	return sum, true
}

// parseInstant reads an RFC 3339 instant, or a date, which is its first instant in UTC.
func parseInstant(s string) (clinical.Instant, bool) {
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, s); err == nil {
			return clinical.At(t), true
		}
	}
	return 0, false
}
