package record

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"strconv"

	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/rules"
)

// MarshalJSON writes a number with every digit that it takes to read the same number again, a text and
// a boolean as themselves, a bounded number as {"comparator":"<","number":5}, a time as
// {"time":"2026-03-01T10:00:00Z"} and a missing value, where it is not left out, as null. A number that
// is not finite and a time that is not an Instant's are ErrUnwritable.
func (v Value) MarshalJSON() ([]byte, error) { return v.appendJSON(nil) }

func (v *Value) appendJSON(b []byte) ([]byte, error) {
	switch v.Kind {
	case rules.Number:
		return v.appendBounded(b)
	case rules.Boolean:
		return strconv.AppendBool(b, v.Num != 0), nil
	case rules.Text:
		return appendText(b, v.Str), nil
	case rules.Time:
		at := v.instant()
		if float64(at) != v.Num {
			return b, errFine
		}
		b, err := at.appendJSON(append(b, `{"time":`...))
		return append(b, '}'), err
	}
	return append(b, "null"...), nil
}

func (v *Value) appendBounded(b []byte) ([]byte, error) {
	switch v.Bound {
	case clinical.Below:
		b = append(b, `{"comparator":"\u003c","number":`...) // encoding/json writes no plain < or >
	case clinical.Above:
		b = append(b, `{"comparator":"\u003e","number":`...)
	default:
		return appendNumber(b, v.Num)
	}
	b, err := appendNumber(b, v.Num)
	return append(b, '}'), err
}

// UnmarshalJSON reads what MarshalJSON writes and refuses everything else.
func (v *Value) UnmarshalJSON(b []byte) error {
	var x any
	if err := json.Unmarshal(b, &x); err != nil {
		return errors.New("a number beyond what a double holds")
	}
	switch x := x.(type) {
	case nil:
		*v = Value{}
	case float64:
		*v = Value(rules.NumberOf(x))
	case bool:
		*v = Value(rules.BoolOf(x))
	case string:
		*v = Value(rules.TextOf(x))
	default:
		return v.unmarshalObject(b)
	}
	return nil
}

func (v *Value) unmarshalObject(b []byte) error {
	// Pointers tell what is not there from what is zero.
	var bounded struct {
		Comparator string   `json:"comparator"`
		Number     *float64 `json:"number"`
	}
	var at struct {
		Time *Instant `json:"time"`
	}
	switch {
	case strictly(b, &at) == nil && at.Time != nil:
		*v = Value(rules.TimeOf(clinical.Instant(*at.Time)))
	case strictly(b, &bounded) == nil && bounded.Number != nil && bounded.Comparator == "<":
		*v = Value{Kind: rules.Number, Num: *bounded.Number, Bound: clinical.Below}
	case strictly(b, &bounded) == nil && bounded.Number != nil && bounded.Comparator == ">":
		*v = Value{Kind: rules.Number, Num: *bounded.Number, Bound: clinical.Above}
	default:
		return errors.New(`a value is a number, a text, a boolean, {"comparator":"<" or ">","number":5} or {"time":"2026-03-01T10:00:00Z"}`)
	}
	return nil
}

// strictly unmarshals an object that may have no other fields.
func strictly(b []byte, to any) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	return d.Decode(to)
}

// instant is a time's instant. Those beyond every instant of a calendar, which a double does not hold
// exactly, are Ongoing and Never.
func (v *Value) instant() Instant {
	switch {
	case v.Num >= math.MaxInt64:
		return Ongoing
	case v.Num > math.MinInt64:
		return Instant(v.Num)
	}
	return Instant(clinical.Never)
}
