package cdc

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vigil-cds/vigil/internal/fhir"
)

// parts are changes of tables as `op table row`, in one transaction.
func parts(t *testing.T, changes ...string) *Transaction {
	t.Helper()
	tx := &Transaction{ID: "tx"}
	for i, c := range changes {
		var op, table string
		_, err := fmt.Sscan(c, &op, &table)
		require.NoError(t, err)
		row := c[len(op)+len(table)+2:]
		place := "after"
		if op == "d" {
			place = "before"
		}
		e, err := Decode(fmt.Appendf(nil, `{"op":%q,%q:%s,"source":{"table":%q,"lsn":%d}}`, op, place, row, table, i+1))
		require.NoError(t, err)
		tx.Parts = append(tx.Parts, Part{Place: Place{Topic: "db", Offset: int64(i)}, Change: e})
	}
	return tx
}

const (
	encounter = `c encounters {"id":1,"patient_id":9,"kind":"inpatient","began":"2026-01-01T00:00:00Z"}`
	result    = `c lab_results {"id":5,"encounter_id":1,"test":"K","value":"6.1","unit":"mmol/L","status":"final","taken":"2026-01-01T01:00:00Z"}`
)

func TestAChildFindsItsParentInTheSameTransactionInAnyOrder(t *testing.T) {
	for _, order := range [][]string{{encounter, result}, {result, encounter}} {
		e := newDatabase(t, hospital(t)).apply(parts(t, order...))
		require.Empty(t, e.Refusals)
		require.Len(t, e.Patients, 1)
		require.Equal(t, "p9", e.Patients[0].Patient)
	}
}

func TestATransactionOfWhichOnePartIsRefusedStatesNothing(t *testing.T) {
	for _, c := range []struct {
		name, change string
		reason       fhir.Reason
	}{
		{"a parent that is not known", `c lab_results {"id":5,"encounter_id":77,"test":"K","value":"6.1","unit":"mmol/L","status":"final","taken":"2026-01-01T01:00:00Z"}`, ReasonNoRow},
		{"a code that is not mapped", `c lab_results {"id":5,"encounter_id":1,"test":"NA","value":"140","unit":"mmol/L","status":"final","taken":"2026-01-01T01:00:00Z"}`, ReasonNoCode},
		{"a value that is none", `c lab_results {"id":5,"encounter_id":1,"test":"K","value":"many","unit":"mmol/L","status":"final","taken":"2026-01-01T01:00:00Z"}`, ReasonExpression},
		{"a row without its key", `c lab_results {"encounter_id":1,"status":"final"}`, ReasonEnvelope},
		{"a time that is none", `c lab_results {"id":5,"encounter_id":1,"test":"K","value":"6.1","unit":"mmol/L","status":"final","taken":"soon"}`, fhir.UnreadableDate},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := newDatabase(t, hospital(t))
			e := d.apply(parts(t, encounter, c.change))
			require.Empty(t, e.Patients, "the encounter is in order, and waits for the whole")
			require.Len(t, e.Refusals, 1)
			require.Equal(t, c.reason, e.Refusals[0].Fault.Reason)
			require.NotContains(t, e.Refusals[0].Fault.Error(), "many")
			// The encounter's row is known from now on: it is in the database.
			e = d.apply(parts(t, result))
			require.Empty(t, e.Refusals)
			require.Equal(t, "p9", e.Patients[0].Patient)
		})
	}
}

func TestWhatARefusedTransactionWouldDeleteIsStatedStill(t *testing.T) {
	d := newDatabase(t, hospital(t))
	d.apply(parts(t, encounter, result))
	bad := `c diagnoses {"encounter_id":77,"rank":1,"icd10":"N18"}`
	e := d.apply(parts(t, `d lab_results {"id":5}`, bad))
	require.Len(t, e.Refusals, 1)
	require.Equal(t, "p9", d.stated["Observation/lab5"])
	e = d.apply(parts(t, `d lab_results {"id":5}`))
	require.Empty(t, e.Refusals)
	require.Empty(t, d.stated["Observation/lab5"], "and is deleted when the deletion is sent again")
}

func TestARowThatChangesTwiceInATransactionStatesItsEnd(t *testing.T) {
	d := newDatabase(t, hospital(t))
	e := d.apply(parts(t, encounter, result, `u lab_results {"id":5,"encounter_id":1,"test":"K","value":"4.0","unit":"mmol/L","status":"final","taken":"2026-01-01T01:00:00Z"}`))
	require.Len(t, e.Patients[0].Entries, 2)
	require.Contains(t, string(e.Patients[0].Entries[1].Body), `"value":4.0`)
	e = d.apply(parts(t, `c lab_results {"id":6,"encounter_id":1,"test":"K","value":"4.0","unit":"mmol/L","status":"final","taken":"2026-01-01T01:00:00Z"}`, `d lab_results {"id":6}`))
	require.Empty(t, e.Patients, "one that came and went states nothing")
}

func TestARowThatNoLongerCountsTakesBackWhatItStated(t *testing.T) {
	d := newDatabase(t, hospital(t))
	d.apply(parts(t, encounter, result))
	e := d.apply(parts(t, `u lab_results {"id":5,"encounter_id":1,"test":"K","value":"6.1","unit":"mmol/L","status":"void","taken":"2026-01-01T01:00:00Z"}`))
	require.Equal(t, "p9 DELETE Observation/lab5\n", told(e))
}

func TestTablesThatAreNotMappedStateNothing(t *testing.T) {
	e := newDatabase(t, hospital(t)).apply(parts(t, `c audit {"id":1}`, encounter))
	require.Equal(t, "p9 PUT Encounter/e1\n", told(e))
}

func TestAFailureOfTheStoreIsNoRefusal(t *testing.T) {
	broken := errors.New("broken")
	_, err := hospital(t).Apply(parts(t, result), func(n RowName) (*Row, error) {
		if n.Table == "encounters" {
			return nil, broken
		}
		return nil, nil
	}, fhir.New(fhir.Options{}))
	require.ErrorIs(t, err, broken)
}
