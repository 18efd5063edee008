package processor

import (
	"context"
	"errors"
	"fmt"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/rules"
)

// ErrNoRulesRole is returned by Activate of a process that does not run RoleRules.
var ErrNoRulesRole = errors.New("this process does not run the rules role")

// Activate makes the set the one that every partition uses from now on. It is compiled first: a set with
// faults is refused with all of them, and the one before goes on. Then it is published, and an activation
// record is appended to each partition of the facts log in which it is not active already. It returns
// when the log has them. After an error some partitions may have the record and others not: activate
// again.
func (p *Processor) Activate(ctx context.Context, set *rules.Set) error {
	r := p.rules
	if r == nil {
		return ErrNoRulesRole
	}
	activation := &clinical.Activation{Hash: set.Hash(), Files: set.Files}
	if _, err := r.sets.Add(activation); err != nil {
		return err
	}
	var missing []int32
	for _, o := range r.owners {
		active, err := r.active(ctx, o, activation.Hash)
		if err != nil {
			return fmt.Errorf("activating rule set %.12s: %w", activation.Hash, err)
		}
		if !active {
			missing = append(missing, o.partition)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	rec := &clinical.Record{Recorded: clinical.Never, EventOffset: -1, Activation: activation}
	if p.config.wall() {
		rec.Recorded = clinical.At(r.now())
	}
	body := rec.Marshal()
	records := []kgo.Record{{Topic: r.topics.RuleSets.Name, Key: []byte(activation.Hash), Value: body}}
	for _, n := range missing {
		records = append(records, kgo.Record{Topic: r.topics.Facts.Name, Key: []byte(controlKey(n)), Value: body})
	}
	// Published first: a set that is active anywhere can be looked up.
	for _, part := range [][]kgo.Record{records[:1], records[1:]} {
		if err := r.control.Write(ctx, part); err != nil {
			return fmt.Errorf("activating rule set %.12s: %w", activation.Hash, err)
		}
	}
	r.log.Info("rule set activated", "ruleSet", activation.Hash, "partitions", len(missing))
	return nil
}

// active says whether the set is the last one that the partition's log activates. What the state has not
// yet applied is looked at in the log.
func (r *rulesRole) active(ctx context.Context, o *owner, hash string) (bool, error) {
	state := o.store.State()
	end, err := r.client.GetOffset(r.topics.Facts.Name, o.partition, sarama.OffsetNewest)
	if err != nil {
		return false, fmt.Errorf("finding the end of the facts log: %w: %w", ErrLogUnavailable, err)
	}
	last := state.RuleSet
	if state.Facts >= end-1 {
		return last == hash, nil
	}
	from, err := r.client.GetOffset(r.topics.Facts.Name, o.partition, sarama.OffsetOldest)
	if err != nil {
		return false, fmt.Errorf("finding the start of the facts log: %w: %w", ErrLogUnavailable, err)
	}
	err = readRange(ctx, r.client, r.topics.Facts.Name, o.partition, max(from, state.Facts+1), end, func(m *sarama.ConsumerMessage) error {
		if rec, err := clinical.UnmarshalRecord(m.Value); err == nil && rec.Activation != nil {
			last = rec.Activation.Hash
		}
		return nil
	})
	return last == hash, err
}
