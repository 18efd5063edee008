package equivalence

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"

	"github.com/vigil-cds/vigil/internal/clinical"
)

// inputs is what every drawn pack declares: one stream and several, a unit to convert, filters by value
// and by attribute, an input from an input, every type of value, and facts with periods.
// Drawn ones that relate facts to each other are added to them.
const inputs = `  crea: {observation: ["loinc|1"], unit: mg/dL}
  molar: {observation: ["loinc|1"], unit: mmol/L, molar_mass: 113.12 g/mol, valence: 2}
  over: {from: molar, where: "value > reference_high"}
  temp: {observation: ["loinc|2", "loinc|3"]}
  high: {from: crea, where: "value >= 1.5"}
  above: {from: crea, where: "value > reference_high"}
  hot: {from: temp, where: "interpretation == 'H' or value > 2.0999999999"}
  group: {observation: ["loinc|4"], value: code}
  flag: {observation: ["loinc|5"], value: boolean}
  note: {observation: ["loinc|6"], value: text}
  ckd: {condition: ["snomed|1"], where: "clinical_status != 'refuted'"}
  drug: {medication: ["rxnorm|1", "rxnorm|2"], where: "status in ['active', 'completed']"}
  stay: {encounter: any}
`

const (
	hour = clinical.Instant(3_600_000)
	day  = 24 * hour
)

// start lies two days before British and Lebanese clocks go forward, so that calendar windows meet the change.
var start = clinical.Instant(1774605600000) // 2026-03-27T10:00:00Z

type drawer struct {
	*rand.Rand
	declared *declared // once it is drawn
	each     string    // the input for each of whose periods the rule that is being drawn holds
}

func pick[T any](d drawer, of ...T) T { return of[d.IntN(len(of))] }

// Draw makes the case of a seed. Times lie on a coarse grid with a millisecond to either side here and
// there, and numbers come from a short list, so that ties and edges are common.
func Draw(seed uint64) *Case {
	d := drawer{Rand: rand.New(rand.NewPCG(seed, 0x5eed))}
	c := &Case{Seed: seed, Inputs: d.inputs()}
	if d.IntN(3) == 0 {
		c.Zone = "Asia/Beirut" // where clocks go forward at midnight
	}
	d.declare(c.Inputs)
	c.Sections, c.Site = d.declared.text, d.site()
	c.Rules = d.conditions(c.Inputs, 8)
	c.Records = d.records()
	if d.IntN(3) == 0 {
		c.Change, c.LaterInputs = 1+d.IntN(len(c.Records)), c.Inputs
		if d.IntN(2) == 0 {
			if later := d.inputs(); c.compiles(later, []string{"true"}) {
				c.LaterInputs = later
			}
		}
		c.Later = d.conditions(c.LaterInputs, 6)
		for i, when := range c.Rules[:d.IntN(5)] { // some rules stay as they were
			kept := slices.Clone(c.Later)
			if kept[i] = when; c.compiles(c.LaterInputs, kept) {
				c.Later = kept
			}
		}
		c.LaterSite = pick(d, c.Site, d.site())
	}
	var seen []clinical.Instant
	for i, rec := range c.Records {
		for _, a := range rec.Assertions {
			for _, f := range a.Facts {
				seen = append(seen, f.Time)
				if f.End != clinical.Forever && f.End != clinical.Never {
					seen = append(seen, f.End)
				}
			}
		}
		for range 3 {
			c.Asks = append(c.Asks, Ask{After: i + 1, Now: d.instant(rec.Recorded, seen)})
		}
	}
	return c
}

// records draws what a log states about one patient.
func (d drawer) records() []clinical.Record {
	var records []clinical.Record
	clock := start
	for i := range 6 + d.IntN(24) {
		clock += pick(d, 0, 0, 1, hour/2, hour, 5*hour, day, 3*day)
		if d.IntN(40) == 0 {
			clock += 40 * day
		}
		rec := clinical.Record{Patient: patient, Recorded: clock, EventOffset: int64(i)}
		switch {
		case d.IntN(8) == 0:
			rec = clinical.Record{Recorded: clock, EventOffset: -1, Tick: true}
		case d.IntN(20) == 0:
			rec.Recorded = clock - day // a producer whose clock is behind
			fallthrough
		default:
			for range 1 + d.IntN(2) {
				rec.Assertions = append(rec.Assertions, d.assertion(clock))
			}
		}
		records = append(records, rec)
	}
	return records
}

// inputs draws some to stand beside those that every pack has.
func (d drawer) inputs() string {
	stated := inputs + d.stated()
	return stated + d.derived(stated)
}

// derived draws inputs whose facts are chosen by what other inputs hold at their time, some of them of each
// other.
func (d drawer) derived(inputs string) string {
	of := []string{"crea", "temp", "high", "hot", "said", "ckd", "drug", "stay", "given", "visit"}
	names := []string{"tied", "second", "third", "spell"}
	draw := func(i int) string {
		name := names[i]
		from := pick(d, of[:5]...)
		if name == "spell" {
			from = pick(d, "drug", "stay", "ckd")
		}
		line := fmt.Sprintf("  %s: {from: %s", name, from)
		if d.IntN(3) == 0 {
			line += ", during: " + pick(d, "stay", "drug", "[stay, ckd]")
		}
		return line + fmt.Sprintf(", where: %q}\n", d.where(append(of[:len(of):len(of)], names[:i]...), 2, name == "spell"))
	}
	return strings.Join(admitted(len(names), head(inputs), draw, func(lines []string) *Case {
		return &Case{Inputs: inputs + strings.Join(lines, ""), Rules: []string{"stay.active()"}}
	}), "")
}

// where draws a condition over one fact and over what there is about it.
func (d drawer) where(of []string, depth int, period bool) string {
	if depth > 0 && d.IntN(2) == 0 {
		x, y := d.where(of, depth-1, period), d.where(of, depth-1, period)
		return pick(d, "("+x+") and ("+y+")", "("+x+") or ("+y+")", "not ("+x+")")
	}
	compare := pick(d, "<", "<=", ">", ">=", "==", "!=")
	window := d.window()
	if d.IntN(3) == 0 {
		window = pick(d, "'after 1h'", "'after 2h'", "'after 1h..1d'", "'after 1mo'", "'after 3d..2mo'")
	}
	asked := pick(d, of...)
	numbers := pick(d, "crea", "temp", "high", "hot")
	switch d.IntN(14) {
	case 11:
		if period { // whichever of the kinds that have one
			return pick(d, "length > '1h'", "has(length)", "code in valueset('marked')", "start < end", "code == 'rxnorm|1'")
		}
		return d.properties(clinical.KindObservation, false, 1)
	case 0, 1:
		return fmt.Sprintf("%s.exists(%s)", asked, window)
	case 2:
		return fmt.Sprintf("%s.count(%s) %s %d", asked, window, compare, d.IntN(3))
	case 3:
		if d.IntN(3) == 0 {
			return fmt.Sprintf("%s%s %s %v", numbers, d.statistic(), compare, d.number())
		}
		return fmt.Sprintf("%s.%s(%s) %s %v", numbers, pick(d, "last", "first", "min", "max", "sum", "mean", "delta"), window, compare, d.number())
	case 4:
		return fmt.Sprintf("%s.hours_since(%s) %s %v", asked, d.window(), compare, pick(d, 0.0, 1, 2, 5, 24))
	case 5:
		if period && d.IntN(3) == 0 {
			return pick(d, "ckd", "drug", "stay") + ".during().active()"
		}
		return pick(d, "ckd", "drug", "stay") + "." + pick(d, "active()", "overlaps()", fmt.Sprintf("active(%s)", window))
	case 6:
		return fmt.Sprintf("%s.overlaps()", asked)
	case 7:
		if period {
			return pick(d, fmt.Sprintf("%s.during().exists()", asked), fmt.Sprintf("%s.during().count() >= 1", asked),
				fmt.Sprintf("%s.during().max() %s %v", numbers, compare, d.number()))
		}
		return fmt.Sprintf("%s.last_time() %s %s.first_time(%s)", asked, compare, numbers, window)
	case 8:
		if period && d.IntN(2) == 0 {
			return pick(d, "same_day(start, end)", "same_day(start, crea.last_time())", "patient.age_at(start) >= 20", "same_day(end, temp.first_time('after 3d'))")
		}
		return pick(d, "patient.age >= 20", "patient.sex == 'male'", "not patient.deceased", "patient.age_months < 241")
	case 9:
		if !period {
			return fmt.Sprintf("value %s %s.%s(%s)", compare, numbers, pick(d, "last", "min", "mean"), window)
		}
	case 10:
		if !period {
			return fmt.Sprintf("value %s %v", compare, d.number())
		}
	}
	return fmt.Sprintf("not %s.exists(%s)", asked, window)
}

// conditions draws what the language admits: some draws put two elapsed times into one atom.
func (d drawer) conditions(inputs string, n int) []string {
	draw := func(i int) string {
		d.declared.rules = i
		of, prefix := d, ""
		if d.IntN(4) == 0 {
			of.each = pick(d, "stay", "stay", "drug", "ckd", "visit", "spell", "crea")
			prefix = of.each + ": "
		}
		return prefix + of.condition(3)
	}
	c := Case{Sections: d.declared.text, Inputs: inputs}
	return admitted(n, bytes.Count(c.pack(inputs, nil), []byte("\n")), draw, func(lines []string) *Case {
		c.Rules = lines
		return &c
	})
}

// instant is now, a little or a lot later, in the past, or at a window's edge of some fact.
func (d drawer) instant(clock clinical.Instant, seen []clinical.Instant) clinical.Instant {
	switch d.IntN(6) {
	case 0:
		return clock
	case 1:
		return clock + clinical.Instant(d.Int64N(int64(3*day)))
	case 2:
		return clock - clinical.Instant(d.Int64N(int64(3*day)))
	case 3:
		return clock + clinical.Instant(d.IntN(400))*day
	}
	if len(seen) == 0 {
		return clock
	}
	t := seen[d.IntN(len(seen))]
	if t == clinical.Never {
		return clock
	}
	return t + pick(d, 0, hour, 2*hour, 6*hour, day, 3*day, 30*day, 31*day, 365*day) + pick[clinical.Instant](d, -1, 0, 0, 1)
}

var grid = []clinical.Instant{0, 0, hour, 2 * hour, 6 * hour, day, 2 * day, 3 * day, 29 * day, 31 * day, 365 * day, 366 * day}

// when is a clinical time about the clock: mostly before it, now and then after.
func (d drawer) when(clock clinical.Instant) clinical.Instant {
	t := clock - clock%hour - pick(d, grid...) + pick[clinical.Instant](d, 0, 0, 0, -1, 1)
	if d.IntN(6) == 0 {
		t = clock + pick(d, 0, 1, hour, day, 2*day)
	}
	return t
}

// assertion states (or, without facts, retracts) one of a few resources, so that corrections are common.
func (d drawer) assertion(clock clinical.Instant) clinical.Assertion {
	a := clinical.Assertion{Resource: fmt.Sprintf("Observation/%d", d.IntN(14))}
	switch d.IntN(4) {
	case 0:
		a.Version.Number = 1 + d.Int64N(4)
	case 1:
		a.Version.Updated = clock - pick(d, 0, hour, day)
	}
	if d.IntN(10) == 0 {
		return a
	}
	if d.IntN(4) == 0 { // a monitor's observation
		f := d.fact(clock)
		detail := *f.Detail
		detail.Unnamed = true
		f.Detail = &detail
		return clinical.Assertion{Facts: []clinical.Fact{f}}
	}
	for range 1 + d.IntN(10)/8 {
		a.Facts = append(a.Facts, d.fact(clock))
	}
	return a
}

func (d drawer) number() float64 {
	return pick(d, 0.9, 1, 1.2, 1.3, 1.5, 1.5, 2, 2.1, 3, 0, -1, 100.25, 1.0000000000001)
}

func (d drawer) fact(clock clinical.Instant) clinical.Fact {
	t := d.when(clock)
	f := clinical.Fact{Time: t, End: t, Detail: &clinical.Detail{}}
	switch k := d.IntN(16); {
	case k < 9:
		code := pick[clinical.Code](d, "loinc|1", "loinc|1", "loinc|2", "loinc|3")
		codes := []clinical.Code{code}
		if d.IntN(6) == 0 {
			codes = append(codes, pick[clinical.Code](d, "loinc|2", "loinc|3", "local|x"))
		}
		f.Stream = clinical.NewStream(clinical.KindObservation, codes...)
		f.Number = d.number()
		f.Detail.Type = clinical.Number
		f.Detail.Unit = pick(d, "mg/dL", "mg/dL", "mg/dL", "mg/dL", "g/L", "umol/L", "mmol/L", "meq/L", "kg", "")
		if d.IntN(8) == 0 {
			f.Detail.Comparator = pick(d, clinical.Below, clinical.Above)
		}
		if d.IntN(12) == 0 {
			f.Detail = &clinical.Detail{Type: clinical.AbsentValue, Attributes: token(clinical.AttrAbsentReason, "error")}
			f.Number = 0
		} else if d.IntN(4) == 0 {
			f.Detail.Attributes = token(clinical.AttrInterpretation, pick(d, "H", "N"))
		} else if d.IntN(3) == 0 {
			f.Detail.Attributes = []clinical.Attribute{{Name: clinical.AttrReferenceHigh, Number: d.number(), Numeric: true}}
		}
	case k == 9:
		f.Stream = clinical.NewStream(clinical.KindObservation, "loinc|4")
		f.Detail = &clinical.Detail{Type: clinical.Coded, Codes: []clinical.Code{pick[clinical.Code](d, "snomed|a", "snomed|b")}}
	case k == 10:
		f.Stream = clinical.NewStream(clinical.KindObservation, "loinc|5")
		f.Number, f.Detail.Type = float64(d.IntN(2)), clinical.Boolean
	case k == 11:
		f.Stream = clinical.NewStream(clinical.KindObservation, "loinc|6")
		f.Detail = &clinical.Detail{Type: clinical.Text, Text: pick(d, "clear", "cloudy")}
	case k == 12:
		f.Stream = clinical.NewStream(clinical.KindCondition, "snomed|1")
		f.End = d.end(t)
		f.Detail.Attributes = token(clinical.AttrClinicalStatus, pick(d, "active", "refuted"))
		if d.IntN(8) == 0 {
			f.Detail.Attributes = token(clinical.AttrNegated, "true")
		}
	case k == 13:
		f.Stream = clinical.NewStream(clinical.KindMedication, pick[clinical.Code](d, "rxnorm|1", "rxnorm|2"))
		f.End = d.end(t)
		f.Detail.Attributes = token(clinical.AttrStatus, pick(d, "active", "completed", "stopped"))
	case k == 14:
		f.Stream = clinical.NewStream(clinical.KindEncounter, pick[clinical.Code](d, "class|IMP", "class|AMB"))
		f.End = d.end(t)
	default:
		return d.person(clock)
	}
	d.says(&f)
	return f
}

func token(name, code string) []clinical.Attribute {
	return []clinical.Attribute{{Name: name, Codes: []clinical.Code{clinical.Code(code)}}}
}

func (d drawer) end(t clinical.Instant) clinical.Instant {
	if d.IntN(3) == 0 {
		return clinical.Forever
	}
	return t + pick(d, 0, 1, hour, day, 3*day, 40*day)
}

func (d drawer) person(clock clinical.Instant) clinical.Fact {
	f := clinical.Fact{Stream: clinical.NewStream(clinical.KindPatient), End: clinical.Forever, Detail: &clinical.Detail{}}
	f.Time = pick(d, clinical.Never, 951782400000 /* 29 February 2000 */, start-20*365*day, start-18*hour, start+5*day)
	if d.IntN(2) == 0 {
		f.Detail.Attributes = append(f.Detail.Attributes, token(clinical.AttrDeceased, "true")...)
		if d.IntN(3) > 0 {
			f.End = clock + pick(d, -day, 0, day)
		}
	}
	if d.IntN(4) > 0 {
		f.Detail.Attributes = append(f.Detail.Attributes, token(clinical.AttrSex, pick(d, "male", "female"))...)
	}
	return f
}

func (d drawer) window() string {
	if d.declared != nil && d.IntN(8) == 0 {
		return pick(d, "span", "days", "offset")
	}
	if d.IntN(8) == 0 {
		return pick(d, "'today'", "'yesterday'", "'last day'")
	}
	return pick(d, "", "", "'1h'", "'2h'", "'6h'", "'1d'", "'3d'", "'3d..1h'", "'2h..1h'", "'1mo'", "'2mo..1d'", "'1y'", "'1y..1mo'", "'1mo..1mo'", "'90m'", "'1d2h'")
}

// numeric draws an expression that is a number.
func (d drawer) numeric(depth int) string {
	if d.declared != nil && d.IntN(10) == 0 {
		return d.namedNumber()
	}
	if depth == 0 || d.IntN(3) == 0 {
		in := pick(d, "crea", "crea", "temp", "temp", "high", "hot", "above", "said", "said", "tied", "second", "third", "molar", "over")
		if d.IntN(2) == 0 {
			return in + d.statistic()
		}
		op := pick(d, "last", "last", "first", "min", "max", "sum", "mean", "delta", "count", "count")
		if d.IntN(12) == 0 {
			return pick(d, "patient.age", "patient.age_months", "ckd.count('3d')", "drug.count()", "drug.distinct()", "spell.distinct()", "tied.distinct()", "stay.distinct('3d')", "drug.max_gap()", "group.distinct()", "flag.distinct('3d')", "stay.count('1d')", "spell.count('3d')")
		}
		return fmt.Sprintf("%s.%s(%s)", in, op, d.filtered(d.window()))
	}
	switch d.IntN(6) {
	case 0:
		return fmt.Sprintf("(%s ?? %v)", d.numeric(depth-1), d.number())
	case 1:
		return fmt.Sprintf("(%s ? %s : %s)", d.boolean(depth-1), d.numeric(depth-1), d.numeric(depth-1))
	case 2:
		return fmt.Sprintf("%v", d.number())
	}
	return fmt.Sprintf("(%s %s %s)", d.numeric(depth-1), pick(d, "+", "-", "*", "/"), d.numeric(depth-1))
}

// filtered adds, now and then, a condition that picks the facts asked about.
func (d drawer) filtered(window string) string {
	if d.IntN(6) > 0 {
		return window
	}
	condition := pick(d, fmt.Sprintf("value %s %v", pick(d, "<", "<=", ">", ">=", "==", "!="), d.number()),
		"interpretation == 'H'", "stay.active()", "not crea.exists('6h..1h')", "value > crea.min('1d')", "drug.exists('after 1h')")
	if window == "" {
		return condition
	}
	return window + ", " + condition
}

// statistic draws a question about all the values of a window.
func (d drawer) statistic() string {
	window := d.window()
	after := ""
	if window != "" {
		after = ", " + window
	}
	switch d.IntN(4) {
	case 0:
		return fmt.Sprintf(".nth(%d%s)", pick(d, 1, 2, 3, -1, -2, -3), after)
	case 1:
		return fmt.Sprintf(".%s(%v%s%s)", pick(d, "duration_above", "duration_below"), d.number(), after, pick(d, "", ", 'carry 1h'", ", 'carry 1d'"))
	case 2:
		return fmt.Sprintf(".ewma(%s%s)", pick(d, "'2h'", "'1d'", "'10d'"), after)
	}
	return fmt.Sprintf(".%s(%s)", pick(d, "median", "stddev", "rise", "fall", "slope", "distinct", "max_gap"), d.filtered(window))
}

// boolean draws an atom.
func (d drawer) boolean(depth int) string {
	compare := pick(d, "<", "<=", ">", ">=", "==", "!=")
	if d.each != "" && d.IntN(2) == 0 {
		return d.inPeriod()
	}
	if d.declared != nil && depth > 0 && d.IntN(5) == 0 {
		return d.namedBoolean()
	}
	switch d.IntN(14) {
	case 0, 1:
		return fmt.Sprintf("%s.exists(%s)", pick(d, "crea", "temp", "high", "hot", "group", "flag", "ckd", "drug", "stay", "note", "said", "named", "given", "problem", "visit", "tied", "second", "third", "spell", "molar"), d.window())
	case 2:
		return fmt.Sprintf("%s.active(%s)", pick(d, "ckd", "drug", "stay", "given", "problem", "visit", "spell"), d.window())
	case 3:
		return fmt.Sprintf("%s.count(%s) %s %d", pick(d, "crea", "temp", "hot", "said", "tied", "third"), d.filtered(d.window()), compare, d.IntN(5))
	case 4:
		if d.IntN(3) == 0 {
			return fmt.Sprintf("group.nth(%d) %s 'a'", pick(d, 1, 2, -1, -2), pick(d, "==", "!="))
		}
		return fmt.Sprintf("group.%s(%s) %s 'a'", pick(d, "last", "first"), d.window(), pick(d, "==", "!="))
	case 5:
		return fmt.Sprintf("(flag.last(%s) ?? %t)", d.window(), d.IntN(2) == 0)
	case 6:
		if d.IntN(2) == 0 {
			return d.dates()
		}
		return pick(d, "patient.sex == 'male'", "patient.deceased", "patient.age >= 20", "patient.age_months < 241",
			"note.last('3d') in ['clear', 'red']", "note.last() != 'clear'")
	case 7:
		since := fmt.Sprintf("%s.%s(%s)", pick(d, "crea", "temp", "hot", "drug", "ckd", "second"), pick(d, "hours_since", "days_since"), d.window())
		if d.IntN(3) == 0 {
			since = fmt.Sprintf("(%s ?? %d)", since, pick(d, 0, 1000))
		}
		other := fmt.Sprint(pick(d, 0.0, 1, 1.5, 2, 5, 24, 48, 720))
		if d.IntN(4) == 0 {
			other = d.numeric(0)
		}
		compare = pick(d, "<", "<=", ">", ">=")
		if d.IntN(3) == 0 {
			return other + " " + compare + " " + since
		}
		return since + " " + compare + " " + other
	case 8:
		return fmt.Sprintf("%s.%s(%s) %s %s.%s(%s)", pick(d, "crea", "temp"), pick(d, "last_time", "first_time"), d.window(), compare,
			pick(d, "temp", "drug"), pick(d, "last_time", "first_time"), d.window())
	}
	return fmt.Sprintf("%s %s %s", d.numeric(depth), compare, d.numeric(max(depth-1, 0)))
}

// dates draws an atom that asks the calendar.
func (d drawer) dates() string {
	time := func() string {
		if d.each != "" && d.IntN(2) == 0 {
			return pick(d, "start", "end")
		}
		return fmt.Sprintf("%s.%s(%s)", pick(d, "crea", "temp", "drug", "stay"), pick(d, "last_time", "first_time"), d.window())
	}
	switch d.IntN(4) {
	case 0:
		return fmt.Sprintf("patient.age_at(%s) %s %d", time(), pick(d, "<", ">="), pick(d, 0, 19, 20, 26))
	case 1:
		return fmt.Sprintf("patient.age_months_at(%s) %s %d", time(), pick(d, "<", ">="), pick(d, 1, 240, 312, 313))
	case 2:
		return fmt.Sprintf("patient.birth_date %s %s", pick(d, "<", ">=", "=="), time())
	}
	return fmt.Sprintf("same_day(%s, %s)", time(), time())
}

// condition draws a rule's tree.
func (d drawer) condition(depth int) string {
	if depth == 0 || d.IntN(3) == 0 {
		return d.boolean(2)
	}
	switch d.IntN(5) {
	case 0:
		return "not (" + d.condition(depth-1) + ")"
	case 1:
		return fmt.Sprintf("((%s) ? (%s) : (%s))", d.condition(depth-1), d.condition(depth-1), d.condition(depth-1))
	}
	parts := make([]string, 2+d.IntN(2))
	for i := range parts {
		parts[i] = "(" + d.condition(depth-1) + ")"
	}
	return strings.Join(parts, pick(d, " and ", " or "))
}
