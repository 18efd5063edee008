package rulestest

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/vigil-cds/vigil/internal/clinical"
)

// part is a piece of a text and where in it the piece begins.
type part struct {
	text   string
	offset int
}

// splitTop cuts a text at a separator that stands neither in quotes nor in brackets, and trims the parts.
func splitTop(s, separator string) []part {
	var parts []part
	depth, quoted, from := 0, false, 0
	add := func(to int) {
		piece := s[from:to]
		trimmed := strings.TrimLeft(piece, " \t\n")
		parts = append(parts, part{strings.TrimSpace(trimmed), from + len(piece) - len(trimmed)})
	}
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			depth++
		case c == '}' || c == ']':
			depth--
		case depth == 0 && strings.HasPrefix(s[i:], separator):
			add(i)
			i += len(separator) - 1
			from = i + 1
		}
	}
	add(len(s))
	return parts
}

// clauses are the pieces of one statement or amendment.
type clauses struct {
	value, time, known string
	timed              bool
	attributes         *string
}

// dissect takes a statement apart, from its end to its beginning.
func (r *reader) dissect(n node, s string) clauses {
	var c clauses
	const known = " known "
	if i := strings.LastIndex(s, known); i > strings.LastIndexByte(s, '"') {
		s, c.known = strings.TrimSpace(s[:i]), strings.TrimSpace(s[i+len(known):])
	}
	if strings.HasSuffix(s, "}") {
		if open := strings.LastIndexByte(s, '{'); open >= 0 {
			inside := s[open+1 : len(s)-1]
			c.attributes, s = &inside, strings.TrimSpace(s[:open])
		}
	}
	at := splitTop(s, "@")
	if len(at) > 2 {
		r.fault(n, "put a comma between two statements", "%q has more than one @", s)
	}
	c.value = at[0].text
	if c.timed = len(at) > 1; c.timed {
		c.time = at[1].text
	}
	return c
}

// entry reads one statement and its amendments.
func (h *history) entry(n node, s string, about subject) {
	before := len(h.faults)
	versions := splitTop(s, "->")
	first := h.dissect(n, versions[0].text)
	if !first.timed {
		h.fault(n, "write `value @ time`, as in `0.9 @ -40h`", "the fact has no time")
		return
	}
	f, ok := h.begin(n, &first, about)
	if !ok {
		return
	}
	h.describe(n, first, about, &f)
	h.span(n, first.time, &f)
	h.resting(n, first, f)
	known := f.Time
	if first.known != "" {
		known = h.time(n, first.known, h.when)
	}
	if len(h.faults) > before {
		return
	}
	name := h.add(known, f)
	for i, v := range versions[1:] {
		c := h.dissect(n, v.text)
		if c.known == "" {
			h.fault(n, "write when the log learned of it, as in `-> 1.1 known -1h`", "the amendment %q does not say since when it is known", v.text)
			return
		}
		next := h.time(n, c.known, h.when)
		if next <= known {
			h.fault(n, "", "the amendment %q is not known later than what it amends", v.text)
		}
		known = next
		a := clinical.Assertion{Resource: name, Version: clinical.Version{Number: int64(i) + 2}}
		if c.value != "retracted" {
			d := *f.Detail
			f.Detail = &d
			h.describe(n, c, about, &f)
			if c.timed {
				h.span(n, c.time, &f)
			}
			a.Facts = []clinical.Fact{f}
		}
		h.learned = append(h.learned, learned{known, a})
	}
}

// begin finds the codes of a statement, and takes them off its value.
func (h *history) begin(n node, c *clauses, about subject) (clinical.Fact, bool) {
	codes := about.codes
	if parts := splitTop(c.value, " ="); len(parts) == 2 {
		code := clinical.Code(parts[0].text)
		if in := about.input; in != nil && len(in.Codes) > 0 {
			if _, takes := in.Codes[code]; !takes {
				list := make([]string, 0, len(in.Codes))
				for c := range in.Codes {
					list = append(list, string(c))
				}
				h.fault(n, nearestOr(string(code), list, "its codes are"), "the input %q does not take the code %q", in.Name, code)
				return clinical.Fact{}, false
			}
		}
		codes, c.value = []clinical.Code{code}, parts[1].text
	}
	if len(codes) == 0 {
		h.fault(n, "write which one before the value, as in `snomed|80146002 = @ -2d`", "the input %q takes every code", about.input.Name)
		return clinical.Fact{}, false
	}
	return clinical.Fact{Stream: clinical.NewStream(about.kind, codes...), Detail: &clinical.Detail{}}, true
}

// describe reads a value or status, and attributes, into a fact whose detail nobody else has.
func (h *history) describe(n node, c clauses, about subject, f *clinical.Fact) {
	d := f.Detail
	if c.attributes != nil {
		d.Attributes = nil
		for _, item := range splitTop(*c.attributes, ",") {
			h.attribute(n, item.text, f)
		}
	}
	switch value := c.value; {
	case value == "":
	case about.kind != clinical.KindObservation:
		h.status(n, value, f)
	case about.value == clinical.Number:
		number, unit := cutNumber(value)
		if d.Unit = about.unit; unit != "" {
			d.Unit = unit
		}
		f.Number = h.number(n, number, d)
	case about.value == clinical.Boolean:
		f.Number = h.boolean(n, value, d)
	case about.value == clinical.Text:
		d.Type, d.Text = clinical.Text, unquoted(value)
	default:
		d.Type, d.Codes = clinical.Coded, []clinical.Code{clinical.Code(value)}
	}
	slices.SortFunc(d.Attributes, func(a, b clinical.Attribute) int { return strings.Compare(a.Name, b.Name) })
}

// cutNumber separates a number with its comparator from its unit, with or without a blank.
func cutNumber(s string) (number, unit string) {
	rest := strings.TrimLeft(s, "<>= ")
	rest = strings.TrimLeft(rest, "+-")
	end := len(s) - len(strings.TrimLeft(rest, "0123456789.eE"))
	if i := strings.IndexByte(s[len(s)-len(rest):], ' '); i >= 0 {
		end = len(s) - len(rest) + i
	} else if _, err := strconv.ParseFloat(s[len(s)-len(rest):end], 64); err != nil {
		return s, ""
	}
	return s[:end], strings.TrimSpace(s[end:])
}

func unquoted(s string) string {
	if len(s) > 1 && s[0] == '"' && s[len(s)-1] == '"' {
		return s[1 : len(s)-1]
	}
	return s
}

// status keeps the status of what has no value.
func (h *history) status(n node, word string, f *clinical.Fact) {
	if strings.Trim(word, "abcdefghijklmnopqrstuvwxyz-") != "" {
		h.fault(n, "write a status as FHIR does, such as active or completed, or nothing before the @", "a %s has no value, and %q is no status", f.Stream.Kind, word)
		return
	}
	name := clinical.AttrStatus
	if f.Stream.Kind == clinical.KindCondition || f.Stream.Kind == clinical.KindAllergy {
		name = clinical.AttrClinicalStatus
	}
	set := func(a clinical.Attribute) {
		f.Detail.Attributes = append(slices.DeleteFunc(slices.Clone(f.Detail.Attributes),
			func(old clinical.Attribute) bool { return old.Name == a.Name }), a)
	}
	set(clinical.Attribute{Name: name, Codes: []clinical.Code{clinical.Code(word)}})
	if word == "not-done" || word == "not-taken" {
		set(clinical.Attribute{Name: clinical.AttrNegated, Codes: []clinical.Code{"true"}})
	}
}

// lasting are the statuses of what goes on.
var lasting = []string{"active", "in-progress"}

// resting reports a status that says that something goes on, of what is written as an instant.
func (h *history) resting(n node, c clauses, f clinical.Fact) {
	if f.Stream.Kind != clinical.KindObservation && slices.Contains(lasting, c.value) && !strings.Contains(c.time, "..") {
		h.fault(n, "write `"+c.value+" @ "+c.time+"..` for what goes on, or give it an end", "what is %s has a period, and here is an instant", c.value)
	}
}

// span reads a time or a period.
func (h *history) span(n node, s string, f *clinical.Fact) {
	start, end, period := strings.Cut(s, "..")
	from := h.moment(n, strings.TrimSpace(start), h.when)
	f.Time, f.Detail.Precision = from.at, from.precision
	switch end = strings.TrimSpace(end); {
	case !period:
		f.End = f.Time
	case end == "":
		f.End = clinical.Forever
	default:
		f.End = h.time(n, end, h.when)
	}
	if f.End < f.Time {
		h.fault(n, "", "the period ends before it starts")
	}
}

// attribute reads `name: item` into a fact.
func (h *history) attribute(n node, s string, f *clinical.Fact) {
	if s == "" {
		return
	}
	name, value, ok := strings.Cut(s, ":")
	if name, value = strings.TrimSpace(name), strings.TrimSpace(value); !ok || name == "" || value == "" {
		h.fault(n, "write {status: final, category: [a, b]}", "%q is not an attribute", s)
		return
	}
	var items []string
	if list, ok := strings.CutPrefix(value, "["); ok {
		for _, item := range splitTop(strings.TrimSuffix(list, "]"), ",") {
			items = append(items, unquoted(item.text))
		}
	} else {
		items = []string{unquoted(value)}
	}
	h.property(n, name, items, f)
}

// property adds an attribute: a number, an instant or codes, as its name wants.
func (h *history) property(n node, name string, items []string, f *clinical.Fact) {
	a, info := clinical.Attribute{Name: name}, clinical.AttributeNamed(name)
	switch {
	case info == nil || slices.Contains(elsewhere, name):
		var names []string
		for _, known := range clinical.Attributes() {
			if !slices.Contains(elsewhere, known.Name) {
				names = append(names, known.Name)
			}
		}
		h.fault(n, nearestOr(name, names, "the attributes are"), "a fact has no attribute %q", name)
		return
	case name == clinical.AttrAuthored:
		f.Authored = h.time(n, strings.Join(items, ", "), h.when)
		return
	case info.Type == clinical.AttributeNumber || info.Type == clinical.AttributeQuantity:
		x, err := strconv.ParseFloat(strings.Join(items, ", "), 64)
		if err != nil || math.IsNaN(x) || math.IsInf(x, 0) {
			h.fault(n, "write a decimal such as 1.3", "the attribute %s is a number, and %q is none", name, strings.Join(items, ", "))
		}
		a.Number, a.Numeric = x, true
	default:
		for _, item := range items {
			a.Codes = append(a.Codes, clinical.Code(item))
		}
	}
	if f.Detail.Attribute(name) != nil {
		h.fault(n, "list its codes in brackets", "the attribute %s is here twice", name)
		return
	}
	f.Detail.Attributes = append(f.Detail.Attributes, a)
	slices.SortFunc(f.Detail.Attributes, func(a, b clinical.Attribute) int { return strings.Compare(a.Name, b.Name) })
}

// elsewhere are what a `where` can ask about that a fact is written with elsewhere than in braces.
var elsewhere = []string{clinical.AttrValue, clinical.AttrCode, clinical.AttrUnit, clinical.AttrStart, clinical.AttrEnd,
	clinical.AttrLength, clinical.AttrLag}

// number reads a number with or without a comparator into d, and returns it.
func (r *reader) number(n node, s string, d *clinical.Detail) float64 {
	d.Type, d.Comparator = clinical.Number, clinical.Exactly
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
