package api

import (
	"context"
	"errors"
	"net/http"
)

// Checkpoint is the databases of a process as they were at one time, in a directory beside them.
type Checkpoint struct {
	ID        string               `json:"id"`
	Directory string               `json:"directory"`         // in the data directory
	Store     uint64               `json:"store,omitempty"`   // version of the store's format, when there is a store
	Explain   uint64               `json:"explain,omitempty"` // and of the explain archive's
	RuleSet   string               `json:"ruleSet,omitempty"`
	Log       CheckpointLog        `json:"log"`
	Positions []CheckpointPosition `json:"positions"`
}

// CheckpointLog is the log from which the databases are made.
type CheckpointLog struct {
	ID         string `json:"id,omitempty"` // of the facts topic, of brokers that give one
	Prefix     string `json:"prefix"`
	Partitions int    `json:"partitions"`
}

// CheckpointPosition is how far a partition had come, at the least.
type CheckpointPosition struct {
	Partition int32 `json:"partition"`
	Facts     int64 `json:"facts"`
}

// Checkpoints makes checkpoints, for vigil backup, and removes them. It is safe for concurrent use.
type Checkpoints interface {
	Create(ctx context.Context) (Checkpoint, error) // ErrBusy while there is one
	Remove(id string) error                         // ErrNoCheckpoint
}

var (
	// ErrBusy is returned while another checkpoint is in use.
	ErrBusy = errors.New("api: another checkpoint is there")
	// ErrNoCheckpoint is returned for a checkpoint that is not there.
	ErrNoCheckpoint = errors.New("api: no such checkpoint")
)

func (s *Server) postCheckpoint(w http.ResponseWriter, r *http.Request) {
	made, err := s.options.Checkpoints.Create(r.Context())
	switch {
	case errors.Is(err, ErrBusy):
		refuse(http.StatusConflict, "checkpoint-in-use", "conflict", "another backup is being made",
			"wait for it; one that was left behind is removed with DELETE, or when the service starts").write(w, false)
	case err != nil:
		s.failed(r, "making a checkpoint", err)
		refuse(http.StatusInternalServerError, "no-checkpoint", "exception", "the checkpoint could not be made",
			"see the service's log; is its disk full?").write(w, false)
	default:
		writeJSON(w, http.StatusCreated, made)
	}
}

func (s *Server) deleteCheckpoint(w http.ResponseWriter, r *http.Request) {
	err := s.options.Checkpoints.Remove(r.PathValue("id"))
	switch {
	case errors.Is(err, ErrNoCheckpoint):
		refuse(http.StatusNotFound, "no-such-checkpoint", "not-found", "there is no such checkpoint", "it may be removed already").write(w, false)
	case err != nil:
		s.failed(r, "removing a checkpoint", err)
		refuse(http.StatusInternalServerError, "checkpoint-stays", "exception", "the checkpoint could not be removed", "see the service's log").write(w, false)
	default:
		w.WriteHeader(http.StatusNoContent)
	}
}

// noCheckpoints is for a process that keeps nothing.
type noCheckpoints struct{}

func (noCheckpoints) Create(context.Context) (Checkpoint, error) {
	return Checkpoint{Positions: []CheckpointPosition{}}, nil
}

func (noCheckpoints) Remove(string) error { return nil }
