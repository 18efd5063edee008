package config

import (
	"errors"
	"strings"
)

// ErrInvalid is what errors.Is finds in Faults: the configuration cannot be used as it stands.
var ErrInvalid = errors.New("config: the configuration has faults")

// Fault is one thing wrong with the configuration.
type Fault struct {
	Key     string // the knob, "kafka.partitions"; empty when the whole source cannot be read
	Source  string // where the value came from: a file's name, a variable, a flag; empty for a default
	Problem string
	Mend    string // what to do about it
}

// Error is "key (source): problem; mend".
func (f Fault) Error() string {
	where := f.Key
	switch {
	case where == "":
		where = f.Source
	case f.Source != "" && f.Source != f.Key:
		where += " (" + f.Source + ")"
	}
	s := where + ": " + f.Problem
	if f.Mend != "" {
		s += "; " + f.Mend
	}
	return s
}

// Is makes errors.Is(fault, ErrInvalid) true.
func (f Fault) Is(target error) bool { return target == ErrInvalid }

// Faults is everything wrong with a configuration: first what could not be read, source by source, then
// what the knobs' values break, in the order of the knobs.
type Faults []Fault

// Error is one line per fault.
func (f Faults) Error() string {
	lines := make([]string, len(f))
	for i := range f {
		lines[i] = f[i].Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap gives the faults one by one.
func (f Faults) Unwrap() []error {
	errs := make([]error, len(f))
	for i := range f {
		errs[i] = f[i]
	}
	return errs
}

// Is makes errors.Is(faults, ErrInvalid) true.
func (f Faults) Is(target error) bool { return target == ErrInvalid }

// didYouMean hints at the known name nearest to name, or says where all names are found.
func didYouMean(name string, known []string) string {
	best, fewest := "", max(2, len(name)/3)+1
	for _, k := range known {
		if d := distance(name, k); d < fewest {
			best, fewest = k, d
		}
	}
	if best == "" {
		return "see vigil serve --print-config for every knob"
	}
	return "did you mean " + best + "?"
}

// distance is the number of letters to insert, drop or change to turn a into b (Levenshtein's).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		diagonal := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			change := diagonal
			if a[i-1] != b[j-1] {
				change++
			}
			diagonal = row[j]
			row[j] = min(change, row[j]+1, row[j-1]+1)
		}
	}
	return row[len(b)]
}
