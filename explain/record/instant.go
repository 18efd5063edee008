package record

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/vigil-cds/vigil/internal/clinical"
)

// ErrUnwritable is what marshalling to JSON fails with for what JSON has no words for: a number that is
// not finite, an instant outside the years 0000 to 9999 or finer than a millisecond. The stored form
// takes all of them.
var ErrUnwritable = errors.New("record: JSON cannot write this value")

var (
	errYear      = fmt.Errorf("%w: an instant outside the years 0000 to 9999", ErrUnwritable)
	errFine      = fmt.Errorf("%w: a time finer than a millisecond", ErrUnwritable)
	errNotFinite = fmt.Errorf("%w: a number that is not finite", ErrUnwritable)
)

// The instants that RFC 3339 has words for.
const (
	earliest = Instant(-62_167_219_200_000) // 0000-01-01T00:00:00Z
	latest   = Instant(253_402_300_799_999) // 9999-12-31T23:59:59.999Z
)

const ongoing = "ongoing"

// MarshalJSON writes the instant as RFC 3339 in UTC, with three digits of milliseconds where there are
// any, and Ongoing as "ongoing". Anything else outside the years 0000 to 9999 is ErrUnwritable, and so
// is Never, which no field may hold: what is not known is left out.
func (i Instant) MarshalJSON() ([]byte, error) {
	return i.appendJSON(make([]byte, 0, len(toMillisecond)))
}

const (
	toSecond      = `"2006-01-02T15:04:05Z"`
	toMillisecond = `"2006-01-02T15:04:05.000Z"`
)

func (i Instant) appendJSON(b []byte) ([]byte, error) {
	if i == Ongoing {
		return append(b, `"`+ongoing+`"`...), nil
	}
	if i < earliest || i > latest {
		return b, errYear
	}
	layout := toSecond
	if i%1000 != 0 {
		layout = toMillisecond
	}
	return clinical.Instant(i).Time().AppendFormat(b, layout), nil
}

// UnmarshalJSON reads what MarshalJSON writes, and the same instant with another offset from UTC. What
// is finer than a millisecond is refused, since it could not be written again.
func (i *Instant) UnmarshalJSON(b []byte) error {
	var text *string
	if err := json.Unmarshal(b, &text); err != nil || text == nil {
		return errors.New(`an instant is a text: RFC 3339 or "ongoing"`)
	}
	if *text == ongoing {
		*i = Ongoing
		return nil
	}
	var t time.Time
	if err := t.UnmarshalText([]byte(*text)); err != nil {
		return errors.New(`an instant is written as RFC 3339, such as 2026-03-01T10:00:00Z, or as "ongoing"`)
	}
	if t.Nanosecond()%int(time.Millisecond) != 0 {
		return errors.New("an instant has at most three digits behind the second")
	}
	*i = Instant(clinical.At(t))
	return nil
}
