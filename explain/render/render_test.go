package render

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/stretchr/testify/require"

	"github.com/vigil-cds/vigil/explain/record"
	"github.com/vigil-cds/vigil/explain/record/recordtest"
	"github.com/vigil-cds/vigil/internal/clinical"
	"github.com/vigil-cds/vigil/rules"
)

// everyForm renders an explanation in all ways.
func everyForm(t testing.TB, e *record.Explanation) map[string]string {
	t.Helper()
	forms := map[string]string{"sentence": Sentence(e, nil)}
	write := func(name string, f func(io.Writer) error) {
		var b bytes.Buffer
		require.NoError(t, f(&b))
		forms[name] = b.String()
	}
	d := &record.Difference{Earlier: *e, Later: *e, Changes: []record.Delta{{What: "term", Source: "a.last('48h')"}}}
	write("text", func(w io.Writer) error { return Text(w, e, TextOptions{}) })
	write("page", func(w io.Writer) error { return HTML(w, e, nil) })
	write("text of a difference", func(w io.Writer) error { return TextDifference(w, d, TextOptions{}) })
	write("page of a difference", func(w io.Writer) error { return HTMLDifference(w, d, nil) })
	return forms
}

// What a record may hold goes far beyond what the evaluator makes.
func TestEveryRecordCanBeRenderedAndIsOnlyRead(t *testing.T) {
	goish := regexp.MustCompile(`%!|<nil>|\(\*|0xc0|map\[|&\{|NaN`)
	for seed := range uint64(100) {
		e := recordtest.Random(rand.New(rand.NewPCG(seed, 1)))
		once, again := everyForm(t, e), everyForm(t, e)
		require.Equal(t, once, again, "the same record gives the same bytes")
		require.Equal(t, recordtest.Random(rand.New(rand.NewPCG(seed, 1))), e)
		for form, text := range once {
			require.NotRegexp(t, goish, strings.ReplaceAll(text, "urn:oid", ""), "%s of %d", form, seed)
		}
	}
}

func TestTextIsNoWiderThanItMayBe(t *testing.T) {
	for seed := range uint64(60) {
		e := recordtest.Random(rand.New(rand.NewPCG(seed, 2)))
		for _, most := range []int{1, 40, 61, 80, 133} {
			var b bytes.Buffer
			require.NoError(t, Text(&b, e, TextOptions{Width: most}))
			for line := range strings.Lines(b.String()) {
				require.LessOrEqual(t, width(strings.TrimSuffix(line, "\n")), max(most, narrowest), "%q of %d", line, seed)
			}
		}
	}
}

func TestColourAddsNothingButColour(t *testing.T) {
	sgr := regexp.MustCompile("\x1b\\[[0-9]+m")
	for _, e := range []*record.Explanation{recordtest.Example(), recordtest.Unknown(), recordtest.False()} {
		var plain, coloured bytes.Buffer
		require.NoError(t, Text(&plain, e, TextOptions{Width: 90}))
		require.NoError(t, Text(&coloured, e, TextOptions{Width: 90, Color: true}))
		require.NotContains(t, plain.String(), "\x1b")
		require.Regexp(t, sgr, coloured.String())
		require.Equal(t, plain.String(), sgr.ReplaceAllString(coloured.String(), ""))
	}
}

// hostile puts a text everywhere where data may be.
func hostile(text string) *record.Explanation {
	e := recordtest.Unknown()
	for i := range e.Facts {
		f := &e.Facts[i]
		f.Value, f.Unit, f.Status, f.Resource, f.Version, f.Codes = record.Value(rules.TextOf(text)), text, text, text, text, []string{text}
	}
	for i := range e.Terms {
		e.Terms[i].Unit, e.Terms[i].Where = text, text
		if e.Terms[i].Latest != nil {
			e.Terms[i].Latest.Value = record.Value(rules.TextOf(text))
		}
	}
	e.Patient, e.ID, e.Message, e.Rule.Title, e.Rule.Source, e.RuleSet.ValueSets[0].URL = text, text, text, text, text, text
	e.Missing[0].Reason = text
	e.Missing[0].Latest = &e.Facts[1]
	e.Cause = &record.Cause{Kind: record.CauseFact, Position: text, Facts: e.Facts[:1]}
	return e
}

func TestDataCannotDriveTheTerminal(t *testing.T) {
	forms := everyForm(t, hostile("a\x1b[2J\r\nb\u202ec\u2028d\x00\x9bm\u200f\xff"))
	for _, form := range []string{"sentence", "text", "text of a difference"} {
		for _, r := range strings.ReplaceAll(forms[form], "\n", "") {
			require.True(t, unicode.IsPrint(r), "%s has %q", form, r)
		}
	}
	require.NotContains(t, forms["sentence"], "\n")
}

func TestDataCannotBecomePartOfThePage(t *testing.T) {
	forms := everyForm(t, hostile(`"><script>alert(1)</script><img src=x onerror=alert(1)> 'on' </title></style>`))
	for _, form := range []string{"page", "page of a difference"} {
		require.NotContains(t, forms[form], "<script")
		require.NotContains(t, forms[form], "<img")
		require.Equal(t, 1, strings.Count(forms[form], "</style>"))
	}
}

func TestAPageNeedsNothingElse(t *testing.T) {
	elsewhere := regexp.MustCompile(`(?i)<(script|img|iframe|object|embed|form|base)|@import|url\(|\ssrc=|\son[a-z]+=|href="[^d]`)
	for name, example := range examples {
		for form, text := range everyForm(t, example(t)) {
			if strings.HasPrefix(form, "page") {
				require.NotRegexp(t, elsewhere, text, "%s of %s", form, name)
			}
		}
	}
}

func TestEveryDrawingIsWellFormedAndDescribed(t *testing.T) {
	drawing := regexp.MustCompile(`(?s)<svg .*?</svg>`)
	broken := regexp.MustCompile(`NaN|Inf|e\+\d|""`)
	pages := []string{everyForm(t, ofEveryKind(t))["page"], everyForm(t, manyFacts(t))["page"]}
	for seed := range uint64(60) {
		pages = append(pages, everyForm(t, recordtest.Random(rand.New(rand.NewPCG(seed, 3))))["page"])
	}
	drawings := 0
	for _, page := range pages {
		for _, svg := range drawing.FindAllString(page, -1) {
			drawings++
			require.Contains(t, svg, "<title id=")
			require.Contains(t, svg, "<desc id=")
			for _, path := range regexp.MustCompile(` (d|x|y|width|height|viewBox)="[^"]*"`).FindAllString(svg, -1) {
				require.NotRegexp(t, broken, path)
			}
			decoder := xml.NewDecoder(strings.NewReader(svg))
			decoder.Entity = xml.HTMLEntity
			for {
				_, err := decoder.Token()
				if err == io.EOF {
					break
				}
				require.NoError(t, err, svg)
			}
		}
	}
	require.Greater(t, drawings, 50)
}

func TestAThresholdIsDrawnWhereValuesAreHeldAgainstIt(t *testing.T) {
	facts := []string{"creatinine: 1.2 @ 2026-05-03", "creatinine: 1.9 @ -82m", "creatinine: 1.4 @ -40h"}
	for _, c := range []struct {
		when string
		want []threshold // of the first window, without their source
	}{
		{"creatinine.last('7d') >= 2", []threshold{{at: 2, op: ">="}}},
		{"2 < creatinine.last('7d')", []threshold{{at: 2, op: ">"}}},
		{"creatinine.max('7d') > 1.5 or creatinine.min('7d') < 0.5", []threshold{{at: 1.5, op: ">"}, {at: 0.5, op: "<"}}},
		{"creatinine.last('7d') >= 1.5 * creatinine.min('7d')", []threshold{{at: 1.5 * 1.2, op: ">="}}},
		{"creatinine.last('7d') - creatinine.min('7d') >= 0.3", []threshold{{at: 1.2 + 0.3, op: ">="}}},
		{"creatinine.max('7d') - creatinine.last('7d') > 0.3", []threshold{{at: 1.9 - 0.3, op: "<"}}},
		{"creatinine.last('7d') / creatinine.min('7d') > 2", []threshold{{at: 2.4, op: ">"}}},
		{"(creatinine.last('7d') ?? 1) > 3", []threshold{{at: 3, op: ">"}}},
		{"creatinine.count('7d') >= 3", nil},
		{"creatinine.sum('7d') >= 3", nil},
		{"creatinine.last('7d') > potassium.last('7d')", nil},
	} {
		v := viewOf(situation{when: c.when, facts: facts}.explained(t), nil)
		got := v.thresholds(v.evidences()[0])
		require.Len(t, got, len(c.want), c.when)
		for i := range got {
			require.InDelta(t, c.want[i].at, got[i].at, 1e-9, c.when)
			require.Equal(t, c.want[i].op, got[i].op, c.when)
		}
	}
}

func TestWhatIsWrittenElsewhereMayFail(t *testing.T) {
	full := errors.New("the disk is full")
	w := writer(func([]byte) (int, error) { return 0, full })
	e := recordtest.False()
	d := &record.Difference{Earlier: *e, Later: *e}
	require.ErrorIs(t, Text(w, e, TextOptions{}), full)
	require.ErrorIs(t, HTML(w, e, nil), full)
	require.ErrorIs(t, TextDifference(w, d, TextOptions{}), full)
	require.ErrorIs(t, HTMLDifference(w, d, nil), full)
}

type writer func([]byte) (int, error)

func (w writer) Write(b []byte) (int, error) { return w(b) }

func TestAWindowOfManyFactsShowsSomeAndCountsTheRest(t *testing.T) {
	e := manyFacts(t)
	v := viewOf(e, nil)
	x := v.evidences()[0]
	shown, skipped := 0, 0
	stars := map[int]bool{}
	for _, r := range v.rows(x.Term, textFacts) {
		shown++
		skipped += r.skipped
		stars[r.Fact] = v.enough[r.Fact]
	}
	require.Less(t, shown, 20)
	require.Equal(t, len(x.Uses), shown+skipped)
	require.Equal(t, 300, x.Saw)
	highest := v.witness(&e.Terms[0])
	require.True(t, stars[highest.Fact], "the highest, which decides, is shown wherever it lies")
}

func TestWords(t *testing.T) {
	for input, want := range map[string]string{"heart_rate": "heart rate", "egfr": "eGFR", "nsaids": "NSAIDs", "inr": "INR", "last_hba1c": "last HbA1c", "bus": "bus"} {
		require.Equal(t, want, named(input))
	}
	for code, want := range map[string]string{
		"mg/dL": "mg/dL", "mL/min/{1.73_m2}": "mL/min/1.73 m²", "{INR}": "", "Cel": "°C", "mm[Hg]": "mmHg", "umol/L": "µmol/L", "10*3/uL": "×10³/µL",
		"kg/m2": "kg/m²", "{beats}/min": "/min", "/{HPF}": "/HPF", "m[IU]/L": "mIU/L", "ug/kg/min": "µg/kg/min", "%": "%", "1": "", "": "",
		"mg{creatinine}": "mg", "mg/": "mg/", "/": "/", "{unclosed": "", "N.m": "N·m", "tablets": "tablets",
	} {
		require.Equal(t, want, unit(code), code)
	}
	require.Equal(t, "91%", with("91", "%"))
	require.Equal(t, "22/min", with("22", "/min"))
	require.Equal(t, "1.9 mg/dL", with("1.9", "mg/dL"))
	for text, want := range map[string]string{"7d": "7 days", "1h": "1 hour", "1y6mo": "1 year 6 months", "365d..8d": "365 to 8 days ago", "1y..8d": "1 year to 8 days ago",
		"30m": "30 minutes", "2w": "2 weeks", "strange": "strange", "1y..": "1y.."} {
		require.Equal(t, want, span(text))
	}
	require.Equal(t, "between 365 and 8 days ago", within(&record.Window{Text: "365d..8d"}))
	require.Equal(t, "on record", within(&record.Window{}))
	require.Equal(t, "", within(nil))
}

func TestARoundedNumberStaysOnItsSideOfTheThreshold(t *testing.T) {
	for _, c := range []struct {
		x, against float64
		digits     int
		want       string
	}{
		{1.5833333, 1.5, 2, "1.6"}, {1.4975, 1.5, 2, "1.498"}, {1.5, 1.5, 2, "1.5"}, {1.5000000000001, 1.5, 2, "1.5"}, {12.349, 2, 2, "12"}, {78125, 5, 2, "78125"},
		{92.6666, 100, 3, "92.7"}, {0.00123456, 1, 3, "0.00123"}, {-6.49999, -6.5, 3, "-6.49999"}, {1234.4, 1000, 3, "1234"}, {0, 1, 3, "0"},
	} {
		require.Equal(t, c.want, toDigits(c.x, c.digits, []float64{c.against}))
	}
}

func TestColumnsAreCountedAsATerminalShowsThem(t *testing.T) {
	require.Equal(t, 5, width("Zoë ✓"))
	require.Equal(t, 5, width("Zoe\u0308 ✓"), "a combining mark takes no column")
	require.Equal(t, 4, width("血圧"))
	require.Equal(t, "血…", cut("血圧計", 4))
	require.Equal(t, "abc", cut("abc", 3))
	require.Equal(t, "ab…", cut("abcd", 3))
	require.Equal(t, []string{"one two", "three", "fourfou", "rfour"}, wrapped("one two  three fourfourfour", 7))
	require.Equal(t, []string{""}, wrapped("", 7))
}

func TestAnAxisHasAFewRoundNumbers(t *testing.T) {
	for _, c := range []struct {
		numbers []float64
		want    []float64
	}{
		{[]float64{1.2, 1.9}, []float64{1.2, 1.4, 1.6, 1.8, 2}},
		{[]float64{5}, []float64{4.6, 4.8, 5, 5.2, 5.4}},
		{[]float64{-6.5, 1.5}, []float64{-6, -4, -2, 0, 2}},
		{[]float64{0.01, 500}, []float64{0.01, 0.1, 1, 10, 100}},
		{[]float64{0}, []float64{-0.1, -0.05, 0, 0.05, 0.1}},
	} {
		s := scaleFor(c.numbers, 100, 0)
		require.InDeltaSlice(t, c.want, s.ticks(), 1e-9, "%v", c.numbers)
		for _, x := range c.numbers {
			require.True(t, 0 <= s.at(x) && s.at(x) <= 100)
		}
	}
}

func TestAnAxisOfTimeHasTicksWhereDaysAndHoursBegin(t *testing.T) {
	london, err := time.LoadLocation("Europe/London")
	require.NoError(t, err)
	to := time.Date(2026, 3, 29, 14, 2, 0, 0, london) // the clocks went forward at one
	for _, c := range []struct {
		length time.Duration
		want   string
	}{
		{20 * time.Minute, "13:45 13:50 13:55 14:00"},
		{6 * time.Hour, "09:00 10:00 11:00 12:00 13:00 14:00"},
		{24 * time.Hour, "18:00 00:00 06:00 12:00"},
		{48 * time.Hour, "00:00 12:00 00:00 12:00"},
		{7 * 24 * time.Hour, "23 Mar 24 Mar 25 Mar 26 Mar 27 Mar 28 Mar 29 Mar"},
		{365 * 24 * time.Hour, "Apr Jul Oct Jan"},
		{20 * 365 * 24 * time.Hour, "2010 2015 2020 2025"},
		{200 * 365 * 24 * time.Hour, "1850 1900 1950 2000"},
	} {
		from := to.Add(-c.length)
		ticks, step := moments(from, to, 7)
		var words []string
		for i, tick := range ticks {
			require.False(t, tick.Before(from) || tick.After(to))
			text, _ := step.written(tick, i == 0, to)
			words = append(words, text)
		}
		require.Equal(t, c.want, strings.Join(words, " "), c.length)
	}
}

func TestPeriodsThatOverlapAreDrawnInLanes(t *testing.T) {
	l := newLanes(0)
	require.Equal(t, 0, l.take(0, 10))
	require.Equal(t, 1, l.take(5, 20))
	require.Equal(t, 0, l.take(11, 12))
	require.Equal(t, 2, l.take(12, float64(clinical.Forever)))
}

// The time to render bounds what an explanation on demand costs beyond finding it.
func BenchmarkRender(b *testing.B) {
	e := situation{when: "heart_rate.max('48h') > 120 and heart_rate.mean('48h') > 90", facts: pulse(1000)}.explained(b)
	b.Run("sentence", func(b *testing.B) {
		for b.Loop() {
			Sentence(e, nil)
		}
	})
	b.Run("text", func(b *testing.B) {
		for b.Loop() {
			_ = Text(io.Discard, e, TextOptions{Width: 100})
		}
	})
	b.Run("page", func(b *testing.B) {
		for b.Loop() {
			_ = HTML(io.Discard, e, nil)
		}
	})
}
