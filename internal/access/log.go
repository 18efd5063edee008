package access

import (
	"bufio"
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
	PassedBy string    `json:"passedBy,omitempty"` // the instance that passed it on
	Method   string    `json:"method"`
	Route    string    `json:"route"`
	Patient  string    `json:"patient,omitempty"`
	Rule     string    `json:"rule,omitempty"`
	Resource string    `json:"resource,omitempty"` // as Observation/7
	Status   int       `json:"status"`
	Millis   float64   `json:"ms"`
}

// flushEvery is how long an entry may wait in memory.
const flushEvery = time.Second

// Log writes entries to a file, apart from everything else that is logged: it names patients. It may be used
// from any goroutine. Nil takes entries and writes none.
type Log struct {
	path   string
	failed prometheus.Counter

	mu   sync.Mutex
	file io.WriteCloser
	buf  *bufio.Writer
	bad  error // of the last write; nil once one succeeded

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
	l := &Log{path: path, stop: make(chan struct{}), done: make(chan struct{}),
		failed: prometheus.NewCounter(prometheus.CounterOpts{Name: "vigil_access_log_failures_total",
			Help: "Times that the access log could not be written."})}
	if err := l.Reopen(); err != nil {
		return nil, err
	}
	if r != nil {
		if err := r.Register(l.failed); err != nil {
			return nil, errors.Join(fmt.Errorf("registering the access log's metrics: %w", err), l.file.Close())
		}
	}
	go l.flush()
	return l, nil
}

// Reopen begins a new file under the path, after the one before was moved away.
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
	err := l.closeLocked()
	l.file, l.buf = file, bufio.NewWriterSize(file, 64<<10)
	return err
}

type keptOpen struct{ io.Writer }

func (keptOpen) Close() error { return nil }

func (l *Log) closeLocked() error {
	if l.file == nil {
		return nil
	}
	return errors.Join(l.buf.Flush(), l.file.Close())
}

// Write takes an entry.
func (l *Log) Write(e *Entry) {
	if l == nil {
		return
	}
	line, err := json.Marshal(e)
	l.mu.Lock()
	defer l.mu.Unlock()
	if err == nil {
		_, err = l.buf.Write(append(line, '\n'))
	}
	l.noteLocked(err)
}

func (l *Log) noteLocked(err error) {
	if err != nil {
		l.failed.Inc()
		// A bufio.Writer that failed once fails for ever.
		l.buf.Reset(l.file)
	}
	l.bad = err
}

// Healthy is nil while entries can be written, as far as is known.
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
			if l.buf.Buffered() > 0 {
				l.noteLocked(l.buf.Flush())
			}
			l.mu.Unlock()
		}
	}
}

// Close writes what is left and closes the file.
func (l *Log) Close() error {
	if l == nil {
		return nil
	}
	close(l.stop)
	<-l.done
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.closeLocked(); err != nil {
		return fmt.Errorf("closing the access log: %w", err)
	}
	return nil
}
