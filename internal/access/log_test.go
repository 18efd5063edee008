package access

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"
)

// disk takes so many bytes and no more.
type disk struct {
	strings.Builder
	room int
}

var errFull = errors.New("no space left")

func (d *disk) Write(b []byte) (int, error) {
	n := min(len(b), d.room)
	d.room -= n
	d.Builder.Write(b[:n])
	if n < len(b) {
		return n, errFull
	}
	return n, nil
}

func (d *disk) Close() error { return nil }

// routes are those of the entries, in order; a line that is none is "torn".
func (d *disk) routes() (routes []string) {
	for line := range strings.Lines(d.String()) {
		var e Entry
		if json.Unmarshal([]byte(line), &e) != nil {
			e.Route = "torn"
		}
		routes = append(routes, e.Route)
	}
	return routes
}

// tick is what the log does every second.
func (l *Log) tick() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.flushLocked()
}

func TestAnAccessLogIsUnwellUntilWhatItCouldNotWriteIsWritten(t *testing.T) {
	d := &disk{}
	l := newLog("")
	l.file = d
	l.Write(&Entry{Route: "one"})
	require.NoError(t, l.Healthy(), "nothing is known yet")
	l.tick()
	require.ErrorIs(t, l.Healthy(), errFull)
	l.Write(&Entry{Route: "two"})
	require.ErrorIs(t, l.Healthy(), errFull, "to take an entry is not to write it")
	require.EqualValues(t, 1, testutil.ToFloat64(l.failed))
	d.room = 1 << 20
	l.tick()
	require.NoError(t, l.Healthy())
	require.Equal(t, []string{"one", "two"}, d.routes())
}

func TestALineThatWasWrittenInPartFollowsAsAWhole(t *testing.T) {
	d := &disk{}
	l := newLog("")
	l.file = d
	line, err := json.Marshal(&Entry{Route: "one"})
	require.NoError(t, err)
	for _, route := range []string{"one", "two", "end"} {
		l.Write(&Entry{Route: route})
	}
	d.room = len(line) + 1 + 10
	l.tick()
	require.ErrorIs(t, l.Healthy(), errFull)
	l.tick()
	require.ErrorIs(t, l.Healthy(), errFull, "there is no room for as much as the end of the line")
	d.room = 1 << 20
	l.tick()
	require.NoError(t, l.Healthy())
	require.Equal(t, []string{"one", "torn", "two", "end"}, d.routes())
}

func TestWhatCouldNotBeWrittenGoesToTheNewFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "access.log")
	l := newLog(path)
	l.file = &disk{room: 10}
	l.Write(&Entry{Route: "one"})
	l.tick()
	require.ErrorIs(t, l.Healthy(), errFull)
	require.NoError(t, l.Reopen())
	require.NoError(t, l.Healthy())
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	var e Entry
	require.NoError(t, json.Unmarshal(data, &e), "%s", data)
	require.Equal(t, "one", e.Route)
	require.NoError(t, l.file.Close())
}

func TestEntriesThatCannotBeKeptAnyMoreAreCounted(t *testing.T) {
	d := &disk{}
	l := newLog("")
	l.file = d
	long := strings.Repeat("x", 1<<20)
	for range 20 {
		l.Write(&Entry{Route: long})
	}
	require.LessOrEqual(t, len(l.pending), mostPending)
	require.ErrorIs(t, l.Healthy(), errLost)
	lost := int(testutil.ToFloat64(l.lost))
	require.Positive(t, lost)
	d.room = 1 << 30
	l.tick()
	require.NoError(t, l.Healthy())
	require.Len(t, d.routes(), 20-lost)
}

func TestTheAccessLogIsWrittenAndBegunAnew(t *testing.T) {
	path := filepath.Join(t.TempDir(), "access.log")
	l, err := OpenLog(path, nil)
	require.NoError(t, err)
	l.Write(&Entry{Who: "dr-who", Method: "GET", Route: "/v1/patients/{id}/alerts", Patient: "p1", Status: 200})
	require.NoError(t, os.Rename(path, path+".1"))
	require.NoError(t, l.Reopen())
	l.Write(&Entry{Who: "nurse", Method: "GET", Route: "/v1/alerts", Status: 403})
	require.NoError(t, l.Healthy())
	require.NoError(t, l.Close())
	for at, who := range map[string]string{path + ".1": "dr-who", path: "nurse"} {
		data, err := os.ReadFile(at)
		require.NoError(t, err)
		var e Entry
		require.NoError(t, json.Unmarshal(data, &e))
		require.Equal(t, who, e.Who)
		info, err := os.Stat(at)
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o600), info.Mode())
	}
	none, err := OpenLog("", nil)
	require.NoError(t, err)
	none.Write(&Entry{})
	require.NoError(t, none.Healthy())
	require.NoError(t, none.Close())
	_, err = OpenLog(filepath.Join(t.TempDir(), "no", "such"), nil)
	require.Error(t, err)
}

func TestAnAccessLogThatCannotBeWrittenSaysSo(t *testing.T) {
	l, err := OpenLog("/dev/full", nil)
	require.NoError(t, err)
	l.Write(&Entry{Who: "x"})
	require.Eventually(t, func() bool { return l.Healthy() != nil }, 10*time.Second, 10*time.Millisecond)
	_ = l.Close()
}
