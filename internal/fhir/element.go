package fhir

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/vigil-cds/vigil/internal/clinical"
)

// The data types of FHIR R4, with the elements that facts need.

type header struct {
	ID   string `json:"id"`
	Meta struct {
		VersionID   string `json:"versionId"`
		LastUpdated string `json:"lastUpdated"`
	} `json:"meta"`
	Contained         []contained `json:"contained"`
	Extension         []extension `json:"extension"`
	ModifierExtension []extension `json:"modifierExtension"`
}

type coding struct {
	System  string `json:"system"`
	Code    string `json:"code"`
	Display string `json:"display"`
}

type concept struct {
	Coding []coding `json:"coding"`
	Text   string   `json:"text"`
}

// codes is every coding; of a concept in words alone, the code "text|" and the words.
func (c *concept) codes() []clinical.Code {
	if c == nil {
		return nil
	}
	codes := make([]clinical.Code, 0, len(c.Coding))
	text := c.Text
	for _, coding := range c.Coding {
		if coding.Code != "" {
			codes = append(codes, clinical.NewCode(coding.System, coding.Code))
		} else if text == "" {
			text = coding.Display
		}
	}
	if len(codes) == 0 {
		return textCode(text)
	}
	return codes
}

// tokens is the codes without their systems, for concepts whose system FHIR fixes.
func (c *concept) tokens() []clinical.Code {
	if c == nil {
		return nil
	}
	var codes []clinical.Code
	for _, coding := range c.Coding {
		if coding.Code != "" {
			codes = append(codes, clinical.Code(coding.Code))
		}
	}
	return codes
}

// is reports whether one of the concept's codes is one of these tokens.
func (c *concept) is(tokens ...string) bool {
	if c == nil {
		return false
	}
	return slices.ContainsFunc(c.Coding, func(k coding) bool { return slices.Contains(tokens, k.Code) })
}

func textCode(text string) []clinical.Code {
	if text = strings.ToLower(strings.TrimSpace(text)); text == "" {
		return nil
	}
	return []clinical.Code{clinical.NewCode("text", text)}
}

func codesOf(concepts []concept) []clinical.Code {
	var codes []clinical.Code
	for i := range concepts {
		codes = append(codes, concepts[i].codes()...)
	}
	return codes
}

// decimal is a JSON number as it was written. Anything else that stands in its place is kept too, so
// that the fault can say where it was.
type decimal string

func (d *decimal) UnmarshalJSON(b []byte) error {
	if string(b) != "null" {
		*d = decimal(b)
	}
	return nil
}

// number reads a decimal; false where there is none, or none that can be read.
func (m *mapper) number(element string, d decimal) (float64, bool) {
	if d == "" {
		return 0, false
	}
	if d[0] == '-' || d[0] >= '0' && d[0] <= '9' {
		if v, err := strconv.ParseFloat(string(d), 64); err == nil {
			return v, true
		}
		m.fault(NotANumber, element, "the number is too large to be one", "send a decimal number of a size that can occur")
		return 0, false
	}
	m.fault(NotANumber, element, "a number belongs here", "send a JSON number without quotes, or leave it out")
	return 0, false
}

type quantity struct {
	Value      decimal `json:"value"`
	Comparator string  `json:"comparator"`
	Unit       string  `json:"unit"`
	Code       string  `json:"code"`
}

// unit is the code where there is one, else the unit in words.
func (q *quantity) unit() string {
	if q == nil {
		return ""
	}
	if q.Code != "" {
		return q.Code
	}
	return q.Unit
}

// sameUnit reports whether q is in the unit of value; a q without a unit is taken to be.
func (q *quantity) sameUnit(value *quantity) bool {
	switch {
	case q.unit() == "" || q.unit() == value.unit():
		return true
	case value == nil || q.Code != "" && value.Code != "":
		return false
	}
	return q.Unit != "" && q.Unit == value.Unit
}

type bounds struct {
	Low  *quantity `json:"low"`
	High *quantity `json:"high"`
}

type ratio struct {
	Numerator   *quantity `json:"numerator"`
	Denominator *quantity `json:"denominator"`
}

// ratio divides. Neither part may be missing, nor the lower one be nothing.
func (m *mapper) ratio(element string, r *ratio) (value float64, unit string, ok bool) {
	if r == nil || r.Numerator == nil || r.Denominator == nil {
		return 0, "", false
	}
	over, ok1 := m.number(element+".numerator.value", r.Numerator.Value)
	under, ok2 := m.number(element+".denominator.value", r.Denominator.Value)
	if !ok1 || !ok2 || under == 0 {
		return 0, "", false
	}
	unit = r.Numerator.unit()
	if below := r.Denominator.unit(); below != "" {
		if unit == "" {
			unit = "1"
		}
		unit += "/" + below
	}
	return over / under, unit, true
}

type period struct {
	Start string `json:"start"`
	End   string `json:"end"`
}

type timing struct {
	Event  []string `json:"event"`
	Repeat struct {
		BoundsPeriod   *period   `json:"boundsPeriod"`
		BoundsDuration *quantity `json:"boundsDuration"`
	} `json:"repeat"`
}

// span is a clinical time on its way: what of its start and end is stated.
type span struct {
	start, end   clinical.Instant
	precision    clinical.Precision
	dated, ended bool
}

// time reads a date; false where there is none, or none that can be read.
func (m *mapper) time(element, s string) (clinical.Instant, clinical.Precision, bool) {
	if s == "" {
		return 0, 0, false
	}
	t, precision, ok := parseTime(s, m.d.options.Zone)
	if !ok {
		m.fault(UnreadableDate, element, "this is not a date or time of FHIR", "write it as 2026-03-01 or 2026-03-01T10:00:00+01:00")
	}
	return t, precision, ok
}

// at is the span of one stated instant.
func (m *mapper) at(element, s string) span {
	t, precision, ok := m.time(element, s)
	return span{start: t, precision: precision, dated: ok}
}

func (m *mapper) period(element string, p *period) span {
	if p == nil {
		return span{}
	}
	s := m.at(element+".start", p.Start)
	if end, precision, ok := m.time(element+".end", p.End); ok {
		s.end, s.ended = lastInstant(end, precision, m.d.options.Zone), true
		if !s.dated {
			s.precision = precision
		}
	}
	return s
}

// timing spans the events, or the bounds within which they repeat. A duration counts from `from`,
// where that is known.
func (m *mapper) timing(element string, t *timing, from span) span {
	if t == nil {
		return span{}
	}
	if t.Repeat.BoundsPeriod != nil {
		return m.period(element+".repeat.boundsPeriod", t.Repeat.BoundsPeriod)
	}
	var s span
	for i, event := range t.Event {
		e := m.at(element+".event["+strconv.Itoa(i)+"]", event)
		if !e.dated {
			continue
		}
		if !s.dated || e.start < s.start {
			s.start, s.precision, s.dated = e.start, e.precision, true
		}
		if !s.ended || e.start > s.end {
			s.end, s.ended = e.start, true
		}
	}
	if q := t.Repeat.BoundsDuration; q != nil && from.dated {
		if n, ok := m.number(element+".repeat.boundsDuration.value", q.Value); ok {
			if end, ok := m.later(from.start, n, q.unit()); ok {
				s.end, s.ended = end, true
			}
		}
	}
	return s
}

// later is the instant n units of time after t, by the calendar for months and years. The units are
// those of FHIR's UnitsOfTime; no unit means days.
func (m *mapper) later(t clinical.Instant, n float64, unit string) (clinical.Instant, bool) {
	const mostYears = 200 // keeps every sum far inside an Instant
	day := 24 * time.Hour
	units := map[string]time.Duration{"s": time.Second, "min": time.Minute, "h": time.Hour, "d": day, "": day,
		"day": day, "days": day, "wk": 7 * day}
	if d, ok := units[unit]; ok && n >= 0 && n*d.Hours() <= mostYears*365*24 {
		return t + clinical.Instant(n*float64(d.Milliseconds())), true
	}
	if n < 0 || n > mostYears*12 {
		return 0, false
	}
	local := t.Time().In(m.d.options.Zone)
	switch unit {
	case "mo":
		return clinical.At(local.AddDate(0, int(n), 0)), true
	case "a":
		return clinical.At(local.AddDate(0, int(n*12), 0)), true
	}
	return 0, false
}

// or takes the start from another span where s states none.
func (s span) or(other span) span {
	if s.dated || !other.dated {
		return s
	}
	s.start, s.precision, s.dated = other.start, other.precision, true
	if s.ended && s.end < s.start {
		// The other says only when it was written down, and by then it was over.
		s.start = s.end
	}
	return s
}

// close settles what is not stated: the start is the end, else when this version was made, else
// Never; the end is Forever of what goes on, else the start.
func (m *mapper) close(s span, ongoing bool) span {
	switch {
	case s.dated:
	case s.ended:
		s.start = s.end
	case m.out.Assertion.Version.Updated != 0:
		s.start = m.out.Assertion.Version.Updated
	default:
		s.start = clinical.Never
	}
	switch {
	case s.ended:
		s.end = max(s.start, s.end)
	case ongoing:
		s.end = clinical.Forever
	default:
		s.end = s.start
	}
	return s
}

// attributes collects a fact's attributes; what is empty is left out.
type attributes []clinical.Attribute

func (a *attributes) codes(name string, codes []clinical.Code) {
	if len(codes) == 0 {
		return
	}
	codes = slices.Clone(codes)
	slices.Sort(codes)
	*a = append(*a, clinical.Attribute{Name: name, Codes: slices.Compact(codes)})
}

func (a *attributes) token(name, token string) {
	if token != "" {
		*a = append(*a, clinical.Attribute{Name: name, Codes: []clinical.Code{clinical.Code(token)}})
	}
}

func (a *attributes) number(name string, v float64) {
	*a = append(*a, clinical.Attribute{Name: name, Number: v, Numeric: true})
}

func (a *attributes) negated(negated bool) {
	if negated {
		a.token(clinical.AttrNegated, "true")
	}
}

// written notes when the resource says it was written down, before it states a fact.
func (m *mapper) written(s span) {
	if s.dated {
		m.authored = s.start
	}
}

// sorted hands the attributes over in order of name.
func (a attributes) sorted() []clinical.Attribute {
	slices.SortFunc(a, func(x, y clinical.Attribute) int { return strings.Compare(x.Name, y.Name) })
	return a
}
