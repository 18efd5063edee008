package crash

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/vigil-cds/vigil/internal/crashpoint"
	"github.com/vigil-cds/vigil/processor"
)

// built makes the vigil command with the points in it, once for all tests.
var built = sync.OnceValues(func() (path string, err error) {
	dir, err := os.MkdirTemp("", "vigil-crash")
	if err != nil {
		return "", err
	}
	path = filepath.Join(dir, "vigil")
	out, err := exec.Command("go", "build", "-tags", "crashpoints", "-o", path, "../../cmd/vigil").CombinedOutput()
	if err != nil {
		err = fmt.Errorf("building vigil: %w\n%s", err, out)
	}
	return path, err
})

func TestMain(m *testing.M) {
	code := m.Run()
	if path, err := built(); err == nil && path != "" {
		_ = os.RemoveAll(filepath.Dir(path))
	}
	os.Exit(code)
}

// child is a running `vigil serve`.
type child struct {
	cmd   *exec.Cmd
	url   chan string // once, when it listens
	ended chan struct{}
	logs  bytes.Buffer // read it when it has ended
	alive *http.Client
}

// start runs a child over a data directory. end says where it is to end; "" is nowhere.
func start(t *testing.T, data, end string, args ...string) *child {
	t.Helper()
	program, err := built()
	if err != nil {
		t.Fatal(err)
	}
	c := &child{url: make(chan string, 1), ended: make(chan struct{}), alive: &http.Client{Transport: new(http.Transport), Timeout: time.Minute}}
	c.cmd = exec.Command(program, append([]string{"serve", "--data", data, "--listen", "127.0.0.1:0"}, args...)...)
	c.cmd.Env = append(os.Environ(), crashpoint.Variable+"="+end)
	c.cmd.Stderr = &c.logs
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(c.ended)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if _, url, ok := strings.Cut(lines.Text(), "listening on "); ok {
				c.url <- strings.TrimSpace(url)
			}
		}
		_ = c.cmd.Wait() // how it ended is looked at by who cares
	}()
	t.Cleanup(c.kill)
	return c
}

// kill ends the child as a power cut would, unless it has ended, and waits for its end.
func (c *child) kill() {
	_ = c.cmd.Process.Kill()
	<-c.ended
	c.alive.CloseIdleConnections()
}

// listening waits until the child listens; false when it ended before.
func (c *child) listening(t *testing.T) (url string, ok bool) {
	t.Helper()
	select {
	case url := <-c.url:
		return url, true
	case <-c.ended:
		return "", false
	case <-time.After(2 * time.Minute):
		c.kill()
		t.Fatalf("vigil serve did not listen within two minutes; it printed\n%s", c.logs.String())
		return "", false
	}
}

// stop ends the child as an operator does.
func (c *child) stop(t *testing.T) {
	t.Helper()
	if err := c.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case <-c.ended:
	case <-time.After(time.Minute):
		c.kill()
		t.Fatal("vigil serve did not stop within a minute")
	}
	if !c.cmd.ProcessState.Success() {
		t.Fatalf("vigil serve did not stop in good order: %s\n%s", c.cmd.ProcessState, c.logs.String())
	}
	c.alive.CloseIdleConnections()
}

// killed says whether the child has ended by SIGKILL; it must not have ended in any other way.
func (c *child) killed(t *testing.T) {
	t.Helper()
	status, ok := c.cmd.ProcessState.Sys().(syscall.WaitStatus)
	if !ok || !status.Signaled() || status.Signal() != syscall.SIGKILL {
		t.Fatalf("vigil serve ended by itself: %s\n%s", c.cmd.ProcessState, c.logs.String())
	}
}

// reached is how far each partition of the log is known to have come.
type reached []processor.Position

func (r *reached) String() string { return processor.FormatPositions(*r) }

// post sends observations; false when they were not acknowledged.
func (c *child) post(url string, body []byte, r *reached) bool {
	resp, err := c.alive.Post(url+"/v1/observations", "application/x-ndjson", bytes.NewReader(body))
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	var answer struct{ Position string }
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil || resp.StatusCode != http.StatusOK {
		return false
	}
	positions, err := processor.ParsePositions(answer.Position)
	*r = processor.Latest(append(*r, positions...))
	return err == nil
}

// answer is all that there is to say of a patient, without what differs from one log to another.
func (c *child) answer(t *testing.T, url, patient, now string, r *reached) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet,
		url+"/v1/patients/"+patient+"/alerts?all=true&timeout=30s&now="+now+"&min_position="+r.String(), nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := c.alive.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatalf("asking about a patient: %s, %v: %s", resp.Status, err, body)
	}
	var a map[string]any
	if err := json.Unmarshal(body, &a); err != nil {
		t.Fatal(err)
	}
	delete(a, "position")
	delete(a, "asOf")
	text, err := json.Marshal(a)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
