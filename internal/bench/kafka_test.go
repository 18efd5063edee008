//go:build kafka

package bench

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"log"
	"math"
	"sync/atomic"
	"testing"
	"time"

	"github.com/IBM/sarama"
	"github.com/cockroachdb/pebble/v2"
	"github.com/lovoo/goka"
	"github.com/lovoo/goka/storage"
	"github.com/stretchr/testify/require"

	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/internal/fhir"
	"github.com/vigil-cds/vigil/internal/kafkatest"
	"github.com/vigil-cds/vigil/processor"
	"github.com/vigil-cds/vigil/rules"
	"github.com/vigil-cds/vigil/store"
)

// wardPatients are those of the workload that BenchmarkKafka takes in.
const wardPatients = 2_000

// BenchmarkKafka takes the ward workload in through a real Kafka of one node and of three, with the whole
// engine, whose answers are checked, and with a bare goka processor that has the same work but no rules: it
// reads each observation, writes it to Pebble, and keeps a row of each patient in its table. Both read the same events, which the same writer writes while they run; facts are
// those a second until all are readable. With -benchtime 1x each runs once, one after another:
//
//	go test -tags kafka -run '^$' -bench Kafka -benchtime 1x ./internal/bench
func BenchmarkKafka(b *testing.B) {
	w := NewWorkload(wardPatients, 100, 1)
	for _, nodes := range []int{1, 3} {
		// The nodes are asked for much: the compiler may take its time, and the heap is larger.
		k := kafkatest.Start(b, kafkatest.Options{Nodes: nodes, JVM: []string{"-Xmx1g", "-XX:TieredStopAtLevel=4"}})
		runs := 0
		for _, shape := range []struct {
			name       string
			perRequest int
		}{{"chunks", 100_000}, {"singles", 5_000}} { // observations of a patient in one request make one record
			for _, what := range []struct {
				name  string
				start func(*testing.B, processor.Config) (processed, func())
			}{{"vigil", startVigil}, {"bare", startBare}} {
				b.Run(fmt.Sprintf("nodes=%d/%s/%s", nodes, shape.name, what.name), func(b *testing.B) {
					for b.Loop() {
						runs++
						config := processor.Config{Brokers: k.Brokers(), Prefix: fmt.Sprintf("run%d-", runs), Replication: nodes, Clock: processor.ClockLog}.Fill()
						b.StopTimer()
						wait, done := what.start(b, config)
						b.StartTimer()
						takeIn(b, w, config, shape.perRequest, wait)
						b.StopTimer()
						done()
						b.StartTimer()
					}
					b.ReportMetric(float64(b.N*len(w.Facts))/b.Elapsed().Seconds(), "facts/s")
				})
			}
		}
		k.Close()
	}
}

// processed waits until an event and all before it in its partition are readable.
type processed func(ctx context.Context, partition int32, offset int64) error

func takeIn(b *testing.B, w *Workload, c processor.Config, perRequest int, wait processed) {
	b.Helper()
	writer, err := processor.NewWriter(c)
	require.NoError(b, err)
	defer writer.Close()
	last := map[int32]int64{}
	for from := 0; from < len(w.Facts); from += perRequest {
		positions, err := writer.Write(b.Context(), request(w.Facts[from:min(from+perRequest, len(w.Facts))]))
		require.NoError(b, err)
		for _, p := range positions {
			last[p.Partition] = max(last[p.Partition], p.Offset)
		}
	}
	for partition, offset := range last {
		require.NoError(b, wait(b.Context(), partition, offset))
	}
}

// startVigil starts the roles that answers need.
func startVigil(b *testing.B, c processor.Config) (processed, func()) {
	b.Helper()
	st, err := store.Open(b.TempDir(), store.Options{Memory: 256 << 20})
	require.NoError(b, err)
	medications := processor.NewMedications()
	sets := processor.NewRuleSets(rules.CompileOptions{Zone: time.UTC}, st.RuleSet)
	p, err := processor.Start(b.Context(), c, processor.Deps{Store: st, Sets: sets, Medications: medications,
		RuleSet: rules.NewSet(clinical.File{Name: "ward.yaml", Data: []byte(Pack(1))}),
		Decoder: fhir.New(fhir.Options{Zone: time.UTC, Medication: medications.Codes, KnownUnit: func(string) bool { return true }})})
	require.NoError(b, err)
	require.NoError(b, p.WaitReady(b.Context()))
	wait := func(ctx context.Context, partition int32, offset int64) error {
		part, err := st.Partition(partition)
		if err != nil {
			return err
		}
		return part.Wait(ctx, -1, offset)
	}
	return wait, func() {
		partition := func(patient string) int32 { return processor.Partition(patient, c.Partitions) }
		engine := Engine{Store: st, Partition: partition, Reader: store.NewReader(st, store.ReaderOptions{Plan: sets.Plan, Partition: partition})}
		// The workload is remade: what is expected of it is then held by nobody while others are measured.
		require.NoError(b, (&Report{}).check(NewWorkload(wardPatients, 100, 1), engine, Options{Progress: func(string, int, int) {}}))
		require.NoError(b, p.Close())
		require.NoError(b, st.Close())
	}
}

// startBare starts a processor of goka alone that writes each line of each event to Pebble.
func startBare(b *testing.B, c processor.Config) (processed, func()) {
	b.Helper()
	topics := c.Topics()
	require.NoError(b, topics.Ensure(b.Context(), c))
	db, err := pebble.Open(b.TempDir(), &pebble.Options{FormatMajorVersion: pebble.FormatNewest, MemTableSize: 64 << 20, Logger: silent{}})
	require.NoError(b, err)
	done := make([]atomic.Int64, c.Partitions)
	for i := range done {
		done[i].Store(-1)
	}
	var serial atomic.Uint64
	decoder := fhir.New(fhir.Options{Zone: time.UTC, KnownUnit: func(string) bool { return true }})
	each := func(ctx goka.Context, message any) {
		for line := range bytes.Lines(message.([]byte)) {
			patient, assertion, err := decoder.Compact(line)
			if err != nil {
				ctx.Fail(err)
			}
			for _, f := range assertion.Facts {
				key := binary.BigEndian.AppendUint64(append([]byte(patient), '|'), serial.Add(1))
				value := binary.BigEndian.AppendUint64(nil, math.Float64bits(f.Number))
				if err := db.Set(key, value, pebble.NoSync); err != nil {
					ctx.Fail(err)
				}
			}
			ctx.SetValue(line)
		}
		done[ctx.Partition()].Store(ctx.Offset())
	}
	config := func() *sarama.Config {
		s, err := c.ClientConfig("bare")
		require.NoError(b, err)
		s.Consumer.Group.Rebalance.GroupStrategies = []sarama.BalanceStrategy{goka.CopartitioningStrategy}
		s.Consumer.Group.Member.UserData = nil
		return s
	}
	tables := goka.NewTopicManagerConfig()
	tables.Table.Replication = c.Replication
	p, err := goka.NewProcessor(c.Brokers, goka.DefineGroup(goka.Group(c.Prefix+"bare"),
		goka.Input(goka.Stream(topics.Events.Name), raw{}, each), goka.Persist(raw{})),
		goka.WithLogger(log.New(io.Discard, "", 0)),
		goka.WithStorageBuilder(storage.DefaultBuilder(b.TempDir())),
		goka.WithConsumerGroupBuilder(goka.ConsumerGroupBuilderWithConfig(config())),
		goka.WithConsumerSaramaBuilder(goka.SaramaConsumerBuilderWithConfig(config())),
		goka.WithProducerBuilder(goka.ProducerBuilderWithConfig(config())),
		goka.WithTopicManagerBuilder(goka.TopicManagerBuilderWithConfig(config(), tables)))
	require.NoError(b, err)
	ctx, cancel := context.WithCancel(b.Context())
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	require.NoError(b, p.WaitForReadyContext(b.Context()))
	wait := func(ctx context.Context, partition int32, offset int64) error {
		for done[partition].Load() < offset {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case err := <-ended:
				return fmt.Errorf("the bare processor ended: %w", err)
			case <-time.After(time.Millisecond):
			}
		}
		return nil
	}
	return wait, func() {
		cancel()
		require.NoError(b, <-ended)
		require.NoError(b, db.Close())
	}
}

// raw is the codec of what stays as it is.
type raw struct{}

func (raw) Encode(v any) ([]byte, error)    { return v.([]byte), nil }
func (raw) Decode(data []byte) (any, error) { return data, nil }

// silent keeps Pebble from logging.
type silent struct{}

func (silent) Infof(string, ...any)  {}
func (silent) Errorf(string, ...any) {}
func (silent) Fatalf(format string, args ...any) {
	panic(fmt.Sprintf(format, args...))
}
