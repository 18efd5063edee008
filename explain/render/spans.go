package render

import (
	"strconv"
	"strings"

	"github.com/vigil-cds/vigil/explain/record"
)

var lengthWords = map[string]string{
	"ms": "millisecond", "s": "second", "m": "minute", "h": "hour", "d": "day", "w": "week", "mo": "month", "y": "year",
}

// length is one part of a length of time as packs write it: 7 and "day".
type length struct {
	n    int
	unit string
}

// lengths takes '1y6mo' apart; nil for what is not a length of time.
func lengths(s string) []length {
	var parts []length
	for s = strings.TrimSpace(s); s != ""; {
		word := strings.TrimLeft(s, "0123456789")
		n, err := strconv.Atoi(s[:len(s)-len(word)])
		s = strings.TrimLeft(word, "abcdefghijklmnopqrstuvwxyz")
		unit, ok := lengthWords[word[:len(word)-len(s)]]
		if err != nil || !ok {
			return nil
		}
		parts = append(parts, length{n, unit})
	}
	return parts
}

// spoken is a length of time in words: "1 year 6 months".
func spoken(parts []length) string {
	words := make([]string, len(parts))
	for i, p := range parts {
		words[i] = counted(p.n, p.unit)
	}
	return strings.Join(words, " ")
}

// span is a window's length in words: "7 days", "365 to 8 days ago"; "" for all of the past.
func span(text string) string {
	if words, ok := withinPeriod(text); ok {
		return strings.TrimPrefix(strings.TrimPrefix(words, "in "), "between ")
	}
	from, to, offset := strings.Cut(text, "..")
	far, near := lengths(from), lengths(to)
	switch {
	case far == nil || offset && near == nil:
		return plain(text)
	case !offset:
		return spoken(far)
	case len(far) == 1 && len(near) == 1 && far[0].unit == near[0].unit:
		return strconv.Itoa(far[0].n) + " to " + spoken(near) + " ago"
	}
	return spoken(far) + " to " + spoken(near) + " ago"
}

// days are the windows that are a day of the calendar, in words.
var days = map[string]string{"today": "that day", "yesterday": "the day before", "last day": "on the last day with any"}

// within says in which window something was, to stand behind it: "in 7 days", "between 365 and 8 days
// ago", "on record" for all of the past; "" without a window.
func within(w *record.Window) string {
	switch {
	case w == nil:
		return ""
	case w.Text == "":
		return "on record"
	}
	if text, ok := withinPeriod(w.Text); ok {
		return text
	}
	if text, ok := days[w.Text]; ok {
		return text
	}
	switch {
	case strings.Contains(w.Text, ".."):
		return "between " + strings.Replace(span(w.Text), " to ", " and ", 1)
	}
	return "in " + span(w.Text)
}
