package service

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Each has an archive of its own, as in two processes.
func TestTwoServicesShareThePartitionsAndEachIsAuditedByOne(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.run()
	want := s.day(4)
	s.explain(nil)
	s.until("all of it by one", func(st Status) bool { return st.Ready && st.Matched == want })
	first := s.service

	s.archive = openArchive(t)
	s.explain(nil)
	second := s.service
	shared := func() bool {
		one, two := first.Status(), second.Status()
		return one.Ready && two.Ready && len(one.Partitions) == 1 && len(two.Partitions) == 1 &&
			one.Partitions[0].Partition != two.Partitions[0].Partition
	}
	require.Eventually(t, shared, 20*time.Second, 20*time.Millisecond, "each has one partition")
	require.Never(t, func() bool { return !shared() }, 1500*time.Millisecond, 20*time.Millisecond, "and keeps it")
}
