package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/vigil-cds/vigil/config"
	"github.com/vigil-cds/vigil/internal/bench"
	"github.com/vigil-cds/vigil/processor"
	"github.com/vigil-cds/vigil/store"
)

// benchRecovery loses the store of a service that has taken the workload in, and then one partition of it.
func (a *app) benchRecovery(ctx context.Context, c config.Config, w *bench.Workload, o benchOptions) (*bench.Recovery, error) {
	at := filepath.Join(c.Data, "store")
	if err := os.RemoveAll(at); err != nil {
		return nil, fmt.Errorf("losing the store: %w", err)
	}
	progress := a.benchProgress()
	var measured *bench.Recovery
	err := withEngine(ctx, c, func(e *engine, began time.Time) error {
		if err := e.processor.WaitReady(ctx); err != nil {
			return err
		}
		took := time.Since(began)
		var records int64
		for _, p := range e.processor.Partitions() {
			records += p.At + 1
		}
		got, err := bench.CheckRecovery(w, bench.Recovered{Engine: e.benched(), Took: took, Records: records}, bench.Options{Progress: progress})
		measured = got
		return err
	})
	if err != nil {
		return nil, err
	}
	lost := int32(c.Kafka.Partitions - 1)
	for range o.pairs {
		if err := losePartition(at, lost); err != nil {
			return nil, err
		}
		err := withEngine(ctx, c, func(e *engine, _ time.Time) error {
			for n := range lost {
				if err := waitPartition(ctx, e.processor, n); err != nil {
					return err
				}
			}
			return measured.RunBesideRecovery(ctx, w, e.benched(), lost, func(ctx context.Context) error { return waitPartition(ctx, e.processor, lost) })
		})
		if err != nil {
			return nil, err
		}
	}
	return measured, nil
}

// withEngine runs f with a service over what is there, and the time at which it was started.
func withEngine(ctx context.Context, c config.Config, f func(*engine, time.Time) error) error {
	began := time.Now()
	e, err := startEngine(ctx, c, slog.New(slog.DiscardHandler))
	if err != nil {
		return err
	}
	return errors.Join(f(e, began), e.close())
}

// benched is the engine as the measurements use it.
func (e *engine) benched() bench.Engine {
	return bench.Engine{Write: e.writer.Write, Store: e.store, Partition: e.partition,
		Reader: store.NewReader(e.store, store.ReaderOptions{Plan: e.sets.Plan, Partition: e.partition})}
}

func losePartition(at string, n int32) error {
	s, err := store.Open(at, store.Options{Memory: store.MinMemory})
	if err != nil {
		return err
	}
	p, err := s.Partition(n)
	if err == nil {
		err = p.Drop()
	}
	return errors.Join(err, s.Close())
}

// waitPartition returns when the partition is answered for.
func waitPartition(ctx context.Context, p *processor.Processor, n int32) error {
	every := time.NewTicker(time.Millisecond)
	defer every.Stop()
	for !p.Ready(n) {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-every.C:
		}
	}
	return nil
}
