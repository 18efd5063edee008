package explain

import (
	"strconv"
	"strings"
	"time"

	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/rules"
)

// called is what a person calls the facts of an input: "heart rate".
func called(in *rules.Input) string {
	if in.Name == "" {
		return in.Kind.String()
	}
	return strings.ReplaceAll(in.Name, "_", " ")
}

// one is called with its article: "a creatinine".
func one(in *rules.Input) string {
	name := called(in)
	if strings.ContainsAny(name[:1], "aeioAEIO") {
		return "an " + name
	}
	return "a " + name
}

// inWindow says in which window: " in 7 days", " between 365 and 8 days before"; "" for all of the past.
func inWindow(w rules.Window) string {
	switch {
	case w.During:
		return " in the period"
	case w.At != rules.AtNow:
		return inWindowOf(w)
	case w.All:
		return ""
	case w.Day != rules.NoDay:
		return daysInWords[w.Day]
	case w.To == rules.Duration{}:
		return " in " + length(w.From)
	}
	from, to := length(w.From), length(w.To)
	if number, unit, _ := strings.Cut(from, " "); !strings.Contains(unit, " ") && strings.HasSuffix(to, " "+unit) {
		from = number
	}
	return " between " + from + " and " + to + " before"
}

var daysInWords = [...]string{rules.Today: " that day", rules.Yesterday: " the day before", rules.LastDay: " on the last day with any"}

// inWindowOf says the same of a window that is counted from the start or the end of a period.
func inWindowOf(w rules.Window) string {
	of := " the start of the period"
	if w.At == rules.AtEnd {
		of = " the end of the period"
	}
	none := rules.Duration{}
	switch {
	case w.All:
		return " up to" + of
	case !w.Ahead():
		at := w
		at.At = rules.AtNow
		text := inWindow(at)
		if w.To == none {
			text += " before"
		}
		return text + of
	case w.From == none:
		return " in " + length(reversed(w.To)) + " after" + of
	}
	return " between " + length(reversed(w.From)) + " and " + length(reversed(w.To)) + " after" + of
}

func reversed(d rules.Duration) rules.Duration {
	return rules.Duration{Months: -d.Months, Millis: -d.Millis}
}

// length is a length of time in words: "7 days", "48 hours", "1 year 6 months".
func length(d rules.Duration) string {
	var words []string
	count := func(n int64, unit string) {
		switch n {
		case 0:
			return
		case 1:
		default:
			unit += "s"
		}
		words = append(words, strconv.FormatInt(n, 10)+" "+unit)
	}
	count(int64(d.Months/12), "year")
	count(int64(d.Months%12), "month")
	left := d.Millis
	for _, u := range []struct {
		name  string
		size  int64
		least int64 // fewer are told in the next smaller unit
	}{{"day", int64(day), 3}, {"hour", 3_600_000, 1}, {"minute", 60_000, 1}, {"second", 1000, 1}, {"millisecond", 1, 1}} {
		if n := left / u.size; n >= u.least {
			count(n, u.name)
			left -= n * u.size
		}
	}
	if len(words) == 0 {
		return "0 hours"
	}
	return strings.Join(words, " ")
}

// apart is how long lies between two instants, in one unit that is fine enough to tell.
func apart(earlier, later clinical.Instant) string {
	d := int64(later - earlier)
	for _, u := range []struct{ size, least int64 }{{365 * int64(day), 2 * 365 * int64(day)}, {int64(day), 3 * int64(day)}, {3_600_000, 2 * 3_600_000}, {60_000, 60_000}} {
		if d < u.least {
			continue
		}
		if u.size > int64(day) {
			return strconv.FormatInt(d/u.size, 10) + " years"
		}
		return length(rules.Duration{Millis: d - d%u.size})
	}
	return "less than a minute"
}

// dated is when a fact was, to a reader at now, as finely as it was stated: "3 March", "March 2023",
// "12:40" of the same day; "" when that is not known.
func (r *reading) dated(f clinical.Fact, now clinical.Instant) string {
	if f.Time == clinical.Never {
		return ""
	}
	t, at := f.Time.Time().In(r.zone()), now.Time().In(r.zone())
	precision := detailOf(f).Precision
	sameDay := t.Year() == at.Year() && t.YearDay() == at.YearDay()
	switch {
	case precision == clinical.ToYear:
		return t.Format("2006")
	case precision == clinical.ToMonth:
		return t.Format("January 2006")
	case sameDay && precision != clinical.ToDay:
		return t.Format("15:04")
	case t.Year() == at.Year():
		return t.Format("2 January")
	}
	return t.Format("2 January 2006")
}

func (r *reading) zone() *time.Location {
	if r.program.Zone == nil {
		return time.UTC
	}
	return r.program.Zone
}

// amount is a number with its unit as people write it: "1.8 mg/dL", "38.4 °C", "91%", "22/min".
func amount(v rules.Value, unit string) string {
	switch unit {
	case "", "1":
		return v.String()
	case "%":
		return v.String() + "%"
	}
	if i := strings.IndexByte(unit, '{'); i >= 0 {
		unit, _, _ = strings.Cut(unit, "{")
		unit = strings.TrimRight(unit, "./")
		if unit == "" {
			return v.String()
		}
	}
	if unit[0] == '/' {
		return v.String() + unit
	}
	return v.String() + " " + strings.NewReplacer("Cel", "°C", "[", "", "]", "").Replace(unit)
}
