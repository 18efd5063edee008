package access

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

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
