package main

import (
	"context"
	"fmt"
	"time"

	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/internal/ward"
	"github.com/vigil-cds/vigil/processor"
)

const (
	demoBatch = 1000 // events written together
	// Without a terminal progress is a line each time this much of the simulation has passed.
	demoReports = 6
)

// takeIn lets the ward stream into the log, and returns when all of it can be read.
func (d *demo) takeIn(ctx context.Context) error {
	d.heading("The ward streams in, in simulated time")
	began := time.Now()
	events, err := d.stream(ctx)
	took := time.Since(began)
	if isTerminal(d.stdout) {
		d.printf("\r\x1b[K") // the line of progress
	}
	if err != nil {
		return err
	}
	counts, err := d.engine.counts()
	if err != nil {
		return err
	}
	d.printf("  %s FHIR resources of %s in %.1f s: %s a second from the feed until readable\n", grouped(events),
		plural(len(d.patients), "patient"), took.Seconds(), grouped(int(float64(events)/took.Seconds())))
	d.printf("  %s fired, %s cleared; %s went off where time alone could change an answer\n", plural(counts.fired, "alert"),
		grouped(counts.cleared), plural(counts.timers, "timer"))
	return nil
}

// stream writes the ward to the log, each event stamped with its simulated instant.
func (d *demo) stream(ctx context.Context) (events int, err error) {
	show := d.progress()
	seen := make(map[string]bool)
	var batch []processor.Event
	var written []processor.Position
	var last clinical.Instant
	// The next batch is written while the one before is worked on: never further ahead, so that what is
	// shown as taken in is about to be readable.
	flush := func() error {
		if len(batch) == 0 {
			return nil
		}
		positions, err := d.engine.writer.Write(ctx, batch)
		if err != nil {
			return fmt.Errorf("writing the ward to the log: %w", err)
		}
		if err := d.readable(ctx, written); err != nil {
			return err
		}
		written, batch = positions, batch[:0]
		return show(last, events)
	}
	for e := range ward.Stream(ward.Options{Patients: d.demoOptions.patients, Seed: d.seed, Length: time.Duration(d.hours) * time.Hour}) {
		if !seen[e.Patient] {
			seen[e.Patient] = true
			d.patients = append(d.patients, e.Patient)
		}
		last = clinical.At(e.At)
		batch = append(batch, processor.Event{Patient: e.Patient, Recorded: last, Body: e.Resource})
		events++
		if len(batch) == demoBatch {
			if err := flush(); err != nil {
				return events, err
			}
		}
	}
	if err := flush(); err != nil {
		return events, err
	}
	return events, d.readable(ctx, written)
}

// readable waits until answers have seen what was written.
func (d *demo) readable(ctx context.Context, written []processor.Position) error {
	for _, p := range processor.Latest(written) {
		part, err := d.engine.store.Partition(p.Partition)
		if err != nil {
			return err
		}
		if err := part.Wait(ctx, -1, p.Offset); err != nil {
			return fmt.Errorf("waiting until the ward can be read: %w", err)
		}
	}
	return nil
}

// progress shows how far the simulation is: on a terminal in one line that is rewritten, elsewhere in a
// few lines.
func (d *demo) progress() func(at clinical.Instant, events int) error {
	terminal := isTerminal(d.stdout)
	every := clinical.Instant(d.hours) * clinical.Instant(time.Hour/time.Millisecond) / demoReports
	next := clinical.At(ward.DefaultStart) + every
	var shown time.Time
	return func(at clinical.Instant, events int) error {
		if terminal && time.Since(shown) < 100*time.Millisecond || !terminal && at < next {
			return nil
		}
		counts, err := d.engine.counts()
		if err != nil {
			return err
		}
		shown = time.Now()
		for next <= at {
			next += every
		}
		before, after := "  ", "\n"
		if terminal {
			before, after = "\r  ", "\x1b[K"
		}
		d.printf("%s%s  %9s resources  %7s fired  %7s cleared%s", before, short(at.Time()), grouped(events),
			grouped(counts.fired), grouped(counts.cleared), after)
		return nil
	}
}

// counted is what the engine has counted so far.
type counted struct{ fired, cleared, timers int }

// counts reads the engine's own metrics.
func (e *engine) counts() (c counted, err error) {
	families, err := e.registry.Gather()
	if err != nil {
		return c, fmt.Errorf("reading the metrics: %w", err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			n := int(m.GetCounter().GetValue())
			switch f.GetName() {
			case "vigil_timers_fired_total":
				c.timers += n
			case "vigil_transitions_total":
				for _, l := range m.GetLabel() {
					switch l.GetValue() {
					case processor.Fired:
						c.fired += n
					case processor.Cleared:
						c.cleared += n
					}
				}
			}
		}
	}
	return c, nil
}
