package render

import (
	"math"
	"time"
)

// mark is a tick of an axis.
type mark struct {
	At         string // in the drawing
	Text, More string // what stands at it, and below that where something larger begins: a day, a year
}

// scale places numbers along a line.
type scale struct {
	from, to   float64 // numbers
	start, end float64 // places in the drawing
	log        bool
}

// at is the place of a number, which is on the line even where the number is beyond the scale.
func (s scale) at(x float64) float64 {
	from, to := s.from, s.to
	if s.log {
		x, from, to = math.Log10(x), math.Log10(from), math.Log10(to)
	}
	part := min(max((x-from)/(to-from), 0), 1)
	return s.start + part*(s.end-s.start)
}

// scaleFor is a scale on which all the numbers have room: in powers of ten where they differ by more than
// a thousandfold.
func scaleFor(numbers []float64, start, end float64) scale {
	s := scale{from: math.Inf(1), to: math.Inf(-1), start: start, end: end}
	for _, x := range numbers {
		s.from, s.to = min(s.from, x), max(s.to, x)
	}
	const manifold, margin, tiny = 1000, 0.1, 1e-300
	if s.from > tiny && s.to/s.from >= manifold && !math.IsInf(s.to/s.from, 0) {
		s.log = true
		s.from, s.to = s.from/1.5, min(s.to*1.5, math.MaxFloat64)
		return s
	}
	apart := s.to/2 - s.from/2
	if apart == 0 {
		apart = max(math.Abs(s.to)/2, 0.5)
	}
	limit := func(x float64) float64 { return max(-math.MaxFloat64/4, min(x, math.MaxFloat64/4)) }
	s.from, s.to = limit(s.from-2*apart*margin), limit(s.to+2*apart*margin)
	return s
}

// ticks are some four round numbers within the scale.
func (s scale) ticks() []float64 {
	const wanted = 4
	var at []float64
	if s.log {
		first, last := math.Ceil(math.Log10(s.from)), math.Floor(math.Log10(s.to))
		step := max(1, math.Ceil((last-first)/wanted))
		for e := first; e <= last; e += step {
			at = append(at, math.Pow(10, e))
		}
		return at
	}
	rough := (s.to - s.from) / wanted
	step := math.Pow(10, math.Floor(math.Log10(rough)))
	switch times := rough / step; {
	case times > 7:
		step *= 10
	case times > 3.5:
		step *= 5
	case times > 1.5:
		step *= 2
	}
	for i := math.Ceil(s.from / step); i*step <= s.to && len(at) <= 3*wanted; i++ {
		at = append(at, i*step)
	}
	return at
}

// interval is a step of an axis of time: so many months, days or seconds.
type interval struct {
	months, days, seconds int
}

const (
	minuteSeconds = 60
	hourSeconds   = 3600
	daySeconds    = 86_400
)

var intervals = []interval{
	{seconds: 1}, {seconds: 5}, {seconds: 15}, {seconds: 30}, {seconds: minuteSeconds}, {seconds: 5 * minuteSeconds}, {seconds: 15 * minuteSeconds},
	{seconds: 30 * minuteSeconds}, {seconds: hourSeconds}, {seconds: 3 * hourSeconds}, {seconds: 6 * hourSeconds}, {seconds: 12 * hourSeconds},
	{days: 1}, {days: 2}, {days: 7}, {days: 14}, {months: 1}, {months: 3}, {months: 6}, {months: 12}, {months: 24}, {months: 60}, {months: 120},
	{months: 240}, {months: 600}, {months: 1200}, {months: 6000}, {months: 12_000}, {months: 60_000},
}

func (i interval) length() float64 {
	return float64(i.months)*30.4*daySeconds + float64(i.days)*daySeconds + float64(i.seconds)
}

// first is the last tick at or before t, and next the one after it, by the calendar.
func (i interval) first(t time.Time) time.Time {
	switch {
	case i.months > 0:
		month := t.Year()*12 + int(t.Month()) - 1
		month -= month % i.months
		return time.Date(0, time.Month(month+1), 1, 0, 0, 0, 0, t.Location())
	case i.days == 1 || i.days == 2:
		return time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, t.Location())
	case i.days > 0:
		sinceMonday := (int(t.Weekday()) + 6) % 7
		return time.Date(t.Year(), t.Month(), t.Day()-sinceMonday, 0, 0, 0, 0, t.Location())
	}
	second := t.Hour()*hourSeconds + t.Minute()*minuteSeconds + t.Second()
	return time.Date(t.Year(), t.Month(), t.Day(), 0, 0, second-second%i.seconds, 0, t.Location())
}

func (i interval) next(t time.Time) time.Time {
	if i.seconds == 0 {
		return t.AddDate(0, i.months, i.days)
	}
	second := t.Hour()*hourSeconds + t.Minute()*minuteSeconds + t.Second()
	after := time.Date(t.Year(), t.Month(), t.Day(), 0, 0, second+i.seconds, 0, t.Location())
	if !after.After(t) { // an hour that a change of the clock tells twice
		return t.Add(time.Duration(i.seconds) * time.Second)
	}
	return after
}

// moments are at most so many ticks of an axis of time.
func moments(from, to time.Time, most int) (ticks []time.Time, step interval) {
	span := float64(to.UnixMilli()-from.UnixMilli()) / 1000
	for _, step = range intervals {
		if span/step.length() <= float64(most) {
			break
		}
	}
	for t := step.first(from); !t.After(to) && len(ticks) <= 2*most; t = step.next(t) {
		if !t.Before(from) {
			ticks = append(ticks, t)
		}
	}
	return ticks, step
}

// written is what stands at each tick, and below it where a new day or year begins.
func (i interval) written(t time.Time, first bool, before time.Time) (text, more string) {
	switch {
	case i.months >= 12:
		return t.Format("2006"), ""
	case i.months > 0 || i.days > 0:
		if first || t.Year() != before.Year() {
			more = t.Format("2006")
		}
		if i.months > 0 {
			return t.Format("Jan"), more
		}
		return t.Format("2 Jan"), more
	}
	if first || !sameDay(t, before) {
		more = t.Format("2 Jan")
	}
	if i.seconds < minuteSeconds {
		return t.Format("15:04:05"), more
	}
	return t.Format("15:04"), more
}
