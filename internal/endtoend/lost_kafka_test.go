//go:build kafka

package endtoend

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/vigil-cds/vigil/internal/kafkatest"
)

// ingoing writes one critical result after another, each of a patient of its own, until it is stopped.
type ingoing struct {
	stop context.CancelFunc
	done chan struct{}

	mu      sync.Mutex
	taken   []string // patients whose result was acknowledged
	refused int      // since the last that was
	faults  []string // what no answer may be
}

func (s *server) ingoing(t *testing.T, longest time.Duration) *ingoing {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	in := &ingoing{stop: stop, done: make(chan struct{})}
	t.Cleanup(in.end)
	client := &http.Client{Timeout: longest}
	go func() {
		defer close(in.done)
		for n := 0; ctx.Err() == nil; n++ {
			patient := fmt.Sprint("r", n)
			body := fmt.Sprintf(`{"patient":%q,"code":"loinc|2823-3","time":"2026-01-01T00:00:00Z","value":6.4,"unit":"mmol/L"}`, patient)
			resp, err := client.Post(s.url+"/v1/observations", mediaCompact, strings.NewReader(body))
			in.mu.Lock()
			switch {
			case err != nil:
				in.faults = append(in.faults, err.Error())
			case resp.StatusCode == http.StatusOK:
				in.taken, in.refused = append(in.taken, patient), 0
			case resp.StatusCode != http.StatusServiceUnavailable || resp.Header.Get("Retry-After") == "":
				in.faults = append(in.faults, fmt.Sprint(resp.Status, resp.Header))
			default:
				in.refused++
			}
			in.mu.Unlock()
			if err == nil {
				_ = resp.Body.Close()
			}
			select {
			case <-ctx.Done():
			case <-time.After(20 * time.Millisecond):
			}
		}
	}()
	return in
}

func (in *ingoing) end() {
	in.stop()
	<-in.done
}

func (in *ingoing) counts() (taken, refused int) {
	in.mu.Lock()
	defer in.mu.Unlock()
	return len(in.taken), in.refused
}

// status is the status of an answer, and what it says.
func (s *server) status(path string) (int, string) {
	s.t.Helper()
	status, _, body := s.send(http.MethodGet, path, mediaCompact, nil)
	return status, string(body)
}

func TestTwoOfThreeBrokersAreLostAndReadsGoOn(t *testing.T) {
	k := kafkatest.Start(t, kafkatest.Options{Nodes: 3})
	rules := filepath.Join(t.TempDir(), "pack.yaml")
	write(t, rules, instancesPack)
	s := serve(t, t.TempDir(), "--brokers="+strings.Join(k.Brokers(), ","), "--kafka-replication", "3", "--kafka-partitions", "3",
		"--kafka-session-timeout", "6s", "--http-max-log-wait", "1s", "--rules", rules)
	in := s.ingoing(t, 20*time.Second)
	require.Eventually(t, func() bool { taken, _ := in.counts(); return taken >= 30 }, time.Minute, 50*time.Millisecond)

	reads := func() {
		t.Helper()
		for _, p := range []string{"r0", "r1", "r2", "r3", "r4", "r5"} {
			status, body := s.status("/v1/patients/" + p + "/alerts")
			require.Equal(t, http.StatusOK, status, body)
			require.Contains(t, body, "Potassium 6.4")
		}
		status, body := s.status("/v1/alerts")
		require.Equal(t, http.StatusOK, status, body)
		require.Contains(t, body, `"r0"`)
	}
	require.Eventually(t, func() bool {
		_, body := s.status("/v1/patients/r5/alerts")
		return strings.Contains(body, "Potassium 6.4")
	}, time.Minute, 50*time.Millisecond)
	reads()

	// Of the two that are lost one coordinates the group by which the partitions are shared.
	client, err := kgo.NewClient(kgo.SeedBrokers(k.Brokers()...))
	require.NoError(t, err)
	defer client.Close()
	admin := kadm.NewClient(client)
	coordinators := admin.FindGroupCoordinators(t.Context(), "vigil-rules")
	require.NoError(t, coordinators["vigil-rules"].Err)
	first := int(coordinators["vigil-rules"].NodeID)
	second := (first + 1) % 3
	require.NoError(t, k.Kill(first))
	require.NoError(t, k.Kill(second))

	require.Eventually(t, func() bool { _, refused := in.counts(); return refused >= 3 }, time.Minute, 50*time.Millisecond)
	require.Eventually(t, func() bool {
		status, body := s.status("/readyz")
		require.Equal(t, http.StatusOK, status, "it can be asked")
		return strings.Contains(body, "the log acknowledges no writes") && strings.Contains(body, "no broker coordinates group vigil-rules") &&
			strings.Count(body, `"resting"`) == 3
	}, time.Minute, 50*time.Millisecond)
	reads()

	var back sync.WaitGroup
	for _, n := range []int{first, second} {
		back.Go(func() { require.NoError(t, k.Restart(n)) })
	}
	back.Wait()
	before, _ := in.counts()
	require.Eventually(t, func() bool { taken, _ := in.counts(); return taken >= before+20 }, 2*time.Minute, 50*time.Millisecond)
	in.end()
	require.Empty(t, in.faults)
	require.Eventually(t, func() bool {
		status, body := s.status("/readyz")
		return status == http.StatusOK && strings.Contains(body, `"ready"`)
	}, time.Minute, 50*time.Millisecond)
	for _, p := range in.taken {
		require.Eventually(t, func() bool {
			_, body := s.status("/v1/patients/" + p + "/alerts")
			return strings.Contains(body, "Potassium 6.4")
		}, time.Minute, 50*time.Millisecond, p)
	}
	alerted := alertsOf(t, k, len(in.taken))
	for _, p := range in.taken {
		require.Contains(t, alerted, p)
	}
	s.stop()
}

// alertsOf reads the alerts topic until so many patients have one.
func alertsOf(t *testing.T, k *kafkatest.Cluster, wanted int) map[string]bool {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	client, err := kgo.NewClient(kgo.SeedBrokers(k.Brokers()...), kgo.ConsumeTopics("vigil-alerts"))
	require.NoError(t, err)
	defer client.Close()
	patients := make(map[string]bool)
	for len(patients) < wanted {
		fetches := client.PollFetches(ctx)
		require.NoError(t, ctx.Err(), "of %d patients %d have an alert", wanted, len(patients))
		fetches.EachRecord(func(r *kgo.Record) { patients[string(r.Key)] = true })
	}
	return patients
}
