package record

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"

	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/rules"
)

// boundedJSON and timeJSON are the two values that JSON has no type of its own for. Pointers tell what
// is not there from what is zero.
type boundedJSON struct {
	Comparator string   `json:"comparator"`
	Number     *float64 `json:"number"`
}

type timeJSON struct {
	Time *Instant `json:"time"`
}

// MarshalJSON writes a number with every digit that it takes to read the same number again, a text and
// a boolean as themselves, a bounded number as {"comparator":"<","number":5}, a time as
// {"time":"2026-03-01T10:00:00Z"} and a missing value, where it is not left out, as null. A number that
// is not finite and a time that is not an Instant's are ErrUnwritable.
func (v Value) MarshalJSON() ([]byte, error) {
	switch v.Kind {
	case rules.Number:
		if math.IsNaN(v.Num) || math.IsInf(v.Num, 0) {
			return nil, fmt.Errorf("%w: a number that is not finite", ErrUnwritable)
		}
		switch v.Bound {
		case clinical.Below:
			return json.Marshal(boundedJSON{"<", &v.Num})
		case clinical.Above:
			return json.Marshal(boundedJSON{">", &v.Num})
		}
		return json.Marshal(v.Num)
	case rules.Boolean:
		return json.Marshal(v.Num != 0)
	case rules.Text:
		return json.Marshal(v.Str)
	case rules.Time:
		at := v.instant()
		if float64(at) != v.Num {
			return nil, fmt.Errorf("%w: a time finer than a millisecond", ErrUnwritable)
		}
		return json.Marshal(timeJSON{&at})
	}
	return []byte("null"), nil
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
	var bounded boundedJSON
	var at timeJSON
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
func (v Value) instant() Instant {
	switch {
	case v.Num >= math.MaxInt64:
		return Ongoing
	case v.Num > math.MinInt64:
		return Instant(v.Num)
	}
	return Instant(clinical.Never)
}
