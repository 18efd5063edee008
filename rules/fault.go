package rules

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// ErrInvalid is what errors.Is finds in any Fault or Faults: the rule set as written cannot be used.
var ErrInvalid = errors.New("rules: the rule set has faults")

// Fault is one thing wrong with a rule set: where, what, and what to write instead. Line and Col count
// from 1; Col counts characters, not bytes.
type Fault struct {
	File      string
	Line, Col int
	Problem   string
	Hint      string // may be empty
}

// Error is "file:line:col: problem; hint".
func (f Fault) Error() string {
	s := fmt.Sprintf("%s:%d:%d: %s", f.File, f.Line, f.Col, f.Problem)
	if f.Hint != "" {
		s += "; " + f.Hint
	}
	return s
}

// Is makes errors.Is(fault, ErrInvalid) true.
func (f Fault) Is(target error) bool { return target == ErrInvalid }

// Faults is everything wrong with a rule set, sorted by file, line and column.
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

// position is a place in a file of the set.
type position struct {
	file      string
	line, col int
}

// report collects faults while the rest of the set is still being read.
type report struct{ faults Faults }

func (r *report) add(at position, problem, hint string) {
	r.faults = append(r.faults, Fault{File: at.file, Line: at.line, Col: at.col, Problem: shortened(problem), Hint: shortened(hint)})
}

// shortened keeps what a fault quotes from filling the screen.
func shortened(s string) string {
	const most = 600
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}

// full reports that no more faults will be listed, so that there is no use in looking for more.
func (r *report) full() bool { return len(r.faults) > MaxFaults }

func (r *report) err() error {
	if len(r.faults) == 0 {
		return nil
	}
	slices.SortStableFunc(r.faults, func(x, y Fault) int {
		return cmp.Or(cmp.Compare(x.File, y.File), cmp.Compare(x.Line, y.Line), cmp.Compare(x.Col, y.Col),
			cmp.Compare(x.Problem, y.Problem))
	})
	listed := Faults(slices.Compact(r.faults))
	if len(listed) > MaxFaults {
		next := listed[MaxFaults]
		listed = append(listed[:MaxFaults], Fault{File: next.File, Line: next.Line, Col: next.Col,
			Problem: fmt.Sprintf("there are more than %d faults, of which the rest are not listed", MaxFaults), Hint: "mend those above and check again"})
	}
	return listed
}

// didYouMean is a hint that names the candidate nearest to name, or "" when none is near.
func didYouMean(name string, candidates []string) string {
	if n := nearest(name, candidates); n != "" {
		return fmt.Sprintf("did you mean %q?", n)
	}
	return ""
}

// didYouMeanOr is didYouMean where something is near, and otherwise the whole list.
func didYouMeanOr(name string, candidates []string, otherwise string) string {
	if hint := didYouMean(name, candidates); hint != "" {
		return hint
	}
	if len(candidates) == 0 {
		return ""
	}
	const most = 12
	shown := slices.Clone(candidates)
	slices.Sort(shown)
	more := ""
	if len(shown) > most {
		shown, more = shown[:most], ", …"
	}
	return otherwise + " " + strings.Join(shown, ", ") + more
}

// Nearest is the candidate that a misspelt name was probably meant to be; "" when none is near.
func Nearest(name string, candidates []string) string { return nearest(name, candidates) }

// nearest is the candidate with the fewest edits from name, at most a third of its length.
func nearest(name string, candidates []string) string {
	best, fewest := "", max(1, len(name)/3)+1
	for _, c := range candidates {
		if n := len(c) - len(name); n >= fewest || -n >= fewest {
			continue
		}
		if d := edits(strings.ToLower(name), strings.ToLower(c)); d < fewest || d == fewest && best != "" && c < best {
			best, fewest = c, d
		}
	}
	return best
}

// edits is the number of letters to insert, drop, change or swap with their neighbour to turn a into b
// (the optimal string alignment distance).
func edits(a, b string) int {
	before, last := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row := make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			change := last[j-1]
			if a[i-1] != b[j-1] {
				change++
			}
			row[j] = min(change, last[j]+1, row[j-1]+1)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last = last, row
	}
	return last[len(b)]
}

// NearestRule is the id of the program's rule that a misspelt id was probably meant to be; "" when none is
// near.
func NearestRule(p *Program, id string) string {
	ids := make([]string, len(p.Rules))
	for i, rule := range p.Rules {
		ids[i] = rule.ID
	}
	return nearest(id, ids)
}
