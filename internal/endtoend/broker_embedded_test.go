//go:build !kafka

package endtoend

import (
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vigil-cds/vigil/internal/broker"
)

// startKafka has nothing to start: each server has a broker inside.
func startKafka(string) (stop func(), err error) { return func() {}, nil }

// logFlags lets a server keep its log under its data directory, as it does by itself.
func logFlags(_ string, args []string) []string { return args }

// benchFlags let vigil bench start the broker that it starts by itself.
func benchFlags(*testing.T) []string { return nil }

// newLog is a log that no server has yet.
func newLog(t *testing.T) log {
	t.Helper()
	return brokerOver(t, t.TempDir(), broker.Options{NoSync: true})
}

// logOf is the log of the stopped server over a data directory.
func logOf(t *testing.T, data string) log {
	t.Helper()
	return brokerOver(t, filepath.Join(data, "broker"), broker.Options{})
}

func brokerOver(t *testing.T, dir string, o broker.Options) log {
	t.Helper()
	b, err := broker.Start(dir, o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, b.Close()) })
	return log{broker: b.Addr(), prefix: "vigil-"}
}

var brokers = regexp.MustCompile(`brokers=(\S+)`)

// log is where a running server keeps its log.
func (s *server) log() log {
	s.t.Helper()
	addr := brokers.FindStringSubmatch(s.logs.String())
	require.NotNil(s.t, addr, "the server says where the broker inside listens")
	return log{broker: addr[1], prefix: "vigil-"}
}
