package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/IBM/sarama"
	"github.com/spf13/cobra"

	"github.com/vigil-cds/vigil/internal/broker"
	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/processor"
	"github.com/vigil-cds/vigil/rules"
)

func (a *app) replayCommand() *cobra.Command {
	var path, prefix, until string
	var from *siteFlags
	c := &cobra.Command{
		Use:   "replay [--rules PATH] DATA | FILE…",
		Short: "Play a log again and print what fires and clears",
		Long: `Plays the log in the data directory of a service that is not running, or files as vigil eval takes them,
through the engine in memory, and prints each transition at the instant at which it happens. With
--rules these rules hold from the beginning in place of those in the log. Nothing is written.`,
		Example: `  vigil replay vigil-data --rules new-packs/
  vigil replay --rules packs/ --until 2026-04-01T00:00:00Z export.ndjson.gz
  vigil replay vigil-data --output json > transitions.ndjson`,
		Args: some("DATA or FILE"),
		RunE: func(c *cobra.Command, args []string) error {
			own, err := from.load()
			if err != nil {
				return err
			}
			r := &playback{app: a, site: own}
			if until != "" {
				t, err := time.Parse(time.RFC3339Nano, until)
				if err != nil {
					return misused("--until %s: write it as 2026-03-01T10:00:00Z", until)
				}
				r.until = clinical.At(t)
			}
			if path != "" {
				if r.set, err = own.rules(path); err != nil {
					return err
				}
			}
			if len(args) == 1 && isDataDir(args[0]) {
				err = r.log(c.Context(), args[0], prefix)
			} else if _, _, missing := expand(args); missing != nil {
				return missing
			} else if r.set == nil {
				return misused("replay of files needs --rules: name a rule pack or a directory of them; without, name the --data directory of a service")
			} else {
				err = r.files(c.Context(), args)
			}
			if err == nil && !a.json() {
				fmt.Fprintf(a.stderr, "%d records, %d fired, %d cleared\n", r.records, r.fired, r.cleared)
			}
			return err
		},
	}
	c.Flags().StringVar(&path, "rules", "", "rule pack, or directory of packs and value sets (default: those in the log)")
	c.Flags().StringVar(&until, "until", "", "let time pass until this instant after the last record")
	from = addSiteFlags(c, siteKeys...)
	c.Flags().StringVar(&prefix, "prefix", "vigil-", "what the topics' names begin with")
	return c
}

// isDataDir says whether a path is the data directory of a service with its own broker.
func isDataDir(path string) bool {
	info, err := os.Stat(brokerDir(path))
	return err == nil && info.IsDir()
}

// playback plays records through an engine in memory, one for each partition of the log.
type playback struct {
	app   *app
	site  site
	set   *rules.Set       // nil: the activations in the log
	until clinical.Instant // 0: the last record

	records, fired, cleared int
	err                     error // of printing
}

// memory starts the engine of one partition.
func (r *playback) memory() (*memory, error) {
	return newMemory(r.site, r.set, processor.Observer{Transition: r.print})
}

func (r *playback) print(t *processor.Transition) {
	if t.Kind == processor.Fired {
		r.fired++
	} else {
		r.cleared++
	}
	if r.app.json() {
		r.err = errors.Join(r.err, r.app.printJSON(t))
		return
	}
	_, err := fmt.Fprintf(r.app.stdout, "%s %-7s %-8s %s %s by %s\n", clinical.At(t.At), t.Kind, t.Severity, t.Rule, t.Patient, t.Cause.Kind)
	r.err = errors.Join(r.err, err)
}

// play applies one record. Activations in the log give way to the set that was asked for.
func (r *playback) play(ctx context.Context, m *memory, rec *clinical.Record) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if rec.Activation != nil && r.set != nil {
		return nil
	}
	r.records++
	return errors.Join(m.apply(rec), r.err)
}

// end lets time pass after the last record.
func (r *playback) end(ctx context.Context, m *memory) error {
	if r.until == 0 {
		return nil
	}
	return r.play(ctx, m, &clinical.Record{Recorded: r.until, EventOffset: -1, Tick: true})
}

func (r *playback) files(ctx context.Context, names []string) (err error) {
	said := newStatements(r.site, clinical.At(time.Now()))
	if err := said.read(names, r.app.stdin); err != nil {
		return err
	}
	m, err := r.memory()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.close()) }()
	for i := range said.records {
		if err := r.play(ctx, m, &said.records[i]); err != nil {
			return err
		}
	}
	if err := r.end(ctx, m); err != nil {
		return err
	}
	if said.refused.refused > 0 {
		result := said.refused.summary(0)
		result.print(r.app.stderr)
		return errReported
	}
	return nil
}

// log plays the facts log that a service kept under its data directory.
func (r *playback) log(ctx context.Context, data, prefix string) (err error) {
	b, err := broker.Start(brokerDir(data), broker.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	settings := sarama.NewConfig()
	settings.Consumer.Return.Errors = true
	client, err := sarama.NewClient([]string{b.Addr()}, settings)
	if err != nil {
		return fmt.Errorf("reading the log: %w", err)
	}
	defer client.Close()
	topic := processor.Config{Prefix: prefix}.Fill().Topics().Facts.Name
	partitions, err := client.Partitions(topic)
	if err != nil {
		return fmt.Errorf("reading the log: %w; it has no topic %s: is --prefix right?", err, topic)
	}
	consumer, err := sarama.NewConsumerFromClient(client)
	if err != nil {
		return fmt.Errorf("reading the log: %w", err)
	}
	defer consumer.Close()
	for _, partition := range partitions {
		end, err := client.GetOffset(topic, partition, sarama.OffsetNewest)
		if err == nil && end > 0 {
			err = r.partition(ctx, consumer, topic, partition, end)
		}
		if err != nil {
			return fmt.Errorf("replaying partition %d: %w", partition, err)
		}
	}
	return nil
}

func (r *playback) partition(ctx context.Context, consumer sarama.Consumer, topic string, partition int32, end int64) (err error) {
	m, err := r.memory()
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, m.close()) }()
	in, err := consumer.ConsumePartition(topic, partition, sarama.OffsetOldest)
	if err != nil {
		return err
	}
	// AsyncClose and not Close: that would wait for messages that nobody reads any more.
	defer in.AsyncClose()
	for next := int64(0); next < end; {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case failed := <-in.Errors():
			return failed
		case message := <-in.Messages():
			next = message.Offset + 1
			rec, err := clinical.UnmarshalRecord(message.Value)
			if err != nil {
				continue // what cannot be read was a dead letter to the service, too
			}
			if err := r.play(ctx, m, rec); err != nil {
				return err
			}
		}
	}
	return r.end(ctx, m)
}
