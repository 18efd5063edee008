package cdc

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/internal/fhir"
)

// The reasons for which a transaction is refused, besides those of package fhir.
const (
	ReasonEnvelope   fhir.Reason = "not-an-envelope"
	ReasonIncomplete fhir.Reason = "incomplete-transaction"
	ReasonExpression fhir.Reason = "expression-failed"
	ReasonNoRow      fhir.Reason = "row-not-known"
	ReasonNoCode     fhir.Reason = "code-not-mapped"
	// ReasonTransaction is of a part with which nothing is wrong but that another of its transaction is refused.
	ReasonTransaction fhir.Reason = "transaction-refused"
)

// Row is what is kept of a row of the database.
type Row struct {
	Columns   map[string]any `json:"columns,omitempty"`   // those that the table keeps
	Resources []Resource     `json:"resources,omitempty"` // what it states
}

// UnmarshalJSON reads numbers as expressions have them.
func (r *Row) UnmarshalJSON(data []byte) (err error) {
	var in struct {
		Columns   json.RawMessage `json:"columns"`
		Resources []Resource      `json:"resources"`
	}
	if err := json.Unmarshal(data, &in); err != nil {
		return err
	}
	r.Resources = in.Resources
	r.Columns, err = row(in.Columns)
	return err
}

// Resource is one that a row states, and whose.
type Resource struct{ Type, ID, Patient string }

// RowName tells rows apart.
type RowName struct {
	Table string
	Key   string // JSON list of the values of the key's columns
}

// Rows gives what was kept of a row; nil when it is not known.
type Rows func(RowName) (*Row, error)

// Effect is what a transaction brings about.
type Effect struct {
	// Patients is what is stated about each, in the order of the source; nothing when the transaction is refused.
	Patients []PatientEntries
	Rows     map[RowName]*Row // what is to be kept from now on; nil for a row that is gone
	Stated   clinical.Instant // the latest instant of the source's own clock
	Refusals []Refusal        // why nothing is stated

	changes []*change
}

// Refuse has the transaction state nothing. What lookups need of its rows is kept, and what these stated before
// they state still.
func (e *Effect) Refuse(why ...Refusal) {
	e.Refusals = append(e.Refusals, why...)
	e.Patients = nil
	for _, c := range e.changes {
		if row := e.Rows[c.name]; row != nil {
			row.Resources = c.held.Resources
		} else if len(c.held.Resources) > 0 {
			e.Rows[c.name] = &Row{Resources: c.held.Resources}
		}
	}
}

// PatientEntries are the entries about one patient, in the order of the source. Those about none come under "".
type PatientEntries struct {
	Patient string
	Entries []fhir.Entry
}

// Refusal says what of a part is wrong. Its fault names no value of a row; the cause may.
type Refusal struct {
	Part  *Part
	Fault *fhir.Fault
	Cause error
}

// Error is the fault, and its cause, for a person who may see the rows.
func (r Refusal) Error() string {
	if r.Cause == nil || errors.Is(r.Cause, r.Fault) {
		return r.Fault.Error()
	}
	return r.Fault.Error() + " (" + r.Cause.Error() + ")"
}

// Apply finds what a complete transaction states: of each row what it is at the end. When one part cannot be
// mapped nothing is stated, but what lookups need of the rows is kept. The error is that of rows.
func (m *Mapping) Apply(t *Transaction, rows Rows, decoder *fhir.Decoder) (*Effect, error) {
	a := &application{mapping: m, decoder: decoder, rows: rows, effect: &Effect{Rows: map[RowName]*Row{}}}
	if err := a.net(t); err != nil {
		return nil, err
	}
	for _, c := range a.effect.changes {
		if err := a.state(c); err != nil {
			return nil, err
		}
	}
	if len(a.effect.Refusals) > 0 {
		a.effect.Refuse()
	}
	return a.effect, nil
}

// change is what a transaction does to one row, in sum.
type change struct {
	table *table
	name  RowName
	part  *Part // the last
	held  Row   // before the transaction
}

type application struct {
	mapping *Mapping
	decoder *fhir.Decoder
	rows    Rows
	effect  *Effect
}

// net gives the changes of the transaction row by row, and keeps what lookups need, so that rows of one
// transaction find each other in whatever order they come.
func (a *application) net(t *Transaction) error {
	of := map[RowName]*change{}
	for i := range t.Parts {
		p := &t.Parts[i]
		a.effect.Stated = max(a.effect.Stated, p.Change.Version.Updated)
		table := a.mapping.table(p.Change)
		if table == nil {
			continue
		}
		name, ok := rowName(table, p.Change)
		if !ok {
			a.refuse(p, fault(ReasonEnvelope, "tables."+table.name+".key", "the row has not all columns of the table's key",
				"have the database log the key of each row (REPLICA IDENTITY)"), nil)
			continue
		}
		c := of[name]
		if c == nil {
			c = &change{table: table, name: name}
			held, err := a.rows(name)
			if err != nil {
				return err
			}
			if held != nil {
				c.held = *held
			}
			of[name] = c
			a.effect.changes = append(a.effect.changes, c)
		}
		c.part = p
	}
	for _, c := range a.effect.changes {
		a.effect.Rows[c.name] = c.kept()
	}
	return nil
}

func rowName(t *table, e *Envelope) (RowName, bool) {
	from := e.After
	if e.Op == Delete {
		from = e.Before
	}
	key := make([]any, len(t.key))
	for i, column := range t.key {
		if key[i] = from[column]; key[i] == nil {
			return RowName{}, false
		}
	}
	return RowName{t.name, keyOf(key)}, true
}

// kept is what lookups will find; nil when the row is gone.
func (c *change) kept() *Row {
	if c.part.Change.Op == Delete {
		return nil
	}
	row := new(Row)
	for _, column := range c.table.keep {
		if row.Columns == nil {
			row.Columns = map[string]any{}
		}
		row.Columns[column] = c.part.Change.After[column]
	}
	return row
}

// lookup finds what a table keeps of a row, as it is at the end of the transaction; of a row that the
// transaction deletes, as it was.
func (a *application) lookup(table, key string) (map[string]any, error) {
	name := RowName{table, key}
	row := a.effect.Rows[name]
	if row == nil {
		var err error
		if row, err = a.rows(name); err != nil || row == nil {
			return nil, err
		}
	}
	return row.Columns, nil
}

// state finds what a row states now, and takes back what it stated and states no longer.
func (a *application) state(c *change) error {
	var now []Resource
	version := c.part.Change.Version
	if c.part.Change.Op != Delete {
		for _, r := range c.table.resources {
			body, cause := a.render(r, c)
			if lost := new(rowsError); errors.As(cause, &lost) {
				return lost.cause
			}
			if cause != nil {
				a.refuse(c.part, expressionFault(r, cause), cause)
				continue
			}
			if body == nil {
				continue
			}
			mapped, err := a.decoder.Resource(body)
			if err != nil {
				f := &fhir.Fault{Reason: fhir.InvalidJSON, Problem: "the resource cannot be read"}
				errors.As(err, &f)
				at := *f
				at.Place = r.place + ": " + f.Place
				a.refuse(c.part, &at, err)
				continue
			}
			now = append(now, Resource{mapped.Type, mapped.ID, mapped.Patient})
			a.add(mapped.Patient, fhir.Entry{Method: http.MethodPut, Type: mapped.Type, ID: mapped.ID, Patient: mapped.Patient, Body: body})
		}
	}
	for _, was := range c.held.Resources {
		if !slices.Contains(now, was) {
			a.add(was.Patient, fhir.Entry{Method: http.MethodDelete, Type: was.Type, ID: was.ID, Patient: was.Patient, Version: version})
		}
	}
	if row := a.effect.Rows[c.name]; row != nil {
		row.Resources = now
	}
	return nil
}

func (a *application) add(patient string, e fhir.Entry) {
	i := slices.IndexFunc(a.effect.Patients, func(p PatientEntries) bool { return p.Patient == patient })
	if i < 0 {
		i = len(a.effect.Patients)
		a.effect.Patients = append(a.effect.Patients, PatientEntries{Patient: patient})
	}
	a.effect.Patients[i].Entries = append(a.effect.Patients[i].Entries, e)
}

// rowsError is a failure of the store of rows in the middle of an expression.
type rowsError struct{ cause error }

func (e *rowsError) Error() string { return e.cause.Error() }

// render writes a resource of a row as JSON; nil when the row does not state it.
func (a *application) render(r *resource, c *change) ([]byte, error) {
	e := c.part.Change
	s := &scope{a.mapping, func(table, key string) (map[string]any, error) {
		row, err := a.lookup(table, key)
		if err != nil {
			err = &rowsError{err}
		}
		return row, err
	}}
	env := map[string]any{"row": columnsOf(c.table, e.After), "before": columnsOf(c.table, e.Before), "op": string(e.Op), "source": e.Source,
		"code": s.code, "lookup": s.lookup}
	if r.when != nil {
		if states, err := r.when.render(env); err != nil || states != true {
			return nil, err
		}
	}
	v, err := r.body.render(env)
	if err != nil {
		return nil, err
	}
	body, _ := v.(map[string]any)
	meta, _ := body["meta"].(map[string]any)
	meta = maps.Clone(meta)
	if meta == nil {
		meta = map[string]any{}
	}
	if n := e.Version.Number; n != 0 && meta["versionId"] == nil {
		meta["versionId"] = strconv.FormatInt(n, 10)
	}
	if at := e.Version.Updated; at != 0 && meta["lastUpdated"] == nil {
		meta["lastUpdated"] = at.Time().UTC().Format(time.RFC3339Nano)
	}
	if len(meta) > 0 {
		body["meta"] = meta
	}
	return json.Marshal(body)
}

// columnsOf is a row with all columns of the table: one that the tool left out is nil.
func columnsOf(t *table, row map[string]any) map[string]any {
	all := make(map[string]any, len(t.columns))
	for _, column := range t.columns {
		all[column] = row[column]
	}
	return all
}

func (a *application) refuse(p *Part, f *fhir.Fault, cause error) {
	a.effect.Refusals = append(a.effect.Refusals, Refusal{p, f, cause})
}

func fault(reason fhir.Reason, place, problem, mend string) *fhir.Fault {
	return &fhir.Fault{Reason: reason, Place: place, Problem: problem, Mend: mend, Status: http.StatusUnprocessableEntity}
}

func expressionFault(r *resource, cause error) *fhir.Fault {
	place := r.place
	if at := new(leafFault); errors.As(cause, &at) {
		place = cmp.Or(at.place, place)
	}
	switch {
	case errors.Is(cause, ErrNoRow):
		return fault(ReasonNoRow, place, "the row that a lookup asks for has not been seen",
			"read the topic of its table too, from its beginning, and keep parent and child in one transaction or in order")
	case errors.Is(cause, ErrNoCode):
		return fault(ReasonNoCode, place, "the mapping has no coding for this code of the site", "add it to the mapping's codes, or leave such rows out by `when`")
	}
	return fault(ReasonExpression, place, "the expression failed for this row", "vigil source map shows why, for the record in the dead-letter topic")
}

// Incomplete is the refusal of a transaction whose parts did not come.
func Incomplete(t *Transaction) []Refusal {
	problem := fmt.Sprintf("%d parts of the transaction have come, and how many there are nobody has said", len(t.Parts))
	if t.want > 0 {
		problem = fmt.Sprintf("%d of the %d parts of the transaction have come", len(t.Parts), t.want)
	}
	return t.refused(fault(ReasonIncomplete, "transaction", problem, "read all topics of the database, and the topic of transactions if the envelopes have no count; then send the rows again"))
}

// TooLarge is the refusal of a transaction of which a record of the log cannot hold what it states about a patient.
func TooLarge(t *Transaction) []Refusal {
	return t.refused(fault(fhir.TooLarge, "transaction", "what it states about one patient is more than a record of the log can hold", "commit in smaller transactions"))
}

// refused refuses every part for the same reason.
func (t *Transaction) refused(f *fhir.Fault) []Refusal {
	all := make([]Refusal, len(t.Parts))
	for i := range t.Parts {
		all[i] = Refusal{Part: &t.Parts[i], Fault: f}
	}
	return all
}
