package main

import (
	"context"
	"fmt"

	"github.com/vigil-cds/vigil/internal/api"
	"github.com/vigil-cds/vigil/pointer"
	"github.com/vigil-cds/vigil/rules"
	"github.com/vigil-cds/vigil/store"
)

// reads answers what the HTTP service asks from the store of this process, as far as this process is the
// one to ask: for the partitions that it owns and has caught up with.
type reads struct {
	engine *engine
	reader *store.Reader // nil without the rules role
}

func (r *reads) owned(partition int32) error {
	switch {
	case r.reader == nil:
		return api.ErrNotServed
	case !r.engine.processor.Ready(partition):
		return api.ErrCatchingUp
	}
	return nil
}

// Active implements api.Reader.
func (r *reads) Active(ctx context.Context, patient string, o store.ReadOptions) (store.Answer, error) {
	if err := r.owned(r.engine.partition(patient)); err != nil {
		return store.Answer{}, err
	}
	return r.reader.Active(ctx, patient, o)
}

// Whole implements api.Reader.
func (r *reads) Whole(ctx context.Context, patient string, o store.ReadOptions) (store.Reading, error) {
	if err := r.owned(r.engine.partition(patient)); err != nil {
		return store.Reading{}, err
	}
	return r.reader.Whole(ctx, patient, o)
}

// Owner implements api.Owners.
func (r *reads) Owner(resource string) (string, bool, error) {
	if r.reader == nil {
		return "", false, api.ErrNotServed
	}
	return r.engine.store.Owner(resource)
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
