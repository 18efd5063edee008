package access

import (
	"log/slog"
	"os"
	"slices"
	"sync"
	"time"
)

// files is what was read from files that may be replaced. It may be used from any goroutine.
type files[T any] struct {
	read   func() (T, error)
	paths  []string
	logger *slog.Logger

	mu     sync.Mutex
	value  T
	stamps []stamp
	looked time.Time
	told   string // why the files that are there now cannot be used; "": they are
}

// stamp tells one state of a file from another. One that is moved into place may be older than the one
// before, or of the same time and length.
type stamp struct {
	modified time.Time
	size     int64
	file     os.FileInfo
}

func (s stamp) is(o stamp) bool {
	return s.modified.Equal(o.modified) && s.size == o.size && os.SameFile(s.file, o.file)
}

// lookEvery is how often the files are looked at, at most.
const lookEvery = time.Second

// newFiles reads the files, which have to be there.
func newFiles[T any](read func() (T, error), logger *slog.Logger, paths ...string) (*files[T], error) {
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	f := &files[T]{read: read, paths: paths, logger: logger, looked: time.Now()}
	var err error
	if f.stamps, err = f.look(); err != nil {
		return nil, err
	}
	if f.value, err = read(); err != nil {
		return nil, err
	}
	return f, nil
}

// load gives what the files have. Those that are just being replaced, and cannot be read, leave what was
// before.
func (f *files[T]) load() T {
	f.mu.Lock()
	defer f.mu.Unlock()
	now := time.Now()
	if now.Sub(f.looked) < lookEvery {
		return f.value
	}
	f.looked = now
	stamps, err := f.look()
	if err == nil && slices.EqualFunc(stamps, f.stamps, stamp.is) {
		return f.value
	}
	value, err := f.read()
	if err != nil {
		if f.told != err.Error() {
			f.logger.Warn("a file that was replaced cannot be used, and what it had before goes on", "error", err)
		}
		f.told = err.Error()
		return f.value
	}
	f.value, f.stamps, f.told = value, stamps, ""
	return f.value
}

func (f *files[T]) look() ([]stamp, error) {
	stamps := make([]stamp, len(f.paths))
	for i, path := range f.paths {
		info, err := os.Stat(path)
		if err != nil {
			return nil, err
		}
		stamps[i] = stamp{info.ModTime(), info.Size(), info}
	}
	return stamps, nil
}
