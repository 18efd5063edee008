package render

import (
	"time"

	"github.com/vigil-cds/vigil/explain/record"
	"github.com/vigil-cds/vigil/internal/clinical"
)

// calendar writes instants, in the reader's zone, for an explanation of one instant.
type calendar struct {
	at    time.Time      // the instant that is explained
	zone  *time.Location // the reader's
	dates *time.Location // the rule set's, in which dates without a time were read
}

func calendarOf(e *record.Explanation, zone *time.Location) calendar {
	dates := zone
	if zone == nil || e.RuleSet.Zone != zone.String() {
		if named, err := time.LoadLocation(e.RuleSet.Zone); err == nil {
			dates = named
		}
	}
	if dates == nil {
		dates = time.UTC
	}
	if zone == nil {
		zone = dates
	}
	return calendar{at: moment(e.At).In(zone), zone: zone, dates: dates}
}

func moment(i record.Instant) time.Time { return clinical.Instant(i).Time() }

const (
	toYear  = "year"
	toMonth = "month"
	toDay   = "day"
)

// said is an instant in a sentence, in relation to the instant that is explained: of the same day "12:40",
// of the two days before "5 May 07:15", of the same year "5 May", and never finer than it was stated.
func (c calendar) said(i record.Instant, precision string) string {
	if i == record.Ongoing {
		return "now"
	}
	date := func(t, at time.Time) string {
		if t.Year() == at.Year() {
			return t.Format("2 January")
		}
		return t.Format("2 January 2006")
	}
	switch stated, at := moment(i).In(c.dates), c.at.In(c.dates); precision {
	case toYear:
		return stated.Format("2006")
	case toMonth:
		if stated.Year() == at.Year() {
			return stated.Format("January")
		}
		return stated.Format("January 2006")
	case toDay:
		return date(stated, at)
	}
	const near = 48 * time.Hour
	t := moment(i).In(c.zone)
	switch {
	case sameDay(t, c.at):
		return t.Format("15:04")
	case c.at.Sub(t).Abs() <= near:
		return date(t, c.at) + t.Format(" 15:04")
	}
	return date(t, c.at)
}

func sameDay(x, y time.Time) bool { return x.Year() == y.Year() && x.YearDay() == y.YearDay() }

// column is an instant in a table, as finely as it was stated.
func (c calendar) column(i record.Instant, precision string) string {
	if i == record.Ongoing {
		return "ongoing"
	}
	layout, zone := time.DateTime, c.zone
	switch precision {
	case toYear:
		layout, zone = "2006", c.dates
	case toMonth:
		layout, zone = "2006-01", c.dates
	case toDay:
		layout, zone = time.DateOnly, c.dates
	case "minute":
		layout = "2006-01-02 15:04"
	case "millisecond":
		layout = "2006-01-02 15:04:05.000"
	}
	return moment(i).In(zone).Format(layout)
}

// exactly is an instant that was not stated but measured, in a table, with seconds and milliseconds where
// there are any.
func (c calendar) exactly(i record.Instant) string { return c.column(i, fineness(i)) }

func fineness(i record.Instant) string {
	switch {
	case i%1000 != 0:
		return "millisecond"
	case i%60_000 != 0:
		return "second"
	}
	return "minute"
}

// inFull is an instant that stands by itself: "6 May 2026 14:02 BST".
func (c calendar) inFull(i record.Instant) string {
	if i == record.Ongoing {
		return "ongoing"
	}
	layout := map[string]string{"minute": "2 January 2006 15:04 MST", "second": "2 January 2006 15:04:05 MST",
		"millisecond": "2 January 2006 15:04:05.000 MST"}[fineness(i)]
	return moment(i).In(c.zone).Format(layout)
}
