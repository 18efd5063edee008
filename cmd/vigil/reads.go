package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/vigil-cds/vigil/internal/api"
	"github.com/vigil-cds/vigil/pointer"
	"github.com/vigil-cds/vigil/processor"
	"github.com/vigil-cds/vigil/rules"
	"github.com/vigil-cds/vigil/store"
)

// reads answers what the HTTP service asks from the store of this process, as far as this process has
// something to answer from: the partitions that it owns and has caught up with, and copies of others.
type reads struct {
	engine *engine
	reader *store.Reader // nil without the rules role
}

// has says what this process has of the partition, or why it cannot answer.
func (r *reads) has(partition int32) (processor.Copy, error) {
	if r.reader == nil {
		return processor.Copy{}, api.ErrNotServed
	}
	has, ok := r.engine.processor.Copy(partition)
	if !ok {
		return has, api.ErrCatchingUp
	}
	return has, nil
}

// behind turns the error of a copy that has not reached a position into the one that is true of copies.
func behind(has processor.Copy, err error) error {
	if errors.Is(err, store.ErrNotReached) && !has.Owned {
		return fmt.Errorf("%w: %w", api.ErrCopyBehind, err)
	}
	return err
}

// Active implements api.Reader.
func (r *reads) Active(ctx context.Context, patient string, o store.ReadOptions) (store.Answer, error) {
	partition := r.engine.partition(patient)
	has, err := r.has(partition)
	if err != nil {
		return store.Answer{}, err
	}
	answer, err := r.reader.Active(ctx, patient, o)
	if !has.Owned {
		// It may have become the owner's while the position was waited for.
		if has, err := r.has(partition); err != nil || !has.Owned {
			answer.Copy = &store.Copy{Behind: has.Behind, Heard: has.Heard.UTC()}
		}
	}
	return answer, behind(has, err)
}

// Whole implements api.Reader.
func (r *reads) Whole(ctx context.Context, patient string, o store.ReadOptions) (store.Reading, error) {
	has, err := r.has(r.engine.partition(patient))
	if err != nil {
		return store.Reading{}, err
	}
	reading, err := r.reader.Whole(ctx, patient, o)
	return reading, behind(has, err)
}

// Owners implements api.Owners over what this process has.
func (r *reads) Owners(ctx context.Context, resources []string) (api.Owned, error) {
	owned := api.Owned{Patients: make(map[string]string)}
	if r.reader == nil {
		return owned, api.ErrNotServed
	}
	for n := range int32(r.engine.config.Partitions) {
		if _, ok := r.engine.processor.Copy(n); !ok {
			continue
		}
		for _, name := range resources {
			patient, ok, err := r.engine.store.Owner(n, name)
			if err != nil {
				return owned, err
			}
			if ok {
				owned.Patients[name] = patient
			}
		}
		if err := ctx.Err(); err != nil {
			return owned, err
		}
		owned.Partitions = append(owned.Partitions, n)
	}
	return owned, nil
}

// Plan implements api.Rules: that of the first partition that has one.
func (r *reads) Plan() *pointer.Plan {
	if r.reader == nil {
		return nil
	}
	for n := range int32(r.engine.config.Partitions) {
		p, err := r.engine.store.Partition(n)
		if err != nil {
			continue
		}
		if plan, err := r.engine.sets.Plan(p.State().RuleSet); err == nil && plan != nil {
			return plan
		}
	}
	return nil
}

// Activate implements api.Rules.
func (r *reads) Activate(ctx context.Context, set *rules.Set) (string, error) {
	if r.reader == nil {
		return "", api.ErrNotServed
	}
	set = set.With(r.engine.parameters)
	if err := r.engine.processor.Activate(ctx, set); err != nil {
		return "", fmt.Errorf("activating: %w", err)
	}
	return set.Hash(), nil
}
