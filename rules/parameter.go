package rules

import (
	"fmt"
	"maps"
	"math"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/rules/schema"
)

// ParametersFile is the base name of the file of a set that holds a site's own values of the packs'
// parameters. It is part of the set, so that two sites with different values have different sets, and
// a set taken from the log means what it meant.
const ParametersFile = "parameters.yaml"

// siteFile is the name in a set of a file that With writes.
const siteFile = "site/" + ParametersFile

// ParameterType says what the values of a parameter are.
type ParameterType uint8

const (
	NumberParameter ParameterType = iota
	DurationParameter
	BooleanParameter
)

// Parameter is a number, a length of time or a switch of a pack that a site may set, within bounds that
// the pack's author has drawn.
type Parameter struct {
	Pack, Name string
	Title      string
	Type       ParameterType
	Unit       string // of numbers, in UCUM; may be empty
	// Default, Min and Max are the author's, Value is what is in force: Numbers, Booleans, or Texts such
	// as "48h" for lengths of time. A switch has no bounds; theirs are missing.
	Default, Value, Min, Max Value
	// Site says that the site has set the value, be it to the default.
	Site bool
	File string // where it is declared
	Line int

	window   Window // of a length of time
	min, max float64
}

// With returns the set together with a site's own values of parameters, by pack and name, as its
// configuration writes them. Without any it returns s itself. What is wrong with them Compile says.
func (s *Set) With(parameters map[string]map[string]string) *Set {
	var b strings.Builder
	for _, pack := range slices.Sorted(maps.Keys(parameters)) {
		if len(parameters[pack]) == 0 {
			continue
		}
		fmt.Fprintf(&b, "%s:\n", strconv.Quote(pack))
		for _, name := range slices.Sorted(maps.Keys(parameters[pack])) {
			fmt.Fprintf(&b, "  %s: %s\n", strconv.Quote(name), strconv.Quote(parameters[pack][name]))
		}
	}
	if b.Len() == 0 {
		return s
	}
	return NewSet(append(slices.Clone(s.Files), clinical.File{Name: siteFile, Data: []byte(b.String())})...)
}

// parameters reads what a pack lets its sites set.
func (r reader) parameters(p *pack, n *node) {
	if n == nil || !r.is(n, mapping, "parameters") {
		return
	}
	for _, v := range n.pairs {
		if !r.ownName(p, "a parameter", v.key) {
			continue
		}
		what := "the parameter " + strconv.Quote(v.key.text)
		keys := r.keys(v.value, what, schema.Parameter.Names()...)
		if v.value.shape != mapping {
			continue
		}
		q := &Parameter{Pack: p.name, Name: v.key.text, Title: r.word(keys["title"], "title"), Unit: r.word(keys["unit"], "unit"),
			File: v.key.at().file, Line: v.key.line}
		if keys["default"] == nil {
			r.add(v.key.at(), what+" has no default", "write the value that the guideline gives, as in `default: 6.0`")
			continue
		}
		if !r.bounds(q, what, v.key.at(), keys) {
			continue
		}
		if keys["unit"] != nil && q.Type != NumberParameter {
			r.add(keys["unit"].at(), what+" is not a number: it has no unit", "drop `unit`")
			continue
		}
		p.constants[q.Name] = &constant{name: q.Name, parameter: q}
		p.parameters = append(p.parameters, q)
	}
}

// bounds reads the default and the bounds.
func (r reader) bounds(q *Parameter, what string, at position, keys map[string]*node) bool {
	text := r.word(keys["default"], "default")
	switch {
	case text == "":
		return false
	case text == "true" || text == "false":
		q.Type, q.Default = BooleanParameter, BoolOf(text == "true")
		q.Value = q.Default
		for _, key := range []string{"min", "max"} {
			if keys[key] != nil {
				r.add(keys[key].at(), what+" is a switch: it has no bounds", "drop `"+key+"`")
				return false
			}
		}
		return true
	}
	if _, ok := finiteNumber(text); !ok {
		q.Type = DurationParameter
	}
	fine := true
	q.min, q.max = math.Inf(-1), math.Inf(1)
	read := func(key string) (Value, float64) {
		n := keys[key]
		if n == nil {
			r.add(at, fmt.Sprintf("%s has no %s", what, key), fmt.Sprintf("say how far a site may go, as in `%s: …`", key))
			fine = false
			return Value{}, 0
		}
		v, x, c := q.read(r.word(n, key))
		if c != nil {
			r.add(n.at(), c.problem, c.hint)
			fine = false
		}
		return v, x
	}
	var minimum, maximum, x float64
	q.Default, x = read("default")
	q.Min, minimum = read("min")
	q.Max, maximum = read("max")
	if !fine {
		return false
	}
	q.min, q.max = minimum, maximum
	if x < minimum || x > maximum {
		r.add(keys["default"].at(), fmt.Sprintf("the default of %s lies outside its own bounds", what), fmt.Sprintf("they are %s to %s", q.Min, q.Max))
		return false
	}
	q.set(q.Default)
	return true
}

// read reads a value of the parameter's type, with its size for comparing it with the bounds.
func (q *Parameter) read(text string) (Value, float64, *complaint) {
	switch q.Type {
	case BooleanParameter:
		if text != "true" && text != "false" {
			return Value{}, 0, &complaint{fmt.Sprintf("%q is neither true nor false", text), "the parameter is a switch"}
		}
		return BoolOf(text == "true"), 0, nil
	case DurationParameter:
		d, c := parseDuration(text)
		if c == nil && d == (Duration{}) {
			c = &complaint{fmt.Sprintf("the length of time '%s' is empty", text), "write a length such as 48h"}
		}
		return TextOf(d.String()), d.mean(), c
	}
	x, ok := finiteNumber(text)
	if !ok {
		return Value{}, 0, &complaint{fmt.Sprintf("%q is not a number", text), "the parameter is a number, written without its unit"}
	}
	return NumberOf(x), x, nil
}

// take reads a value that a site may set: one of the type, within the bounds. What is wrong with one
// follows the parameter's name.
func (q *Parameter) take(text string) (Value, *complaint) {
	value, x, c := q.read(text)
	switch {
	case c != nil:
		return Value{}, &complaint{"is set wrongly: " + c.problem, c.hint}
	case q.Type == BooleanParameter:
	case x < q.min:
		return Value{}, &complaint{fmt.Sprintf("is set to %s, less than the least that it may be, %s", q.written(value), q.written(q.Min)), ""}
	case x > q.max:
		return Value{}, &complaint{fmt.Sprintf("is set to %s, more than the most that it may be, %s", q.written(value), q.written(q.Max)), ""}
	}
	return value, nil
}

// set puts a value in force.
func (q *Parameter) set(v Value) {
	q.Value = v
	if q.Type == DurationParameter {
		d, _ := parseDuration(v.Str)
		q.window = Window{From: d}
	}
}

func finiteNumber(text string) (float64, bool) {
	x, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsInf(x, 0) || math.IsNaN(x) || strings.ContainsAny(text, "_xXpP") {
		return 0, false
	}
	return x, true
}

// isParametersFile reports whether a file of a set holds a site's values of parameters.
func isParametersFile(name string) bool { return path.Base(name) == ParametersFile }

// override puts the values of a site's files in force.
func (c *compiler) override(packs []*pack, files []*node) {
	r := reader{&c.report}
	byName := map[string]*pack{}
	var names []string
	for _, p := range packs {
		byName[p.name] = p
		names = append(names, p.name)
	}
	for _, root := range files {
		if !r.is(root, mapping, "a site's parameters") {
			continue
		}
		for _, of := range root.pairs {
			p := byName[of.key.text]
			if p == nil {
				c.add(of.key.at(), fmt.Sprintf("parameters are set of the pack %q, which the set does not have", of.key.text), didYouMeanOr(of.key.text, names, "the packs are"))
				continue
			}
			if !r.is(of.value, mapping, fmt.Sprintf("what the site sets of the pack %q", p.name)) {
				continue
			}
			for _, v := range of.value.pairs {
				c.overrideOne(p, v)
			}
		}
	}
	for _, p := range packs {
		for _, q := range p.parameters {
			p.constants[q.Name].value = q.Value
			if unit := q.Unit; unit != "" {
				if _, err := newUnit(unit, c.opts.Units); err != nil {
					c.add(position{q.File, q.Line, 1}, fmt.Sprintf("unknown unit %q of the parameter %q", unit, q.Name), "units are written in UCUM, as in mg/dL, mmol/L, Cel: "+err.Error())
				}
			}
		}
	}
}

func (c *compiler) overrideOne(p *pack, v pair) {
	r := reader{&c.report}
	i := slices.IndexFunc(p.parameters, func(q *Parameter) bool { return q.Name == v.key.text })
	if i < 0 {
		var names []string
		for _, q := range p.parameters {
			names = append(names, q.Name)
		}
		hint := "the pack lets its sites set nothing"
		if len(names) > 0 {
			hint = didYouMeanOr(v.key.text, names, "its parameters are")
		}
		c.add(v.key.at(), fmt.Sprintf("the pack %q has no parameter %q", p.name, v.key.text), hint)
		return
	}
	q := p.parameters[i]
	what := fmt.Sprintf("the parameter %q of the pack %q", q.Name, p.name)
	declared := fmt.Sprintf("it is declared in %s:%d", q.File, q.Line)
	if v.key.at().file == siteFile {
		declared += ", and set by `parameters` of the configuration"
	}
	text := r.word(v.value, what)
	if text == "" {
		return
	}
	value, complaint := q.take(text)
	switch {
	case complaint != nil:
		c.add(v.value.at(), what+" "+complaint.problem, strings.TrimPrefix(complaint.hint+"; "+declared, "; "))
	case q.Site:
		c.add(v.key.at(), what+" is set twice", "set it in one file only")
	default:
		q.Site = true
		q.set(value)
	}
}

// written is a value of the parameter with its unit.
func (q *Parameter) written(v Value) string {
	if q.Unit == "" {
		return v.String()
	}
	return v.String() + " " + q.Unit
}
