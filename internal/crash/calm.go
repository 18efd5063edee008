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
func NewCalm(log []clinical.Record) (_ *Calm, err error) {
	c := &Calm{log: log, sets: processor.NewRuleSets(rules.CompileOptions{}, nil)}
	s, err := store.Open("store", store.Options{FS: vfs.NewMem(), Memory: memory})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	p, err := s.Partition(0)
	if err != nil {
		return nil, err
	}
	machine, err := processor.NewMachine(0, p, c.sets, processor.Observer{})
	if err != nil {
		return nil, err
	}
	for i := range log {
		if err := machine.Apply(&log[i], int64(i), nil); err != nil {
			return nil, fmt.Errorf("record %d, undisturbed: %w", i, err)
		}
		held, err := contentsOf(p)
		if err != nil {
			return nil, err
		}
		c.after = append(c.after, moment{held, p.State().Sweeping})
	}
	c.alerts, err = p.Pending(int(p.State().Outbox))
	return c, err
}
