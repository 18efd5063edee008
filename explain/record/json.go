package record

import (
	"encoding/json"
	"math"
	"strconv"
)

// A transition's JSON is published for each of them, as fast as a log can be replayed. So it is written
// here by hand: the same bytes as encoding/json writes by the types' tags, which a test holds it to,
// except that a list which is always there is [] also when nobody made it.

// AppendJSON appends to b what MarshalJSON writes, for those who need not go through encoding/json,
// which copies all of it once more. The error is ErrUnwritable.
func (e *Explanation) AppendJSON(b []byte) ([]byte, error) {
	w := writer{b: b}
	w.explanation(e)
	return w.b, w.err
}

// MarshalJSON writes the explanation as schema.json says.
func (e Explanation) MarshalJSON() ([]byte, error) {
	return e.AppendJSON(make([]byte, 0, 8192))
}

// MarshalJSON writes the difference as schema.json says.
func (d Difference) MarshalJSON() ([]byte, error) {
	w := writer{b: make([]byte, 0, 16384)}
	w.open()
	one(&w, "earlier", &d.Earlier, (*writer).explanation)
	one(&w, "later", &d.Later, (*writer).explanation)
	each(&w, "changes", d.Changes, (*writer).delta)
	w.shut()
	return w.b, w.err
}

// writer writes objects. A name that ends in "?" is one that the tags call omitempty or omitzero: it is
// left out with what is empty.
type writer struct {
	b   []byte
	err error // the first of all
}

func (w *writer) open() { w.b = append(w.b, '{') }
func (w *writer) shut() { w.b = append(w.b, '}') }

// name begins a field; false when it is left out.
func (w *writer) name(name string, empty bool) bool {
	if last := len(name) - 1; name[last] == '?' {
		if empty {
			return false
		}
		name = name[:last]
	}
	if w.b[len(w.b)-1] != '{' {
		w.b = append(w.b, ',')
	}
	w.b = append(w.b, '"')
	w.b = append(w.b, name...)
	w.b = append(w.b, '"', ':')
	return true
}

func (w *writer) text(name, s string) {
	if w.name(name, s == "") {
		w.b = appendText(w.b, s)
	}
}

func (w *writer) whole(name string, n int64) {
	if w.name(name, n == 0) {
		w.b = strconv.AppendInt(w.b, n, 10)
	}
}

func (w *writer) bool(name string, x bool) {
	if w.name(name, !x) {
		w.b = strconv.AppendBool(w.b, x)
	}
}

func (w *writer) number(name string, x *float64) {
	if w.name(name, x == nil) {
		w.keep(appendNumber(w.b, *x))
	}
}

func (w *writer) instant(name string, i *Instant) {
	if w.name(name, i == nil) {
		w.keep(i.appendJSON(w.b))
	}
}

func (w *writer) value(name string, v *Value) {
	if w.name(name, v.IsZero()) {
		w.keep(v.appendJSON(w.b))
	}
}

func (w *writer) places(name string, places []int) {
	w.name(name, false)
	w.b = append(w.b, '[')
	for i, p := range places {
		if i > 0 {
			w.b = append(w.b, ',')
		}
		w.b = strconv.AppendInt(w.b, int64(p), 10)
	}
	w.b = append(w.b, ']')
}

func (w *writer) texts(name string, texts []string) {
	w.name(name, false)
	w.b = append(w.b, '[')
	for i, s := range texts {
		if i > 0 {
			w.b = append(w.b, ',')
		}
		w.b = appendText(w.b, s)
	}
	w.b = append(w.b, ']')
}

func (w *writer) keep(b []byte, err error) {
	w.b = b
	if w.err == nil {
		w.err = err
	}
}

// one writes a field that is an object; null where it is nil and not left out.
func one[T any](w *writer, name string, x *T, write func(*writer, *T)) {
	switch {
	case !w.name(name, x == nil):
	case x == nil:
		w.b = append(w.b, "null"...)
	default:
		write(w, x)
	}
}

// each writes a field that is a list of objects.
func each[T any](w *writer, name string, list []T, write func(*writer, *T)) {
	if !w.name(name, len(list) == 0) {
		return
	}
	w.b = append(w.b, '[')
	for i := range list {
		if i > 0 {
			w.b = append(w.b, ',')
		}
		write(w, &list[i])
	}
	w.b = append(w.b, ']')
}

// appendText writes the escapes that conditions are full of, and leaves every other one to encoding/json.
func appendText(b []byte, s string) []byte {
	const digits = "0123456789abcdef"
	start := len(b)
	b = append(b, '"')
	for i := range len(s) {
		switch c := s[i]; {
		case c < ' ' || c > '~':
			quoted, _ := json.Marshal(s) // a text never fails
			return append(b[:start], quoted...)
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c == '<' || c == '>' || c == '&':
			b = append(b, '\\', 'u', '0', '0', digits[c>>4], digits[c&15])
		default:
			b = append(b, c)
		}
	}
	return append(b, '"')
}

// appendNumber leaves to encoding/json whatever it might write with an exponent.
func appendNumber(b []byte, x float64) ([]byte, error) {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return b, errNotFinite
	}
	if size := math.Abs(x); x == 0 || size >= 1e-6 && size < 1e21 {
		return strconv.AppendFloat(b, x, 'f', -1, 64), nil
	}
	written, err := json.Marshal(x)
	return append(b, written...), err
}

// list is a list that is not nil.
func list[T any](x []T) []T {
	if x == nil {
		return []T{}
	}
	return x
}
