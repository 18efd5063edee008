package rules

import (
	"time"

	"github.com/vigil-cds/vigil/internal/clinical"
)

// Op is the question that a term asks.
type Op uint8

const (
	Exists          Op = iota // Boolean: is there a fact in the window
	Count                     // Number: how many
	Last                      // the value of the latest fact that has one
	First                     // the value of the earliest
	Min                       // Number
	Max                       // Number
	Sum                       // Number: 0 of none
	Mean                      // Number
	Delta                     // Number: last minus first; needs two facts
	Median                    // Number
	StdDev                    // Number: of a sample; needs two facts
	Rise                      // Number: the greatest climb from one value to a later one; needs two facts
	Fall                      // Number: the greatest descent; needs two facts
	Slope                     // Number: per day, by least squares; needs two instants
	EWMA                      // Number: the exponentially weighted mean
	DurationAbove             // Number: hours above a level
	DurationBelow             // Number: hours below a level
	Nth                       // the nth value from the earliest, or from the latest
	Distinct                  // Number: how many different values, or codes
	MaxGap                    // Number: hours, the longest between two facts
	LastTime                  // Time of the latest fact
	FirstTime                 // Time of the earliest
	HoursSince                // Number: hours from the latest fact to now
	DaysSince                 // Number: the same in days of 24 hours
	Active                    // Boolean: is there a fact whose period holds now, or held in the window
	Overlaps                  // Boolean: is there another fact whose period meets that of the fact, or the period, asked about
	PeriodStart               // Time at which the period begins
	PeriodEnd                 // Time at which it ends: later than every other while it goes on
	Ended                     // Boolean: is the end of the period before now
	HoursSinceStart           // Number: hours from the start of the period to now
	HoursSinceEnd             // Number: the same from its end; missing until it has ended
	Age                       // Number: completed years (patient)
	AgeMonths                 // Number: completed months (patient)
	Sex                       // Text: administrative gender (patient)
	Deceased                  // Boolean (patient)
	BirthDate                 // Time at which the day of birth begins (patient)
)

// Term is one question to one input, or about the patient. A rule's terms are asked at now; equal ones
// are shared by all rules of a program. Those of an input's `where` are asked at the time of the fact that
// is to belong to it, and are the input's own.
type Term struct {
	ID     int // its slot: the index into Program.Terms, or into Input.Terms
	Input  int // index into Program.Inputs; the patient's own stream for those about the person
	Each   int // the input about one period of which it is asked (Rule.Each); 0 for one that is about the patient
	Op     Op
	Window Window
	Arg    Argument
	Source string // canonical text: "creatinine.min('7d')", with the pack's name before it where two packs differ: "renal/creatinine.min('7d')"
}

// Argument is what a term is given besides its window; zero for most. Two terms that differ in it ask
// different things.
type Argument struct {
	Number float64 // the level of DurationAbove and DurationBelow; which value Nth asks for, never 0
	Millis int64   // the half-life of EWMA; for how long DurationAbove and DurationBelow carry a value, 0 for as long as it takes
}

// Window says which facts a term sees at instant now: those with now-From <= time <= now-To.
// With All set there is no lower end (and To is zero): every fact up to now. Of the terms of a `where`,
// for which now is the time of the fact, To and perhaps From may be negative ('after 5m'), and with During
// the window is the fact's own period, both ends inside. Of a term that is about a period (Term.Each), During
// is that period up to now, and the other windows may be counted from its start or end; what comes after now
// is not seen.
type Window struct {
	All, During bool
	From, To    Duration
	At          Anchor
	Day         Day // a calendar day, and no length of time
}

// Anchor is the instant from which a window is counted.
type Anchor uint8

const (
	AtNow   Anchor = iota
	AtStart        // of the period
	AtEnd          // of the period: until it has ended there is no answer
)

var anchorNames = [...]string{AtStart: "at_start", AtEnd: "at_end"}

// String is the word that packs use: "at_start".
func (a Anchor) String() string { return anchorNames[a] }

// Duration is a length of time: calendar months (years are twelve) and exact milliseconds. A negative one
// looks ahead.
type Duration struct {
	Months int
	Millis int64
}

// Ahead says that the window sees facts after now.
func (w Window) Ahead() bool { return w.To.mean() < 0 }

// Before is the instant d before t. The months go first, by the calendar of zone: the same day of the
// month and the same time since that day's start. Where the month is too short for the day (a month
// before 29, 30 or 31 March), or the day too short for the time (a daylight-saving change), it is the
// last millisecond of the month or of the day. The milliseconds go after. Before never decreases as t
// grows, so that a fact enters a window once and leaves it once.
func (d Duration) Before(t clinical.Instant, zone *time.Location) clinical.Instant {
	if d.Months != 0 {
		t = monthsBefore(t, d.Months, zone)
	}
	return t - clinical.Instant(d.Millis)
}

// Lower and Upper are the window's ends at now, both inside it. Lower is clinical.Never without a lower end. Of the
// last day they are those that it has if the latest fact is of the day of now.
func (w Window) Lower(now clinical.Instant, zone *time.Location) clinical.Instant {
	switch {
	case w.All:
		return clinical.Never
	case w.Day == Yesterday:
		return StartOfDay(StartOfDay(now, zone)-1, zone)
	case w.Day != NoDay:
		return StartOfDay(now, zone)
	}
	return w.From.Before(now, zone)
}

// Upper is the latest instant that the window sees at now.
func (w Window) Upper(now clinical.Instant, zone *time.Location) clinical.Instant {
	if w.Day == Yesterday {
		return StartOfDay(now, zone) - 1
	}
	return w.To.Before(now, zone)
}

func monthsBefore(t clinical.Instant, n int, zone *time.Location) clinical.Instant {
	y, m, d := t.Time().In(zone).Date()
	start := clinical.At(time.Date(y, m, d, 0, 0, 0, 0, zone))
	first := time.Date(y, m-time.Month(n), 1, 0, 0, 0, 0, zone)
	y, m, _ = first.Date()
	if last := time.Date(y, m+1, 0, 0, 0, 0, 0, zone).Day(); d > last {
		return clinical.At(time.Date(y, m+1, 1, 0, 0, 0, 0, zone)) - 1
	}
	day := clinical.At(time.Date(y, m, d, 0, 0, 0, 0, zone))
	next := clinical.At(time.Date(y, m, d+1, 0, 0, 0, 0, zone))
	return min(day+(t-start), next-1)
}

// CompletedMonths is how many whole calendar months lie between birth and now in zone: a month is
// completed at the start of the day of the month of birth (or the month's last day where it is
// shorter, so that a child of 29 February is a year older on 28 February). It is missing (false) for
// an unknown birth or a now before it.
func CompletedMonths(birth, now clinical.Instant, zone *time.Location) (int, bool) {
	if birth == clinical.Never || now < birth {
		return 0, false
	}
	b, n := birth.Time().In(zone), now.Time().In(zone)
	months := (n.Year()-b.Year())*12 + int(n.Month()) - int(b.Month())
	if n.Before(birthday(b, months, zone)) {
		months--
	}
	return max(months, 0), true
}

// Birthday is the instant at which the given number of months since birth is completed.
func Birthday(birth clinical.Instant, months int, zone *time.Location) clinical.Instant {
	return clinical.At(birthday(birth.Time().In(zone), months, zone))
}

func birthday(b time.Time, months int, zone *time.Location) time.Time {
	first := time.Date(b.Year(), b.Month()+time.Month(months), 1, 0, 0, 0, 0, zone)
	last := time.Date(first.Year(), first.Month()+1, 0, 0, 0, 0, 0, zone).Day()
	return time.Date(first.Year(), first.Month(), min(b.Day(), last), 0, 0, 0, 0, zone)
}
