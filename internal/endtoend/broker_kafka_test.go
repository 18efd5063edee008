//go:build kafka

package endtoend

import (
	"context"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"
	"testing"

	"github.com/vigil-cds/vigil/internal/kafkatest"
)

// kafka is a real one, shared by all tests of the package: each log in it has a prefix of its own.
var kafka *kafkatest.Cluster

func startKafka(dir string) (stop func(), err error) {
	if kafka, err = kafkatest.Open(context.Background(), dir, kafkatest.Options{}); err != nil {
		return nil, err
	}
	return kafka.Close, nil
}

// logFlags lets a server keep its log in Kafka, unless its arguments say where, under a name that is the
// same whenever a server is started over that data directory.
func logFlags(data string, args []string) []string {
	named := slices.ContainsFunc(args, func(a string) bool { return strings.HasPrefix(a, "--brokers") })
	if !named {
		args = append(args, logOver(data).flags()...)
	}
	return append(args, "--kafka-instance", logOver(data).prefix+"server")
}

func logOver(data string) log {
	h := fnv.New64a()
	_, _ = h.Write([]byte(data))
	return log{broker: kafka.Brokers()[0], prefix: fmt.Sprintf("t%x-", h.Sum64())}
}

// benchFlags let vigil bench work in Kafka.
func benchFlags(t *testing.T) []string { return newLog(t).flags() }

// newLog is a log that no server has yet.
func newLog(t *testing.T) log { return logOver(t.TempDir()) }

// logOf is the log of the server over a data directory.
func logOf(_ *testing.T, data string) log { return logOver(data) }

// log is where a running server keeps its log.
func (s *server) log() log { return logOver(s.data) }
