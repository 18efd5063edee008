package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/spf13/cobra"

	"github.com/vigil-cds/vigil/config"
	"github.com/vigil-cds/vigil/internal/api"
	"github.com/vigil-cds/vigil/internal/broker"
	"github.com/vigil-cds/vigil/internal/claim"
	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/internal/fhir"
	"github.com/vigil-cds/vigil/internal/source"
	"github.com/vigil-cds/vigil/internal/ucum"
	"github.com/vigil-cds/vigil/processor"
	"github.com/vigil-cds/vigil/rules"
	"github.com/vigil-cds/vigil/store"
)

func (a *app) serveCommand() *cobra.Command {
	var file string
	var print bool
	c := &cobra.Command{
		Use:   "serve",
		Short: "Run the service",
		Long: `Runs the service: takes FHIR over HTTP or from Kafka, applies the rules, and answers. Without
--brokers the log is kept by a broker in this process, under the data directory.

Settings come from defaults, a YAML file (--config, VIGIL_CONFIG), VIGIL_… variables and flags, the
later over the earlier; --print-config shows what holds, with every knob explained.`,
		Example: `  vigil serve --rules packs/
  vigil serve --config vigil.yaml --listen 127.0.0.1:9000
  vigil serve --print-config > vigil.yaml`,
		Args: noArguments,
		RunE: func(c *cobra.Command, _ []string) error {
			settings, err := config.Load(config.Sources{File: file, Environ: os.Environ(), Flags: c.Flags()})
			if err != nil {
				return err
			}
			if print {
				return settings.Print(a.stdout)
			}
			return a.serve(c.Context(), settings)
		},
	}
	c.Flags().StringVar(&file, "config", "", "YAML file with settings ["+config.FileVariable+"]")
	c.Flags().BoolVar(&print, "print-config", false, "print the settings that hold, and end")
	config.AddFlags(c.Flags())
	return c
}

// serve runs the service until ctx ends.
func (a *app) serve(ctx context.Context, c config.Config) (err error) {
	logger := newLogger(a.stderr, c.Log)
	listener, err := net.Listen("tcp", c.Listen)
	if err != nil {
		return fmt.Errorf("listening: %w; choose another address with --listen", err)
	}
	defer func() { _ = listener.Close() }() // the server has, if there came to be one
	c.Advertise = advertised(c, listener.Addr())
	if c.Advertise == "" && len(c.Kafka.Brokers) > 0 {
		logger.Warn("other instances cannot reach this one, and answer nothing about its patients; set advertise to the URL at which they can")
	}
	e, err := startEngine(ctx, c, logger)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.close()) }()
	server := e.server(c, logger)
	stop, cancel := context.WithCancel(ctx)
	defer cancel()
	defer e.wire.reopenOnHangup(logger)()
	served := make(chan error, 1)
	go func() { served <- server.Serve(stop, listener) }()
	if err := e.waitReady(ctx); err != nil {
		cancel()
		// Told to stop before it was ready: that is no failure.
		return errors.Join(<-served, ignore(err, processor.ErrNotReady))
	}
	if c.Rules == "" && e.ruleless() {
		logger.Warn("no rules are active; vigil rules activate PATH makes some active")
	}
	fmt.Fprintf(a.stdout, "listening on %s://%s\n", scheme(c), listener.Addr())
	if err := <-served; err != nil {
		return fmt.Errorf("serving: %w", err)
	}
	return nil
}

func ignore(err, target error) error {
	if errors.Is(err, target) {
		return nil
	}
	return err
}

func newLogger(w io.Writer, c config.Log) *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.Level)); err != nil {
		level = slog.LevelInfo // Validate admits the four that can be read
	}
	o := &slog.HandlerOptions{Level: level}
	if c.Format == config.FormatJSON {
		return slog.New(slog.NewJSONHandler(w, o))
	}
	return slog.New(slog.NewTextHandler(w, o))
}

// engine is the service without its HTTP: the broker, the store and the processors, and the ways to them.
type engine struct {
	registry     *prometheus.Registry
	sets         *processor.RuleSets
	decoder      *fhir.Decoder
	medications  *processor.Medications
	broker       *broker.Broker // nil with a cluster
	store        *store.Store   // nil without the rules role
	processor    *processor.Processor
	writer       *processor.Writer
	explanations *explanations  // nil without the explain role
	source       *source.Source // nil without the source role
	claims       *claim.Store
	cluster      *cluster
	checkpoints  *checkpoints
	wire         wire
	config       processor.Config
	simulated    bool
	parameters   config.Parameters // which every set that is activated here is given
}

// gcPercent lets the heap grow to three times what is live before it is collected. What lives long is
// small beside Pebble's own memory, and a stream makes much that lives shortly: intake is a tenth faster
// than at Go's 100. GOGC in the environment wins.
const gcPercent = 200

// startEngine opens everything under the data directory and starts the roles. On an error nothing is left
// running.
func startEngine(ctx context.Context, c config.Config, logger *slog.Logger) (_ *engine, err error) {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	zone, err := time.LoadLocation(c.Zone)
	if err != nil {
		return nil, fmt.Errorf("zone: %w", err)
	}
	var set *rules.Set
	if c.Rules != "" {
		if set, err = loadRules(c.Rules); err != nil {
			return nil, err
		}
		set = set.With(c.Parameters)
	}
	e := &engine{registry: prometheus.NewRegistry(), medications: processor.NewMedications(), simulated: c.Clock == config.ClockLog, parameters: c.Parameters}
	defer func() {
		if err != nil {
			err = errors.Join(err, e.close())
		}
	}()
	e.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	e.decoder = fhir.New(fhir.Options{Zone: zone, MaxDepth: c.Limits.Depth, MaxBytes: int(c.Limits.Body),
		MaxPatientID: c.Limits.PatientID, KnownUnit: knownUnits(c.Units), Medication: e.medications.Codes})
	e.config = processor.Config{Brokers: c.Kafka.Brokers, Prefix: c.Kafka.Prefix, Partitions: c.Kafka.Partitions,
		Replication: c.Kafka.Replication, Clock: c.Clock, Roles: processing(c.Roles), InstanceID: c.Kafka.Instance,
		URL: c.Advertise, Standby: c.Kafka.Standby, SessionTimeout: c.Kafka.SessionTimeout,
		AlertsRetention: c.Kafka.AlertsRetention, DeadLetterRetention: c.Kafka.DeadLetterRetention,
		ClaimWait: c.Claims.Wait, Tiered: c.Kafka.Tiered, LocalRetention: c.Kafka.LocalRetention, RecoveryShare: float64(c.Store.RecoveryShare) / 100}.Fill()
	if e.config.Channel, err = kafkaChannel(&c.Kafka); err != nil {
		return nil, err
	}
	if len(c.Kafka.Brokers) == 0 {
		if e.broker, err = broker.Start(brokerDir(c.Data), broker.Options{Port: c.Kafka.Listen, Logger: logger}); err != nil {
			return nil, err
		}
		logger.Info("the broker in this process listens", "brokers", e.broker.Addr())
		e.config.Brokers = []string{e.broker.Addr()}
	}
	if e.claims, err = openClaims(c); err != nil {
		return nil, err
	}
	deps := processor.Deps{RuleSet: set, Claims: e.claims, Decoder: e.decoder, Medications: e.medications, Logger: logger, Registerer: e.registry}
	if slices.Contains(c.Roles, config.RoleRules) {
		if e.store, err = store.Open(filepath.Join(c.Data, "store"), store.Options{Memory: int64(c.Store.Memory), Logger: logger, Registerer: e.registry, Fatal: halt}); err != nil {
			return nil, err
		}
		e.sets = processor.NewRuleSets(rules.CompileOptions{Zone: zone, Units: c.Units}, e.store.RuleSet)
		deps.Store, deps.Sets = e.store, e.sets
	}
	if len(processing(c.Roles)) > 0 {
		if e.processor, err = processor.Start(ctx, e.config, deps); err != nil {
			return nil, err
		}
	} else if err := e.config.Topics().Ensure(ctx, e.config); err != nil {
		return nil, err
	}
	if slices.Contains(c.Roles, config.RoleExplain) {
		var lag func() int64 // of a process without live rules there is none
		if e.processor != nil {
			lag = e.processor.Lag
		}
		if err := e.startExplaining(ctx, c, zone, lag, logger); err != nil {
			return nil, err
		}
	}
	if slices.Contains(c.Roles, config.RoleSource) {
		if err := e.startSource(c, logger); err != nil {
			return nil, err
		}
	}
	if e.writer, err = processor.NewWriter(e.config); err != nil {
		return nil, err
	}
	if e.wire, err = newWire(c, e.registry, logger); err != nil {
		return nil, err
	}
	if e.checkpoints, err = newCheckpoints(e, c.Data); err != nil {
		return nil, err
	}
	if err := e.startCluster(); err != nil {
		return nil, err
	}
	return e, nil
}

// halt ends the process when a database can do nothing more. Nothing is closed: whoever is in the database
// would not come out of it, and the next start finds what it needs as it does after a power cut.
func halt(err error) {
	fmt.Fprintf(os.Stderr, "vigil: %v\n", err)
	os.Exit(exitFailed)
}

// processing is the roles that package processor runs.
func processing(roles []string) []string {
	return slices.DeleteFunc(slices.Clone(roles), func(role string) bool { return role == config.RoleExplain || role == config.RoleSource })
}

func brokerDir(data string) string { return filepath.Join(data, "broker") }

// knownUnits says whether a unit is one of UCUM, or a common spelling of one, or one of the site's.
func knownUnits(site map[string]string) func(unit string) bool {
	return func(unit string) bool {
		_, err := ucum.ParseLoose(unit, site)
		return err == nil
	}
}

// close stops everything, what depends on others first.
func (e *engine) close() error {
	var faults []error
	faults = append(faults, e.wire.close())
	if e.cluster != nil {
		faults = append(faults, e.cluster.close())
	}
	if e.source != nil {
		faults = append(faults, e.source.Close())
	}
	if e.writer != nil {
		faults = append(faults, e.writer.Close())
	}
	if e.explanations != nil {
		faults = append(faults, e.explanations.close())
	}
	if e.processor != nil {
		faults = append(faults, e.processor.Close())
	}
	if e.claims != nil {
		faults = append(faults, e.claims.Close())
	}
	if e.store != nil {
		faults = append(faults, e.store.Close())
	}
	if e.broker != nil {
		faults = append(faults, e.broker.Close())
	}
	return errors.Join(faults...)
}

func (e *engine) server(c config.Config, logger *slog.Logger) *api.Server {
	reads := &reads{engine: e}
	if e.store != nil {
		o := store.ReaderOptions{Plan: e.sets.Plan, Partition: e.partition, Registerer: e.registry}
		if !e.simulated {
			o.Now = func(clinical.Instant) clinical.Instant { return clinical.At(time.Now()) }
		}
		reads.reader = store.NewReader(e.store, o)
	}
	o := api.Options{
		TLS: e.wire.server, PeerTLS: e.wire.peers, Gate: e.wire.gate, AccessLog: e.wire.log, RefuseUnlogged: c.Access.OnLogFailure == config.LogRefuse, MetricsNeed: metricsNeed(c),
		Log: e.writer, Decoder: e.decoder, Reader: reads, Owners: reads, Worklist: reads, Rules: reads, Partition: e.partition,
		Cluster: e.cluster, Self: c.Advertise, Checkpoints: e.checkpoints, Medications: e.medications, Ready: e.ready, Degraded: e.degraded, Version: buildVersion(), Simulated: e.simulated,
		Gatherer: e.registry, Registerer: e.registry, Logger: logger,
		MaxBody: int(c.Limits.Body), MaxPatientID: c.Limits.PatientID, MaxObservations: c.Limits.ObservationsPerRequest,
		MaxPage: c.Limits.Page, MaxInFlight: c.Limits.InFlight, MaxWait: c.HTTP.MaxWait, MaxLogWait: c.HTTP.MaxLogWait, ReadTimeout: c.HTTP.ReadTimeout,
		WriteTimeout: c.HTTP.WriteTimeout, IdleTimeout: c.HTTP.IdleTimeout, DrainTimeout: c.HTTP.DrainTimeout,
	}
	if e.processor != nil {
		o.Partitions = e.processor.Partitions
	}
	if e.explanations != nil {
		o.Explanations = e.explanations
	}
	return api.New(o)
}

func (e *engine) partition(patient string) int32 {
	return processor.Partition(patient, e.config.Partitions)
}

// ruleless says whether this process has partitions and none of them has an active rule set.
func (e *engine) ruleless() bool {
	owns := false
	for n := range int32(e.config.Partitions) {
		if e.store == nil || !e.processor.Ready(n) {
			continue
		}
		owns = true
		if p, err := e.store.Partition(n); err != nil || p.State().RuleSet != "" {
			return false
		}
	}
	return owns
}

// waitReady returns when the processors are ready. It does not wait for explanations, which may have
// months of a log before them and say themselves how far they are.
func (e *engine) waitReady(ctx context.Context) error {
	if e.processor == nil {
		return nil
	}
	return e.processor.WaitReady(ctx)
}

// degraded says why the service, though it answers, is not to be relied on; "" when it is.
func (e *engine) degraded() string {
	var why []string
	if e.processor != nil {
		why = append(why, e.processor.Trouble())
	}
	why = append(why, e.writer.Trouble())
	if e.explanations != nil {
		why = append(why, e.explanations.service.Degraded())
	}
	return strings.Join(slices.DeleteFunc(why, func(s string) bool { return s == "" }), "; ")
}

func (e *engine) ready() error {
	if e.processor == nil {
		if e.explanations != nil && !e.explanations.service.Ready() {
			return errors.New("the explanations are still catching up with the log: see /v1/explanations/status")
		}
		return nil
	}
	if !e.processor.AllReady() {
		return errors.New("the processors are still catching up with the log")
	}
	return nil
}
