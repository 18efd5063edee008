package explain

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/rules"
)

// The two calendars share no code; the engine's is held to the same cases by its own tests.
func TestADayIsTheSameInBothCalendars(t *testing.T) {
	for _, name := range []string{"UTC", "Europe/London", "America/Sao_Paulo", "America/St_Johns", "Asia/Beirut", "Australia/Lord_Howe", "Pacific/Apia"} {
		zone, err := time.LoadLocation(name)
		require.NoError(t, err)
		from := clinical.At(time.Date(2005, 1, 1, 0, 0, 0, 0, time.UTC))
		for at := from; at < from+8*366*day; at += 977 * 60_000 {
			today := dayOf(at, zone)
			require.Equal(t, rules.StartOfDay(at, zone), today.begins(zone), "%s in %s", at, name)
			require.Equal(t, rules.NextDay(at, zone), dayAfter(at, zone), "%s in %s", at, name)
		}
	}
}
