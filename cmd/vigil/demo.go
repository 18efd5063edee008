package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/vigil-cds/vigil/config"
	"github.com/vigil-cds/vigil/internal/api"
	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/internal/ward"
	"github.com/vigil-cds/vigil/rules"
	"github.com/vigil-cds/vigil/rules/packs"
	"github.com/vigil-cds/vigil/store"
)

// demoOptions are the flags of `vigil demo`.
type demoOptions struct {
	patients, hours int
	seed            uint64
	listen          string // "": the usual address, or any free port when that is taken
	data            string // "": a temporary directory
	once            bool
	from            *siteFlags
}

func (a *app) demoCommand() *cobra.Command {
	var o demoOptions
	c := &cobra.Command{
		Use:   "demo",
		Short: "See it at work on a simulated ward",
		Long: `Starts the whole service in this process with the sample rule packs, lets a simulated ward stream in
as FHIR in simulated time, and shows what came of it: the worklist, a patient's answer as nothing but
time passes, and how long reads take. Then it keeps serving until it is interrupted.

The patients are invented and the sample packs are no clinical advice.`,
		Example: `  vigil demo
  vigil demo --once                    # end after the figures
  vigil demo --patients 1000 --hours 72 --data demo-data`,
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error { return a.demo(c.Context(), o) },
	}
	f := c.Flags()
	f.IntVar(&o.patients, "patients", 200, "beds of the ward")
	f.IntVar(&o.hours, "hours", 24, "how long to simulate")
	f.Uint64Var(&o.seed, "seed", 5, "every seed is another ward")
	f.StringVar(&o.listen, "listen", "", "address of the HTTP service (default: "+config.Default().Listen+", or a free port when that is taken)")
	f.StringVar(&o.data, "data", "", "directory to work in, which must be empty; it is kept (default: a temporary one)")
	o.from = addSiteFlags(c, siteKeys...)
	f.BoolVar(&o.once, "once", false, "end after the figures")
	return c
}

func (o *demoOptions) validate(a *app) error {
	switch {
	case a.json():
		return misused("vigil demo prints text only; vigil alerts and vigil bench take --output json")
	case o.patients < 1 || o.patients > 100_000:
		return misused("--patients %d: use 1 to 100000", o.patients)
	case o.hours < 1 || o.hours > 24*365:
		return misused("--hours %d: use 1 to %d", o.hours, 24*365)
	}
	return nil
}

// demo is one run of `vigil demo`.
type demo struct {
	*app
	demoOptions
	engine    *engine
	reader    *store.Reader
	url       string
	dir       string
	site      site
	now       clinical.Instant  // the end of the simulation
	patients  []string          // everyone who was on the ward, in order of arrival
	example   turn              // what the closing commands ask about
	explained api.WorklistAlert // and for an explanation of
}

func (a *app) demo(ctx context.Context, o demoOptions) (err error) {
	if err := o.validate(a); err != nil {
		return err
	}
	d := &demo{app: a, demoOptions: o, now: clinical.At(ward.DefaultStart.Add(time.Duration(o.hours) * time.Hour))}
	if d.site, err = o.from.load(); err != nil {
		return err
	}
	if err := d.directory(); err != nil {
		return err
	}
	if o.data == "" {
		defer func() { err = errors.Join(err, os.RemoveAll(d.dir)) }()
	}
	if err := d.run(ctx); err != nil && ctx.Err() != nil {
		return errors.New("stopped before the end")
	} else if err != nil {
		return err
	}
	return nil
}

// run is the demo in its directory.
func (d *demo) run(ctx context.Context) (err error) {
	began := time.Now()
	listener, err := d.listen()
	if err != nil {
		return err
	}
	d.url = "http://" + listener.Addr().String()
	stop, err := d.start(ctx, listener)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()

	for _, part := range []func(context.Context) error{d.takeIn, d.worklist, d.timeAlone, d.latency, d.explanation} {
		if err := part(ctx); err != nil {
			return err
		}
	}
	if d.once {
		d.printf("\nEnded after %.1f s.\n", time.Since(began).Seconds())
		return nil
	}
	d.invite()
	<-ctx.Done()
	return nil
}

// directory finds where to keep the log and the state.
func (d *demo) directory() (err error) {
	if d.data == "" {
		d.dir, err = os.MkdirTemp("", "vigil-demo-")
		return err
	}
	d.dir = d.data
	if held, err := os.ReadDir(d.dir); err == nil && len(held) > 0 {
		return misused("%s is not empty: name another directory; an earlier demo goes on with vigil serve --clock log --data %s",
			d.dir, d.dir)
	}
	return nil
}

func (d *demo) listen() (net.Listener, error) {
	address := d.demoOptions.listen
	if address == "" {
		address = config.Default().Listen
	}
	l, err := net.Listen("tcp", address)
	if err != nil && d.demoOptions.listen == "" {
		l, err = net.Listen("tcp", "127.0.0.1:0")
	}
	if err != nil {
		return nil, fmt.Errorf("listening: %w; choose another address with --listen", err)
	}
	return l, nil
}

// start runs the service with the sample packs active. What it returns stops everything again.
func (d *demo) start(ctx context.Context, listener net.Listener) (stop func() error, err error) {
	set := d.site.part(rules.NewSet(packs.Files()...))
	program, err := rules.Compile(set.Files, d.site.options())
	if err != nil {
		return nil, errors.Join(fmt.Errorf("compiling the sample packs: %w", err), listener.Close())
	}
	d.printf("Vigil demo: %d published rules, %d simulated patients, %d hours from %s UTC\n", len(program.Rules),
		d.demoOptions.patients, d.hours, ward.DefaultStart.Format("Monday 2 January 2006 15:04"))
	kept := "kept"
	if d.data == "" {
		kept = "removed at the end"
	}
	d.printf("%s, with its own broker; log and state in %s, %s\n", d.url, d.dir, kept)

	c := config.Default()
	c.Data, c.Clock = d.dir, config.ClockLog
	c.Zone, c.Units, c.Parameters = d.site.zone.String(), d.site.units, d.site.parameters
	logger := slog.New(slog.NewTextHandler(d.stderr, &slog.HandlerOptions{Level: slog.LevelError}))
	if d.engine, err = startEngine(ctx, c, logger); err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	d.reader = store.NewReader(d.engine.store, store.ReaderOptions{Plan: d.engine.sets.Plan, Partition: d.engine.partition})
	server := d.engine.server(c, logger)
	serving, cancel := context.WithCancel(ctx)
	served := make(chan error, 1)
	go func() { served <- server.Serve(serving, listener) }()
	stop = func() error {
		cancel()
		return errors.Join(<-served, d.engine.close())
	}
	if err := d.engine.processor.WaitReady(ctx); err != nil {
		return nil, errors.Join(err, stop())
	}
	if err := d.engine.processor.Activate(ctx, set); err != nil {
		return nil, errors.Join(err, stop())
	}
	return stop, nil
}

// invite says what to try while the service goes on.
func (d *demo) invite() {
	d.heading("Keeps serving on %s until Ctrl-C; try", d.url)
	d.printf("  curl '%s/v1/alerts?severity=critical&limit=5'\n", d.url)
	if d.example.patient != "" {
		d.printf("  curl '%s/v1/patients/%s/alerts?now=%s'\n", d.url, d.example.patient, d.example.at)
	} else {
		d.printf("  curl '%s/v1/patients/%s/alerts'\n", d.url, d.patients[0])
	}
	if x := d.explained; x.Patient != "" {
		d.printf("  vigil explain --server %s --at %s %s %s\n", d.url, clinical.At(x.Since), x.Patient, x.Rule)
	}
	d.printf("  curl -s %s/metrics | grep vigil_transitions_total\n", d.url)
	if d.data != "" {
		d.printf("Later: vigil serve --clock log --data %s\n", filepath.Clean(d.data))
	}
}
