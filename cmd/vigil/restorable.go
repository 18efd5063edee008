package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/IBM/sarama"
	"github.com/spf13/pflag"

	"github.com/vigil-cds/vigil/config"
	"github.com/vigil-cds/vigil/explain/archive"
	"github.com/vigil-cds/vigil/internal/backup"
	"github.com/vigil-cds/vigil/processor"
	"github.com/vigil-cds/vigil/store"
)

// readable says whether this program reads the databases of a backup.
func readable(m *backup.Manifest) error {
	for _, of := range []struct {
		name      string
		has, want uint64
	}{{"store", m.Store, store.Version}, {"explain archive", m.Explain, archive.Version}} {
		if of.has != 0 && of.has != of.want {
			return fmt.Errorf("%w: the %s of %s has version %d, this program reads %d: restore and run it with vigil %s, or start with an empty directory, which is filled from the log",
				backup.ErrFormat, of.name, m.ID, of.has, of.want, m.Vigil)
		}
	}
	return nil
}

// hasLog says whether the cluster, where one is named, has the log from which the backup's state was made,
// all of it.
func hasLog(ctx context.Context, flags *pflag.FlagSet, m *backup.Manifest) (err error) {
	c, err := config.Load(config.Sources{Environ: os.Environ(), Flags: flags})
	if err != nil || len(c.Kafka.Brokers) == 0 {
		return err
	}
	log := processor.Config{Brokers: c.Kafka.Brokers, Prefix: c.Kafka.Prefix}.Fill()
	if log.Channel, err = kafkaChannel(&c.Kafka); err != nil {
		return err
	}
	settings, err := log.ClientConfig("restore")
	if err != nil {
		return err
	}
	if err := log.Channel.Check(ctx, log.Brokers, settings); err != nil {
		return err
	}
	client, err := processor.NewClient(log.Brokers, settings)
	if err != nil {
		return fmt.Errorf("looking for the log: %w: %w", processor.ErrLogUnavailable, err)
	}
	defer func() { err = errors.Join(err, client.Close()) }()
	return sameLog(ctx, client, log.Topics(), m)
}

func sameLog(ctx context.Context, client sarama.Client, topics processor.Topics, m *backup.Manifest) error {
	const instead = "name the brokers and the topic prefix that the backup belongs to; if its log is gone, the state cannot go on: start with an empty directory, which is filled from the log that there is"
	name := topics.Facts.Name
	partitions, err := client.Partitions(name)
	if errors.Is(err, sarama.ErrUnknownTopicOrPartition) {
		return fmt.Errorf("%w: the brokers have no topic %s: %s", processor.ErrLogLost, name, instead)
	}
	if err != nil {
		return fmt.Errorf("looking at topic %s: %w: %w", name, processor.ErrLogUnavailable, err)
	}
	if m.Log.Partitions != 0 && m.Log.Partitions != len(partitions) {
		return fmt.Errorf("%w: topic %s has %d partitions and the backup is of one with %d: %s", processor.ErrOtherLog, name, len(partitions), m.Log.Partitions, instead)
	}
	id, err := topics.LogID(ctx, client)
	if err != nil {
		return err
	}
	if m.Log.ID != "" && id != "" && m.Log.ID != id {
		return fmt.Errorf("%w: topic %s has the id %s and the backup is of %s: %s", processor.ErrOtherLog, name, id, m.Log.ID, instead)
	}
	for _, p := range m.Positions {
		if int(p.Partition) >= len(partitions) {
			return fmt.Errorf("%w: topic %s has %d partitions and the backup has partition %d: %s", processor.ErrOtherLog, name, len(partitions), p.Partition, instead)
		}
		end, err := client.GetOffset(name, p.Partition, sarama.OffsetNewest)
		if err != nil {
			return fmt.Errorf("finding the end of topic %s: %w: %w", name, processor.ErrLogUnavailable, err)
		}
		if p.Facts >= end {
			return fmt.Errorf("%w: partition %d of the backup has applied %d, the log ends at %d: %s", processor.ErrLogLost, p.Partition, p.Facts, end-1, instead)
		}
		oldest, err := client.GetOffset(name, p.Partition, sarama.OffsetOldest)
		if err != nil {
			return fmt.Errorf("finding the start of topic %s: %w: %w", name, processor.ErrLogUnavailable, err)
		}
		if p.Facts+1 < oldest {
			return fmt.Errorf("%w: partition %d of the backup needs %d, the log starts at %d: restore a newer backup, and set retention.ms=-1 on the topic", processor.ErrLogTruncated, p.Partition, p.Facts+1, oldest)
		}
	}
	return nil
}
