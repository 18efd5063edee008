package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"time"

	"github.com/vigil-cds/vigil/config"
	"github.com/vigil-cds/vigil/explain/archive"
	"github.com/vigil-cds/vigil/explain/record"
	"github.com/vigil-cds/vigil/explain/replay"
	"github.com/vigil-cds/vigil/explain/service"
	"github.com/vigil-cds/vigil/internal/api"
	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/processor"
	"github.com/vigil-cds/vigil/rules"
)

// explanations is the explain role of this process: its archive, what follows the log into it, and the
// desk that answers from it. It implements api.Explanations.
type explanations struct {
	*replay.Desk
	archive    *archive.Archive
	service    *service.Service
	partitions int
}

// startExplaining opens the archive under the data directory and follows the log, as far as the lag of the
// live rules lets it. The topics must be there.
func (e *engine) startExplaining(ctx context.Context, c config.Config, zone *time.Location, lag func() int64, logger *slog.Logger) (err error) {
	x := &explanations{partitions: e.config.Partitions}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("starting the explain role: %w", err), x.close())
		}
	}()
	dir := filepath.Join(c.Data, "explain")
	// Half of the memory is Pebble's, half is for decoded patients.
	half := int64(c.Explain.Memory) / 2
	if x.archive, err = archive.Open(filepath.Join(dir, "archive"), archive.Options{Memory: half, Logger: logger, Registerer: e.registry, Fatal: halt}); err != nil {
		return err
	}
	sets := replay.NewSets(x.archive, rules.CompileOptions{Zone: zone, Units: c.Units})
	desk := replay.DeskOptions{Archive: x.archive, Sets: sets, Topic: e.config.Topics().Facts.Name, Partition: e.partition, Registerer: e.registry}
	if !e.simulated {
		desk.Now = func() clinical.Instant { return clinical.At(time.Now()) }
	}
	if x.Desk, err = replay.NewDesk(desk); err != nil {
		return err
	}
	deps := service.Deps{Archive: x.archive, Sets: sets, Divergences: filepath.Join(dir, "divergences"), LiveLag: lag, Logger: logger, Registerer: e.registry}
	x.service, err = service.Start(ctx, service.Config{Log: e.config, Rate: c.Explain.Rate, Share: float64(c.Explain.Share) / 100, MaxLag: int64(c.Explain.MaxLag), Batch: c.Explain.Batch,
		WindowFacts: c.Explain.WindowFacts, Memory: half, Grace: c.Explain.AuditGrace}, deps)
	if err != nil {
		return err
	}
	e.explanations = x
	return nil
}

func (x *explanations) close() error {
	var faults []error
	if x.service != nil {
		faults = append(faults, x.service.Close())
	}
	if x.archive != nil {
		faults = append(faults, x.archive.Close())
	}
	return errors.Join(faults...)
}

// behind turns the answers that a log not yet read to its end gives into the one that is true.
func (x *explanations) behind(err error) error {
	for _, early := range []error{replay.ErrUnknownPatient, replay.ErrNotYetKnown, replay.ErrNoRuleSet, replay.ErrUnknownRuleSet, replay.ErrUnknownPeriod} {
		if errors.Is(err, early) && !x.service.Ready() {
			return fmt.Errorf("%w: %w", api.ErrCatchingUp, err)
		}
	}
	return err
}

// joining is how long a question waits for this process to be given its partitions.
const joining = 3 * time.Second

// owned says whether this process is the one to ask about a patient.
func (x *explanations) owned(ctx context.Context, patient string) error {
	ctx, cancel := context.WithTimeout(ctx, joining)
	defer cancel()
	for {
		switch {
		case x.service.Follows(processor.Partition(patient, x.partitions)):
			return nil
		case len(x.service.Status().Partitions) > 0:
			return api.ErrNotServed
		}
		select {
		case <-ctx.Done(): // between two sessions of the group
			return api.ErrCatchingUp
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Explain implements api.Explanations.
func (x *explanations) Explain(ctx context.Context, q replay.Question) (*record.Explanation, error) {
	if err := x.owned(ctx, q.Patient); err != nil {
		return nil, err
	}
	e, err := x.Desk.Explain(ctx, q)
	return e, x.behind(err)
}

// Compare implements api.Explanations.
func (x *explanations) Compare(ctx context.Context, earlier, later replay.Question) (*record.Difference, error) {
	if err := x.owned(ctx, later.Patient); err != nil {
		return nil, err
	}
	d, err := x.Desk.Compare(ctx, earlier, later)
	return d, x.behind(err)
}

// Verify implements api.Explanations.
func (x *explanations) Verify(ctx context.Context, patient string) (record.Verification, error) {
	v, err := x.Desk.Verify(ctx, patient, x.partitions)
	return v, x.behind(err)
}

// Status implements api.Explanations.
func (x *explanations) Status() api.ExplanationsStatus {
	return api.ExplanationsStatus(x.service.Status())
}
