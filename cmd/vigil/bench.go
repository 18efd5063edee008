package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"sync/atomic"
	"text/tabwriter"
	"time"

	"github.com/prometheus/procfs"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/vigil-cds/vigil/config"
	"github.com/vigil-cds/vigil/internal/bench"
)

// benchOptions are the flags of `vigil bench`.
type benchOptions struct {
	patients, facts  int
	seed             int64
	perRequest       int
	reads, httpReads int
	data             string
	memory           config.Bytes
	profile          string

	cluster *pflag.FlagSet // where to keep the log in place of a broker inside

	explain       bool
	recovery      bool
	recoveryShare int
	explainShare  int
	pairs         int
	compile       int
	phase         time.Duration
}

func (a *app) benchCommand() *cobra.Command {
	o := benchOptions{memory: config.Default().Store.Memory, recoveryShare: config.Default().Store.RecoveryShare, explainShare: config.Default().Explain.Share}
	c := &cobra.Command{
		Use:   "bench",
		Short: "Measure this machine on the ward workload",
		Long: `Starts the whole service in a directory of its own, takes in a ward of patients in simulated time
through the log, of a broker inside or of a cluster that is named, where it wants a --kafka-prefix that no
log has yet; checks every answer of five rules at three instants against rules written by hand, and
times reads. No figure is printed unless every answer was right.`,
		Example: `  vigil bench
  vigil bench --patients 1000 --facts 1000 --output json
  vigil bench --compile 10000`,
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			if c.Flags().Changed("compile") {
				return a.benchCompile(o.compile)
			}
			return a.bench(c.Context(), o)
		},
	}
	f := c.Flags()
	f.IntVar(&o.patients, "patients", 10_000, "patients of the ward")
	f.IntVar(&o.facts, "facts", 100, "observations of each")
	f.Int64Var(&o.seed, "seed", 1, "of the workload's random numbers")
	f.IntVar(&o.perRequest, "per-request", 100_000, "observations that arrive together; those of one patient become one record; each request waits until the log has it on disk")
	f.IntVar(&o.reads, "reads", 200_000, "hot reads to time")
	f.IntVar(&o.httpReads, "http-reads", 5_000, "reads over HTTP to time")
	f.StringVar(&o.data, "data", "", "directory to work in, which must be empty; it is kept (default: a temporary one)")
	f.StringVar(&o.profile, "cpu-profile", "", "write a CPU profile of the intake and the reads to this file, for go tool pprof")
	f.Var(&o.memory, "memory", "what --store-memory of `vigil serve` is")
	f.IntVar(&o.explainShare, "explain-share", o.explainShare, "what --explain-share of `vigil serve` is")
	f.IntVar(&o.recoveryShare, "recovery-share", o.recoveryShare, "what --store-recovery-share of `vigil serve` is")
	f.IntVar(&o.compile, "compile", 0, "instead compile sets of up to so many rules; print the time, the heap, and how time grows with the number of rules")
	f.BoolVar(&o.explain, "explain", false, "then play a live ward without and with a replay by the explain role beside it, and compare")
	f.BoolVar(&o.recovery, "recovery", false, "then lose the store and measure its return from the log, of all of it and of one partition beside a live ward in the others")
	f.IntVar(&o.pairs, "pairs", 3, "with --explain: how many phases of each; with --recovery: how often a partition is lost")
	f.DurationVar(&o.phase, "phase", 5*time.Second, "with --explain: how long each is")
	o.cluster = pflag.NewFlagSet("cluster", pflag.ContinueOnError)
	config.AddFlags(o.cluster, kafkaKeys...)
	f.AddFlagSet(o.cluster)
	return c
}

// benched is what `vigil bench` reports.
type benched struct {
	*bench.Report
	Beside    *bench.Beside   `json:"beside,omitempty"`
	Recovery  *bench.Recovery `json:"recovery,omitempty"`
	Cores     int             `json:"cores"`
	Resident  int             `json:"residentBytes"` // of the whole process, the workload and the expected answers included
	StoreDisk int64           `json:"storeDiskBytes"`
	LogDisk   int64           `json:"logDiskBytes"`
}

func (a *app) bench(ctx context.Context, o benchOptions) (err error) {
	if o.patients < 1 || o.patients > 10_000_000 || o.facts < 1 || o.perRequest < 1 || o.reads < 1 || o.httpReads < 1 {
		return misused("patients (up to 10,000,000), facts, per-request, reads and http-reads are at least 1")
	}
	dir := o.data
	if dir == "" {
		if dir, err = os.MkdirTemp("", "vigil-bench"); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	} else if held, err := os.ReadDir(dir); err == nil && len(held) > 0 {
		return misused("%s is not empty: name a directory that is, or leave --data out", dir)
	}
	packs := filepath.Join(dir, "rules", "ward.yaml")
	if err := os.MkdirAll(filepath.Dir(packs), 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(packs, []byte(bench.Pack(1)), 0o600); err != nil {
		return err
	}
	c, err := config.Load(config.Sources{Environ: os.Environ(), Flags: o.cluster})
	if err != nil {
		return err
	}
	c.Data, c.Rules, c.Clock, c.Listen, c.Store.Memory = dir, packs, config.ClockLog, "127.0.0.1:0", o.memory
	c.Store.RecoveryShare, c.Explain.Share = o.recoveryShare, o.explainShare
	c.Roles = []string{config.RoleIntake, config.RoleRules}
	workload := bench.NewWorkload(o.patients, o.facts, o.seed)
	got, err := a.benchEngine(ctx, c, workload, o)
	if err != nil {
		return err
	}
	if o.recovery {
		if got.Recovery, err = a.benchRecovery(ctx, c, workload, o); err != nil {
			return err
		}
	}
	if a.json() {
		return a.printJSON(got)
	}
	return a.printBench(*got, o)
}

// benchEngine takes the workload into a service of its own, checks every answer and times reads.
func (a *app) benchEngine(ctx context.Context, c config.Config, workload *bench.Workload, o benchOptions) (_ *benched, err error) {
	logger := slog.New(slog.DiscardHandler)
	e, err := startEngine(ctx, c, logger)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, e.close()) }()
	listener, err := net.Listen("tcp", c.Listen)
	if err != nil {
		return nil, err
	}
	stop, cancel := context.WithCancel(ctx)
	served := make(chan error, 1)
	go func() { served <- e.server(c, logger).Serve(stop, listener) }()
	defer func() { cancel(); err = errors.Join(err, <-served) }()
	if err := e.processor.WaitReady(ctx); err != nil {
		return nil, err
	}

	progress := a.benchProgress()
	if o.profile != "" {
		f, err := os.Create(o.profile)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		if err := pprof.StartCPUProfile(f); err != nil {
			return nil, err
		}
		defer pprof.StopCPUProfile()
	}
	engine := e.benched()
	engine.URL = "http://" + listener.Addr().String()
	report, err := bench.Run(ctx, workload, engine, bench.Options{PerRequest: o.perRequest, Reads: o.reads, HTTPReads: o.httpReads, Progress: progress})
	if err != nil {
		return nil, err
	}
	got := &benched{Report: report, Cores: runtime.GOMAXPROCS(0)}
	if o.explain {
		if got.Beside, err = a.benchBeside(ctx, e, c, workload, engine, o, progress); err != nil {
			return nil, err
		}
	}
	debug.FreeOSMemory()
	if got.Resident, err = resident(); err != nil {
		return nil, err
	}
	if got.StoreDisk, err = diskUsed(filepath.Join(c.Data, "store")); err != nil {
		return nil, err
	}
	if e.broker != nil {
		if got.LogDisk, err = diskUsed(brokerDir(c.Data)); err != nil {
			return nil, err
		}
	}
	return got, nil
}

// benchBeside measures what a replay by the explain role costs the engine beside it.
func (a *app) benchBeside(ctx context.Context, e *engine, c config.Config, w *bench.Workload, b bench.Engine, o benchOptions, progress func(string, int, int)) (*bench.Beside, error) {
	var held atomic.Bool
	held.Store(true)
	lag := func() int64 {
		if held.Load() {
			return math.MaxInt64
		}
		return e.processor.Lag()
	}
	if err := e.startExplaining(ctx, c, time.UTC, lag, slog.New(slog.DiscardHandler)); err != nil {
		return nil, err
	}
	x := e.explanations.service
	for x.Behind() == 0 && ctx.Err() == nil {
		time.Sleep(10 * time.Millisecond) // until the group has given it the partitions
	}
	return bench.RunBeside(ctx, w, b, bench.Explaining{Hold: held.Store, Facts: x.Facts, Left: x.Behind}, o.pairs, o.phase, progress)
}

func (a *app) printBench(g benched, o benchOptions) error {
	w := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', 0)
	row := func(name, format string, args ...any) { fmt.Fprintf(w, "%s\t%s\n", name, fmt.Sprintf(format, args...)) }
	row("workload", "%d patients, %d observations, %d a request, %d records, on %d cores", g.Patients, g.Observations, o.perRequest, g.Records, g.Cores)
	row("answers", "%d checked, all as expected", g.Checked)
	row("intake", "%.0f observations/s until readable (%s)", g.PerSecond, g.Intake.Round(time.Millisecond))
	for _, l := range []struct {
		name string
		bench.Latency
	}{{"read, hot", g.Hot}, {"read, cold", g.Cold}, {"read, HTTP", g.HTTP}} {
		row(l.name, "p50 %s  p99 %s  (%d reads, in turn)", l.P50, l.P99, l.Reads)
	}
	if b := g.Beside; b != nil {
		for _, p := range b.Phases {
			what := "alone"
			if p.Explaining {
				what = "explaining"
			}
			row(what, "read p50 %s  p99 %s   apply lag p50 %s  p99 %s   %.0f facts/s explained", p.Read.P50, p.Read.P99, p.Lag.P50, p.Lag.P99, p.Facts)
		}
		row("explain costs", "read p99 x %.2f, apply lag p50 x %.2f, p99 x %.2f (medians), at %.0f facts/s", b.ReadP99, b.LagP50, b.LagP99, b.PerSecond)
	}
	if r := g.Recovery; r != nil {
		row("recovery", "%d records in %s: %.0f records/s, %.0f observations/s, every answer as before", r.Records, r.Took.Round(time.Millisecond), r.PerSecond, r.Observations)
		for _, round := range r.Rounds {
			live := func(what string, p bench.LivePhase) {
				row(what, "read p50 %s  p99 %s   apply lag p50 %s  p99 %s", p.Read.P50, p.Read.P99, p.Lag.P50, p.Lag.P99)
			}
			live(fmt.Sprintf("for %s, beside it", round.Back.Round(time.Millisecond)), round.During)
			live("and as long after", round.After)
		}
		row("recovery costs", "read p99 x %.2f, apply lag p50 x %.2f, p99 x %.2f (medians)", r.ReadP99, r.LagP50, r.LagP99)
	}
	row("resident", "%d MiB, the workload and its expected answers included", g.Resident>>20)
	row("disk", "store %d MiB, log %d MiB", g.StoreDisk>>20, g.LogDisk>>20)
	return w.Flush()
}

func resident() (int, error) {
	p, err := procfs.Self()
	if err != nil {
		return 0, nil // no /proc: not to be had on this system
	}
	s, err := p.Stat()
	if err != nil {
		return 0, fmt.Errorf("reading this process's memory: %w", err)
	}
	return s.ResidentMemory(), nil
}

func diskUsed(dir string) (total int64, err error) {
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) { // compacted away meanwhile
			return nil
		}
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err == nil {
			total += info.Size()
		}
		return err
	})
	return total, err
}

// benchProgress shows on a terminal which part is being measured and how far it is.
func (a *app) benchProgress() func(part string, done, total int) {
	if !isTerminal(a.stderr) {
		return nil
	}
	var shown time.Time
	return func(part string, done, total int) {
		if now := time.Now(); done == total || now.Sub(shown) > 200*time.Millisecond {
			shown = now
			fmt.Fprintf(a.stderr, "\r%-12s %3d %%\x1b[K", part, 100*done/max(total, 1))
			if done == total {
				fmt.Fprint(a.stderr, "\r\x1b[K")
			}
		}
	}
}
