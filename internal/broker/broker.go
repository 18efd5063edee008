// Package broker runs a Kafka-protocol broker inside the process, for an engine on one machine that
// has no Kafka: the same goka and sarama code talks to it over loopback.
//
// What it acknowledges is on the disk, with the groups' committed offsets, so that a killed process
// finds everything again. It is one broker: topics have one replica. Topics are never created by being
// asked for, and a topic without retention.ms=-1 loses its records after a week as in Kafka, so whoever
// creates topics says what to keep. A rewrite of a compacted topic that a crash interrupts can lose
// records: nothing may live in a compacted topic alone.
package broker

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"sync"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/twmb/franz-go/pkg/kfake"
)

// ErrInUse is returned by Start for a directory that another broker has open.
var ErrInUse = errors.New("the broker's data directory is in use")

// MaxMessageBytes is the largest batch of records that the broker takes.
const MaxMessageBytes = 32 << 20

// Options says how a Broker runs. The zero value works.
type Options struct {
	Port   int          // on loopback; 0 takes any free one
	Logger *slog.Logger // nil: silent

	// NoSync leaves writing to the operating system: a killed process still loses nothing, a machine
	// that loses its power loses the last seconds. Groups and topics are kept either way.
	NoSync bool
}

// Broker is a running broker. Its methods may be called from any goroutine.
type Broker struct {
	cluster *kfake.Cluster
	lock    io.Closer
	addr    string
	once    sync.Once
}

// Start opens the broker over dir, which is made if need be, and listens on loopback. The address may
// differ from one start to the next; clients learn it from Addr. A directory that another process, or
// this one, has open is refused with ErrInUse.
func Start(dir string, o Options) (*Broker, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("starting the broker: %w", err)
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("starting the broker: %w", err)
	}
	lock, err := vfs.Default.Lock(filepath.Join(dir, "LOCK"))
	if err != nil {
		return nil, fmt.Errorf("%w: %s: stop the other vigil that serves it, or choose another data directory (%w)", ErrInUse, dir, err)
	}
	options := []kfake.Opt{
		kfake.Ports(o.Port),
		kfake.ClusterID("vigil"),
		kfake.DataDir(filepath.Join(dir, "log")),
		kfake.WithLogger(logger{o.Logger}),
		kfake.BrokerConfigs(map[string]string{
			"message.max.bytes": strconv.Itoa(MaxMessageBytes),
			// A group that rests for a week must not start over: its offsets are kept for ever.
			"offsets.retention.minutes": strconv.Itoa(math.MaxInt32),
		}),
	}
	if !o.NoSync {
		options = append(options, kfake.SyncWrites())
	}
	cluster, err := kfake.NewCluster(options...)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("starting the broker over %s: %w", dir, err), lock.Close())
	}
	return &Broker{cluster: cluster, lock: lock, addr: cluster.ListenAddrs()[0]}, nil
}

// Addr is the address to give to clients, host:port.
func (b *Broker) Addr() string { return b.addr }

// Close ends all connections, writes what a quick start needs, and gives the directory free. Whatever
// was acknowledged is kept also without Close.
func (b *Broker) Close() error {
	var err error
	b.once.Do(func() {
		b.cluster.Close()
		if err = b.lock.Close(); err != nil {
			err = fmt.Errorf("giving the broker's data directory free: %w", err)
		}
	})
	return err
}
