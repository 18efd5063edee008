package archive

import (
	"fmt"
	"log/slog"
	"runtime"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/vigil-cds/vigil/internal/disk"
)

// Options configures an Archive. The zero value works.
type Options struct {
	// Memory is about how many bytes Pebble may hold, in its block cache and memtables. Zero is
	// DefaultMemory, the least is MinMemory.
	Memory int64
	// FS is where the database lies; nil is the disk.
	FS vfs.FS
	// Logger takes what Pebble has to say: errors as errors, everything else at debug. No key and no value
	// is logged. Nil logs nothing.
	Logger *slog.Logger
	// Fatal is called once, with what to do about it, when the disk fails or Pebble cannot go on. It should
	// end the process: the database can do nothing more, and the log has everything that it has not. When it
	// returns, or is nil, there is a panic.
	Fatal func(error)
	// Registerer takes the archive's metrics, which Close unregisters. Two archives of one process need
	// registerers that set them apart, such as prometheus.WrapRegistererWith. Nil measures nothing.
	Registerer prometheus.Registerer
}

const (
	// DefaultMemory is what Options.Memory means when it is zero.
	DefaultMemory = 128 << 20
	// MinMemory is the least that an archive can work with.
	MinMemory = 4 << 20
)

const (
	largestMemTable  = 64 << 20
	smallestMemTable = 256 << 10
	// memTables is how many memtables may be full before writes wait: a burst is taken in memory while
	// earlier ones are being flushed.
	memTables = 4
)

// Validate reports what is wrong with the options.
func (o Options) Validate() error {
	if o.Memory != 0 && o.Memory < MinMemory {
		return fmt.Errorf("archive: Memory is %d bytes; the least is %d", o.Memory, MinMemory)
	}
	return nil
}

// pebble builds Pebble's options. Pebble takes memtables out of the block cache's budget, so the cache
// is all of the memory.
func (o Options) pebble(m *metrics, w *disk.Watch) *pebble.Options {
	memory := o.Memory
	if memory == 0 {
		memory = DefaultMemory
	}
	p := &pebble.Options{
		FS:                          w.FS(o.FS),
		FormatMajorVersion:          pebble.FormatNewest,
		CacheSize:                   memory,
		MemTableSize:                uint64(min(max(memory/memTables, smallestMemTable), largestMemTable)),
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
	for i := range p.Levels {
		p.Levels[i].BlockSize = 8 << 10
		p.Levels[i].IndexBlockSize = 64 << 10
		// Where a patient stands is found without touching the levels that do not have it. In the lowest
		// level, which has nearly every key that is asked for, a filter would answer nothing, and histories,
		// which are only ever walked over, would be most of it.
		if i < len(p.Levels)-1 {
			p.Levels[i].FilterPolicy = bloom.FilterPolicy(10)
		}
	}
	// The upper levels, which are rewritten most and read most, are compressed fast; the last two, which
	// hold nearly all of the bytes, with zstd.
	p.ApplyCompressionSettings(func() pebble.DBCompressionSettings { return pebble.DBCompressionBalanced })
	p.EventListener = &pebble.EventListener{
		WriteStallBegin: func(pebble.WriteStallBeginInfo) { m.stallBegin() },
		WriteStallEnd:   m.stallEnd,
		DataCorruption: func(i pebble.DataCorruptionInfo) {
			// The bounds and the details hold keys. The read that met it returns ErrCorrupt.
			logger{o.Logger, w}.log(slog.LevelError, "the explain archive has a corrupt file", "file", i.Path)
		},
	}
	w.Listen(p.EventListener)
	return p
}
