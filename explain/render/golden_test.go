package render

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vigil-cds/vigil/explain/record"
	"github.com/vigil-cds/vigil/explain/record/recordtest"
	"github.com/vigil-cds/vigil/rules"
)

var update = flag.Bool("update", false, "write the files in testdata anew")

// golden compares what is written with the file of that name.
func golden(t *testing.T, name string, write func(io.Writer) error) {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, write(&b))
	path := filepath.Join("testdata", name)
	if *update {
		require.NoError(t, os.MkdirAll("testdata", 0o755))
		require.NoError(t, os.WriteFile(path, b.Bytes(), 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(want), b.String())
}

// sealed is a transition with a place in its patient's chain that no other package decides.
func sealed(e *record.Explanation) *record.Explanation {
	e.Sequence, e.Previous, e.Hash = 17, strings.Repeat("0a", 32), strings.Repeat("b1", 32)
	return e
}

// pulse is a window with many results.
func pulse(n int) []string {
	facts := make([]string, n)
	for i := range facts {
		facts[i] = fmt.Sprintf("heart_rate: %d @ -%dm", 80+i*i%47, 2*(n-i))
	}
	return facts
}

// ofEveryKind has numbers with and without comparators, codes, texts, periods, and facts before windows.
func ofEveryKind(t testing.TB) *record.Explanation {
	return situation{
		title: "A case of <everything> & more",
		when: "base_excess.min('48h') <= -6 and consciousness.last('12h') in ['130987000', '300202002'] and lactate.last('24h') < 4 and nsaid.exists('30d') " +
			"and warfarin.active() and not dialysis.exists('90d') and note.exists('7d') and patient.age >= 65 and troponin.last('24h') > 5 * troponin.min('24h')",
		patient: "{born: 1955-02-01, sex: female}",
		facts: []string{"base_excess: -2 @ -40h", "base_excess: -6.5 @ -30h", "base_excess: 1.5 @ -3h", "consciousness: snomed|248234008 @ -5h",
			"consciousness: snomed|300202002 @ -1h", "lactate: 3.1 @ -20h", `lactate: ">15 @ -12h"`, "lactate: <2 @ -10h", "lactate: 2.4 @ -1h",
			`nsaid: "@ -20d .. -12d"`, `nsaid: "@ -15d .. -3d"`, `nsaid: "@ -10d .."`, `warfarin: "@ 2023-03-01 .."`, `dialysis: "@ 2025-12-01"`,
			"note: seems <b>confused</b> since noon @ -2d", "troponin: 0.004 @ -20h", "troponin: 0.7 @ -9h", "troponin: 52 @ -30m"},
	}.explained(t)
}

func nothingKnown(t testing.TB) *record.Explanation {
	e := situation{title: "Nothing is known", when: "potassium.last('24h') > 6 or dialysis.exists()"}.explained(t)
	e.Missing = []record.Missing{{Term: 0, Reason: "no potassium in 24 hours, nor before"}}
	return e
}

func manyFacts(t testing.TB) *record.Explanation {
	return situation{title: "A fast pulse", when: "heart_rate.max('48h') > 120 and heart_rate.mean('48h') > 90", facts: pulse(300), most: 100}.explained(t)
}

// turned is a difference with one change of every kind.
func turned(t testing.TB) *record.Difference {
	high := situation{title: "High potassium", when: "potassium.last('24h') >= 6",
		facts: []string{"potassium: 5.2 @ 2026-05-05T09:00:00Z", "potassium: 6.4 @ 2026-05-06T13:00:00Z"}}
	later := high.explained(t)
	high.now, high.facts = "2026-05-05T14:02:00Z", high.facts[:1]
	earlier := high.explained(t)
	entered, left := later.Facts[0], earlier.Facts[0]
	number := func(x float64) record.Value { return record.Value(rules.NumberOf(x)) }
	return &record.Difference{Earlier: *earlier, Later: *later, Changes: []record.Delta{
		{What: "rule", Source: later.Rule.When, Before: record.Value(rules.BoolOf(false)), After: record.Value(rules.BoolOf(true))},
		{What: "atom", Source: later.Rule.When, Before: record.Value(rules.BoolOf(false)), After: record.Value(rules.BoolOf(true))},
		{What: "term", Source: "potassium.last('24h')", Before: number(5.2), After: number(6.4)},
		{What: "left", Source: "potassium.last('24h')", Before: number(5.2), Fact: &left},
		{What: "entered", Source: "potassium.last('24h')", After: number(6.4), Fact: &entered},
		{What: "retracted", Source: "potassium.count('7d')", Before: number(5.2), Fact: &left},
		{What: "added", Source: "potassium.count('7d')", After: number(6.4), Fact: &entered},
	}}
}

var examples = map[string]func(testing.TB) *record.Explanation{
	"fired":      func(testing.TB) *record.Explanation { return sealed(recordtest.Example()) },
	"false":      func(testing.TB) *record.Explanation { return recordtest.False() },
	"unknown":    func(testing.TB) *record.Explanation { return recordtest.Unknown() },
	"everything": ofEveryKind,
	"nothing":    nothingKnown,
	"cleared": func(t testing.TB) *record.Explanation {
		return sealed(situation{title: "High potassium", kind: record.Cleared, cause: record.Cause{Kind: record.CauseTime},
			when: "potassium.last('24h') > 6 and (nsaid.active() or not patient.deceased)", facts: []string{"potassium: 6.4 @ -25h", `nsaid: "@ -4d .. -2d"`}}.explained(t))
	},
	"many": manyFacts,
}

func TestTextIsAsItWas(t *testing.T) {
	for name, example := range examples {
		t.Run(name, func(t *testing.T) {
			golden(t, name+".txt", func(w io.Writer) error { return Text(w, example(t), TextOptions{Width: 120}) })
		})
	}
	golden(t, "fired-narrow.txt", func(w io.Writer) error { return Text(w, examples["fired"](t), TextOptions{Width: 64}) })
	golden(t, "fired-colour.txt", func(w io.Writer) error {
		return Text(w, examples["fired"](t), TextOptions{Color: true, Zone: time.UTC})
	})
}

func TestPagesAreAsTheyWere(t *testing.T) {
	for _, name := range []string{"fired", "false", "unknown", "everything", "nothing"} {
		t.Run(name, func(t *testing.T) {
			golden(t, name+".html", func(w io.Writer) error { return HTML(w, examples[name](t), nil) })
		})
	}
}

func TestDifferencesAreAsTheyWere(t *testing.T) {
	golden(t, "difference.txt", func(w io.Writer) error { return TextDifference(w, turned(t), TextOptions{Width: 100}) })
	golden(t, "difference.html", func(w io.Writer) error { return HTMLDifference(w, turned(t), nil) })
	same := turned(t)
	same.Changes = nil
	golden(t, "difference-none.txt", func(w io.Writer) error { return TextDifference(w, same, TextOptions{}) })
}
