package bench

import (
	"context"
	"fmt"
	"math/rand"
	randv2 "math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/vigil-cds/vigil/internal/clinical"
)

// Explaining is an explain role that catches up with the workload's log and can be held.
type Explaining struct {
	Hold  func(bool)   // stops it between two batches, or lets it go on
	Facts func() int64 // how many facts it has explained
	Left  func() int64 // how many records of the log it has yet to explain
}

// Phase is a stretch of live work, with or without explaining beside it.
type Phase struct {
	Explaining bool    `json:"explaining"`
	Read       Latency `json:"read"`  // in this process, hot
	Lag        Latency `json:"lag"`   // from a write's acknowledgement until its state can be read
	Facts      float64 `json:"facts"` // explained a second
}

// Beside is what explaining costs the engine: medians over the phases.
type Beside struct {
	Phases    []Phase `json:"phases"`
	ReadP99   float64 `json:"readP99Ratio"` // with to without
	LagP50    float64 `json:"lagP50Ratio"`
	LagP99    float64 `json:"lagP99Ratio"`
	PerSecond float64 `json:"factsPerSecond"`
}

const (
	liveEvery = 20 * time.Millisecond // between two writes
	liveFacts = 20                    // observations in each: a thousand a second
	readEvery = time.Millisecond
)

// RunBeside plays a live ward on top of the workload that was taken in, for pairs of phases without and
// with a replay of the whole log beside it.
func RunBeside(ctx context.Context, w *Workload, e Engine, x Explaining, pairs int, each time.Duration, progress func(string, int, int)) (*Beside, error) {
	if progress == nil {
		progress = func(string, int, int) {}
	}
	b := new(Beside)
	live := &liveWard{w: w, e: e, random: rand.New(rand.NewSource(5)), clock: Instants[2] + 1}
	if _, err := live.phase(ctx, each/2); err != nil { // warm
		return nil, err
	}
	for i := range 2 * pairs {
		progress("beside", i, 2*pairs)
		with := i%2 == 1
		x.Hold(!with)
		began, before := time.Now(), x.Facts()
		p, err := live.phase(ctx, each)
		if err != nil {
			return nil, err
		}
		p.Explaining = with
		p.Facts = float64(x.Facts()-before) / time.Since(began).Seconds()
		if with && x.Left() == 0 {
			return nil, fmt.Errorf("the replay was over before the phases were: take a larger workload, or fewer and shorter phases")
		}
		b.Phases = append(b.Phases, p)
	}
	progress("beside", 2*pairs, 2*pairs)
	median := func(with bool, f func(Phase) float64) float64 {
		var all []float64
		for _, p := range b.Phases {
			if p.Explaining == with {
				all = append(all, f(p))
			}
		}
		slices.Sort(all)
		return all[len(all)/2]
	}
	ratio := func(f func(Phase) float64) float64 { return median(true, f) / median(false, f) }
	b.ReadP99 = ratio(func(p Phase) float64 { return float64(p.Read.P99) })
	b.LagP50 = ratio(func(p Phase) float64 { return float64(p.Lag.P50) })
	b.LagP99 = ratio(func(p Phase) float64 { return float64(p.Lag.P99) })
	b.PerSecond = median(true, func(p Phase) float64 { return p.Facts })
	return b, nil
}

type liveWard struct {
	w        *Workload
	e        Engine
	random   *rand.Rand
	clock    clinical.Instant
	patients []int32 // those of the ward; none: all
}

// patient draws one by a number below its argument.
func (l *liveWard) patient(below func(int) int) int32 {
	if len(l.patients) == 0 {
		return int32(below(l.w.Patients))
	}
	return l.patients[below(len(l.patients))]
}

// phase writes a thousand observations a second and reads a thousand patients a second.
func (l *liveWard) phase(ctx context.Context, length time.Duration) (p Phase, err error) {
	ctx, cancel := context.WithTimeout(ctx, length)
	defer cancel()
	var reads []time.Duration
	var failed error
	var joined sync.WaitGroup
	now := l.clock
	joined.Go(func() {
		random := randv2.New(randv2.NewPCG(uint64(now), 7))
		every := time.NewTicker(readEvery)
		defer every.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-every.C:
			}
			id := PatientID(l.patient(random.IntN))
			began := time.Now()
			if _, err := l.e.Reader.Read(id, now); err != nil {
				failed = err
				return
			}
			reads = append(reads, time.Since(began))
		}
	})
	var lags []time.Duration
	every := time.NewTicker(liveEvery)
	defer every.Stop()
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
			continue
		case <-every.C:
		}
		lag, err := l.write(context.WithoutCancel(ctx))
		if err != nil {
			cancel()
			joined.Wait()
			return p, err
		}
		lags = append(lags, lag)
	}
	joined.Wait()
	return Phase{Read: spread(reads), Lag: spread(lags)}, failed
}

// write sends some observations and waits until all of them can be read.
func (l *liveWard) write(ctx context.Context) (time.Duration, error) {
	var facts []Fact
	for range liveFacts {
		l.clock++
		code := uint8(l.random.Intn(len(Codes)))
		facts = append(facts, Fact{Time: l.clock, Patient: l.patient(l.random.Intn), Code: code, Value: draw(l.random, code)})
	}
	positions, err := l.e.Write(ctx, request(facts))
	if err != nil {
		return 0, fmt.Errorf("writing beside the replay: %w", err)
	}
	acknowledged := time.Now()
	for _, p := range positions {
		part, err := l.e.Store.Partition(p.Partition)
		if err != nil {
			return 0, err
		}
		if err := part.Wait(ctx, -1, p.Offset); err != nil {
			return 0, err
		}
	}
	return time.Since(acknowledged), nil
}
