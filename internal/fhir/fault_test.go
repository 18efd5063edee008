package fhir

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestFaultsNameTheReasonAndThePlace(t *testing.T) {
	d := New(Options{MaxBytes: 2000, MaxDepth: 10, KnownUnit: func(u string) bool { return u == "mg/dL" }})
	observation := func(rest string) string {
		return `{"resourceType":"Observation","status":"final","code":{"text":"x"},"subject":{"reference":"Patient/1"}` + rest + `}`
	}
	subject := func(ref string) string {
		return `{"resourceType":"Condition","subject":` + ref + `}`
	}
	for name, c := range map[string]struct {
		in     string
		reason Reason
		place  string
		status int
	}{
		"not JSON":                    {`{"resourceType":"Observation",`, InvalidJSON, "Observation", 400},
		"JSON that never was":         {`hello`, InvalidJSON, "", 400},
		"empty":                       {``, InvalidJSON, "", 400},
		"trailing data":               {observation("") + `{}`, InvalidJSON, "Observation", 400},
		"element of the wrong type":   {observation(`,"bodySite":5`), InvalidJSON, "Observation.bodySite", 400},
		"embedded wrong type":         {observation(`,"valueBoolean":"yes"`), InvalidJSON, "Observation.valueBoolean", 400},
		"invalid UTF-8":               {observation(`,"valueString":"` + "\xff" + `"`), InvalidUTF8, "", 400},
		"too large":                   {observation(`,"valueString":"` + strings.Repeat("x", 2000) + `"`), TooLarge, "", 413},
		"too deep":                    {observation(`,"x":` + strings.Repeat("[", 11) + strings.Repeat("]", 11)), TooDeep, "", 400},
		"type missing":                {`{"id":"1"}`, UnknownType, "resourceType", 400},
		"type misspelt":               {`{"resourceType":"Observaton"}`, UnknownType, "resourceType", 400},
		"a Bundle":                    {`{"resourceType":"Bundle","type":"batch"}`, UnknownType, "Bundle", 400},
		"subject missing":             {`{"resourceType":"Condition"}`, NoPatient, "Condition.subject", 422},
		"subject is a group":          {subject(`{"reference":"Group/1"}`), NoPatient, "Condition.subject.reference", 422},
		"subject is a typed group":    {subject(`{"type":"Group","reference":"urn:uuid:1"}`), NoPatient, "Condition.subject", 422},
		"identifier without value":    {subject(`{"identifier":{"system":"s"}}`), NoPatient, "Condition.subject.identifier.value", 422},
		"subject is a word":           {subject(`{"reference":"me"}`), InvalidReference, "Condition.subject.reference", 422},
		"subject is no type":          {subject(`{"reference":"Patiant/1"}`), InvalidReference, "Condition.subject.reference", 422},
		"search that is not by id":    {subject(`{"reference":"Patient?name=x"}`), InvalidReference, "Condition.subject.reference", 422},
		"contained that is not there": {subject(`{"reference":"#p"}`), InvalidReference, "Condition.subject.reference", 422},
		"contained of no identity":    {`{"resourceType":"Condition","contained":[{"resourceType":"Patient","id":"p"}],"subject":{"reference":"#p"}}`, NoPatient, "Condition.subject.reference", 422},
		"patient id too long":         {subject(`{"reference":"Patient/` + strings.Repeat("a", 65) + `"}`), PatientIDTooLong, "Condition.subject.reference", 422},
		"patient id of other bytes":   {subject(`{"reference":"Patient/a b"}`), InvalidPatientID, "Condition.subject.reference", 422},
		"Patient without identity":    {`{"resourceType":"Patient"}`, NoPatient, "Patient.id", 422},
		"unreadable date":             {observation(`,"effectiveDateTime":"yesterday"`), UnreadableDate, "Observation.effectiveDateTime", 422},
		"unreadable end":              {observation(`,"effectivePeriod":{"start":"2024","end":"2024-13"}`), UnreadableDate, "Observation.effectivePeriod.end", 422},
		"unreadable lastUpdated":      {observation(`,"meta":{"lastUpdated":"x"}`), UnreadableDate, "Observation.meta.lastUpdated", 422},
		"number as a string":          {observation(`,"valueQuantity":{"value":"5"}`), NotANumber, "Observation.valueQuantity.value", 422},
		"number that overflows":       {observation(`,"valueQuantity":{"value":1e999}`), NotANumber, "Observation.valueQuantity.value", 422},
		"NaN":                         {observation(`,"valueQuantity":{"value":NaN}`), NotANumber, "Observation", 422},
		"minus infinity":              {observation(`,"valueQuantity":{"value":-Infinity}`), NotANumber, "Observation", 422},
		"number in a component":       {observation(`,"component":[{"code":{"text":"a"}},{"code":{"text":"b"},"valueInteger":true}]`), NotANumber, "Observation.component[1].valueInteger", 422},
		"comparator of no meaning":    {observation(`,"valueQuantity":{"value":5,"comparator":"~"}`), NotANumber, "Observation.valueQuantity.comparator", 422},
		"unknown unit code":           {observation(`,"valueQuantity":{"value":5,"code":"furlong"}`), UnknownUnit, "Observation.valueQuantity.code", 422},
		"unknown unit in words":       {observation(`,"valueQuantity":{"value":5,"unit":"furlong"}`), UnknownUnit, "Observation.valueQuantity.unit", 422},
		"unknown modifier":            {observation(`,"modifierExtension":[{"url":"http://example.org/rehearsal","valueBoolean":true}]`), UnknownModifier, "Observation.modifierExtension[0]", 422},
		"status missing":              {`{"resourceType":"Procedure","subject":{"reference":"Patient/1"}}`, MissingElement, "Procedure.status", 422},
		"code missing":                {`{"resourceType":"Observation","status":"final","code":{},"subject":{"reference":"Patient/1"}}`, MissingElement, "Observation.code", 422},
		"component's code missing":    {observation(`,"component":[{"valueInteger":1}]`), MissingElement, "Observation.component[0].code", 422},
		"medication missing":          {`{"resourceType":"MedicationRequest","status":"active","subject":{"reference":"Patient/1"}}`, MissingElement, "MedicationRequest.medication[x]", 422},
	} {
		t.Run(name, func(t *testing.T) {
			m, err := d.Resource([]byte(c.in))
			var f *Fault
			require.ErrorAs(t, err, &f)
			require.Len(t, Faults(err), 1)
			require.Equal(t, c.reason, f.Reason)
			require.Equal(t, c.place, f.Place)
			require.Equal(t, c.status, f.Status)
			require.NotEmpty(t, f.Mend)
			require.Empty(t, m.Assertion.Facts)
		})
	}
}

func TestEveryFaultOfAResourceIsReported(t *testing.T) {
	_, err := New(Options{}).Resource([]byte(`{"resourceType":"Observation","effectiveDateTime":"x","valueQuantity":{"value":"y"}}`))
	var reasons []Reason
	for _, f := range Faults(fmt.Errorf("taking in an event: %w", err)) {
		reasons = append(reasons, f.Reason)
	}
	require.Equal(t, []Reason{NoPatient, MissingElement, UnreadableDate, MissingElement, NotANumber}, reasons)
}

func TestAMisspeltTypeGetsAHint(t *testing.T) {
	for wrong, right := range map[string]string{"observation": "Observation", "Observaton": "Observation",
		"MedicationRequst": "MedicationRequest", "Xyzzy": ""} {
		require.Equal(t, right, nearestType(wrong))
	}
}

func TestFaultsHoldNoClinicalValue(t *testing.T) {
	_, err := New(Options{}).Resource([]byte(`{"resourceType":"Observation","id":"secret","status":"final","code":{"text":"secret"},
		"subject":{"reference":"Patient/sec ret"},"effectiveDateTime":"secret","valueQuantity":{"value":"secret","comparator":"secret"}}`))
	require.Len(t, Faults(err), 4)
	require.NotContains(t, err.Error()+string(OperationOutcome(err)), "sec")
}

func TestOperationOutcomeListsEveryFault(t *testing.T) {
	read := func(b []byte) (out struct {
		ResourceType string
		Issue        []struct {
			Severity, Code, Diagnostics string
			Expression                  []string
		}
	}) {
		require.NoError(t, json.Unmarshal(b, &out))
		require.Equal(t, "OperationOutcome", out.ResourceType)
		require.NotEmpty(t, out.Issue)
		return out
	}
	_, err := New(Options{}).Resource([]byte(`{"resourceType":"Procedure","performedDateTime":"x"}`))
	out := read(OperationOutcome(InEntry(3, err)))
	require.Len(t, out.Issue, 3)
	require.Equal(t, "error", out.Issue[0].Severity)
	require.Equal(t, "required", out.Issue[0].Code)
	require.Equal(t, []string{"Bundle.entry[3].resource.subject"}, out.Issue[0].Expression)
	require.Contains(t, out.Issue[0].Diagnostics, "Patient/123")

	out = read(OperationOutcome(errors.New("connection to 10.0.0.1 lost")))
	require.Equal(t, "exception", out.Issue[0].Code)
	require.NotContains(t, out.Issue[0].Diagnostics, "10.0.0.1")
	require.Equal(t, "informational", read(OperationOutcome(nil)).Issue[0].Code)

	for _, reason := range Reasons() {
		require.NotEmpty(t, issueTypes[reason], reason)
	}
}
