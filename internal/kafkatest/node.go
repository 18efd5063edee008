//go:build kafka

package kafkatest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
)

// errDown is what a node answers that does not run.
var errDown = errors.New("the node is not running: Restart it first")

// node is one broker, which is a controller too, as a child process.
type node struct {
	id     int
	dir    string
	client string // host:port for clients
	inside string // host:port for other brokers, without security

	mu      sync.Mutex
	process *process // nil: down
}

func (n *node) properties() string { return filepath.Join(n.dir, "server.properties") }
func (n *node) log() string        { return filepath.Join(n.dir, "log") }

// write writes the node's server.properties.
func (n *node) write(properties map[string]string) error {
	var text strings.Builder
	for _, key := range slices.Sorted(maps.Keys(properties)) {
		fmt.Fprintf(&text, "%s=%s\n", key, escape.Replace(properties[key]))
	}
	if err := os.MkdirAll(n.dir, 0o755); err != nil {
		return fmt.Errorf("making the folder of node %d: %w", n.id, err)
	}
	if err := os.WriteFile(n.properties(), []byte(text.String()), 0o600); err != nil {
		return fmt.Errorf("configuring node %d: %w", n.id, err)
	}
	return nil
}

// escape writes a value as Java's properties have it, PEM texts of several lines included.
var escape = strings.NewReplacer(`\`, `\\`, "\n", `\n`)

// process is one life of a node.
type process struct {
	cmd     *exec.Cmd
	started chan struct{} // closed when the broker takes requests
	ended   chan struct{} // closed when the process is gone
}

// launch starts the node without waiting until it takes requests. The caller holds n.mu.
func (n *node) launch(java string, args []string) error {
	if n.process != nil {
		return fmt.Errorf("node %d runs already", n.id)
	}
	log, err := os.OpenFile(n.log(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("opening the log of node %d: %w", n.id, err)
	}
	p := &process{started: make(chan struct{}), ended: make(chan struct{})}
	p.cmd = exec.Command(java, append(args, "kafka.Kafka", n.properties())...)
	p.cmd.SysProcAttr = owned()
	out := &watch{log: log, found: p.started}
	p.cmd.Stdout, p.cmd.Stderr = out, out
	if err := p.cmd.Start(); err != nil {
		return errors.Join(fmt.Errorf("starting node %d: %w", n.id, err), log.Close())
	}
	go func() {
		defer close(p.ended)
		_ = p.cmd.Wait()
		_ = log.Close()
	}()
	n.process = p
	return nil
}

// ready waits until the node takes requests.
func (n *node) ready(ctx context.Context) error {
	n.mu.Lock()
	p := n.process
	n.mu.Unlock()
	if p == nil {
		return errDown
	}
	select {
	case <-p.started:
		return nil
	case <-p.ended:
		return fmt.Errorf("node %d ended before it took requests; its log ends:\n%s", n.id, n.tail())
	case <-ctx.Done():
		return fmt.Errorf("node %d takes no requests yet: %w; its log ends:\n%s", n.id, context.Cause(ctx), n.tail())
	}
}

// signal sends a signal to the node's process.
func (n *node) signal(s syscall.Signal) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.process == nil {
		return errDown
	}
	return n.process.cmd.Process.Signal(s)
}

// end sends a signal that ends the process, and waits until it is gone.
func (n *node) end(s syscall.Signal) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.process == nil {
		return errDown
	}
	if err := n.process.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("ending node %d: %w", n.id, err)
	}
	_ = n.process.cmd.Process.Signal(syscall.SIGCONT) // a paused process takes a signal when it goes on
	<-n.process.ended
	n.process = nil
	return nil
}

// tail is the end of the node's log.
func (n *node) tail() string {
	const most = 4000
	text, err := os.ReadFile(n.log())
	if err != nil {
		return err.Error()
	}
	if len(text) > most {
		text = text[len(text)-most:]
	}
	return string(text)
}

// startedLine is what a broker prints once the controllers have let it in.
var startedLine = []byte("Kafka Server started")

// watch writes a process's output to its log and closes found at the line that says it takes requests.
type watch struct {
	log   *os.File
	found chan struct{}
	last  []byte // what may be the beginning of the line
	done  bool
}

func (w *watch) Write(p []byte) (int, error) {
	if !w.done {
		w.last = append(w.last, p...)
		if w.done = bytes.Contains(w.last, startedLine); w.done {
			close(w.found)
			w.last = nil
		}
		if i := bytes.LastIndexByte(w.last, '\n'); i >= 0 {
			w.last = w.last[i+1:]
		}
	}
	return w.log.Write(p)
}
