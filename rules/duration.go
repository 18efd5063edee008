package rules

import (
	"fmt"
	"strconv"
	"strings"
)

// Milliseconds of the exact units.
const (
	second = 1000
	minute = 60 * second
	hour   = 60 * minute
	day    = 24 * hour
)

// maxYears is the longest length of time a pack may write: longer than any life.
const maxYears = 200

type durationUnit struct {
	name           string
	months, millis int64
}

var durationUnits = []durationUnit{
	{"ms", 0, 1}, {"s", 0, second}, {"m", 0, minute}, {"h", 0, hour}, {"d", 0, day}, {"w", 0, 7 * day},
	{"mo", 1, 0}, {"y", 12, 0},
}

// unitWords are what people write for the units, for hints.
var unitWords = map[string]string{
	"hr": "h", "hrs": "h", "hour": "h", "hours": "h", "min": "m", "mins": "m", "minute": "m", "minutes": "m",
	"sec": "s", "secs": "s", "second": "s", "seconds": "s", "day": "d", "days": "d", "wk": "w", "week": "w",
	"weeks": "w", "month": "mo", "months": "mo", "mon": "mo", "year": "y", "years": "y", "yr": "y", "yrs": "y",
	"a": "y", "H": "h", "D": "d", "W": "w", "M": "mo", "Y": "y",
}

// complaint is what is wrong with a text and what to write instead.
type complaint struct{ problem, hint string }

// parseWindow reads '48h', '365d..8d', 'after 5m' or 'after 1h..6h'.
func parseWindow(s string) (Window, *complaint) {
	for day := Today; day <= LastDay; day++ {
		if strings.TrimSpace(s) == day.String() {
			return Window{Day: day}, nil
		}
	}
	if ahead, after := strings.CutPrefix(strings.TrimSpace(s), "after "); after {
		return parseAfter(s, ahead)
	}
	from, to, offset := strings.Cut(strings.TrimSpace(s), "..")
	var w Window
	var c *complaint
	if w.From, c = parseDuration(from); c != nil {
		return w, c
	}
	if offset {
		if w.To, c = parseDuration(to); c != nil {
			return w, c
		}
	}
	switch {
	case w.From == Duration{}:
		return w, &complaint{fmt.Sprintf("the window '%s' is empty", s), "write a length such as '48h', or no window for all of the past"}
	case w.From == w.To:
		return w, &complaint{fmt.Sprintf("both ends of the window '%s' are the same", s), "the farther end comes first, as in '365d..8d'"}
	case w.From.mean() < w.To.mean():
		return w, &complaint{fmt.Sprintf("the window '%s' runs backwards", s),
			fmt.Sprintf("the farther end comes first: '%s..%s'", strings.TrimSpace(to), strings.TrimSpace(from))}
	}
	return w, nil
}

// parseAfter reads what follows "after" in a window that looks ahead: its one end, or both, the nearer first.
func parseAfter(s, ahead string) (Window, *complaint) {
	near, far, offset := strings.Cut(ahead, "..")
	if !offset {
		near, far = "0s", near
	}
	var ends [2]Duration
	for i, text := range []string{near, far} {
		d, c := parseDuration(text)
		if c != nil {
			return Window{}, c
		}
		ends[i] = d
	}
	if ends[0].mean() >= ends[1].mean() {
		return Window{}, &complaint{fmt.Sprintf("the window '%s' is empty or runs backwards", s), "the nearer end comes first, as in 'after 5m' or 'after 1h..6h'"}
	}
	return Window{From: ends[0].negated(), To: ends[1].negated()}, nil
}

func (d Duration) negated() Duration { return Duration{Months: -d.Months, Millis: -d.Millis} }

// parseDuration reads whole numbers with units, as in "1y6mo".
func parseDuration(s string) (Duration, *complaint) {
	s = strings.TrimSpace(s)
	const example = "write a whole number and a unit, as in '48h', '7d' or '1y6mo'"
	if s == "" {
		return Duration{}, &complaint{"a length of time is missing", example}
	}
	if strings.HasPrefix(s, "-") {
		return Duration{}, &complaint{fmt.Sprintf("the length of time '%s' is negative", s), "windows look back by themselves: drop the minus sign"}
	}
	var d Duration
	for rest := s; rest != ""; {
		number := rest[:len(rest)-len(strings.TrimLeft(rest, "0123456789"))]
		rest = rest[len(number):]
		word := rest[:len(rest)-len(strings.TrimLeft(rest, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"))]
		rest = rest[len(word):]
		n, err := strconv.ParseInt(number, 10, 64)
		if number == "" || word == "" && rest != "" || err != nil {
			if joined := strings.Join(strings.Fields(s), ""); joined != s {
				hint := example
				if _, c := parseDuration(joined); c == nil {
					hint = fmt.Sprintf("drop them: '%s'", joined)
				}
				return Duration{}, &complaint{fmt.Sprintf("the length of time '%s' has blanks in it", s), hint}
			}
			return Duration{}, &complaint{fmt.Sprintf("'%s' is not a length of time", s), example}
		}
		if word == "" {
			return Duration{}, &complaint{fmt.Sprintf("the length of time '%s' has no unit", s), fmt.Sprintf("perhaps '%sh' or '%sd'", s, s)}
		}
		unit, c := findUnit(word)
		if c != nil {
			return Duration{}, c
		}
		if n > maxYears*366*day/max(unit.millis, unit.months*28*day) {
			return Duration{}, tooLong(s)
		}
		d.Months += int(n * unit.months)
		d.Millis += n * unit.millis
		if d.mean() > maxYears*365.25*day {
			return Duration{}, tooLong(s)
		}
	}
	return d, nil
}

func tooLong(s string) *complaint {
	return &complaint{fmt.Sprintf("'%s' is longer than %d years", s, maxYears), "leave the window out to see all of the past"}
}

func findUnit(word string) (durationUnit, *complaint) {
	names := make([]string, len(durationUnits))
	for i, u := range durationUnits {
		if u.name == word {
			return u, nil
		}
		names[i] = u.name
	}
	hint := "the units are " + strings.Join(names, " ")
	if u, ok := unitWords[word]; ok {
		hint = fmt.Sprintf("write %q; %s", u, hint)
	}
	return durationUnit{}, &complaint{fmt.Sprintf("unknown unit of time %q", word), hint}
}

// mean is the length in milliseconds with a month of average length, for telling longer from shorter.
func (d Duration) mean() float64 { return float64(d.Months)*(365.25/12)*day + float64(d.Millis) }

// String is the one way in which equal lengths are written: years and months, then days from three
// days on, then hours, minutes, seconds and milliseconds.
func (d Duration) String() string {
	var b strings.Builder
	put := func(n int64, unit string) {
		if n != 0 {
			b.WriteString(strconv.FormatInt(n, 10) + unit)
		}
	}
	put(int64(d.Months/12), "y")
	put(int64(d.Months%12), "mo")
	left := d.Millis
	if left > 3*day {
		put(left/day, "d")
		left %= day
	}
	for _, u := range []durationUnit{{"h", 0, hour}, {"m", 0, minute}, {"s", 0, second}, {"ms", 0, 1}} {
		put(left/u.millis, u.name)
		left %= u.millis
	}
	if b.Len() == 0 {
		return "0s"
	}
	return b.String()
}

// String is the window as packs write it, "" for all of the past.
func (w Window) String() string {
	switch {
	case w.All, w.During:
		return ""
	case w.Day != NoDay:
		return w.Day.String()
	case w.Ahead() && w.From == Duration{}:
		return "after " + w.To.negated().String()
	case w.Ahead():
		return "after " + w.From.negated().String() + ".." + w.To.negated().String()
	case w.To == Duration{}:
		return w.From.String()
	}
	return w.From.String() + ".." + w.To.String()
}
