package cdc

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/vigil-cds/vigil/internal/clinical"
)

// ErrEnvelope is what every error of Decode wraps.
var ErrEnvelope = errors.New("not an envelope of a change")

// Op is what happened to a row, in the letters of Debezium.
type Op string

// The operations. A read is a row that was there when the capture began.
const (
	Create Op = "c"
	Update Op = "u"
	Delete Op = "d"
	Read   Op = "r"
)

// Envelope is one change of one row, or a marker of a transaction's end, which has a Count and no Op. Values
// in rows are string, bool, int, float64, nil, or lists and maps of these.
type Envelope struct {
	Op            Op
	Schema, Table string
	Before, After map[string]any // nil when the tool did not say
	Source        map[string]any
	Version       clinical.Version // of what the row states from now on
	Transaction   string           // "" for a change that stands alone
	Count         int              // parts of the transaction; 0 when this envelope does not say
	Order         int              // of the part in its transaction, from 1; 0 when not said
}

// wire is an envelope as Debezium writes it, or an outbox that follows it.
type wire struct {
	Payload      json.RawMessage `json:"payload"`
	Op           Op              `json:"op"`
	Before       json.RawMessage `json:"before"`
	After        json.RawMessage `json:"after"`
	Source       json.RawMessage `json:"source"`
	Milliseconds json.Number     `json:"ts_ms"`
	Transaction  *struct {
		ID    string      `json:"id"`
		Count json.Number `json:"count"`
		Order json.Number `json:"total_order"`
	} `json:"transaction"`

	// Of the markers on a topic of their own.
	Status string      `json:"status"`
	ID     string      `json:"id"`
	Events json.Number `json:"event_count"`
}

// Decode reads an envelope, with a schema around it or without. It returns nil for what says nothing: a
// tombstone, the marker of a transaction's begin, a heartbeat. The error names no value of a row.
func Decode(value []byte) (*Envelope, error) {
	if len(bytes.TrimSpace(value)) == 0 {
		return nil, nil
	}
	w, err := read(value)
	if err != nil {
		return nil, err
	}
	switch {
	case w == nil:
		return nil, nil
	case w.Op == "" && w.Status != "":
		return marker(w)
	case w.Op == "" && w.Before == nil && w.After == nil:
		return nil, nil // a heartbeat, or a change of the schema
	}
	e := &Envelope{Op: w.Op}
	switch w.Op {
	case Create, Update, Delete, Read:
	default:
		return nil, fmt.Errorf("%w: op is none of c, u, d, r: a truncated table cannot be followed row by row", ErrEnvelope)
	}
	for _, part := range []struct {
		name string
		from json.RawMessage
		to   *map[string]any
	}{{"before", w.Before, &e.Before}, {"after", w.After, &e.After}, {"source", w.Source, &e.Source}} {
		if *part.to, err = row(part.from); err != nil {
			return nil, fmt.Errorf("%w: %s is not an object", ErrEnvelope, part.name)
		}
	}
	if e.Op == Delete {
		e.After = nil
	} else if e.After == nil {
		return nil, fmt.Errorf("%w: after is missing", ErrEnvelope)
	}
	e.Schema, _ = e.Source["schema"].(string)
	if e.Table, _ = e.Source["table"].(string); e.Table == "" {
		return nil, fmt.Errorf("%w: source.table is missing", ErrEnvelope)
	}
	e.version(w.Milliseconds)
	if t := w.Transaction; t != nil && t.ID != "" {
		e.Transaction = transactionID(t.ID)
		if e.Count, err = count(t.Count); err != nil {
			return nil, fmt.Errorf("%w: transaction.count is not a number of parts", ErrEnvelope)
		}
		if e.Order, err = count(t.Order); err != nil {
			return nil, fmt.Errorf("%w: transaction.total_order is not a place among the parts", ErrEnvelope)
		}
	}
	return e, nil
}

func read(value []byte) (*wire, error) {
	for range 2 {
		var w *wire
		if err := json.Unmarshal(value, &w); err != nil {
			return nil, fmt.Errorf("%w: not JSON, or an element of the wrong type", ErrEnvelope)
		}
		if w == nil || w.Payload == nil || w.Op != "" {
			return w, nil
		}
		value = w.Payload
	}
	return nil, fmt.Errorf("%w: a payload in a payload", ErrEnvelope)
}

func marker(w *wire) (*Envelope, error) {
	if w.Status != "END" {
		return nil, nil
	}
	n, err := count(w.Events)
	if err != nil || w.ID == "" {
		return nil, fmt.Errorf("%w: the end of a transaction names no id or no event_count", ErrEnvelope)
	}
	if n == 0 {
		return nil, nil
	}
	return &Envelope{Transaction: transactionID(w.ID), Count: n}, nil
}

func count(n json.Number) (int, error) {
	if n == "" {
		return 0, nil
	}
	i, err := strconv.Atoi(string(n))
	if err == nil && i < 0 {
		err = strconv.ErrRange
	}
	return i, err
}

// transactionID is what all parts of a transaction have alike. Debezium's connector for PostgreSQL writes
// 571:53195829, of which the second number is the place of the single change.
func transactionID(id string) string {
	number := func(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }
	if first, second, ok := strings.Cut(id, ":"); ok && number(first) && number(second) {
		return first
	}
	return id
}

// version orders the states of a row: by its place in the source's own log, and by the clock where that log
// has none.
func (e *Envelope) version(milliseconds json.Number) {
	integer := func(key string) int64 {
		switch v := e.Source[key].(type) {
		case int:
			return int64(v)
		case string:
			n, _ := strconv.ParseInt(v, 10, 64)
			return n
		}
		return 0
	}
	at := integer("ts_ms")
	if at == 0 {
		at, _ = strconv.ParseInt(string(milliseconds), 10, 64)
	}
	e.Version.Updated = clinical.Instant(at)
	switch file, _ := e.Source["file"].(string); {
	case integer("lsn") > 0: // PostgreSQL
		e.Version.Number = integer("lsn")
	case integer("scn") > 0: // Oracle
		e.Version.Number = integer("scn")
	case file != "": // MySQL: the number in mysql-bin.000003, then the place in that file, which has at most 4 GiB
		n, err := strconv.ParseInt(file[strings.LastIndexByte(file, '.')+1:], 10, 31)
		if pos := integer("pos"); err == nil && 0 < pos && pos <= math.MaxUint32 {
			e.Version.Number = n<<32 | pos
		}
	}
}

// row reads an object with numbers as expressions have them.
func row(data json.RawMessage) (map[string]any, error) {
	if data == nil {
		return nil, nil
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var m map[string]any
	if err := d.Decode(&m); err != nil {
		return nil, err
	}
	for k, v := range m {
		m[k] = plain(v)
	}
	return m, nil
}

func plain(v any) any {
	switch v := v.(type) {
	case json.Number:
		if n, err := strconv.Atoi(string(v)); err == nil {
			return n
		}
		f, _ := v.Float64()
		return f
	case []any:
		for i := range v {
			v[i] = plain(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = plain(v[k])
		}
	}
	return v
}
