package rulestest

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/vigil-cds/vigil/internal/clinical"
)

// written are the keys of a fact that is written out, rather than by an input's name.
var written = []string{"code", "codes", "kind", "value", "text", "unit", "at", "until", "authored", "attributes"}

// fact reads one fact; false after a fault.
func (r *reader) fact(n node, pack string, when clock) (clinical.Fact, bool) {
	before := len(r.faults)
	var f clinical.Fact
	switch {
	case n.shape != mapping:
		r.fault(n, "write `creatinine: 0.9 @ -40h`, or {code: ..., value: ..., at: ...}", "a fact is written as keys with values")
	case len(n.pairs) == 1 && !slices.Contains(written, n.pairs[0].key):
		f = r.named(n.pairs[0], pack, when)
	default:
		f = r.writtenOut(n, when)
	}
	return f, len(r.faults) == before
}

// named reads `input: value unit @ time` and `input: "@ start .. end"`.
func (r *reader) named(p pair, pack string, when clock) clinical.Fact {
	in, names := r.suite.input(pack, p.key)
	if in == nil {
		r.fault(p.at, names, "the pack of the rule has no input %q", p.key)
		return clinical.Fact{}
	}
	codes := make([]clinical.Code, 0, len(in.Codes))
	for c := range in.Codes {
		codes = append(codes, c)
	}
	if len(codes) == 0 {
		r.fault(p.at, "write the fact out, with its code", "the input %q takes every code", p.key)
		return clinical.Fact{}
	}
	value, moment, ok := strings.Cut(r.text(p.value, "a fact"), "@")
	if !ok {
		r.fault(p.value, "write `value @ time`, as in `0.9 @ -40h`", "the fact has no time")
		return clinical.Fact{}
	}
	f := clinical.Fact{Stream: clinical.NewStream(in.Kind, slices.Min(codes))}
	d := &clinical.Detail{}
	value = strings.TrimSpace(value)
	switch {
	case value == "":
	case in.Type == clinical.Number:
		number, unit, _ := strings.Cut(value, " ")
		if d.Unit = strings.TrimSpace(unit); d.Unit == "" {
			d.Unit = in.Unit
		}
		f.Number = r.number(p.value, number, d)
	case in.Type == clinical.Boolean:
		f.Number = r.boolean(p.value, value, d)
	case in.Type == clinical.Text:
		d.Type, d.Text = clinical.Text, value
	default:
		d.Type, d.Codes = clinical.Coded, []clinical.Code{clinical.Code(value)}
	}
	f.Detail = d
	r.span(p.value, strings.TrimSpace(moment), when, &f)
	return f
}

// span reads a time or a period.
func (r *reader) span(n node, s string, when clock, f *clinical.Fact) {
	start, end, period := strings.Cut(s, "..")
	f.Time = r.time(n, strings.TrimSpace(start), when)
	switch end = strings.TrimSpace(end); {
	case !period:
		f.End = f.Time
	case end == "":
		f.End = clinical.Forever
	default:
		f.End = r.time(n, end, when)
	}
	if f.End < f.Time {
		r.fault(n, "", "the period ends before it starts")
	}
}

// writtenOut reads {code: ..., value: ..., at: ...}.
func (r *reader) writtenOut(n node, when clock) clinical.Fact {
	keys := r.keys(n, "a fact", written...)
	kind, codes := clinical.KindObservation, []clinical.Code(nil)
	for _, key := range []string{"code", "codes"} {
		if v, ok := keys[key]; ok {
			codes = append(codes, r.codes(v)...)
		}
	}
	if len(codes) == 0 {
		r.fault(n, "add `code: \"loinc|2160-0\"`", "the fact has no code")
	}
	if v, ok := keys["kind"]; ok {
		if kind = clinical.KindOf(v.text); kind == clinical.KindNone || kind == clinical.KindPatient {
			r.fault(v, "write observation, condition, medication, procedure, ...; the patient has a key of its own", "%q is not a kind of fact", v.text)
		}
	}
	f := clinical.Fact{Stream: clinical.NewStream(kind, codes...)}
	d := &clinical.Detail{}
	if v, ok := keys["unit"]; ok {
		d.Unit = r.text(v, "unit")
	}
	if v, ok := keys["text"]; ok {
		d.Type, d.Text = clinical.Text, r.text(v, "text")
	}
	if v, ok := keys["value"]; ok {
		switch text := r.text(v, "value"); {
		case text == "true" || text == "false":
			f.Number = r.boolean(v, text, d)
		case strings.Contains(text, "|"):
			d.Type, d.Codes = clinical.Coded, []clinical.Code{clinical.Code(text)}
		case text != "":
			f.Number = r.number(v, text, d)
		}
	}
	if v, ok := keys["attributes"]; ok {
		d.Attributes = r.attributes(v)
	}
	f.Detail = d
	f.Time = when.now
	if v, ok := keys["at"]; ok {
		f.Time = r.time(v, r.text(v, "at"), when)
	}
	f.End = f.Time
	if v, ok := keys["authored"]; ok {
		f.Authored = r.time(v, r.text(v, "authored"), when)
	}
	if v, ok := keys["until"]; ok {
		if f.End = clinical.Forever; v.text != "open" {
			f.End = r.time(v, r.text(v, "until"), when)
		}
		if f.End < f.Time {
			r.fault(v, "", "the period ends before it starts")
		}
	}
	return f
}

func (r *reader) codes(n node) []clinical.Code {
	items := n.items
	if n.shape == scalar {
		items = []node{n}
	}
	var codes []clinical.Code
	for _, item := range items {
		if s := r.text(item, "a code"); s != "" {
			codes = append(codes, clinical.Code(s))
		}
	}
	return codes
}

func (r *reader) attributes(n node) []clinical.Attribute {
	if n.shape != mapping {
		r.fault(n, "as in {status: final}", "attributes are written as keys with values")
		return nil
	}
	var list []clinical.Attribute
	for _, p := range n.pairs {
		a := clinical.Attribute{Name: p.key}
		if x, err := strconv.ParseFloat(p.value.text, 64); p.value.shape == scalar && err == nil {
			a.Number, a.Numeric = x, true
		} else {
			a.Codes = r.codes(p.value)
		}
		list = append(list, a)
	}
	slices.SortFunc(list, func(a, b clinical.Attribute) int { return strings.Compare(a.Name, b.Name) })
	return list
}

// person reads the patient's own fact.
func (r *reader) person(n node, when clock) clinical.Fact {
	keys := r.keys(n, "a patient", "born", "sex", "died")
	f := clinical.Fact{Stream: clinical.NewStream(clinical.KindPatient), Time: clinical.Never, End: clinical.Forever}
	d := &clinical.Detail{}
	if v, ok := keys["born"]; ok {
		f.Time = r.time(v, r.text(v, "born"), when)
	}
	if v, ok := keys["died"]; ok {
		f.End = r.time(v, r.text(v, "died"), when)
		d.Attributes = append(d.Attributes, clinical.Attribute{Name: clinical.AttrDeceased, Codes: []clinical.Code{"true"}})
	}
	if v, ok := keys["sex"]; ok {
		d.Attributes = append(d.Attributes, clinical.Attribute{Name: clinical.AttrSex, Codes: []clinical.Code{clinical.Code(r.text(v, "sex"))}})
	}
	f.Detail = d
	return f
}

// number reads a number with or without a comparator into d, and returns it.
func (r *reader) number(n node, s string, d *clinical.Detail) float64 {
	d.Type = clinical.Number
	digits := strings.TrimLeft(s, "<>=")
	switch strings.TrimSpace(s[:len(s)-len(digits)]) {
	case "":
	case "<", "<=":
		d.Comparator = clinical.Below
	case ">", ">=":
		d.Comparator = clinical.Above
	default:
		r.fault(n, "use <, <=, > or >=", "%q does not begin with a comparator", s)
	}
	x, err := strconv.ParseFloat(strings.TrimSpace(digits), 64)
	if err != nil || math.IsNaN(x) || math.IsInf(x, 0) {
		r.fault(n, "write a decimal such as 1.3", "%q is not a number", s)
	}
	return x
}

func (r *reader) boolean(n node, s string, d *clinical.Detail) float64 {
	d.Type = clinical.Boolean
	switch s {
	case "true":
		return 1
	case "false":
	default:
		r.fault(n, "write true or false", "%q is not a boolean", s)
	}
	return 0
}
