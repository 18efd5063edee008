package fhir

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vigil-cds/vigil/internal/clinical"
)

func TestDatesAreReadExactly(t *testing.T) {
	zone := time.FixedZone("", 2*60*60)
	for in, want := range map[string]struct {
		at        string
		precision clinical.Precision
	}{
		"2024":                                {"2023-12-31T22:00:00Z", clinical.ToYear},
		"2024-02":                             {"2024-01-31T22:00:00Z", clinical.ToMonth},
		"2024-02-29":                          {"2024-02-28T22:00:00Z", clinical.ToDay},
		"2024-02-29T10:00":                    {"2024-02-29T08:00:00Z", clinical.ToMinute},
		"2024-02-29T10:00Z":                   {"2024-02-29T10:00:00Z", clinical.ToMinute},
		"2024-02-29T10:00:01":                 {"2024-02-29T08:00:01Z", clinical.ToSecond},
		"2024-02-29T10:00:01Z":                {"2024-02-29T10:00:01Z", clinical.ToSecond},
		"2024-02-29T10:00:01-05:30":           {"2024-02-29T15:30:01Z", clinical.ToSecond},
		"2024-02-29T00:00:00+14:00":           {"2024-02-28T10:00:00Z", clinical.ToSecond},
		"2024-02-29T10:00:01.5Z":              {"2024-02-29T10:00:01.500Z", clinical.ToMillisecond},
		"2024-02-29T10:00:01.123456789+00:00": {"2024-02-29T10:00:01.123Z", clinical.ToMillisecond},
		"2016-12-31T23:59:60Z":                {"2016-12-31T23:59:59.999Z", clinical.ToSecond},
		"0001-01-01T00:00:00Z":                {"0001-01-01T00:00:00Z", clinical.ToSecond},
		"9999-12-31T23:59:59Z":                {"9999-12-31T23:59:59Z", clinical.ToSecond},
		"2000-02-29":                          {"2000-02-28T22:00:00Z", clinical.ToDay},
	} {
		at, precision, ok := parseTime(in, zone)
		require.True(t, ok, in)
		require.Equal(t, want.at, at.String(), in)
		require.Equal(t, want.precision, precision, in)
	}
}

func TestUnreadableDatesAreRefused(t *testing.T) {
	for _, in := range []string{"", "24", "0000", "2024-", "2024-0", "2024-00", "2024-13", "2024-02-30", "2023-02-29",
		"1900-02-29", "2024-04-31", "2024-1-1", "2024/01/01", "20240101", "2024-01-01T", "2024-01-01T10", "2024-01-01T10Z",
		"2024-01-01 10:00:00Z", "2024-01-01T24:00:00Z", "2024-01-01T10:60:00Z", "2024-01-01T10:00:61Z", "2024-01-01T10:00:00.Z",
		"2024-01-01T10:00:00z", "2024-01-01T10:00:00+01", "2024-01-01T10:00:00+0100", "2024-01-01T10:00:00+14:01",
		"2024-01-01T10:00:00+01:60", "2024-01-01T10:00:00Z ", "+2024", "٢٠٢٤", "12024-01-01", "yesterday"} {
		_, _, ok := parseTime(in, time.UTC)
		require.False(t, ok, in)
	}
}

func TestAPeriodsEndIncludesTheWholeOfAPartialDate(t *testing.T) {
	zone, err := time.LoadLocation("Europe/Berlin")
	require.NoError(t, err)
	for in, want := range map[string]string{
		"2024":                 "2024-12-31T22:59:59.999Z",
		"2024-02":              "2024-02-29T22:59:59.999Z",
		"2024-03-31":           "2024-03-31T21:59:59.999Z", // 23 hours long
		"2024-03-31T10:00:00Z": "2024-03-31T10:00:00Z",
	} {
		at, precision, ok := parseTime(in, zone)
		require.True(t, ok, in)
		require.Equal(t, want, lastInstant(at, precision, zone).String(), in)
	}
}

func TestUndatedFactsTakeTheRecordedTime(t *testing.T) {
	d := New(Options{})
	m, err := d.Resource([]byte(`{"resourceType":"AllergyIntolerance","patient":{"reference":"Patient/1"}}`))
	require.NoError(t, err)
	m.DateUndated(1000)
	require.Equal(t, clinical.Instant(1000), m.Assertion.Facts[0].Time)
	require.Equal(t, clinical.Forever, m.Assertion.Facts[0].End)

	m, err = d.Resource([]byte(`{"resourceType":"Procedure","status":"completed","subject":{"reference":"Patient/1"}}`))
	require.NoError(t, err)
	m.DateUndated(1000)
	require.Equal(t, clinical.Instant(1000), m.Assertion.Facts[0].End)

	m, err = d.Resource([]byte(`{"resourceType":"Patient","id":"1"}`))
	require.NoError(t, err)
	m.DateUndated(1000)
	require.Equal(t, clinical.Never, m.Assertion.Facts[0].Time)
}
