package lint

import (
	"fmt"
	"slices"
	"strings"

	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/rules"
)

// known are the input's codes of which the table says something, in order, so that what is said of several is
// said of the same one every time.
func known(in *rules.Input) []string {
	var out []string
	for code := range in.Codes {
		if number, ok := strings.CutPrefix(string(code), "loinc|"); ok && usuals[number].unit != "" {
			out = append(out, number)
		}
	}
	slices.Sort(out)
	return out
}

// unit reports a unit that results in the usual unit of one of the input's codes cannot be converted to: they
// would not belong to the input.
func (l *linter) unit(in rules.WrittenInput) {
	if in.Input.Type != clinical.Number || in.Input.Unit == "" || in.Unit == (rules.Place{}) {
		return
	}
	for _, code := range known(in.Input) {
		u := usuals[code]
		if _, ok := in.Input.Convert(u.low, u.unit); ok {
			continue
		}
		l.add(in.Unit, UnitMismatch, fmt.Sprintf("declare a unit such as %s, or drop the code", u.unit),
			"results of loinc|%s (%s) in %s cannot be converted to %s and would be left out", code, u.name, u.unit, in.Input.Unit)
	}
}

// valued are the questions whose answer is one of the input's values, or lies between them.
var valued = []rules.Op{rules.Last, rules.First, rules.Min, rules.Max, rules.Mean, rules.Median, rules.EWMA, rules.Nth}

// threshold reports a comparison of a value with a number that no such value comes near. In a `where`, in is
// the input whose value is meant.
func (l *linter) threshold(e rules.Expr, in *rules.Input, within rules.Place) {
	b, ok := e.(*rules.Binary)
	if !ok || opposites[b.Op] == "" {
		return
	}
	x, y := b.X, b.Y
	if _, ok := constant(x); ok {
		x, y = y, x
	}
	v, ok := constant(y)
	if !ok || v.Kind != rules.Number {
		return
	}
	if d, ok := x.(*rules.Binary); ok && d.Op == "??" {
		x = d.X
	}
	switch x := x.(type) {
	case *rules.TermRef:
		if !slices.Contains(valued, x.Term.Op) {
			return
		}
		in = l.program.Inputs[x.Term.Input]
	case *rules.AttributeRef:
		if x.Name != "value" || x.Unit != "" {
			return
		}
	default:
		return
	}
	if in == nil {
		return
	}
	low, high, about, ok := plausible(in)
	if !ok || low <= v.Num && v.Num <= high {
		return
	}
	l.add(l.at(e, within), ImplausibleThreshold, "is the unit the one you meant? the input's is "+in.Unit,
		"%s %s is outside what %s can be (%s)", v, in.Unit, about, interval{lo: low, hi: high})
}

// plausible is the range of the input's values in its own unit, taking all of its codes together. It is false
// when the table lacks one of the codes or the unit fits none.
func plausible(in *rules.Input) (low, high float64, about string, ok bool) {
	codes := known(in)
	if len(codes) < len(in.Codes) {
		return 0, 0, "", false
	}
	for _, code := range codes {
		u := usuals[code]
		a, fits := in.Convert(u.low, u.unit)
		b, _ := in.Convert(u.high, u.unit)
		if !fits {
			continue
		}
		if !ok {
			low, high, about, ok = a, b, u.name, true
			continue
		}
		low, high = min(low, a), max(high, b)
	}
	return low, high, about, ok
}
