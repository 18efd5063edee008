package rules

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/rules/schema"
)

var (
	idPattern    = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)
	inputPattern = regexp.MustCompile(`^[a-z][a-z0-9_]*$`)
)

// reserved are the names that expressions keep for themselves.
var reserved = map[string]bool{
	"patient": true, valueName: true, "and": true, "or": true, "not": true, "in": true, "true": true, "false": true,
	ownScore: true, "rule": true, "table": true, "nil": true, "let": true, "if": true, "else": true, "matches": true, "contains": true,
}

// pack is one file as written.
type pack struct {
	name      string
	at        position
	zone      *time.Location
	zoneAt    position
	valueSets map[string]*ValueSet
	inputs    map[string]*inputSource
	order     []*inputSource // as written
	names     []string       // of the inputs
	rules     []*ruleSource

	constants  map[string]*constant // parameters, too
	parameters []*Parameter
	tables     map[string]*Table // nil of one that has faults
	scores     map[string]*scoreSource
	scoreOrder []*scoreSource // as written
	valueSetAt map[string]position
	usedSets   map[*ValueSet]bool
}

// inputSource is an input as written, and what became of it.
type inputSource struct {
	name   string
	at     position
	pack   *pack
	from   *node
	kind   clinical.Kind
	codes  *node
	unit   *node
	value  *node
	where  *node
	during *node
	molar  *node // molar_mass
	equiv  *node // valence

	state resolution
	input *Input // nil when it has faults
	used  []*Parameter
	chain int  // of inputs that begins with it
	asked bool // something asks about it or is made from it
}

type resolution uint8

const (
	untouched resolution = iota
	underway
	settled
)

// ruleSource is a rule as written.
type ruleSource struct {
	at       position
	id       string
	version  int
	title    string
	severity Severity
	source   string
	tags     []string
	forEach  *node
	when     *node
	message  *node
	score    *node
}

// inputHint helps whoever named an input that the pack does not have.
func (p *pack) inputHint(name string) string {
	if len(p.names) == 0 {
		return "the pack declares no inputs"
	}
	return didYouMeanOr(name, p.names, "the pack's inputs are")
}

// reader takes nodes apart and reports what is not as it should be.
type reader struct{ *report }

// keys reads a mapping that may only have the keys allowed.
func (r reader) keys(n *node, what string, allowed ...string) map[string]*node {
	out := map[string]*node{}
	if !r.is(n, mapping, what) {
		return out
	}
	for _, p := range n.pairs {
		if !contains(allowed, p.key.text) {
			hint := didYouMeanOr(p.key.text, allowed, "the keys are")
			if strings.ContainsAny(p.key.text, "()<>='") {
				hint = "this looks like part of a condition, which YAML ends at a comma within { }: put it in quotes"
			}
			r.add(p.key.at(), fmt.Sprintf("%s has no key %q", what, p.key.text), hint)
			continue
		}
		if p.value.shape == empty {
			r.add(p.key.at(), fmt.Sprintf("%q is empty", p.key.text), "give it a value or drop the key")
			continue
		}
		out[p.key.text] = p.value
	}
	return out
}

func contains(list []string, s string) bool {
	for _, x := range list {
		if x == s {
			return true
		}
	}
	return false
}

func (r reader) is(n *node, want shape, what string) bool {
	if n.shape != want {
		r.add(n.at(), fmt.Sprintf("%s is written as %s, and here is %s", what, shapeNames[want], shapeNames[n.shape]), "")
		return false
	}
	return true
}

// word reads a scalar that is not blank; "" after a fault and where there is none.
func (r reader) word(n *node, what string) string {
	if n == nil || !r.is(n, scalar, what) {
		return ""
	}
	s := strings.TrimSpace(n.text)
	if s == "" {
		r.add(n.at(), what+" is empty", "")
	}
	return s
}

func (r reader) words(n *node, what string) []string {
	if n == nil || !r.is(n, list, what) {
		return nil
	}
	var out []string
	for _, item := range n.items {
		if s := r.word(item, what); s != "" {
			out = append(out, s)
		}
	}
	return out
}

// wholeNumber reads a whole number from 1.
func (r reader) wholeNumber(n *node, what string) int {
	s := r.word(n, what)
	if s == "" {
		return 0
	}
	x, err := strconv.Atoi(s)
	if err != nil || x < 1 {
		r.add(n.at(), fmt.Sprintf("%s is a whole number from 1, and here is %q", what, s), "")
		return 0
	}
	return x
}

// required reports the keys that are not there.
func (r reader) required(at position, what string, have map[string]*node, keys ...string) {
	for _, key := range keys {
		if have[key] == nil {
			r.add(at, fmt.Sprintf("%s has no %s", what, key), requiredHints[key])
		}
	}
}

var requiredHints = map[string]string{
	"source":   "name the guideline, as in `source: KDIGO 2012, 2.1`",
	"severity": "write `severity: info`, `warning` or `critical`",
	"when":     "write the condition, as in `when: potassium.last('24h') > 6`",
	"title":    "write a short title for whoever reads the alert",
	"id":       "write an id such as `id: aki-stage-1`",
	"pack":     "write `pack: its-name` at the top",
}

// readPack reads one file; nil when it is not a pack at all.
func readPack(name string, data []byte, report *report) *pack {
	r := reader{report}
	root := parseYAML(name, data, report)
	if root == nil {
		return nil
	}
	p := &pack{at: root.at(), valueSets: map[string]*ValueSet{}, inputs: map[string]*inputSource{},
		constants: map[string]*constant{}, tables: map[string]*Table{}, scores: map[string]*scoreSource{},
		valueSetAt: map[string]position{}, usedSets: map[*ValueSet]bool{}}
	keys := r.keys(root, "a pack", schema.Pack.Names()...)
	if root.shape != mapping {
		return nil
	}
	r.required(p.at, "the pack", keys, "pack")
	if n := keys["pack"]; n != nil {
		p.name, p.at = r.word(n, "the pack's name"), n.at()
		r.checkID(n, "the pack's name", p.name)
	}
	for _, key := range []string{"version", "title", "description"} {
		r.word(keys[key], key)
	}
	r.zone(p, keys["zone"])
	if n := keys["valuesets"]; n != nil && r.is(n, mapping, "valuesets") {
		for _, v := range n.pairs {
			name := v.key.text
			at := v.key.at()
			p.valueSetAt[name] = at
			set := &ValueSet{Name: name, Codes: r.codes(v.value, "the value set "+strconv.Quote(name)), File: at.file, Line: at.line}
			p.valueSets[name] = set.settle()
		}
	}
	if n := keys["inputs"]; n != nil && r.is(n, mapping, "inputs") {
		if len(n.pairs) > MaxInputs {
			r.add(n.pairs[MaxInputs].key.at(), fmt.Sprintf("the pack declares more than %d inputs", MaxInputs), "split the pack")
			n.pairs = n.pairs[:MaxInputs]
		}
		for _, v := range n.pairs {
			r.input(p, v)
		}
	}
	r.constants(p, keys["constants"])
	r.parameters(p, keys["parameters"])
	r.tables(p, keys["tables"])
	r.scores(p, keys["scores"])
	if n := keys["rules"]; n != nil && r.is(n, list, "rules") {
		for _, item := range n.items {
			if r.full() {
				break
			}
			if rule := r.rule(item); rule != nil {
				p.rules = append(p.rules, rule)
			}
		}
	}
	return p
}

func (r reader) checkID(n *node, what, id string) {
	if id != "" && !idPattern.MatchString(id) {
		r.add(n.at(), fmt.Sprintf("%s %q is not small letters, digits and single hyphens", what, id), "as in `aki-stage-1`")
	}
}

func (r reader) zone(p *pack, n *node) {
	name := r.word(n, "zone")
	if name == "" {
		return
	}
	zone, err := time.LoadLocation(name)
	if err != nil || name == "Local" {
		r.add(n.at(), fmt.Sprintf("unknown time zone %q", name), "write a name of the IANA database, as in Europe/London")
		return
	}
	p.zone, p.zoneAt = zone, n.at()
}

func (r reader) input(p *pack, v pair) {
	in := &inputSource{name: v.key.text, at: v.key.at(), pack: p}
	p.inputs[in.name] = in
	p.order = append(p.order, in)
	p.names = append(p.names, in.name)
	switch {
	case reserved[in.name]:
		r.add(in.at, fmt.Sprintf("an input cannot be called %q: expressions use the word themselves", in.name), "choose another name")
	case !inputPattern.MatchString(in.name):
		r.add(in.at, fmt.Sprintf("the input's name %q is not small letters, digits and underscores after a letter", in.name), "as in `heart_rate`")
	}
	what := "the input " + strconv.Quote(in.name)
	keys := r.keys(v.value, what, schema.Input.Names()...)
	if v.value.shape != mapping {
		in.state = settled
		return
	}
	in.from, in.unit, in.value, in.where, in.during = keys["from"], keys["unit"], keys["value"], keys["where"], keys["during"]
	in.molar, in.equiv = keys["molar_mass"], keys["valence"]
	var kinds []string
	for _, kind := range schema.Kinds {
		if keys[kind] != nil {
			kinds = append(kinds, kind)
			in.kind, in.codes = clinical.KindOf(kind), keys[kind]
		}
	}
	switch {
	case in.from != nil:
		for _, key := range append([]string{"unit", "molar_mass", "valence", "value"}, kinds...) {
			if keys[key] != nil {
				r.add(keys[key].at(), fmt.Sprintf("%s is made from another and takes its %s", what, inherits(key)), "drop `"+key+"`, or drop `from`")
				in.state = settled
			}
		}
	case len(kinds) == 0 && len(keys) < len(v.value.pairs):
		in.state = settled // a key was not understood, which is fault enough
	case len(kinds) == 0:
		r.add(in.at, what+" does not say what facts it takes", "write one of "+strings.Join(schema.Kinds, ", ")+", or `from: another_input`")
		in.state = settled
	case len(kinds) > 1:
		r.add(in.at, what+" takes more than one kind of fact: "+strings.Join(kinds, " and "), "make it two inputs")
		in.state = settled
	}
}

func inherits(key string) string {
	switch key {
	case "unit":
		return "unit"
	case "molar_mass", "valence":
		return "substance"
	case "value":
		return "type of value"
	}
	return "kind and codes"
}

func (r reader) rule(n *node) *ruleSource {
	if !r.is(n, mapping, "a rule") {
		return nil
	}
	keys := r.keys(n, "a rule", schema.Rule.Names()...)
	rule := &ruleSource{at: n.at(), version: 1, forEach: keys["for_each"], when: keys["when"], message: keys["message"], score: keys["score"]}
	what := "the rule"
	if id := keys["id"]; id != nil {
		rule.id, rule.at = r.word(id, "the rule's id"), id.at()
		r.checkID(id, "the rule's id", rule.id)
		what = "the rule " + strconv.Quote(rule.id)
	}
	r.required(rule.at, what, keys, "id", "title", "severity", "source", "when")
	if v := keys["version"]; v != nil {
		rule.version = r.wholeNumber(v, "a rule's version")
	}
	rule.title = r.word(keys["title"], "title")
	rule.source = r.word(keys["source"], "source")
	rule.tags = r.words(keys["tags"], "tags")
	if s := keys["severity"]; s != nil {
		word, known := r.word(s, "severity"), false
		for _, level := range []Severity{Info, Warning, Critical} {
			if word == level.String() {
				rule.severity, known = level, true
			}
		}
		if !known && word != "" {
			r.add(s.at(), fmt.Sprintf("unknown severity %q", word), didYouMeanOr(word, []string{"info", "warning", "critical"}, "write one of"))
		}
	}
	return rule
}
