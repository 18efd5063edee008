package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/processor"
	"github.com/vigil-cds/vigil/store"
)

// ErrWrongAnswers is returned when the engine's answers differ from the rules written by hand.
var ErrWrongAnswers = errors.New("the engine's answers are not the expected ones")

// Engine is what is measured: a running server with Pack active in simulated time.
type Engine struct {
	Write     func(context.Context, []processor.Event) ([]processor.Position, error)
	Store     *store.Store
	Reader    *store.Reader
	Partition func(patient string) int32
	URL       string // of its HTTP service
}

// Options say how to measure.
type Options struct {
	// PerRequest is how many observations arrive together, as in one POST /v1/observations. Those of one
	// patient in a request become one record of the log; 1 makes every observation a record.
	PerRequest int
	// Reads is how many in-process reads to time, hot; HTTPReads how many over HTTP.
	Reads, HTTPReads int
	// Progress is told how far a part has come; nil: nobody.
	Progress func(part string, done, total int)
}

// Report is what was measured.
type Report struct {
	Patients     int           `json:"patients"`
	Observations int           `json:"observations"`
	Records      int           `json:"records"` // of the log
	Intake       time.Duration `json:"intakeNanos"`
	PerSecond    float64       `json:"observationsPerSecond"` // until readable
	Checked      int           `json:"answersChecked"`
	Hot          Latency       `json:"readHot"`
	Cold         Latency       `json:"readCold"`
	HTTP         Latency       `json:"readHTTP"`
}

// Latency is the spread of one kind of read, one caller.
type Latency struct {
	Reads int           `json:"reads"`
	P50   time.Duration `json:"p50Nanos"`
	P99   time.Duration `json:"p99Nanos"`
	Max   time.Duration `json:"maxNanos"`
}

func spread(all []time.Duration) Latency {
	if len(all) == 0 {
		return Latency{}
	}
	slices.Sort(all)
	return Latency{Reads: len(all), P50: all[len(all)/2], P99: all[len(all)*99/100], Max: all[len(all)-1]}
}

// Run takes the workload in, checks every answer, and times reads.
func Run(ctx context.Context, w *Workload, e Engine, o Options) (*Report, error) {
	if o.Progress == nil {
		o.Progress = func(string, int, int) {}
	}
	r := &Report{Patients: w.Patients, Observations: len(w.Facts)}
	if err := r.takeIn(ctx, w, e, o); err != nil {
		return nil, err
	}
	if err := r.check(w, e, o); err != nil {
		return nil, err
	}
	if err := r.read(w, e, o); err != nil {
		return nil, err
	}
	return r, r.http(ctx, w, e, o)
}

func (r *Report) takeIn(ctx context.Context, w *Workload, e Engine, o Options) error {
	last := map[int32]int64{} // events offset by partition
	began := time.Now()
	for from := 0; from < len(w.Facts); from += o.PerRequest {
		events := request(w.Facts[from:min(from+o.PerRequest, len(w.Facts))])
		positions, err := e.Write(ctx, events)
		if err != nil {
			return fmt.Errorf("taking in the workload: %w", err)
		}
		r.Records += len(events)
		for _, p := range positions {
			last[p.Partition] = max(last[p.Partition], p.Offset)
		}
		o.Progress("intake", from, len(w.Facts))
	}
	for partition, offset := range last {
		p, err := e.Store.Partition(partition)
		if err != nil {
			return err
		}
		if err := p.Wait(ctx, -1, offset); err != nil {
			return fmt.Errorf("waiting until the workload can be read: %w", err)
		}
	}
	r.Intake = time.Since(began)
	r.PerSecond = float64(len(w.Facts)) / r.Intake.Seconds()
	o.Progress("intake", len(w.Facts), len(w.Facts))
	return nil
}

// request makes the events of one request: a patient's observations together, in order, stamped with the
// latest of their times.
func request(facts []Fact) []processor.Event {
	var events []processor.Event
	at := make(map[int32]int, len(facts))
	for _, f := range facts {
		i, ok := at[f.Patient]
		if !ok {
			i = len(events)
			at[f.Patient] = i
			events = append(events, processor.Event{Patient: PatientID(f.Patient), Media: processor.MediaCompact, Method: http.MethodPost})
		}
		events[i].Body = appendLine(events[i].Body, f)
		events[i].Recorded = f.Time
	}
	return events
}

func appendLine(b []byte, f Fact) []byte {
	b = append(b, `{"patient":"`...)
	b = append(b, PatientID(f.Patient)...)
	b = append(b, `","code":"`...)
	b = append(b, Codes[f.Code]...)
	b = append(b, `","time":`...)
	b = strconv.AppendInt(b, int64(f.Time), 10)
	b = append(b, `,"value":`...)
	b = strconv.AppendFloat(b, f.Value, 'g', -1, 64)
	return append(b, "}\n"...)
}

// check asks every rule of every patient at every instant and compares with the rules written by hand.
func (r *Report) check(w *Workload, e Engine, o Options) error {
	want := w.Expect()
	var got [len(Instants)][]Expected
	for i := range got {
		got[i] = make([]Expected, w.Rules)
	}
	for p := range w.Patients {
		id := PatientID(int32(p))
		for i, now := range Instants {
			reading, err := e.Reader.Read(id, now)
			if err != nil {
				return fmt.Errorf("reading back the workload: %w", err)
			}
			if reading.Plan == nil {
				return fmt.Errorf("%w: no rule set is active", ErrWrongAnswers)
			}
			for n := range w.Rules {
				rule := RuleID(n)
				compiled, ok := reading.Plan.Program.Rule(rule)
				if !ok {
					return fmt.Errorf("%w: rule %s is not active", ErrWrongAnswers, rule)
				}
				if reading.Holds(int32(compiled.Index)) {
					got[i][n].Add(id)
				}
				r.Checked++
			}
		}
		o.Progress("answers", p, w.Patients)
	}
	for i := range Instants {
		for n := range w.Rules {
			if got[i][n] != want[i][n] {
				return fmt.Errorf("%w: %s at %s is true of %d patients (%016x), want %d (%016x)", ErrWrongAnswers, RuleID(n), Instants[i],
					got[i][n].Patients, got[i][n].Hash, want[i][n].Patients, want[i][n].Hash)
			}
		}
	}
	return nil
}

// read times reads of random patients in this process: cold, each patient for the first time after the
// cache of patients was emptied; then hot.
func (r *Report) read(w *Workload, e Engine, o Options) error {
	random := rand.New(rand.NewPCG(1, 2))
	ids := make([]string, w.Patients)
	for i, p := range random.Perm(w.Patients) {
		ids[i] = PatientID(int32(p))
	}
	now := Instants[1]
	time1 := func(id string) (time.Duration, error) {
		began := time.Now()
		_, err := e.Reader.Read(id, now)
		return time.Since(began), err
	}
	e.Store.ForgetPatients()
	cold := make([]time.Duration, 0, len(ids))
	for i, id := range ids {
		d, err := time1(id)
		if err != nil {
			return err
		}
		cold = append(cold, d)
		o.Progress("cold reads", i, len(ids))
	}
	r.Cold = spread(cold)
	hot := make([]time.Duration, 0, o.Reads)
	for range o.Reads {
		d, err := time1(ids[random.IntN(len(ids))])
		if err != nil {
			return err
		}
		hot = append(hot, d)
	}
	r.Hot = spread(hot)
	return nil
}

// http times the whole answer over one keep-alive connection.
func (r *Report) http(ctx context.Context, w *Workload, e Engine, o Options) error {
	random := rand.New(rand.NewPCG(3, 4))
	all := make([]time.Duration, 0, o.HTTPReads)
	now := clinical.Instant(Instants[1]).String()
	for i := range o.HTTPReads {
		url := e.URL + "/v1/patients/" + PatientID(int32(random.IntN(w.Patients))) + "/alerts?now=" + now
		began := time.Now()
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return fmt.Errorf("reading over HTTP: %w", err)
		}
		_, err = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != http.StatusOK {
			return fmt.Errorf("reading over HTTP: %s: %w", resp.Status, errors.Join(err, ErrWrongAnswers))
		}
		all = append(all, time.Since(began))
		o.Progress("HTTP reads", i, o.HTTPReads)
	}
	r.HTTP = spread(all)
	return nil
}
