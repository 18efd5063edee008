package crash

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/vigil-cds/vigil/processor"
)

var troubles = flag.Bool("troubles", false, "run a child on brokers that fail, which takes half a minute each")

// troubled skips a test that is too long for every day.
func troubled(t *testing.T) {
	t.Helper()
	if !*troubles {
		t.Skip("half a minute with brokers that fail: ask for it with -troubles")
	}
}

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

// A cluster with too few replicas in sync takes no writes. Who writes is told so and when to try again, who
// reads is answered, and when the replicas are back everything goes on.
func TestAClusterBelowItsReplicasRefusesWritesAndAnswersReads(t *testing.T) {
	troubled(t)
	kafka, brokers := cluster(t)
	args := append(brokers, "--clock", "log", "--rules", packFile(t), "--roles", "intake,rules", "--kafka-partitions", strconv.Itoa(partitions), "--http-max-log-wait", "2s")
	c := start(t, t.TempDir(), "", args...)
	url, ok := c.listening(t)
	if !ok {
		t.Fatalf("vigil serve ended: %s", c.logs.String())
	}
	bodies, patients, end := monitored(6)
	now := end.Format(time.RFC3339)
	r := new(reached)
	for _, body := range bodies[:5] {
		if !c.post(url, body, r) {
			t.Fatal("a write was refused while all was well")
		}
	}
	before := c.answer(t, url, patients[0], now, r)

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
	if after := c.answer(t, url, patients[0], now, r); after != before {
		t.Errorf("the answer below the replicas is\n%s\nit was\n%s", after, before)
	}
	below.Remove()
	deadline := time.Now().Add(time.Minute)
	for {
		if c.post(url, bodies[5], r) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the replicas are back, and writes are refused still")
		}
	}
	c.answer(t, url, patients[0], now, r)
	c.stop(t)
}

// wire is where a cluster's brokers listen. Its answers can be late, and can be lost with their connection.
type wire struct {
	late atomic.Int64
	lose atomic.Int64 // so many of the next answers
}

type conn struct {
	net.Conn
	wire *wire
}

func (w *wire) listen(network, address string) (net.Listener, error) {
	l, err := net.Listen(network, address)
	return listener{l, w}, err
}

type listener struct {
	net.Listener
	wire *wire
}

func (l listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &conn{c, l.wire}, nil
}

func (c *conn) Write(p []byte) (int, error) {
	time.Sleep(time.Duration(c.wire.late.Load()))
	if c.wire.lose.Load() > 0 && c.wire.lose.Add(-1) >= 0 {
		return 0, errors.Join(net.ErrClosed, c.Conn.Close())
	}
	return c.Conn.Write(p)
}

func (w *wire) slow(late time.Duration) { w.late.Store(int64(late)) }

func (w *wire) cut(answers int64) { w.lose.Store(answers) }

// Brokers answer late or never, move partitions in the middle of a batch, and do not say what they did with what
// they were sent. Nothing that was acknowledged is lost, and nothing is done twice.
func TestBrokersThatFailChangeNothing(t *testing.T) {
	troubled(t)
	w := undisturbedly(t)
	line := new(wire)
	kafka, brokers := cluster(t, kfake.ListenFn(line.listen))
	data := t.TempDir()
	c := start(t, data, "", append(brokers, w.args...)...)
	url, ok := c.listening(t)
	if !ok {
		t.Fatalf("vigil serve ended: %s", c.logs.String())
	}
	topics := processor.Config{Partitions: partitions}.Fill().Topics()
	random := rand.New(rand.NewPCG(*seed, 0xb4))
	fault := func(f kfake.Fault) func() { return func() { kafka.Fault(f) } }
	all := []func(){
		func() { line.slow(20 * time.Millisecond) },
		func() { line.slow(0) },
		func() { line.cut(1) },
		func() { line.cut(5) },
		kafka.ShufflePartitionLeaders,
		fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Fetch}, Err: kerr.NotLeaderForPartition}),
	}
	for _, topic := range []processor.Topic{topics.Events, topics.Facts, topics.RulesTable, topics.Alerts} {
		for _, err := range []*kerr.Error{kerr.RequestTimedOut, kerr.NotLeaderForPartition, kerr.NotEnoughReplicas, kerr.NotEnoughReplicasAfterAppend} {
			all = append(all, fault(kfake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: topic.Name, Err: err}))
		}
	}
	r := new(reached)
	deadline := time.Now().Add(5 * time.Minute)
	for i, body := range w.bodies {
		if i%3 == 0 {
			all[random.IntN(len(all))]()
		}
		for {
			if c.post(url, body, r) {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("request %d is not taken; vigil serve printed\n%s", i, c.logs.String())
			}
		}
	}
	line.slow(0)
	answers := map[string]string{}
	for _, p := range w.patients {
		answers[p] = c.answer(t, url, p, w.now, r)
	}
	c.stop(t)
	transitions := inspectLog(t, kafka.ListenAddrs(), data, partitions)
	w.compare(t, "after troubles with brokers", answers, transitions)
}
