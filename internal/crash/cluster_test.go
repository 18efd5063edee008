package crash

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// cluster is one of three brokers, in memory.
func cluster(t *testing.T, options ...kfake.Opt) (*kfake.Cluster, []string) {
	t.Helper()
	c, err := kfake.NewCluster(append([]kfake.Opt{kfake.NumBrokers(3)}, options...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c, []string{"--brokers", strings.Join(c.ListenAddrs(), ","), "--kafka-replication", "3"}
}

func packFile(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "monitor.yaml")
	if err := os.WriteFile(path, []byte(pack), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// A cluster with too few replicas in sync takes no writes. Who writes is told so and when to try again, who
// reads is answered, and when the replicas are back everything goes on.
func TestAClusterBelowItsReplicasRefusesWritesAndAnswersReads(t *testing.T) {
	kafka, brokers := cluster(t)
	args := append(brokers, "--clock", "log", "--rules", packFile(t), "--roles", "intake,rules", "--kafka-partitions", strconv.Itoa(partitions), "--http-max-log-wait", "2s")
	c := start(t, t.TempDir(), "", args...)
	url, ok := c.listening(t)
	if !ok {
		t.Fatalf("vigil serve ended: %s", c.logs.String())
	}
	bodies, patients, end := monitored(6)
	now := end.Format(time.RFC3339)
	var position string
	for _, body := range bodies[:5] {
		if position, ok = c.post(url, body); !ok {
			t.Fatal("a write was refused while all was well")
		}
	}
	before := c.answer(t, url, patients[0], now, position)

	below := kafka.Fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.NotEnoughReplicas, Count: -1})
	resp, err := c.alive.Post(url+"/v1/observations", "application/x-ndjson", bytes.NewReader(bodies[5]))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	if err != nil {
		t.Fatal(err)
	}
	var problem struct{ Type, Title, Mend string }
	if err := json.Unmarshal(text, &problem); err != nil || resp.StatusCode != http.StatusServiceUnavailable ||
		resp.Header.Get("Retry-After") == "" || resp.Header.Get("Content-Type") != "application/problem+json" || problem.Mend == "" {
		t.Errorf("a write below the replicas was answered %s, %v: %s", resp.Status, resp.Header, text)
	}
	if after := c.answer(t, url, patients[0], now, position); after != before {
		t.Errorf("the answer below the replicas is\n%s\nit was\n%s", after, before)
	}
	below.Remove()
	deadline := time.Now().Add(time.Minute)
	for {
		if position, ok = c.post(url, bodies[5]); ok {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the replicas are back, and writes are refused still")
		}
	}
	c.answer(t, url, patients[0], now, position)
	c.stop(t)
}
