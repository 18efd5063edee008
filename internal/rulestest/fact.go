package rulestest

import (
	"slices"
	"strings"

	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/rules"
)

// writtenOut reads {code: ..., value: ..., at: ...}.
func (h *history) writtenOut(n node) {
	before := len(h.faults)
	keys := h.keys(n, "a fact", FactKeys...)
	kind, codes := clinical.KindObservation, []clinical.Code(nil)
	for _, key := range []string{"code", "codes"} {
		if v, ok := keys[key]; ok {
			for _, s := range h.texts(v, "a code") {
				codes = append(codes, clinical.Code(s))
			}
		}
	}
	if len(codes) == 0 {
		h.fault(n, "add `code: \"loinc|2160-0\"`", "the fact has no code")
	}
	if v, ok := keys["kind"]; ok {
		if kind = clinical.KindOf(v.text); kind == clinical.KindNone || kind == clinical.KindPatient {
			h.fault(v, "write observation, condition, medication, procedure, ...; the patient has a key of its own", "%q is not a kind of fact", v.text)
		}
	}
	d := &clinical.Detail{}
	f := clinical.Fact{Stream: clinical.NewStream(kind, codes...), Detail: d}
	if v, ok := keys["unit"]; ok {
		d.Unit = h.text(v, "unit")
	}
	if v, ok := keys["text"]; ok {
		d.Type, d.Text = clinical.Text, h.text(v, "text")
	}
	if v, ok := keys["value"]; ok {
		switch text := h.text(v, "value"); {
		case text == "true" || text == "false":
			f.Number = h.boolean(v, text, d)
		case strings.Contains(text, "|"):
			d.Type, d.Codes = clinical.Coded, []clinical.Code{clinical.Code(text)}
		case text != "":
			f.Number = h.number(v, text, d)
		}
	}
	if v, ok := keys["attributes"]; ok {
		if v.shape != mapping {
			h.fault(v, "as in {status: final}", "attributes are written as keys with values")
		}
		for _, p := range v.pairs {
			if items := h.texts(p.value, p.key); len(items) > 0 {
				h.property(p.at, p.key, items, &f)
			}
		}
	}
	from := finely(h.when.now)
	if v, ok := keys["at"]; ok {
		from = h.moment(v, h.text(v, "at"), h.when)
	}
	f.Time, f.End, d.Precision = from.at, from.at, from.precision
	if v, ok := keys["until"]; ok {
		if f.End = clinical.Forever; v.text != "open" {
			f.End = h.time(v, h.text(v, "until"), h.when)
		}
		if f.End < f.Time {
			h.fault(v, "", "the period ends before it starts")
		}
	}
	if v, ok := keys["authored"]; ok {
		f.Authored = h.time(v, h.text(v, "authored"), h.when)
	}
	known := f.Time
	if v, ok := keys["known"]; ok {
		known = h.time(v, h.text(v, "known"), h.when)
	}
	if len(h.faults) == before {
		h.add(known, f)
	}
}

// texts reads a text or a list of them.
func (r *reader) texts(n node, what string) []string {
	items := n.items
	if n.shape != sequence {
		items = []node{n}
	}
	var texts []string
	for _, item := range items {
		if s := r.text(item, what); s != "" {
			texts = append(texts, s)
		}
	}
	return texts
}

// person reads the patient's own fact.
func (h *history) person(n node) {
	keys := h.keys(n, "a patient", PatientKeys...)
	f := clinical.Fact{Stream: clinical.NewStream(clinical.KindPatient), Time: clinical.Never, End: clinical.Forever}
	d := &clinical.Detail{}
	born, isBorn := keys["born"]
	age, isAged := keys["age"]
	switch {
	case isBorn && isAged:
		h.fault(age, "keep one of the two", "the patient has both an age and a date of birth")
	case isBorn:
		from := h.moment(born, h.text(born, "born"), h.when)
		f.Time, d.Precision = from.at, from.precision
	case isAged:
		f.Time, d.Precision = h.bornBefore(age), clinical.ToMinute
	}
	if v, ok := keys["died"]; ok {
		f.End = h.time(v, h.text(v, "died"), h.when)
		d.Attributes = append(d.Attributes, clinical.Attribute{Name: clinical.AttrDeceased, Codes: []clinical.Code{"true"}})
	}
	if v, ok := keys["sex"]; ok {
		d.Attributes = append(d.Attributes, clinical.Attribute{Name: clinical.AttrSex, Codes: []clinical.Code{clinical.Code(h.text(v, "sex"))}})
	}
	if v, ok := keys["id"]; ok {
		h.patient = h.text(v, "id")
	}
	f.Detail = d
	if len(keys) > 1 || h.patient == "" {
		h.learned = append(h.learned, learned{clinical.Never, clinical.Assertion{Resource: "Patient/case", Facts: []clinical.Fact{f}}})
	}
}

// bornBefore is the birth of a patient of an age in years, or in months as in 8mo, half a year or half a
// month past it.
func (h *history) bornBefore(n node) clinical.Instant {
	text := h.text(n, "age")
	const months = "mo"
	half := rules.Duration{Months: 6}
	if strings.HasSuffix(text, months) {
		half = rules.Duration{Millis: 15 * units["d"].Millis}
	} else {
		text = strings.TrimSuffix(text, "y") + "y"
	}
	age, ok := parseLength(text)
	if !ok || age.Millis != 0 {
		h.fault(n, "write completed years, as in 76, or months, as in 8mo", "%q is not an age", n.text)
	}
	return rules.Duration{Months: age.Months + half.Months, Millis: half.Millis}.Before(h.when.now, h.when.zone)
}

// nearestOr is a hint of what a word was probably meant to be, else of all that it could be.
func nearestOr(word string, words []string, otherwise string) string {
	slices.Sort(words)
	if near := rules.Nearest(word, words); near != "" {
		return "did you mean \"" + near + "\"?"
	}
	const most = 12
	if len(words) > most {
		words = append(slices.Clone(words[:most]), "…")
	}
	return otherwise + " " + strings.Join(words, ", ")
}
