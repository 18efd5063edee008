package endtoend

import (
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Brokers bound how far a record's time may be ahead of theirs; simulated time knows no such bound.
func TestSimulatedTimeMayBeAheadOfTheClockOnTheWall(t *testing.T) {
	dir := t.TempDir()
	pack := filepath.Join(dir, "moved.yaml")
	write(t, pack, movedPack)
	s := serve(t, filepath.Join(dir, "data"), "--rules", pack, "--clock", "log")
	at := time.Now().Add(5 * 365 * 24 * time.Hour).UTC().Truncate(time.Second)
	status, header, answer := s.send(http.MethodPost, "/v1/observations", mediaCompact,
		[]byte(`{"patient":"p","code":"loinc|2823-3","time":"`+at.Format(time.RFC3339)+`","value":6.4,"unit":"mmol/L"}`))
	require.Equal(t, http.StatusOK, status, string(answer))
	var a struct {
		Alerts []struct {
			Rule  string
			Since time.Time
		}
	}
	s.get("/v1/patients/p/alerts?timeout=30s&min_position="+header.Get("Vigil-Position"), &a)
	require.Len(t, a.Alerts, 1)
	require.Equal(t, "hyperkalaemia", a.Alerts[0].Rule)
	require.Equal(t, at, a.Alerts[0].Since.UTC())
	s.settled(time.Minute)
	s.stop()
}
