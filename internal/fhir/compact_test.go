package fhir

import (
	"encoding/json"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vigil-cds/vigil/internal/clinical"
)

func TestACompactObservationIsAFact(t *testing.T) {
	d := New(Options{})
	for name, c := range map[string]struct {
		in   string
		want string
	}{
		"number": {`{"patient":"1","code":"loinc|8867-4","time":"2026-03-01T10:00:00Z","value":80.5,"unit":"/min","id":"a7"}`,
			"patient \"1\" resource Observation/a7 version 0\nobservation:loinc|8867-4\n  2026-03-01T10:00:00Z .. 2026-03-01T10:00:00Z to the s\n  number 80.5 /min\n  status = [final]\n"},
		"milliseconds, spaces, unknown members": {" { \"x\" : {\"a\":[1,\"]\"]} , \"y\":null,\"z\":-1e3,\"patient\":\"1\",\"code\":\"http://loinc.org|8867-4\",\"time\":1000,\"value\":-1.5E+1,\"id\":\"i\"}\r\n",
			"patient \"1\" resource Observation/i version 0\nobservation:loinc|8867-4\n  1970-01-01T00:00:01Z .. 1970-01-01T00:00:01Z to the ms\n  number -15\n  status = [final]\n"},
		"boolean": {`{"patient":"1","code":"on-vent","time":"2026-03-01","value":true,"id":"b"}`,
			"patient \"1\" resource Observation/b version 0\nobservation:on-vent\n  2026-03-01T00:00:00Z .. 2026-03-01T00:00:00Z to the day\n  boolean 1\n  status = [final]\n"},
		"text with escapes, last member wins": {`{"patient":"2","patient":"\u0031","code":"a\/b","time":1,"value":5,"value":"\ud83d\ude00 \"q\" \ud83d \u00e9\n","id":"c"}`,
			"patient \"1\" resource Observation/c version 0\nobservation:a/b\n  1970-01-01T00:00:00.001Z .. 1970-01-01T00:00:00.001Z to the ms\n  text \"😀 \\\"q\\\" \ufffd é\\n\"\n  status = [final]\n"},
	} {
		t.Run(name, func(t *testing.T) {
			patient, a, err := d.Compact([]byte(c.in))
			require.NoError(t, err)
			require.Equal(t, c.want, render(Mapped{Patient: patient, Assertion: a}))
		})
	}
}

func TestACompactObservationWithoutIdIsKnownByCodeAndTimeAlone(t *testing.T) {
	d := New(Options{})
	for id, unnamed := range map[string]bool{``: true, `,"id":"a7"`: false} {
		_, a, err := d.Compact([]byte(`{"patient":"1","code":"hr","time":1767225600000,"value":80` + id + `}`))
		require.NoError(t, err)
		require.Equal(t, unnamed, a.Resource == "")
		require.Equal(t, unnamed, a.Facts[0].Detail.Unnamed)
	}
}

func TestCompactFaults(t *testing.T) {
	d := New(Options{MaxBytes: 400, MaxDepth: 8, KnownUnit: func(u string) bool { return u == "mg/dL" }})
	with := func(member string) string {
		return `{"patient":"1","code":"a","time":1,"value":1,` + member + `}`
	}
	for in, reason := range map[string]Reason{
		``: InvalidJSON, `[]`: InvalidJSON, `{`: InvalidJSON, `{}x`: InvalidJSON, `{"a"}`: InvalidJSON, `{"a":1,}`: InvalidJSON,
		`{"a" 1}`: InvalidJSON, `{"a":01}`: InvalidJSON, `{"a":.5}`: InvalidJSON, `{"a":+1}`: InvalidJSON, `{"a":1.}`: InvalidJSON,
		`{"a":1e}`: InvalidJSON, `{"a":-}`: InvalidJSON, `{"a":"\x"}`: InvalidJSON, `{"a":"\u12g4"}`: InvalidJSON,
		"{\"a\":\"\n\"}": InvalidJSON, `{"a":"`: InvalidJSON, `{"a":{"b":]}}`: InvalidJSON, `{"a":tru}`: InvalidJSON,
		`{}`:                                  NoPatient,
		`{"patient":"1"}`:                     MissingElement,
		`{"patient":"1","code":"a"}`:          MissingElement,
		`{"patient":"1","code":"a","time":1}`: MissingElement,
		with(`"value":null`):                  MissingElement,
		with(`"time":null`):                   MissingElement,
		with(`"patient":"a b"`):               InvalidPatientID,
		with(`"patient":"` + strings.Repeat("a", 65) + `"`): PatientIDTooLong,
		with(`"patient":1`):                            InvalidJSON,
		with(`"id":"a b"`):                             InvalidReference,
		with(`"time":"noon"`):                          UnreadableDate,
		with(`"time":1.5`):                             UnreadableDate,
		with(`"time":999999999999999`):                 UnreadableDate,
		with(`"value":1e999`):                          NotANumber,
		with(`"value":NaN`):                            NotANumber,
		with(`"value":-Infinity`):                      NotANumber,
		with(`"value":[1]`):                            InvalidJSON,
		with(`"unit":"furlong"`):                       UnknownUnit,
		with(`"x":[[[[[[[[[]]]]]]]]]`):                 TooDeep,
		with(`"x":"` + strings.Repeat("x", 400) + `"`): TooLarge,
		with("\"x\":\"\xff\""):                         InvalidUTF8,
	} {
		_, _, err := d.Compact([]byte(in))
		var f *Fault
		require.ErrorAs(t, err, &f, in)
		require.Equal(t, reason, f.Reason, in)
	}
}

func TestCompactTakesAtMostFourAllocations(t *testing.T) {
	d := New(Options{})
	line := []byte(compactSample)
	require.LessOrEqual(t, testing.AllocsPerRun(100, func() { _, _, _ = d.Compact(line) }), 4.0)
}

// encoding/json is the oracle for what is JSON and what it says.
func FuzzCompact(f *testing.F) {
	for _, seed := range []string{compactSample, `{}`, `{"patient":"1","code":"a","time":1,"value":"\ud800\u0041"}`, `{"a":{"b":[1]}}`} {
		f.Add([]byte(seed))
	}
	d := New(Options{})
	f.Fuzz(func(t *testing.T, line []byte) {
		_, a, err := d.Compact(line)
		if err != nil {
			require.NotEmpty(t, Faults(err))
			return
		}
		require.True(t, json.Valid(line), "what is taken is JSON")
		fact := a.Facts[0]
		require.False(t, math.IsNaN(fact.Number) || math.IsInf(fact.Number, 0))
		var members map[string]any
		require.NoError(t, json.Unmarshal(line, &members))
		switch v := members["value"].(type) {
		case float64:
			require.Equal(t, v, fact.Number)
		case string:
			require.Equal(t, v, fact.Detail.Text)
			require.Equal(t, clinical.Text, fact.Detail.Type)
		}
	})
}

func FuzzResource(f *testing.F) {
	for _, name := range []string{"observation-quantity", "medicationrequest-bounded", "observation-timing", "patient"} {
		data, err := os.ReadFile("testdata/" + name + ".json")
		require.NoError(f, err)
		f.Add(data)
	}
	d := New(Options{})
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := d.Resource(data)
		if err != nil {
			require.NotEmpty(t, Faults(err))
			require.True(t, json.Valid(OperationOutcome(err)))
			return
		}
		require.True(t, json.Valid(data), "what is taken is JSON")
		for _, fact := range m.Assertion.Facts {
			require.LessOrEqual(t, fact.Time, fact.End)
			require.False(t, math.IsNaN(fact.Number) || math.IsInf(fact.Number, 0))
		}
		bundle := append(append([]byte(`{"resourceType":"Bundle","type":"batch","entry":[{"resource":`), data...), `}]}`...)
		b, err := d.Bundle(bundle)
		if err != nil {
			return // one level too deep
		}
		if e := b.Entries[0]; e.Err == nil {
			again, err := d.Resource(e.Body)
			require.NoError(t, err, string(e.Body))
			require.Equal(t, m.Patient, again.Patient)
		}
	})
}

const compactSample = `{"patient":"0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0","code":"loinc|8867-4","time":"2026-03-01T10:00:00Z","value":80,"unit":"/min"}`

func BenchmarkCompact(b *testing.B) {
	d, line := New(Options{}), []byte(compactSample)
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := d.Compact(line); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkResource(b *testing.B) {
	data, err := os.ReadFile("testdata/observation-quantity.json")
	require.NoError(b, err)
	d := New(Options{})
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := d.Resource(data); err != nil {
			b.Fatal(err)
		}
	}
}
