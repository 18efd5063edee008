package rules

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vigil-cds/vigil/internal/clinical"
)

func TestADayBeginsAtMidnightOrWhereClocksSkipIt(t *testing.T) {
	for _, c := range []struct{ zone, at, starts, next string }{
		{"UTC", "2026-03-01T00:00:00Z", "2026-03-01T00:00:00Z", "2026-03-02T00:00:00Z"},
		{"UTC", "2026-02-28T23:59:59.999Z", "2026-02-28T00:00:00Z", "2026-03-01T00:00:00Z"},
		{"UTC", "2028-02-28T12:00:00Z", "2028-02-28T00:00:00Z", "2028-02-29T00:00:00Z"}, // a leap year
		{"UTC", "2028-02-29T12:00:00Z", "2028-02-29T00:00:00Z", "2028-03-01T00:00:00Z"},
		{"UTC", "2026-12-31T12:00:00Z", "2026-12-31T00:00:00Z", "2027-01-01T00:00:00Z"},
		{"Europe/Berlin", "2026-03-29T12:00:00Z", "2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"}, // of 23 hours
		{"Europe/Berlin", "2026-10-25T12:00:00Z", "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z"}, // of 25
		{"Europe/Berlin", "2026-03-28T22:59:59.999Z", "2026-03-27T23:00:00Z", "2026-03-28T23:00:00Z"},
		{"America/New_York", "2026-03-08T05:00:00Z", "2026-03-08T05:00:00Z", "2026-03-09T04:00:00Z"},
		{"America/New_York", "2026-11-01T12:00:00Z", "2026-11-01T04:00:00Z", "2026-11-02T05:00:00Z"},
		// Clocks went from 24:00 to 01:00: the day began with the change.
		{"America/Sao_Paulo", "2018-11-04T12:00:00Z", "2018-11-04T03:00:00Z", "2018-11-05T02:00:00Z"},
		{"America/Sao_Paulo", "2018-11-04T02:59:59.999Z", "2018-11-03T03:00:00Z", "2018-11-04T03:00:00Z"},
		{"Asia/Beirut", "2026-03-29T12:00:00Z", "2026-03-28T22:00:00Z", "2026-03-29T21:00:00Z"},
		// And back from 24:00 to 23:00: the day before had 25 hours.
		{"America/Sao_Paulo", "2018-02-18T02:30:00Z", "2018-02-17T02:00:00Z", "2018-02-18T03:00:00Z"},
		{"Pacific/Apia", "2011-12-30T10:30:00Z", "2011-12-30T10:00:00Z", "2011-12-31T10:00:00Z"}, // 30 December was left out
	} {
		zone, err := time.LoadLocation(c.zone)
		require.NoError(t, err)
		at := instantAt(c.at)
		require.Equal(t, instantAt(c.starts).String(), StartOfDay(at, zone).String(), "%s in %s", c.at, c.zone)
		require.Equal(t, instantAt(c.next).String(), NextDay(at, zone).String(), "%s in %s", c.at, c.zone)
	}
}

func TestNoInstantLiesOutsideItsDay(t *testing.T) {
	for _, name := range []string{"Europe/London", "America/Sao_Paulo", "America/St_Johns", "Asia/Beirut", "Australia/Lord_Howe", "Pacific/Apia", "America/Scoresbysund"} {
		zone, err := time.LoadLocation(name)
		require.NoError(t, err)
		from := clinical.At(time.Date(2005, 1, 1, 0, 0, 0, 0, time.UTC))
		before := StartOfDay(from, zone)
		for at := from; at < from+8*366*day; at += 977 * minute {
			start, next := StartOfDay(at, zone), NextDay(at, zone)
			require.LessOrEqual(t, start, at, "%s in %s", at, name)
			require.Greater(t, next, at, "%s in %s", at, name)
			require.GreaterOrEqual(t, start, before, "%s in %s", at, name)
			require.Equal(t, start, StartOfDay(next-1, zone), "%s in %s", at, name)
			require.Equal(t, next, StartOfDay(next, zone), "%s in %s", at, name)
			before = start
		}
	}
}
