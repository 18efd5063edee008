package crash

import (
	"errors"
	"fmt"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/processor"
	"github.com/vigil-cds/vigil/rules"
	"github.com/vigil-cds/vigil/store"
)

// memory is of each store: the least, so that Pebble's own work is a part of what is interrupted.
const memory = store.MinMemory

// Calm is what a partition that is never disturbed makes of a log.
type Calm struct {
	log    []clinical.Record
	sets   *processor.RuleSets
	after  []moment // each record
	alerts []store.OutboxRecord
}

type moment struct {
	contents contents
	sweeping bool // patients are being moved to another rule set
}

// contents is what a partition holds, but for what the log alone does not decide, in the order of its keys.
type contents []entry

type entry struct{ family, key, value string }

func contentsOf(p *store.Partition) (all contents, err error) {
	err = p.Contents(func(e store.Entry) error {
		if e.Derived {
			all = append(all, entry{e.Family, string(e.Key), string(e.Value)})
		}
		return nil
	})
	return all, err
}

// differs says where two contents first differ; "" when they are the same.
func (c contents) differs(want contents) string {
	for i := range max(len(c), len(want)) {
		switch {
		case i >= len(c) || i < len(want) && want[i].key < c[i].key:
			return fmt.Sprintf("%s: %q is missing", want[i].family, want[i].key)
		case i >= len(want) || c[i].key < want[i].key:
			return fmt.Sprintf("%s: %q is too much", c[i].family, c[i].key)
		case c[i] != want[i]:
			return fmt.Sprintf("%s: %q holds\n  %x, want\n  %x", c[i].family, c[i].key, c[i].value, want[i].value)
		}
	}
	return ""
}

// NewCalm plays a log, whose offsets are its indexes, undisturbed.
func NewCalm(log []clinical.Record) (*Calm, error) {
	c := &Calm{log: log, sets: processor.NewRuleSets(rules.CompileOptions{}, nil)}
	err := play(0, c.sets, log, func(p *store.Partition) error {
		held, err := contentsOf(p)
		c.after = append(c.after, moment{held, p.State().Sweeping})
		if err == nil && len(c.after) == len(log) {
			c.alerts, err = alertsOf(p)
		}
		return err
	})
	return c, err
}

// play applies a log to an empty partition, and calls f after each record.
func play(partition int32, sets *processor.RuleSets, log []clinical.Record, f func(*store.Partition) error) (err error) {
	s, err := store.Open("store", store.Options{FS: vfs.NewMem(), Memory: memory})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	p, err := s.Partition(partition)
	if err != nil {
		return err
	}
	machine, err := processor.NewMachine(partition, p, sets, processor.Observer{})
	if err != nil {
		return err
	}
	for i := range log {
		if err := machine.Apply(&log[i], int64(i), nil); err != nil {
			return fmt.Errorf("record %d, undisturbed: %w", i, err)
		}
		if err := f(p); err != nil {
			return err
		}
	}
	return nil
}

// alertsOf is every alert of a partition from which none was sent.
func alertsOf(p *store.Partition) ([]store.OutboxRecord, error) {
	return p.Pending(int(p.State().Outbox))
}
