package explain

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/rules"
)

func TestMonthsAgo(t *testing.T) {
	cases := []struct {
		name, zone, now string
		months          int
		millis          clinical.Instant
		want            string
	}{
		{"the same day and time", "UTC", "2024-05-15T12:30:00Z", 1, 0, "2024-04-15T12:30:00Z"},
		{"over a new year", "UTC", "2024-01-15T12:00:00Z", 1, 0, "2023-12-15T12:00:00Z"},
		{"two years", "UTC", "2024-02-15T12:00:00Z", 24, 0, "2022-02-15T12:00:00Z"},
		{"the milliseconds go after the months", "UTC", "2024-03-31T12:00:00Z", 1, day, "2024-02-28T23:59:59.999Z"},
		{"a month too short for the day", "UTC", "2023-03-29T00:00:00Z", 1, 0, "2023-02-28T23:59:59.999Z"},
		{"the last day that the month has", "UTC", "2024-03-29T06:00:00Z", 1, 0, "2024-02-29T06:00:00Z"},
		{"a year after 29 February", "UTC", "2024-02-29T06:00:00Z", 12, 0, "2023-02-28T23:59:59.999Z"},
		{"the same clock time on either side of summer time", "Europe/London", "2024-04-15T12:00:00+01:00", 1, 0, "2024-03-15T12:00:00Z"},
		{"the same time since the start of a day of 25 hours", "Europe/London", "2024-10-27T12:00:00Z", 1, 0, "2024-09-27T13:00:00+01:00"},
		{"a day too short for the time", "Europe/Berlin", "2023-04-26T23:30:00+02:00", 1, 0, "2023-03-26T23:59:59.999+02:00"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			d := rules.Duration{Months: c.months, Millis: int64(c.millis)}
			require.Equal(t, instant(c.want).String(), ago(d, instant(c.now), zone(t, c.zone)).String())
		})
	}
}

// The engine reads the calendar with code of its own; here is where the two must agree.
func TestTheCalendarAgreesWithTheEngines(t *testing.T) {
	durations := []rules.Duration{{Months: 1}, {Months: 3, Millis: int64(36 * hour)}, {Months: 12}, {Months: 30}}
	for _, name := range []string{"UTC", "Europe/London", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe"} {
		z := zone(t, name)
		last := map[rules.Duration]clinical.Instant{}
		for now := instant("2023-01-01T00:00:00Z"); now < instant("2025-03-02T00:00:00Z"); now += 97*minute + 13 {
			for _, d := range durations {
				got := ago(d, now, z)
				require.Equal(t, d.Before(now, z), got, "%v before %v in %s", d, now, name)
				require.GreaterOrEqual(t, got, last[d], "it never decreases")
				last[d] = got
			}
		}
		for _, birth := range []string{"2020-02-29T12:00:00Z", "2019-12-31T23:30:00Z", "2022-10-30T01:30:00Z"} {
			for now := instant("2024-01-01T00:00:00Z"); now < instant("2025-03-02T00:00:00Z"); now += 19*hour + 1 {
				want, ok := rules.CompletedMonths(instant(birth), now, z)
				require.True(t, ok)
				require.Equal(t, want, completed(1, instant(birth), now, z), "%s at %v in %s", birth, now, name)
				require.Equal(t, want/12, completed(12, instant(birth), now, z), "%s at %v in %s", birth, now, name)
			}
		}
	}
}

func TestReachesIsTheFirstInstant(t *testing.T) {
	z := zone(t, "Europe/London")
	durations := []rules.Duration{{Millis: 5}, {Months: 1}, {Months: 1, Millis: int64(hour)}, {Months: 18}}
	for at := instant("2024-01-27T00:00:00Z"); at < instant("2024-04-02T00:00:00Z"); at += 5*hour + 17 {
		for _, d := range durations {
			now := reaches(d, at, z)
			require.GreaterOrEqual(t, ago(d, now, z), at)
			require.Less(t, ago(d, now-1, z), at)
		}
	}
}
