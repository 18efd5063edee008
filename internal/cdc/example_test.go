package cdc

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vigil-cds/vigil/internal/fhir"
)

// hospital is the mapping of the worked example.
func hospital(t testing.TB) *Mapping {
	t.Helper()
	text, err := os.ReadFile("../../examples/cdc/mapping.yaml")
	require.NoError(t, err)
	m, err := Parse("mapping.yaml", text)
	require.NoError(t, err)
	return m
}

// envelopes are the worked example's, each in the partition of its table.
func envelopes(t testing.TB) (parts []Part) {
	t.Helper()
	text, err := os.ReadFile("../../examples/cdc/envelopes.ndjson")
	require.NoError(t, err)
	for i, line := range bytes.Split(bytes.TrimSpace(text), []byte("\n")) {
		e, err := Decode(line)
		require.NoError(t, err)
		parts = append(parts, Part{Place: Place{Topic: "hospital." + e.Table, Offset: int64(i)}, Change: e, Value: line})
	}
	return parts
}

// database plays transactions one after another, and keeps rows and what is stated as a store would.
type database struct {
	t       testing.TB
	mapping *Mapping
	rows    map[RowName]*Row
	stated  map[string]string // resource → patient
}

func newDatabase(t testing.TB, m *Mapping) *database {
	return &database{t, m, map[RowName]*Row{}, map[string]string{}}
}

func (d *database) apply(tx *Transaction) *Effect {
	d.t.Helper()
	e, err := d.mapping.Apply(tx, func(n RowName) (*Row, error) { return d.rows[n], nil }, fhir.New(fhir.Options{}))
	require.NoError(d.t, err)
	for name, row := range e.Rows {
		if d.rows[name] = row; row == nil {
			delete(d.rows, name)
		}
	}
	for _, p := range e.Patients {
		for _, entry := range p.Entries {
			name := entry.Type + "/" + entry.ID
			if entry.Method != "DELETE" {
				d.stated[name] = p.Patient
			} else if d.stated[name] == p.Patient {
				delete(d.stated, name)
			}
		}
	}
	return e
}

func told(e *Effect) string {
	var b strings.Builder
	for _, p := range e.Patients {
		for _, entry := range p.Entries {
			fmt.Fprintf(&b, "%s %s %s/%s\n", p.Patient, entry.Method, entry.Type, entry.ID)
		}
	}
	for _, r := range e.Refusals {
		fmt.Fprintf(&b, "refused %s: %s\n", r.Part.Change.Table, r.Fault.Reason)
	}
	return b.String()
}

func TestTheWorkedExampleStatesWhatItsRowsSay(t *testing.T) {
	d := newDatabase(t, hospital(t))
	c := new(Collector)
	var all []string
	for _, p := range envelopes(t) {
		c.Add(p, 0)
		for _, tx := range c.Ready(always) {
			all = append(all, told(d.apply(tx)))
		}
	}
	require.Equal(t, []string{
		"p1 PUT Patient/p1\n",
		"p2 PUT Patient/p2\n",
		"p1 PUT Encounter/e11\n",
		"p1 PUT Observation/lab101\np1 PUT Condition/dx11.1\n",
		"p1 PUT Observation/lab101\np1 PUT Condition/dx11.1\n",
		"p2 PUT Encounter/e12\np2 PUT Observation/lab102\np2 PUT MedicationRequest/rx201\n",
		"", // a result that is not final
		"p1 PUT Observation/lab103\n",
		"p2 PUT Observation/lab103\np1 DELETE Observation/lab103\n",
		"p2 DELETE MedicationRequest/rx201\n",
	}, all)
	require.Nil(t, c.Oldest())
}

func TestAResourceHasTheVersionOfItsRow(t *testing.T) {
	d := newDatabase(t, hospital(t))
	parts := envelopes(t)
	c := new(Collector)
	for _, p := range parts[:5] {
		c.Add(p, 0)
	}
	var last *Effect
	for _, tx := range c.Ready(always) {
		last = d.apply(tx)
	}
	require.JSONEq(t, `{"resourceType":"Observation","id":"lab101","status":"final","meta":{"versionId":"1032","lastUpdated":"2026-03-01T12:01:00Z"},
		"code":{"coding":[{"system":"http://loinc.org","code":"2823-3","display":"Potassium"}]},"subject":{"reference":"Patient/p1"},
		"effectiveDateTime":"2026-03-01T07:30:00Z","valueQuantity":{"value":6.4000,"unit":"mmol/L","system":"http://unitsofmeasure.org","code":"mmol/L"}}`,
		string(last.Patients[0].Entries[0].Body))
	require.Contains(t, string(last.Patients[0].Entries[0].Body), `"value":6.4000`, "no digit is lost")
}
