package service

import (
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/stretchr/testify/require"

	"github.com/vigil-cds/vigil/explain/archive"
	"github.com/vigil-cds/vigil/processor"
)

// admin is a client for what no component of the program does to a cluster.
func (s *site) admin() sarama.ClusterAdmin {
	s.t.Helper()
	config, err := s.config.ClientConfig("test-admin")
	require.NoError(s.t, err)
	admin, err := sarama.NewClusterAdmin(s.config.Brokers, config)
	require.NoError(s.t, err)
	s.t.Cleanup(func() { require.NoError(s.t, admin.Close()) })
	return admin
}

// committed is what other tools are shown: one past the last record of each partition that the group has
// taken.
func (s *site) committed() map[int32]int64 {
	s.t.Helper()
	topics := s.config.Topics()
	all := make(map[int32]int64)
	answer, err := s.admin().ListConsumerGroupOffsets(topics.ExplainGroup, map[string][]int32{topics.Facts.Name: {0, 1}})
	require.NoError(s.t, err)
	for n, block := range answer.Blocks[topics.Facts.Name] {
		require.Equal(s.t, sarama.ErrNoError, block.Err)
		all[n] = block.Offset
	}
	return all
}

// commit puts the group's offsets somewhere.
func (s *site) commit(offset int64) {
	s.t.Helper()
	topics := s.config.Topics()
	config, err := s.config.ClientConfig("test-offsets")
	require.NoError(s.t, err)
	client, err := sarama.NewClient(s.config.Brokers, config)
	require.NoError(s.t, err)
	defer client.Close()
	coordinator, err := client.Coordinator(topics.ExplainGroup)
	require.NoError(s.t, err)
	request := &sarama.OffsetCommitRequest{Version: 2, ConsumerGroup: topics.ExplainGroup, ConsumerGroupGeneration: -1, RetentionTime: -1}
	for n := range int32(s.config.Partitions) {
		request.AddBlock(topics.Facts.Name, n, offset, 0, "")
	}
	answer, err := coordinator.CommitOffset(request)
	require.NoError(s.t, err)
	for n, code := range answer.Errors[topics.Facts.Name] {
		require.Equal(s.t, sarama.ErrNoError, code, n)
	}
}

// records is how many records all partitions of the log have.
func (s *site) records() (n int64) {
	for _, state := range s.states() {
		n += state.Facts + 1
	}
	return n
}

// The position is the archive's, wherever the group's offsets are.
func TestAPositionIsTheArchivesAndNotTheGroups(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.run()
	s.explain(nil)
	want := s.day(2)
	s.until("the day", func(st Status) bool { return st.Ready && st.Matched == want })
	require.NoError(t, s.service.Close())
	end := s.committed()
	for n, state := range s.states() {
		require.Equal(t, state.Facts+1, end[int32(n)], "shown to other tools")
	}
	all := s.records()

	s.commit(0) // behind the archive
	s.explain(nil)
	s.until("the same", func(st Status) bool { return st.Ready && st.Explained == want })
	s.beat("p0", noon.Add(72*time.Hour), 80)
	s.until("one beat", func(Status) bool { return s.records() > all })
	require.LessOrEqual(t, testutil.ToFloat64(s.service.metrics.records), 2.0, "what is in the archive is not taken again")
	require.NoError(t, s.service.Close())
	all = s.records()

	s.archive = openArchive(t) // the group's offsets are ahead of it
	s.explain(nil)
	s.until("all of it again", func(st Status) bool { return st.Ready && st.Explained > want && st.Matched == st.Explained })
	require.EqualValues(t, all, testutil.ToFloat64(s.service.metrics.records))
}

// openArchive opens an empty archive.
func openArchive(t *testing.T) *archive.Archive {
	t.Helper()
	a, err := archive.Open("archive", archive.Options{FS: vfs.NewMem()})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, a.Close()) })
	return a
}

// claiming is a session that claims one partition.
type claiming struct {
	sarama.ConsumerGroupSession
	topic string
}

func (c claiming) Claims() map[string][]int32 { return map[string][]int32{c.topic: {0}} }

func TestAnExplainRoleWithoutTheWholeLogSaysSo(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.run()
	s.explain(nil)
	facts := s.config.Topics().Facts.Name
	s.until("the activation of the rules", func(Status) bool { return s.states()[0].Facts >= 0 })
	require.NoError(t, s.admin().DeleteRecords(facts, map[int32]int64{0: 1}))
	for want, at := range map[error]int64{processor.ErrLogTruncated: -1, processor.ErrLogLost: 1000} {
		bare := &Service{topics: s.service.topics, client: s.service.client, deps: Deps{Archive: openArchive(t)}}
		p, err := bare.deps.Archive.Partition(0)
		require.NoError(t, err)
		b := p.Begin()
		state := p.State()
		state.Facts = at
		b.SetState(state)
		require.NoError(t, b.Commit())
		require.ErrorIs(t, (&handler{service: bare}).Setup(claiming{topic: facts}), want)
	}
}

// removed lets retention remove alerts up to what is left of each partition.
func (s *site) removed(left int64) {
	s.t.Helper()
	config, err := s.config.ClientConfig("test-offsets")
	require.NoError(s.t, err)
	client, err := sarama.NewClient(s.config.Brokers, config)
	require.NoError(s.t, err)
	defer client.Close()
	upTo := make(map[int32]int64)
	for n := range int32(s.config.Partitions) {
		end, err := client.GetOffset(s.config.Topics().Alerts.Name, n, sarama.OffsetNewest)
		require.NoError(s.t, err)
		upTo[n] = max(0, end-left)
	}
	require.NoError(s.t, s.admin().DeleteRecords(s.config.Topics().Alerts.Name, upTo))
}

// An explain role may begin long after the alerts are gone, wholly or in part.
func TestAlertsThatRetentionHasRemovedAreNotMissed(t *testing.T) {
	t.Parallel()
	for name, left := range map[string]int64{"some are left": 3, "none is left": 0} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			s.run()
			want := s.day(2)
			s.read(s.config.Topics().Alerts.Name, int(want))
			s.removed(left)
			s.explain(nil)
			st := s.until("all settled", func(st Status) bool {
				return st.Ready && st.Explained == want && st.Pending == 0 && st.Matched+st.Expired+st.Divergences == want
			})
			require.Zero(t, st.Divergences)
			require.Positive(t, st.Expired)
			require.Equal(t, left > 0, st.Matched > 0)

			// From here on every alert counts.
			s.beat("p0", noon.Add(72*time.Hour), 150)
			s.until("the next is matched", func(now Status) bool {
				return now.Explained > want && now.Matched-st.Matched == now.Explained-want && now.Pending == 0
			})
			require.Equal(t, st.Expired, s.service.Status().Expired)
		})
	}
}
