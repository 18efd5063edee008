package broker_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/vigil-cds/vigil/internal/broker"
)

// childDir names the directory that the test binary, run as a child, opens a broker over.
const childDir = "VIGIL_TEST_BROKER_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		child(dir)
		return
	}
	// sarama's default metrics start one goroutine for the whole process.
	goleak.VerifyTestMain(m, goleak.IgnoreTopFunction("github.com/rcrowley/go-metrics.(*meterArbiter).tick"))
}

// child opens a broker, says where, and waits to be killed.
func child(dir string) {
	b, err := broker.Start(dir, broker.Options{})
	if err != nil {
		fmt.Println("error", err)
		return
	}
	fmt.Println("addr", b.Addr())
	time.Sleep(time.Minute)
}

func startChild(t *testing.T, dir string) (line string, kill func()) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childDir+"="+dir)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	line, err = bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	return strings.TrimSpace(line), func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}
}

func config() *sarama.Config {
	c := sarama.NewConfig()
	c.Version = sarama.V2_8_0_0
	c.Producer.Return.Successes = true
	c.Producer.RequiredAcks = sarama.WaitForAll
	return c
}

func createTopic(t *testing.T, addr, name string) {
	t.Helper()
	admin, err := sarama.NewClusterAdmin([]string{addr}, config())
	require.NoError(t, err)
	defer admin.Close()
	forever := "-1"
	require.NoError(t, admin.CreateTopic(name, &sarama.TopicDetail{NumPartitions: 1, ReplicationFactor: 1,
		ConfigEntries: map[string]*string{"retention.ms": &forever, "retention.bytes": &forever}}, false))
}

func produce(t *testing.T, addr, topic string, values ...string) {
	t.Helper()
	p, err := sarama.NewSyncProducer([]string{addr}, config())
	require.NoError(t, err)
	defer p.Close()
	for _, v := range values {
		_, _, err := p.SendMessage(&sarama.ProducerMessage{Topic: topic, Value: sarama.StringEncoder(v)})
		require.NoError(t, err)
	}
}

func read(t *testing.T, addr, topic string, n int) []string {
	t.Helper()
	c, err := sarama.NewConsumer([]string{addr}, config())
	require.NoError(t, err)
	defer c.Close()
	pc, err := c.ConsumePartition(topic, 0, sarama.OffsetOldest)
	require.NoError(t, err)
	defer pc.Close()
	var values []string
	for range n {
		select {
		case m := <-pc.Messages():
			values = append(values, string(m.Value))
		case <-time.After(5 * time.Second):
			t.Fatalf("only %d of %d records came back", len(values), n)
		}
	}
	return values
}

// marker is a member of a group that commits one offset and leaves.
type marker struct {
	topic  string
	offset int64
	leave  context.CancelFunc
}

func (m marker) Setup(s sarama.ConsumerGroupSession) error {
	s.MarkOffset(m.topic, 0, m.offset, "")
	m.leave()
	return nil
}
func (marker) Cleanup(sarama.ConsumerGroupSession) error { return nil }
func (marker) ConsumeClaim(sarama.ConsumerGroupSession, sarama.ConsumerGroupClaim) error {
	return nil
}

func commit(t *testing.T, addr, group, topic string, offset int64) {
	t.Helper()
	g, err := sarama.NewConsumerGroup([]string{addr}, group, config())
	require.NoError(t, err)
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	require.NoError(t, g.Consume(ctx, []string{topic}, marker{topic, offset, leave}))
	require.NoError(t, g.Close())
}

func committed(t *testing.T, addr, group, topic string) int64 {
	t.Helper()
	admin, err := sarama.NewClusterAdmin([]string{addr}, config())
	require.NoError(t, err)
	defer admin.Close()
	offsets, err := admin.ListConsumerGroupOffsets(group, map[string][]int32{topic: {0}})
	require.NoError(t, err)
	return offsets.GetBlock(topic, 0).Offset
}

func TestWhatWasAcknowledgedIsThereAfterAStop(t *testing.T) {
	dir := t.TempDir()
	b, err := broker.Start(dir, broker.Options{})
	require.NoError(t, err)
	createTopic(t, b.Addr(), "log")
	produce(t, b.Addr(), "log", "one", "two")
	commit(t, b.Addr(), "readers", "log", 1)
	require.NoError(t, b.Close())
	require.NoError(t, b.Close(), "closing twice is closing once")

	b, err = broker.Start(dir, broker.Options{})
	require.NoError(t, err)
	defer b.Close()
	require.Equal(t, []string{"one", "two"}, read(t, b.Addr(), "log", 2))
	require.EqualValues(t, 1, committed(t, b.Addr(), "readers", "log"))
	produce(t, b.Addr(), "log", "three")
	require.Equal(t, []string{"one", "two", "three"}, read(t, b.Addr(), "log", 3))
}

func TestWhatWasAcknowledgedIsThereAfterAKill(t *testing.T) {
	dir := t.TempDir()
	line, kill := startChild(t, dir)
	defer kill()
	addr, ok := strings.CutPrefix(line, "addr ")
	require.True(t, ok, line)
	createTopic(t, addr, "log")
	produce(t, addr, "log", "one", "two", "three")
	commit(t, addr, "readers", "log", 2)
	kill()

	b, err := broker.Start(dir, broker.Options{})
	require.NoError(t, err, "a killed process leaves no lock behind")
	defer b.Close()
	require.Equal(t, []string{"one", "two", "three"}, read(t, b.Addr(), "log", 3))
	require.EqualValues(t, 2, committed(t, b.Addr(), "readers", "log"))
}

func TestADirectoryInUseIsRefused(t *testing.T) {
	dir := t.TempDir()
	b, err := broker.Start(dir, broker.Options{})
	require.NoError(t, err)
	defer b.Close()

	_, err = broker.Start(dir, broker.Options{})
	require.ErrorIs(t, err, broker.ErrInUse, "by the same process")

	line, kill := startChild(t, dir)
	defer kill()
	require.True(t, strings.HasPrefix(line, "error "+broker.ErrInUse.Error()), "by another process: %s", line)
	require.Contains(t, line, "choose another data directory")
}

func TestATopicIsNotCreatedByBeingAskedFor(t *testing.T) {
	b, err := broker.Start(t.TempDir(), broker.Options{})
	require.NoError(t, err)
	defer b.Close()
	c := config()
	c.Metadata.Retry.Max = 0
	client, err := sarama.NewClient([]string{b.Addr()}, c)
	require.NoError(t, err)
	defer client.Close()
	_, err = client.Partitions("nobody-made-this")
	require.True(t, errors.Is(err, sarama.ErrUnknownTopicOrPartition), "got %v", err)
}
