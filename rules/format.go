package rules

import (
	"encoding/json"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/vigil-cds/vigil/internal/clinical"
)

// digits is how many significant digits of a number are shown: enough for every measurement, few
// enough that binary arithmetic does not show through (1.9, not 1.8999999999999999).
const digits = 12

// String writes the value for a reader: a number as its shortest decimal with its bound ("<5"), a time
// as RFC 3339 in UTC, the end of what still goes on as "ongoing", a length of time as packs write it ("36h"),
// nothing as "–".
func (v Value) String() string {
	switch v.Kind {
	case Number:
		return v.bound() + decimal(v.Num, digits)
	case Boolean:
		return strconv.FormatBool(v.Num != 0)
	case Text:
		return v.Str
	case Time:
		if v.ongoing() {
			return ongoing
		}
		return clinical.Instant(v.Num).String()
	case Length:
		if v.Num < 0 {
			return "-" + Duration{Millis: int64(-v.Num)}.String()
		}
		return Duration{Millis: int64(v.Num)}.String()
	}
	return "–"
}

// MarshalJSON writes a number (a bounded one as the string "<5"), a string, a boolean, a time in
// RFC 3339 or "ongoing", a length of time as packs write it, or null.
func (v Value) MarshalJSON() ([]byte, error) {
	switch v.Kind {
	case Number:
		if v.Bound == clinical.Exactly {
			return []byte(v.String()), nil
		}
		return json.Marshal(v.String())
	case Boolean:
		return []byte(v.String()), nil
	case Text, Time, Length:
		return json.Marshal(v.String())
	}
	return []byte("null"), nil
}

const ongoing = "ongoing"

// ongoing reports whether a time is an end that has not come yet.
func (v Value) ongoing() bool { return v.Num >= math.MaxInt64 }

func (v Value) bound() string {
	switch v.Bound {
	case clinical.Below:
		return "<"
	case clinical.Above:
		return ">"
	}
	return ""
}

// decimal is the shortest decimal of x held to n significant digits.
func decimal(x float64, n int) string {
	rounded, err := strconv.ParseFloat(strconv.FormatFloat(x, 'e', n-1, 64), 64)
	if err != nil {
		rounded = x
	}
	if rounded == 0 {
		return "0"
	}
	if size := math.Abs(rounded); size < 1e-6 || size >= 1e21 {
		return strconv.FormatFloat(rounded, 'e', -1, 64)
	}
	return strconv.FormatFloat(rounded, 'f', -1, 64)
}

// messagePart is a term where term is not negative; else a score or other expression where there is one,
// or else a stretch of text.
type messagePart struct {
	text  string
	term  int
	score scoreCode
	code  *code
	expr  Expr // that it shows; nil of text
	whole bool // elapsed time: shown in whole units, rounded down
}

// Render fills the message's terms in from values, indexed by Term.ID. Numbers are written as clinicians
// write them, at most six significant digits beside the integer part; a missing one is "–"; times are
// local to the pack's zone.
func (m *Message) Render(values []Value) string {
	var b strings.Builder
	for _, p := range m.parts {
		switch {
		case p.score != nil:
			b.WriteString(p.score.stated(values))
		case p.code != nil:
			b.WriteString(m.show(p.code.eval(values, nil), false))
		case p.term < 0:
			b.WriteString(p.text)
		default:
			b.WriteString(m.show(values[p.term], p.whole))
		}
	}
	return b.String()
}

func (m *Message) show(v Value, whole bool) string {
	switch v.Kind {
	case Number:
		if whole {
			v.Num = math.Floor(v.Num)
		}
		n := 6
		if size := math.Abs(v.Num); size >= 1e6 {
			n = int(math.Log10(size)) + 1
		}
		return v.bound() + decimal(v.Num, min(n, digits))
	case Time:
		zone := m.zone
		switch {
		case v.ongoing():
			return ongoing
		case zone == nil:
			zone = time.UTC
		}
		return clinical.Instant(v.Num).Time().In(zone).Format("2006-01-02 15:04")
	}
	return v.String()
}
