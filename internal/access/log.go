package access

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Entry is one request, as the access log has it: one line of JSON.
type Entry struct {
	Time     time.Time `json:"time"`
	Who      string    `json:"who,omitempty"`
	Client   string    `json:"client,omitempty"`
	From     string    `json:"from"`               // the address that asked
	PassedBy string    `json:"passedBy,omitempty"` // the instance that passed it on, as the request says
	Method   string    `json:"method"`
	Route    string    `json:"route"`
	Patient  string    `json:"patient,omitempty"`
	Rule     string    `json:"rule,omitempty"`
	Resource string    `json:"resource,omitempty"` // as Observation/7
	Asked    string    `json:"asked,omitempty"`    // the position that the answer had to have seen
	KnownAt  string    `json:"knownAt,omitempty"`  // the time or position as of which was asked
	Answered string    `json:"answered,omitempty"` // the position of the answer, or of what was written
	Status   int       `json:"status"`
	Millis   float64   `json:"ms"`
}

const (
	flushEvery  = time.Second // how long an entry may wait in memory
	flushSize   = 64 << 10    // bytes that do not wait any longer
	mostPending = 8 << 20     // bytes that are kept while they cannot be written
)

// errLost means that entries came while none could be written and no more could be kept.
var errLost = errors.New("more entries than can be kept until they can be written")

// Log writes entries to a file, apart from everything else that is logged: it names patients. Entries that
// cannot be written are kept in memory, up to a bound, until they can be. It may be used from any goroutine.
// Nil takes entries and writes none.
type Log struct {
	path         string
	failed, lost prometheus.Counter

	mu      sync.Mutex
	file    io.WriteCloser
	pending []byte // whole lines
	torn    bool   // the file ends within a line, which is the first of pending, too
	bad     error  // of the last time that something was to be written; nil: it was

	stop chan struct{}
	done chan struct{}
}

// Stdout is the path that means the process's output.
const Stdout = "stdout"

// OpenLog opens the file, and makes it if need be, for its owner alone. "" gives nil.
func OpenLog(path string, r prometheus.Registerer) (*Log, error) {
	if path == "" {
		return nil, nil
	}
	l := newLog(path)
	if err := l.Reopen(); err != nil {
		return nil, err
	}
	if r != nil {
		if err := errors.Join(r.Register(l.failed), r.Register(l.lost)); err != nil {
			return nil, errors.Join(fmt.Errorf("registering the access log's metrics: %w", err), l.file.Close())
		}
	}
	go l.flush()
	return l, nil
}

func newLog(path string) *Log {
	return &Log{path: path, stop: make(chan struct{}), done: make(chan struct{}),
		failed: prometheus.NewCounter(prometheus.CounterOpts{Name: "vigil_access_log_failures_total",
			Help: "Times that the access log could not be written."}),
		lost: prometheus.NewCounter(prometheus.CounterOpts{Name: "vigil_access_log_lost_total",
			Help: "Entries of the access log that were lost because it could not be written for too long."})}
}

// Reopen begins a new file under the path, after the one before was moved away. When that cannot be opened
// the one before goes on.
func (l *Log) Reopen() error {
	if l == nil {
		return nil
	}
	var file io.WriteCloser = keptOpen{os.Stdout}
	if l.path != Stdout {
		f, err := os.OpenFile(l.path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
		if err != nil {
			return fmt.Errorf("opening the access log: %w", err)
		}
		file = f
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	var err error
	if l.file != nil {
		l.flushLocked() // what fails is kept for the new file
		err = l.file.Close()
	}
	l.file, l.torn = file, false
	l.flushLocked()
	return err
}

type keptOpen struct{ io.Writer }

func (keptOpen) Close() error { return nil }

// Write takes an entry.
func (l *Log) Write(e *Entry) {
	if l == nil {
		return
	}
	line, err := json.Marshal(e)
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case err != nil: // a number that JSON has no form for
		l.lost.Inc()
	case len(l.pending)+len(line) >= mostPending:
		l.lost.Inc()
		l.bad = errLost
	default:
		l.pending = append(append(l.pending, line...), '\n')
	}
	if len(l.pending) >= flushSize && l.bad == nil {
		l.flushLocked()
	}
}

// flushLocked writes what is pending. Of a line that was written in part, the whole follows on a line of
// its own.
func (l *Log) flushLocked() {
	if len(l.pending) == 0 {
		return
	}
	if l.torn {
		if _, l.bad = l.file.Write([]byte{'\n'}); l.bad != nil {
			l.failed.Inc()
			return
		}
		l.torn = false
	}
	n, err := l.file.Write(l.pending)
	whole := bytes.LastIndexByte(l.pending[:n], '\n') + 1
	l.torn = n > whole
	l.pending = append(l.pending[:0], l.pending[whole:]...)
	if l.bad = err; err != nil {
		l.failed.Inc()
	}
}

// Healthy is nil while entries can be written, as far as is known: one that was taken is written within a
// second. After a failure it is nil again once what could not be written has been.
func (l *Log) Healthy() error {
	if l == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.bad
}

func (l *Log) flush() {
	defer close(l.done)
	tick := time.NewTicker(flushEvery)
	defer tick.Stop()
	for {
		select {
		case <-l.stop:
			return
		case <-tick.C:
			l.mu.Lock()
			l.flushLocked()
			l.mu.Unlock()
		}
	}
}

// Close writes what is left and closes the file. It is called once.
func (l *Log) Close() error {
	if l == nil {
		return nil
	}
	close(l.stop)
	<-l.done
	l.mu.Lock()
	defer l.mu.Unlock()
	l.flushLocked()
	if err := errors.Join(l.bad, l.file.Close()); err != nil {
		return fmt.Errorf("closing the access log: %w", err)
	}
	return nil
}
