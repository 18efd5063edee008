package render

import (
	"strings"

	"github.com/vigil-cds/vigil/explain/record"
)

// periods are the terms that are about the period itself, in words.
var periods = map[string]string{
	"start": "the start of the period", "end": "the end of the period", "ended": "the end of the period",
	"hours_since_start": "the time since the start of the period", "hours_since_end": "the time since the end of the period",
}

// The texts of windows that are about a period, and what they begin with (record.Window).
const (
	during  = "during"
	atStart = "at_start"
	atEnd   = "at_end"
)

// anchored takes a window apart that is counted from the start or the end of a period; false of any other.
func anchored(text string) (window, of string, ok bool) {
	anchor, window, _ := strings.Cut(text, " ")
	switch anchor {
	case atStart:
		return window, "the start of the period", true
	case atEnd:
		return window, "the end of the period", true
	}
	return "", "", false
}

// withinPeriod says in which window something was of one that is about a period; false of any other.
func withinPeriod(text string) (string, bool) {
	if text == during {
		return "in the period", true
	}
	window, of, ok := anchored(text)
	after, ahead := strings.CutPrefix(window, "after ")
	switch {
	case !ok:
		return "", false
	case window == "":
		return "up to " + of, true
	case ahead && strings.Contains(after, ".."):
		return "between " + strings.Replace(strings.TrimSuffix(span(after), " ago"), " to ", " and ", 1) + " after " + of, true
	case ahead:
		return "in " + span(after) + " after " + of, true
	case strings.Contains(window, ".."):
		return "between " + strings.Replace(strings.TrimSuffix(span(window), " ago"), " to ", " and ", 1) + " before " + of, true
	}
	return "in " + span(window) + " before " + of, true
}

// ofPeriod names the period that an explanation is about: " for inpatient from 27 February 12:00"; "" where it is
// about the patient.
func (v *view) ofPeriod() string {
	p := v.Period
	if p == nil {
		return ""
	}
	return " for " + named(p.Input) + " from " + v.said(p.Start, v.beginning(p))
}

// beginning is how finely the start of a period was stated.
func (v *view) beginning(p *record.Period) string {
	for _, i := range p.Facts {
		if f := &v.Facts[i]; f.Time != nil && *f.Time == p.Start {
			return f.Precision
		}
	}
	return fineness(p.Start)
}

// lasting is a period with both of its ends.
func (v *view) lasting(p *record.Period) string {
	end := "ongoing"
	if p.End != record.Ongoing {
		end = "to " + v.inFull(p.End)
	}
	return plain(p.Input) + ", from " + v.inFull(p.Start) + ", " + end
}
