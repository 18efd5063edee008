package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/vigil-cds/vigil/explain/archive"
	"github.com/vigil-cds/vigil/internal/api"
	"github.com/vigil-cds/vigil/store"
)

// checkpointsDir is where checkpoints lie in the data directory, so that they can be hard links.
const checkpointsDir = "checkpoints"

// checkpoints makes checkpoints of this process's databases, one at a time. It implements api.Checkpoints.
type checkpoints struct {
	engine *engine
	data   string

	mu   sync.Mutex
	here string // the id of the one that there is
}

// newCheckpoints removes what an earlier process left behind: it keeps the space of what is replaced.
func newCheckpoints(e *engine, data string) (*checkpoints, error) {
	if err := os.RemoveAll(filepath.Join(data, checkpointsDir)); err != nil {
		return nil, fmt.Errorf("removing old checkpoints: %w", err)
	}
	return &checkpoints{engine: e, data: data}, nil
}

// Create implements api.Checkpoints. The state of the explanations comes first: each may be behind the
// log, and never ahead of it.
func (c *checkpoints) Create(context.Context) (_ api.Checkpoint, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.here != "" {
		return api.Checkpoint{}, api.ErrBusy
	}
	made := api.Checkpoint{ID: strconv.FormatInt(time.Now().UnixMilli(), 36), Positions: []api.CheckpointPosition{}}
	made.Directory = filepath.ToSlash(filepath.Join(checkpointsDir, made.ID))
	dir := filepath.Join(c.data, checkpointsDir, made.ID)
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(dir))
		}
	}()
	if err := os.MkdirAll(filepath.Join(dir, "explain"), 0o700); err != nil {
		return api.Checkpoint{}, fmt.Errorf("making a checkpoint: %w", err)
	}
	made.Log = api.CheckpointLog{Prefix: c.engine.config.Prefix, Partitions: c.engine.config.Partitions}
	if x := c.engine.explanations; x != nil {
		made.Explain = archive.Version
		if made.Log.ID, err = x.archive.Log(); err != nil {
			return api.Checkpoint{}, err
		}
		if err := x.archive.Checkpoint(filepath.Join(dir, "explain", "archive")); err != nil {
			return api.Checkpoint{}, err
		}
		err := os.CopyFS(filepath.Join(dir, "explain", "divergences"), os.DirFS(filepath.Join(c.data, "explain", "divergences")))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return api.Checkpoint{}, fmt.Errorf("making a checkpoint of the divergences: %w", err)
		}
	}
	if c.engine.store != nil {
		made.Store = store.Version
		if made.Log.ID, err = c.engine.store.Log(); err != nil {
			return api.Checkpoint{}, err
		}
		states, err := c.engine.store.Checkpoint(filepath.Join(dir, "store"))
		if err != nil {
			return api.Checkpoint{}, err
		}
		made.Positions, made.RuleSet = positionsOf(states)
	}
	c.here = made.ID
	return made, nil
}

// positionsOf is how far the partitions have come that have come anywhere, and their rule set.
func positionsOf(states map[int32]store.State) (positions []api.CheckpointPosition, ruleSet string) {
	positions = []api.CheckpointPosition{}
	for n, s := range states {
		if s.Facts >= 0 {
			positions = append(positions, api.CheckpointPosition{Partition: n, Facts: s.Facts})
			ruleSet = s.RuleSet
		}
	}
	slices.SortFunc(positions, func(a, b api.CheckpointPosition) int { return int(a.Partition - b.Partition) })
	return positions, ruleSet
}

// Remove implements api.Checkpoints.
func (c *checkpoints) Remove(id string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if id == "" || id != c.here {
		return api.ErrNoCheckpoint
	}
	if err := os.RemoveAll(filepath.Join(c.data, checkpointsDir, id)); err != nil {
		return err
	}
	c.here = ""
	return nil
}
