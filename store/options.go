package store

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/redact"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/vigil-cds/vigil/internal/disk"
)

// Options configures a Store. The zero value works.
type Options struct {
	// Memory is about how many bytes the store may hold: Pebble's block cache and memtables, and the
	// decoded patients. Zero is DefaultMemory, the least is MinMemory.
	Memory int64
	// CachePatients is how many bytes of Memory are for decoded patients. Zero is half of Memory.
	CachePatients int64
	// FS is where the database lies; nil is the disk.
	FS vfs.FS
	// Logger takes what Pebble has to say: errors as errors, everything else at debug. No key and no value
	// is logged. Nil logs nothing.
	Logger *slog.Logger
	// Fatal is called once, with what to do about it, when the disk fails or Pebble cannot go on. It should
	// end the process: the database can do nothing more, and the log has everything that it has not. When it
	// returns, or is nil, there is a panic.
	Fatal func(error)
	// Registerer takes the store's metrics, which Close unregisters. Two stores of one process need
	// registerers that set them apart, such as prometheus.WrapRegistererWith. Nil measures nothing.
	Registerer prometheus.Registerer
}

const (
	// DefaultMemory is what Options.Memory means when it is zero.
	DefaultMemory = 512 << 20
	// MinMemory is the least that a store can work with.
	MinMemory = 4 << 20
)

const (
	largestMemTable  = 64 << 20
	smallestMemTable = 256 << 10
	// memTables is how many memtables may be full before writes wait: a burst is taken in memory while
	// earlier ones are being flushed.
	memTables = 4
)

// Validate reports every fault of the options.
func (o Options) Validate() error {
	var faults []error
	if o.Memory != 0 && o.Memory < MinMemory {
		faults = append(faults, fmt.Errorf("store: Memory is %d bytes; the least is %d", o.Memory, MinMemory))
	}
	if o.CachePatients < 0 {
		faults = append(faults, fmt.Errorf("store: CachePatients is %d bytes; it cannot be negative", o.CachePatients))
	}
	if memory := o.memory(); o.CachePatients > memory-MinMemory/2 {
		faults = append(faults, fmt.Errorf("store: CachePatients is %d bytes; it is a part of Memory (%d) and must leave %d for Pebble",
			o.CachePatients, memory, MinMemory/2))
	}
	return errors.Join(faults...)
}

func (o Options) memory() int64 {
	if o.Memory == 0 {
		return DefaultMemory
	}
	return o.Memory
}

func (o Options) cachePatients() int64 {
	if o.CachePatients == 0 {
		return o.memory() / 2
	}
	return o.CachePatients
}

// pebble builds Pebble's options. Pebble takes memtables out of the block cache's budget, so the cache
// is all that the patients leave.
func (o Options) pebble(m *metrics, w *disk.Watch) *pebble.Options {
	rest := o.memory() - o.cachePatients()
	p := &pebble.Options{
		FS:                          w.FS(o.FS),
		FormatMajorVersion:          pebble.FormatNewest,
		CacheSize:                   rest,
		MemTableSize:                uint64(min(max(rest/memTables, smallestMemTable), largestMemTable)),
		MemTableStopWritesThreshold: memTables,
		L0CompactionThreshold:       2,
		L0StopWritesThreshold:       24,
		LBaseMaxBytes:               64 << 20,
		WALBytesPerSync:             1 << 20,
		MaxOpenFiles:                4096,
		CompactionConcurrencyRange: func() (int, int) {
			return 1, max(1, min(4, runtime.GOMAXPROCS(0)/2))
		},
		Logger: logger{o.Logger, w},
	}
	// A new resource is looked up once and is not there, which a filter answers without touching a block,
	// so every level has one.
	for i := range p.Levels {
		p.Levels[i].FilterPolicy = bloom.FilterPolicy(10)
		p.Levels[i].BlockSize = 8 << 10
		p.Levels[i].IndexBlockSize = 64 << 10
	}
	// The upper levels, which are rewritten most and read most, are compressed fast; the last two, which
	// hold nearly all of the bytes, with zstd.
	p.ApplyCompressionSettings(func() pebble.DBCompressionSettings { return pebble.DBCompressionBalanced })
	p.EventListener = &pebble.EventListener{
		WriteStallBegin: func(pebble.WriteStallBeginInfo) { m.stallBegin() },
		WriteStallEnd:   m.stallEnd,
		DataCorruption: func(i pebble.DataCorruptionInfo) {
			// The bounds and the details hold keys. The read that met it returns ErrCorrupt.
			logger{o.Logger, w}.log(slog.LevelError, "the database has a corrupt file", "file", i.Path)
		},
	}
	w.Listen(p.EventListener)
	return p
}

// logger gives Pebble's messages to slog, without what Pebble does not mark as safe to show.
type logger struct {
	to    *slog.Logger
	watch *disk.Watch
}

func (l logger) log(level slog.Level, message string, args ...any) {
	if l.to != nil {
		l.to.Log(context.Background(), level, message, args...)
	}
}

func (l logger) text(format string, args []any) string {
	return string(redact.Sprintf(format, args...).Redact().StripMarkers())
}

func (l logger) Infof(format string, args ...any) {
	if l.to != nil && l.to.Enabled(context.Background(), slog.LevelDebug) {
		l.log(slog.LevelDebug, "pebble", "event", l.text(format, args))
	}
}

func (l logger) Errorf(format string, args ...any) {
	l.log(slog.LevelError, "pebble", "event", l.text(format, args))
}

// Fatalf is what Pebble calls when it cannot go on.
func (l logger) Fatalf(format string, args ...any) { l.watch.Fatalf(format, args...) }
