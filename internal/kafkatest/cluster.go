//go:build kafka

package kafkatest

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"maps"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Options says what kind of cluster is wanted. The zero value is one node without security.
type Options struct {
	// Nodes is 1 or 3; 0 is 1. Of three, each topic has three copies, two of which must be in sync.
	Nodes int

	// Protocol is the security.protocol of the listener for clients, whose name is CLIENT: PLAINTEXT (also
	// when empty), SSL, SASL_PLAINTEXT or SASL_SSL. Brokers talk among themselves without security.
	Protocol string

	// Properties are more lines of server.properties, over those that the package writes. Those of the
	// listener for clients begin with listener.name.client.
	Properties map[string]string

	// Format is given to kafka-storage format, such as --add-scram with the credentials of a user.
	Format []string

	// JVM are more flags of the nodes' virtual machines, which by themselves start fast and stay small:
	// whoever measures wants others. Of flags that contradict each other the later holds.
	JVM []string
}

// Cluster is a running Kafka. Its methods may be called from any goroutine.
type Cluster struct {
	dir   string
	java  string
	args  []string // of java, before the class to run
	nodes []*node
}

// startTime is how long nodes may take until they take requests: generous, for machines that are busy.
const startTime = 3 * time.Minute

// Start starts a cluster that ends with the test. What is missing or fails fails the test.
func Start(t testing.TB, o Options) *Cluster {
	t.Helper()
	c, err := Open(t.Context(), t.TempDir(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.Close()
		if t.Failed() {
			for i := range c.nodes {
				t.Logf("the log of Kafka's node %d ends:\n%s", i, c.nodes[i].tail())
			}
		}
	})
	return c
}

// Open starts a cluster that keeps its logs and data under dir and that the caller closes: for a TestMain,
// whose tests share it. The context bounds the start alone.
func Open(ctx context.Context, dir string, o Options) (*Cluster, error) {
	if o.Nodes == 0 {
		o.Nodes = 1
	}
	if o.Nodes != 1 && o.Nodes != 3 {
		return nil, fmt.Errorf("a cluster of %d nodes is not known: ask for 1 or 3", o.Nodes)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, startTime, fmt.Errorf("gave up after %v", startTime))
	defer cancel()
	java, err := findJava(ctx)
	if err != nil {
		return nil, err
	}
	cache, err := fetch(ctx)
	if err != nil {
		return nil, err
	}
	c := &Cluster{dir: dir, java: java, args: []string{
		"-Djava.awt.headless=true",
		"-Dlog4j2.configurationFile=" + filepath.Join(cache, "log4j2.properties"),
		"-cp", filepath.Join(cache, "libs", "*"),
	}}
	if err := c.start(ctx, o); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// quick are flags of a virtual machine that starts fast and stays small.
var quick = []string{"-Xms64m", "-Xmx384m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"}

func (c *Cluster) start(ctx context.Context, o Options) error {
	if err := c.configure(o); err != nil {
		return err
	}
	if err := c.format(ctx, o.Format); err != nil {
		return err
	}
	c.args = slices.Concat(quick, o.JVM, c.args)
	for _, n := range c.nodes {
		n.mu.Lock()
		err := n.launch(c.java, c.args)
		n.mu.Unlock()
		if err != nil {
			return err
		}
	}
	for _, n := range c.nodes {
		if err := n.ready(ctx); err != nil {
			return err
		}
	}
	return nil
}

// configure writes each node's server.properties.
func (c *Cluster) configure(o Options) error {
	ports, err := freePorts(3 * o.Nodes)
	if err != nil {
		return err
	}
	var voters []string
	for i := range o.Nodes {
		c.nodes = append(c.nodes, &node{
			id: i, dir: filepath.Join(c.dir, fmt.Sprintf("node%d", i)), client: ports[3*i], inside: ports[3*i+1],
		})
		voters = append(voters, fmt.Sprintf("%d@%s", i, ports[3*i+2]))
	}
	protocol := o.Protocol
	if protocol == "" {
		protocol = "PLAINTEXT"
	}
	inSync := min(o.Nodes, 2)
	for i, n := range c.nodes {
		p := map[string]string{
			"process.roles":                            "broker,controller",
			"node.id":                                  fmt.Sprint(i),
			"controller.quorum.voters":                 strings.Join(voters, ","),
			"controller.listener.names":                "CONTROLLER",
			"listeners":                                fmt.Sprintf("CLIENT://%s,INSIDE://%s,CONTROLLER://%s", n.client, n.inside, ports[3*i+2]),
			"advertised.listeners":                     fmt.Sprintf("CLIENT://%s,INSIDE://%s", n.client, n.inside),
			"listener.security.protocol.map":           "CLIENT:" + protocol + ",INSIDE:PLAINTEXT,CONTROLLER:PLAINTEXT",
			"inter.broker.listener.name":               "INSIDE",
			"log.dirs":                                 filepath.Join(n.dir, "data"),
			"auto.create.topics.enable":                "false",
			"default.replication.factor":               fmt.Sprint(o.Nodes),
			"min.insync.replicas":                      fmt.Sprint(inSync),
			"offsets.topic.replication.factor":         fmt.Sprint(o.Nodes),
			"offsets.topic.num.partitions":             "4",
			"transaction.state.log.replication.factor": fmt.Sprint(o.Nodes),
			"transaction.state.log.min.isr":            fmt.Sprint(inSync),
			"transaction.state.log.num.partitions":     "4",
			"group.initial.rebalance.delay.ms":         "0",
			"num.network.threads":                      "2",
			"num.io.threads":                           "4",
			// A lost or stalled broker is noticed within seconds, so that tests of it take seconds too.
			"replica.lag.time.max.ms":      "8000",
			"broker.session.timeout.ms":    "6000",
			"broker.heartbeat.interval.ms": "1000",
		}
		maps.Copy(p, o.Properties)
		if err := n.write(p); err != nil {
			return err
		}
	}
	return nil
}

// format prepares the nodes' data folders, all at once.
func (c *Cluster) format(ctx context.Context, more []string) error {
	var id [16]byte
	_, _ = rand.Read(id[:])
	id[0] &= 0x7f // an id that begins with a dash would be read as a flag
	cluster := base64.RawURLEncoding.EncodeToString(id[:])
	failed := make(chan error, len(c.nodes))
	for _, n := range c.nodes {
		go func() {
			args := slices.Concat(quick, c.args, []string{"kafka.tools.StorageTool", "format", "-t", cluster, "-c", n.properties()}, more)
			cmd := exec.CommandContext(ctx, c.java, args...)
			cmd.SysProcAttr = owned()
			out, err := cmd.CombinedOutput()
			if err != nil {
				err = fmt.Errorf("formatting the data folder of node %d: %w:\n%s", n.id, err, out)
			}
			failed <- err
		}()
	}
	var errs []error
	for range c.nodes {
		errs = append(errs, <-failed)
	}
	return errors.Join(errs...)
}

// Brokers are the addresses, host:port, of the nodes' listeners for clients.
func (c *Cluster) Brokers() []string {
	var out []string
	for _, n := range c.nodes {
		out = append(out, n.client)
	}
	return out
}

// Inside are the addresses, host:port, of the nodes' listeners without security, whatever clients use.
func (c *Cluster) Inside() []string {
	var out []string
	for _, n := range c.nodes {
		out = append(out, n.inside)
	}
	return out
}

// Kill ends a node as a lost machine does, and returns when the process is gone.
func (c *Cluster) Kill(i int) error { return c.nodes[i].end(syscall.SIGKILL) }

// Stop ends a node in good order, its partitions handed over, and returns when the process is gone.
func (c *Cluster) Stop(i int) error { return c.nodes[i].end(syscall.SIGTERM) }

// Restart starts a node again with its data and its addresses, after Kill or Stop or, if it still runs, after
// stopping it. It returns when the node takes requests.
func (c *Cluster) Restart(i int) error {
	if err := c.Stop(i); err != nil && !errors.Is(err, errDown) {
		return err
	}
	n := c.nodes[i]
	n.mu.Lock()
	err := n.launch(c.java, c.args)
	n.mu.Unlock()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(context.Background(), startTime, fmt.Errorf("gave up after %v", startTime))
	defer cancel()
	return n.ready(ctx)
}

// Pause stops a node from running without ending it: its connections stay open, and nothing answers.
func (c *Cluster) Pause(i int) error { return c.nodes[i].signal(syscall.SIGSTOP) }

// Resume lets a paused node go on.
func (c *Cluster) Resume(i int) error { return c.nodes[i].signal(syscall.SIGCONT) }

// Close ends all nodes at once and leaves their logs and data. Closing twice is closing once.
func (c *Cluster) Close() {
	for _, n := range c.nodes {
		_ = n.signal(syscall.SIGKILL)
	}
	for _, n := range c.nodes {
		_ = n.end(syscall.SIGKILL)
	}
}
