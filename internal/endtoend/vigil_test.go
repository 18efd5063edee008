package endtoend

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
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
)

// binary is the vigil command, built once for all tests of the package.
var binary string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "vigil-endtoend")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binary = filepath.Join(dir, "vigil")
	if out, err := exec.Command("go", "build", "-o", binary, "../../cmd/vigil").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "building vigil: %v\n%s", err, out)
		return 1
	}
	stop, err := startKafka(filepath.Join(dir, "kafka"))
	if err != nil {
		fmt.Fprintln(os.Stderr, "starting Kafka:", err)
		return 1
	}
	defer stop()
	return m.Run()
}

// vigil runs a command to its end and returns what it printed.
func vigil(t *testing.T, args ...string) (stdout string, code int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, args...)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		code = exit.ExitCode()
	case err != nil:
		t.Fatalf("vigil %s: %v", args[0], err)
	}
	if errs.Len() > 0 {
		t.Logf("vigil %s: %s", strings.Join(args, " "), tail(errs.String()))
	}
	return out.String(), code
}

func tail(s string) string {
	if len(s) > 2000 {
		return "…" + s[len(s)-2000:]
	}
	return s
}

// server is a running `vigil serve`.
type server struct {
	t    *testing.T
	cmd  *exec.Cmd
	data string
	url  string
	logs *logs
}

// logs keeps what a server prints, for when a test fails.
type logs struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *logs) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *logs) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// serve starts a server over a data directory and waits until it says that it listens.
func serve(t *testing.T, data string, args ...string) *server {
	t.Helper()
	return serveWith(t, binary, data, args...)
}

// serveWith is serve with another build of the program.
func serveWith(t *testing.T, program, data string, args ...string) *server {
	t.Helper()
	args = append([]string{"serve", "--data", data, "--listen", "127.0.0.1:0"}, logFlags(data, args)...)
	s := &server{t: t, cmd: exec.Command(program, args...), data: data, logs: new(logs)}
	s.cmd.Stderr = s.logs
	out, err := s.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if s.cmd.ProcessState == nil {
			s.kill()
		}
		if t.Failed() {
			t.Logf("vigil serve printed:\n%s", tail(s.logs.String()))
		}
	})
	found := make(chan string, 1)
	go func() {
		defer close(found)
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			fmt.Fprintln(s.logs, lines.Text())
			if _, url, ok := strings.Cut(lines.Text(), "listening on "); ok {
				found <- strings.TrimSpace(url)
			}
		}
	}()
	select {
	case url, ok := <-found:
		if !ok {
			t.Fatal("vigil serve ended before it listened")
		}
		s.url = url
	case <-time.After(90 * time.Second):
		t.Fatal("vigil serve did not listen within 90 s")
	}
	return s
}

// kill ends the server as a power cut would.
func (s *server) kill() {
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
}

// stop ends the server as an operator does; it must end by itself, in good order.
func (s *server) stop() {
	s.t.Helper()
	if err := s.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		s.t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.cmd.Wait() }()
	select {
	case err := <-done:
		if err != nil {
			s.t.Fatalf("vigil serve did not stop in good order: %v", err)
		}
	case <-time.After(60 * time.Second):
		s.kill()
		s.t.Fatal("vigil serve did not stop within 60 s")
	}
}

func (s *server) get(path string, into any) {
	s.t.Helper()
	resp, err := http.Get(s.url + path)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	if resp.StatusCode != http.StatusOK {
		s.t.Fatalf("GET %s: %s: %s", path, resp.Status, tail(string(body)))
	}
	if err := json.Unmarshal(body, into); err != nil {
		s.t.Fatalf("GET %s: %v: %s", path, err, tail(string(body)))
	}
}

type response struct {
	status int
	header http.Header
	body   []byte
}

func post(url, media string, body []byte) (response, error) {
	resp, err := http.Post(url, media, bytes.NewReader(body))
	if err != nil {
		return response{}, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	return response{resp.StatusCode, resp.Header, answer}, err
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// send makes a request and returns its status, headers and body.
func (s *server) send(method, path, media string, body []byte) (int, http.Header, []byte) {
	s.t.Helper()
	req, err := http.NewRequest(method, s.url+path, bytes.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Content-Type", media)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return resp.StatusCode, resp.Header, answer
}

// answer is what is active for a patient, without what changes from one log to another.
func (s *server) answer(patient, now, position string) map[string]any {
	s.t.Helper()
	path := "/v1/patients/" + patient + "/alerts?all=true&timeout=30s&now=" + now
	if position != "" {
		path += "&min_position=" + position
	}
	var a map[string]any
	s.get(path, &a)
	delete(a, "position")
	delete(a, "asOf")
	for _, alert := range a["alerts"].([]any) {
		delete(alert.(map[string]any), "since")
	}
	return a
}
