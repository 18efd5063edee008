package main

import (
	"fmt"
	"math"
	"runtime"
	"runtime/metrics"
	"text/tabwriter"
	"time"

	"github.com/vigil-cds/vigil/internal/bench/volume"
	"github.com/vigil-cds/vigil/rules"
)

// compiledSet is what compiling a set of some size costs.
type compiledSet struct {
	Rules   int     `json:"rules"`
	Inputs  int     `json:"inputs"`
	Terms   int     `json:"terms"`
	Atoms   int     `json:"atoms"`
	Seconds float64 `json:"seconds"`
	Peak    uint64  `json:"peakHeapBytes"` // of what is live and what is not yet collected
}

// compiledSets are those measured, and how time grows with the number of rules.
type compiledSets struct {
	Sets     []compiledSet `json:"sets"`
	Exponent float64       `json:"growthExponent"` // of the line through the logarithms; 1 is in proportion
}

// benchCompile compiles sets of up to most rules, each of which the command writes itself.
func (a *app) benchCompile(most int) error {
	if most < 16 || most > rules.MaxRules {
		return misused("--compile is from 16 to %d rules", rules.MaxRules)
	}
	var out compiledSets
	for _, n := range []int{most / 16, most / 8, most / 4, most / 2, most} {
		set, err := compileOf(n)
		if err != nil {
			return err
		}
		out.Sets = append(out.Sets, set)
	}
	out.Exponent = exponent(out.Sets)
	if a.json() {
		return a.printJSON(out)
	}
	w := tabwriter.NewWriter(a.stdout, 0, 0, 3, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "rules\tinputs\tterms\tatoms\ttime\tµs a rule\tpeak heap\t")
	for _, s := range out.Sets {
		fmt.Fprintf(w, "%d\t%d\t%d\t%d\t%.3f s\t%.0f\t%d MiB\t\n", s.Rules, s.Inputs, s.Terms, s.Atoms, s.Seconds, s.Seconds*1e6/float64(s.Rules), s.Peak>>20)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(a.stdout, "time grows as the number of rules to the power of %.2f\n", out.Exponent)
	return err
}

// compileOf compiles a set of n rules and watches the heap meanwhile.
func compileOf(n int) (compiledSet, error) {
	files := volume.Packs(n)
	runtime.GC()
	stop, watched := make(chan struct{}), make(chan uint64)
	go func() { watched <- peakHeap(stop) }()
	begin := time.Now()
	p, err := rules.Compile(files, rules.CompileOptions{})
	took := time.Since(begin)
	close(stop)
	peak := <-watched
	if err != nil {
		return compiledSet{}, err
	}
	return compiledSet{Rules: n, Inputs: len(p.Inputs), Terms: len(p.Terms), Atoms: len(p.Atoms), Seconds: took.Seconds(), Peak: peak}, nil
}

// peakHeap is the most that the heap held until stop was closed, looked at every few milliseconds.
func peakHeap(stop <-chan struct{}) uint64 {
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	var peak uint64
	for held := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}; ; {
		metrics.Read(held)
		peak = max(peak, held[0].Value.Uint64())
		select {
		case <-stop:
			return peak
		case <-tick.C:
		}
	}
}

// exponent is the slope of the least-squares line through the logarithms of rules and seconds.
func exponent(sets []compiledSet) float64 {
	var x, y, xx, xy float64
	for _, s := range sets {
		lx, ly := math.Log(float64(s.Rules)), math.Log(s.Seconds)
		x, y, xx, xy = x+lx, y+ly, xx+lx*lx, xy+lx*ly
	}
	n := float64(len(sets))
	return (n*xy - x*y) / (n*xx - x*x)
}
