package bench

import (
	"context"
	"errors"
	"fmt"
	"math/rand"
	"slices"
	"time"

	"github.com/vigil-cds/vigil/internal/clinical"
)

// Recovery is how fast a lost disk comes back from the log, and what the return of one partition costs the
// others.
type Recovery struct {
	Records      int64         `json:"records"` // of the facts log
	Took         time.Duration `json:"tookNanos"`
	PerSecond    float64       `json:"recordsPerSecond"`
	Observations float64       `json:"observationsPerSecond"`

	// One partition came back, time and again, beside a live ward in the others.
	Lost   int32    `json:"lostPartition"`
	Rounds []Return `json:"rounds"`

	// While it came back to as long after, medians of the rounds.
	ReadP99 float64 `json:"readP99Ratio"`
	LagP50  float64 `json:"lagP50Ratio"`
	LagP99  float64 `json:"lagP99Ratio"`
}

// Return is one return of the lost partition.
type Return struct {
	Back   time.Duration `json:"nanos"`
	During LivePhase     `json:"during"`
	After  LivePhase     `json:"after"` // as long as it took
}

// LivePhase is a stretch of live work.
type LivePhase struct {
	Read Latency `json:"read"` // in this process, hot
	Lag  Latency `json:"lag"`  // from a write's acknowledgement until its state can be read
}

// Recovered is what RunRecovery is told of an engine whose store was lost.
type Recovered struct {
	Engine
	Took    time.Duration // until every partition was answered for
	Records int64         // that were replayed
}

// CheckRecovery says how fast the whole log was replayed, once every answer is found to be right.
func CheckRecovery(w *Workload, e Recovered, o Options) (*Recovery, error) {
	if o.Progress == nil {
		o.Progress = func(string, int, int) {}
	}
	if err := new(Report).check(w, e.Engine, o); err != nil {
		return nil, fmt.Errorf("after the recovery: %w", err)
	}
	seconds := e.Took.Seconds()
	return &Recovery{Records: e.Records, Took: e.Took, PerSecond: float64(e.Records) / seconds, Observations: float64(len(w.Facts)) / seconds}, nil
}

// RunBesideRecovery plays a live ward in the other partitions until the lost one is back, and then as long
// again. back waits until it is.
func (r *Recovery) RunBesideRecovery(ctx context.Context, w *Workload, e Engine, lost int32, back func(context.Context) error) error {
	r.Lost = lost
	round := Return{}
	live := &liveWard{w: w, e: e, random: rand.New(rand.NewSource(5)), clock: Instants[2] + clinical.Instant(len(r.Rounds)+1)*hour}
	for p := range int32(w.Patients) {
		if e.Partition(PatientID(p)) != lost {
			live.patients = append(live.patients, p)
		}
	}
	if len(live.patients) == 0 {
		return fmt.Errorf("every patient is in partition %d: take more patients or more partitions", lost)
	}
	if _, err := live.write(ctx); err != nil { // once they are there for it
		return err
	}
	began := time.Now()
	during, cancel := context.WithTimeout(ctx, time.Hour)
	defer cancel()
	waited := make(chan error, 1)
	go func() {
		err := back(during)
		round.Back = time.Since(began)
		cancel()
		waited <- err
	}()
	first, err := live.phase(during, time.Hour)
	cancel()
	if err := errors.Join(err, <-waited); err != nil {
		return err
	}
	second, err := live.phase(ctx, max(round.Back, time.Second))
	round.During, round.After = LivePhase{first.Read, first.Lag}, LivePhase{second.Read, second.Lag}
	r.Rounds = append(r.Rounds, round)
	r.compare()
	return err
}

// compare makes the medians.
func (r *Recovery) compare() {
	median := func(f func(LivePhase) time.Duration) float64 {
		var during, after []time.Duration
		for _, round := range r.Rounds {
			during, after = append(during, f(round.During)), append(after, f(round.After))
		}
		slices.Sort(during)
		slices.Sort(after)
		return float64(during[len(during)/2]) / float64(max(after[len(after)/2], 1))
	}
	r.ReadP99 = median(func(p LivePhase) time.Duration { return p.Read.P99 })
	r.LagP50 = median(func(p LivePhase) time.Duration { return p.Lag.P50 })
	r.LagP99 = median(func(p LivePhase) time.Duration { return p.Lag.P99 })
}
