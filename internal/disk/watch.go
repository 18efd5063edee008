// Package disk says what becomes of a database whose disk fails.
//
// A database that could not write can no longer promise anything: what it took is not kept, and what it says
// next is of a time that passes. The log has everything, so the right thing is to stop at once, say why, and
// let the next start build again what is missing. Pebble does not do that by itself: when a table cannot be
// written it tries again without a pause while writes come to wait for it for ever, and when a log cannot
// be begun it ends the process with a fault of its own. So failures are seen where they happen, at the file
// system (FS), and a Watch makes of all of them one thing: a call of Fatal with a sentence for the person
// who has to act.
package disk

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/redact"
)

// ErrFailed is wrapped by the error that Fatal is called with.
var ErrFailed = errors.New("the disk failed")

// remedy is what every failure ends with.
const remedy = "free space on it or replace it, then start again: what is missing comes back from the log"

// Watch is one database's. Its methods may be called from any goroutine.
type Watch struct {
	database string
	log      *slog.Logger
	fatal    func(error)

	once   sync.Once
	spoken atomic.Int64 // when something that passes was last logged, in nanoseconds
}

// NewWatch makes a watch over the database of that name. log may be nil. fatal is called once; it should end
// the process, and when it returns, or is nil, the watch panics.
func NewWatch(database string, log *slog.Logger, fatal func(error)) *Watch {
	return &Watch{database: database, log: log, fatal: fatal}
}

// Listen has the log told of what passes: what Pebble fails at in the background and tries again, and a disk
// that is slow.
func (w *Watch) Listen(to *pebble.EventListener) {
	to.BackgroundError = func(err error) {
		w.passing("the database failed at work in the background and tries again", "error", cause(err))
	}
	to.DiskSlow = func(i pebble.DiskSlowInfo) {
		w.passing("the disk is slow", "operation", i.OpType.String(), "for", i.Duration)
	}
}

// passingEvery is the least time between two lines about what passes.
const passingEvery = 10 * time.Second

func (w *Watch) passing(message string, args ...any) {
	now := time.Now().UnixNano()
	last := w.spoken.Load()
	if w.log != nil && now-last >= int64(passingEvery) && w.spoken.CompareAndSwap(last, now) {
		w.log.Warn(message, append([]any{"database", w.database}, args...)...)
	}
}

// Fatalf is for Pebble's logger: what Pebble cannot go on after.
func (w *Watch) Fatalf(format string, args ...any) {
	w.stop(fmt.Errorf("%s: the database cannot go on: %s; start again, and if that is of no use move its directory away: it is built anew from the log",
		w.database, redact.Sprintf(format, args...).Redact().StripMarkers()))
}

// fail reports that the disk failed at something. It does not return.
func (w *Watch) fail(doing string, err error) {
	w.stop(fmt.Errorf("%s: %w (%s: %s): %s", w.database, ErrFailed, doing, cause(err), remedy))
}

func (w *Watch) stop(failure error) {
	w.once.Do(func() {
		if w.log != nil {
			w.log.Error("a database stops", "database", w.database, "error", failure)
		}
		if w.fatal != nil {
			w.fatal(failure)
		}
	})
	panic(failure)
}

// Opening is the error of a database that could not be opened, with what to do about it.
func (w *Watch) Opening(dir string, err error) error {
	if pebble.IsCorruptionError(err) || errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s: open %s: its files are damaged: move the directory away and start again, it is built anew from the log: %w", w.database, dir, err)
	}
	return fmt.Errorf("%s: open %s: %w", w.database, dir, err)
}

// cause is the text of an error of Pebble without the keys that it may hold, since a key holds a patient's
// id. What the operating system said is kept.
func cause(err error) string {
	var errno syscall.Errno
	if errors.As(err, &errno) {
		return errno.Error()
	}
	return string(redact.Sprint(err).Redact().StripMarkers())
}
