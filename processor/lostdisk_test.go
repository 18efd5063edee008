package processor

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vigil-cds/vigil/store"
)

// derived is everything in a store that the log decides, by partition.
func derived(t *testing.T, s *store.Store, partitions int) (all [][]string) {
	t.Helper()
	for n := range int32(partitions) {
		p, err := s.Partition(n)
		require.NoError(t, err)
		var lines []string
		require.NoError(t, p.Contents(func(e store.Entry) error {
			if e.Derived {
				lines = append(lines, fmt.Sprintf("%s %x: %x", e.Family, e.Key, e.Value))
			}
			return nil
		}))
		all = append(all, lines)
	}
	return all
}

// byPatient orders transitions by patient; those of one stay as they came.
func byPatient(all []sent) []sent {
	slices.SortStableFunc(all, func(a, b sent) int { return strings.Compare(a.Patient, b.Patient) })
	return all
}

// Two installations are given the same events. One loses its store in the middle, twice, while its topics stay.
func TestALostDiskComesBackAsIfItHadNeverBeenLost(t *testing.T) {
	t.Parallel()
	const patients, beats, fired = 7, 40, 7 * 40 / 2
	began := time.UnixMilli(1_700_000_000_000)
	play := func(lose bool) (contents [][]string, alerts []sent) {
		c := testConfig(newBroker(t, t.TempDir()))
		c.Clock = ClockLog
		s := newStore(t)
		p := runEngine(t, c, s, pulse(100))
		w := newTestWriter(t, c)
		ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
		defer cancel()
		last := map[int32]int64{}
		arrive := func() {
			for partition, offset := range last {
				part, err := s.Partition(partition)
				require.NoError(t, err)
				require.NoError(t, part.Wait(ctx, -1, offset))
			}
		}
		for i := range beats {
			for n := range patients {
				at := beat(t, w, fmt.Sprint("patient-", n), float64(80+40*(i%2)), began.Add(time.Duration(i)*time.Second*3+time.Duration(n)*time.Millisecond))
				last[at.Partition] = at.Offset
			}
			switch {
			case i == beats/2:
				arrive()
				require.NoError(t, p.Activate(ctx, pulse(110)))
			case lose && (i == beats/4 || i == 3*beats/4):
				arrive()
				require.NoError(t, p.Close())
				s = newStore(t)
				p = runEngine(t, c, s, nil)
			}
		}
		arrive()
		// Of each beat that is fast an alert fires, and all but the last have cleared by time alone.
		alerts = transitions(t, c, 2*fired-patients)
		require.NoError(t, p.Close())
		return derived(t, s, c.Partitions), byPatient(alerts)
	}
	contents, alerts := play(false)
	again, alertsAgain := play(true)
	require.Equal(t, alerts, alertsAgain)
	for n := range contents {
		require.NotEmpty(t, contents[n])
		require.Equal(t, contents[n], again[n], "partition %d", n)
	}
}
