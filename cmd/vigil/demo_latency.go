package main

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"runtime"
	"slices"
	"time"

	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/store"
)

const (
	demoReads     = 100_000
	demoHTTPReads = 2_000
)

// latency times reads of random patients, one caller at a time.
func (d *demo) latency(ctx context.Context) error {
	d.heading("A read takes (one caller, %s)", plural(runtime.GOMAXPROCS(0), "core"))
	row := func(name string, all []time.Duration) {
		slices.Sort(all)
		d.printf("  %-36s  p50 %10s   p99 %10s   %7s reads\n", name, micros(all[len(all)/2]), micros(all[len(all)*99/100]), grouped(len(all)))
	}
	read := func(patient string) error {
		_, err := d.reader.Read(patient, d.now)
		return err
	}
	random := rand.New(rand.NewPCG(d.seed, 0))
	anew := func(patient string) error {
		_, err := d.reader.Read(patient, d.now+clinical.Instant(random.Int64N(int64(demoHorizon))))
		return err
	}
	answer := func(patient string) error {
		_, err := d.reader.Active(ctx, patient, store.ReadOptions{Now: d.now})
		return err
	}
	client := &http.Client{Transport: http.DefaultTransport.(*http.Transport).Clone(), Timeout: time.Minute}
	defer client.CloseIdleConnections()

	for _, m := range []struct {
		name  string
		reads int
		warm  bool
		read  func(patient string) error
	}{
		{"in process, which rules hold", demoReads, true, read},
		{"in process, at any instant of a day", demoReads / 5, true, anew},
		{"in process, with words and values", demoReads / 5, true, answer},
		{"in process, cold: from Pebble", demoReads / 20, false, read},
		{"over HTTP", demoHTTPReads, true, func(patient string) error { return d.overHTTP(ctx, client, patient) }},
	} {
		all, err := d.time(ctx, m.reads, m.warm, m.read)
		if err != nil {
			return fmt.Errorf("timing reads: %w", err)
		}
		row(m.name, all)
	}
	return nil
}

// time measures reads of random patients: each read once before when warm, else each for the first time
// since the decoded patients were forgotten.
func (d *demo) time(ctx context.Context, reads int, warm bool, read func(patient string) error) ([]time.Duration, error) {
	random := rand.New(rand.NewPCG(d.seed, uint64(reads)))
	if warm {
		for _, p := range d.patients {
			if err := read(p); err != nil {
				return nil, err
			}
		}
	}
	all := make([]time.Duration, 0, reads)
	order := random.Perm(len(d.patients))
	for i := range reads {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		next := i % len(order)
		if warm {
			next = random.IntN(len(order))
		} else if next == 0 {
			d.engine.store.ForgetPatients()
		}
		began := time.Now()
		if err := read(d.patients[order[next]]); err != nil {
			return nil, err
		}
		all = append(all, time.Since(began))
	}
	return all, nil
}

func (d *demo) overHTTP(ctx context.Context, client *http.Client, patient string) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, d.url+"/v1/patients/"+patient+"/alerts?now="+d.now.String(), nil)
	if err != nil {
		return err
	}
	response, err := client.Do(r)
	if err != nil {
		return unwrapURL(err)
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("the service answered %s", response.Status)
	}
	return nil
}
