package rulestest

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/rules"
)

// history gathers what a case says of its patient.
type history struct {
	*reader
	pack    string
	when    clock
	patient string // of a FHIR file, where the case says which
	learned []learned
	written int // resources so far
}

// learned is one statement and when the log learned of it.
type learned struct {
	at        clinical.Instant
	assertion clinical.Assertion
}

// add states a fact by a resource of its own, and returns the resource's name.
func (h *history) add(at clinical.Instant, f clinical.Fact) string {
	h.written++
	kind := f.Stream.Kind.String()
	name := fmt.Sprintf("%s%s/%d", strings.ToUpper(kind[:1]), kind[1:], h.written)
	h.learned = append(h.learned, learned{at, clinical.Assertion{Resource: name, Version: clinical.Version{Number: 1}, Facts: []clinical.Fact{f}}})
	return name
}

// stated is every fact that the history ever states, in the order written.
func (h *history) stated() []clinical.Fact {
	var facts []clinical.Fact
	for _, l := range h.learned {
		facts = append(facts, l.assertion.Facts...)
	}
	return facts
}

// records puts what was learned in its order, what was learned at one instant together.
func (h *history) records() []clinical.Record {
	ordered := slices.Clone(h.learned)
	slices.SortStableFunc(ordered, func(x, y learned) int { return cmp.Compare(x.at, y.at) })
	var records []clinical.Record
	for _, l := range ordered {
		if n := len(records); n == 0 || records[n-1].Recorded != l.at {
			records = append(records, clinical.Record{Patient: "case", Recorded: l.at, EventOffset: -1})
		}
		last := &records[len(records)-1]
		last.Assertions = append(last.Assertions, l.assertion)
	}
	return records
}

// facts reads what stands under `history` or `facts`.
func (h *history) facts(n node) {
	switch n.shape {
	case mapping:
		for _, p := range n.pairs {
			h.named(p)
		}
	case sequence:
		for _, item := range n.items {
			switch {
			case item.shape != mapping:
				h.fault(item, "write `creatinine: 0.9 @ -40h`, or {code: ..., value: ..., at: ...}", "a fact is written as keys with values")
			case len(item.pairs) == 1 && !slices.Contains(FactKeys, item.pairs[0].key):
				h.named(item.pairs[0])
			default:
				h.writtenOut(item)
			}
		}
	default:
		h.fault(n, "write `creatinine: 0.9 @ -40h` below it", "a history is written as keys with values, or as a list of them")
	}
}

// subject is what the facts under one key have in common.
type subject struct {
	kind  clinical.Kind
	input *rules.Input // nil where the key is a code
	codes []clinical.Code
	unit  string
	value clinical.ValueType
}

// named reads the entries under an input's name, a code, or a kind and a code.
func (h *history) named(p pair) {
	s, ok := h.subject(p)
	if !ok {
		return
	}
	items := []node{p.value}
	if p.value.shape == sequence {
		items = p.value.items
	}
	for _, item := range items {
		text := h.text(item, "what "+p.key+" was")
		if text == "" {
			continue
		}
		for _, e := range splitTop(text, ",") {
			at := item
			if at.style == plain && !strings.Contains(text, "\n") {
				at.col += len([]rune(text[:e.offset]))
			}
			h.entry(at, e.text, s)
		}
	}
}

func (h *history) subject(p pair) (subject, bool) {
	kind, code, both := strings.Cut(p.key, " ")
	if !both {
		kind, code = "observation", p.key
	}
	if strings.Contains(code, "|") {
		s := subject{kind: clinical.KindOf(kind), codes: []clinical.Code{clinical.Code(strings.TrimSpace(code))}, value: clinical.Number}
		if s.kind == clinical.KindNone || s.kind == clinical.KindPatient {
			h.fault(p.at, "write observation, condition, medication, procedure, ... before the code", "%q is not a kind of fact", kind)
			return s, false
		}
		return s, true
	}
	in, hint := h.suite.input(h.pack, p.key)
	if in == nil {
		if h.pack != "" {
			h.fault(p.at, hint, "the pack of the rule has no input %q", p.key)
		}
		return subject{}, false
	}
	s := subject{kind: in.Kind, input: in, unit: in.Unit, value: in.Type}
	if len(in.Codes) > 0 {
		first := clinical.Code("")
		for c := range in.Codes {
			if first == "" || c < first {
				first = c
			}
		}
		s.codes = []clinical.Code{first}
	}
	return s, true
}
